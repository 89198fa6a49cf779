"""Engines that drive the jobs: `embedded`, one process on any store; `once`, one pass and out; `timetable`,
upkeep by the machine's clock.
"""
