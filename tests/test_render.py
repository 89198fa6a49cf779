"""Messages as people read them; the ids (N13 ...) are those of the fault list."""

import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import document_fromstring
from messages import HOSTILE, ITEM, NOW, PUBLISHED, Shown, mail, marked_texts, part, sealed, slack, slack_texts, target

from worker.analysis import text
from worker.model import Alert, Channel, Notice, Part, Passage, Severity, Span
from worker.notify.render import opening, passages, seal
from worker.notify.render.passages import clip, pieces, tidy

# --- passages ------------------------------------------------------------------------------------------------------

TITLE = "Visite de Hun Sen à Hanoï"
BODY = (
    "Le temps était clair. Hun Sen arrive lundi. Il verra le port.\n\n"
    "La visite de Hun Sen durera deux jours. Rien de plus. Hun Sen repartira mercredi."
)


def spans_of(found_in: Part, *words: str) -> list[Span]:
    """A span for each occurrence of each word."""
    content = TITLE if found_in is Part.TITLE else BODY
    return [
        Span(part=found_in, words=((start, start + len(word)),))
        for word in words
        for start in range(len(content))
        if content.startswith(word, start)
    ]


def marked(passage: Passage) -> list[str]:
    return [passage.text[start:end] for start, end in passage.marks]


def test_passages_are_the_sentences_that_hold_matched_words() -> None:
    """The title carries its marks; the body's sentences come in reading order, with theirs."""
    title, found = passages(
        text.analyse(TITLE, BODY, "fr"), [*spans_of(Part.TITLE, "Hun Sen"), *spans_of(Part.BODY, "visite", "lundi")]
    )
    assert (title.text, marked(title)) == (TITLE, ["Hun Sen"])
    assert [(p.text, marked(p)) for p in found] == [
        ("Hun Sen arrive lundi.", ["lundi"]),
        ("La visite de Hun Sen durera deux jours.", ["visite"]),
    ]


def test_passages_show_what_was_not_shown_yet() -> None:
    """With room for one sentence, the one that tells most is chosen; with room for two, no repetition."""
    document = text.analyse(TITLE, BODY, "fr")
    spans = spans_of(Part.BODY, "Hun Sen", "visite", "mercredi")
    assert [p.text for p in passages(document, spans, limit=1)[1]] == ["La visite de Hun Sen durera deux jours."]
    assert [p.text for p in passages(document, spans, limit=2)[1]] == [
        "La visite de Hun Sen durera deux jours.",
        "Hun Sen repartira mercredi.",
    ]


LONG = {
    "fr": "Un accord de pêche est signé à Vinh. Les deux ports du golfe l'attendaient depuis trois ans, et plus.",
    "vi": "Hiệp định nghề cá được ký tại Vinh. Hai cảng của vịnh đã chờ đợi ba năm nay, và hạn ngạch sẽ có sau.",
    "km": "កិច្ចព្រមព្រៀងនេសាទត្រូវបានចុះហត្ថលេខានៅទីក្រុងវិញ។ កំពង់ផែទាំងពីរនៃឈូងសមុទ្របានរង់ចាំអស់រយៈពេលបីឆ្នាំមកហើយ និងកូតានឹងមកតាមក្រោយ។",
    "lo": "ຂໍ້ຕົກລົງການປະມົງໄດ້ລົງນາມທີ່ເມືອງວິງ. ທ່າເຮືອທັງສອງໄດ້ລໍຖ້າມາເປັນເວລາສາມປີແລ້ວ ແລະໂຄຕ້າຈະຕາມມາໃນອາທິດໜ້າ ໃນຕອນເຊົ້າ.",
    "zh": "渔业协定在荣市签署。" * 12,
}


@pytest.mark.parametrize(("language", "body"), LONG.items(), ids=LONG)
def test_the_first_words_stand_for_a_title(language: str, body: str) -> None:
    """Of an article without one: cut behind a word, or a cluster of a script without spaces, with an ellipsis."""
    found = opening(text.analyse("", body, language), [])
    shown = found.text.removesuffix("…")
    assert 60 < len(shown) <= 90
    assert found.text.endswith("…")
    assert body.startswith(shown)
    rest = body[len(shown)]
    assert not rest.isalnum() or language in {"km", "lo", "zh"}
    assert unicodedata.category(rest)[0] != "M"


