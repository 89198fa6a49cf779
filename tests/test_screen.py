"""The log at a terminal: what people want to know, in one line each."""

from typing import Any

import pytest

from worker.model import times
from worker.runtime.screen import Screen, inert

AT = "2026-02-06T21:13:05+00:00"


@pytest.fixture(autouse=True)
def zone() -> None:
    """A desk in Hanoi, where it is the next morning."""
    times.use("Asia/Ho_Chi_Minh")


def shown(*events: dict[str, Any], colours: bool = False) -> list[str]:
    """The lines of these events, the day's own left out."""
    lines: list[str] = []
    screen = Screen(lines.append, colours=colours)
    for event in events:
        screen.info(**({"timestamp": AT, "level": "info"} | event))
    screen.flush()
    assert "Saturday 2026-02-07, hours of UTC+07" in lines[0]
    return lines[1:]


def test_lines_end_where_a_word_does() -> None:
    """Later lines stand below the first word, not below the hour; a word that is too long is left whole."""
    lines: list[str] = []
    screen = Screen(lines.append, colours=True, width=lambda: 48)
    screen.warning(event="unheard of", timestamp=AT, level="warning", detail="of " * 12 + "w" * 60)
    *_, line = lines
    assert "\x1b[33munheard\x1b[0m of: detail" in line
    _, second, last = line.split("\n")
    assert second.startswith("      of of ")
    assert last == " " * 6 + "w" * 60
    assert len(second) <= 48


def sent(target: str = "desk", severity: str = "high", title: str = "Hun Sen attendu à Hanoï", **more: Any) -> dict:
    """An alert that was sent."""
    facts = {"kind": "first", "source": "VNA", "articles": 1, "detail": "ok", "reason": "", "due": None}
    return {"event": "delivery", "state": "sent", "target": target, "severity": severity, "title": title} | facts | more


def fails(feed: str, reason: str = "dns_error") -> dict[str, str]:
    """A feed that fails."""
    return {"event": "a feed fails", "feed": feed, "reason": reason, "detail": "no answer", "level": "warning"}


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([sent()], ["04:13 high → desk: Hun Sen attendu à Hanoï (VNA)"]),
        ([sent("desk"), sent("slack"), sent("desk")], ["04:13 high → desk, slack: Hun Sen attendu à Hanoï (VNA)"]),
        (
            [sent(severity="medium", title="B"), sent(severity="critical", title="C"), sent(title="A")],
            ["04:13 critical → desk: C (VNA)", "04:13 high → desk: A (VNA)", "04:13 medium → desk: B (VNA)"],
        ),
        ([sent(kind="correction")], ["04:13 high correction → desk: Hun Sen attendu à Hanoï (VNA)"]),
        (
            [sent(kind="digest", severity="", articles=12)],
            ["04:13 digest → desk: Hun Sen attendu à Hanoï (VNA), and 11 more articles"],
        ),
        (
            [sent(kind="notice", severity="", title="[Veille] a feed fails", source="", articles=0)],
            ["04:13 notice → desk: [Veille] a feed fails"],
        ),
        (
            [sent(state="retry", due="2026-02-06 21:18:00+00:00", reason="451 later")],
            ["04:13 unsent → desk: Hun Sen attendu à Hanoï; tried again at 04:18 UTC+07: 451 later"],
        ),
        (
            [
                sent(state="retry", due=f"2026-02-06 21:{minute}:00+00:00", reason="451 later")
                for minute in (19, 18, 20)
            ],
            ["04:13 unsent → desk: Hun Sen attendu à Hanoï and 2 more; tried again at 04:18 UTC+07: 451 later"],
        ),
        (
            [sent(state="parked", reason="not_in_channel (fix: invite the bot)")],
            [
                (
                    "04:13 unsent → desk: Hun Sen attendu à Hanoï; waits until the configuration is read again: "
                    "not_in_channel (fix: invite the bot)"
                )
            ],
        ),
        ([fails("Khmer Times", "http_error")], ["04:13 feed fails: Khmer Times (http_error: no answer)"]),
        (
            [fails(name) for name in "ABCDE"],
            ["04:13 5 feeds fail: A, B, C and 2 more (dns_error); is there a network?"],
        ),
        ([fails("A"), fails("B", "gone")], ["04:13 2 feeds fail: A, B (dns_error, gone)"]),
        ([{"event": "a feed answers again", "feed": "A"}], ["04:13 feed answers again: A"]),
        ([{"event": "started", "feeds": 1, "rules": 2}], ["04:13 started with 1 feed and 2 rules"]),
        ([{"event": "something is wrong", "subject": "disk"}], ["04:13 wrong: disk"]),
        (
            [
                {
                    "event": "reload refused; the rules of before stays",
                    "problems": "r.toml:3:5: no rule\n    when = x\n        ^\n    fix: write one\nr.toml:9: other",
                }
            ],
            [
                (
                    "04:13 reload refused; the rules of before stays: r.toml:3:5: no rule (fix: write one); "
                    "1 more problem, `veille check` lists them"
                )
            ],
        ),
        ([{"event": "delivery rechecked", "delivery": 3}], []),
        ([{"event": "something new", "a": 1, "b": "x\ny"}], ["04:13 something new: a 1, b x y"]),
        (
            [{"event": "job failed", "exception": "Traceback:\n  a\nValueError: no"}],
            ["04:13 job failed: ValueError: no (--log json shows the trace)"],
        ),
        ([{"event": "delivery", "state": "sent", "target": "desk"}], ["04:13 delivery: state sent, target desk"]),
    ],
)
def test_one_line_each(events: list[dict[str, Any]], lines: list[str]) -> None:
    """In the desk's hours; what belongs together in one, what is severe first."""
    day = [{"event": "delivery rechecked"}] if events[0]["event"] == "delivery rechecked" else []
    if day:
        events = [*events, {"event": "something new"}]
        lines = ["04:13 something new"]
    assert shown(*events) == lines


def test_what_is_held_comes_before_what_closes() -> None:
    """The alerts and the failing feeds of a start stand above the line that says what is running."""
    facts = {"feeds": 2, "failing": 1, "rules": 1, "alerts": ["data/alerts"], "command": "veille", "example": 7}
    facts |= {"console": ""}
    lines = shown(sent(), fails("A"), {"event": "watching"} | facts)
    assert [line.split()[1] for line in lines] == ["high", "feed", "watching"]
    assert "alerts go to data/alerts" in lines[-1]
    assert "veille why 7" in lines[-1]


def test_colours_where_there_are_any() -> None:
    """The first word alone, by severity."""
    assert shown(sent(), colours=True)[0].startswith("04:13 \x1b[31mhigh\x1b[0m → desk")


@pytest.mark.fault
def test_w11_a_title_writes_no_line_of_its_own() -> None:
    """Characters that a terminal obeys in a title, a name or a detail are blanks, line breaks included."""
    hostile = "a\x1b]0;x\x07\r\n04:13 critical \u202e\x9b2J"
    for event in (sent(title=hostile), fails(hostile), {"event": "x", "why": hostile}):
        (line,) = shown(event, colours=False)
        assert line.isprintable()


def test_inert_keeps_places() -> None:
    """One sign for each character."""
    assert inert("a\x1bb\u202ec") == "a\u241bb\ufffdc"
