"""The composition root: `clock` alone reads the clock, `load` the files; `run` runs the worker."""


# Engines that drive the jobs: `embedded`, one process on any store; `single_pass`, the same once through; `cluster`,
# many machines. `timetable` is upkeep by the machine's clock.
