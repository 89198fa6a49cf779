"""Damage that an article or a rule could do to a message, by fault id (N13 ...), on every channel."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import ITEM, Shown, bot, mail, marked_texts, part, sealed, slack, slack_texts, target, told

from worker.model import (
    Alert,
    AlertItem,
    Change,
    Channel,
    Digest,
    Message,
    Notice,
    Passage,
    Thread,
    WaveReport,
    WaveStory,
)

TOLD = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)


def everywhere(content: str) -> AlertItem:
    """An item whose every text is `content`."""
    said = Passage(text=content)
    return replace(
        ITEM,
        rules=((content, "r"),),
        occasion="correction",
        title=said,
        passages=(said,),
        source=content,
        link="",
        outlets=(content,),
        perhaps=(content, content),
        changes=(Change(before=said, after=Passage(text=f"x {content}")),),
    )


def wave_of(content: str) -> WaveReport:
    """A wave whose every text is `content`."""
    story = WaveStory(title=content, link="", language="fr", published=TOLD, outlets=(content, "B"), articles=3)
    return WaveReport(stories=9, per=timedelta(hours=6), top=(story, story))


def messages_of(content: str, channel: Channel) -> list[Message]:
    """An alert, a follow-up, a wave, a digest and a notice that say it."""
    item, to = everywhere(content), target(channel)
    thread = Thread(root=content, subject=content, last=f"<{content}@e.org>", sent=TOLD, ref=content)
    return [
        told(Alert(items=(item,)), to=to),
        told(Alert(items=(item,), thread=thread), to=to),
        told(Alert(items=(item,), thread=thread), to=bot() if channel is Channel.SLACK else to),
        told(Digest(items=(item, replace(item, story_id=1), replace(item, story_id=1))), to=to),
        told(Notice(subject=content, body=content), to=to),
        told(Alert(items=(replace(item, occasion="wave-2", wave=wave_of(content)),)), to=to),
    ]


# --- N13, N14: headers ---------------------------------------------------------------------------------------------

HEADERS = {
    "Subject",
    "From",
    "To",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "In-Reply-To",
    "References",
}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("T\r\nBcc: evil@x.example\r\n\r\nbody", id="line-breaks"),
        pytest.param("=?utf-8?q?T=0D=0ABcc:_evil@x.example?=", id="encoded-word"),
        pytest.param("a\u2028Bcc: evil@x.example\x85b\x0bc", id="other-line-ends"),
        pytest.param("a>\r\n <b@c>", id="folded"),
    ],
)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.LOG])
def test_n13_headers_are_ours(channel: Channel, content: str) -> None:
    """Whatever a title, a rule or an earlier subject holds: one Subject, no Bcc, and every header is one of ours."""
    for message in messages_of(content, channel):
        parsed = mail(message)
        assert parsed["Subject"] == message.subject
        assert set(parsed.keys()) <= HEADERS
        assert len(parsed.keys()) == len(set(parsed.keys()))
        assert not parsed.defects


@pytest.mark.parametrize(
    "title",
    [
        pytest.param("mot " * 1250, id="5000-letters"),
        pytest.param("é" * 5000, id="one-long-word"),
        pytest.param("w" * 5000, id="one-long-ascii-word"),
        pytest.param("", id="no-title"),
    ],
)
@pytest.mark.parametrize("channel", list(Channel))
def test_n14_subjects_are_short(channel: Channel, title: str) -> None:
    """At most 200 characters, and no line that a server refuses (RFC 5322 2.1.1)."""
    for message in messages_of(title, channel):
        assert 1 <= len(message.subject) <= 200
        if channel in {Channel.EMAIL, Channel.LOG}:
            assert mail(message)["Subject"] == message.subject
            assert max(len(line) for line in message.content.split(b"\r\n")) <= 998


# --- N15: HTML -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><a href="https://evil.example">',
        "{{ 7 * 7 }} {% include 'x' %}",
        "&lt;b&gt;",
    ],
)
def test_n15_html_shows_text_as_text(content: str) -> None:
    """Markup in an article is shown, not obeyed; so are the marks of the template language."""
    page = Shown(part(sealed(replace(ITEM, title=Passage(text=content), passages=(Passage(text=content),))), "html"))
    assert page.text.count(content) >= 2
    assert not {"script", "img", "b"} & set(page.tags)
    assert set(page.links) == {ITEM.link}


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("javascript:alert(1)", []),
        ("data:text/html,x", []),
        ("//courrier.example/a", []),
        ("https://", []),
        ("https://[", []),
        ("", []),
        ("https://courrier.example/" + "a" * 3000, []),
        ("HTTP://courrier.example/é", ["HTTP://courrier.example/é"] * 2),
        ('https://courrier.example/"><b>', ["https://courrier.example/%22%3E%3Cb%3E"] * 2),
        ("https://courrier.example/a b\n", ["https://courrier.example/a%20b"] * 2),
    ],
    ids=range(10),
)
def test_n15_links_lead_to_the_web(link: str, shown: list[str]) -> None:
    """Only http and https addresses become links, and none can end its attribute."""
    assert Shown(part(sealed(replace(ITEM, link=link)), "html")).links == shown


@pytest.mark.parametrize("content", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table><b>"])
def test_n15_no_place_lets_markup_through(content: str) -> None:
    """Nor does any other place: source, rule, outlets, changes, a digest's titles, a notice."""
    plain = {tag for message in messages_of("x", Channel.EMAIL) for tag in Shown(part(message, "html")).tags}
    for message in messages_of(content, Channel.EMAIL):
        page = Shown(part(message, "html"))
        assert set(page.tags) <= plain
        assert content in page.text


