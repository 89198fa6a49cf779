"""Measures a rule's window of stories: does an article complete a wave, belong to one, or stay below the volume?

    (Volume, Level, the article's story, now) -measure-> Measured -for each recipient-> owed | in-wave | below-volume

A wave begins with the article that completes it and goes on for as long as the window, which ends with the newest
article, holds enough stories. Each recipient gets an alert with the first article of the wave that nothing else keeps
back, and again once as many stories have come as it takes that were not in the window of the last alert.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import ceil

from worker.model import FEWEST_STORIES, FEWEST_WEEKS, Measured, Occasion, Suppression, Volume, Wave, spoken
from worker.model.times import counted

#: What the messages of one wave collect begins with it.
WAVE = "wave:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An article that counts for a rule, at its first match: no copy, no backlog, no old news."""

    #: Greater than those of all earlier arrivals: several come at one moment.
    number: int
    #: The story that it tells, by `story_key`.
    story: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAlert:
    """The last alert of a wave that a recipient was sent, or is about to be."""

    #: Of the arrival that it was owed for.
    number: int
    at: datetime
    #: Alerts of the wave until then.
    alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Everything known of a rule's volume before an article is decided."""

    #: In order, as far back as a window before the oldest of `last_alerts`, and at least one window.
    arrivals: Sequence[Arrival] = ()
    #: The wave that the rule's last arrival belonged to.
    wave: Wave | None = None
    #: By recipient, of that wave.
    last_alerts: Mapping[str, LastAlert] = field(default_factory=dict)
    #: Stories in the same window of each past week in which the rule was there.
    weeks: Sequence[int] = ()


def story_key(story_id: int | None, article_id: int) -> int:
    """A number for the story of an article; one without a story counts itself."""
    return -article_id if story_id is None else story_id


def needed(volume: Volume, weeks: Sequence[int]) -> int | None:
    """Stories that make a wave; None where only past weeks could say, and there are too few."""
    if volume.times is None or len(weeks) < FEWEST_WEEKS:
        return volume.at_least
    usual = Fraction(sum(weeks), len(weeks))
    return max(volume.at_least or FEWEST_STORIES, ceil(Fraction(str(volume.times)) * usual))


def measure(volume: Volume, level: Level, *, story: int, article_id: int, now: datetime) -> Measured:
    """Measure the window that ends with an article of `story`, which counts."""
    # What is of a clock that was ahead by more than the window does not count until its time has come.
    window = {one.story for one in level.arrivals if now - volume.per < one.at <= now + volume.per} | {story}
    enough = needed(volume, level.weeks)
    holds = enough is not None and len(window) >= enough
    wave = level.wave if holds else None
    begins = holds and wave is None
    if begins:
        wave = Wave(article_id=article_id, began=now, per=volume.per)
    return Measured(
        stories=len(window),
        needed=enough,
        wave=wave,
        begins=begins,
        ends=level.wave is not None and not holds,
        why=_why(volume, level.weeks, len(window), enough, holds=holds),
    )


def of_wave(
    found: Measured, volume: Volume, level: Level, recipient: str, story: int
) -> tuple[str, Suppression | None]:
    """Return the occasion on which a recipient hears of the wave, and why it does not with this article."""
    occasion = str(Occasion.WAVE)
    if found.wave is None or found.needed is None:
        return occasion, Suppression.BELOW_VOLUME
    last = None if found.begins else level.last_alerts.get(recipient)
    if last is None:
        return occasion, None
    before = {one.story for one in level.arrivals if one.number <= last.number and one.at > last.at - volume.per}
    since = {one.story for one in level.arrivals if one.number > last.number} | {story}
    if len(since - before) < found.needed:
        return occasion, Suppression.IN_WAVE
    return f"{occasion}-{last.alerts + 1}", None


def thread_of_wave(rule_id: str, wave: Wave) -> str:
    """Return what the messages on a wave collect."""
    return f"{WAVE}{rule_id}:{wave.article_id}"


def _why(volume: Volume, weeks: Sequence[int], stories: int, enough: int | None, *, holds: bool) -> str:
    count = counted(stories, "story")
    if not holds and enough is not None:
        count = f"{stories} of {enough} stories"
    said = f"{count} in {spoken(volume.per)}"
    if volume.times is None:
        return said
    if len(weeks) < FEWEST_WEEKS:
        return f"{said}; {len(weeks)} of the rule's past weeks are known, and a comparison takes {FEWEST_WEEKS}"
    usual = sum(weeks) / len(weeks)
    return f"{said}; {usual:.1f} at this hour of {len(weeks)} past weeks, and it takes {volume.times:g} times that"
