"""The kept documents once more: nothing differs, or what does is named."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from desk import FEED, START, VISIT, Desk, feed, log_target, new_store, scripted
from rig import Item

from worker.evaluate.replay import Kind, Rerun, What, rerun
from worker.pipeline.context import ActiveConfig
from worker.rules import compile_rules
from worker.store import upkeep
from worker.store.quarantine import forget_documents

OTHER, PAGED = "https://b.example/feed", "https://c.example/feed"
SECOND = (
    "À Hanoï, la visite du Premier ministre Hun Sen, trois jours de pourparlers, s'achève jeudi par une déclaration "
    "sur le corridor ferroviaire."
)
SUMMARY = "Le programme d'une rencontre régionale est connu depuis ce matin à Hué."
PAGE = f"{SUMMARY} Les ministres ouvriront les travaux. Hun Sen y sera en visite, dit son porte-parole."
RICE = "Les ministres du Commerce ont parlé du prix du riz pendant deux jours, dans une salle de la mairie de Huê."
HOUR = timedelta(hours=1)


@contextmanager
def opened(folder: Path, store: bytes = b"") -> Iterator[Desk]:
    feeds = [feed(), feed(OTHER, name="L'Autre"), feed(PAGED, name="La Page", full_text=True)]
    with pytest.MonkeyPatch.context() as patch, Desk(folder, feeds=feeds, targets=[log_target()], filled=store) as made:
        yield scripted(patch, made)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk after `fill`, closed."""
    with opened(tmp_path_factory.mktemp("morning")) as made:
        asyncio.run(fill(made))
    return made


@pytest.fixture
def filled(tmp_path: Path, morning: Desk) -> Iterator[Desk]:
    """The same, with a store of its own."""
    with opened(tmp_path, (morning.folder / "veille.db").read_bytes()) as made:
        made.now = morning.now
        made.web.pages |= morning.web.pages
        yield made


