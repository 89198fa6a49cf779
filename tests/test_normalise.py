"""From an entry and its text to an article."""

import json
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds.normalise import Known, Unreadable, clean, cleaned, from_jsonl_line, from_txt, normalise
from worker.feeds.normalise.standfirst import with_standfirst
from worker.model import Cut, CutKind, ParsedEntry, StoredEntry

SHARED = Path(__file__).parents[2] / "shared"
FIRST_SEEN = datetime(2026, 2, 18, 4, tzinfo=UTC)
#: Two sentences of an article, and one of another that follows its sign-off.
LEAD = "Une délégation de la province a visité lundi le marché flottant."
MORE = "Elle a promis d'aider les pêcheurs à réparer leurs barques."
OTHER = "Le cacao gagne les collines du Centre"


def paragraphs(*parts: str) -> str:
    return "\n\n".join(parts)


@pytest.mark.parametrize(
    "head",
    [
        "Hanoï (VNA) - ",
        "HANOI (VNA) – ",
        "Hà Nội (TTXVN) — ",
        "Phnom Penh, 6 février (VNA) - ",
        "Hanoi, le 1er août (AVI) - ",
        "Hô Chi Minh-Ville (VNA)- ",
        "Bà Ria - Vung Tàu (VNA) - ",
        "PHNOM PENH, Oct 21 (KUNA) -- ",
        "BERLIN, Feb 17 (Reuters) - ",
        "Paris (AFP/VNA/CVN) - ",
        "Luang Prabang (VNA/CVN) : ",
        "(VNA) - ",
        "(VOVWORLD) - ",
        "Vientiane (VNA) ",
        "AKP Phnom Penh, le 20 décembre 2016 – ",
        "NDEL - ",
        "Hanoï (VNA) - (VNA) - ",
    ],
)
def test_heads(head: str):
    """An agency's head is taken off a paragraph."""
    assert clean(paragraphs(head + LEAD, MORE)) == paragraphs(LEAD, MORE)


@pytest.mark.parametrize(
    "sentence",
    [
        "L'agence vietnamienne (VNA) a ouvert un bureau à Vientiane.",
        "Selon l'agence VNA, le pont sera fini en mai.",
        "Le bulletin de la KPL - le plus ancien du pays - paraît en trois langues.",
        "ASEAN - Vietnam : un accord en vue.",
        "Hanoï (capitale du Vietnam) - que tous connaissent - s'étend.",
        "Le pont sera fini en mai, rapporte l'agence KPL.",
        "Une seule photo : celle du marché.",
        "Il travaille à la VNA",
        "Le reportage est signé VNA",
        "Les prix ont baissé de 3/4.",
    ],
)
def test_an_agency_that_is_quoted_stays(sentence: str):
    """The name of an agency within a sentence is the article's text."""
    text = paragraphs(LEAD, sentence, MORE)
    assert clean(text) == text


@pytest.mark.parametrize(
    "mark",
    [
        " -VNA",
        " – VNA",
        " - AVI",
        " — VNS",
        ".VNA/CVN"[1:],
        " VNA",
        " (VNA)",
        " ./.",
        "/.",
        " (end)",
        " - VNA/.",
        " -VNA.",
    ],
)
def test_sign_offs_behind_a_sentence(mark: str):
    """The sign-off goes, and with it the headline of another article."""
    assert clean(paragraphs(LEAD, MORE + mark, OTHER, "Son résumé.")) == paragraphs(LEAD, MORE)


@pytest.mark.parametrize(
    "mark", ["VNA/CVN", "VNA", "CVN", "-VNA", "– VNA", "(VNA)", "AFP/VNA/CVN", "Lan Anh/CVN", "/."]
)
def test_sign_offs_alone(mark: str):
    """So does one on a line of its own."""
    assert clean(paragraphs(LEAD, MORE, mark, OTHER)) == paragraphs(LEAD, MORE)
    assert clean(paragraphs(LEAD, MORE) + f"\n{mark}\n{OTHER}") == paragraphs(LEAD, MORE)


@pytest.mark.parametrize(
    "caption",
    [
        "Photo : VNA/CVN",
        "Photo: VNA",
        "Les barques au marché. Photo : VNA",
        "Les barques au marché. Photo: AFP/VNA",
        "Les barques au marché (Photo : VNA)",
        "Les barques au marché. hinh anh 1 Photo : VNA",
        "Barques du delta. Photo d'illustration : VNA/CVN",
        "Boats at the market. — VNA/VNS Photo Lan Anh",
        "Chợ nổi. Ảnh: TTXVN",
        "Les barques. Photo : Lan Anh/VNA",
        "Les barques. Photo : Internet",
    ],
)
def test_captions(caption: str):
    """A caption goes whole, wherever it stands."""
    assert clean(paragraphs(caption, LEAD, caption, MORE, "VNA/CVN")) == paragraphs(LEAD, MORE)


