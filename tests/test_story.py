"""Stories: what an article is weighed by, and which story it is found to tell."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import story
from worker.story import Candidate, StoryVerdict, Told, Vector
from worker.story.places import LONGEST, PLACES
from worker.text import analyse, fold

DAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def terms(title: str, body: str = "", language: str = "fr") -> dict[str, bool]:
    """Each term of a text, and whether it counts as a name."""
    found = story.bag(analyse(title, body, language))
    return {term: term in found.names for term in found.counts}


TERMS = [
    ("une récolte de riz", {"recolt": False, "riz": False}),
    ("des récoltes", {"recolt": False}),
    ("le ministre Hun Sen", {"ministr": False, "hun": True, "sen": True, "hun sen": True}),
    ("Samdech Techo Hun", {"samdech": True, "techo": True, "hun": True, "samdech techo": True, "techo hun": True}),
    ("une rencontre à Kratie", {"rencontr": False, "kratie": True}),
    (
        "à Prey Veng, Chea Somethy",
        {"prey": True, "veng": True, "prey veng": True, "chea": True, "somethy": True, "chea somethy": True},
    ),
    ("au Cambodge", {"@KH": True}),
    ("des Cambodgiens", {"@KH": True}),
    ("à Hô Chi Minh-Ville", {"@saigon": True}),
    ("la République de Corée du Sud", {"republique": True, "@KR": True}),
    ("deux routes et 15 ponts", {"rout": False, "pont": False}),
    ("un canal de 180 km", {"canal": False, "180": True, "km": False}),
    ("lundi, en février", {"Monday": True, "February": True}),
    ("il l'a dit, ils ont été", {}),
]


@pytest.mark.parametrize(("text", "expected"), TERMS, ids=[case[0] for case in TERMS])
def test_terms(text: str, expected: dict[str, bool]) -> None:
    """Stems; names alone and in pairs; places by one key; no counting words and no small numbers."""
    assert terms("x", "or " + text).items() >= expected.items()
    assert terms("", "or " + text).keys() - {"or", "x"} == expected.keys()


def test_places_are_one_in_both_languages() -> None:
    """What French calls Thaïlande and English Thailand is the same term, a name."""
    assert terms("", "a en Thaïlande") == terms("", "a in Thailand", "en") == {"@TH": True}


def test_a_sentences_first_word_is_no_name() -> None:
    """Its capital comes from its place, unless a name follows."""
    assert terms("", "Marché. Marché Kratie.") == {
        "march": False,
        "marche": True,
        "kratie": True,
        "marche kratie": True,
    }


def test_places_are_folded_and_short() -> None:
    """The table holds what the tokeniser can find."""
    for words in PLACES:
        assert words == tuple(fold(word) for word in words)
        assert len(words) <= LONGEST


def test_titles_count_twice() -> None:
    """Of an article with a body; a headline alone counts once."""
    assert story.bag(analyse("canal", "canal", "fr")).counts["canal"] == 3
    assert story.bag(analyse("canal", "", "fr")).counts["canal"] == 1


def test_rare_words_and_names_weigh_more() -> None:
    """A name twice as much; a word that stands in every article hardly anything; at most 100 are kept."""
    found = story.bag(analyse("", "le canal glaciaire de Kratiebourg", "fr"))
    key = {term: story.hashed(term, is_name=term in found.names) for term in found.counts}
    common = {key["canal"]: 900}
    vector, words = story.weighted(found, common, 1000)
    weights = {words[k]: weight for k, weight in vector.weights.items()}
    assert weights["kratiebourg"] == pytest.approx(2 * weights["glaciair"])
    assert weights["canal"] < weights["glaciair"] / 3
    many = story.bag(analyse("", " ".join(f"mot{n}x" for n in range(300)), "fr"))
    assert len(story.weighted(many, {}, 10)[0].weights) == 100


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.floats(0, 1000, width=32), max_size=100))
def test_vectors_come_back_as_they_were(weights: dict[int, float]) -> None:
    """Through the bytes that a store keeps."""
    assert story.unpacked(Vector(weights=weights).packed()).weights == weights


# --- the decision --------------------------------------------------------------------------------------------------


class Stream:
    """Articles one after the other, as ingest decides on them."""

    def __init__(self) -> None:
        self.told: list[tuple[Told, int]] = []
        self.frequency: Counter[int] = Counter()
        self.last = 0

    def tell(self, title: str, body: str, *, days: float = 0, language: str = "fr") -> StoryVerdict:
        found = story.bag(analyse(title, body, language))
        self.frequency.update({story.hashed(term, is_name=term in found.names) for term in found.counts})
        vector, words = story.weighted(found, self.frequency, len(self.told) + 1)
        told = Told(article_id=len(self.told), published=DAY + timedelta(days=days), language=language, vector=vector)
        verdict = story.decide(told, words, self._candidates())
        number = verdict.story_id
        if number is None:
            self.last += 1
            number = self.last
        self.told = [(t, number if n in verdict.merged else n) for t, n in self.told]
        self.told.append((told, number))
        return verdict

    def _candidates(self) -> Sequence[Candidate]:
        numbers = sorted({number for _, number in self.told})
        return [Candidate(story_id=n, articles=tuple(t for t, m in self.told if m == n)) for n in numbers]

    @property
    def stories(self) -> list[int]:
        return [number for _, number in self.told]


BRIDGE = (
    "Le pont de Neak Loeung, long de 2.215 mètres, a rouvert mercredi après les travaux de la société Chip Mong. "
    "Le gouverneur de Prey Veng, Chea Somethy, a salué le chantier devant les habitants venus nombreux sur la rive."
)
BRIDGE_AGAIN = (
    "Prey Veng : les voitures roulent de nouveau sur le pont de Neak Loeung. Fermé depuis six mois, l'ouvrage de "
    "2.215 mètres a été livré mercredi par Chip Mong. « Un soulagement », dit le gouverneur Chea Somethy."
)
FESTIVAL = (
    "Le gouverneur de Prey Veng, Chea Somethy, a ouvert mercredi le festival de la soie, où cent tisserandes montrent "
    "leurs métiers. Les visiteurs ont goûté des gâteaux de riz et regardé des courses de pirogues sur le lac."
)
BRIDGE_ENGLISH = (
    "The Neak Loeung bridge in Prey Veng reopened on Wednesday after repairs by Chip Mong. Governor Chea Somethy "
    "thanked the workers of the 2215 metre crossing."
)


def test_two_accounts_of_one_event_are_one_story() -> None:
    """Told in other words by another outlet; the reason names what they share."""
    stream = Stream()
    assert stream.tell("Le pont de Neak Loeung rouvre", BRIDGE).story_id is None
    verdict = stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN)
    assert (verdict.story_id, verdict.score >= 1) == (1, True)
    assert "neak loeung" in verdict.why


def test_one_official_at_two_events_is_two_stories() -> None:
    """A name, a province and a day in common are no event."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    verdict = stream.tell("Prey Veng fête la soie", FESTIVAL)
    assert verdict.story_id is None
    assert "%" in verdict.why or "No story" in verdict.why


