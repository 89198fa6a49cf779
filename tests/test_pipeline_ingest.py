"""ingest: entries into articles, and what is owed; whatever one entry does, the others go on."""

import random
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from desk import FEED, START, VISIT, Desk, email_target, feed, log_target, scripted
from rig import WORDS, Item

from worker.errors import StoreBusyError
from worker.feeds.child import ChildFailed, ChildReason, Children
from worker.model import Match, NoveltyKind, ParsedEntry, Severity
from worker.pipeline import ingest as ingest_job
from worker.pipeline.ingest import Ingested, ingest
from worker.pipeline.reading import read
from worker.runtime.embedded import BATCH, LEASE
from worker.store import entries, quarantine, upkeep

OTHER = "https://b.example/feed"
THIRD = "https://c.example/feed"
COMMON = (
    VISIT + " Les deux parties ont signé huit accords sur les douanes, l'eau et les routes. Le programme prévoit "
    "encore une étape à Huê et une rencontre avec des étudiants de Phnom Penh."
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield scripted(monkeypatch, made)


def items(
    count: int, text: str = "Le conseil de la commune {n} a voté le budget de la bibliothèque {n}."
) -> list[Item]:
    return [Item(f"g{n}", f"Commune numéro {n}", text.format(n=n)) for n in range(count)]


def take(desk: Desk) -> tuple[int, ...]:
    with desk.store.write() as tx:
        entries.quarantine_poisoned(tx, now=desk.now)
        return entries.take_ready(tx, now=desk.now, lease=LEASE, limit=BATCH)


async def ingest_all(desk: Desk) -> Ingested:
    """Ingest until nothing is ready; the sum."""
    total = Ingested()
    while ids := take(desk):
        came = await ingest(desk.context, ids)
        total.novelties += came.novelties
        total.matches += came.matches
        total.failed += came.failed
    return total


def states(desk: Desk) -> dict[str, int]:
    with desk.store.read() as tx:
        return {state: n for state, n in upkeep.entry_counts(tx).items() if n}


@pytest.mark.parametrize("stage", ["match", "subject"])
async def test_p20_one_bad_entry_of_fifty(desk: Desk, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Forty-nine are stored at once; the one is tried five times in all, and put aside with its error."""
    real = getattr(ingest_job, stage)

    def picky(text, *args, **kwargs):
        if text.title == "Commune numéro 17":
            raise ZeroDivisionError("as the test says")
        return real(text, *args, **kwargs)

    monkeypatch.setattr(ingest_job, stage, picky)
    desk.web.feed(FEED, items(50))
    await desk.poll()
    first = await ingest_all(desk)
    assert (first.novelties[NoveltyKind.NEW], first.failed) == (49, 1)
    for _ in range(6):
        desk.later(seconds=31)
        await ingest_all(desk)
    assert states(desk) == {"done": 49, "quarantined": 1}
    with desk.store.read() as tx:
        (put_aside,) = quarantine.put_aside(tx, limit=5)
    assert put_aside.title == "Commune numéro 17"
    assert put_aside.error == "ZeroDivisionError: as the test says"
    assert desk.one("SELECT attempts FROM entry WHERE state = 'quarantined'") == 5


async def test_p20_one_that_cannot_be_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that the database refuses is undone alone."""
    real = ingest_job.articles.add

    def picky(tx, article, *args, **kwargs):
        stored = real(tx, article, *args, **kwargs)
        if article.title == "Commune numéro 3":
            raise sqlite3.IntegrityError("as the test says")
        return stored

    monkeypatch.setattr(ingest_job.articles, "add", picky)
    desk.web.feed(FEED, items(10))
    await desk.poll()
    assert (await ingest_all(desk)).failed == 1
    assert desk.one("SELECT count(*) FROM article") == 9, "nothing of the tenth stays behind"


@pytest.mark.parametrize("reason", list(ChildReason))
async def test_one_entry_that_kills_its_child(desk: Desk, reason: ChildReason) -> None:
    """The batch fails as a whole, so each is tried alone at once: the others do not even wait."""

    def instead(function, batch, *_):
        if function is read and any(unread.entry.parsed.title == "Commune numéro 5" for unread in batch):
            return ChildFailed(reason=reason, detail="as the test says")
        return None

    desk.children.instead = instead
    desk.web.feed(FEED, items(20))
    await desk.poll()
    done = await ingest_all(desk)
    assert (done.novelties[NoveltyKind.NEW], done.failed) == (19, 1)
    for _ in range(5):
        desk.later(seconds=31)
        await ingest_all(desk)
    assert states(desk) == {"done": 19, "quarantined": 1}
    assert "as the test says" in desk.one("SELECT error FROM entry WHERE state = 'quarantined'")


async def test_hostile_text_in_a_real_child(desk: Desk) -> None:
    """A text that no child survives is put aside, and an alert in the same batch is owed at once."""
    children = Children(size=2, cpu_seconds=1)
    desk.context.children = children
    desk.web.feed(FEED, [*items(3), Item("bomb", "Bombe", "(VNA) - " * 40_000), Item("v", "Visite", VISIT)])
    await_ = await desk.poll()
    assert await_.new == 5
    done = await ingest_all(desk)
    children.close()
    assert done.matches == {"visit": 1}
    assert done.novelties[NoveltyKind.NEW] >= 4


async def test_s05_a_store_that_refuses_costs_no_entry_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the store cannot take them, entries are not put aside for it."""
    desk.web.feed(FEED, items(4))
    await desk.poll()
    with monkeypatch.context() as patch:
        patch.setattr(ingest_job.articles, "add", _busy)
        for _ in range(8):
            if ids := take(desk):
                with pytest.raises(StoreBusyError):
                    await ingest(desk.context, ids)
            desk.now += LEASE
    while ids := take(desk):
        await ingest(desk.context, ids)
        desk.later(seconds=31)
    assert states(desk) == {"done": 4}


def _busy(*_: object, **__: object) -> None:
    raise StoreBusyError


async def test_p16_one_article_in_three_feeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same address with other parameters, schemes and slashes: three entries, one alert, two copies."""
    feeds = [feed(url, name=url) for url in (FEED, OTHER, THIRD)]
    links = [
        "https://www.courrier.example/article-7?utm_source=rss&utm_medium=feed",
        "http://www.courrier.example/article-7/",
        "https://www.courrier.example/article-7?fbclid=abc",
    ]
    with scripted(monkeypatch, Desk(tmp_path, feeds=feeds)) as desk:
        for number, (one, link) in enumerate(zip(feeds, links, strict=True)):
            desk.web.feed(one.id, [Item(f"x{number}", "Hun Sen à Hanoï", COMMON, link)])
        done = await desk.pass_()
        assert done.entries == 3
        assert done.articles == {"new": 1, "duplicate": 2}
        assert desk.told == ["log:log"]
        verdicts = desk.rows("SELECT verdict, suppression FROM obligation ORDER BY id")
        assert verdicts == [("owed", ""), ("suppressed", "copy"), ("suppressed", "copy")]
        originals = [row[0] for row in desk.rows("SELECT of_id FROM article ORDER BY id")]
        assert originals == [None, 1, 1]


async def test_a_copy_of_what_nobody_heard_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The original's feed is routed to nobody: silence about the copy would have no reason."""
    from worker.model import Route

    feeds = [feed(FEED, tags=("quiet",)), feed(OTHER, tags=("loud",))]
    routes = [Route(targets=("log",), tags=frozenset({"loud"}))]
    with scripted(monkeypatch, Desk(tmp_path, feeds=feeds, routes=routes)) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", COMMON)])
        await desk.poll(FEED)
        await ingest_all(desk)
        desk.web.feed(OTHER, [Item("2", "Hun Sen à Hanoï", COMMON)])
        await desk.poll(OTHER)
        done = await ingest_all(desk)
        assert done.novelties == {NoveltyKind.DUPLICATE: 1}
        assert desk.rows("SELECT article_id, verdict FROM obligation") == [(2, "owed")]


BRIEF = (
    "Hun Sen a entamé lundi une visite de deux jours à Kratie, où il doit inaugurer une digue longue de trois "
    "kilomètres. Les travaux, menés par une entreprise de la province, ont duré quatorze mois et coûté neuf millions "
    "de dollars, selon le gouverneur, qui l'attendait à la descente de l'avion."
)
FIRE = (
    "Des tirs ont été échangés mardi à la frontière avant l'aube, sans faire de victime. L'armée parle d'un malentendu "
    "entre deux patrouilles et promet une enquête ; les villageois ont passé la matinée dans une école. "
)


@pytest.mark.parametrize(
    ("lead", "told"),
    [(FIRE + "Hun Sen part en visite à Bangkok dès ce soir.", True), (FIRE, False)],
    ids=["with news of its own", "with the brief's news only"],
)
async def test_a_report_that_quotes_a_brief(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lead: str, told: bool
) -> None:
    """A report that contains a brief whole is its duplicate, and yet told where the rule holds in words of its own."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed(FEED), feed(OTHER)])) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Kratie", BRIEF)])
        desk.web.feed(OTHER, [])
        await desk.pass_()
        desk.web.feed(OTHER, [Item("2", "Tirs à la frontière", f"{lead}\n\n{BRIEF}")])
        await desk.poll(OTHER)
        done = await ingest_all(desk)
        assert done.novelties == {NoveltyKind.DUPLICATE: 1}
        verdicts = desk.rows("SELECT verdict, suppression FROM obligation WHERE article_id = 2")
        assert verdicts == [("owed", "")] if told else [("suppressed", "copy")]


async def test_a_copy_of_a_text_that_was_corrected_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that an outlet has rewritten is still recognised when another one brings it."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed(FEED), feed(OTHER)])) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Kratie", BRIEF)])
        desk.web.feed(OTHER, [])
        await desk.pass_()
        desk.web.feed(FEED, [Item("1", "Hun Sen à Kratie", FIRE)])
        await desk.poll()
        desk.web.feed(OTHER, [Item("2", "En visite à Kratie", BRIEF)])
        await desk.poll(OTHER)
        done = await ingest_all(desk)
        assert done.novelties == {NoveltyKind.UPDATE: 1, NoveltyKind.DUPLICATE: 1}
        assert desk.rows("SELECT suppression FROM obligation WHERE article_id = 2") == [("copy",)]


async def test_an_article_that_became_a_copy_is_no_original_of_its_own_batch(desk: Desk) -> None:
    """The text after it is compared with what the store says by then."""
    draw = random.Random(3)
    market, bridge = (" ".join(draw.choices(WORDS, k=90)).capitalize() + "." for _ in range(2))
    desk.web.feed(FEED, [Item("w", "Le marché couvert", market)])
    await desk.poll()
    await ingest_all(desk)
    desk.web.feed(FEED, [Item("x", "Le pont rouge", bridge)])
    await desk.poll()
    await ingest_all(desk)
    more, other = (" ".join(draw.choices(WORDS, k=12)).capitalize() + "." for _ in range(2))
    both = [Item("y", "Le marché couvert", f"{market} {more}"), Item("z", "Le pont rouge", f"{bridge} {other}")]
    desk.web.feed(FEED, both)
    await desk.poll()
    with desk.store.write() as tx:  # the first of the two is the next text of the bridge's article
        tx.execute(sa.text("UPDATE entry SET article_id = 2 WHERE id = 3"))
    await ingest_all(desk)
    of = dict(desk.rows("SELECT id, of_id FROM article WHERE origin = 'feed'"))
    assert of == {1: None, 2: 1, 3: None}


@pytest.mark.parametrize(
    ("text", "revisions", "occasions"),
    [
        ("Le conseil a voté le budget. Le maire s'est réjoui du vote unanime.", 2, []),
        (f"Le conseil a voté le budget. {VISIT}", 2, ["development"]),
        ("LE CONSEIL  A VOTÉ LE BUDGET !", 1, []),
    ],
    ids=["other words", "matches now", "same words"],
)
async def test_updates(desk: Desk, text: str, revisions: int, occasions: list[str]) -> None:
    """Other words are a revision, told only for a match that is new; the same words in other dress are nothing."""
    desk.web.feed(FEED, [Item("1", "Un vote", "Le conseil a voté le budget.")])
    await desk.poll()
    await ingest_all(desk)
    desk.web.feed(FEED, [Item("1", "Un vote", text)])
    await desk.poll()
    await ingest_all(desk)
    assert desk.one("SELECT count(*) FROM revision") == revisions
    assert [row[0] for row in desk.rows("SELECT occasion FROM obligation")] == occasions
    assert states(desk) == {"done": 1}


async def test_backlog_is_judged_and_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A match in the backlog stands in the ledger with the reason why it was not sent."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed(alert_backlog=False)])) as desk:
        desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", COMMON)])
        done = await desk.pass_()
        assert done.matches == {"visit": 1}
        assert desk.told == []
        assert desk.rows("SELECT verdict, suppression FROM obligation") == [("suppressed", "backlog")]


async def test_backlog_does_not_silence_its_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that is added brings as backlog what a feed of long standing brings as news a minute later."""
    feeds = [feed(FEED, alert_backlog=False), feed(OTHER, alert_backlog=False)]
    with scripted(monkeypatch, Desk(tmp_path, feeds=feeds)) as desk:
        desk.web.feed(FEED, [Item("0", "Le marché aux fleurs", "Il ouvre à l'aube.")])
        await desk.poll(FEED)
        desk.web.feed(OTHER, [Item("1", "Hun Sen à Hanoï", COMMON)])
        await desk.poll(OTHER)
        await ingest_all(desk)
        desk.web.feed(FEED, [Item("2", "Hun Sen à Hanoï", COMMON)])
        await desk.poll(FEED)
        done = await ingest_all(desk)
        assert done.novelties == {NoveltyKind.DUPLICATE: 1}
        told = desk.rows("SELECT article_id, verdict, suppression FROM obligation")
        assert [row[1:] for row in sorted(told)] == [("suppressed", "backlog"), ("owed", "")]


async def test_two_rules_and_two_mailboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rules of one article are one message to each recipient, most severe first."""
    rules = """
[[rule]]
id = "visit"
name = "Une visite"
severity = "low"
when = "=pourparlers"
[[rule]]
id = "person"
name = "Une personne"
severity = "critical"
when = "=Hun"
"""
    targets = [email_target("desk", "a@example.org", "b@example.org")]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, rules=rules)) as desk:
        desk.web.feed(FEED, [Item("1", "Un titre", COMMON)])
        await desk.pass_()
        assert sorted(desk.told) == ["mailto:a@example.org", "mailto:b@example.org"]
        for _, claimed in desk.attempts:
            content = claimed.message.content.decode()
            assert content.index("Une personne") < content.index("Une visite")
        assert desk.one("SELECT count(*) FROM obligation") == 4


ODD = {
    "nothing at all": ParsedEntry(guid="1"),
    "title only": ParsedEntry(guid="1", title="Un titre seul"),
    "a title of 1,000 characters": ParsedEntry(guid="1", title="Hun Sen " * 125),
    "256 KB": ParsedEntry(guid="1", title="Long", content="<p>" + "Le budget de la commune. " * 10_400 + "</p>"),
    "256 KB without a space": ParsedEntry(guid="1", title="Long", content="a" * 262_144),
    "256 KB of stops": ParsedEntry(guid="1", title="Long", content="!?" * 131_072),
    "256 KB of openings": ParsedEntry(guid="1", title="Long", content="<div>" * 52_000),
    "published 1900": ParsedEntry(guid="1", title="Vieux", published=datetime(1900, 1, 1, tzinfo=UTC)),
    "published year 1": ParsedEntry(guid="1", title="Très vieux", published=datetime(1, 1, 1, tzinfo=UTC)),
    "published 9999": ParsedEntry(guid="1", title="Futur", published=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    "a link that is none": ParsedEntry(guid="1", title="Lien", link="https://[::1"),
    "only signs": ParsedEntry(guid="1", title="!!! ??? …", summary="— « »"),
    "other scripts": ParsedEntry(guid="1", title="ហ៊ុន សែន ដំណើរទស្សនកិច្ច", summary="ข่าว 新闻 новости"),
    "bad language": ParsedEntry(guid="1", title="Hun Sen en visite", language="x-" + "y" * 500),
}


@pytest.mark.parametrize("parsed", list(ODD.values()), ids=list(ODD))
async def test_odd_entries(desk: Desk, monkeypatch: pytest.MonkeyPatch, parsed: ParsedEntry) -> None:
    """Each that has words becomes an article and, since everything matches here, a message; in bounded time."""
    desk.reload(targets=[log_target(), email_target("desk", "a@example.org")])
    everything = Match(rule_id="all", rule_name="Tout", rule_hash="0", severity=Severity.INFO, spans=())
    monkeypatch.setattr(ingest_job, "match", lambda *_, **__: (everything,))
    real = ingest_job.entries.read
    monkeypatch.setattr(
        ingest_job.entries, "read", lambda tx, ids: tuple(_with(entry, parsed) for entry in real(tx, ids))
    )
    monkeypatch.setattr(ingest_job.entries, "held", lambda _, batch: frozenset(entry.id for entry in batch))
    desk.web.feed(FEED, [Item("1", "Titre", "Texte")])
    began = time.process_time()
    done = await desk.pass_()
    assert time.process_time() - began < 20
    assert states(desk) == {"done": 1}
    if not any(char.isalnum() for char in parsed.title + parsed.summary + parsed.content):
        assert (done.articles, desk.told) == ({}, []), "what says nothing makes no article"
        return
    assert done.articles == {"new": 1}
    assert sorted(desk.told) == ["log:log", "mailto:a@example.org"]
    published, first_seen = (
        datetime.fromisoformat(t) for t in desk.rows("SELECT published, first_seen FROM article")[0]
    )
    assert published <= first_seen == START.replace(tzinfo=None)


def _with(entry, parsed):
    from dataclasses import replace

    return replace(entry, parsed=parsed)


async def test_a_reload_does_not_reach_a_job_under_way(desk: Desk) -> None:
    """An entry is matched by the rules that were in force when its batch began."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", COMMON)])
    await desk.poll()

    def reload(*_: object) -> None:
        desk.reload(rules="")

    desk.children.instead = reload
    done = await ingest_all(desk)
    assert done.matches == {"visit": 1}


