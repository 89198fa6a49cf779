"""An alert's items as every channel shows them: tidied, clipped, worded and dated, but not yet escaped."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from worker.model import AlertItem, Passage, Severity, Target
from worker.render.passages import clip, tidy
from worker.render.wording import Wording, say_date

_TITLE = 300
_SENTENCE = 700
_NAME = 120
#: Browsers and mail programs agree on no more.
_LINK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One article of a message."""

    severity: Severity
    #: `Importance élevée`, and the occasion's word or nothing.
    severity_label: str
    occasion_label: str
    #: Names, most severe first.
    rules: tuple[str, ...]
    title: Passage
    passages: tuple[Passage, ...]
    source: str
    #: `Publié le ...`.
    date: str
    #: An http(s) URL without white space, controls, quotes, bars or angle brackets, or empty.
    link: str
    #: Of the article.
    language: str


def view(item: AlertItem, target: Target, words: Wording) -> View:
    """What `target` is shown of `item`."""
    title = clip(tidy(item.title), _TITLE)
    moment = item.published
    # An article without a date of its own carries the moment it was first seen, which is not when it was published.
    label = words.first_seen if moment == item.first_seen else words.published
    return View(
        severity=item.severity,
        severity_label=words.severities[item.severity],
        occasion_label=_occasion(item.occasion, words),
        rules=tuple(line(name or rule_id, _NAME) for name, rule_id in item.rules),
        title=title if title.text else Passage(text=words.untitled),
        passages=tuple(clip(passage, _SENTENCE) for passage in map(tidy, item.passages) if passage.text),
        source=line(item.source, _NAME),
        date=label.format(date=say_date(moment, target.timezone, words)),
        link=_link(item.link),
        language=item.language,
    )


def line(text: str, size: int) -> str:
    """The text on one clean line of at most `size` characters."""
    return clip(tidy(Passage(text=text)), size).text


def _occasion(occasion: str, words: Wording) -> str:
    # Escalations carry a number (`escalation-2`).
    return next((word for known, word in words.occasions.items() if occasion.startswith(known)), "")


def _link(url: str) -> str:
    """The URL if a reader may be sent there, with what could end an attribute or a Slack link percent-encoded."""
    url = "".join(quote(char, errors="replace") if _unsafe(char) else char for char in url.strip())
    try:
        parts = urlsplit(url)
        usable = len(url) <= _LINK and parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    return url if usable else ""


def _unsafe(char: str) -> bool:
    return char in "<>\"'`|\\" or char.isspace() or not char.isprintable()
