"""Articles, their revisions, and what may be the original of what, on both databases."""

from datetime import timedelta

import pytest
from stored import LEASE, NEW, NOW, add, article, mark, publish, sighting

from worker.analysis.copies import Fingerprint, fingerprint
from worker.analysis.text import analyse
from worker.model import Novelty, NoveltyKind, Origin
from worker.store import Store, articles, entries, fingerprints

TEXT = (
    "Le pont de la rivière Sékong a été ouvert mardi à la circulation par le gouverneur de la province d'Attapeu. "
    "Long de quatre cents mètres, il remplace un bac que la crue emportait chaque année et que les villages espéraient."
)
#: The same passage within a longer text of another outlet: neither digest nor address in common.
LONGER = (
    f"Nos correspondants dans la région rapportent plusieurs nouvelles de la semaine écoulée. {TEXT} La suite demain."
)


def candidates(store: Store, text: str, url: str = "", exclude: int | None = None) -> list[int]:
    with store.read() as tx:
        return [c.article_id for c in fingerprints.candidates(tx, mark(text), url=url, exclude=exclude)]


def copy_of(original: int) -> Novelty:
    return Novelty(kind=NoveltyKind.DUPLICATE, of=original, score=1.0, why="The same text.")


@pytest.mark.parametrize(
    ("text", "url", "found"),
    [
        pytest.param(TEXT, "", True, id="digest"),
        pytest.param(TEXT.upper(), "", True, id="digest-capitals"),
        pytest.param("Tout autre chose est écrit ici.", "https://a.example/1", True, id="url"),
        pytest.param(LONGER, "", True, id="bands"),
        pytest.param("Tout autre chose est écrit ici.", "https://a.example/2", False, id="nothing"),
        pytest.param("Tout autre chose est écrit ici.", "", False, id="no-url"),
    ],
)
def test_an_original_is_found_by_digest_address_or_bands(store: Store, text: str, url: str, *, found: bool) -> None:
    """And an article without an address has none in common with others that have none."""
    original = add(store, "Le pont", body=TEXT, url="https://a.example/1")
    add(store, "Sans adresse", body="Un autre article encore.")
    assert candidates(store, text, url) == ([original] if found else [])
    assert candidates(store, text, url, exclude=original) == []


def test_a_batch_asks_once_which_marks_are_known(store: Store) -> None:
    """A text that has a digest, an address or a band in common with another, stored or of the batch, is asked for."""
    original = add(store, "Le pont", body=TEXT, url="https://a.example/1")
    batch = [
        (mark(LONGER), "", None),
        (mark("Tout autre chose est écrit ici."), "https://a.example/1", None),
        (mark("Rien de tel n'a été écrit."), "https://a.example/2", None),
        (mark("Rien de tel n'a été écrit."), "", None),
    ]
    with store.ingest() as tx:
        originals = fingerprints.Originals(batch)
        originals.ask(tx)
        found = []
        for at, (text, url, _) in enumerate(batch):
            found.append([one.article_id for one in originals.of(tx, at)])
            articles.add(tx, article("Un titre", "", url=url), text, NEW, origin=Origin.FEED, now=NOW)
    assert found == [[original], [original], [], [original + 3]]


def test_a_batch_asks_again_once_a_stored_article_is_another_one(store: Store) -> None:
    """An article that turned out to be a copy is the original of no later text of the batch."""
    first = add(store, "Le marché", body="Tout autre chose est écrit ici.")
    (entry_id,) = publish(store, sighting("a"))
    second = add(store, "Le pont", body=TEXT, entry_id=entry_id)
    now_a_copy = article("Le marché", "Tout autre chose est écrit ici.")
    with store.ingest() as tx:
        originals = fingerprints.Originals([(mark(LONGER), "", None), (mark("Rien de tel."), "", None)])
        originals.ask(tx)
        assert [one.article_id for one in originals.known(0) or ()] == [second]
        articles.revise(tx, second, now_a_copy, mark(now_a_copy.body), entry_id=entry_id, of_id=first, now=NOW)
        originals.forget()
        assert originals.known(0) is None
        assert originals.of(tx, 0) == ()
        assert originals.known(1) == (), "what shares nothing still has none"


def test_texts_of_a_batch_are_found_each_their_own(store: Store) -> None:
    """Each text's own original, its own article left out."""
    bridge = add(store, "Le pont", body=TEXT)
    market = add(store, "Le marché", body="Le marché de nuit a rouvert jeudi soir.", url="https://a.example/2")
    texts: list[fingerprints.Asked] = [
        (mark(LONGER), "", None),
        (mark("Rien de tel n'a été écrit."), "https://a.example/2", None),
        (mark("Rien du tout."), "", None),
        (mark(TEXT), "", bridge),
    ]
    with store.read() as tx:
        found = fingerprints.candidates_of(tx, texts)
        assert fingerprints.candidates_of(tx, []) == []
    assert [[(one.article_id, one.same_url) for one in own] for own in found] == [
        [(bridge, False)],
        [(market, True)],
        [],
        [],
    ]


