"""Stories in the store: told, merged, listed and forgotten, on both databases."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from stored import NEW, NOW, add

from worker.analysis import stories as story
from worker.analysis.text import analyse
from worker.model import Article, Novelty, NoveltyKind
from worker.pipeline.stories import Weighed, Weighing, place
from worker.store import Store, articles, open_store, stories, upkeep
from worker.store.stories import CorrectionKind, StoryCorrection

BRIDGE = (
    "Le pont de Neak Loeung, long de 2.215 mètres, a rouvert mercredi après les travaux de la société Chip Mong. Le "
    "gouverneur de Prey Veng, Chea Somethy, a salué le chantier devant les habitants venus nombreux sur la rive."
)
AGAIN = (
    "Le pont de Neak Loeung, ouvrage de 2.215 mètres, a rouvert mercredi à la circulation après les travaux de la "
    "société Chip Mong, à Prey Veng. Le gouverneur Chea Somethy a salué le chantier devant les habitants de la rive."
)
RICE = "Les rizières du delta ont donné une récolte moyenne, disent les coopératives de Soc Trang et de Bac Liêu."


def weigh(store: Store, title: str, body: str) -> Weighed:
    """An article's terms, as those of one that comes alone."""
    return weigh_all(store, title, body).weigh(0)


def weigh_all(store: Store, title: str, body: str) -> Weighing:
    article = Article(title=title, body=body, language="fr", published=NOW, first_seen=NOW, url="", link="", source="A")
    with store.read() as tx:
        return Weighing(tx, [(article, analyse(title, body, "fr"))])


def tell(
    store: Store,
    title: str,
    body: str,
    *,
    of: int | None = None,
    article_id: int | None = None,
    published: datetime = NOW,
) -> int:
    """Store an article and its place among the stories, as ingest does; returns its id."""
    copy = Novelty(kind=NoveltyKind.DUPLICATE, of=of, why="the same words")
    number = article_id or add(store, title, body=body, novelty=copy if of else NEW)
    weighing = weigh_all(store, title, body)
    weighed = weighing.weigh(0)
    with store.read() as tx:
        stored = articles.get(tx, number)
    assert stored is not None
    moved, is_known = replace(stored.article, published=published), article_id is not None
    with store.ingest() as tx:
        placed = place(tx, number, moved, weighed, of=of, is_new=not is_known, now=NOW)
        if placed.opens:
            weighing.count(0)
        weighing.store(tx)
    return number


def of(store: Store, article_id: int) -> int | None:
    with store.read() as tx:
        return stories.story_of(tx, article_id)


def test_two_accounts_are_one_story_and_a_copy_is_in_it(store: Store) -> None:
    """With its articles by time, each with its reason; what is about something else is not."""
    one, two, other = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", RICE)
    copy = tell(store, "Quatre", BRIDGE, of=one)
    assert of(store, one) == of(store, two) == of(store, copy) != of(store, other)
    with store.read() as tx:
        (several,) = stories.newest(tx, limit=10, several=True)
        assert (several.title, several.articles, several.outlets) == ("Un", 3, ("A",))
        lines = stories.lines(tx, several.id)
        assert [line.article_id for line in lines] == [one, two, copy]
        assert "neak loeung" in lines[1].why
        assert lines[2].why == f"It is a copy of article {one}."
        assert len(stories.newest(tx, limit=10)) == 2
        assert stories.counts(tx) == {"stories": 2, "several": 1, "merged": 0, "perhaps": 0}


@pytest.mark.parametrize("when", [datetime.min, datetime.max], ids=["the first", "the last"])
def test_the_ends_of_the_calendar_are_dates(store: Store, monkeypatch: pytest.MonkeyPatch, when: datetime) -> None:
    """A feed may say so of its articles: two of that day are one story, none of today's is in it."""
    monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1)
    moment = when.replace(microsecond=0, tzinfo=UTC)
    one, two = (tell(store, title, text, published=moment) for title, text in (("Un", BRIDGE), ("Deux", AGAIN)))
    now = tell(store, "Trois", BRIDGE)
    assert of(store, one) == of(store, two) != of(store, now)


def test_a_copy_of_what_tells_no_story(store: Store) -> None:
    """An article of the archive may have none."""
    original = add(store, "Un", body=BRIDGE)
    copy = tell(store, "Deux", BRIDGE, of=original)
    assert of(store, copy) is None