def test_captions_go_before_the_sign_off_is_sought():
    """A credit amid the text is no sign-off, even on a line of its own."""
    body = paragraphs(LEAD, "VNA/CVN", MORE * 4, MORE, "VNA/CVN")
    assert clean(body) == paragraphs(LEAD, MORE * 4, MORE)


def test_a_caption_glued_before_a_head():
    """A head behind a caption in one paragraph starts the article."""
    assert clean(f"Les barques. Photo : VNA Luang Prabang (VNA) - {LEAD}").endswith(LEAD)
    assert "VNA" not in clean(f"Les barques. Photo : VNA Luang Prabang (VNA) - {LEAD}")
    assert clean(f"{LEAD}Photo : VNA/CVNDurant ce voyage, rien.") == paragraphs(LEAD, "Durant ce voyage, rien.")


def test_an_article_glued_to_a_credit_is_kept():
    """A line too long for a caption loses its credit alone."""
    article = " ".join([LEAD, MORE] * 8)
    assert clean(article + " Photo : VNA") == article


def test_related_lines():
    """Links to other articles are not the article's text."""
    assert clean(paragraphs(LEAD, ">> Hun Sen attendu lundi", "Lire aussi : un autre", MORE)) == paragraphs(LEAD, MORE)


BRIEFS = ("Le prix du riz a baissé cette semaine à Hanoï.", "Un accord de pêche a été signé mardi.", "Le musée rouvre.")


@pytest.mark.parametrize(
    ("signed", "kept"),
    [
        ([f"{one} (VNA)" for one in BRIEFS], BRIEFS),
        ([f"{one} -VNA" for one in BRIEFS[:2]] + [BRIEFS[2]], BRIEFS),
        ([BRIEFS[0] + " (VNA)", *BRIEFS[1:]], BRIEFS),
        ([LEAD, MORE + " (VNA)", BRIEFS[0], BRIEFS[1] + " (VNA)"], (LEAD, MORE, *BRIEFS[:2])),
        ([LEAD + " -VNA", *[MORE] * 5], (LEAD, *[MORE] * 5)),
        (["Riz", BRIEFS[0] + " (VNA)", "Pêche", BRIEFS[1] + " (VNA)", "Musée", BRIEFS[2]],
         ("Riz", BRIEFS[0], "Pêche", BRIEFS[1], "Musée", BRIEFS[2])),
    ],
    ids=["each signed", "the last is not", "the first alone", "longer ones", "a lead that is signed", "with headlines"],
)  # fmt: skip
def test_what_follows_a_sign_off_and_is_its_own_stays(signed: list[str], kept: tuple[str, ...]):
    """Several signed briefs are one text; only another article's headline and summary go."""
    assert clean(paragraphs(*signed)) == paragraphs(*kept)


def test_a_tail_that_is_signed_itself():
    """Much shorter than the article, headed, and about something else: another article all the same."""
    found = cleaned(paragraphs(LEAD, *[MORE] * 4, MORE + " -VNA", OTHER, "La récolte a doublé. (VNA)"))
    assert found.text == paragraphs(LEAD, *[MORE] * 5)
    assert Cut(kind=CutKind.TAIL, text=f"{OTHER}\nLa récolte a doublé. (VNA)") in found.cut


ARROWS = ["► Un accord de pêche est signé", "► Le riz en baisse"]


@pytest.mark.parametrize(
    ("lines", "links", "kept"),
    [
        (["Dans la presse.", *ARROWS], set(), True),
        ([LEAD, MORE, *ARROWS], set(), True),
        ([LEAD, MORE, *ARROWS], set(ARROWS), False),
        (["En bref.", *ARROWS], set(ARROWS), True),
        (["Dans la presse.", *ARROWS], None, True),
        ([LEAD, MORE, MORE, MORE, *ARROWS], None, False),
        ([LEAD, MORE, MORE, MORE, "→ Le texte entre en vigueur lundi."], None, True),
    ],
    ids=["a list", "a list below a text", "links", "links alone", "a list in plain text", "links in plain text",
         "a sentence in plain text"],
)  # fmt: skip
def test_arrows(lines: list[str], links: set[str] | None, kept: bool):
    """A line with an arrow goes where it leads to another article, and stays where it is what there is to say."""
    found = cleaned(paragraphs(*lines), links)
    arrows = [line for line in lines if line[0] in "►→"]
    assert all((line in found.text) is kept for line in arrows)
    assert [part.text for part in found.cut] == ([] if kept else arrows)


