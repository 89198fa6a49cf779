"""docs/screens.md shows the screens as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.timeout(1_200)
def test_the_screens_are_up_to_date() -> None:
    """`python tests/screens.py > docs/screens.md` makes them, at a pseudo-terminal, in a process of its own."""
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    made = subprocess.run(
        [sys.executable, str(HERE / "screens.py")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=1_000,
    )
    assert made.stdout == (HERE.parent / "docs" / "screens.md").read_text(encoding="utf-8"), made.stderr


def test_no_line_is_wider_than_its_terminal() -> None:
    """A terminal would break it where it likes; a host name is kept whole."""
    text = (HERE.parent / "docs" / "screens.md").read_text(encoding="utf-8")
    for width in (80, 120):
        for screen in text.split(f"{width} columns:\n\n```\n")[1:]:
            assert max(map(len, screen.partition("\n```")[0].splitlines())) <= width
    assert "www.phnompenhpost.example  " in text
