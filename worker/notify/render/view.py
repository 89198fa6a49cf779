"""An alert's items as every channel shows them: tidied, clipped, worded and dated, but not yet escaped."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from worker.model import AlertItem, Change, Occasion, Passage, Severity, Target, WaveReport, WaveStory
from worker.notify.render.passages import clip, pieces, tidy
from worker.notify.render.wording import Wording, say_count, say_date, say_day, say_list, say_time

_TITLE = 300
_SENTENCE = 700
_NAME = 120
#: Of outlets and of matched words that are named, and letters of such a word.
_NAMED = 8
_WORD = 40
#: Browsers and mail programs agree on no more.
_LINK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One article of a message; texts that do not apply are empty."""

    severity: Severity
    #: `Importance élevée`, and the occasion's word.
    severity_label: str
    occasion_label: str
    #: What is new, in a sentence: a source, a correction, that nobody acknowledged.
    news: str
    #: What a correction changed.
    changes: tuple[Change, ...]
    #: Names, most severe first.
    rules: tuple[str, ...]
    title: Passage
    passages: tuple[Passage, ...]
    source: str
    #: `Publié le ...`.
    date: str
    #: `Date du 3 janvier : ancien`.
    old: str
    #: `Aussi dans : ...`.
    outlets: str
    #: `Peut-être la même affaire que : ...`.
    perhaps: str
    #: The words that matched, and their rules.
    why: str
    #: An http(s) URL without white space, controls, quotes, bars or angle brackets.
    link: str
    #: What a reader may answer, and the addresses to do it at: (label, link).
    answers: tuple[tuple[str, str], ...]
    #: Of the article.
    language: str
    #: Items of one story have the same.
    story: int | None
    #: Of a wave: its first stories, and how many more there are.
    stories: tuple["Named", ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A story that a wave names."""

    title: str
    #: Its outlets and, where it has more than one, its articles.
    note: str
    #: As the link of a `View`.
    link: str
    #: Of its title.
    language: str


def view(item: AlertItem, target: Target, words: Wording) -> View:
    """The content of `item` for `target`."""
    if item.wave is not None:
        return _wave(item, item.wave, target, words)
    title = clip(tidy(item.title), _TITLE)
    moment = item.published
    # An article without a date of its own carries the moment it was first seen, which is not when it was published.
    label = words.first_seen if moment == item.first_seen else words.published
    rules = tuple(line(name or rule_id, _NAME) for name, rule_id in item.rules)
    passages = tuple(clip(passage, _SENTENCE) for passage in map(tidy, item.passages) if passage.text)
    source = line(item.source, _NAME)
    occasion = _occasion(item.occasion)
    return View(
        severity=item.severity,
        severity_label=words.severities[item.severity],
        occasion_label=words.occasions.get(occasion, "") if occasion else "",
        news=words.news.get(occasion, "").format(source=source or words.untitled) if occasion else "",
        changes=tuple(one for one in map(_change, item.changes) if one.before.text or one.after.text),
        rules=rules,
        title=title if title.text else Passage(text=words.untitled),
        passages=passages,
        source=source,
        date=label.format(date=say_date(moment, target.timezone, words)),
        old=_old(item, target, words) if item.old else "",
        outlets=_outlets(item, words),
        perhaps=_perhaps(item, words),
        why=_why((title, *passages), rules, words),
        link=usable_link(item.link),
        answers=_answers(item, words),
        language=item.language,
        story=item.story_id,
    )


def _wave(item: AlertItem, wave: WaveReport, target: Target, words: Wording) -> View:
    """A wave in place of the article for which it is owed."""
    occasion = _occasion(item.occasion)
    rules = tuple(line(name or rule_id, _NAME) for name, rule_id in item.rules)
    stories = say_count(words.stories, wave.stories, words)
    more = wave.stories - len(wave.top)
    return View(
        severity=item.severity,
        severity_label=words.severities[item.severity],
        occasion_label=words.occasions.get(occasion, "") if occasion else "",
        news=words.news.get(occasion, "") if occasion and item.occasion != Occasion.WAVE else "",
        changes=(),
        rules=rules,
        title=Passage(text=line(words.wave.format(stories=stories, time=say_time(wave.per, words)), _TITLE)),
        passages=(),
        source="",
        date=words.wave_date.format(date=say_date(item.first_seen, target.timezone, words)),
        old="",
        outlets="",
        perhaps="",
        why=_why((), rules, words),
        link="",
        answers=_answers(item, words),
        language=words.language,
        story=None,
        stories=tuple(_named(one, words) for one in wave.top),
        more=say_count(words.more_stories, more, words) if more > 0 else "",
    )


def _named(story: WaveStory, words: Wording) -> Named:
    outlets = [line(name, _NAME) for name in story.outlets]
    named = _listed(outlets, words)
    articles = say_count(words.articles, story.articles, words) if story.articles > 1 else ""
    return Named(
        title=line(story.title, _TITLE) or words.untitled,
        note=" · ".join(filter(None, (named, articles))),
        link=usable_link(story.link),
        language=story.language,
    )


def line(text: str, size: int) -> str:
    """The text on one clean line of at most `size` characters."""
    return clip(tidy(Passage(text=text)), size).text


def usable_link(url: str) -> str:
    """The URL if a reader may be sent there, with what could end an attribute or a Slack link percent-encoded."""
    url = "".join(quote(char, errors="replace") if _unsafe(char) else char for char in url.strip())
    try:
        parts = urlsplit(url)
        usable = len(url) <= _LINK and parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    return url if usable else ""


def _change(change: Change) -> Change:
    return Change(before=clip(tidy(change.before), _SENTENCE), after=clip(tidy(change.after), _SENTENCE))


def _occasion(occasion: str) -> Occasion | None:
    # Escalations carry a number (`escalation-2`).
    return next((known for known in Occasion if occasion.startswith(known)), None)


def _old(item: AlertItem, target: Target, words: Wording) -> str:
    year = item.published.year != item.first_seen.year
    return words.old.format(date=say_day(item.published, target.timezone, words, year=year))


def _outlets(item: AlertItem, words: Wording) -> str:
    named = _listed((line(one, _NAME) for one in item.outlets), words)
    return words.outlets.format(outlets=named) if named else ""


def _listed(found: Iterable[str], words: Wording) -> str:
    """Outlets, each once, as far as there is room."""
    names = [name for name in dict.fromkeys(found) if name]
    more = len(names) - _NAMED
    if more > 1:
        names[_NAMED:] = [say_count(words.others, more, words)]
    return say_list(names, words) if names else ""


def _perhaps(item: AlertItem, words: Wording) -> str:
    title, source = (line(text, size) for text, size in zip(item.perhaps, (_TITLE, _NAME), strict=True))
    if not title and not source:
        return ""
    return words.perhaps.format(story=f"{title or words.untitled} ({source})" if source else title)


def _why(passages: tuple[Passage, ...], rules: tuple[str, ...], words: Wording) -> str:
    """Each word that is marked once, as it stands, and the rules; nothing where there is no rule."""
    marked: dict[str, str] = {}
    for passage in passages:
        for text, mark in pieces(passage):
            if mark and text.strip():
                marked.setdefault(text.casefold(), words.quoted.format(word=line(text, _WORD)))
    named = [*marked.values()][:_NAMED]
    if len(marked) > _NAMED:
        named.append("…")
    # A comma alone parts them: `et` is a word of rules too.
    rule_names = ", ".join(rules)
    if not rules:
        return ""
    return (words.matched if named else words.matched_rules).format(words=", ".join(named), rules=rule_names)


def _answers(item: AlertItem, words: Wording) -> tuple[tuple[str, str], ...]:
    answers = item.answers
    offered = ((words.acknowledge, answers.acknowledge), (words.mute, answers.mute), (words.noise, answers.noise))
    return tuple((label, usable_link(link)) for label, link in offered if usable_link(link))


def _unsafe(char: str) -> bool:
    return char in "<>\"'`|\\" or char.isspace() or not char.isprintable()