def test_what_is_cut_is_kept_aside():
    """Each part with its kind; together with the text, nothing that could be read is gone."""
    found = cleaned(
        paragraphs("Les barques. Photo : VNA", f"Hanoï (VNA) - {LEAD}", "Lire aussi : un autre", f"{MORE} -VNA", OTHER)
    )
    assert found.text == paragraphs(LEAD, MORE)
    assert [(part.kind, part.text) for part in found.cut] == [
        (CutKind.CAPTION, "Les barques. Photo : VNA"),
        (CutKind.HEAD, "Hanoï (VNA) -"),
        (CutKind.RELATED, "Lire aussi : un autre"),
        (CutKind.SIGN_OFF, "-VNA"),
        (CutKind.TAIL, OTHER),
    ]
    assert cleaned("VNA").cut == ()


@pytest.mark.parametrize("text", ["Photo : VNA", "VNA", "-VNA", "(VNA) - ", ">> x", "VNA\n\nVNA/CVN", "/."])
def test_nothing_is_emptied(text: str):
    """A text that is all marks stays."""
    assert clean(text)


def test_a_caption_alone_keeps_its_words():
    """A caption is the article if there is nothing else."""
    assert clean("Les barques au marché. Photo : VNA") == "Les barques au marché."


def test_a_name_first_is_no_sign_off():
    """A source's name above the text cuts nothing."""
    assert clean(paragraphs("VNA", LEAD, MORE)) == paragraphs(LEAD, MORE)


def test_white_space():
    """One space, one empty line, no control characters; lines stay lines."""
    assert clean("  a \u00a0 b\r\nc\r\n\r\n \t\n\nd\x00\x0be\u00ad  ") == "a b\nc\n\nde"
    assert clean("") == ""


_PIECES = st.sampled_from(
    [LEAD, MORE, OTHER, "VNA", "VNA/CVN", " -VNA", "– VNA", " ", "\n", "\n\n", "(VNA) - ", "Hanoï (VNA) - ", "Photo : ",
     "Photo : VNA", ">> ", ".", "/.", "./.", "AKP Hanoï, le 2 mai – ", "Lan Anh", "/", "(", ")", "NDEL - ", "(end)",
     "\u00a0", "\x00", "x" * 200]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_nothing_is_lost(text: str):
    """Every word of a text stands in what is left of it, or among what was cut."""
    found = cleaned(text)
    there = " ".join([found.text, *(part.text for part in found.cut)])
    letters = [char for char in text if char.isalnum()]
    assert sorted(letters) == sorted(char for char in there if char.isalnum())


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_clean_is_idempotent(text: str):
    """Clean text stays as it is, and a text never becomes empty."""
    once = clean(text)
    assert clean(once) == once
    assert bool(once) == bool(text.replace("\x00", "").strip())


@pytest.mark.parametrize(
    "hostile",
    ["(VNA) - " * 20_000, "x" + " -VNA" * 20_000, "x." + " Photo : VNA" * 10_000, "Aa Bb. Photo : Cc Dd " * 6_000,
     "a. VNA\n" * 20_000, "Aa-" * 60_000, "Aa/" * 60_000 + "VNA", " " * 200_000 + "x"],
    ids=["heads", "sign-offs", "credits", "names", "lines", "hyphens", "slashes", "blanks"],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_clean_is_fast(hostile: str):
    """Repeated marks cost no more than their length."""
    once = clean(hostile)
    assert clean(once) == once


# --- the article ---------------------------------------------------------------------------------------------------


def article(text: str = LEAD, *, language: str = "", source: str = "Desk", seen: str = "", **fields: object):
    entry = StoredEntry(
        id=1, feed="f", parsed=ParsedEntry(language=seen, **fields), first_seen=FIRST_SEEN, backlog=False
    )
    return normalise(entry, text, source=source, language=language, detect=lambda *said: f"detected, else {said[-1]}")


@pytest.mark.parametrize(
    ("published", "updated", "expected"),
    [
        (None, None, FIRST_SEEN),
        (datetime(2026, 2, 17, tzinfo=UTC), None, datetime(2026, 2, 17, tzinfo=UTC)),
        (None, datetime(2026, 2, 16, tzinfo=UTC), datetime(2026, 2, 16, tzinfo=UTC)),
        (datetime(2099, 1, 1, tzinfo=UTC), None, FIRST_SEEN),
    ],
    ids=["absent", "published", "only updated", "in the future"],
)
def test_published_is_never_later_than_first_seen(
    published: datetime | None, updated: datetime | None, expected: datetime
):
    """The date is the feed's, clamped to when the entry was first seen."""
    assert article(published=published, updated=updated).published == expected


@pytest.mark.parametrize(
    ("configured", "seen", "expected"),
    [("fr-FR", "en-us", "fr"), ("", "en-US", "detected, else en-US"), ("", "", "detected, else ")],
    ids=["configured", "the entry's own is but a guess", "detected"],
)
def test_language(configured: str, seen: str, expected: str):
    """The configured language, else the text's, with the feed's own claim as its fallback."""
    assert article(language=configured, seen=seen).language == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Un pont sur le Mékong - Vietnam+ (VietnamPlus)", "Un pont sur le Mékong"),
        ("Un pont sur le Mékong | Vietnam+ (VietnamPlus)", "Un pont sur le Mékong"),
        ("Un pont sur le Mékong – Le Desk", "Un pont sur le Mékong"),
        ("Cambodge - Vietnam", "Cambodge - Vietnam"),
        ("Football : Cambodge - Laos", "Football : Cambodge - Laos"),
        ("Accueil - Le Desk", "Accueil - Le Desk"),
        ("  Un\n pont  ", "Un pont"),
    ],
)
def test_titles(title: str, expected: str):
    """Only the site's own name is taken off a title, and only where a title remains."""
    assert article(title=title, source="Le Desk").title == expected