def test_a_duplicate_is_never_an_original(store: Store) -> None:
    """However many copies there are, and however it is found."""
    original = add(store, "Le pont", body=TEXT, url="https://a.example/1")
    for n in range(70):
        add(store, f"Copie {n}", body=TEXT, url="https://a.example/1", novelty=copy_of(original))
    assert candidates(store, TEXT, "https://a.example/1") == [original]


def test_a_copy_of_the_same_title_and_text_stands_for_its_original(store: Store) -> None:
    """An outlet that moves shows its copies again, under the title that it gave them."""
    original = add(store, "Le pont", body=TEXT)
    other = article("Attapeu a son pont", TEXT, url="https://b.example/1")
    made = fingerprint(analyse(other.title, other.body, "fr"))
    with store.ingest() as tx:
        copy, _ = articles.add(tx, other, made, copy_of(original), origin=Origin.FEED, now=NOW)
        found = fingerprints.candidates(tx, made, url="", exclude=None)
        assert [(one.article_id, one.title) for one in found] == [(original, "Le pont"), (original, other.title)]
        assert fingerprints.candidates(tx, made, url="", exclude=original) == ()
        retitled = fingerprint(analyse("Encore un titre", other.body, "fr"))
        assert [one.title for one in fingerprints.candidates(tx, retitled, url="", exclude=copy)] == ["Le pont"]


def test_an_original_behind_very_many_copies_is_found(store: Store) -> None:
    """The first article of a text may come to be its original late, when its text changes back."""
    elsewhere = add(store, "Ailleurs", body="Tout autre chose est écrit ici.")
    for n in range(70):
        add(store, f"Copie {n}", body=TEXT, novelty=copy_of(elsewhere))
    late = add(store, "Le pont", body=TEXT)
    assert candidates(store, TEXT) == [late]


def test_a_slogan_under_every_article_hides_no_original(store: Store) -> None:
    """The one that shares most is found among hundreds that share one band."""
    original = add(store, "Le pont", body=TEXT)
    slogan = mark(TEXT).bands[:1]
    with store.ingest() as tx:
        for n in range(300):
            one = Fingerprint(digest=f"{n}", shingles=b"", bands=slogan, facts="{}", words=50)
            articles.add(tx, article(f"n{n}"), one, NEW, origin=Origin.FEED, now=NOW)
    found = candidates(store, LONGER)
    assert original in found
    assert len(found) == fingerprints.MAX_CANDIDATES


def test_a_candidate_carries_what_is_compared(store: Store) -> None:
    """Its fingerprint as stored, its date, and whether it stands at the same address."""
    original = add(store, "Le pont", body=TEXT, url="https://a.example/1")
    with store.read() as tx:
        (candidate,) = fingerprints.candidates(tx, mark(LONGER), url="https://a.example/1", exclude=None)
        assert fingerprints.fingerprint_of(tx, original) == candidate.fingerprint
    wanted = mark(TEXT)
    assert (candidate.published, candidate.same_url) == (NOW, True)
    assert (candidate.fingerprint.digest, candidate.fingerprint.shingles, candidate.fingerprint.facts) == (
        wanted.digest,
        wanted.shingles,
        wanted.facts,
    )


def test_an_article_comes_back_with_its_newest_text(store: Store) -> None:
    """And a revision is found by its own text and by the one of before, which others may still copy."""
    (entry_id,) = publish(store, sighting("a"))
    article_id = add(store, "Le pont", body=TEXT, url="https://a.example/1", entry_id=entry_id)
    later = NOW + timedelta(hours=1)
    other = article("Le pont ferme", "Une fissure a fermé le pont deux heures après son ouverture, dit-on.")
    with store.ingest() as tx:
        articles.revise(tx, article_id, other, mark(other.body), entry_id=entry_id, of_id=None, now=later)
        stored = articles.get(tx, article_id)
        assert articles.revisions(tx, article_id) == [NOW, later]
        assert articles.get(tx, article_id + 1) is None
    assert stored is not None
    assert (stored.revision, stored.article.title, stored.article.body) == (2, other.title, other.body)
    assert (stored.article.published, stored.article.first_seen, stored.novelty) == (NOW, NOW, "new")
    assert candidates(store, TEXT) == [article_id, article_id], "once for each of its texts"
    assert candidates(store, other.body) == [article_id, article_id]
    with store.read() as tx:
        assert fingerprints.fingerprint_of(tx, article_id).digest == mark(other.body).digest


