"""Messages on waves: their stories by title, outlets and link, on every channel, in French and English."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from messages import ITEM, NOW, Shown, bot, mail, part, sealed, slack_texts, target, told

from worker.model import Alert, Answers, Channel, Digest, Message, Thread, WaveReport, WaveStory

BRIDGE = WaveStory(
    title="La crue emporte un pont",
    link="https://courrier.example/pont?a=1&b=2",
    language="fr",
    published=NOW,
    outlets=("Le Courrier", "Mekong Post", "La Dépêche"),
    articles=4,
)
ROAD = replace(BRIDGE, title="Une route coupée", link="", outlets=("Le Courrier",), articles=1)
WAVE = WaveReport(stories=7, per=timedelta(hours=6), top=(BRIDGE, ROAD))
TOLD = replace(ITEM, rules=(("Crues", "flood"),), occasion="wave", wave=WAVE, story_id=None)
GREW = Thread(root="<k0@e.org>", subject="[high] Crues: Vague de 5 affaires en 6 heures", last="<k0@e.org>", sent=NOW)


def text_of(message: Message) -> str:
    """A message as its reader sees it, whatever its channel."""
    if message.content.startswith(b"{"):
        said = json.loads(message.content)
        return said["body"] if "body" in said else "\n".join(slack_texts(said))
    return part(message, "plain")


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("language", "subject", "wanted"),
    [
        (
            "fr",
            "[high] Crues: Vague de 7 affaires en 6 heures",
            ["Le Courrier, Mekong Post et La Dépêche · 4 articles", "… et 5 autres affaires", "Constatée le jeudi 12"],
        ),
        (
            "en",
            "[high] Crues: Wave of 7 stories in 6 hours",
            ["Le Courrier, Mekong Post, and La Dépêche · 4 articles", "… and 5 more stories", "Reached Thursday"],
        ),
    ],
)
def test_a_wave_is_told_by_its_stories(channel: Channel, language: str, subject: str, wanted: list[str]) -> None:
    """The rule, how many in what time, the first ones with outlets and links; nothing of the one article."""
    message = sealed(TOLD, to=target(channel, language))
    text = text_of(message)
    assert message.subject == subject
    for said in ("La crue emporte un pont", "Une route coupée", "https://courrier.example/pont?a=1&", *wanted):
        assert said in text
    assert "Hun Sen" not in text
    assert "1 article " not in text


def test_the_page_links_each_story() -> None:
    page = Shown(part(sealed(TOLD), "html"))
    assert page.links == ["https://courrier.example/pont?a=1&b=2"]
    for said in ("Vague de 7 affaires en 6 heures", "Une route coupée", "… et 5 autres affaires", "Règle : Crues"):
        assert said in page.text


def test_slack_links_titles_and_leaves_out_links_without_room() -> None:
    """Twenty stories under links of two thousand signs keep the limits of a block."""
    long = replace(BRIDGE, link="https://courrier.example/" + "a" * 1_900, outlets=("Le Courrier du Mékong",) * 30)
    many = replace(WAVE, top=(long,) * 20)
    texts = slack_texts(json.loads(sealed(replace(TOLD, wave=many), to=target(Channel.SLACK)).content))
    assert max(map(len, texts)) <= 3_000
    assert "\n".join(texts).count("• La crue emporte un pont") == 20
    (listed,) = [said for said in slack_texts(json.loads(sealed(TOLD, to=bot()).content)) if said.startswith("• ")]
    assert listed.splitlines() == [
        (
            "• <https://courrier.example/pont?a=1&amp;b=2|La crue emporte un pont> · "
            "Le Courrier, Mekong Post et La Dépêche · 4 articles"
        ),
        "• Une route coupée · Le Courrier",
    ]


def test_one_that_grows_says_so_in_its_thread() -> None:
    """And the first one does not."""
    message = told(Alert(items=(replace(TOLD, occasion="wave-2"),), thread=GREW))
    assert mail(message)["Subject"] == f"Re: {GREW.subject}"
    assert part(message, "plain").startswith("La vague déjà signalée grandit.")
    assert "grandit" not in part(sealed(TOLD), "plain")


@pytest.mark.parametrize(
    ("per", "french", "english"),
    [
        (timedelta(hours=1), "en 1 heure", "in 1 hour"),
        (timedelta(minutes=90), "en 90 minutes", "in 90 minutes"),
        (timedelta(days=7), "en 7 jours", "in 7 days"),
        (timedelta(seconds=30), "en 30 secondes", "in 30 seconds"),
    ],
)
def test_times_are_said_in_their_largest_unit(per: timedelta, french: str, english: str) -> None:
    item = replace(TOLD, wave=replace(WAVE, per=per))
    assert sealed(item).subject.endswith(french)
    assert sealed(item, to=target(language="en")).subject.endswith(english)


def test_a_reader_answers_to_the_wave_not_to_one_of_its_articles() -> None:
    """Answers are for the content to choose; here each that is given is shown."""
    item = replace(TOLD, answers=Answers(acknowledge="https://v.example/a"))
    assert Shown(part(sealed(item), "html")).links[-1] == "https://v.example/a"


def test_a_digest_tells_a_wave_among_articles() -> None:
    """By itself, whatever story its article tells."""
    text = part(told(Digest(items=(TOLD, ITEM))), "plain")
    assert "2 alertes" in text
    assert text.index("Vague de 7 affaires") < text.index("Hun Sen attendu")
    assert "• Une route coupée · Le Courrier" in text
