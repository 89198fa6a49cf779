"""Messages for the tests of `render`: an item, targets, and what a reader of each part sees."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import strategies as st

from worker.model import (
    Alert,
    AlertItem,
    AppriseSettings,
    Channel,
    Digest,
    EmailSettings,
    LogSettings,
    Message,
    Notice,
    Passage,
    Secret,
    Severity,
    SlackSettings,
    Target,
    Templates,
)
from worker.notify.render import seal

NOW = datetime(2026, 3, 12, 3, 0, tzinfo=UTC)
PUBLISHED = datetime(2026, 3, 12, 2, 40, tzinfo=UTC)
ITEM = AlertItem(
    article_id=7,
    rules=(("Visite de Hun Sen", "hun-sen-visit"), ("Accord frontalier", "border-agreement")),
    severity=Severity.HIGH,
    occasion="first",
    title=Passage(text="Hun Sen attendu à Hanoï", marks=((0, 3), (4, 7))),
    passages=(Passage(text="La visite de Hun Sen durera deux jours.", marks=((3, 9), (13, 16), (17, 20))),),
    source="Le Courrier du Mékong",
    language="fr",
    published=PUBLISHED,
    first_seen=NOW,
    link="https://courrier.example/a?x=1&y=2",
)
SETTINGS = {
    Channel.EMAIL: EmailSettings(to=("d@e.org",), sender="Veille <v@e.org>", host="h", port=25, tls="none"),
    Channel.SLACK: SlackSettings(webhook=Secret("https://hooks.example/x")),
    Channel.APPRISE: AppriseSettings(url=Secret("json://x")),
    Channel.LOG: LogSettings(folder=Path("alerts")),
}


#: Everything that has a meaning to HTML, headers, mrkdwn or a terminal, and much that has not.
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(list("\r\n\t\0\x1b\x85\u2028\u202e\ud800 <>&\"'`*_~|=?{}%é李🇰🇭់")),
    ),
    max_size=400,
)


@st.composite
def marked_texts(draw: st.DrawFn) -> Passage:
    content = draw(HOSTILE)
    context = sorted(draw(st.sets(st.integers(0, len(content)), max_size=6)))
    return Passage(text=content, marks=tuple(zip(context[::2], context[1::2], strict=False)))


def target(channel: Channel = Channel.EMAIL, language: str = "fr", timezone: str = "Asia/Ho_Chi_Minh") -> Target:
    return Target(
        id="t", channel=channel, settings=SETTINGS[channel], recipients=("t",), language=language, timezone=timezone
    )


def sealed(*items: AlertItem, to: Target | None = None, key: str = "k1") -> Message:
    return told(Alert(items=items), to=to, key=key)


def told(
    content: Alert | Digest | Notice,
    *,
    to: Target | None = None,
    key: str = "k1",
    templates: Templates | None = None,
) -> Message:
    return seal(
        content,
        target=to or target(),
        recipient="mailto:d@e.org",
        key=key,
        host="veille.example",
        now=NOW,
        templates=templates or Templates(),
    )


def mail(message: Message) -> EmailMessage:
    return message_from_bytes(message.content, _class=EmailMessage, policy=policy.default)


def part(message: Message, kind: str) -> str:
    found = mail(message).get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def slack(*items: AlertItem) -> dict[str, object]:
    return json.loads(sealed(*items, to=target(Channel.SLACK)).content)


def bot() -> Target:
    """A Slack target with a token, which can answer in threads."""
    settings = SlackSettings(token=Secret("xoxb"), channel="#mekong")
    return replace(target(Channel.SLACK), settings=settings)


def slack_texts(payload: dict[str, object]) -> list[str]:
    """Every text of a payload's blocks, in order."""

    def walk(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["text"]] if isinstance(value.get("text"), str) else []
            return own + [found for inner in value.values() for found in walk(inner)]
        return [found for inner in value for found in walk(inner)] if isinstance(value, list) else []

    return walk(payload["blocks"])


class Shown(HTMLParser):
    """The elements of a page and the text that it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.marked: list[str] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = dict(attrs)
        assert not [name for name in names if name.startswith("on")]
        if tag == "a":
            self.links.append(names["href"] or "")
        if tag not in {"meta", "br"}:
            self._inside.append("mark" if (names.get("class") or "").startswith("m-") else tag)

    def handle_endtag(self, _: str) -> None:
        self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._inside:
            self.text += data
        if self._inside and self._inside[-1] == "mark":
            self.marked.append(data)
