"""The content of a digest: the most severe first, the articles of one story together, and what was held back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.model import Digest, Target
from worker.notify.render.view import View, view
from worker.notify.render.wording import Wording, say_count, say_day, say_list

#: Stories shown with a passage; the others by title and link. Gmail cuts a mail off at 102 kB.
_IN_FULL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Articles on one event, the most severe first; it stands under the first's title."""

    first: View
    others: tuple[View, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A digest as every channel shows it."""

    #: `Synthèse du 6 août : 12 alertes`.
    heading: str
    #: With a passage each.
    stories: tuple[Story, ...]
    #: By title and link alone.
    listed: tuple[Story, ...]
    #: What the recipient was not sent, and why, in one sentence.
    held_back: str


def summary(digest: Digest, target: Target, words: Wording, now: datetime) -> Summary:
    """The content of `digest` for `target`, dated `now`."""
    stories = _stories([_short(view(item, target, words)) for item in digest.items])
    return Summary(
        heading=words.digest.format(
            date=say_day(now, target.timezone, words), alerts=say_count(words.alerts, len(digest.items), words)
        ),
        stories=stories[:_IN_FULL],
        listed=stories[_IN_FULL:],
        held_back=_held_back(digest, words),
    )


def _short(whole: View) -> View:
    return replace(whole, passages=whole.passages[:1])


def _stories(views: Sequence[View]) -> tuple[Story, ...]:
    """The stories by severity, those of one severity in the order in which they come."""
    by_story: dict[object, list[View]] = {}
    for number, one in enumerate(views):
        # An article without a story stands by itself; a story's number is an int, so that no pair equals it.
        by_story.setdefault((number, None) if one.story is None else one.story, []).append(one)
    ordered = (sorted(group, key=lambda one: -one.severity.rank) for group in by_story.values())
    stories = (Story(first=group[0], others=tuple(group[1:])) for group in ordered)
    return tuple(sorted(stories, key=lambda story: -story.first.severity.rank))


def _held_back(digest: Digest, words: Wording) -> str:
    reasons = [say_count(words.suppressions[reason], count, words) for reason, count in digest.held_back if count > 0]
    return words.held_back.format(reasons=say_list(reasons, words)) if reasons else words.nothing_held_back
