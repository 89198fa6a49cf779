"""The log as people read it: a line for each thing that matters, those that belong together in one.

    event -> held for a moment, where others may join it -> line

Programs read JSON instead (`worker.runtime.logs`).
"""

import re
import textwrap
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from worker.model import times
from worker.model.times import counted

Event = Mapping[str, Any]
#: An event, the style of its line, and the line's words.
_Shown = tuple[Event, str, str]

#: What a terminal obeys (C0, DEL, C1), what turns a line around (Unicode's Bidi_Control) or breaks it, and what is no
#: character at all.
UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WHITE: Final = "\t\n\v\f\r\x85\u2028\u2029"
#: Seconds for which an event waits for others like it.
_HELD: Final = {"delivery": 1.0, "a feed fails": 3.0, "a feed answers again": 3.0}
#: After these nothing joins any more.
_CLOSES: Final = {"watching", "stopping", "stopped", "stopped before it had started"}
#: Of interest to whoever looks into one delivery or one story, and found in the JSON.
_LEFT_OUT: Final = {"delivery rechecked", "stories are judged again"}
_OF_THE_LOG: Final = {"event", "level", "timestamp", "exception", "logger"}
#: The most severe first; with the style of each, as terminals number them (ECMA-48 8.3.117).
_SEVERITIES: Final = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2"}
_LEVELS: Final = {"warning": "33", "error": "31", "critical": "31"}
#: Below an hour; and columns that are too few to break lines for.
_INDENT, _NARROWEST = " " * 6, 34
#: Feeds that one line names.
_NAMED = 3


