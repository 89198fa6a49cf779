"""Parts that every command shares: options, output, and opening the store and the configuration."""

import getpass
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from worker import config
    from worker.errors import Problem
    from worker.pipeline.context import ActiveConfig
    from worker.runtime.load import Readable
    from worker.store import Store

#: As click has it for options that cannot be.
EX_USAGE = 2
#: sysexits.h: a person must act first; what was asked of is not there; a mistake of ours; try again later.
EX_CONFIG = 78
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_TEMPFAIL = 75
#: Of the greatest number that a store gives: a column of PostgreSQL's holds 2,147,483,647.
_DIGITS = 9
#: Of articles that words fit, as many are listed.
_LISTED = 20

ArticleName = Annotated[str, typer.Argument(help="An article's number, name, address, or words of its title or text.")]
ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="VEILLE_CONFIG", help="The configuration file.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Since = Annotated[str, typer.Option("--since", help="How far back: 90d, 12h, or a day such as 2026-01-31.")]
HERE = Path("config.toml")


def user_name() -> str:
    """The name of who runs this command; of an account that has none, as in a container, its number."""
    try:
        return getpass.getuser()  # noqa: TID251 - here alone
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def row_number(said: str) -> int:
    """The number of something stored; raises BadParameter for what is none, or too great for one."""
    if not said.isascii() or not said.isdecimal() or len(said) > _DIGITS:
        raise typer.BadParameter(f"{said!r} is no number that the store gives")
    return int(said)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong, and exit."""
    warn(message)
    raise SystemExit(code)


def warn(message: str) -> None:
    """Say on standard error what is wrong, without secrets and with nothing that a terminal obeys."""
    from worker.runtime.logs import masked
    from worker.runtime.screen import inert

    print(f"veille: {inert(masked(message))}", file=sys.stderr)  # noqa: T201 - the command line's own voice


def say(text: str) -> None:
    """Print a line at once, with nothing in it that a terminal obeys."""
    from worker.runtime.screen import inert

    print(inert(text), flush=True)  # noqa: T201 - the command line's own voice


def write(data: bytes) -> None:
    """Write bytes as they are to a file or a program, and harmless to a terminal."""
    if sys.stdout.isatty():
        say(data.decode("utf-8", "backslashreplace"))
    else:
        sys.stdout.buffer.write(data)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_json(value: object) -> None:
    """Print one JSON value; times as ISO 8601."""
    from worker.runtime.screen import UNSAFE

    text = json.dumps(value, ensure_ascii=False, indent=2, default=_as_text)
    # JSON may hold them as numbers; what is left below U+0020 are its own line breaks.
    say(UNSAFE.sub(lambda found: found[0] if found[0] < " " else f"\\u{ord(found[0]):04x}", text))


def moment(since: str, option: str = "--since") -> datetime:
    """The moment (aware UTC) that an option names, for once the desk's zone is known.

    Raises UserError for what is neither a duration nor a day.
    """
    from worker.config.fields import Wrong, duration
    from worker.errors import Problem, UserError
    from worker.model import times
    from worker.runtime.clock import clock

    try:
        return times.read(since)
    except ValueError:
        pass
    try:
        return clock() - duration(since)
    except (Wrong, OverflowError) as e:
        fix = "write 90d, 12h, or a day such as 2026-01-31"
        raise UserError([Problem(file=option, line=0, message=f"{since!r} is no time", fix=fix)]) from e


def lasting_of(said: str) -> timedelta:
    """The length of time that `--for` gives, more than nothing; raises UserError for another text."""
    from worker.config.fields import Wrong, duration
    from worker.errors import Problem, UserError

    with suppress(Wrong, OverflowError):
        if lasting := duration(said):
            return lasting
    raise UserError([Problem(file="--for", line=0, message=f"{said!r} is no length of time", fix="write 6h, 2d")])


def loaded(path: Path) -> "ActiveConfig":
    """The configuration and rules, for a command that needs both."""
    from worker.runtime.load import load
    from worker.runtime.logs import configure

    configure()  # what is logged must not stand among what is printed
    return load(path)


def readable(path: Path, *, with_rules: bool = False) -> "Readable":
    """The readable part of the configuration, for a command that answers from the store; says what is wrong with it."""
    from worker.runtime.load import load_readable
    from worker.runtime.logs import configure

    configure()  # what is logged must not stand among what is printed
    found = load_readable(path, with_rules=with_rules)
    if found.problems:
        remark(found.problems)
    return found


def remark(problems: Sequence["Problem"]) -> None:
    """Say on standard error, in one line, what is wrong beside an answer."""
    first = problems[0]
    place = f"{first.file}:{first.line}" if first.line else first.file
    fix = first.fix or "correct it as `veille check` shows"
    more = f" (and {len(problems) - 1} more: `veille check`)" if len(problems) > 1 else ""
    warn(" ".join(f"{place}: {first.message}; fix: {fix}{more}".split()))


@contextmanager
def opened(
    path: Path, *, create: bool = False, read: "Readable | None" = None
) -> Iterator[tuple["config.Config", "Store"]]:
    """The configuration as far as it can be read, and its store, for a command that works beside a running worker.

    `read`: the configuration, if it is read already. With `create` it must be without mistakes.
    """
    from worker.runtime.load import load_config, open_for
    from worker.runtime.logs import configure

    configure()  # what is logged must not stand among what is printed
    conf = load_config(path) if create else (read or readable(path)).config
    store = open_for(conf, create=create)
    try:
        yield conf, store
    finally:
        store.close()


def one_article(store: "Store", asked: str) -> int:
    """The number of the article that is asked for; where words fit several, they are listed and none is taken."""
    from worker.console.views.articles import find
    from worker.model import called, times

    with store.read() as tx:
        found = find(tx, asked, limit=_LISTED + 1)
    if not found:
        fail(f"no article is {asked!r}: `veille articles` lists them", 1)
    exact = [one for one in found if asked in (one.name, one.article.link)]
    if len(found) > 1 and len(exact) != 1:
        lines = [
            f"  {one.id}  {times.known(one.article.published, one.precision)[:10]}  {one.article.source}: "
            + called(one.article.title, one.origin, one.name)
            for one in found[:_LISTED]
        ]
        more = ["  ... and more"] if len(found) > _LISTED else []
        fail("\n".join([f"several articles are {asked!r}; give the number of one:", *lines, *more]), EX_USAGE)
    return (exact or found)[0].id
