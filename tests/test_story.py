"""Stories: what an article is weighed by, and which story it is found to tell."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.analysis import stories as story
from worker.analysis.stories import Candidate, StoryMember, StoryVerdict, Vector
from worker.analysis.stories.places import CAPITALS, LONGEST, PLACES
from worker.analysis.stories.terms import Kind
from worker.analysis.text import analyse, fold

DAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def terms(title: str, body: str = "", language: str = "fr") -> dict[str, Kind]:
    """Each term of a text, and its kind."""
    return {term: found.kind for term, found in story.bag(analyse(title, body, language)).terms.items()}


W, N, P, C = Kind.WORD, Kind.NAME, Kind.PAIR, Kind.COUNTRY
TERMS = [
    ("une récolte de riz", {"recolt": W, "riz": W}),
    ("des récoltes", {"recolt": W}),
    ("le ministre Hun Sen", {"ministr": Kind.OFFICE, "hun": N, "sen": N, "hun sen": P}),
    ("le Ministre Hun Sen", {"ministr": Kind.OFFICE, "hun": N, "sen": N, "hun sen": P}),
    ("avec Samdech Techo Hun Sen", {"hun": N, "sen": N, "hun sen": P}),
    ("avec HunSen", {"hun": N, "sen": N, "hun sen": P}),
    ("avec M. Hun Sen", {"hun": N, "sen": N, "hun sen": P}),
    ("le boulevard Techo", {"boulevard": W, "techo": W}),
    ("avec Tô Lâm", {"to": N, "lam": N, "to lam": P}),
    ("avec To Lam", {"to": N, "lam": N, "to lam": P}),
    ("avec Lê Hoài Trung", {"le": N, "hoai": N, "trung": N, "le hoai": P, "hoai trung": P}),
    (
        "à Saint-Jacques-de-la-Lande",
        {"saint": N, "jacques": N, "lande": N, "saint jacques": P, "jacques lande": P},
    ),
    ("une rencontre à Kratie", {"rencontr": W, "kratie": N}),
    ("à Prey Veng, Chea Somethy", {"prey": N, "veng": N, "prey veng": P, "chea": N, "somethy": N, "chea somethy": P}),
    ("au Cambodge", {"@KH": C}),
    ("des Cambodgiens", {"@KH": C}),
    ("il y a eu un accord avec l'UE", {"accord": W, "@EU": C}),
    ("à Hô Chi Minh-Ville", {"@saigon": N}),
    ("à Hanoï", {"@hanoi": Kind.CAPITAL}),
    ("la République de Corée du Sud", {"republ": Kind.OFFICE, "@KR": C}),
    ("deux routes et 15 ponts", {"rout": W, "#15": Kind.NUMBER, "pont": W}),
    ("un canal de 180 km", {"canal": W, "#180": Kind.NUMBER, "km": W}),
    ("le 10 janvier 2020", {"#10 January": Kind.DATE, "#2020": Kind.DATE}),
    ("lundi, en février", {}),
    ("il l'a dit, ils ont été", {}),
]


@pytest.mark.parametrize(("text", "expected"), TERMS, ids=[case[0] for case in TERMS])
def test_terms(text: str, expected: dict[str, Kind]) -> None:
    """Stems; names alone and in pairs, whatever stands before them; places by one key; no counting words."""
    assert terms("x", "or " + text).items() >= expected.items()
    assert terms("", "or " + text).keys() - {"or", "x"} == expected.keys()


def test_places_are_one_in_both_languages() -> None:
    """Places that French calls Thaïlande and English Thailand are the same term."""
    assert terms("", "a en Thaïlande") == terms("", "a in Thailand", "en") == {"@TH": C}


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Marché. Marché Kratie.", "fr", {"march": W, "marche": N, "kratie": N, "marche kratie": P}),
        ("Neymar blessé", "fr", {"neymar": N, "bless": W}),
        ("Récolte record", "fr", {"recolt": W, "record": W}),
        (
            "Farmers Expect Record Harvest Near Kratie",
            "en",
            {"farmer": W, "expect": W, "record": W, "harvest": W, "near": W, "kratie": N},
        ),
    ],
    ids=["a name follows", "no dictionary has it", "a word", "a headline in capitals"],
)
def test_a_capital_that_comes_from_the_place(text: str, language: str, expected: dict[str, Kind]) -> None:
    """It makes a name only of what follows by another name, or of what no dictionary lists."""
    assert terms("", text, language) == expected


def test_places_are_folded_and_short() -> None:
    """The table holds what the tokeniser can find; capitals are among its keys."""
    for words in PLACES:
        assert words == tuple(fold(word) for word in words)
        assert len(words) <= LONGEST
    assert set(PLACES.values()) >= CAPITALS


def test_titles_count_twice() -> None:
    """Of an article with a body; a headline alone counts once."""
    assert story.bag(analyse("canal", "canal", "fr")).terms["canal"].count == 3
    assert story.bag(analyse("canal", "", "fr")).terms["canal"].count == 1


def test_words_are_counted_where_there_is_a_body() -> None:
    """Of title and body; a headline alone has none."""
    assert story.bag(analyse("le canal", "le canal rouvre", "fr")).words == 5
    assert story.bag(analyse("le canal", "", "fr")).words == 0


def weights_of(text: str, common: Mapping[str, int]) -> tuple[dict[str, float], dict[str, float]]:
    """The weight and the evidence of each term, where the terms of `common` stand in so many of 1,000 articles."""
    found = story.bag(analyse("", text, "fr"))
    key = {term: story.hashed(term, is_shared=one.kind.is_shared) for term, one in found.terms.items()}
    vector, words = story.weighted(found, found.counted({key[term]: count for term, count in common.items()}), 1000)
    columns = zip(vector.hashes.tolist(), vector.weights.tolist(), vector.evidence.tolist(), strict=True)
    weighed = {words[k]: (weight, evidence) for k, weight, evidence in columns}
    return {k: weight for k, (weight, _) in weighed.items()}, {k: value for k, (_, value) in weighed.items() if value}


def test_rare_words_and_names_weigh_more() -> None:
    """A word that stands in nine of ten articles hardly anything."""
    weights, _ = weights_of("le canal glaciaire de Kratiebourg", {"canal": 900})
    assert weights["kratiebourg"] == pytest.approx(1.2 * weights["glaciaire"])
    assert weights["canal"] < weights["glaciaire"] / 3


def test_evidence_is_what_is_particular() -> None:
    """A name of two words says as much as one word; its pair, a country and an office little or nothing."""
    _, evidence = weights_of("le président Chea Somethyx au canal glaciaire du Bangladesh", {})
    assert evidence["chea"] + evidence["somethyx"] == pytest.approx(evidence["glaciaire"], rel=0.3)
    assert evidence["bangladesh"] < evidence["glaciaire"] / 3
    assert evidence["president"] < evidence["glaciaire"] / 3
    assert "chea somethyx" not in evidence


def test_rarity_does_not_grow_with_the_store() -> None:
    """A word that stands in one of a million articles is no rarer than one that stands in one of 10,000."""
    found = story.bag(analyse("", "glaciaire", "fr"))
    few, many = (story.weighted(found, found.counted({}), articles)[0].evidence for articles in (10_000, 1_000_000))
    assert many.tolist() == pytest.approx(few.tolist(), rel=0.05)


def test_only_the_heaviest_terms_are_kept() -> None:
    """At most 120."""
    many = story.bag(analyse("", " ".join(f"mot{n}x" for n in range(300)), "fr"))
    assert len(story.weighted(many, many.counted({}), 10)[0].weights) == 120


@given(
    st.dictionaries(
        st.integers(0, 2**32 - 1),
        st.tuples(st.floats(0, 1000, width=32), st.floats(1, 1000, width=32), st.integers(1, 255)),
        max_size=120,
    ),
    st.integers(0, 2**32 - 1),
)
def test_vectors_come_back_as_they_were(columns: dict[int, tuple[float, float, int]], words: int) -> None:
    """Through the bytes that a store keeps."""
    vector = Vector.of(
        weights={key: weight for key, (weight, _, _) in columns.items()},
        evidence={key: evidence for key, (_, evidence, _) in columns.items()},
        names={key: number for key, (_, _, number) in columns.items()},
        words=words if columns else 0,
    )
    back = story.unpacked(vector.packed())
    for name in ("hashes", "weights", "evidence", "names", "words"):
        assert np.array_equal(getattr(back, name), getattr(vector, name))


# --- the decision --------------------------------------------------------------------------------------------------


class Stream:
    """Articles one after the other, as ingest decides on them."""

    def __init__(self) -> None:
        self.told: list[tuple[StoryMember, int]] = []
        self.frequency: Counter[int] = Counter()
        self.last = 0
        #: By story that points to another: the root.
        self.roots: dict[int, int] = {}
        #: Pairs of groups that were put apart.
        self.apart: list[frozenset[int]] = []

    def tell(self, title: str, body: str, *, days: float = 0, language: str = "fr") -> StoryVerdict:
        found = story.bag(analyse(title, body, language))
        own = found.columns.hashes.tolist()
        vector, words = story.weighted(found, found.counted(self.frequency) + 1, self.last + 1)
        told = StoryMember(
            article_id=len(self.told), published=DAY + timedelta(days=days), language=language, vector=vector
        )
        verdict = story.decide(told, words, self._candidates())
        number = verdict.story_id
        if number is None:
            self.last += 1
            number = self.last
            self.frequency.update(own)
            if verdict.group is not None:
                self.roots[number] = verdict.group
        oldest = min((verdict.group, *verdict.grouped)) if verdict.group is not None else 0
        for root in (verdict.group, *verdict.grouped):
            if root is not None and root != oldest:
                self.roots |= {root: oldest} | {n: oldest for n, r in self.roots.items() if r == root}
        self.told = [(t, number if n in verdict.merged else n) for t, n in self.told]
        self.told.append((told, number))
        return verdict

    def _candidates(self) -> Sequence[Candidate]:
        return [
            Candidate(
                story_id=n,
                root=self.root(n),
                apart=frozenset().union(*(pair - {self.root(n)} for pair in self.apart if self.root(n) in pair)),
                articles=tuple(t for t, m in self.told if m == n),
            )
            for n in sorted({number for _, number in self.told})
        ]

    def root(self, number: int) -> int:
        return self.roots.get(number, number)

    @property
    def stories(self) -> list[int]:
        return [number for _, number in self.told]


BRIDGE = (
    "Le pont de Neak Loeung, long de 2.215 mètres, a rouvert mercredi après les travaux de la société Chip Mong. "
    "Le gouverneur de Prey Veng, Chea Somethy, a salué le chantier devant les habitants venus nombreux sur la rive."
)
BRIDGE_AGAIN = (
    "Le pont de Neak Loeung, ouvrage de 2.215 mètres, a rouvert mercredi à la circulation après les travaux de la "
    "société Chip Mong, à Prey Veng. Le gouverneur Chea Somethy a salué le chantier devant les habitants de la rive."
)
FESTIVAL = (
    "Le gouverneur de Prey Veng, Chea Somethy, a ouvert mercredi le festival de la soie, où cent tisserandes montrent "
    "leurs métiers. Les visiteurs ont goûté des gâteaux de riz et regardé des courses de pirogues sur le lac."
)
BRIDGE_ENGLISH = (
    "The Neak Loeung bridge in Prey Veng reopened on Wednesday after repairs by Chip Mong. Governor Chea Somethy "
    "thanked the workers of the 2215 metre crossing."
)


@pytest.fixture
def strength(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the likeness from which an article joins: what is decided at it, not how it was chosen, is tested here."""
    return lambda value: monkeypatch.setattr("worker.analysis.stories.decision.STRONG", value)


