"""The composition root: `clock` alone reads the clock, `load` the files; `run` runs the worker."""
