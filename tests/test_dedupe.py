"""Copies: what a text is recognised by, which edits it withstands, and what is no copy however alike."""

import json
import os
import subprocess
import sys
from array import array
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.analysis.copies import (
    Candidate,
    Fingerprint,
    compare_revision,
    decide,
    entities,
    fingerprint,
    news,
    signature,
)
from worker.analysis.text import analyse
from worker.feeds.normalise import clean
from worker.model import Match, Novelty, NoveltyKind, Part, Severity, Span

WATCH = Path(__file__).parents[2] / "shared" / "data" / "watch"
NOW = datetime(2026, 3, 12, 8, tzinfo=UTC)

TITLE = "Le port de Kampot reçoit son premier cargo"
SENTENCES = (
    "Le port en eau profonde de Kampot a reçu jeudi 12 mars son premier cargo, parti de Haïphong avec 340 conteneurs.",
    "La cérémonie a réuni le ministre cambodgien des Transports, Sok Dara, et l'ambassadeur du Vietnam, Lê Minh Tâm.",
    "Les travaux, commencés en 2022, ont coûté 210 millions de dollars et occupé jusqu'à 1 800 ouvriers des environs.",
    "Selon Sok Dara, le quai pourra servir trois navires à la fois et raccourcir de deux jours la route de Singapour.",
    "L'ambassadeur a rappelé que le riz, le poivre et le caoutchouc formaient la moitié des ventes vers son pays.",
    "Les pêcheurs de la baie demandent quant à eux que le chenal soit balisé avant la prochaine saison des pluies.",
    "Une deuxième tranche, dont le dessin sera arrêté à Phnom Penh en septembre, ajoutera un dépôt de carburant.",
)
BODY = " ".join(SENTENCES)
OTHER = (
    "La bibliothèque municipale de Huê rouvre après dix-huit mois de travaux. Ses rayons portent désormais trente mille"
    " volumes, et une salle entière revient aux journaux anciens que des bénévoles numérisent depuis l'automne. Le"
    " maire espère que les écoles du quartier y viendront chaque semaine, comme avant la crue qui avait gâté le fonds."
)


def mark(body: str, title: str = TITLE, language: str = "fr") -> Fingerprint:
    """The fingerprint of a text."""
    return fingerprint(analyse(title, body, language))


def earlier(
    body: str, title: str = TITLE, *, article_id: int = 7, days: float = 1, same_url: bool = False
) -> Candidate:
    """An article of the past."""
    published = NOW - timedelta(days=days)
    made = mark(body, title)
    return Candidate(article_id=article_id, fingerprint=made, published=published, title=title, same_url=same_url)


def judge(body: str, title: str, *candidates: Candidate, language: str = "fr") -> Novelty:
    """The verdict on a text of today beside those candidates."""
    document = analyse(title, body, language)
    return decide(fingerprint(document), document=document, published=NOW, candidates=candidates)


COPIES = {
    "same": BODY,
    "no-accents": "Le port en eau profonde de Kampot a recu" + BODY.removeprefix(SENTENCES[0][:40]),
    "capitals": BODY.upper(),
    "another-head": "Kampot, 12 mars (AKP) — " + BODY,
    "another-sign-off": BODY + " (avec notre correspondant à Kampot)",
    "sentence-dropped": " ".join(SENTENCES[:2] + SENTENCES[3:]),
    "reordered": " ".join(reversed(SENTENCES)),
    "truncated": BODY[:330] + "…",
    "two-sentences": " ".join(SENTENCES[:2]),
    "glued": BODY.replace("a reçu jeudi", "a reçujeudi")
    .replace("les écoles", "lesécoles")
    .replace(". Selon", ".Selon"),
    "respelled": BODY.replace("Haïphong", "Hai Phong")
    .replace("Sok Dara", "Sokdara")
    .replace("Phnom Penh", "Pnom Penh"),
    "copy-edited": BODY.replace("a reçu", "a accueilli")
    .replace("travaux", "chantiers")
    .replace("raccourcir", "abréger")
    .replace("rappelé", "souligné")
    .replace("demandent", "réclament")
    .replace("ajoutera", "comprendra")
    .replace("formaient", "faisaient")
    .replace("occupé", "employé"),
    "inside-a-round-up": f"{OTHER}\n\n{BODY}\n\n{OTHER.replace('bibliothèque', 'piscine')}",
}


