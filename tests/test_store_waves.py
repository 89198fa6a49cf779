"""Volumes in the store, on both databases: what a decision is read from, what it leaves, what a message shows."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from desk import examples
from hypothesis import given
from hypothesis import strategies as st
from stored import NOW, article, mark, match, target
from test_alert_volume import EVENTS, Event, counted_apart

from worker.analysis.stories import StoryMember, Vector
from worker.model import AlertPolicy, Novelty, NoveltyKind, Origin, Volume
from worker.pipeline.obligations import StoredRevision, create_obligations
from worker.store import Store, articles, ledger_lines, stories, upkeep, waves

FIVE = Volume(at_least=5, per=timedelta(hours=6))


class Watch:
    """One rule with a volume, whose articles come one by one."""

    def __init__(self, store: Store, volume: Volume = FIVE, rule: str = "flood") -> None:
        self.store, self.volume, self.rule = store, volume, rule
        self.live = SimpleNamespace(
            config=SimpleNamespace(alerts=AlertPolicy(targets=(target("a"),))),
            ruleset=SimpleNamespace(rules=(), naming=lambda _: frozenset()),
        )
        self.stories: dict[int, int] = {}
        self.originals: dict[int, int] = {}

    def come(self, now: datetime, story: int, kind: str = "news", *, source: str = "A", title: str = "") -> int:
        """Store an article and what it owes, as ingest does; returns its number."""
        found = replace(match(self.rule), volume=self.volume)
        with self.store.ingest() as tx:
            of = self.originals.get(story) if kind == "copy" else None
            novelty = Novelty(kind=NoveltyKind.NEW if of is None else NoveltyKind.DUPLICATE, of=of)
            one = replace(article(title or f"Récit {story}", published=now), first_seen=now, source=source)
            article_id, revision_id = articles.add(tx, one, mark(one.body), novelty, origin=Origin.FEED, now=now)
            if story not in self.stories:
                self.stories[story] = stories.begin(tx, one.title, now, now)
            told = StoryMember(article_id=article_id, published=now, language="fr", vector=Vector.of({}))
            stories.put(tx, told, self.stories[story], score=0, why="")
            came = StoredRevision(
                article_id=article_id,
                revision_id=revision_id,
                article=one,
                matches=[found],
                novelty=novelty,
                tags=(),
                backlog=kind == "backlog" or (kind == "copy" and of is None),
                news=frozenset(),
            )
            create_obligations(tx, self.live, came, now)  # type: ignore[arg-type]  # as much of it as is asked
            if kind == "news":
                self.originals.setdefault(story, article_id)
        return article_id

    def said(self, article_id: int) -> str:
        with self.store.read() as tx:
            (line,) = ledger_lines.lines(tx, article_id)
        return line.suppression or line.occasion


WORDS = {"below-volume": "below", "in-wave": "in", "copy": "nothing", "backlog": "nothing"}


@examples(10)
@given(EVENTS, st.integers(2, 4))
def test_any_sequence_is_told_as_a_count_apart_has_it(store: Store, events: list[Event], at_least: int) -> None:
    """Read anew from the store at every article; each example has a rule of its own."""
    with store.read() as tx:
        before = upkeep.article_counts(tx).get("feed", 0)
    watch = Watch(store, Volume(at_least=at_least, per=timedelta(minutes=60)), rule=f"flood-{before}")
    now = NOW + timedelta(days=before)
    events = [event for event in events if event.kind != "revision"]
    said = []
    for event in events:
        now += timedelta(minutes=event.after)
        found = watch.said(watch.come(now, event.story, event.kind))
        said.append("told" if found.startswith("wave") else WORDS[found])
    assert said == counted_apart(events, at_least, 60)


def test_those_before_and_after_name_their_wave(store: Store) -> None:
    """Also what was kept back for another reason, once the wave has begun; what is older than the window does not."""
    watch = Watch(store)
    old = watch.come(NOW - timedelta(hours=7), 20)
    numbers = [watch.come(NOW + timedelta(minutes=n), n) for n in range(7)]
    with store.read() as tx:
        named = [ledger_lines.lines(tx, number)[0].wave for number in (old, *numbers)]
    assert named[0] is None
    assert {(wave.article_id, wave.began, wave.per) for wave in named[1:] if wave} == {
        (numbers[4], NOW + timedelta(minutes=4), FIVE.per)
    }


def test_the_message_shows_the_stories_of_most_outlets_first(store: Store) -> None:
    """Each by its newest article; copies and what came later are among the outlets, not among the stories."""
    watch = Watch(store)
    for minute, story in enumerate((1, 2, 3, 4)):
        watch.come(NOW + timedelta(minutes=minute), story)
    watch.come(NOW + timedelta(minutes=5), 2, source="B", title="Récit 2, encore")
    watch.come(NOW + timedelta(minutes=6), 3, "copy", source="C")
    last = watch.come(NOW + timedelta(minutes=7), 5)
    watch.come(NOW + timedelta(minutes=8), 3, source="D")
    with store.read() as tx:
        found = waves.report(tx, "flood", last, FIVE.per)
    assert found.stories == 5
    assert [(one.title, one.outlets, one.articles) for one in found.top] == [
        ("Récit 3", ("A", "C", "D"), 3),
        ("Récit 2, encore", ("B", "A"), 2),
        ("Récit 5", ("A",), 1),
        ("Récit 4", ("A",), 1),
        ("Récit 1", ("A",), 1),
    ]


def test_a_report_of_what_does_not_count_shows_the_article(store: Store) -> None:
    """For a preview: a copy of what stood in a feed at its first poll, and what the rule did not match."""
    watch = Watch(store)
    backlog = watch.come(NOW, 1, "backlog", title="Ancien")
    with store.read() as tx:
        for rule in ("flood", "other"):
            found = waves.report(tx, rule, backlog, FIVE.per)
            assert (found.stories, [one.title for one in found.top]) == (1, ["Ancien"])


def test_articles_that_are_forgotten_take_their_waves_along(store: Store) -> None:
    """An article that belonged to one says its reason, and names nothing any more."""
    watch = Watch(store)
    numbers = [watch.come(NOW + timedelta(minutes=n), n) for n in range(6)]
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = 'sent'")
        tx.exec_driver_sql(f"UPDATE article SET first_seen = '2030-01-01' WHERE id = {numbers[5]}")
        assert upkeep.forget_articles(tx, before=NOW + timedelta(days=1), ledger_before=NOW + timedelta(days=1)) == 5
    with store.read() as tx:
        (line,) = ledger_lines.lines(tx, numbers[5])
        assert (line.suppression, line.wave) == ("in-wave", None)
        assert tx.exec_driver_sql("SELECT count(*) FROM wave").scalar() == 0


@pytest.mark.parametrize(
    ("what", "index"),
    [
        ("SELECT id FROM match WHERE rule_id = 'flood' AND created > '2026-01-01'", "match_rule"),
        ("SELECT id FROM obligation WHERE rule_id = 'flood' AND wave = 5 AND verdict = 'owed'", "obligation_wave"),
    ],
)
def test_a_volume_is_read_by_an_index(tmp_path: Path, what: str, index: str) -> None:
    """Or each article would read all that there ever was."""
    from desk import new_store

    store = new_store(tmp_path)
    with store.read() as tx:
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {what}").all()
    store.close()
    assert index in str(plan)