def test_read_says_what_is_wrong_with_one() -> None:
    """In the child too, one entry's mistake is its own."""
    good = _unread(ParsedEntry(guid="1", title="Un titre", summary="Un texte."))
    bad = _unread(ParsedEntry(guid="2", title="Un titre", link=5))  # type: ignore[arg-type]
    article, error = read([good, bad])
    assert article.title == "Un titre"
    assert isinstance(error, str)
    assert error


def _unread(parsed: ParsedEntry):
    from worker.model import StoredEntry
    from worker.pipeline.reading import Unread

    entry = StoredEntry(id=1, feed=FEED, parsed=parsed, first_seen=START, backlog=False)
    return Unread(entry=entry, source="Le Fil", language="fr")


async def test_the_page_wins_then_the_longer_text(desk: Desk) -> None:
    """Of content and summary the longer one is read."""
    parsed = ParsedEntry(guid="1", title="T", summary="Bref.", content="<p>Un contenu bien plus long que bref.</p>")
    (article,) = read([_unread(parsed)])
    assert article.body == "Un contenu bien plus long que bref."


async def test_an_entry_that_changes_while_it_is_read_is_read_again(desk: Desk) -> None:
    """The text that is stored is the one that was published last."""
    desk.web.feed(FEED, [Item("1", "Un vote", "Le conseil a voté le budget.")])
    await desk.poll()
    changed = Item("1", "Un vote", "Le conseil a rejeté le budget et se réunira de nouveau lundi.")
    ids = take(desk)

    async def slow(function, *args, seconds):
        desk.context.children = desk.children
        desk.web.feed(FEED, [changed])
        await desk.poll()
        return function(*args)

    class Slow:
        run = staticmethod(slow)

    desk.context.children = Slow()  # type: ignore[assignment]
    await ingest(desk.context, ids)
    desk.now += LEASE + timedelta(seconds=1)
    await ingest_all(desk)
    newest = desk.rows("SELECT body FROM revision ORDER BY id DESC LIMIT 1")
    assert newest == [("Le conseil a rejeté le budget et se réunira de nouveau lundi.",)]
    assert states(desk) == {"done": 1}
