"""Two thousand feeds, a tenth of them hostile, for eight minutes at a speeded clock (`make soak`)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.soak
@pytest.mark.timeout(3300)
def test_hostile_feeds_slow_no_other_and_lose_nothing(tmp_path: Path) -> None:
    """Everything served whole is stored, everything owed told once, the canary on time, the loop awake, memory flat.

    `SOAK_SECONDS` and `SOAK_FEEDS` make it shorter and smaller.
    """
    seconds, feeds = os.environ.get("SOAK_SECONDS", "480"), os.environ.get("SOAK_FEEDS", "2000")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    command = [sys.executable, str(HERE / "feedsoak.py"), str(tmp_path), seconds, feeds]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    found = json.loads(done.stdout)
    assert found["served"] > 0
    assert found["left"] == 0
    assert found["owed"] > 0
    assert (found["lost"], found["untold"], found["unasked"], found["twice"]) == ([], [], [], [])
    assert found["canary longest delay s"] < 20
    # What other programs of the machine take of its time is not the worker's.
    assert found["own lag max s"] < 0.25
    assert found["memory at the end MB"] < found["memory at a quarter MB"] * 1.1 + 10
    assert found["integrity"] == "ok"
