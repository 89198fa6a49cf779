"""The oracle of the faults of feeds can fail: each of its parts sees what it is there to see."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from loopback import SECRET, Loopback, dispatch, is_told
from rig import Item


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hun Sen part en visite", True),
        ("une visite de Hun Sen", True),
        ("Hun Sen " + "mot " * 12 + "visite", True),
        ("Hun Sen " + "mot " * 13 + "visite", False),
        ("déplacement " + "mot " * 12 + "Hun Sen", True),
        ("Hun Manet en visite", False),
        ("Hun Sen", False),
    ],
)
def test_what_is_told(text: str, told: bool) -> None:
    """Twelve words between the name and the visit are few enough."""
    assert is_told(Item("1", "", text)) is told


def test_the_oracle_sees_what_goes_wrong(tmp_path: Path) -> None:
    """An item that is not stored, one that is not owed, a message that did not arrive, a stall, a secret."""
    with Loopback(tmp_path, ["good"]) as it:
        it.serve("good", [dispatch(5, told=True), dispatch(6)])
        it.publish(dispatch(1, told=True))
        asyncio.run(it.round())
        it.assert_nothing_lost()

        it.server.tell("/good", [dispatch(7)])
        with pytest.raises(AssertionError, match="O1"):
            it.assert_nothing_lost()
        it.server.served.pop()

        taken = it.sink.received.pop()
        with pytest.raises(AssertionError, match="O3"):
            it.assert_nothing_lost()
        it.sink.received += [taken, taken]
        with pytest.raises(AssertionError, match="O3"):
            it.assert_nothing_lost()
        it.sink.received.pop()

        it.pulse.own = 1
        with pytest.raises(AssertionError, match="O5"):
            it.assert_nothing_lost()
        it.pulse.forget()

        it.publish(dispatch(8, told=True))
        with pytest.raises(AssertionError, match="the canary is late"):
            it.assert_nothing_lost()
        it._canary.pop()

        with it.desk.store.write() as tx:
            tx.execute(
                sa.text("UPDATE obligation SET verdict = 'suppressed', suppression = 'copy', delivery_id = NULL")
            )
        with pytest.raises(AssertionError, match="O2"):
            it.assert_nothing_lost()

    with Loopback(tmp_path, ["good"]) as it:
        structlog.get_logger().info("asked", url=f"https://a.example/?key={SECRET}URL")
        with pytest.raises(AssertionError, match="O6"):
            it.assert_nothing_lost()
