"""Hot reload: the folder of rules watched, what is refused, what is said of it, and what lives across."""

import asyncio
import contextlib
import email
import email.policy
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from desk import FEED, VISIT, Desk, scripted, until
from feedserver import FeedServer
from hypothesis import given
from hypothesis import strategies as st
from rig import LOG_TARGET, RULES, WORDS, Item, Site, rss, wait_for
from sinks import SmtpSink
from structlog.testing import capture_logs

from worker.config import Look, look
from worker.errors import Problem
from worker.runtime import reload
from worker.runtime.load import load
from worker.runtime.worker import Worker
from worker.store import Store, upkeep

OPERATORS = '[operators]\ntarget = "log"\n'
#: They read English.
TARGET = LOG_TARGET + 'language = "en"\n'


def rule(name: str, word: str = "visite", more: str = "") -> str:
    """A rule on one exact form."""
    return f'[[rule]]\nid = "{name}"\nseverity = "high"\nwhen = "={word}"\n{more}'


def rules(count: int) -> str:
    """So many of them: their number tells which set is in force."""
    return "".join(rule(f"r{n}") for n in range(count))


# --- how a folder looks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "other"),
    [
        pytest.param(lambda f: (f / "a.toml").write_text("b"), True, id="written"),
        pytest.param(lambda f: (f / "b.toml").touch(), True, id="added"),
        pytest.param(lambda f: (f / "a.toml").unlink(), True, id="removed"),
        pytest.param(lambda f: (f / "a.toml").rename(f / "b.toml"), True, id="renamed"),
        pytest.param(lambda f: (f / "a.toml").chmod(0o600), True, id="another mode"),
        pytest.param(shutil.rmtree, True, id="vanished"),
        pytest.param(lambda f: (f / "b.toml").mkdir(), True, id="a folder named so"),
        pytest.param(lambda f: (f / "b.toml").symlink_to("b.toml"), True, id="a link to itself"),
        pytest.param(lambda f: (f / "notes.md").write_text("x"), False, id="another kind of file"),
        pytest.param(lambda f: (f / ".a.toml.swp").write_text("x"), False, id="an editor's file"),
        pytest.param(lambda f: (f / "a.toml").read_text(), False, id="read"),
    ],
)
def test_a_look_changes_with_what_is_read(tmp_path: Path, change: Callable[[Path], object], other: bool) -> None:
    """With every file of rules, and with nothing else."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.toml").write_text("a")
    before = look(folder)
    assert look(folder) == before
    change(folder)
    assert (look(folder) != before) is other


def test_a_look_sees_what_keeps_size_and_date(tmp_path: Path) -> None:
    """`cp -p` over a file of the same length leaves both; the system's own date tells."""
    path = tmp_path / "a.toml"
    path.write_text("aaaa")
    os.utime(path, ns=(0, 0))
    before = look(tmp_path)
    (tmp_path / "new").write_text("bbbb")
    os.utime(tmp_path / "new", ns=(0, 0))
    (tmp_path / "new").rename(path)
    assert look(tmp_path) != before


# --- when a change is whole ----------------------------------------------------------------------------------------


def seen(what: int) -> Look:
    return Look(files=((what,),))


