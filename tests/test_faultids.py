"""docs/faults.md tells the tests as they are."""

from pathlib import Path

import faultids


def test_the_table_of_faults_is_up_to_date() -> None:
    """`python tests/faultids.py > docs/faults.md` makes it."""
    assert (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8") == faultids.page()
