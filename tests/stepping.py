"""`python tests/stepping.py FILE python -m worker run ...`: a worker in a process whose clock is stepped while it runs.

FILE holds the seconds by which the whole process's clock is off. time-machine replaces what Python reads the clock by,
in C and for every library at once; `time.monotonic`, by which the event loop goes, is left alone.
"""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine


def follow(place: Path) -> None:
    """Step the clock whenever the file says something else."""
    real, began, off = datetime.now(UTC), time.monotonic(), 0.0
    clock = time_machine.travel(real, tick=True).start()
    while True:
        wanted = float(place.read_text() or off)
        if wanted != off:
            off = wanted
            clock.move_to(real + timedelta(seconds=time.monotonic() - began + off), tick=True)
        time.sleep(0.02)


if __name__ == "__main__":
    threading.Thread(target=follow, args=(Path(sys.argv[1]),), daemon=True).start()
    sys.argv = ["veille", *sys.argv[sys.argv.index("worker") + 1 :]]
    from worker.cli import main

    main()