def test_an_article_alone_moves_to_the_story_that_its_new_text_tells(store: Store) -> None:
    """A summary said too little; the page that came later says it. Its own story is merged into that one."""
    one = tell(store, "Un", BRIDGE)
    two = tell(store, "Deux", RICE)
    before = of(store, two)
    tell(store, "Deux", AGAIN, article_id=two)
    assert of(store, two) == of(store, one)
    with store.read() as tx:
        gone = stories.get(tx, before or 0)
        assert gone is not None
        assert (gone.merged_into, gone.articles) == (of(store, one), 0)
        assert stories.counts(tx)["merged"] == 1


def test_an_article_in_company_stays(store: Store) -> None:
    """Whatever its new text says: the others were compared with what it said."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN)
    tell(store, "Deux", RICE, article_id=two)
    assert of(store, two) == of(store, one)
    assert of(store, tell(store, "Trois", RICE + " Les prix montent.")) == of(store, one)


def test_terms_are_counted(store: Store) -> None:
    """Each once a story, and the stories themselves: another account makes an event's words no commoner."""
    tell(store, "Un", BRIDGE)
    tell(store, "Deux", AGAIN)
    tell(store, "Trois", RICE)
    pont, riziere = (story.hashed(word, is_shared=False) for word in ("pont", "rizier"))
    with store.read() as tx:
        assert stories.frequency(tx, [pont, riziere, 6]) == ({pont: 1, riziere: 1}, 2)


@pytest.mark.parametrize(("days", "is_one"), [(6, True), (8, False)], ids=["near", "far"])
def test_articles_of_a_week_are_compared(store: Store, days: int, is_one: bool) -> None:
    """One of an older day tells a story of its own."""
    one, two = tell(store, "Un", BRIDGE, published=NOW - timedelta(days=days)), tell(store, "Deux", AGAIN)
    assert (of(store, two) == of(store, one)) is is_one


def test_a_story_without_articles_is_forgotten(store: Store) -> None:
    """After retention took them; one that another was merged into stays as long as that one."""
    tell(store, "Un", RICE)
    later = NOW + timedelta(days=400)
    with store.write() as tx:
        assert upkeep.forget_articles(tx, before=later, ledger_before=later) == 1
        assert stories.forget_empty(tx) == 1
        assert stories.counts(tx) == {"stories": 0, "several": 0, "merged": 0, "perhaps": 0}


# --- what perhaps is the same --------------------------------------------------------------------------------------

THIRD = (
    "Rouvert mercredi, le pont de Neak Loeung a 2.215 mètres. Les travaux de la société Chip Mong à Prey Veng sont "
    "terminés, et le gouverneur Chea Somethy a salué le chantier avec les habitants de la rive."
)


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is like enough to join."""
    monkeypatch.setattr("worker.analysis.stories.decision.STRONG", 1000)


def test_a_weak_likeness_points_to_the_root(store: Store, weak: None) -> None:
    """Each account has a story of its own; all point to the oldest, whose title and outlet people are shown."""
    one, two, three = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", THIRD)
    assert len({of(store, article) for article in (one, two, three)}) == 3
    with store.read() as tx:
        for article in (two, three):
            found = stories.get(tx, of(store, article) or 0)
            assert found is not None
            assert found.perhaps is not None
            assert (found.perhaps.story_id, found.perhaps.title, found.perhaps.source) == (of(store, one), "Un", "A")
            assert found.perhaps.score >= 1
            assert "neak loeung" in found.perhaps.why
        assert [title for _, title in stories.pointing(tx, of(store, one) or 0)] == ["Deux", "Trois"]
        assert stories.counts(tx)["perhaps"] == 2


def test_a_group_is_found_whole(store: Store, weak: None) -> None:
    """An article that shares terms with one story of a group is compared with all, also with one of an older day."""
    first = tell(store, "Un", BRIDGE, published=NOW - timedelta(days=9))
    second = tell(store, "Deux", AGAIN, published=NOW - timedelta(days=4))
    vector = weigh(store, "Trois", THIRD).vector
    with store.ingest() as tx:
        found = stories.candidates(tx, vector, NOW)
    assert {(one.story_id, one.root) for one in found} == {(of(store, n), of(store, first)) for n in (first, second)}


# --- what is in memory ---------------------------------------------------------------------------------------------


@pytest.fixture
def both(store_url: str) -> Iterator[tuple[Store, Store]]:
    """A store, as each of two processes has it."""
    opened = open_store(store_url, create=True), open_store(store_url, create=False)
    yield opened
    for one in opened:
        one.close()


def test_what_another_process_stored_is_compared(both: tuple[Store, Store]) -> None:
    """New articles, stories that are merged by hand, and what retention takes."""
    store, other = both
    rice, one = tell(store, "Un", RICE), tell(other, "Deux", BRIDGE)
    two = tell(store, "Trois", AGAIN)
    assert of(store, two) == of(store, one) != of(store, rice)
    with other.ingest() as tx:
        stories.merge(tx, of(store, one) or 0, of(store, rice) or 0)
        stories.note(tx, StoryCorrection(kind=CorrectionKind.MERGE, from_id=2, to_id=1, author="Mai", created=NOW))
    assert of(store, tell(store, "Quatre", THIRD)) == of(store, rice)
    with other.write() as tx:
        later = NOW + timedelta(days=400)
        assert upkeep.forget_articles(tx, before=later, ledger_before=later) == 4
        stories.forget_empty(tx)
    assert of(store, tell(store, "Cinq", AGAIN)) is not None


def test_what_is_rolled_back_is_not_compared(store: Store) -> None:
    """The memory is the store's, as it was before."""
    first = tell(store, "Un", RICE)
    weighed, number = weigh(store, "Deux", BRIDGE), add(store, "Deux", body=BRIDGE)
    with store.read() as tx:
        stored = articles.get(tx, number)
    assert stored is not None
    with suppress(LookupError), store.ingest() as tx:
        assert place(tx, number, stored.article, weighed, of=None, now=NOW).opens
        raise LookupError
    assert of(store, tell(store, "Trois", AGAIN)) not in (None, of(store, first))
    assert of(store, number) is None