def test_links_and_body():
    """The link stays as published beside its canonical form; a first paragraph that repeats the title goes."""
    found = article(
        paragraphs("UN PONT SUR LE MÉKONG", f"Hanoï (VNA) - {LEAD}", "VNA/CVN"),
        title="Un pont sur le Mekong",
        link="http://www.news.example/a/?utm_source=rss",
    )
    assert (found.link, found.url) == ("http://www.news.example/a/?utm_source=rss", "https://news.example/a")
    assert found.body == LEAD
    assert article().url == ""


def test_captions_of_an_article():
    """Captions are the article if there is no other text; else they are cut."""
    entry = StoredEntry(id=1, feed="f", parsed=ParsedEntry(title="T"), first_seen=FIRST_SEEN, backlog=False)
    more = {"source": "Desk", "language": "fr", "detect": lambda *_: ""}
    assert normalise(entry, "", captions=["Les barques."], **more).body == "Les barques."
    found = normalise(entry, LEAD, captions=["Les barques."], **more)
    assert (found.body, found.cut) == (LEAD, (Cut(kind=CutKind.CAPTION, text="Les barques."),))


# --- articles from files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "title", "published", "precision"),
    [
        (f" date 2025-07 Un titre court\n\n{LEAD}", "Un titre court", datetime(2025, 7, 1, tzinfo=UTC), "month"),
        (f"date 2026-02-06 Un titre\n\n{LEAD}", "Un titre", datetime(2026, 2, 6, tzinfo=UTC), "day"),
        (f"\ufeffdate 2024\nUn titre\n\n{LEAD}", "Un titre", datetime(2024, 1, 1, tzinfo=UTC), "year"),
        (f"Un titre\r\n\r\n{LEAD}", "Un titre", None, ""),
        (f"date 2024-01 Les barques. Photo : VNA\n\n{LEAD}", "", datetime(2024, 1, 1, tzinfo=UTC), "month"),
        (f"Hanoï (VNA) - Un chapeau\n\n{LEAD}", "", None, ""),
        (LEAD, "", None, ""),
        (f"Première ligne\n{LEAD}", "", None, ""),
    ],
    ids=["month", "day", "year", "no date", "a caption", "a head", "one line", "no empty line"],
)
def test_from_txt(raw: str, title: str, published: datetime | None, precision: str):
    """The date and the title are read off the first line where they stand there."""
    found = from_txt(raw)
    assert (found.title, found.published, found.precision) == (title, published, precision)
    assert found.body.endswith(LEAD)
    assert "date" not in found.body
    assert from_txt(raw).id == found.id


def test_from_txt_keeps_what_is_no_date():
    """A month that does not exist is text."""
    assert from_txt(f"date 2024-13 {LEAD}").body == f"date 2024-13 {LEAD}"


