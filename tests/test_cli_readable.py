"""Commands beside a configuration with mistakes: those that ask the store alone answer, and say what is wrong."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from desk import FEED, VISIT, polled_once
from rig import Item, Site
from typer.core import TyperGroup

from worker import cli
from worker.runtime.clock import clock
from worker.store import open_store, upkeep

#: Answer from the store: what they are asked, and their exit code.
FROM_THE_STORE = {
    ("status",): ((), 0),
    ("articles",): (("--containing", "hun sen"), 0),
    ("search",): (("hun", "sen"), 0),
    ("why",): (("1",), 0),
    ("show",): (("1",), 0),
    ("stories", "list"): ((), 0),
    ("ack",): (("1",), 0),
    ("silence",): (("--rule", "visit"), 0),
    ("mute-story",): (("1",), 0),
    ("deliveries",): ((), 0),
    ("deliveries", "retry"): (("--all-failed",), 0),
    ("ledger",): ((), 0),
    ("review",): ((), 0),
    ("quarantine",): ((), 0),
    ("quarantine", "show"): (("7",), 1),
    ("quarantine", "retry"): (("--all",), 0),
    ("feeds", "list"): ((), 0),
    ("rules", "label"): (("1", "visit", "noise"), 0),
    ("rules", "stats"): ((), 0),
    ("users", "list"): ((), 0),
    ("users", "role"): (("nobody", "reader"), 1),
    ("users", "remove"): (("nobody",), 1),
    ("token", "list"): ((), 0),
    ("token", "remove"): (("9",), 1),
    ("backup",): (("copy.db",), 0),
    ("restore",): (("nosuch.db",), 78),
}
#: Read the rules alone, of the folder that the configuration names, or no file of the user's.
FROM_THE_RULES = {
    ("rules", "check"): (),
    ("rules", "test"): (),
    ("rules", "survey"): ("nosuch.jsonl",),
    ("eval", "rules"): ("nosuch.jsonl",),
    ("eval", "copies"): ("nosuch.jsonl", "--self"),
    ("eval", "stories"): ("nosuch.tsv",),
}
#: Poll, send, or decide anew who is to be alerted: what they would do wrong with half a configuration.
FROM_ALL = {
    ("run",): (),
    ("poll",): (),
    ("check",): (),
    ("preview",): ("1", "--target", "log"),
    ("send-test",): ("log",),
    ("import",): ("known.txt",),
    ("replay",): ("--since", "1d"),
    ("rules", "backtest"): ("visit",),
    ("rules", "diff"): ("rules",),
    ("stories", "split"): ("1",),
    ("stories", "move"): ("1", "2"),
    ("stories", "merge"): ("1", "2"),
    ("feeds", "export"): (),
    ("users", "add"): ("bo", "--without-password"),
    ("token", "add"): ("grafana",),
}
#: Look at the configuration themselves, or at the worker alone, or change its text.
OF_THEIR_OWN = {("doctor",), ("health",), ("feeds", "add"), ("feeds", "import")}
#: They print what is no JSON, or nothing.
NOT_FOR_PROGRAMS = {("run",), ("feeds", "export")}

BROKEN = {
    "unset secret": ('[watch]\nheartbeat_url = "https://x.example/${NEVER_SET}"\n', "heartbeat_url", "set NEVER_SET"),
    "unknown key": ('[retention]\nartikles = "30d"\n', "artikles", "did you mean"),
    "no TOML": ('[retention]\narticles = 30d"\n', "30d", "write one setting on a line"),
}


def commands() -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command that the parser knows."""

    def below(group: TyperGroup, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                if command.invoke_without_command:
                    yield (*words, name), command
                yield from below(command, (*words, name))
            else:
                yield (*words, name), command

    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    return below(root, ())


def test_every_command_has_chosen() -> None:
    """A new one says here from what it answers."""
    chosen = [*FROM_THE_STORE, *FROM_THE_RULES, *FROM_ALL, *OF_THEIR_OWN]
    assert sorted(chosen) == sorted(words for words, _ in commands())


def test_every_command_for_programs_prints_json() -> None:
    """Each has the option, but for those that print something else."""
    without = {words for words, command in commands() if "--json" not in {o for p in command.params for o in p.opts}}
    assert without == NOT_FOR_PROGRAMS


def test_help_lists_each_command_under_its_use(veille) -> None:
    """Those of every day come first."""
    out = veille("--help").out
    panels = re.findall(r"^╭─ ([\w ]+?) ─", out, re.MULTILINE)
    assert panels == ["Options", *cli._PANELS]
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    assert set(root.commands) == {name for names in cli._PANELS.values() for name in names}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store that holds an article that was alerted, its matches and its story."""
    return polled_once(tmp_path_factory.mktemp("polled"), Item("1", "Hun Sen attendu à Hanoï", VISIT))


@pytest.fixture
def polled(tmp_path: Path, stored: bytes) -> Site:
    """A site with that store, which commands may change."""
    site = Site(tmp_path / "site", feeds=[FEED])
    (site.folder / "veille.db").write_bytes(stored)
    return site


@pytest.fixture
def broken(request: pytest.FixtureRequest, polled: Site) -> tuple[Site, int, str]:
    """The site with a mistake in its configuration, of the kind `param`; its line, and what its fix says."""
    more, mistake, fix = BROKEN[getattr(request, "param", "unset secret")]
    polled.more = more
    polled.write()
    lines = polled.config.read_text().split("\n")
    return polled, next(number for number, line in enumerate(lines, 1) if mistake in line), fix


@pytest.mark.parametrize(
    ("broken", "words"),
    [*(("unset secret", words) for words in FROM_THE_STORE), *((kind, ("status",)) for kind in BROKEN)],
    indirect=["broken"],
)
def test_the_store_answers_beside_a_mistake(
    veille, broken: tuple[Site, int, str], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one line on standard error: the file, the line, the fix; what a program reads stays whole."""
    site, line, fix = broken
    monkeypatch.chdir(tmp_path)
    asked, code = FROM_THE_STORE[words]
    done = veille(*words, *asked, "--json", site=site)
    assert done.code == code, done.err
    first = done.err.splitlines()[0]
    assert first.startswith(f"veille: {site.config}:{line}: ")
    assert fix in first
    if code == 0:
        assert len(done.err.splitlines()) == 1
        json.loads(done.out)


@pytest.mark.parametrize("words", FROM_THE_RULES, ids=" ".join)
def test_rules_are_read_beside_a_mistake(veille, broken: tuple[Site, int, str], words: tuple[str, ...]) -> None:
    """Whoever writes rules is not held up by a target."""
    site, _, _ = broken
    done = veille(
        *words, *FROM_THE_RULES[words], *(() if words[1:] in {("copies",), ("stories",)} else ("--config", site.config))
    )
    assert str(site.config) not in done.err
    assert done.code == 0 or "nosuch" in done.err


@pytest.mark.parametrize(
    ("broken", "words"),
    [*(("unset secret", words) for words in FROM_ALL), *((kind, ("poll",)) for kind in BROKEN)],
    indirect=["broken"],
)
def test_nothing_is_decided_with_half_a_configuration(
    veille, broken: tuple[Site, int, str], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They refuse, with the mistake."""
    site, line, _ = broken
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.txt").write_text("Un texte connu.")
    (tmp_path / "rules").mkdir()
    done = veille(*words, *FROM_ALL[words], site=site)
    assert done.code == 78
    assert f"{site.config}:{line}" in done.err


def test_health_is_about_the_worker_alone(veille, broken: tuple[Site, int, str]) -> None:
    """It says nothing of the file."""
    site, _, _ = broken
    now = clock()
    store = open_store(f"sqlite:///{site.folder}/veille.db", create=False)
    with store.write() as tx:
        upkeep.beat(tx, upkeep.Heartbeat(owner="o", host="desk", pid=7, started=now, tick=now))
    store.close()
    done = veille("health", "--json", site=site)
    assert (done.code, done.err, json.loads(done.out)["alive"]) == (0, "", True)


def test_rules_that_cannot_be_read_leave_the_store_its_answer(veille, polled: Site) -> None:
    """`why` shows what matched and who was alerted; a silence is made, though its rule cannot be looked up."""
    polled.more = ""
    polled.write()
    rules = polled.folder / "rules" / "rules.toml"
    rules.write_text("[[rule]]\nid = ")
    done = veille("why", "1", "--json", site=polled)
    assert [one["rule"] for one in json.loads(done.out)["matches"]] == ["visit"]
    assert "rules.toml:2: " in done.err
    assert veille("silence", "--rule", "visit", site=polled).code == 0


@pytest.mark.parametrize(
    "text",
    ['[store\nurl = "sqlite:///veille.db"\n', '[store]\nurl = "sqlite:///${NEVER_SET}.db"\n'],
    ids=["cut", "secret"],
)
def test_without_the_address_nothing_is_answered(veille, tmp_path: Path, text: str) -> None:
    """The store's address stands in the mistake itself: the fix is said, and no other store is asked."""
    (tmp_path / "config.toml").write_text(text)
    done = veille("status", "--config", tmp_path / "config.toml")
    assert done.code == 78
    assert "fix: " in done.err