def settle(monkeypatch: pytest.MonkeyPatch, looks: Sequence[tuple[float, int]]) -> int | None:
    """The result of `settled` where 0 is known, by looks and the seconds before each; None: nothing."""
    clock, left = [0.0], iter(looks)
    shown: list[int] = []
    was_read: list[int] = []

    async def read_it() -> str:
        was_read.append(shown[-1])
        return "read"

    def next_look(_: Path) -> Look:
        later, what = next(left, (0.0, -1))
        if what < 0:
            raise EOFError
        clock[0] += later
        shown.append(what)
        return seen(what)

    async def settled() -> int | None:
        try:
            found, read = await reload.settled(lambda: Path("rules"), lambda: seen(0), read_it)
        except EOFError:
            return None
        ((what,),) = found.files
        assert read == "read", "and nothing was written since"
        assert was_read[-1] == what
        assert isinstance(what, int)
        return what

    with monkeypatch.context() as patched:
        patched.setattr(reload, "monotonic", lambda: clock[0])
        patched.setattr(reload.config, "look", next_look)
        patched.setattr(reload, "_CHANGING", 0)
        patched.setattr(reload, "_RESTING", 0)
        return asyncio.run(settled())


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        pytest.param([(0.5, 0)] * 9, None, id="nothing changes"),
        pytest.param([(0.1, 0), *[(0.1, 1)] * 10], 1, id="one write"),
        pytest.param([(0.1, 0), *[(0.1, 1)] * 5, *[(0.1, 2)] * 10], 2, id="two halves half a second apart"),
        pytest.param([(0.1, 0), *[(0.1, 1)] * 5, *[(0.1, 0)] * 20], None, id="taken back"),
        pytest.param([(0.1, 0), *[(0.1, 1 + n % 2) for n in range(40)]], None, id="written to without end"),
        pytest.param([(0.1, 1), (0.1, 1), (0.1, 2), (0.7, 2), (0.2, 2)], 2, id="the last write counts"),
    ],
)
def test_r04_a_change_counts_when_it_is_still(
    monkeypatch: pytest.MonkeyPatch, looks: Sequence[tuple[float, int]], found: int | None
) -> None:
    """For 0.8 seconds: a half that parses does not go live before the other comes."""
    assert reload.STILL == 0.8
    assert settle(monkeypatch, looks) == found


@given(st.lists(st.tuples(st.sampled_from([0.125, 0.25, 0.5]), st.integers(0, 2)), max_size=25))
def test_what_settles_stood_still_and_is_news(looks: list[tuple[float, int]]) -> None:
    """Against a plain reading of the history: the first look that is news and as old as it must be."""
    now, began, expected = 0.0, 0.0, None
    for number, (later, what) in enumerate(looks):
        now += later
        if number == 0 or looks[number - 1][1] != what:
            began = now
        if what != 0 and now - began >= 0.8:
            expected = what
            break
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert settle(monkeypatch, looks) == expected


async def reading() -> str:
    """A reading whose content does not matter."""
    return "read"


async def test_it_looks_where_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share without inotify, or too many watches: the folder is looked at, and that is said once."""

    def none(*_: object, **__: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(reload, "awatch", none)
    monkeypatch.setattr(reload, "STILL", 0.05)
    known = look(tmp_path)
    with capture_logs() as logged:
        settled = asyncio.create_task(reload.settled(lambda: tmp_path, lambda: known, reading))
        await until(lambda: logged)
        (tmp_path / "a.toml").write_text("a")
        assert await settled == (look(tmp_path), "read")
    assert [line["error"] for line in logged] == ["[Errno 28] OS file watch limit reached"]


async def test_what_the_system_tells_saves_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change is heard of without a look, also in a folder that came back, and in one that a link was turned to."""
    monkeypatch.setattr(reload, "STILL", 0.05)
    monkeypatch.setattr(reload, "_RESTING", 3600)
    looks, real = [], reload.config.look
    monkeypatch.setattr(reload.config, "look", lambda folder: looks.append(folder) or real(folder))
    folder = tmp_path / "rules"

    async def heard(write: Callable[[], object]) -> None:
        """Were it not for the system, the first look would be the last for an hour."""
        known = real(folder)
        looks.clear()
        settled = asyncio.create_task(reload.settled(lambda: folder, lambda: known, reading))
        await until(lambda: looks)
        write()
        assert await settled == (real(folder), "read")
        assert real(folder) != known

    (tmp_path / "one").mkdir()
    folder.symlink_to("one")
    await heard((tmp_path / "one/a.toml").touch)
    shutil.rmtree(tmp_path / "one")
    (tmp_path / "one").mkdir()
    await heard((tmp_path / "one/b.toml").touch)
    (tmp_path / "two").mkdir()
    folder.unlink()
    folder.symlink_to("two")
    await heard((tmp_path / "two/c.toml").touch)


# --- the worker in this process ------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose configuration and rules are files, watched with little patience."""
    for name, seconds in {"STILL": 0.05, "_PAUSE": 0.02, "_RESTING": 0.05, "_CHANGING": 0.01}.items():
        monkeypatch.setattr(reload, name, seconds)
    with Desk(tmp_path) as made:
        site = Site(tmp_path, feeds=[FEED], targets=TARGET, more=OPERATORS)
        made.context.live = load(site.config)
        yield scripted(monkeypatch, made)


