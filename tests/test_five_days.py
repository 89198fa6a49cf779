"""Five days of one story: message by message as the golden file has it, and byte for byte the same again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
GOLDEN = HERE / "data" / "five-days.txt"


@pytest.mark.parametrize("seed", ["1", pytest.param("2", marks=pytest.mark.soak)])
def test_five_days_of_one_story(seed: str) -> None:
    """A night, a digest, a correction, a silence and a mail server that is away for 26 hours; in a process of its own.

    The golden file holds the digest of every message's bytes; `tests/fivedays.py` says how it is made.
    """
    environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    done = subprocess.run(
        [sys.executable, str(HERE / "fivedays.py")],
        env=environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == GOLDEN.read_text(encoding="utf-8")
