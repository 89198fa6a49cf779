"""The index of words, on both databases: what a search finds, and that it knows no article that is not stored."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from stored import NEW, NOW, add, article, mark, publish, sighting

from worker.model import Origin
from worker.store import Store, articles, finding, history, schema, search, upkeep
from worker.store.finding import Filters

TEXTS = {
    "hanoi": ("Hun Sen attendu à Hanoï", "Le président du Sénat y sera en visite mardi."),
    "ha-noi": ("Thủ đô Hà Nội đón khách", "Đường phố rực rỡ cờ hoa."),
    "plain": (
        "Hanoi welcomes visitors",
        "A bridge opened. The O.N.U. sent a coeur surgeon, l'Élysée said aujourd'hui.",
    ),
    "ligature": ("Une œuvre à cœur ouvert", "L'hôpital rouvre."),
    "khmer": ("រដ្ឋធានីភ្នំពេញ", "ប្រទេសកម្ពុជា"),
    "lao": ("ນະຄອນຫຼວງວຽງຈັນ", "ປະເທດລາວ"),
    "thai": ("กรุงเทพมหานคร", "น้ำท่วม"),
    "quotes": ("Le « 100% », c'est \\ tout | & (fini) !", "sen hun : l'ordre compte"),
}


#: What a person types, and what is found.
FOUND = {
    "hanoi": {"hanoi", "plain"},
    "HANOÏ": {"hanoi", "plain"},
    "Hano\u0069\u0308": {"hanoi", "plain"},
    "ha noi": {"ha-noi"},
    "hà nội": {"ha-noi"},
    "HÀ NỘI": {"ha-noi"},
    "duong": {"ha-noi"},
    "đường": {"ha-noi"},
    "hun sen visite": {"hanoi"},
    "visite, Sen: HUN?": {"hanoi"},
    "hun sen introuvable": set(),
    "hun sen": {"hanoi", "quotes"},
    '"hun sen"': {"hanoi"},
    "«sen hun» ordre": {"quotes"},
    "oeuvre": {"ligature"},
    "Œuvre": {"ligature"},
    "cœur": {"ligature", "plain"},
    "onu": {"plain"},
    "O.N.U.": {"plain"},
    "elysee": {"plain"},
    "l’Élysée": {"plain"},
    "aujourd’hui": {"plain"},
    "visit": {"hanoi", "plain"},
    '"visit"': set(),
    "vis": set(),
    "ភ្នំពេញ": {"khmer"},
    "ប្រទេសកម្ពុជា": {"khmer"},
    "ពេញភ្នំ": set(),
    "ວຽງຈັນ": {"lao"},
    "กรุงเทพ": {"thai"},
    "น้ำท่วม": {"thai"},
    "100": {"quotes"},
    'fini" OR hanoi': set(),
    "title : hanoi": set(),
    "NOT AND OR NEAR": set(),
    "' \\ \" * ( :Z": set(),
    "": set(),
    "!?": set(),
}


@pytest.fixture
def filled(store: Store) -> Store:
    for title, body in TEXTS.values():
        add(store, title, body=body)
    return store


def found(store: Store, words: str) -> set[str]:
    """The names in TEXTS of the articles that a search finds."""
    names = {title: name for name, (title, _) in TEXTS.items()}
    with store.read() as tx:
        terms = search.read(words)
        rows = finding.found(tx, search.AllOf(terms), Filters(), limit=100) if terms else ()
    return {names[row.article.title] for row in rows}


def test_words_are_found_as_people_type_them(filled: Store) -> None:
    """Without accents and capitals, all of them; signs mean nothing, and the databases' own languages neither."""
    assert {words: found(filled, words) for words in FOUND} == FOUND


def test_very_many_words_are_looked_for(filled: Store) -> None:
    """A whole passage may be pasted."""
    assert found(filled, " ".join(f"mot{n}" for n in range(2_000))) == set()


def test_an_article_is_found_by_its_newest_text(store: Store) -> None:
    """And by that alone."""
    (entry_id,) = publish(store, sighting("a"))
    article_id = add(store, "Le pont", body="Il est ouvert.", entry_id=entry_id)
    for title, body in (("Le tunnel", "Il est fermé."), ("La route", "Elle est coupée.")):
        with store.ingest() as tx:
            new = article(title, body)
            articles.revise(tx, article_id, new, mark(body), entry_id=entry_id, of_id=None, now=NOW)
    with store.read() as tx:
        asked = {words: len(articles.newest(tx, limit=9, containing=words)) for words in ("pont", "tunnel", "route")}
    assert asked == {"pont": 0, "tunnel": 0, "route": 1}


def test_the_last_texts_are_asked_for_however_many_were_changed(store: Store) -> None:
    """Articles that were changed do not take the place of newer ones that hold the words."""
    (entry_id,) = publish(store, sighting("a"))
    changed = add(store, "Le pont", entry_id=entry_id)
    for title in ("Le tunnel", "La route"):
        with store.ingest() as tx:
            articles.revise(tx, changed, article(title), mark(title), entry_id=entry_id, of_id=None, now=NOW)
    newer = [add(store, f"Une visite {number}") for number in range(3)]
    add(store, "Une fuite")
    with store.read() as tx:
        numbers = history.numbers(tx, NOW - timedelta(days=1), search.Term(("visite",)), limit=2)
        found = [one.article_id for one in history.some_texts(tx, numbers)]
    assert found == newer[-2:]