def told_of(store: Store, article_id: int) -> story.StoryMember:
    with store.read() as tx:
        stored = articles.get(tx, article_id)
    assert stored is not None
    vector = weigh(store, stored.article.title, stored.article.body).vector
    return story.StoryMember(article_id=article_id, published=NOW, language="fr", vector=vector)


def test_a_new_text_points_elsewhere(store: Store, weak: None) -> None:
    """Of a story of one article, to which none points."""
    one, rice, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE), tell(store, "Trois", AGAIN)
    assert root(store, two) == of(store, one)
    tell(store, "Trois", RICE + " Les prix montent.", article_id=two)
    assert root(store, two) == of(store, rice)
    tell(store, "Trois", "Un concert de jazz à l'opéra de Vientiane.", article_id=two)
    assert root(store, two) == of(store, two)
    tell(store, "Un", "Un concert de jazz à l'opéra de Vientiane, samedi.", article_id=one)
    assert root(store, one) == of(store, two)


def root(store: Store, article_id: int) -> int:
    with store.read() as tx:
        return stories.root(tx, stories.story_of(tx, article_id) or 0)


def test_pointers_follow_a_root_that_is_merged(store: Store, weak: None) -> None:
    """The group goes on under the story that the root turned out to be."""
    rice, one, two, three = (
        tell(store, title, text)
        for title, text in (("Un", RICE), ("Deux", BRIDGE), ("Trois", AGAIN), ("Quatre", THIRD))
    )
    gone, into = of(store, one) or 0, of(store, rice) or 0
    with store.write() as tx:
        stories.merge(tx, gone, into)
    assert [root(store, article) for article in (rice, one, two, three)] == [into] * 4
    with store.read() as tx:
        assert stories.group(tx, into) == (into, of(store, two), of(store, three))


def test_a_root_is_merged_into_what_points_to_it(store: Store, weak: None) -> None:
    """It points nowhere from then on, and the others to it."""
    one, two, three = tell(store, "Un", BRIDGE), tell(store, "Deux", AGAIN), tell(store, "Trois", THIRD)
    gone, into = of(store, one) or 0, of(store, two) or 0
    with store.write() as tx:
        stories.merge(tx, gone, into)
    assert [root(store, article) for article in (one, two, three)] == [into] * 3
    with store.read() as tx:
        assert stories.group(tx, into) == (into, of(store, three))


def test_an_empty_story_stays_as_long_as_it_is_needed(store: Store) -> None:
    """As one that was merged: messages of its thread, and what people said of it, lead to the other."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    gone, into = of(store, two) or 0, of(store, one) or 0
    with store.write() as tx:
        stories.merge(tx, gone, into)
        assert stories.forget_empty(tx) == 0
        assert stories.live(tx, gone) == into


def test_an_article_that_turns_out_to_be_a_copy_leaves_its_story(store: Store) -> None:
    """Its story, of which nothing is left, is the original's from then on; nothing is found by its words any more."""
    one, two = tell(store, "Un", BRIDGE), tell(store, "Deux", RICE)
    gone = of(store, two)
    tell(store, "Deux", BRIDGE, article_id=two, of=one)
    assert of(store, two) == of(store, one)
    with store.read() as tx:
        assert stories.live(tx, gone or 0) == of(store, one)
    assert of(store, tell(store, "Trois", RICE)) not in (of(store, one), gone)
