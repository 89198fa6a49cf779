"""Lines that a feed or a host repeats under different titles, as the store learns them, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import permutations

import pytest
import sqlalchemy as sa
from stored import NEW, NOW, article, publish, sighting

from worker.analysis.copies import Fingerprint, fingerprint, lines
from worker.analysis.text import analyse
from worker.model import Novelty, NoveltyKind, Origin
from worker.store import Store, articles, repeated, upkeep

FOOTER = "Le Fil du delta paraît chaque matin sur papier et à l'écran."
ONE = f"Le bac de Can Tho reprend la traversée après trois jours de vent. {FOOTER}"
TWO = f"Un éleveur de Ben Tre a vendu son dernier buffle au marché de mai. {FOOTER}"


def made(title: str, body: str) -> Fingerprint:
    return fingerprint(analyse(title, body, "fr"))


def footer() -> int:
    return lines(analyse("", FOOTER, "fr"))[0].key


def put(
    store: Store, title: str, body: str, *, url: str = "", novelty: Novelty = NEW, first_seen: datetime = NOW
) -> int:
    """Store an article of the feed `A`."""
    with store.ingest() as tx:
        one = replace(article(title, body, url=url), first_seen=first_seen)
        return articles.add(tx, one, made(title, body), novelty, origin=Origin.FEED, now=NOW)[0]


def standing(store: Store, *sources: str, line: int | None = None) -> dict[int, str]:
    with store.read() as tx:
        return repeated.standing(tx, sources, [footer() if line is None else line])


def test_a_line_is_learnt_from_its_first_repetition_on(store: Store) -> None:
    """Under another title; what stood in both articles only."""
    put(store, "Le bac", ONE)
    assert standing(store, "A") == {}
    put(store, "Le buffle", TWO)
    assert standing(store, "A") == {footer(): "A"}
    with store.read() as tx:
        assert set(repeated.standing(tx, ["A"], made("Le buffle", TWO).all_lines)) == {footer()}


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_it_does_not_matter_in_which_order_articles_come(store: Store, order: tuple[int, ...]) -> None:
    """The line of two of three is standing text, and no other."""
    bodies = [("Le bac", ONE), ("Le buffle", TWO), ("La crue", "La crue a emporté la digue de Vinh Long dans la nuit.")]
    for at in order:
        put(store, *bodies[at])
    with store.read() as tx:
        found = repeated.standing(tx, ["A"], [line for title, body in bodies for line in made(title, body).all_lines])
    assert set(found) == {footer()}


@pytest.mark.parametrize(
    ("title", "url", "novelty"),
    [
        pytest.param("Le bac", "https://two.example/2", NEW, id="the same title"),
        pytest.param(
            "Le buffle",
            "https://two.example/2",
            Novelty(kind=NoveltyKind.DUPLICATE, of=1, score=1.0, why="The same text."),
            id="a copy",
        ),
    ],
)
def test_what_does_not_make_standing_text(store: Store, title: str, url: str, novelty: Novelty) -> None:
    """The same title again, and a copy, which repeats its original."""
    put(store, "Le bac", ONE, url="https://one.example/1")
    put(store, title, TWO, url=url, novelty=novelty)
    assert standing(store, "A", "one.example", "two.example") == {}


def test_lines_are_learnt_by_feed_and_by_host(store: Store) -> None:
    """One host under two feeds, with and without `www`; another host has not learnt it."""
    with store.ingest() as tx:
        for feed, title, body, url in [
            ("A", "Le bac", ONE, "https://www.delta.example/1"),
            ("B", "Le buffle", TWO, "https://delta.example/2"),
        ]:
            articles.learn(tx, 1 + (feed == "B"), repeated.sources_of(feed, url), made(title, body))
    assert standing(store, "delta.example") == {footer(): "delta.example"}
    assert standing(store, "A", "B", "elsewhere.example") == {}


def test_a_text_that_changes_teaches_nothing_of_itself(store: Store) -> None:
    """An article that gets another title has its own lines again; another article makes them standing text."""
    (entry_id,) = publish(store, sighting("a"))
    first = put(store, "Le bac", ONE)
    with store.ingest() as tx:
        other = article("Le bac de Can Tho repart", ONE)
        articles.revise(tx, first, other, made(other.title, ONE), entry_id=entry_id, of_id=None, now=NOW)
    assert standing(store, "A") == {}
    put(store, "Le buffle", TWO)
    assert standing(store, "A") == {footer(): "A"}


def test_a_title_over_different_texts_names_a_rubric(store: Store) -> None:
    """It is learnt as lines are."""
    title = made("Flash info", ONE).title_line
    put(store, "Flash info", ONE)
    assert standing(store, "A", line=title) == {}
    put(store, "Flash info", TWO)
    assert standing(store, "A", line=title) == {title: "A"}


def test_a_line_around_the_title_is_known_without_it(store: Store) -> None:
    """Publishing systems write the article's title into a line of their own."""
    for title in ("Le bac de Can Tho", "Un buffle de Ben Tre"):
        put(store, title, f"Voici du neuf sur {title[-6:]} aujourd'hui. L'article {title} est apparu dans Le Fil.")
    with store.read() as tx:
        document = analyse("La crue de mai", "L'article La crue de mai est apparu dans Le Fil.", "fr")
        assert len(repeated.standing(tx, ["A"], fingerprint(document).all_lines)) == 1


def _many(count: int) -> Iterator[tuple[str, str]]:
    for n in range(count):
        yield f"Titre numéro {n}", f"La phrase du jour {n} ne revient jamais. {FOOTER}"


def test_a_source_keeps_so_many_lines(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that it repeats stay; of the others, the newest."""
    monkeypatch.setattr(repeated, "MAX_LINES", 40)
    for title, body in _many(128):
        put(store, title, body)
    with store.read() as tx:
        assert tx.execute(sa.text("SELECT count(*) FROM line")).scalar_one() == 40
        assert footer() in repeated.standing(tx, ["A"], [footer()])
        newest = made(*list(_many(128))[-1]).all_lines
        kept = set(tx.execute(sa.text("SELECT line FROM line")).scalars())
    assert newest <= kept


def test_what_was_learnt_outlasts_its_articles(store: Store) -> None:
    """Lines that were never repeated go with the last article that had them."""
    for title, body in [("Le bac", ONE), ("Le buffle", TWO)]:
        put(store, title, body)
    later = NOW.replace(year=2028)
    put(store, "La crue", "La crue a emporté la digue de Vinh Long dans la nuit.", first_seen=later)
    with store.write() as tx:
        assert upkeep.forget_articles(tx, before=NOW.replace(year=2027), ledger_before=None) == 2
        assert repeated.forget(tx) == 4, "two sentences and two titles"
    assert standing(store, "A") == {footer(): "A"}


def test_nothing_is_asked_of_nothing(store: Store) -> None:
    """No source, no line."""
    with store.read() as tx:
        assert repeated.standing(tx, [], [1]) == repeated.standing(tx, ["A"], []) == {}
    assert repeated.sources_of("", "") == frozenset()