def test_two_accounts_of_one_event_are_one_story() -> None:
    """Told in other words by another outlet; the reason names what they share."""
    stream = Stream()
    assert stream.tell("Le pont de Neak Loeung rouvre", BRIDGE).story_id is None
    verdict = stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN)
    assert (verdict.story_id, verdict.score >= story.STRONG) == (1, True)
    assert "neak loeung" in verdict.why
    assert verdict.perhaps_why == ""


def test_what_is_like_but_not_enough_points(strength: Callable[[float], None]) -> None:
    """It opens a story of its own, which says what the two share, and what is missing for more."""
    strength(1000)
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    verdict = stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN)
    assert (verdict.story_id, verdict.score, verdict.group) == (None, 0, 1)
    assert verdict.perhaps_score >= 1
    assert "neak loeung" in verdict.perhaps_why
    assert f"{1000 / verdict.perhaps_score:.1f} times as much" in verdict.perhaps_why
    third = stream.tell("Le pont livré", BRIDGE_AGAIN)
    assert third.group == 1, "the root, not the story that points to it"
    assert stream.stories == [1, 2, 3]


def test_a_later_account_makes_a_pointer_strong(strength: Callable[[float], None]) -> None:
    """An account that joins one of the two makes them one if all pairs of both are like enough in the mean."""
    strength(1000)
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN)
    strength(2)
    verdict = stream.tell("Le pont de Neak Loeung a rouvert", BRIDGE_AGAIN)
    assert (verdict.story_id, verdict.merged) == (1, (2,))
    assert set(stream.stories) == {1}


