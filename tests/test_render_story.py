"""Messages on a story: threads, what is new, other outlets, old dates, answers; digests."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from messages import ITEM, Shown, bot, mail, part, slack_texts, target, told

from worker.model import (
    Alert,
    AlertItem,
    Answers,
    Change,
    Channel,
    Digest,
    Message,
    Passage,
    Severity,
    Suppression,
    Target,
    Thread,
)

#: 09:00 in Hanoi.
FIRST_TOLD = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
SUBJECT = "[high] Visite de Hun Sen: Hun Sen attendu à Hanoï"
THREAD = Thread(root="<k0@e.org>", subject=SUBJECT, last="<k1@e.org>", sent=FIRST_TOLD)
LONG_ID = f"<{'k' * 120}@e.org>"
FOLLOW_UP = replace(ITEM, occasion="follow-up", source="Mekong Post", title=Passage(text="Hun Sen due in Hanoi"))
CORRECTION = replace(
    ITEM,
    occasion="correction",
    changes=(
        Change(
            before=Passage(text="La visite durera deux jours.", marks=((17, 21),)),
            after=Passage(text="La visite durera trois jours.", marks=((17, 22),)),
        ),
        Change(before=Passage(text=""), after=Passage(text="Il verra le port.")),
    ),
)
ANSWERS = Answers(
    acknowledge="https://v.example/a/1_x", mute="https://v.example/m/1", noise="https://v.example/n/1?x=1&y=2"
)


def follow_up(*items: AlertItem, to: Target | None = None, thread: Thread = THREAD, key: str = "k2") -> Message:
    return told(Alert(items=items, thread=thread), to=to, key=key)


def plain_of(message: Message) -> str:
    """A message as its reader sees it, whatever its channel."""
    if message.content.startswith(b"{"):
        said = json.loads(message.content)
        return said["body"] if "body" in said else "\n".join(slack_texts(said))
    return part(message, "plain")


RETENU = "Retenu depuis la dernière synthèse"
HELD = "Held back since the last digest"
#: A narrow no-break space parts thousands in French.
MANY_FR = "1 alerte mise en sourdine et 1\u202f200 articles d’affaires déjà signalées."


# --- threads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "last", "replies_to", "references"),
    [
        pytest.param("<k0@e.org>", "<k1@e.org>", "<k1@e.org>", ["<k0@e.org>", "<k1@e.org>"], id="third"),
        pytest.param("<k0@e.org>", "<k0@e.org>", "<k0@e.org>", ["<k0@e.org>"], id="second"),
        pytest.param(LONG_ID, "<k1@e.org>", "<k1@e.org>", [LONG_ID, "<k1@e.org>"], id="long"),
        pytest.param("<k0@e.org>\r\nBcc: x@y", "<k1@e.org>", "<k1@e.org>", ["<k1@e.org>"], id="N13-no-id"),
        pytest.param("", "", None, [], id="unknown"),
    ],
)
def test_mail_goes_below_the_first(root: str, last: str, replies_to: str | None, references: list[str]) -> None:
    """In-Reply-To names the last message, References the first and the last, each once."""
    message = follow_up(FOLLOW_UP, thread=replace(THREAD, root=root, last=last))
    parsed = mail(message)
    assert parsed["In-Reply-To"] == replies_to
    assert (parsed["References"] or "").split() == references
    assert parsed["Bcc"] is None
    assert parsed["Message-ID"] == "<k2@e.org>"


@pytest.mark.parametrize("subject", [SUBJECT, f"Re: {SUBJECT}", f"RE: re : {SUBJECT}"], ids=["first", "Re", "Re-Re"])
def test_mail_keeps_the_subject(subject: str) -> None:
    """`Re: ` stands once before the first message's subject, by which mail programs keep a thread together."""
    assert mail(follow_up(FOLLOW_UP, thread=replace(THREAD, subject=subject)))["Subject"] == f"Re: {SUBJECT}"


