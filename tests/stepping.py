"""A process whose clock is stepped while it runs: `site.start(STEPS=FILE)`.

FILE holds the seconds by which the whole process's clock is off. time-machine replaces what Python reads the clock by,
in C and for every library at once; `time.monotonic`, by which the event loop goes, is left alone.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine


def begin(file: str) -> None:
    """Go by what the file says from now on."""
    threading.Thread(target=_follow, args=(Path(file),), daemon=True).start()


def _follow(place: Path) -> None:
    """Step the clock whenever the file says something else."""
    real, began, off = datetime.now(UTC), time.monotonic(), 0.0
    clock = time_machine.travel(real, tick=True).start()
    while True:
        wanted = float(place.read_text() or off)
        if wanted != off:
            off = wanted
            clock.move_to(real + timedelta(seconds=time.monotonic() - began + off), tick=True)
        time.sleep(0.02)
