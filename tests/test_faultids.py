"""docs/faults.md tells the tests as they are."""

from pathlib import Path

import faultids
import pytest


def test_the_table_of_faults_is_up_to_date() -> None:
    """`python tests/faultids.py > docs/faults.md` makes it."""
    assert (Path(__file__).parents[1] / "docs" / "faults.md").read_text(encoding="utf-8") == faultids.page()


@pytest.mark.parametrize(("letter", "last"), [("F", 26), ("P", 20)])
def test_no_fault_of_feeds_is_without_a_test(letter: str, last: int) -> None:
    """Of what servers and documents do; each has one that goes through the whole pipeline."""
    wanted = {f"{letter}{number:02}" for number in range(1, last + 1)}
    found = faultids.found()
    assert wanted <= found.keys()
    whole = {"test_faults_fetch.py", "test_faults_content.py"}
    assert {one for one in wanted if any(place.split("::")[0] in whole for _, place in found[one])} == wanted