def test_a_long_subject_is_the_same_in_its_thread() -> None:
    """The room for `Re: ` is kept free from the start, so that no thread is parted by a cut."""
    first = told(Alert(items=(replace(ITEM, title=Passage(text="mot " * 200)),)))
    again = follow_up(FOLLOW_UP, thread=replace(THREAD, subject=first.subject))
    assert again.subject == f"Re: {first.subject}"
    assert len(again.subject) <= 200


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("item", "french", "english"),
    [
        (FOLLOW_UP, "Suite : nouvelle source, Mekong Post.", "Follow-up: a new source, Mekong Post."),
        (
            CORRECTION,
            "Correction : le texte déjà signalé a changé.",
            "Correction: the text of an earlier alert has changed.",
        ),
        (
            replace(ITEM, occasion="development"),
            "Développement : l’affaire déjà signalée évolue.",
            "Development: the story of an earlier alert goes on.",
        ),
        (
            replace(ITEM, occasion="escalation-2"),
            "Rappel : personne n’a encore accusé réception de cette alerte.",
            "Reminder: nobody has acknowledged this alert yet.",
        ),
    ],
    ids=["follow-up", "correction", "development", "escalation"],
)
def test_the_first_line_says_what_is_new(channel: Channel, item: AlertItem, french: str, english: str) -> None:
    """Every message but the first begins with what it adds, in the target's language."""
    to = bot() if channel is Channel.SLACK else target(channel)
    for language, expected in (("fr", french), ("en", english)):
        message = follow_up(item, to=replace(to, language=language), thread=replace(THREAD, ref="17.1"))
        assert plain_of(message).split("\n")[0].strip("*") == expected
        if channel is Channel.EMAIL:
            shown = Shown(part(message, "html")).text
            assert shown.count(expected) == 2  # in the preview of a list of mails, and above the title
            assert shown.rindex(expected) < shown.rindex(item.title.text)


def test_a_correction_shows_both_texts() -> None:
    """Text before and after, with the words that differ marked; a sentence that was added stands alone."""
    message = follow_up(CORRECTION)
    said = part(message, "plain")
    assert "Avant : La visite durera *deux* jours.\nAprès : La visite durera *trois* jours.\n" in said
    assert "\nAjouté : Il verra le port.\n" in said
    page = Shown(part(message, "html"))
    assert page.marked[:2] == ["deux", "trois"]
    assert "Il verra le port." in page.text
    texts = slack_texts(json.loads(follow_up(CORRECTION, to=bot()).content))
    assert ">Avant : La visite durera *deux* jours.\n>Après : La visite durera *trois* jours." in texts
    assert ">Ajouté : Il verra le port." in texts


def test_slack_answers_in_the_thread_of_a_bot() -> None:
    """With a token and the first message's `ts`; the channel is not told again."""
    payload = json.loads(follow_up(FOLLOW_UP, to=bot(), thread=replace(THREAD, ref="1741.0001")).content)
    assert (payload["thread_ts"], payload["reply_broadcast"]) == ("1741.0001", False)
    assert not [said for said in slack_texts(payload) if "Suite de" in said]


@pytest.mark.parametrize(
    ("to", "ref"), [(bot(), ""), (target(Channel.SLACK), "1741.0001")], ids=["bot-without-ts", "webhook"]
)
def test_slack_names_the_first_message_elsewhere(to: Target, ref: str) -> None:
    """Subject and time of the first, in the reader's zone, and the link of the article."""
    payload = json.loads(follow_up(FOLLOW_UP, to=to, thread=replace(THREAD, ref=ref)).content)
    assert "thread_ts" not in payload
    assert slack_texts(payload)[0] == (
        f"Suite de «\u00a0{SUBJECT}\u00a0» (mercredi 11 mars 2026 à 09:00 (UTC+07:00))"
        " · <https://courrier.example/a?x=1&amp;y=2|Lire l’article>"
    )
    assert payload["text"] == "Suite : [high] Visite de Hun Sen: Hun Sen due in Hanoi"