@pytest.mark.parametrize(
    ("body", "shown", "marks"),
    [
        ("Un accord est signé.", "Un accord est signé.", ["accord"]),
        ("Un accord.\n\nEt un autre accord.", "Un accord.\n\nEt un autre accord.", ["accord", "accord"]),
        ("x" * 200 + " accord", "x" * 90 + "…", []),
        ("", "", []),
        ("…!", "…!", []),
    ],
    ids=["short", "paragraphs", "one long word", "nothing", "no word"],
)
def test_a_short_text_is_its_own_title(body: str, shown: str, marks: list[str]) -> None:
    """With its marks, and without an ellipsis where nothing is left out."""
    spans = [Span(part=Part.BODY, words=(found.span(),)) for found in re.finditer("accord", body)]
    found = opening(text.analyse("", body, "fr"), spans)
    assert (found.text, marked(found)) == (shown, marks)


def test_passages_cut_a_match_that_runs_over_sentences() -> None:
    """A regex may match across a sentence's end: each sentence carries its own part of the mark."""
    start, end = BODY.index("arrive lundi"), BODY.index("le port")
    _, found = passages(text.analyse(TITLE, BODY, "fr"), [Span(part=Part.BODY, words=((start, end),))])
    assert [(p.text, [m.strip() for m in marked(p)]) for p in found] == [
        ("Hun Sen arrive lundi.", ["arrive lundi."]),
        ("Il verra le port.", ["Il verra"]),
    ]


def test_passages_without_spans() -> None:
    """Nothing matched in the body: no sentence."""
    title, found = passages(text.analyse(TITLE, BODY, "fr"), [])
    assert (title, found) == (Passage(text=TITLE), ())


@given(st.data())
def test_passages_marks_lie_inside(data: st.DataObject) -> None:
    """Whatever ranges matched, marks lie in their sentence, in order, apart, and no more sentences than the limit."""
    content = data.draw(st.text(st.sampled_from("ab é.\n!李"), max_size=120))
    place = st.integers(0, len(content))
    ranges = data.draw(st.lists(st.tuples(place, place).map(sorted).filter(lambda pair: pair[0] < pair[1]), max_size=6))
    spans = [Span(part=Part.BODY, words=((start, end),)) for start, end in ranges]
    _, found = passages(text.analyse("", content, "fr"), spans, limit=3)
    assert len(found) <= 3
    for passage in found:
        assert passage.text in content
        context = [edge for mark in passage.marks for edge in mark]
        assert context == sorted(context)
        assert all(0 <= start < end <= len(passage.text) for start, end in passage.marks)


@given(marked_texts())
def test_tidy_keeps_what_is_marked(passage: Passage) -> None:
    """One clean line, and the same letters marked as before."""
    tidied = tidy(passage)
    assert tidied.text.isprintable() or not any(c in tidied.text for c in "\r\n\t\0\x1b\x85\u2028\u202e\ud800")
    assert "  " not in tidied.text
    assert tidied.text == tidied.text.strip()
    letters = [[c for c in mark if c.isalnum()] for mark in marked(passage)]
    assert [[c for c in mark if c.isalnum()] for mark in marked(tidied) if any(map(str.isalnum, mark))] == [
        kept for kept in letters if kept
    ]


@given(marked_texts(), st.integers(3, 60))
def test_clip_keeps_the_size(passage: Passage, size: int) -> None:
    """At most `size` characters, cut parts shown by an ellipsis; what is marked was marked before."""
    clipped = clip(passage, size)
    assert len(clipped.text) <= size
    assert clipped.text.strip("…").strip() in passage.text
    whole = "".join(marked(passage))
    assert all(mark.strip("…") in whole for mark in marked(clipped))
    assert "".join(piece for piece, _ in pieces(clipped)) == clipped.text


def test_clip_shows_the_first_mark() -> None:
    """A sentence that is too long is cut around its first mark, at words."""
    passage = Passage(text="mot " * 100 + "visite " + "fin " * 100, marks=((400, 406),))
    clipped = clip(passage, 80)
    assert marked(clipped) == ["visite"]
    assert clipped.text.startswith("…mot ")
    assert clipped.text.endswith(" fin…")


def test_pieces_join_neighbours() -> None:
    """The words of one name are one mark."""
    assert pieces(ITEM.passages[0]) == [
        ("La ", False),
        ("visite", True),
        (" de ", False),
        ("Hun Sen", True),
        (" durera deux jours.", False),
    ]


# --- mail ----------------------------------------------------------------------------------------------------------