def test_a_revision_may_become_a_copy_and_cease_to_be_one(store: Store) -> None:
    """Only while it is one it is no original."""
    first = add(store, "Le pont", body=TEXT)
    (entry_id,) = publish(store, sighting("a"))
    second = add(store, "Autre", body="Tout autre chose est écrit ici.", entry_id=entry_id)
    own = article("Encore autre", "Une troisième chose, qui ne ressemble ni à l'une ni à l'autre.")
    with store.ingest() as tx:
        articles.revise(tx, second, article("Le pont", TEXT), mark(TEXT), entry_id=entry_id, of_id=first, now=NOW)
        assert articles.get(tx, second).of_id == first
    assert candidates(store, TEXT) == [first]
    with store.ingest() as tx:
        articles.revise(tx, second, own, mark(own.body), entry_id=entry_id, of_id=None, now=NOW)
        assert articles.get(tx, second).of_id is None
    assert set(candidates(store, own.body)) == {second}


def test_the_archive_has_no_text_and_is_an_original_all_the_same(store: Store) -> None:
    """Only what it is recognised by ships; an imported article with an empty body still has its revision."""
    with store.ingest() as tx:
        shipped = article("Archive")
        archive, none = articles.add(
            tx,
            type(shipped)(**{f: getattr(shipped, f) for f in shipped.__dataclass_fields__} | {"body": ""}),
            mark(TEXT),
            NEW,
            origin=Origin.ARCHIVE,
            name="001",
            precision="month",
            now=NOW,
        )
        assert none == 0
        stored = articles.get(tx, archive)
        assert articles.origin(tx, archive) is Origin.ARCHIVE
    assert stored is not None
    assert (stored.revision, stored.article.body, stored.precision, stored.name) == (0, "", "month", "001")
    assert candidates(store, TEXT) == [archive]


def test_names_are_those_of_one_origin(store: Store) -> None:
    """Names that need not be imported again."""
    add(store, "x", origin=Origin.IMPORT)
    add(store, "y", origin=Origin.ARCHIVE)
    with store.read() as tx:
        assert articles.names(tx, Origin.IMPORT, ["x", "y", "z"]) == {"x"}
        assert articles.names(tx, Origin.ARCHIVE, ["y"]) == {"y"}
        assert articles.names(tx, Origin.IMPORT, []) == frozenset()
        assert articles.names(tx, Origin.IMPORT, [f"n{n}" for n in range(5_000)]) == frozenset()


@pytest.mark.parametrize(
    ("words", "url", "title"),
    [
        ("pont", "", "Le pont de 100 %"),
        ("PONT DE", "", "Le pont de 100 %"),
        ("100 %", "", "Le pont de 100 %"),
        ("Le lac_bleu", "", "Le lac_bleu"),
        ("LAC BLEU", "", "Le lac_bleu"),
        ("c_b", "", None),
        ("c%b", "", None),
        ("https://a.example/1", "https://a.example/1", "Le pont de 100 %"),
        ("introuvable", "", None),
    ],
)
def test_people_find_an_article_by_words_name_or_address(store: Store, words: str, url: str, title: str | None) -> None:
    """The newest where several fit; signs that SQL knows are letters here."""
    add(store, "Le pont de 100 %", url="https://a.example/1")
    add(store, "Le lac_bleu")
    with store.read() as tx:
        found = articles.find(tx, words, url)
    assert [one.article.title for one in found] == ([title] if title else [])


def test_originals_are_found_before_their_copies(store: Store) -> None:
    """Then the newest: what a person most likely asks for."""
    first = add(store, "Le pont un")
    add(store, "Le pont, copie", novelty=Novelty(kind=NoveltyKind.DUPLICATE, of=first))
    add(store, "Le pont deux")
    with store.read() as tx:
        found = [one.article.title for one in articles.find(tx, "pont", "")]
    assert found == ["Le pont deux", "Le pont un", "Le pont, copie"]


def test_the_newest_come_first(store: Store) -> None:
    """As many as asked for, with those words in their titles."""
    for title in ("Un pont", "Un lac", "Deux ponts", "Deux lacs"):
        add(store, title)
    with store.read() as tx:
        assert [a.article.title for a in articles.newest(tx, limit=3)] == ["Deux lacs", "Deux ponts", "Un lac"]
        assert [a.article.title for a in articles.newest(tx, limit=9, containing="pont")] == ["Deux ponts", "Un pont"]


def test_what_fails_in_the_middle_leaves_no_article(store: Store) -> None:
    """Neither its bands nor its revision."""
    (entry_id,) = publish(store, sighting("a"))

    def die() -> None:
        with store.ingest() as tx:
            articles.add(tx, article("Le pont", TEXT), mark(TEXT), NEW, origin=Origin.FEED, entry_id=entry_id, now=NOW)
            entries.done(tx, {entry_id: 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    assert candidates(store, LONGER) == []
    with store.write() as tx:
        assert articles.newest(tx, limit=9) == ()
        assert entries.take_ready(tx, now=NOW, lease=LEASE, limit=9) == (entry_id,)
