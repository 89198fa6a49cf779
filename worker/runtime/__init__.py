"""The composition root: `clock` alone reads the clock, `load` the files; `run` runs the worker."""


# Engines that drive the jobs: `embedded`, one process on any store; `once`, one pass and out; `timetable`, upkeep by
# the machine's clock.