def inert(text: str, keep: str = "\n\t") -> str:
    """`text` with a harmless sign for each character that is `UNSAFE` and not in `keep`; its length stays."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else _sign(found[0]), text)


def _sign(char: str) -> str:
    if char in _WHITE:
        return " "
    # Unicode's pictures of control characters: U+241B for ESC.
    return chr(0x2400 + ord(char)) if char < " " else "\u2421" if char == "\x7f" else "\ufffd"


class Screen:
    """Takes events from any thread and writes lines, each with the hour at the desk; a new day has a line of its own.

    What is sent to several targets is one line; what is sent within a second is sorted, the most severe first; feeds
    that fail within three seconds are one line.
    """

    def __init__(self, write: Callable[[str], object], *, colours: bool, width: Callable[[], int] = lambda: 0) -> None:
        self._write, self._colours = write, colours
        #: Columns of the terminal; 0 where nothing is to be broken.
        self._width = width
        self._lock = threading.RLock()
        self._held: defaultdict[str, list[Event]] = defaultdict(list)
        self._day = ""

    def msg(self, /, **event: Any) -> None:
        """Show an event now, or with those that join it."""
        kind = str(event.get("event", ""))
        with self._lock:
            if kind in _CLOSES:
                self.flush()
            if kind in _HELD:
                if not self._held[kind]:
                    timer = threading.Timer(_HELD[kind], self._let_go, [kind])
                    timer.daemon = True
                    timer.start()
                self._held[kind].append(event)
            elif kind not in _LEFT_OUT:
                self._show_all([event], lambda: [(event, *_line(event))])

    log = debug = info = warn = warning = error = critical = fatal = exception = msg

    def flush(self) -> None:
        """Show what is held."""
        for kind in _HELD:
            self._let_go(kind)

    def _let_go(self, kind: str) -> None:
        with self._lock:
            if events := self._held.pop(kind, []):
                together = _deliveries if kind == "delivery" else _feeds
                self._show_all(events, lambda: together(events))

    def _show_all(self, events: Sequence[Event], lines: Callable[[], Iterable[_Shown]]) -> None:
        try:
            shown = list(lines())
        except (KeyError, ValueError, TypeError):
            # An event without what its line needs must not fail the job that logs it.
            shown = [(event, _LEVELS["warning"], _anything(event)) for event in events]
        for one in shown:
            self._show(*one)

    def _show(self, event: Event, style: str, words: str) -> None:
        at = datetime.fromisoformat(event["timestamp"])
        day = f"{times.bare(at, '%A %Y-%m-%d')}, hours of {times.zone(at)}"
        if day != self._day:
            self._day = day
            self._write(self._styled("2", day))
        # The first word alone has the style: a screen of red letters is read by nobody.
        first, blank, rest = inert(words, keep="").partition(" ")
        words = "\n".join(self._lines(f"{first}{blank}{rest}")).removeprefix(first)
        self._write(f"{times.bare(at, '%H:%M')} {self._styled(style, first)}{words}")

    def _lines(self, words: str) -> list[str]:
        """The words in lines that end where a word does; all but the first are indented as far as the hour is wide."""
        room = self._width() - len(_INDENT)
        if room < _NARROWEST:
            return [words]
        lines = textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)
        return lines[:1] + [_INDENT + line for line in lines[1:]]

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours and style else text


def _line(event: Event) -> tuple[str, str]:
    """The style and the words of an event that stands alone."""
    said = _SAID.get(str(event["event"]), _anything)
    words = " ".join(said(event).split())
    if trace := event.get("exception"):
        words += f": {str(trace).strip().splitlines()[-1]} (--log json shows the trace)"
    return _LEVELS.get(str(event.get("level")), "32"), words


def _anything(event: Event) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in event.items() if name not in _OF_THE_LOG)
    return f"{event['event']}: {facts}" if facts else str(event["event"])


def _watching(event: Event) -> str:
    failing = f" ({event['failing']} of them cannot be read now)" if event["failing"] else ""
    console = f"open {event['console']}; " if event["console"] else ""
    return (
        f"watching {counted(event['feeds'], 'feed')}{failing} with {counted(event['rules'], 'rule')}; "
        f"alerts go to {', '.join(event['alerts']) or 'nobody'}; "
        f"{console}try next, in another terminal: {event['command']} status, {event['command']} why "
        f"{event['example'] or 'ARTICLE'}; Ctrl-C ends it"
    )


def _problems(event: Event) -> str:
    """A refused reload: the first problem with what to do about it, and how many more there are."""
    said, fixes, count = "", "", 0
    for line in str(event["problems"]).splitlines():
        if not line.startswith("    "):
            count += 1
            said = said or line
        elif count == 1 and line.strip().startswith("fix:"):
            fixes = f" ({line.strip()})"
    more = f"; {counted(count - 1, 'more problem')}, `veille check` lists them" if count > 1 else ""
    return f"{event['event']}: {said}{fixes}{more}"


_SAID: Final[Mapping[str, Callable[[Event], str]]] = {
    "started": lambda e: f"started with {counted(e['feeds'], 'feed')} and {counted(e['rules'], 'rule')}",
    "watching": _watching,
    "reloaded": lambda e: f"reloaded: {counted(e['feeds'], 'feed')}, {counted(e['rules'], 'rule')}",
    "rules reloaded": lambda e: f"rules reloaded: {counted(e['rules'], 'rule')} in force",
    "reload refused; the rules of before stays": _problems,
    "reload refused; the configuration of before stays": _problems,
    "something is wrong": lambda e: f"wrong: {e['subject']}",
    "it is over": lambda e: f"over: {e['subject']}",
    "stopping": lambda _: "stopping; what is being sent is finished first",
}


def _deliveries(events: Sequence[Event]) -> Iterable[_Shown]:
    """Lines of what was sent, the most severe first, all its targets in one; then of what was not, a line a reason."""
    sent: defaultdict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events:
        if event["state"] == "sent":
            sent[tuple(event[name] for name in ("kind", "severity", "title", "source", "articles"))].append(event)
    ranks = list(_SEVERITIES)
    for group in sorted(sent.values(), key=lambda one: ranks.index(one[0]["severity"] or "info")):
        yield group[0], _SEVERITIES[group[0]["severity"] or "info"], _sent(group)
    unsent: defaultdict[tuple[str, ...], list[Event]] = defaultdict(list)
    for event in events:
        if event["state"] != "sent":
            why = event["reason"] or event["detail"]
            unsent[str(event["target"]), str(event["state"]), str(why)].append(event)
    for (target, state, why), group in unsent.items():
        yield group[0], _LEVELS["warning"], _unsent(group, target, state, why)


def _sent(group: Sequence[Event]) -> str:
    """`high → desk, slack: Hun Sen attendu à Hanoï mardi (VNA)`."""
    first = group[0]
    targets = ", ".join(dict.fromkeys(str(one["target"]) for one in group))
    source = f" ({first['source']})" if first["source"] else ""
    more = f", and {counted(first['articles'] - 1, 'more article')}" if first["articles"] > 1 else ""
    kind = "" if first["kind"] == "first" else first["kind"]
    return f"{' '.join(filter(None, (first['severity'], kind)))} → {targets}: {first['title']}{source}{more}"


def _unsent(group: Sequence[Event], target: str, state: str, why: str) -> str:
    """A line of the messages that a target refused for one reason: the first title, and how many more."""
    match state:
        case "retry":
            due = min(datetime.fromisoformat(one["due"]) for one in group)
            said = f"tried again at {times.say(due, '%H:%M')}"
        case "parked":
            said = "waits until the configuration is read again"
        case _:
            said = "given up"
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return f"unsent → {target}: {group[0]['title']}{more}; {said}: {why}"


def _feeds(events: Sequence[Event]) -> Iterable[_Shown]:
    """Feeds that fail, or answer again, in one line."""
    names = list(dict.fromkeys(str(event["feed"]) for event in events))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    named = ", ".join(names[:_NAMED]) + more
    feeds = "feed" if len(names) == 1 else f"{len(names)} feeds"
    if events[0]["event"] != "a feed fails":
        return [(events[0], "32", f"{feeds} {'answers' if len(names) == 1 else 'answer'} again: {named}")]
    reasons = list(dict.fromkeys(str(event["reason"]) for event in events))
    why = f"{reasons[0]}: {events[0]['detail']}" if len(names) == 1 else ", ".join(reasons)
    network = "; is there a network?" if len(names) > 1 and reasons == ["dns_error"] else ""
    fails = f"{feeds} {'fails' if len(names) == 1 else 'fail'}: {named} ({why}){network}"
    return [(events[0], _LEVELS["warning"], fails)]
