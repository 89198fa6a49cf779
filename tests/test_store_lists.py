"""Lists of articles as a desk reads them, on both databases."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from stored import NEW, NOW, add, create_obligations, owed, suppressed
from test_store_stories import AGAIN, BRIDGE, RICE, tell

from worker.model import Novelty, NoveltyKind, Origin
from worker.store import Store, ledger, ledger_lines, lists, silences

DAY = NOW.replace(hour=0, minute=0), NOW.replace(hour=0, minute=0) + timedelta(days=1)


def come(store: Store, article_id: int, at: datetime) -> int:
    """Let an article have come at another time."""
    with store.write() as tx:
        tx.execute(
            sa.text("UPDATE article SET first_seen = :at WHERE id = :id"), {"at": f"{at:%F %T}", "id": article_id}
        )
    return article_id


def read(store: Store, **more: bool) -> list[str]:
    """The stories of the day, two a page."""
    found: list[str] = []
    after: lists.Place | None = None
    while True:
        with store.read() as tx:
            page = lists.stories(tx, *DAY, limit=2, after=after, **more)
        if not page:
            return found
        found += [one.title for one in page]
        after = page[-1].last.first_seen, page[-1].last.id


@pytest.fixture
def day(store: Store) -> dict[str, int]:
    """A story of the day before that goes on, one of this day, one of the next, and what tells none."""
    ids = {
        "before": come(store, tell(store, "Le pont", BRIDGE), NOW - timedelta(days=1)),
        "again": tell(store, "Le pont, encore", AGAIN),
        "rice": tell(store, "Le riz", RICE),
        "alone": come(store, add(store, "Seul"), NOW + timedelta(hours=1)),
        "archive": add(store, "Avant", origin=Origin.ARCHIVE),
    }
    ids["copy"] = come(store, tell(store, "Le pont, copié", AGAIN, of=ids["again"]), NOW + timedelta(days=1))
    return ids


def test_a_day_has_each_of_its_stories_once(store: Store, day: dict[str, int]) -> None:
    """Under the story's title, the last first; neither what came on other days nor what was known before."""
    assert read(store) == ["Seul", "Le riz", "Le pont"]


def test_only_what_a_rule_matched_that_day(store: Store, day: dict[str, int]) -> None:
    create_obligations(store, day["again"], owed())
    assert read(store, matched=True) == ["Le pont"]
    create_obligations(store, day["alone"], owed())
    assert read(store, matched=True) == ["Seul", "Le pont"]


def test_the_articles_of_stories_in_a_span(store: Store, day: dict[str, int]) -> None:
    with store.read() as tx:
        (story_id,) = {one.id for one in lists.stories(tx, *DAY, limit=9) if one.title == "Le pont"}
        found = lists.articles(tx, [story_id or 0], DAY[0] - timedelta(days=1), DAY[1])
    assert [(one.id, one.of_id) for one in found] == [(day["before"], None), (day["again"], None)]


def test_matches_of_a_span_and_their_counts(store: Store, day: dict[str, int]) -> None:
    """Half-open: what came at its end is the next one's."""
    create_obligations(store, day["again"], owed(), suppressed("other"))
    with store.read() as tx:
        found = lists.matches(tx, NOW, NOW + timedelta(seconds=1), limit=9)
        assert {(one.rule_id, one.article.id, one.story_title) for one in found} == {
            ("visit", day["again"], "Le pont"),
            ("other", day["again"], "Le pont"),
        }
        assert lists.matches(tx, NOW - timedelta(days=1), NOW, limit=9) == ()
        assert len(lists.matches(tx, *DAY, limit=1)) == 1
        assert lists.matches_by_rule(tx, *DAY) == {"visit": 1, "other": 1}
        assert lists.articles_by_feed(tx, *DAY) == {"A": 4}
        assert {line.article_id for line in ledger_lines.lines_of(tx, day.values())} == {day["again"]}
        assert {one.article_id for one in ledger.matches_of(tx, [day["again"], day["rice"]])} == {day["again"]}


def test_copies_name_the_original_first(store: Store) -> None:
    first = add(store, "Un")
    copies = [add(store, name, novelty=Novelty(kind=NoveltyKind.DUPLICATE, of=first, why="")) for name in ("Deux", "3")]
    other = add(store, "Autre", novelty=NEW)
    with store.read() as tx:
        assert [one.id for one in lists.copies(tx, copies[1], limit=9)] == [first, copies[0]]
        assert [one.id for one in lists.copies(tx, first, limit=9)] == copies
        assert lists.copies(tx, other, limit=9) == ()


def test_who_acknowledged_first(store: Store, day: dict[str, int]) -> None:
    with store.write() as tx:
        for who in ("ana", "bo"):
            silences.acknowledge(tx, day["again"], who, NOW)
        assert set(lists.acknowledged(tx, lists.stories(tx, *DAY, limit=9)).values()) == {"ana"}