def test_apprise_says_that_it_follows() -> None:
    """The title says so, and the body names the first message."""
    said = json.loads(follow_up(FOLLOW_UP, to=target(Channel.APPRISE)).content)
    assert said["title"] == "Suite : [high] Visite de Hun Sen: Hun Sen due in Hanoi"
    assert f"\nSuite de «\u00a0{SUBJECT}\u00a0» (mercredi 11 mars 2026 à 09:00 (UTC+07:00))\n" in said["body"]
    english = follow_up(FOLLOW_UP, to=target(Channel.APPRISE, "en"))
    assert english.subject == "Follow-up: [high] Visite de Hun Sen: Hun Sen due in Hanoi"


# --- what an item shows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("item", "french", "english"),
    [
        pytest.param(
            replace(ITEM, outlets=("Mekong Post", "VNA", "Mekong Post", "AKP")),
            "Aussi dans : Mekong Post, VNA et AKP",
            "Also in: Mekong Post, VNA, and AKP",
            id="outlets",
        ),
        pytest.param(
            replace(ITEM, outlets=tuple(f"O{n}" for n in range(1, 13))),
            "Aussi dans : O1, O2, O3, O4, O5, O6, O7, O8 et 4 autres",
            "Also in: O1, O2, O3, O4, O5, O6, O7, O8, and 4 others",
            id="many-outlets",
        ),
        pytest.param(
            replace(ITEM, perhaps=("Hun Sen attendu à Hanoï", "Mekong Post")),
            "Peut-être la même affaire que : Hun Sen attendu à Hanoï (Mekong Post)",
            "Perhaps the same as: Hun Sen attendu à Hanoï (Mekong Post)",
            id="perhaps",
        ),
        pytest.param(
            replace(ITEM, perhaps=("Hun Sen attendu à Hanoï", "")),
            "Peut-être la même affaire que : Hun Sen attendu à Hanoï",
            "Perhaps the same as: Hun Sen attendu à Hanoï",
            id="perhaps-of-no-outlet",
        ),
        pytest.param(
            ITEM,
            "Mots trouvés : «\u00a0Hun Sen\u00a0», «\u00a0visite\u00a0» (Visite de Hun Sen, Accord frontalier)",
            "Words found: “Hun Sen”, “visite” (Visite de Hun Sen, Accord frontalier)",
            id="why",
        ),
        pytest.param(
            replace(ITEM, title=Passage(text="Sans mot"), passages=()),
            "Règle : Visite de Hun Sen, Accord frontalier",
            "Rule: Visite de Hun Sen, Accord frontalier",
            id="no-words",
        ),
        pytest.param(
            replace(ITEM, old=True, published=datetime(2026, 1, 3, tzinfo=UTC)),
            "Date du 3 janvier : ancien",
            "Dated 3 January: old",
            id="old",
        ),
        pytest.param(
            replace(ITEM, old=True, published=datetime(2024, 7, 1, tzinfo=UTC)),
            "Date du 1er juillet 2024 : ancien",
            "Dated 1 July 2024: old",
            id="old-by-years",
        ),
    ],
)
def test_an_item_says_more(channel: Channel, item: AlertItem, french: str, english: str) -> None:
    """Other outlets, why it matched and an old date stand in every form, in either language."""
    for language, expected in (("fr", french), ("en", english)):
        message = told(Alert(items=(item,)), to=target(channel, language))
        assert expected in plain_of(message)
        if channel is Channel.EMAIL:
            assert expected in Shown(part(message, "html")).text