async def fill(desk: Desk) -> None:
    """A morning: a visit, its copy and another account; a page; what nobody asked for, and its later text."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Le riz", RICE)])
    desk.web.feed(OTHER, [])
    link = "https://c.example/page"
    desk.web.feed(PAGED, [Item("7", "Une rencontre", SUMMARY, link)])
    desk.web.answer(link, f"<article><h1>Une rencontre</h1><p>{PAGE}</p></article>".encode())
    await desk.pass_()
    desk.later(hours=1)
    desk.web.feed(OTHER, [Item("9", "Hun Sen attendu", VISIT)])
    await desk.pass_()
    desk.later(hours=4)
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT), Item("2", "Le riz", f"{RICE} Il monte.")])
    desk.web.feed(OTHER, [Item("9", "Hun Sen attendu", VISIT), Item("10", "Hun Sen s'en va de Hanoï", SECOND)])
    await desk.pass_()


@contextmanager
def watch(_steps: int) -> Iterator:
    yield lambda _: None


async def again(desk: Desk, since: datetime = START - HOUR, live: ActiveConfig | None = None) -> Rerun:
    (desk.folder / "again").mkdir()
    store = new_store(desk.folder / "again")
    try:
        return await rerun(desk.store, replace(desk.context, store=store, live=live or desk.context.live), since, watch)
    finally:
        store.close()


def changes(done: Rerun) -> list[tuple[Kind, What, int | None, str]]:
    return [(one.kind, one.what, one.article, one.rule) for one in done.differences.changes]


def counts(done: Rerun, what: What) -> tuple[int, ...]:
    return tuple(done.differences.counts[what][key] for key in ("then", "now", "same"))


def number(desk: Desk, title: str) -> int:
    return desk.one(f"SELECT id FROM article WHERE title = '{title}'")


async def test_the_same_rules_make_the_same(filled: Desk) -> None:
    """Articles, copies, stories and matches; the store is only read."""
    before = {table: filled.rows(f"SELECT * FROM {table}") for table in ("article", "entry", "feed", "document", "raw")}
    done = await again(filled)
    assert changes(done) == []
    assert (done.start, done.documents, done.bytes_gone, done.feeds_gone) == (START, 6, 0, 0)
    assert counts(done, What.ARTICLE) == (5, 5, 5)
    assert counts(done, What.COPY) == (1, 1, 1)
    stories = filled.one("SELECT count(DISTINCT story_id) FROM story_article")
    assert counts(done, What.STORY) == (stories, stories, stories)
    assert stories < 5
    assert counts(done, What.MATCH) == (4, 4, 4)
    assert {table: filled.rows(f"SELECT * FROM {table}") for table in before} == before


async def test_other_rules_match_more_and_less(filled: Desk) -> None:
    """Rule by rule; what is no match stays as it is."""
    rules = b'[[rule]]\nid = "rice"\nwhen = "riz"\n[[rule]]\nid = "visit"\nwhen = "corridor"\n'
    done = await again(filled, live=replace(filled.context.live, ruleset=compile_rules({"r.toml": rules})))
    found = {rule: dict(counts) for rule, counts in done.differences.rules.items()}
    assert {key: found["rice"][key] for key in ("then", "now", "more")} == {"then": 0, "now": 1, "more": 1}
    assert not any(isinstance(count, bool) for counts in found.values() for count in counts.values())
    assert {key: found["visit"][key] for key in ("then", "now", "less", "other")} == {
        "then": 4, "now": 1, "less": 3, "other": 1,
    }  # fmt: skip
    assert {one.what for one in done.differences.changes} == {What.MATCH}
    assert (Kind.MORE, What.MATCH, number(filled, "Le riz"), "rice") in changes(done)


@pytest.mark.parametrize(
    ("statement", "title", "kind", "what", "words"),
    [
        pytest.param(
            "UPDATE article SET language = 'en' WHERE id = {}",
            "Le riz", Kind.OTHER, What.ARTICLE, "another language", id="another language",
        ),
        pytest.param(
            "UPDATE revision SET body = 'x' WHERE article_id = {}",
            "Le riz", Kind.OTHER, What.ARTICLE, "another body", id="another text",
        ),
        pytest.param(
            "UPDATE article SET of_id = NULL WHERE id = {}",
            "Hun Sen attendu", Kind.MORE, What.COPY, "a copy of ", id="no copy",
        ),
        pytest.param(
            "UPDATE article SET of_id = (SELECT max(id) FROM article) WHERE id = {}",
            "Hun Sen attendu", Kind.OTHER, What.COPY, "a copy of ",
            id="a copy of another",
        ),
        pytest.param(
            "UPDATE match SET spans = '[]' WHERE article_id = {}", "Une rencontre", Kind.OTHER, What.MATCH, "[[",
            id="other words",
        ),
        pytest.param(
            "INSERT INTO match (article_id, revision_id, rule_id, rule_name, rule_hash, severity, spans, created) "
            "SELECT {0}, min(id), 'gone', 'gone', '', 'low', '[]', created FROM revision "
            "WHERE article_id = {0}",
            "Le riz", Kind.LESS, What.MATCH, "", id="a match of a rule that is gone",
        ),
    ],
)  # fmt: skip
async def test_what_differs_is_named(
    filled: Desk, statement: str, title: str, kind: Kind, what: What, words: str
) -> None:
    """One thing of one article, and no other."""
    article = number(filled, title)
    with filled.store.write() as tx:
        tx.exec_driver_sql(statement.format(article))
    (found,) = (await again(filled)).differences.changes
    assert (found.kind, found.what, found.article, found.title) == (kind, what, article, title)
    assert words in found.now


async def test_stories_are_compared_as_sets_of_articles(filled: Desk) -> None:
    """Two that are one in the store: one less, and two more."""
    rice, paged = number(filled, "Le riz"), number(filled, "Une rencontre")
    with filled.store.write() as tx:
        tx.exec_driver_sql(
            "UPDATE story_article SET story_id = (SELECT story_id FROM story_article WHERE article_id = ?) "
            "WHERE article_id = ?",
            (rice, paged),
        )
    found = [(one.kind, one.what, one.then or one.now) for one in (await again(filled)).differences.changes]
    assert found == [
        (Kind.LESS, What.STORY, f"{min(rice, paged)}, {max(rice, paged)}"),
        (Kind.MORE, What.STORY, f"{min(rice, paged)}"),
        (Kind.MORE, What.STORY, f"{max(rice, paged)}"),
    ]


async def test_an_article_that_only_one_has(filled: Desk) -> None:
    """An entry that was put aside makes one now; one whose entry no document holds made one then."""
    paged, rice = number(filled, "Une rencontre"), number(filled, "Le riz")
    with filled.store.write() as tx:
        tx.exec_driver_sql(f"UPDATE entry SET state = 'quarantined', article_id = NULL WHERE article_id = {paged}")
        tx.exec_driver_sql(
            f"UPDATE seen SET key = 'other' || key WHERE entry_id IN (SELECT id FROM entry WHERE article_id = {rice})"
        )
    found = [(kind, article) for kind, what, article, _ in changes(await again(filled)) if what is What.ARTICLE]
    assert sorted(found, key=str) == sorted(
        [(Kind.LESS, paged), (Kind.MORE, None), (Kind.LESS, rice), (Kind.MORE, None)], key=str
    )


async def test_what_is_not_made_yet_is_not_compared(desk: Desk) -> None:
    """Its entry waits in the store."""
    desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
    await desk.pass_()
    with desk.store.write() as tx:
        tx.exec_driver_sql("UPDATE entry SET state = 'ready', article_id = NULL")
        tx.exec_driver_sql("UPDATE article SET origin = 'import'")
    assert changes(await again(desk)) == []


async def test_from_the_middle(filled: Desk) -> None:
    """Earlier articles are read again, so that later ones find them, and are not compared."""
    done = await again(filled, START + 2 * HOUR)
    assert changes(done) == []
    assert (done.start, done.documents) == (START + 2 * HOUR, 6)
    assert counts(done, What.ARTICLE) == (1, 1, 1)


async def test_documents_that_are_not_kept_any_more(filled: Desk) -> None:
    """Articles before the documents that are kept are not compared, and of a copy of one that is said."""
    filled.later(hours=5)
    filled.web.feed(OTHER, [Item("11", "Hun Sen, encore", VISIT)])
    await filled.pass_()
    with filled.store.write() as tx:
        forget_documents(tx, before=START + 6 * HOUR)
        upkeep.forget_raw(tx, before=START + 6 * HOUR)
    done = await again(filled)
    assert changes(done) == []
    assert (done.start, done.documents, done.differences.copies_of_others) == (START + 10 * HOUR, 1, 1)
    assert counts(done, What.ARTICLE) == (1, 1, 1)


async def test_nothing_is_kept(desk: Desk) -> None:
    """A store that polled nothing yet."""
    done = await again(desk)
    assert (done.start, done.documents, changes(done)) == (None, 0, [])


async def test_a_feed_that_is_not_configured_any_more(filled: Desk) -> None:
    """Its documents are read all the same, without what the configuration said of it."""
    live = filled.context.live
    feeds = tuple(one for one in live.config.feeds if one.id != OTHER)
    done = await again(filled, live=replace(live, config=replace(live.config, feeds=feeds)))
    assert done.feeds_gone == 1
    assert changes(done) == []