# --- N16, N17: what services take for mentions, links and style ----------------------------------------------------


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        pytest.param("<!channel> & <@U123>", "&lt;!channel&gt; &amp; &lt;@U123&gt;", id="mention"),
        pytest.param("<http://evil.example|bank.example>", "&lt;http://evil.example|bank.example&gt;", id="link"),
        pytest.param("@everyone #mekong", "@everyone #mekong", id="bare-names"),
    ],
)
def test_n16_slack_mentions_and_links_are_text(content: str, shown: str) -> None:
    """Escaped wherever they stand, and Slack is told to look for neither names nor links."""
    for message in messages_of(content, Channel.SLACK):
        payload = json.loads(message.content)
        assert (payload["parse"], payload["link_names"]) == ("none", False)
        assert all(block["verbatim"] for block in mrkdwn(payload["blocks"]))
        texts = [*slack_texts(payload), payload["text"]]
        assert any(shown in said for said in texts)
        assert shown == content or not any(content in said for said in texts)
        # What is left of angle brackets is our own link, and there is none without an article's.
        assert not any("<" in said for said in texts)


def mrkdwn(value: object) -> list[dict[str, object]]:
    """Every text object of a payload."""
    if isinstance(value, dict):
        own = [value] if value.get("type") == "mrkdwn" else []
        return own + [found for inner in value.values() for found in mrkdwn(inner)]
    return [found for inner in value for found in mrkdwn(inner)] if isinstance(value, list) else []


def test_n17_slack_style_is_text() -> None:
    """The signs of mrkdwn, for which there is no escape, are replaced by look-alikes; what is bold is our own."""
    for message in messages_of("*a* _b_ ~c~ `d`", Channel.SLACK):
        texts = [*slack_texts(json.loads(message.content)), json.loads(message.content)["text"]]
        assert any("∗a∗ ˍbˍ ∼c∼ ˋdˋ" in said for said in texts)
        assert not any(sign in said.replace("`veille", "") for said in texts for sign in "_~`")


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        pytest.param("`code` *a* _b_ ~c~ ||d||", "ˋcodeˋ ∗a∗ ˍbˍ ∼c∼ ∣∣d∣∣", id="style"),
        pytest.param(
            "@everyone @here <@123> <!channel>", "@\u200beveryone @\u200bhere ‹@\u200b123› ‹!channel›", id="mentions"
        ),
        pytest.param("[a](https://evil.example)", "[a]\u200b(https://evil.example)", id="link"),
        pytest.param("[VNA] m@e.org", "[VNA] m@\u200be.org", id="only-text"),
    ],
)
def test_n17_apprise_text_means_nothing_anywhere(content: str, shown: str) -> None:
    """Markdown of every service, mentions and links, disarmed in title and body alike."""
    for message in messages_of(content, Channel.APPRISE):
        said = json.loads(message.content)
        assert shown in said["body"]
        assert content == shown or content not in said["title"] + said["body"]
        text = (said["title"] + said["body"]).replace("`veille ledger --titles`", "")
        assert not re.search(r"@\w|\]\(|[_~`<|]", text)