@pytest.mark.parametrize("body", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("title", [TITLE, "Kampot inaugure son quai"], ids=["same-title", "other-title"])
def test_an_edited_text_is_a_duplicate(body: str, title: str) -> None:
    """Each edit that agencies and feeds make leaves the text recognisable, whatever its title."""
    novelty = judge(body, title, earlier(BODY))
    assert (novelty.kind, novelty.of) == (NoveltyKind.DUPLICATE, 7), novelty.why
    assert "article 7" in novelty.why


@pytest.mark.parametrize("body", COPIES.values(), ids=COPIES)
def test_a_copy_shares_a_band_with_its_original(body: str) -> None:
    """The store finds the original of every such copy by an indexed key."""
    assert set(mark(body, "").bands) & set(mark(BODY).bands)


OTHERS = {
    "number": [("340 conteneurs", "95 conteneurs")],
    "number-in-words": [("trois navires", "cinq navires")],
    "ordinal": [("Une deuxième tranche", "Une troisième tranche")],
    "date": [("jeudi 12 mars", "mardi 7 avril")],
    "day": [("jeudi 12 mars", "mercredi 12 mars")],
    "year": [("commencés en 2022", "commencés en 2019")],
    "person": [("Lê Minh Tâm", "Trân Van Phuc")],
    "one-name-of-two": [("Sok Dara", "Sok Vannak")],
    "place": [("Kampot", "Koh Kong")],
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_the_same_words_with_another_fact_are_new(changes: list[tuple[str, str]]) -> None:
    """Template articles differ in a number, a date, a person or a place, and are news each time."""
    body = BODY
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    novelty = judge(body, TITLE, earlier(BODY))
    assert novelty.kind is NoveltyKind.NEW
    assert "Reads like article 7" in novelty.why


def test_a_title_with_another_number_is_new() -> None:
    """The eighth and the ninth bulletin may have one text."""
    novelty = decide(
        mark(BODY, "9e bulletin du port"), published=NOW, candidates=[earlier(BODY, "8e bulletin du port")]
    )
    assert novelty.kind is NoveltyKind.NEW


def test_a_development_on_old_ground_is_new() -> None:
    """An article whose second half repeats the background of an earlier one has news of its own."""
    lead = (
        "Un incendie a ravagé dimanche soir deux entrepôts du port de Kampot et blessé quatre dockers, a indiqué le"
        " gouverneur Chea Rith. Le feu, parti d'un groupe électrogène, a été maîtrisé vers minuit par les pompiers de"
        " Sihanoukville. L'assureur malaisien Berjaya enverra lundi ses experts ; le trafic reprendra mercredi. "
    )
    novelty = judge(lead + " ".join(SENTENCES[2:5]), TITLE, earlier(BODY))
    assert novelty.kind is NoveltyKind.NEW


@pytest.mark.parametrize(
    ("body", "title", "old_body", "old_title", "days", "kind"),
    [
        ("", "Le port de Kampot reçoit son premier cargo", BODY, TITLE, 1, "duplicate"),
        ("", "LE PORT DE KAMPOT RECOIT SON PREMIER CARGO", "", TITLE, 1, "duplicate"),
        ("", SENTENCES[5], BODY, TITLE, 1, "duplicate"),
        ("", "Le port de Kampot reçoit son premier cargo", BODY, TITLE, 30, "new"),
        ("", "Le riz termine la semaine en forte hausse", "", "Le riz termine la semaine en forte baisse", 0, "new"),
        ("", "Point presse", "", "Point presse", 0, "new"),
        (
            "Fort séisme au large de Java.",
            "Java",
            "Fort séisme au large de Luzon.",
            "Luzon",
            0,
            "new",
        ),
        (BODY, "Un titre à soi", "", TITLE, 1, "new"),
        (BODY, TITLE, SENTENCES[0][:60], "Flash", 0, "new"),
        (BODY, TITLE, " ".join(SENTENCES[:2]), "Dépêche", 0, "new"),
        (" ".join(SENTENCES[:2]), TITLE, " ".join(SENTENCES[:2]), TITLE, 30, "duplicate"),
        (" ".join(SENTENCES[:2]), TITLE, " ".join(SENTENCES[:2]), "Kampot inaugure", 30, "new"),
        (BODY, TITLE, BODY, TITLE, 3_000, "duplicate"),
    ],
    ids=[
        "title-of-an-article",
        "title-twice",
        "title-from-the-text",
        "title-a-month-later",
        "headline-one-word",
        "two-words",
        "short-alerts",
        "article-after-title",
        "article-after-flash",
        "article-after-summary",
        "summary-a-month-later",
        "summary-a-month-later-other-title",
        "article-years-later",
    ],
)
def test_short_texts(body: str, title: str, old_body: str, old_title: str, days: int, kind: str) -> None:
    """A short text is a copy only when whole, and under its own title or of the same days; a long one proves itself."""
    novelty = judge(body, title, earlier(old_body, old_title, days=days))
    assert novelty.kind == kind, novelty.why


@pytest.mark.parametrize(("title", "days"), [(TITLE, 0), (TITLE, 30), ("Flash info", 0)])
def test_an_address_and_a_title_prove_nothing(title: str, days: int) -> None:
    """A page may serve many items under one title; only their texts tell whether they are one."""
    there = earlier("Un navire venu du nord a ouvert la ligne.", title, days=days, same_url=True)
    novelty = judge("Premier déchargement au nouveau quai.", title, there)
    assert novelty.kind is NoveltyKind.NEW
    assert "another text" in novelty.why


def test_the_earliest_original_is_named() -> None:
    """Of two that qualify the earlier is the original, in whatever order they are given."""
    candidates = [earlier(BODY, article_id=9, days=1), earlier(COPIES["truncated"], article_id=4, days=2)]
    assert decide(mark(BODY), published=NOW, candidates=candidates).of == 4
    assert decide(mark(BODY), published=NOW, candidates=candidates[::-1]).of == 4


@pytest.mark.parametrize(
    ("name", "low", "high", "words"),
    [
        ("same", 1, 1, "word for word"),
        ("two-sentences", 1, 1, "100 % of its"),
        ("inside-a-round-up", 0.6, 0.8, "contains 100 %"),
    ],
    ids=["same", "two-sentences", "round-up"],
)
def test_score_and_reason(name: str, low: float, high: float, words: str) -> None:
    """The score is the part of the new text that was known; a round-up is told apart."""
    novelty = judge(COPIES[name], TITLE, earlier(BODY))
    assert low <= novelty.score <= high
    assert words in novelty.why


def test_without_candidates_all_is_new() -> None:
    """Nothing to compare with."""
    assert judge(BODY, TITLE).kind is NoveltyKind.NEW


def test_other_schemes_are_not_compared() -> None:
    """A fingerprint of another release proves nothing."""
    made = mark(BODY)
    old = Fingerprint(
        digest=made.digest, shingles=made.shingles, bands=(), facts=made.facts, words=made.words, scheme=made.scheme + 1
    )
    there = Candidate(article_id=1, fingerprint=old, published=NOW)
    assert decide(made, published=NOW, candidates=[there]).kind is NoveltyKind.NEW


def test_a_fingerprint_is_what_its_fields_say() -> None:
    """Digest and shingles are the standard hashes of the folded words."""
    made = mark("Hà Nội reçoit l'hôte.", "Visite")
    words = ["ha", "noi", "recoit", "hote"]
    assert made.digest == sha256(" ".join(words).encode()).hexdigest()
    hashes = array("I", made.shingles)
    if sys.byteorder == "big":
        hashes.byteswap()
    assert hashes.tolist() == sorted(crc32(" ".join(words[at : at + 3]).encode()) for at in (0, 1))
    assert made.words == 4


def test_a_fingerprint_does_not_hang_on_the_hash_seed() -> None:
    """Two processes make the same fingerprint."""
    code = (
        "from worker.analysis.copies import dump, fingerprint; from worker.analysis.text import analyse; import sys;"
        "print(dump(fingerprint(analyse('Un titre', sys.argv[1], 'fr'))))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code, BODY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


@pytest.mark.parametrize(
    ("title", "body", "changed"),
    [
        (TITLE, BODY, False),
        (TITLE.upper(), BODY.replace("é", "e").replace(",", " ;"), False),
        (TITLE, BODY.replace("trois navires", "quatre navires"), True),
        (TITLE, BODY + " Le pilote était Sok Dara.", True),
        ("Le port de Kampot ferme", BODY, True),
        ("", BODY, True),
        (TITLE, "", True),
    ],
    ids=["same", "marks-only", "one-word", "one-sentence", "title", "no-title", "no-body"],
)
def test_compare_revision(title: str, body: str, changed: bool) -> None:
    """One changed word is a change; case, accents and punctuation are none."""
    assert compare_revision(mark(BODY), mark(body, title)) is changed


@pytest.mark.parametrize(
    ("one", "two", "found"),
    [
        ("Le port a reçu vingt-deux navires hier.", "Le port a reçu 22 navires hier.", None),
        ("Le port a reçu six mille sacs hier.", "Le port a reçu 6 000 sacs hier.", None),
        ("Le port a reçu quatre-vingt-dix-sept sacs hier.", "Le port a reçu 97 sacs hier.", None),
        ("Le port a reçu deux cent cinquante sacs.", "Le port a reçu 250 sacs.", None),
        ("Le port a reçu dix millions de sacs.", "Le port a reçu 10 millions de sacs.", None),
        ("Le XIVe congrès se tient à Hué.", "Le 14e congrès se tient à Hué.", None),
        ("Le XIVe congrès se tient à Hué.", "Le XIIIe congrès se tient à Hué.", ("14", "13")),
        ("The port saw twenty-two ships then.", "The port saw twenty-three ships then.", ("22", "23")),
        ("Il part samedi 28 mars avec eux.", "Il part samedi avec eux.", None),
        ("Il part samedi 28 mars avec eux.", "Il part dimanche avec eux.", ("Saturday 28 March", "Sunday")),
        ("Il a vu Ha Noi avec eux.", "Il a vu Hanoï avec eux.", None),
        ("Il a vu Techo Bora avec eux.", "Il a vu Techno Bora avec eux.", None),
        ("Il a vu Bora avec eux.", "Il a vu Keo Bora avec eux.", None),
        ("Il a visité l'Iran avec eux.", "Il a visité l'Irak avec eux.", ("iran", "irak")),
        ("Il a vu Long An avec eux.", "Il a vu Long Xuyen avec eux.", ("long an", "long xuyen")),
        ("Il part, dit Reuters hier.", "Il part, dit Xinhua hier.", None),
        ("Les deux navires partent.", "Ces deux navires partent.", None),
    ],
)
def test_contradiction(one: str, two: str, found: tuple[str, str] | None) -> None:
    """Another number, date or name in the same place contradicts; another spelling of it does not."""
    here, there = (entities.load(mark(text, "").facts) for text in (one, two))
    assert entities.contradiction(here, there) == found
    assert entities.contradiction(there, here) == (found and found[::-1])


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_has_a_fingerprint(body: str, title: str) -> None:
    """Whatever feeds bring: bands fit a signed 64-bit column, and nothing contradicts itself."""
    made = mark(body, title)
    assert all(-(2**63) <= band < 2**63 for band in made.bands)
    assert len(made.bands) <= 49
    assert entities.contradiction(entities.load(made.facts), entities.load(made.facts)) is None
    assert not compare_revision(made, made)


@given(st.permutations(SENTENCES), st.integers(min_value=4, max_value=7))
def test_any_order_of_most_sentences_is_a_copy(order: list[str], kept: int) -> None:
    """Sentences may be dropped and reordered at will."""
    body = " ".join(order[:kept])
    assert judge(body, TITLE, earlier(BODY)).kind is NoveltyKind.DUPLICATE


@pytest.mark.skipif(not WATCH.is_dir(), reason="the shared data is not here")
def test_labelled_copies() -> None:
    """Nine in ten of each kind of edit are recognised, no template article is called a copy."""
    articles = [json.loads(line) for line in (WATCH / "articles.jsonl").read_text().splitlines()]
    copies = [json.loads(line) for line in (WATCH / "copies.jsonl").read_text().splitlines()]
    known: list[Candidate] = []
    ids: dict[int, str] = {}
    for number, article in enumerate(articles):
        candidate = _candidate(article, number)
        novelty = decide(candidate.fingerprint, published=candidate.published, candidates=_near(candidate, known))
        assert novelty.kind is NoveltyKind.NEW, (article["id"], novelty.why)
        known.append(candidate)
        ids[number] = article["id"]
    right: dict[str, list[bool]] = {}
    for copy in copies:
        candidate = _candidate(copy, -1)
        novelty = decide(candidate.fingerprint, published=candidate.published, candidates=_near(candidate, known))
        expected = copy["of"] if copy["same"] is True else None
        right.setdefault(copy["kind"], []).append((None if novelty.of is None else ids[novelty.of]) == expected)
        if copy["same"] is False:
            assert novelty.kind is NoveltyKind.NEW, (copy["id"], novelty.why)
    assert not {kind: results for kind, results in right.items() if sum(results) < 0.9 * len(results)}


def _candidate(record: dict[str, str], number: int) -> Candidate:
    made = mark(clean(record["text"]), record["title"], record["lang"])
    published = datetime.fromisoformat(record["published"])
    if published.tzinfo is None:
        published = published.replace(tzinfo=UTC)
    return Candidate(article_id=number, fingerprint=made, published=published)


def _near(candidate: Candidate, known: list[Candidate]) -> list[Candidate]:
    """Articles that an index of the bands would find."""
    bands = set(candidate.fingerprint.bands)
    return [each for each in known if not bands.isdisjoint(each.fingerprint.bands)]


def _many(first: int, count: int) -> str:
    """Facts that differ from one number to the next, all in one place of a sentence."""
    return " ".join(f"Le {chr(65 + n % 26)}{n:x}or a vu {n} Z{n:x}u." for n in range(first, first + count))


def test_f25_comparing_two_texts_full_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are compared letter by letter so often and no oftener, and long ones not at all."""
    compared: list[tuple[int, int]] = []

    class Matcher(SequenceMatcher[str]):
        def __init__(self, junk: None, a: str, b: str, *, autojunk: bool) -> None:
            compared.append((len(a), len(b)))
            super().__init__(junk, a, b, autojunk=autojunk)

    monkeypatch.setattr(entities, "SequenceMatcher", Matcher)
    new, old = (entities.load(fingerprint(analyse("", _many(n, 2_000), "fr")).facts) for n in (0, 2_000))
    assert entities.agreement(new, old) < 1
    entities.variants(new, old)
    entities.contradiction(new, old)
    assert len(compared) < 200_000
    assert not entities._alike("Xa" + "b" * 50_000, "Xa" + "c" * 50_000)
    assert max(map(max, compared), default=0) <= 40


def test_f25_words_of_many_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text's word triples are made once, however many spans are asked for."""
    made: list[int] = []
    triples = signature.shingles_of
    monkeypatch.setattr(signature, "shingles_of", lambda words: made.append(1) or triples(words))
    document, original = analyse(TITLE, BODY, "fr"), fingerprint(analyse(TITLE, BODY, "fr"))
    made.clear()
    spans = tuple(Span(part=Part.BODY, words=((s, e),)) for s, e in zip(document.starts, document.ends, strict=True))
    match = Match(rule_id="r", rule_name="r", rule_hash="h", severity=Severity.INFO, spans=spans * 20)
    copy = Novelty(kind=NoveltyKind.DUPLICATE, of=1, score=0.5, why="")
    assert news(document, [match], [original], copy) == frozenset()
    assert len(made) == 2