def test_one_official_at_two_events_is_two_stories() -> None:
    """A name, a province and a day in common are no event."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    verdict = stream.tell("Prey Veng fête la soie", FESTIVAL)
    assert (verdict.story_id, verdict.group) == (None, None)
    assert "%" in verdict.why or "No story" in verdict.why


def test_a_story_crosses_languages() -> None:
    """By names, numbers and places: enough to point, at least."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    assert stream.tell("Neak Loeung bridge reopens", BRIDGE_ENGLISH, language="en").group == 1


@pytest.mark.parametrize(("days", "same"), [(0, True), (1, True), (8, False), (400, False)])
def test_time_parts_stories(days: float, same: bool) -> None:
    """The same words a week later are another event."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    verdict = stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN, days=days)
    assert (verdict.story_id == 1) is same
    assert (verdict.group == 1) is same


def same_texts(
    *numbers: int, roots: Mapping[int, int] | None = None
) -> tuple[StoryMember, dict[int, str], list[Candidate]]:
    """An article, and stories of one article each that say the same; `roots` by story."""
    one = story.bag(analyse("Le pont", BRIDGE, "fr"))
    vector, words = story.weighted(one, one.counted({}), 1)
    told = [StoryMember(article_id=n, published=DAY, language="fr", vector=vector) for n in range(len(numbers) + 1)]
    candidates = [
        Candidate(story_id=number, root=(roots or {}).get(number, number), articles=(told[n],))
        for n, number in enumerate(numbers)
    ]
    return told[-1], words, candidates


def test_an_article_that_tells_two_stories_makes_them_one() -> None:
    """The older one stays, and the reason says so."""
    verdict = story.decide(*same_texts(7, 4))
    assert (verdict.story_id, verdict.merged) == (4, (7,))
    assert "which are one" in verdict.why


def test_an_article_that_points_to_two_groups_makes_them_one(strength: Callable[[float], None]) -> None:
    """It points to the nearest, and the two become one group."""
    strength(1000)
    verdict = story.decide(*same_texts(7, 4, 5, roots={5: 4}))
    assert (verdict.story_id, verdict.group, verdict.grouped) == (None, 4, (7,))


@pytest.mark.parametrize("strong", [True, False], ids=["strong", "weak"])
def test_what_was_put_apart_stays_apart(strength: Callable[[float], None], strong: bool) -> None:
    """An article that is like both joins, or points to, the one alone."""
    strength(2 if strong else 1000)
    new, words, candidates = same_texts(7, 4)
    held = [one._replace(apart=frozenset({7, 4} - {one.story_id})) for one in candidates]
    verdict = story.decide(new, words, held)
    assert (verdict.story_id, verdict.group) == (4 if strong else None, 4)
    assert (verdict.merged, verdict.grouped) == ((), ())


@pytest.mark.parametrize("strong", [True, False], ids=["strong", "weak"])
def test_what_an_article_was_put_apart_from_is_nothing_to_it(strength: Callable[[float], None], strong: bool) -> None:
    """Neither its story nor what is grouped with that."""
    strength(2 if strong else 1000)
    verdict = story.decide(*same_texts(7, 4, roots={7: 4}), apart={4})
    assert (verdict.story_id, verdict.group) == (None, None)


def test_the_order_of_candidates_does_not_matter() -> None:
    """Nor which of two equal stories is named first."""
    new, words, candidates = same_texts(1, 2)
    assert story.decide(new, words, candidates) == story.decide(new, words, candidates[::-1])


def test_an_article_without_words_begins_its_own_story() -> None:
    """And is like nothing."""
    stream = Stream()
    assert stream.tell("", "").story_id is None
    assert stream.tell("", "").story_id is None


def test_what_ships_is_scaled_to_140_articles_of_a_language(tmp_path: Path) -> None:
    """A language with many articles does not make the words of another rare; what stands in one article is left out."""
    from worker.analysis.stories.generate import generate

    lines = [
        ("fr", "un canal"),
        ("fr", "un canal glaciaire"),
        *[("en", f"a river {word}") for word in ("x", "flows", "bank", "bed")],
    ]
    file = tmp_path / "corpus.jsonl"
    file.write_text("\n".join(json.dumps({"lang": lang, "text": body}) for lang, body in lines), encoding="utf-8")
    made = json.loads(generate([file]))
    found = {term: story.hashed(term, is_shared=False) for term in ("canal", "river", "glaciair")}
    assert made["articles"] == 140
    assert made["terms"] == {str(found["canal"]): 140.0, str(found["river"]): 140.0}