def test_mail_headers() -> None:
    """One recipient, the subject's form, and the sign of a machine."""
    message = sealed(ITEM)
    parsed = mail(message)
    assert message.subject == "[high] Visite de Hun Sen: Hun Sen attendu à Hanoï"
    assert parsed["Subject"] == message.subject
    assert (parsed["From"], parsed["To"]) == ("Veille <v@e.org>", "d@e.org")
    assert parsed["Message-ID"] == message.message_id == "<k1@e.org>"  # the sender's own domain
    assert parsed["Date"].datetime == NOW
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert [p.get_content_type() for p in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_seal_is_stable() -> None:
    """The same input gives the same bytes; another key another boundary and Message-ID."""
    for channel in Channel:
        assert sealed(ITEM, to=target(channel)) == sealed(ITEM, to=target(channel))
    assert mail(sealed(ITEM, key="k2")).get_boundary() != mail(sealed(ITEM)).get_boundary()


@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.LOG])
def test_mail_says_it_all(channel: Channel, kind: str) -> None:
    """Rules, severity, title, source, date, sentence and link stand in both parts."""
    said = part(sealed(ITEM, to=target(channel)), kind)
    page = Shown(said)
    shown = said if kind == "plain" else " ".join([page.text, *page.links])
    for expected in (
        "Visite de Hun Sen",
        "Accord frontalier",
        "Importance élevée",
        "Hun Sen attendu à Hanoï",
        "Le Courrier du Mékong",
        "jeudi 12 mars 2026 à 09:40 (UTC+07:00)",
        "https://courrier.example/a?x=1&y=2",
    ):
        assert expected in shown
    if kind == "plain":
        assert "La *visite* de *Hun Sen* durera deux jours." in shown
    else:
        assert "La visite de Hun Sen durera deux jours." in shown
        assert page.marked == ["Hun Sen", "visite", "Hun Sen"]


def test_mail_in_english_elsewhere() -> None:
    """The product's words and the date follow the target's language and time zone."""
    said = part(sealed(ITEM, to=target(language="en", timezone="Europe/Paris")), "plain")
    assert "Published Thursday 12 March 2026, 03:40 (GMT+01:00)" in said
    assert "High severity" in said
    assert "Read the article" in said


def test_mail_does_not_invent_a_date() -> None:
    """An article without a date of its own was seen then, not published."""
    assert "Repéré le jeudi 12 mars 2026 à 09:40" in part(sealed(replace(ITEM, first_seen=PUBLISHED)), "plain")


@pytest.mark.parametrize(
    ("occasion", "word"), [("follow-up", "Suite"), ("correction", "Correction"), ("escalation-2", "Rappel")]
)
def test_mail_names_the_occasion(occasion: str, word: str) -> None:
    """Every message but the first says why it comes."""
    assert part(sealed(replace(ITEM, occasion=occasion)), "plain").startswith(f"{word} : ")


def test_mail_of_several_articles() -> None:
    """One after another; the subject is that of the gravest, and counts the others."""
    other = replace(
        ITEM,
        article_id=8,
        severity=Severity.CRITICAL,
        rules=(("Accord frontalier", "border-agreement"),),
        title=Passage(text="Bornage achevé"),
    )
    message = sealed(ITEM, other)
    assert message.subject == "[critical] Accord frontalier: Bornage achevé (+1)"
    said = part(message, "plain")
    assert said.index("Hun Sen attendu") < said.index("Bornage achevé")
    assert Shown(part(message, "html")).tags.count("h1") == 2


@given(HOSTILE)
def test_mail_survives_any_text(content: str) -> None:
    """Any title, source, rule name and link give 7-bit lines, the same subject when read, and no element of theirs."""
    item = replace(
        ITEM,
        rules=((content, "r"),),
        title=Passage(text=content),
        passages=(Passage(text=content, marks=((0, len(content)),)),),
        source=content,
        link=content,
    )
    message = sealed(item)
    assert message.content.isascii()
    assert b"\n" not in message.content.replace(b"\r\n", b"")
    parsed = mail(message)
    assert parsed["Subject"] == message.subject
    assert not parsed.defects
    page = Shown(part(message, "html"))
    assert set(page.tags) <= set(Shown(part(sealed(ITEM), "html")).tags)
    for channel in (Channel.SLACK, Channel.APPRISE):
        json.loads(sealed(item, to=target(channel)).content)


