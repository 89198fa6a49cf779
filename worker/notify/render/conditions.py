"""Words to operators about conditions, in French and English: of feeds, rules, targets and the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from worker.alerts.self_watch import Condition, Kind
from worker.model import times
from worker.notify.render.sentences import again, said
from worker.notify.render.wording import words_of

#: Conditions whose lines are sentences.
_BY_LINE = frozenset({Kind.TARGET_PARKED, Kind.WORKER_FAULT, Kind.LEDGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionWording:
    """Words about conditions in one language."""

    language: str
    #: Subject and body of each kind; what stands in braces is named as the values of a condition are.
    kinds: Mapping[Kind, tuple[str, str]]
    #: `{since}`: in a subject.
    since: str
    #: Seconds and the name of a unit, the largest first.
    units: tuple[tuple[int, str], ...]


def subject(condition: Condition, language: str) -> str:
    """A condition in one sentence."""
    return _subject(condition.kind, condition.name, condition.last, condition.count, language)


def ended(kind: Kind, name: str, language: str) -> str:
    """A condition that is over, of which only its kind and its name are known."""
    return _subject(kind, name, None, 0, language)


def stored(words: str, kind: Kind, language: str) -> str:
    """The subject of a condition that is on, as it is stored in English, in this language."""
    if language == "en":
        return words
    here, there = _words("en"), _words(language)
    english, other = here.kinds[kind][0], there.kinds[kind][0]
    since = english.replace("{since}", here.since), other.replace("{since}", there.since)
    return again(words, [since, (english.replace("{since}", ""), other.replace("{since}", ""))])


def _subject(kind: Kind, name: str, last: datetime | None, count: int, language: str) -> str:
    words = _words(language)
    since = times.bare(last, times.DAY) if kind is Kind.RULE_QUIET else times.say(last)
    return words.kinds[kind][0].format(name=name, count=count, since=words.since.format(since=since) if since else "")


def body(condition: Condition, language: str) -> str:
    """The sentences behind a condition's subject; none where the past that it was judged by is forgotten."""
    words = _words(language).kinds[condition.kind][1]
    if "{span}" in words and condition.span is None:
        return ""
    between = "\n" if condition.kind in _BY_LINE else ", "
    return words.format(
        span="" if condition.span is None else say_span(condition.span, language),
        count=condition.count,
        of=condition.of,
        lines=between.join(said(line, language) for line in condition.lines),
    )


def say_span(span: timedelta, language: str) -> str:
    """A duration, rounded: `3 days`."""
    seconds, units = span.total_seconds(), _words(language).units
    size, name = next((unit for unit in units if seconds >= 2 * unit[0]), units[-1])
    return f"{seconds / size:.0f} {name}"


@cache
def _words(language: str) -> ConditionWording:
    return words_of(ConditionWording, "condition", language)