@asynccontextmanager
async def working(desk: Desk):
    """A worker that runs; yields what SIGHUP sets."""
    stop, again = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(Worker(desk.context, desk.folder / "config.toml").run(stop, again))
    try:
        await until(lambda: in_force(desk) is not None)
        yield again
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


def in_force(desk: Desk) -> upkeep.InForce | None:
    with desk.store.read() as tx:
        return upkeep.in_force(tx)


def state(desk: Desk) -> upkeep.InForce:
    found = in_force(desk)
    assert found is not None
    return found


def notices(desk: Desk) -> list[tuple[str, str]]:
    """Subjects and bodies of what the operators were told, in order."""
    query = "SELECT subject, content, message_id FROM delivery WHERE collects = 'notice' ORDER BY id"
    return [
        (subject.removeprefix("[Veille] "), plain_text(content) if message_id else content.decode())
        for subject, content, message_id in desk.rows(query)
    ]


def plain_text(raw: bytes) -> str:
    """The text of a mail."""
    body = email.message_from_bytes(raw, policy=email.policy.default).get_body(["plain"])
    assert body is not None
    return str(body.get_content())


def file(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Writes a file of rules."""
    raw = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(raw)


TWICE = "# a\n[set.x]\nterms = ['a']\nterms = ['b']\n"
DATED = "[set.x]\nterms = [\n  {term = 'a', from = 2024-13-45},\n]\n"
FAILING = rule("pont", "pont") + '[[rule.test]]\ntitle = "Un quai"\nlang = "fr"\nmatch = true\n'
BAD = [
    pytest.param(file("bad.toml", TWICE), ("bad.toml", 4), "overwrite a value", "", id="a key twice"),
    pytest.param(file("bad.toml", DATED), ("bad.toml", 3), "not valid TOML", "", id="no date"),
    pytest.param(file("bad.toml", rule("x")[:-9]), ("bad.toml", 4), "not valid TOML", "", id="cut off"),
    pytest.param(file("bad.toml", b"# a\n# \xff\n"), ("bad.toml", 2), "not UTF-8", "save it as UTF-8", id="not UTF-8"),
    pytest.param(file("bad.toml", "a=" + "[" * 5000), ("bad.toml", 0), "nested too deeply", "", id="5,000 deep"),
    pytest.param(file("bad.toml", ""), ("bad.toml", 0), "the file is empty", "write it again", id="no bytes"),
    pytest.param(lambda f: (f / "bad.toml").mkdir(), ("bad.toml", 0), "is a folder", "move it out", id="a folder"),
    pytest.param(
        lambda f: (f / "bad.toml").symlink_to("../config.toml"),
        ("bad.toml", 0),
        "leaves the folder",
        "move it out",
        id="a link out",
    ),
    pytest.param(
        lambda f: f.rename(f.with_name("gone")), ("rules", 0), "cannot be read", "see [rules] folder", id="vanished"
    ),
    pytest.param(
        file("bad.toml", "\n\n" + rule("x").replace("=visite", "@hun_senn")),
        ("bad.toml", 6),
        "hun_senn",
        "did you mean",
        id="a misspelt set",
    ),
    pytest.param(file("bad.toml", FAILING), ("bad.toml", 5), "a test of `pont` fails", "", id="a failing test"),
    pytest.param(
        file("bad.toml", '[pattern.p]\nwhen = "pont"\n[[pattern.test]]\ntitle = "Un quai"\n'),
        ("bad.toml", 3),
        "a test of `p()` fails",
        "",
        id="a failing test of a pattern",
    ),
    pytest.param(
        file("bad.toml", rule("x", more='alert.to = ["lag"]\n')),
        ("bad.toml", 5),
        "is sent to `lag`",
        "did you mean `log`? (config.toml itself is read at SIGHUP)",
        id="r06 an unknown target",
    ),
]


@pytest.mark.parametrize(("spoil", "place", "message", "fix"), BAD)
async def test_r03_a_bad_set_is_refused_whole_and_said_once(
    desk: Desk, spoil: Callable[[Path], object], place: tuple[str, int], message: str, fix: str
) -> None:
    """Everywhere with its place and fix; articles meet the rules of before; once mended, that is said once."""
    folder = desk.folder / "rules"
    good, before = (folder / "rules.toml").read_bytes(), desk.context.live.ruleset
    with capture_logs() as logged:
        async with working(desk):
            (folder / "good.toml").write_text(rule("good"))
            spoil(folder)
            await until(lambda: state(desk).problems)
            (problem,) = state(desk).problems
            assert (Path(problem.file).name, problem.line) == place
            assert message in problem.message
            assert fix in problem.fix
            assert desk.context.live.ruleset is before, "of a set with a mistake nothing is taken"
            assert (state(desk).rules, state(desk).hash) == (1, before.hash)
            desk.web.feed(FEED, [Item("1", "Hun Sen à Hanoï", VISIT)])
            desk.later(hours=1)  # by more, the operators would be told of the clock
            await until(lambda: desk.one("SELECT count(*) FROM match WHERE rule_id = 'visit'"))
            assert desk.one("SELECT count(*) FROM match") == 1

            folder.with_name("gone").rename(folder) if not folder.exists() else None
            for path in folder.glob("bad.toml"):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            (folder / "rules.toml").write_bytes(good + b"# mended\n")
            await until(lambda: not state(desk).problems)
            assert [one.id for one in desk.context.live.ruleset.rules] == ["good", "visit"]
            assert state(desk).rules == 2
            await until(lambda: len(notices(desk)) == 2)
    refused, mended = notices(desk)
    assert refused[0] == "the rules on disk cannot be used"
    assert f"{place[0]}:{place[1]}"[: None if place[1] else -2] in refused[1]
    assert message in refused[1]
    assert fix in refused[1]
    assert mended[0] == "the rules on disk can be used again"
    assert mended[1].startswith("2 rules in force now.")
    events = [line["event"] for line in logged if "rules" in line["event"]]
    assert events == [
        "reload refused; the rules of before stays",
        "rules reloaded",
        "the rules on disk can be used again",
    ]


async def test_a_name_that_is_no_text_can_be_told(desk: Desk) -> None:
    """File systems take any bytes for a name; the store and a mail do not."""
    os.close(os.open(os.fsencode(desk.folder / "rules") + b"/bad\xff.toml", os.O_CREAT | os.O_WRONLY))
    async with working(desk):
        await until(lambda: state(desk).problems and notices(desk))
        (problem,) = state(desk).problems
    assert problem.file.endswith("bad\\udcff.toml")


async def test_a_byte_order_mark_is_no_mistake(desk: Desk) -> None:
    """Editors on Windows write one."""
    async with working(desk):
        (desk.folder / "rules/bom.toml").write_bytes(b"\xef\xbb\xbf" + rule("bom").encode())
        await until(lambda: state(desk).rules == 2)
    assert notices(desk) == []


async def read_again(desk: Desk, change: Callable[[], object]) -> None:
    """Make a change and wait until it was judged."""
    desk.later(seconds=1)
    change()
    await until(lambda: state(desk).read == desk.now)


async def test_each_failure_is_said_once(desk: Desk) -> None:
    """Saved again with the mistake it has: nothing. With another: that. Mended and broken once more: again."""
    path = desk.folder / "rules/bad.toml"
    one, other = rule("x").replace("=visite", "@one"), rule("x").replace("=visite", "@other")
    async with working(desk):
        for text in (one, one, other, one, rule("x"), rule("x") + "# saved\n", one):
            await read_again(desk, lambda text=text: path.write_text(text))
    said = [subject + ("@one" in body) * " one" + ("@other" in body) * " other" for subject, body in notices(desk)]
    bad, good = "the rules on disk cannot be used", "the rules on disk can be used again"
    assert said == [f"{bad} one", f"{bad} other", good, f"{bad} one"]


async def test_much_that_is_wrong_is_cut(desk: Desk) -> None:
    """A thousand mistakes, or a line of a megabyte, are no message."""
    wrong = "".join(f'[[rule]]\nid = "x{n}"\nwhen = "=a AND"\nseverity = "high"\n' for n in range(1000))
    async with working(desk):
        (desk.folder / "rules/bad.toml").write_text(wrong)
        await until(lambda: state(desk).problems)
        *shown, last = state(desk).problems
        assert len(shown) == 20
        assert last.message == "and 980 more: `veille check` lists them"
        long = 'x = "' + "y" * 900_000
        await read_again(desk, lambda: (desk.folder / "rules/bad.toml").write_text(long))
    assert max(len(body) for _, body in notices(desk)) < 20_000


async def test_r06_a_route_keeps_its_rule(desk: Desk) -> None:
    """A rule that a route names cannot be renamed away: the next start would fail."""
    route = '[[route]]\nrules = ["visit"]\ntargets = ["log"]\n'
    site = Site(desk.folder, feeds=[FEED], more=OPERATORS + route)
    desk.context.live = load(site.config)
    async with working(desk):
        (desk.folder / "rules/rules.toml").write_text(RULES.replace('"visit"', '"visits"'))
        await until(lambda: state(desk).problems)
    (problem,) = state_of_last(desk)
    assert problem.file == str(site.config)
    assert "la route nomme la règle `visit`" in problem.message


def state_of_last(desk: Desk) -> list[Problem]:
    """The operators' last notice, as the log of this process has it no more."""
    ((_, body),) = notices(desk)
    place, message = body.splitlines()[0].split(": ", 1)
    return [Problem(file=place.rsplit(":", 1)[0], line=int(place.rsplit(":", 1)[1]), message=message)]


async def test_sighup_and_the_watch_say_one_mistake_once(desk: Desk) -> None:
    """SIGHUP asks for everything: its refusal stays until it is asked again, though the rules are good by then."""
    config, path = desk.folder / "config.toml", desk.folder / "rules/rules.toml"
    async with working(desk) as again:
        await read_again(desk, lambda: path.write_text(RULES.replace("@hun_sen", "@hun_senn")))
        assert len(state(desk).problems) == 1
        await read_again(desk, again.set)
        assert len(state(desk).problems) == 1, "the same mistake, seen twice"
        await read_again(desk, lambda: path.write_text(RULES + rule("more")))
        (problem,) = state(desk).problems
        assert (problem.file, problem.fix) == (str(config), "send SIGHUP again")
        assert state(desk).rules == 2
        await read_again(desk, again.set)
        assert state(desk).problems == ()
        config.write_text(config.read_text() + "[[feed]\n")
        await read_again(desk, again.set)
        assert [one.file for one in state(desk).problems] == [str(config)]
        await read_again(desk, lambda: path.write_text(RULES))
        assert [one.file for one in state(desk).problems] == [str(config)], "good rules fix no configuration"
        assert state(desk).rules == 1
    assert [subject for subject, _ in notices(desk)] == [
        "the rules on disk cannot be used",
        "the rules on disk can be used again",
        "the configuration on disk can be used again",
        "the configuration on disk cannot be used",
    ]


async def test_a_mistake_of_our_own_is_a_refusal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch goes on, and the next set is taken."""
    from worker.rules import match

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a slip")

    async with working(desk):
        with monkeypatch.context() as patched:
            patched.setattr(match, "failing_tests", fail)
            await read_again(desk, lambda: (desk.folder / "rules/a.toml").write_text(rule("a")))
        (problem,) = state(desk).problems
        assert "ZeroDivisionError: a slip" in problem.message
        await read_again(desk, lambda: (desk.folder / "rules/a.toml").write_text(rule("a") + "\n"))
        assert (state(desk).problems, state(desk).rules) == ((), 2)


async def test_what_was_written_while_it_was_read_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was read of the half is neither taken nor told."""
    from worker.runtime import reload as app_reload

    path, taken = desk.folder / "rules/a.toml", []
    real = app_reload.reload_rules

    def meanwhile(live: Any) -> Any:
        try:
            return real(live)
        finally:
            if not taken:
                path.write_text(rules(3))
            taken.append(1)

    monkeypatch.setattr(app_reload, "reload_rules", meanwhile)
    with capture_logs() as logged:
        async with working(desk):
            path.write_text(rule("x")[:-5])
            await until(lambda: state(desk).rules == 4)
    assert notices(desk) == []
    assert [line["rules"] for line in logged if line["event"] == "rules reloaded"] == [4]


async def test_a_store_that_is_busy_hears_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are in force at once; the record and the notice follow, once."""
    from worker.errors import StoreBusyError
    from worker.runtime import reload as app_reload

    monkeypatch.setattr(app_reload, "_REST", 0.05)
    real, refused = upkeep.put_in_force, []

    def busy(tx: Any, state: upkeep.InForce) -> None:
        if len(refused) < 3:
            refused.append(state)
            raise StoreBusyError
        real(tx, state)

    async with working(desk):
        monkeypatch.setattr(upkeep, "put_in_force", busy)
        (desk.folder / "rules/bad.toml").write_text("[")
        await until(lambda: state(desk).problems)
    assert len(refused) == 3
    # Of the store, too, something may be said: it was busy.
    told = [subject for subject, _ in notices(desk) if "store is busy" not in subject]
    assert told == ["the rules on disk cannot be used"]


async def test_what_changed_before_the_watch_began_is_seen(desk: Desk) -> None:
    """Between the reading at the start and the first look."""
    (desk.folder / "rules/late.toml").write_text(rules(3))
    async with working(desk):
        await until(lambda: state(desk).rules == 4)


async def test_the_state_is_of_a_worker_that_runs(desk: Desk) -> None:
    """With the worker stopped in order there are no rules in force; `since` is when this set began."""
    async with working(desk):
        began = desk.now
        assert state(desk) == upkeep.InForce(
            owner="desk", hash=desk.context.live.ruleset.hash, rules=1, since=began, read=began
        )
        await read_again(desk, lambda: (desk.folder / "rules/rules.toml").write_text(RULES + "\n# the same\n"))
        assert (state(desk).since, state(desk).read) == (began, desk.now)
        await read_again(desk, lambda: (desk.folder / "rules/rules.toml").write_text(RULES + rule("more")))
        assert state(desk).since == desk.now
    assert in_force(desk) is None


def test_the_rules_in_force_are_one_row(store: Store) -> None:
    """The newest, on both databases; problems come back as they were."""
    from stored import NOW

    problem = Problem(file="a.toml", line=3, column=5, message="« non »", fix="oui", source='when = "é"')
    with store.write() as tx:
        assert upkeep.in_force(tx) is None
        for count in range(3):
            now = upkeep.InForce(owner="o", hash="ab", rules=count, since=NOW, read=NOW, problems=(problem,) * count)
            upkeep.put_in_force(tx, now)
            assert upkeep.in_force(tx) == now
        upkeep.rest(tx, "another")
        assert upkeep.in_force(tx) == now
        upkeep.rest(tx, "o")
        assert upkeep.in_force(tx) is None


# --- the process ---------------------------------------------------------------------------------------------------


def stored(site: Site, query: str) -> list[tuple[Any, ...]]:
    """The answer of a running worker's store."""
    with contextlib.closing(sqlite3.connect(site.folder / "veille.db", timeout=30)) as db, db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:  # it is being made
            return []


def wait_for_rules(site: Site, count: int, *, problems: bool = False) -> None:
    """Return once so many rules are in force, and the files are refused or not."""

    def there() -> bool:
        found = stored(site, "SELECT rules, problems != '[]' FROM in_force")
        return found == [(count, problems)]

    wait_for(lambda: (site.folder / "veille.db").exists() and there(), what=f"{count} rules in force")


def make_due(site: Site, *tables: str) -> None:
    """Let a running worker poll, or send, at its next tick."""
    # A poll under way would set the due time after us.
    idle = "SELECT count(*) FROM feed WHERE last_polled IS NULL OR lease_until IS NOT NULL"
    wait_for(lambda: stored(site, idle) == [(0,)], what="the first poll")
    for table in tables:
        stored(site, f"UPDATE {table} SET due = '2000-01-01 00:00:00.000000'")


def mails(site: Site) -> list[tuple[str, str]]:
    """Subjects and texts of what Veille told of itself."""
    found = []
    for path in sorted((site.folder / "alerts").glob("*.eml")):
        subject = str(email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["subject"])
        if subject.startswith("[Veille]"):
            found.append((subject, plain_text(path.read_bytes())))
    return found


def events(site: Site, word: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in site.log().splitlines() if line.startswith("{")]
    return [line for line in lines if word in line["event"]]


def test_every_way_of_changing_the_folder(tmp_path: Path) -> None:
    """A link in it or to it is turned, a file renamed over another, all gone and back: each is taken, unasked, once."""
    site = Site(tmp_path, feeds=[])
    folder = tmp_path / "rules"
    # As a Kubernetes ConfigMap is mounted: files are links into ..data, a link that is turned to the new version.
    shutil.rmtree(folder)
    versions = tmp_path / "mounted"
    for n, name in enumerate(("..1", "..2"), 1):
        (versions / name).mkdir(parents=True)
        (versions / name / "a.toml").write_text(rules(n))
    (versions / "..data").symlink_to("..1")
    (versions / "a.toml").symlink_to("..data/a.toml")
    folder.symlink_to("mounted")

    def turn(link: Path, to: str) -> None:
        link.with_name("turned").symlink_to(to)
        link.with_name("turned").rename(link)

    with site.running():
        wait_for_rules(site, 1)
        turn(versions / "..data", "..2")
        wait_for_rules(site, 2)
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain/a.toml").write_text(rules(3))
        turn(folder, "plain")
        wait_for_rules(site, 3)
        (folder / ".a.toml.tmp").write_text(rules(4))
        (folder / ".a.toml.tmp").rename(folder / "a.toml")
        wait_for_rules(site, 4)
        shutil.rmtree(tmp_path / "plain")
        wait_for_rules(site, 4, problems=True)
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain/a.toml").write_text(rules(5))
        wait_for_rules(site, 5)
        status = site.veille("status").stdout
        assert "5 in force since" in status
        assert "refused" not in status
    assert [line["rules"] for line in events(site, "rules reloaded")] == [2, 3, 4, 5]
    assert len(events(site, "refused")) == 1
    assert site.json("status")["rules"] is None


@pytest.mark.parametrize("whole", [True, False], ids=["a half that parses", "a half that does not"])
def test_r04_a_torn_write(tmp_path: Path, whole: bool) -> None:
    """Half a file, half a second, the rest: only the whole is read, and nothing is refused."""
    site = Site(tmp_path, feeds=[], rules=rules(1))
    path, text = tmp_path / "rules/torn.toml", rules(5).replace('"r', '"t')
    at = text.index('[[rule]]\nid = "t3"') + (0 if whole else 20)
    with site.running():
        wait_for_rules(site, 1)
        for _ in range(5):
            reloads = len(events(site, "reload"))
            with path.open("w") as file:
                file.write(text[:at])
                file.flush()
                began = time.monotonic()
                time.sleep(0.5)  # the fault itself, not a wait
                file.write(text[at:])
                file.flush()
                in_time = time.monotonic() - began < 0.7
            wait_for_rules(site, 6)
            if in_time:
                break
            path.unlink()
            wait_for_rules(site, 1)
        else:
            pytest.skip("this machine is too busy to write two halves within 0.7 s")
        assert [line["event"] for line in events(site, "reload")[reloads:]] == ["rules reloaded"]
        assert events(site, "reload")[-1]["rules"] == 6


def test_r03_the_watch_goes_on_beside_bad_files(tmp_path: Path) -> None:
    """Each bad file is named in log, status and notice; an article that comes meanwhile meets the rules of before."""
    with FeedServer() as server:
        url = server.serve("/f", rss([]))
        site = Site(tmp_path, feeds=[url], allow=[server.place], targets=TARGET, more=OPERATORS)
        bad = {
            "twice.toml": b"[set.x]\nterms = ['a']\nterms = ['b']\n",
            "latin.toml": "# é\n".encode("latin-1"),
            "deep.toml": b"a=" + b"[" * 5000,
            "empty.toml": b"",
            "cut.toml": b'[[rule]]\nid = "cu',
        }
        with site.running():
            wait_for_rules(site, 1)
            for name, content in bad.items():
                (tmp_path / "rules" / name).write_bytes(content)
            wait_for_rules(site, 1, problems=True)
            server.serve("/f", rss([Item("1", "Hun Sen à Hanoï", VISIT)]))
            make_due(site, "feed")
            wait_for(lambda: stored(site, "SELECT 1 FROM obligation WHERE rule_id = 'visit'"), what="the match")
            found = site.json("status")["rules"]
            assert (found["ok"], found["count"]) == (False, 1)
            places = {(Path(one["file"]).name, one["line"]) for one in found["problems"]}
            assert places == {
                ("twice.toml", 3), ("latin.toml", 1), ("deep.toml", 0), ("empty.toml", 0), ("cut.toml", 2)
            }  # fmt: skip
            shown = site.veille("status").stdout
            for name in bad:
                (tmp_path / "rules" / name).unlink()
            wait_for_rules(site, 1)
            wait_for(lambda: len(mails(site)) == 2, what="two notices")
        mended, refused = sorted(mails(site))
        (logged,) = events(site, "reload refused")
        for name in bad:
            assert name in refused[1]
            assert name in shown
            assert name in logged["problems"]
        assert refused[0] == "[Veille] the rules on disk cannot be used"
        assert mended[0] == "[Veille] the rules on disk can be used again"


def test_r05_what_is_owed_is_sent_without_its_rule(tmp_path: Path) -> None:
    """Ten deliveries wait when their rule is deleted: all ten arrive, and a later article is nobody's business."""
    with FeedServer() as server, SmtpSink({"RCPT": ["451 4.3.0 later"] * 10}) as smtp:
        target = (
            '[[target]]\nid = "desk"\nemail = { to = ["a@example.org"], from = "v@example.org", '
            f'smtp = "smtp://127.0.0.1:{smtp.port}" }}\n'
        )
        chance = random.Random(5)
        texts = [" ".join(chance.choices(WORDS, k=60)) for _ in range(10)]
        items = [Item(str(n), f"Article {n}", f"Une visite de Hun Sen: {text}.") for n, text in enumerate(texts)]
        url = server.serve("/f", rss(items))
        site = Site(tmp_path, feeds=[url], allow=[server.place], targets=target)
        with site.running():
            wait_for_rules(site, 1)
            retry = "SELECT count(*) FROM delivery WHERE state = 'retry' AND attempts = 1 AND lease_until IS NULL"
            wait_for(lambda: stored(site, retry) == [(10,)], what="ten that wait")
            assert smtp.received == []
            (tmp_path / "rules/rules.toml").write_text("# none any more\n")
            wait_for_rules(site, 0)
            later = Item("later", "Hun Sen revient", "Une visite de Hun Sen à Vientiane, pour un pont et une école.")
            server.serve("/f", rss([later, *items]))
            make_due(site, "feed", "delivery")
            sent = "SELECT count(*) FROM delivery WHERE state = 'sent'"
            wait_for(lambda: stored(site, sent) == [(10,)], what="the sending of all ten")
            wait_for(lambda: stored(site, "SELECT 1 FROM article WHERE title = 'Hun Sen revient'"), what="the article")
        assert stored(site, "SELECT count(*) FROM obligation WHERE verdict = 'owed'") == [(10,)]
        assert len(smtp.received) == 10


def test_r06_a_target_that_is_not_there_yet(tmp_path: Path) -> None:
    """A rule to an unknown target is refused, and the way out is named: SIGHUP reads config.toml, and the rules."""
    site = Site(tmp_path, feeds=[], more=OPERATORS)
    with site.running() as worker:
        wait_for_rules(site, 1)
        (tmp_path / "rules/new.toml").write_text("\n" + rule("new", more='alert.to = ["night"]\n'))
        site.config.write_text(site.config.read_text() + LOG_TARGET.replace('"log"', '"night"'))
        wait_for_rules(site, 1, problems=True)
        (problem,) = site.json("status")["rules"]["problems"]
        assert (problem["file"], problem["line"]) == ("new.toml", 6)
        assert "(config.toml itself is read at SIGHUP)" in problem["fix"]
        worker.send_signal(signal.SIGHUP)
        wait_for_rules(site, 2)
        wait_for(lambda: len(mails(site)) == 2, what="two notices")
