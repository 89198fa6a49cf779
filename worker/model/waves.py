"""Values of rules with a volume: how much makes a wave, what a window held, and what a message shows of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Past weeks that a window is compared with, and those without which there is nothing to compare it with.
WEEKS, FEWEST_WEEKS = 8, 3
#: One story is no wave, however quiet the past weeks were.
FEWEST_STORIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """`[rule.volume]`: how many stories, in what time, are worth an alert."""

    per: timedelta
    #: Stories; None: `times` alone decides.
    at_least: int | None = None
    #: Times what the rule's own past weeks had at that hour; None: `at_least` alone decides.
    times: float | None = None

    def __str__(self) -> str:
        """The condition for a wave, in a clause for people."""
        time = spoken(self.per)
        if self.times is None:
            return f"when {self.at_least} stories come in {time}"
        fewest, said = self.at_least or FEWEST_STORIES, f"as in this hour of the rule's past {WEEKS} weeks"
        until = f"until {FEWEST_WEEKS} of them are known, {f'{fewest} are enough' if self.at_least else 'it is silent'}"
        return f"when {self.times:g} times as many stories come in {time} {said}, at least {fewest}; {until}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A wave of a rule; the rule and the article name it."""

    #: The article that completed it.
    article_id: int
    #: When that article was decided.
    began: datetime
    #: The length of its window.
    per: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The stories in a rule's window when an article was decided, the article included."""

    stories: int
    #: Stories that make a wave; None: the rule's past is too short to say.
    needed: int | None
    #: The wave that the article belongs to.
    wave: Wave | None
    #: The article completes the wave.
    begins: bool = False
    #: The wave that went on until now is over.
    ends: bool = False
    #: Figures for people.
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveStory:
    """A story of a wave, by the newest of its articles that the rule matched in the window."""

    title: str
    #: http(s) link, or empty.
    link: str
    #: The article's language.
    language: str
    published: datetime
    #: The article's outlet first.
    outlets: tuple[str, ...]
    #: All that tell the story until now, copies included.
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveReport:
    """A wave as a message tells it."""

    #: Stories in the window that ends with the article that is owed.
    stories: int
    per: timedelta
    #: The stories of most outlets first, then of most articles, then the newest.
    top: tuple[WaveStory, ...]


def spoken(per: timedelta) -> str:
    """A duration in the largest unit that divides it: `6 h`, `90 min`, `7 d`."""
    seconds = int(per.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