@pytest.mark.parametrize("channel", list(Channel))
def test_answers_are_links(channel: Channel) -> None:
    """Each answer that is served has its link; an empty one is not offered."""
    item = replace(ITEM, answers=replace(ANSWERS, mute=""))
    said = plain_of(told(Alert(items=(item,)), to=target(channel)))
    expected = {
        Channel.SLACK: "<https://v.example/a/1_x|Accuser réception> · <https://v.example/n/1?x=1&amp;y=2|Sans intérêt>",
        # The sign of Markdown's emphasis, percent-encoded, is the same address (RFC 3986 2.3).
        Channel.APPRISE: "Accuser réception : https://v.example/a/1%5Fx\nSans intérêt : https://v.example/n/1?x=1&y=2\n",
    }.get(channel, "Accuser réception : https://v.example/a/1_x\nSans intérêt : https://v.example/n/1?x=1&y=2\n")
    assert expected in said
    assert "Ne plus suivre" not in said
    if channel is Channel.EMAIL:
        links = Shown(part(told(Alert(items=(item,))), "html")).links
        assert links == [ITEM.link, ITEM.link, ANSWERS.acknowledge, ANSWERS.noise]


# --- digests -------------------------------------------------------------------------------------------------------


def article(number: int, severity: Severity = Severity.HIGH, story: int | None = None) -> AlertItem:
    return replace(
        ITEM,
        article_id=number,
        severity=severity,
        story_id=story,
        title=Passage(text=f"Article {number} :"),
        link=f"https://e.example/{number}",
    )


def order(said: str) -> list[int]:
    return [int(found) for found in re.findall(r"Article (\d+) :", said)]


@pytest.mark.parametrize(
    ("language", "count", "subject"),
    [
        ("fr", 12, "[Veille] Synthèse du 12 mars : 12 alertes"),
        ("fr", 1, "[Veille] Synthèse du 12 mars : 1 alerte"),
        ("en", 12, "[Veille] Digest of 12 March: 12 alerts"),
        ("en", 1, "[Veille] Digest of 12 March: 1 alert"),
    ],
)
def test_digest_subject(language: str, count: int, subject: str) -> None:
    """The day where the reader is, and how many alerts."""
    items = tuple(article(n) for n in range(count))
    assert told(Digest(items=items), to=target(language=language)).subject == subject


def test_digest_is_dated_where_the_reader_is() -> None:
    """At 03:00 UTC it is still the day before in New York."""
    assert "11 mars" in told(Digest(items=(ITEM,)), to=target(timezone="America/New_York")).subject


@pytest.mark.parametrize("channel", list(Channel))
def test_digest_order(channel: Channel) -> None:
    """The most severe first; the articles of one story together, under the most severe; else as they come."""
    items = (
        article(1, Severity.LOW),
        article(2, Severity.MEDIUM, story=7),
        article(3, Severity.HIGH, story=8),
        article(4, Severity.CRITICAL, story=7),
        article(5, Severity.HIGH),
        article(6, Severity.LOW, story=8),
    )
    assert order(plain_of(told(Digest(items=items), to=target(channel)))) == [4, 2, 3, 6, 5, 1]
    if channel is Channel.EMAIL:
        page = Shown(part(told(Digest(items=items)), "html"))
        assert order(page.text)[-6:] == [4, 2, 3, 6, 5, 1]
        assert page.tags.count("h1") == 4


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("held_back", "french", "english"),
    [
        (
            (
                (Suppression.COPY, 3),
                (Suppression.SILENCED, 1),
                (Suppression.OLD_NEWS, 0),
                (Suppression.SAME_STORY, 1200),
            ),
            f"{RETENU} : 3 copies d’articles déjà traités, {MANY_FR}",
            f"{HELD}: 3 copies of articles dealt with, 1 alert silenced, and 1,200 articles of stories already sent.",
        ),
        (
            (),
            "Rien n’a été retenu depuis la dernière synthèse.",
            "Nothing was held back since the last digest.",
        ),
    ],
    ids=["some", "none"],
)
def test_digest_ends_with_what_was_held_back(
    channel: Channel, held_back: tuple[tuple[Suppression, int], ...], french: str, english: str
) -> None:
    """The last line says how many alerts were not told, and why."""
    for language, expected in (("fr", french), ("en", english)):
        message = told(Digest(items=(ITEM,), held_back=held_back), to=target(channel, language))
        assert plain_of(message).rstrip().split("\n")[-1].replace("\u200b", "") == expected
        if channel is Channel.EMAIL:
            assert Shown(part(message, "html")).text.rstrip().endswith(expected)