def test_mail_to_an_international_domain() -> None:
    """A domain that ASCII cannot write is written as DNS has it (RFC 5890)."""
    message = seal(Alert(items=(ITEM,)), target=target(), recipient="mailto:d@exämple.org", key="k", host="h", now=NOW)
    assert mail(message)["To"] == "d@xn--exmple-cua.org"
    assert message.content.isascii()


# --- Slack ---------------------------------------------------------------------------------------------------------


def test_slack_payload() -> None:
    """Facts, linked title, quoted sentence with bold marks, and no previews; the key names the first block."""
    payload = slack(ITEM)
    assert payload["text"] == "[high] Visite de Hun Sen: Hun Sen attendu à Hanoï"
    assert payload["unfurl_links"] is False
    texts = slack_texts(payload)
    assert texts[0] == "Importance élevée · Visite de Hun Sen · Accord frontalier"
    assert texts[1] == "*<https://courrier.example/a?x=1&amp;y=2|Hun Sen attendu à Hanoï>*"
    assert texts[2] == ">La *visite* de *Hun Sen* durera deux jours."
    assert texts[3].startswith("Le Courrier du Mékong · Publié le jeudi 12 mars 2026")
    assert payload["blocks"][0]["block_id"] == "k1"  # type: ignore[index]  # a JSON array


def test_slack_bold_beside_a_letter() -> None:
    """Slack takes a star beside a letter for a star; a zero-width space parts them."""
    item = replace(ITEM, passages=(Passage(text="l'accord李明访问", marks=((2, 8), (8, 10))),))
    assert slack_texts(slack(item))[2] == ">l'\u200b*accord李明*\u200b访问"


# --- the others ----------------------------------------------------------------------------------------------------


def test_apprise_payload() -> None:
    """A title and plain text, nothing else."""
    said = json.loads(sealed(ITEM, to=target(Channel.APPRISE)).content)
    assert set(said) == {"title", "body"}
    assert said["title"] == "[high] Visite de Hun Sen: Hun Sen attendu à Hanoï"
    assert said["body"] == part(sealed(ITEM), "plain")


def test_log_is_a_mail_to_ourselves() -> None:
    """The file opens as a mail, from and to Veille itself."""
    message = seal(
        Alert(items=(ITEM,)), target=target(Channel.LOG), recipient="log:t", key="k", host="veille.example", now=NOW
    )
    assert mail(message)["From"] == "Veille <veille@veille.example>"
    assert mail(message)["To"] == "veille@veille.example"


@pytest.mark.parametrize("channel", list(Channel))
def test_notice(channel: Channel) -> None:
    """A notice goes out by every channel, its lines kept, its text as text."""
    notice = Notice(subject="Le flux\r\nest muet", body="Une ligne <b>.\n\nUne autre.")
    message = seal(notice, target=target(channel), recipient="mailto:d@e.org", key="k", host="h.example", now=NOW)
    assert message.subject == "[Veille] Le flux est muet"
    if channel in {Channel.EMAIL, Channel.LOG}:
        assert part(message, "plain").startswith("Une ligne <b>.\n\nUne autre.\n")
        assert "Une ligne <b>." in Shown(part(message, "html")).text
    else:
        assert "Une autre." in message.content.decode()


@pytest.mark.parametrize(
    ("line", "links"),
    [
        ("    https://e.example/a?b=1&c=<d>", ["https://e.example/a?b=1&c=<d>"]),
        ("see https://e.example/a", []),
        ("https://e.example/a and more", []),
        ("javascript:alert(1)", []),
    ],
)
def test_a_line_of_a_notice_that_is_an_address_is_a_link(line: str, links: list[str]) -> None:
    """The text stays as it is; what stands in a sentence is left to the reader's program."""
    notice = Notice(subject="Une liste", body=f"Titre\n{line}")
    message = seal(notice, target=target(Channel.EMAIL), recipient="mailto:d@e.org", key="k", host="h", now=NOW)
    assert line in part(message, "plain")
    page = document_fromstring(part(message, "html"))
    assert page.xpath("//a/@href") == links
    assert line.strip() in page.text_content()


def test_an_old_article_keeps_its_date() -> None:
    """Years before the first time zone law and far ahead are dates too."""
    for year in (1, 9998):
        moment = datetime(year, 1, 2, tzinfo=UTC)
        item = replace(ITEM, published=moment, first_seen=moment + timedelta(hours=1))
        assert "janvier" in part(sealed(item), "plain")