def test_a_story_crosses_languages() -> None:
    """By names, numbers and places."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    assert stream.tell("Neak Loeung bridge reopens", BRIDGE_ENGLISH, language="en").story_id == 1


@pytest.mark.parametrize(("days", "same"), [(0, True), (3, True), (8, False), (400, False)])
def test_time_parts_stories(days: float, same: bool) -> None:
    """The same words a week later are another event."""
    stream = Stream()
    stream.tell("Le pont de Neak Loeung rouvre", BRIDGE)
    assert (stream.tell("Neak Loeung : fin des travaux", BRIDGE_AGAIN, days=days).story_id == 1) is same


def test_an_article_that_tells_two_stories_makes_them_one() -> None:
    """The older one stays, and the reason says so."""
    a, b = BRIDGE, BRIDGE_AGAIN
    one = story.bag(analyse("Le pont", a, "fr"))
    counts = Counter(story.hashed(term, is_name=term in one.names) for term in one.counts)
    vector, words = story.weighted(one, counts, 1)
    told = [Told(article_id=n, published=DAY, language="fr", vector=vector) for n in range(3)]
    candidates = [Candidate(story_id=7, articles=(told[0],)), Candidate(story_id=4, articles=(told[1],))]
    verdict = story.decide(told[2], words, candidates)
    assert (verdict.story_id, verdict.merged) == (4, (7,))
    assert "which are one" in verdict.why
    assert b != a


def test_the_order_of_candidates_does_not_matter() -> None:
    """Nor which of two equal stories is named first."""
    one = story.bag(analyse("Le pont", BRIDGE, "fr"))
    vector, words = story.weighted(one, {}, 1)
    told = [Told(article_id=n, published=DAY, language="fr", vector=vector) for n in range(3)]
    candidates = [Candidate(story_id=n + 1, articles=(told[n],)) for n in range(2)]
    assert story.decide(told[2], words, candidates) == story.decide(told[2], words, candidates[::-1])


def test_an_article_without_words_begins_its_own_story() -> None:
    """And is like nothing."""
    stream = Stream()
    assert stream.tell("", "").story_id is None
    assert stream.tell("", "").story_id is None


def test_what_ships_is_made_from_the_tests_articles() -> None:
    """The counts of common words are those of the corpus that stands beside the tests."""
    from worker.story.generate import generate

    folder = Path(__file__).parent / "data" / "articles"
    made = generate([folder / "agency.jsonl", folder / "literary.jsonl"])
    assert (Path(story.__file__).parent / "frequencies.json").read_text(encoding="utf-8") == made
