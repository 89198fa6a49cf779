"""The command line: each command reads its options, calls the rooms below, and shows the answer.

Heavy imports wait inside the commands, so that `--help` answers at once.
"""

import io
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from worker.cli import (
    answers,
    articles,
    deliveries,
    evaluating,
    operating,
    people,
    previewing,
    quarantine,
    replaying,
    reviewing,
    rules,
    stories,
)
from worker.cli.options import (
    EX_CONFIG,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    HERE,
    ConfigFile,
    Json,
    fail,
    loaded,
    opened,
    print_json,
    readable,
    say,
    write,
)
from worker.errors import StoreError, StoreMissingError, StoreUnusableError, UserError, VeilleError
from worker.model.times import counted

#: The commands of `--help` by their use, in the order in which they are listed.
_PANELS = {
    "Every day": (
        *("status", "articles", "search", "show", "why", "stories", "preview"),
        *("ack", "silence", "mute-story", "deliveries", "ledger", "review"),
    ),
    "Rules": ("rules", "eval", "replay"),
    "Configuration": ("check", "feeds", "send-test"),
    "People and programs": ("users", "token"),
    "The worker and its store": (*("run", "poll", "health", "doctor", "quarantine", "import", "backup", "restore"),),
}


class _ByUse(TyperGroup):
    """Lists the commands by their use."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        named = {name: (at, panel) for at, (panel, name) in enumerate(_named())}
        for name, command in self.commands.items():
            if name in named and isinstance(command, TyperCommand | TyperGroup):
                command.rich_help_panel = named[name][1]
        last = len(named), ""
        self.commands = dict(sorted(self.commands.items(), key=lambda item: named.get(item[0], last)[0]))


def _named() -> Iterator[tuple[str, str]]:
    return ((panel, name) for panel, names in _PANELS.items() for name in names)


app = typer.Typer(
    cls=_ByUse,
    name="veille",
    help="A news-watch worker: feeds in, alerts out, none lost.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
feeds_app = typer.Typer(help="The feeds of the configuration.", no_args_is_help=True)
app.add_typer(feeds_app, name="feeds")
for command in (operating.doctor, operating.backup, operating.restore, replaying.replay, reviewing.review):
    app.command()(command)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(rules.app, name="rules")
app.add_typer(evaluating.app, name="eval")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(stories.app, name="stories")
app.add_typer(people.users, name="users")
app.add_typer(people.tokens, name="token")
app.command(name="preview")(previewing.preview)
app.command(name="show")(previewing.show)
app.registered_commands += articles.app.registered_commands + answers.app.registered_commands


def main() -> None:
    """Run the command line; every expected failure is a sentence and an exit code."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where the locale cannot write Vietnamese, a number will do
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (UserError, StoreUnusableError) as e:
        fail(str(e), EX_CONFIG)
    except StoreError as e:
        fail(str(e), EX_TEMPFAIL)
    except VeilleError as e:
        fail(str(e), EX_UNAVAILABLE)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:  # noqa: BLE001 - printed with its trace, in which no secret may stand
        fail(f"this is a mistake of Veille's own; please report it.\n{traceback.format_exc()}", EX_SOFTWARE)