def test_what_is_forgotten_is_not_in_the_index(store: Store) -> None:
    """An article that takes its number later is not found by its words."""
    add(store, "Le pont", body="Il est ouvert.")
    kept = add(store, "Le tunnel", body="Il est ouvert.")
    with store.write() as tx:
        tx.execute(sa.text("UPDATE article SET origin = 'import' WHERE id = :kept"), {"kept": kept})
        assert upkeep.forget_articles(tx, before=NOW + timedelta(days=1), ledger_before=None) == 1
        column = "rowid" if store.is_sqlite else "article_id"
        assert tx.execute(sa.text(f"SELECT {column} FROM search")).scalars().all() == [kept]
        if store.is_sqlite:
            assert tx.execute(sa.text("SELECT rowid FROM search WHERE search MATCH 'pont'")).all() == []
            tx.execute(sa.text("INSERT INTO search (search) VALUES ('integrity-check')"))


def test_a_store_of_before_is_indexed_by_the_migration(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, as if each article had come since; what later steps made stands there already."""
    with filled.write() as tx:
        tx.execute(sa.text("DROP TABLE search"))
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0020'"))
    monkeypatch.setattr(search, "_PAGE", 3)
    with filled.write() as tx:
        schema.migrate(tx, "0021")
    assert found(filled, "hanoi") == {"hanoi", "plain"}
    assert found(filled, "ភ្នំពេញ") == {"khmer"}
    assert found(filled, "ouvert") == {"ligature"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(" ".join(f"mot{n}" for n in range(60_000)), id="very many words"),
        pytest.param("x" * 1_000_000, id="a word without end"),
        pytest.param("ភ" * 300_000, id="letters without spaces"),
    ],
)
def test_a_text_beyond_all_bounds_is_stored(store: Store, body: str) -> None:
    """Its beginning is found, and it goes again."""
    add(store, "Le pont", body=f"Premiers mots. {body}")
    with store.write() as tx:
        assert len(articles.newest(tx, limit=9, containing="pont premiers")) == 1
        assert upkeep.forget_articles(tx, before=NOW + timedelta(days=1), ledger_before=None) == 1


def test_a_search_lists_the_last_published_first_between_two_times(store: Store) -> None:
    """The earlier time counts, the later does not."""
    for day in (3, 1, 2):
        one = article(f"Le pont {day}", published=NOW - timedelta(days=day))
        with store.ingest() as tx:
            articles.add(tx, one, mark(one.body), NEW, origin=Origin.FEED, now=NOW)
    with store.read() as tx:

        def titles(since: int | None = None, until: int | None = None, limit: int = 9) -> list[str]:
            begin, end = (None if days is None else NOW - timedelta(days=days) for days in (since, until))
            (asked,) = search.read("pont")
            rows = finding.found(tx, asked, Filters(since=begin, until=end), limit=limit)
            return [row.article.title[-1] for row in rows]

        assert titles() == ["1", "2", "3"]
        assert titles(limit=1) == ["1"]
        assert titles(since=2) == ["1", "2"]
        assert titles(until=2) == ["3"]


def test_a_title_is_meant_before_a_text(store: Store) -> None:
    """Whoever names an article by its title is not asked about those that speak of the same."""
    named = add(store, "Le pont de Takéo", body="Il est ouvert.")
    add(store, "Autre nouvelle", body="Le pont de Takéo est ouvert.")
    with store.read() as tx:
        assert [one.id for one in articles.find(tx, "pont takeo", "")] == [named]
        assert len(articles.find(tx, "takeo ouvert", "")) == 2


def test_the_languages_of_all_articles(store: Store) -> None:
    """Each once; what has none is left out."""
    for language in ("fr", "en", "fr", "", "vi"):
        one = replace(article(f"Le pont {language}"), language=language)
        with store.ingest() as tx:
            articles.add(tx, one, mark(one.body), NEW, origin=Origin.FEED, now=NOW)
    with store.read() as tx:
        assert finding.languages(tx) == ("en", "fr", "vi")


def test_filters_and_places_narrow_a_search(store: Store) -> None:
    """Articles of one moment follow their numbers, the last first."""
    ids = [add(store, f"Le pont {number}") for number in range(5)]
    with store.read() as tx:
        first = finding.found(tx, None, Filters(language="fr"), limit=2)
        assert [one.id for one in first] == ids[:2:-1]
        rest = finding.found(tx, None, Filters(), limit=9, after=finding.place_of(first[-1]))
        assert [one.id for one in rest] == ids[2::-1]
        assert not finding.found(tx, None, Filters(feeds=[]), limit=9)
        three_or_four = search.AnyOf((search.Term(("3",)), search.Term(("4",))))
        either = search.AllOf((three_or_four, search.Term(("pont",))))
        assert [one.id for one in finding.found(tx, either, Filters(), limit=9)] == [ids[4], ids[3]]