@pytest.mark.parametrize("reason", list(Suppression))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_suppression_has_its_words(reason: Suppression, language: str) -> None:
    """One and many of each, told apart."""
    one, many = (
        told(Digest(items=(ITEM,), held_back=((reason, count),)), to=target(language=language)) for count in (1, 2)
    )
    assert re.search(r": 1 \w+", part(one, "plain").rstrip().split("\n")[-1])
    assert re.search(r": 2 \w+", part(many, "plain").rstrip().split("\n")[-1])


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.APPRISE, Channel.LOG])
def test_n18_digest_lists_every_article(channel: Channel) -> None:
    """Two hundred articles with long sentences: each stands there with its link, the first with a sentence."""
    items = tuple(replace(article(n), passages=(Passage(text="mot " * 2_000),)) for n in range(200))
    message = told(Digest(items=items), to=target(channel))
    said = plain_of(message)
    assert order(said) == list(range(200))
    assert all(re.search(rf"https://e\.example/{n}$", said, re.MULTILINE) for n in range(200))
    assert said.count("> mot mot") == 20
    if channel is Channel.EMAIL:
        links = Shown(part(message, "html")).links
        assert set(links) == {f"https://e.example/{n}" for n in range(200)}


@pytest.mark.parametrize(("count", "linked"), [(5, True), (60, True), (90, False)])
def test_n18_slack_digest_lists_them_all(count: int, linked: bool) -> None:
    """With links where there is room for them."""
    items = tuple(article(n) for n in range(count))
    items = tuple(replace(item, link=f"{item.link}?{'x' * (100 if count > 60 else 10)}") for item in items)
    said = "\n".join(slack_texts(json.loads(told(Digest(items=items), to=target(Channel.SLACK)).content)))
    assert order(said) == list(range(count))
    assert ("https://" in said) is linked
    assert "veille ledger" not in said


def test_n18_slack_digest_says_how_many_more() -> None:
    """Beyond Slack's limits it says how many more there are, and where; nothing is dropped in silence."""
    items = tuple(replace(article(n), title=Passage(text=f"Article {n} : " + "mot " * 60)) for n in range(500))
    payload = json.loads(told(Digest(items=items), to=target(Channel.SLACK)).content)
    texts = slack_texts(payload)
    shown = order("\n".join(texts))
    assert shown == list(range(len(shown)))
    assert 80 < len(shown) < 500
    assert f"… et {500 - len(shown)} autres : voir `veille ledger --titles`." in texts
    assert texts[-1] == "Rien n’a été retenu depuis la dernière synthèse."
    assert len(payload["blocks"]) <= 50
    assert sum(map(len, texts)) < 13_000
    assert all(len(said) <= 3000 for said in texts)


def test_an_alert_of_too_many_says_how_many_more() -> None:
    """So does an alert that was not parted."""
    items = tuple(replace(article(n), title=Passage(text=f"Article {n} : " + "mot " * 60)) for n in range(500))
    texts = slack_texts(json.loads(told(Alert(items=items), to=target(Channel.SLACK)).content))
    shown = order("\n".join(texts))
    assert texts[0].startswith("500 articles")
    assert texts[-1] == f"… et {500 - len(shown)} autres : voir `veille ledger --titles`."


def test_messages_are_stable() -> None:
    """The same digest, or follow-up, gives the same bytes on every channel."""
    for channel in Channel:
        for content in (Digest(items=(ITEM, FOLLOW_UP)), Alert(items=(FOLLOW_UP,), thread=THREAD)):
            assert told(content, to=target(channel)) == told(content, to=target(channel))


def test_a_story_without_a_first_message_is_no_reply() -> None:
    """A follow-up whose first message died is itself the first: no thread, its own subject."""
    message = told(Alert(items=(FOLLOW_UP,)))
    assert mail(message)["In-Reply-To"] is None
    assert message.subject == "[high] Visite de Hun Sen: Hun Sen due in Hanoi"