def _open_streams() -> None:
    """Open closed standard streams on nothing: else the next file to be opened, the store, would take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is given, which is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - the library's form
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r+" if name == "stdin" else "w", closefd=False))  # noqa: SIM115 - kept open


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's form of a callback
    if asked:
        from importlib.metadata import version

        say(f"veille {version('veille')}")
        raise typer.Exit


@app.callback()
def veille(
    *, _asked: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False
) -> None:
    """A news-watch worker: feeds in, alerts out, none lost."""


@app.command()
def run(
    config: ConfigFile = HERE,
    *,
    log: Annotated[
        str, typer.Option("--log", metavar="text|json", help="The log's form; text at a terminal, json elsewhere.")
    ] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="poll,ingest,deliver", help="What this worker of a cluster does; all.")
    ] = "",
) -> None:
    """Watch feeds, send alerts, read changed rules, until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    import asyncio
    import signal

    from worker.runtime.logs import Form

    if log and log not in list(Form):
        fail(f"{log!r} is no form of the log: text or json", EX_USAGE)
    from worker.model import Role

    names = [name.strip() for name in role.split(",") if name.strip()] or list(Role)
    if unknown := [name for name in names if name not in list(Role)]:
        fail(f"{unknown[0]!r} is no role: {', '.join(Role)}", EX_USAGE)
    # Before the second that the imports take: as PID 1 of a container a process without a handler ignores SIGTERM, and
    # elsewhere SIGHUP ends it. Nothing has begun yet that would have to end in order, or to be read again.
    early = dict.fromkeys((signal.SIGTERM, signal.SIGINT), lambda *_: os._exit(0)) | {signal.SIGHUP: signal.SIG_IGN}
    before = {sign: signal.signal(sign, handler) for sign, handler in early.items()}
    try:
        from worker.runtime.run import run as run_worker

        asyncio.run(run_worker(config, say, Form(log) if log else None, [Role(name) for name in names]))
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@app.command()
def poll(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Make one pass: poll every feed, store what is new, send what is due, and exit."""
    import asyncio

    from worker.cli import show
    from worker.runtime.run import poll_once

    live = loaded(config)
    with show.progress("polling", len(live.config.feeds)) as step:
        done = asyncio.run(poll_once(live, (lambda _: None) if as_json else say, step))
    if as_json:
        print_json(done.as_json())
    else:
        show.poll(done)


@app.command()
def check(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Read the configuration and the rules, and report every mistake with its place and its fix."""
    from dataclasses import asdict

    from worker.config import advise
    from worker.notify.senders import check as check_target

    try:
        live = loaded(config)
    except UserError as e:
        if as_json:
            print_json({"problems": [asdict(problem) for problem in e.problems], "remarks": []})
        raise
    remarks = [str(one) for one in (*advise(live.config, len(live.ruleset.rules)), *live.ruleset.remarks())]
    wrong = [
        f"target {target.id}: {problem}" for target in live.config.alerts.targets for problem in check_target(target)
    ]
    counts = {
        "feeds": len(live.config.feeds),
        "rules": len(live.ruleset.rules),
        "targets": len(live.config.alerts.targets),
    }
    if as_json:
        problems = [{"file": str(config), "line": 0, "message": message} for message in wrong]
        print_json(counts | {"problems": problems, "remarks": remarks})
    else:
        for remark in remarks:
            say(remark)
    if wrong:
        fail("\n".join(wrong), EX_CONFIG)
    if not as_json:
        counted_ = ", ".join(counted(number, what.removesuffix("s")) for what, number in counts.items())
        say(f"{config}: {counted_}; all is well")


@app.command()
def status(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Show the worker, the rules in force, the feeds, and what waits to be sent."""
    from worker.cli import show
    from worker.console.views.state import status as facts
    from worker.runtime.clock import LATE_AFTER, age_of, clock

    with opened(config) as (conf, store):
        now = clock()
        found = facts(conf, store, now, lambda beat: age_of(beat, now) < LATE_AFTER)
    if as_json:
        print_json(found)
    else:
        show.status(found)


@app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help=".jsonl or .txt files of articles already known.")],
    config: ConfigFile = HERE,
    *,
    as_json: Json = False,
) -> None:
    """Store articles that are known already; they never alert, and copies of them will be recognised."""
    from worker.cli import show
    from worker.cli.imports import read_known, store_all

    count, known = read_known(files)
    with opened(config, create=True) as (_, store), show.progress("importing", count) as step:
        done = store_all(store, known, step)
    if as_json:
        print_json(done)
    else:
        copies = counted(done["duplicate"], "copy")
        say(f"{done['read']} read: {done['new']} new, {copies}, {done['known']} known before")


@feeds_app.command(name="list")
def feeds_list(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """List the configured feeds and how their last poll went."""
    from worker.cli import show
    from worker.console.views.state import feeds
    from worker.runtime.clock import clock

    read = readable(config)
    try:
        with opened(config, read=read) as (conf, store):
            found = feeds(conf, store, clock())
    except StoreMissingError:  # feeds are listed before they are polled
        found = feeds(read.config, None, clock())
    if as_json:
        print_json(found)
    else:
        show.feeds(found, addresses=True)


@feeds_app.command(name="add")
def feeds_add(
    url: Annotated[str, typer.Argument(help="Of a feed, or of a page that names one.")],
    config: ConfigFile = HERE,
    *,
    name: Annotated[str, typer.Option("--name", help="What alerts call it; as it calls itself, if left out.")] = "",
    language: Annotated[str, typer.Option("--language", help="fr, en, vi ...; found out, if left out.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="For routes and rules; may be repeated.")] = None,
    pick: Annotated[int | None, typer.Option("--pick", min=1, help="Which, of several that a page names.")] = None,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Add the address without asking it.")] = False,
    as_json: Json = False,
) -> None:
    """Add a feed to the configuration file, keeping its comments; a page is asked for the feed that it names."""
    import asyncio

    from worker.config.feeds import add, check
    from worker.pipeline.discover import Found
    from worker.runtime.load import discovered, load_config

    check(config, url, name, language=language, tags=tag or ())
    asks = not unchecked and url.startswith(("http://", "https://"))
    try:
        found = asyncio.run(discovered(load_config(config), url, pick)) if asks else Found(feeds=(url,))
    except IndexError:
        fail(f"the page names fewer than {counted(pick or 0, 'feed')}", 1)
    added = found.feeds[0] if len(found.feeds) == 1 else None
    if added is not None:
        add(config, added, name or " ".join(found.title.split()), language=language, tags=tag or ())
    if as_json:
        print_json({"added": added, "found": found.feeds, "reason": found.reason})
    elif added is not None:
        say(f"{added} added to {config}; a running worker reads it at SIGHUP")
    elif found.feeds:
        numbered = [f"{number} {address}" for number, address in enumerate(found.feeds, 1)]
        fail("\n  ".join(["the page names several feeds; add the one you mean, or --pick its number:", *numbered]), 1)
    else:
        fail(f"there is no feed at {url} ({found.reason}); --unchecked adds it all the same", 1)
    if added is None:
        raise SystemExit(1)


@feeds_app.command(name="import")
def feeds_import(file: Path, config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Add the feeds of an OPML file to the configuration; exits with 1 if it names some that cannot be taken."""
    from worker.cli.show.terminal import inert
    from worker.config.feeds import add_all, from_opml
    from worker.config.folder import LISTED_BYTES, read_file
    from worker.errors import UserError

    found = from_opml(read_file(file, limit=LISTED_BYTES), str(file))
    added = add_all(config, found.feeds)
    refused = [one.problem(str(file)) for one in found.refused]
    if as_json:
        print_json({"added": added, "refused": [str(UserError([one])) for one in refused]})
    else:
        known = len(found.feeds) - len(added) + found.repeated
        there = f" ({known} were there already)" if known else ""
        say(f"{counted(len(added), 'feed')} added to {config}{there}; a running worker reads it at SIGHUP")
    if refused:
        lines = str(UserError(refused)).split("\n")
        fail("\n".join([f"{counted(len(refused), 'feed')} cannot be taken:", *map(inert, lines)]), 1)


@feeds_app.command(name="export")
def feeds_export(config: ConfigFile = HERE) -> None:
    """Print the configured feeds as OPML."""
    from worker.config.feeds import to_opml
    from worker.runtime.load import load_config

    write(to_opml(load_config(config).feeds))


@app.command(name="send-test")
def send_test_(
    target: Annotated[str, typer.Argument(help="A target's id.")], config: ConfigFile = HERE, *, as_json: Json = False
) -> None:
    """Send a test message to a target, past the ledger, and say what came of it."""
    import asyncio

    from worker.runtime.run import send_test

    receipts = asyncio.run(send_test(loaded(config), target, (lambda _: None) if as_json else say))
    if as_json:
        print_json({who: {"outcome": r.outcome, "detail": r.detail} for who, r in receipts.items()})
    else:
        for who, receipt in receipts.items():
            say(f"{who}: {receipt.outcome} {receipt.detail}".rstrip())
    if any(receipt.outcome != "sent" for receipt in receipts.values()):
        raise SystemExit(1)


@app.command()
def health(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Exit 0 if the worker's tick is alive, 1 if not: for a container's HEALTHCHECK."""
    from worker.cli.health import tick

    alive, words = tick(config)
    print_json({"alive": alive, "words": words}) if as_json else say(words)
    raise SystemExit(0 if alive else 1)