def test_from_jsonl_line():
    """Each member has its place; the body is cleaned."""
    line = json.dumps(
        {
            "id": "a-1",
            "lang": "fr-FR",
            "published": "2026-02-18T10:30:00+07:00",
            "source": "news.example",
            "url": "https://news.example/a",
            "title": "Un titre",
            "text": f"Hanoï (VNA) - {LEAD} -VNA",
        }
    )
    assert from_jsonl_line(line) == Known(
        id="a-1",
        language="fr",
        published=datetime(2026, 2, 18, 3, 30, tzinfo=UTC),
        precision="day",
        source="news.example",
        url="https://news.example/a",
        title="Un titre",
        body=LEAD,
        cut=(Cut(kind=CutKind.HEAD, text="Hanoï (VNA) -"), Cut(kind=CutKind.SIGN_OFF, text="-VNA")),
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", Unreadable.NOT_JSON),
        ("[" * 100_000, Unreadable.NOT_JSON),
        ("[]", Unreadable.NOT_AN_OBJECT),
        ("{}", Unreadable.NO_TEXT),
        ('{"text": " "}', Unreadable.NO_TEXT),
        ('{"text": 5.5}', Unreadable.NO_TEXT),
        ('{"text": "x", "published": "soon"}', Unreadable.BAD_DATE),
        ('{"text": "x", "published": "0001-01-01T00:00:00+14:00"}', Unreadable.BAD_DATE),
    ],
)
def test_unreadable_lines(line: str, reason: Unreadable):
    """A line that brings no article says why."""
    assert from_jsonl_line(line) is reason


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
def test_the_five_articles():
    """Titles, dates and the ends of the five are found; no mark of an agency is left."""
    found = [from_txt(path.read_text()) for path in sorted((SHARED / "seeds").glob("*.txt"))]
    assert [article.precision for article in found] == ["month", "", "month", "day", "month"]
    assert [bool(article.title) for article in found] == [True, False, False, True, False]
    assert not any(mark in article.body for article in found for mark in ("VNA", "CVN", "Photo", ">>"))
    assert [article.body[-1] for article in found] == ["."] * 5


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize("name", ["articles.jsonl", "copies.jsonl"])
def test_labelled_articles(name: str):
    """Every labelled article is read and clean of sign-offs, and keeps the passages that prove its labels."""
    for line in (SHARED / "data" / "watch" / name).read_text().splitlines():
        raw, found = json.loads(line), from_jsonl_line(line)
        assert isinstance(found, Known)
        assert clean(found.body) == found.body
        assert not found.body.endswith(("VNA", "CVN", "AVI", "VNS", "/."))
        proofs = [proof for proof in chain(*raw.get("evidence", {}).values()) if proof in raw["text"]]
        assert [proof for proof in proofs if proof not in found.body and proof not in found.title] == []


@pytest.mark.parametrize(
    ("summary", "content", "expected"),
    [
        ("Le pont ouvre lundi.", "Les ouvriers partent tous.", "Le pont ouvre lundi.\n\nLes ouvriers partent tous."),
        ("Le pont de Hué ouvre lundi matin.", "Le pont de Hué ouvre lundi matin.\n\nLes ouvriers partent tous.", None),
        ("Le pont de Hué ouvre lundi mat […]", "Le pont de Hué ouvre lundi matin, dit le maire.", None),
        ("Lundi, Hué ouvre un pont.", "Un pont de Hué ouvre.", "Lundi, Hué ouvre un pont.\n\nUn pont de Hué ouvre."),
        (
            "Le pont de Hué ouvre lundi matin, en présence de Tô Lâm.",
            "Le pont de Hué ouvre lundi matin. Oui.",
            "Le pont de Hué ouvre lundi matin, en présence de Tô Lâm.\n\nLe pont de Hué ouvre lundi matin. Oui.",
        ),
        ("新桥今天通车了。", "新桥今天通车了。总理出席了典礼。", None),
    ],
    ids=["a standfirst", "the first paragraph", "a teaser", "the same words", "more at its end", "without spaces"],
)  # fmt: skip
def test_p21_a_standfirst_is_said_once(summary: str, content: str, expected: str | None):
    """It goes before the content, unless that holds it."""
    assert with_standfirst(summary, content) == (expected or content)


def test_p21_what_only_a_short_content_says():
    """It follows the longer summary."""
    whole = "Le pont de Hué ouvre lundi matin, dit le maire.\n\nLes ouvriers partent."
    assert with_standfirst(whole, "Les ouvriers partent.") == whole
    assert with_standfirst(whole, "Il pleut.") == f"{whole}\n\nIl pleut."