def test_n17_apprise_lines_are_no_headings() -> None:
    """Nor items of lists: the sign at a line's start is disarmed, and any other stays."""
    for sign in ("#", "-", "+", "##"):
        for message in messages_of(f"{sign} Titre {sign} un", Channel.APPRISE):
            said = json.loads(message.content)
            assert f"{sign}\u200b Titre {sign} un" in said["body"]
            assert not re.search(r"^[#+-]+ ", said["title"] + "\n" + said["body"], re.MULTILINE)


def test_n17_apprise_marks_are_balanced() -> None:
    """A star stands only round matched words, in pairs: half a pair makes Telegram refuse the message."""
    item = replace(ITEM, link="https://e.example/a_b*c~(d)[e]?f_g=*")
    body = json.loads(sealed(item, to=target(Channel.APPRISE)).content)["body"]
    assert "La *visite* de *Hun Sen* durera" in body
    assert body.count("*") == 4
    assert body.endswith("https://e.example/a%5Fb%2Ac%7E%28d%29%5Be%5D?f%5Fg=%2A\n")


# --- N18: room -----------------------------------------------------------------------------------------------------


def test_n18_mail_of_many_long_articles() -> None:
    """Two hundred articles with long sentences are all listed, each cut short."""
    items = [
        replace(ITEM, article_id=n, title=Passage(text=f"Article {n} :"), passages=(Passage(text="mot " * 25_000),))
        for n in range(200)
    ]
    message = sealed(*items)
    said = part(message, "plain")
    assert all(f"Article {n} :" in said for n in range(200))
    assert len(message.content) < 2_000_000


@given(st.lists(st.tuples(marked_texts(), st.sampled_from([0, 1, 5])), min_size=1, max_size=60))
def test_n18_slack_keeps_its_limits(contents: list[tuple[Passage, int]]) -> None:
    """Whatever is told, no text passes 3,000 characters, no message 50 blocks, and no text is empty."""
    items = [
        replace(
            ITEM,
            title=Passage(text=passage.text * 10),
            passages=(replace(passage, text=passage.text.replace("a", "&") * (factor + 1)),) * factor,
            link="https://courrier.example/" + "&" * 300 * factor,
        )
        for passage, factor in contents
    ]
    for content in (Alert(items=tuple(items)), Digest(items=tuple(items))):
        message = told(content, to=target(Channel.SLACK))
        payload = json.loads(message.content)
        assert 1 <= len(payload["blocks"]) <= 50
        assert all(1 <= len(said) <= 3000 for said in slack_texts(payload))
        assert sum(map(len, slack_texts(payload))) < 13_000
        assert len(message.subject) <= 200


@pytest.mark.parametrize("count", [1, 8, 20, 90])
def test_n18_slack_names_every_article(count: int) -> None:
    """Up to its capacity a message names all of its articles, in detail where there is room."""
    items = [
        replace(ITEM, article_id=n, title=Passage(text=f"Article {n} : " + "mot " * 60), link=f"https://e.example/{n}")
        for n in range(count)
    ]
    said = "\n".join(slack_texts(slack(*items)))
    assert all(f"Article {n} : " in said for n in range(count))
    assert len(said) < 13_000


# --- N19: what is no text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", list(Channel))
def test_n19_no_surrogate_and_no_control(channel: Channel) -> None:
    """Lone surrogates, NUL and other controls are left out, wherever they stand; what is sent is UTF-8."""
    for message in messages_of("lone \ud800 and \0 and \x1b[31m.", channel):
        assert not re.search("[\0\x1b\ud800-\udfff]", message.content.decode("utf-8") + message.subject)
        texts = (
            [part(message, "plain"), part(message, "html")]
            if channel in {Channel.EMAIL, Channel.LOG}
            else [json.dumps(json.loads(message.content), ensure_ascii=False)]
        )
        for said in texts:
            assert "lone and and [31m." in said
            assert not re.search("[\0\x1b\ud800-\udfff]", said)
