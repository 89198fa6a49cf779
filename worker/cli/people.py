"""`veille users` and `veille token`: who may use the console, and by which tokens programs use its API."""

import getpass
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import (
    EX_USAGE,
    HERE,
    ConfigFile,
    Json,
    fail,
    lasting_of,
    opened,
    print_json,
    row_number,
    say,
    user_name,
)

if TYPE_CHECKING:
    from worker.store import Tx
    from worker.store.people import ApiToken, Scope

users = typer.Typer(help="The people who may use the console.", no_args_is_help=True)
tokens = typer.Typer(help="The tokens by which programs use the API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As they sign in, or as the proxy in front names them.")]
Role = Annotated[str, typer.Option("--role", metavar="reader|editor|admin", help="What they may do.")]


@users.command()
def add(
    name: Name,
    config: ConfigFile = HERE,
    *,
    role: Role = "reader",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, its first line.")
    ] = False,
    without_password: Annotated[
        bool, typer.Option("--without-password", help="They come through the proxy of [http] user_header alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an account, or give one of that name another password and role; asks for the password twice."""
    from worker.console.access import NAME
    from worker.console.passwords import hashed
    from worker.runtime.clock import clock
    from worker.store import people

    given = _role(role)
    if not NAME.fullmatch(name):
        fail(f"{name!r} is no name: up to 64 letters, digits and any of space . @ + - '", EX_USAGE)
    password_hash = "" if without_password else hashed(_password(name, from_stdin=password_stdin))
    now = clock()
    with opened(config, create=True) as (_, store), store.write() as tx:
        was = people.put(tx, people.Person(name=name, password_hash=password_hash, role=given, created=now))
        _audit(tx, "password changed" if was else "person added", f"person {name}", given)
    answer = {"name": name, "role": str(given), "new": not was}
    _say(answer, f"{name} may sign in as {given}" if not was else f"{name} has another password, as {given}", as_json)


@users.command(name="list")
def users_list(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """List the accounts with their roles."""
    from worker.model import times
    from worker.store import people

    with opened(config) as (_, store), store.read() as tx:
        found = people.everybody(tx)
    if as_json:
        print_json([{"name": one.name, "role": str(one.role), "created": one.created} for one in found])
    for one in found if not as_json else ():
        say(f"{one.name}: {one.role}, since {times.say(one.created)}")
    if not found and not as_json:
        say("there is no account: `veille users add NAME --role admin` makes one")


@users.command()
def role(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="reader|editor|admin")],
    config: ConfigFile = HERE,
    *,
    as_json: Json = False,
) -> None:
    """Give somebody another role; it holds from their next page on."""
    from worker.store import people

    given = _role(role)
    with opened(config) as (_, store), store.write() as tx:
        if not people.set_role(tx, name, given):
            fail(f"there is no account {name!r}: `veille users list` lists them", 1)
        _audit(tx, "role changed", f"person {name}", given)
    _say({"name": name, "role": str(given)}, f"{name} is {given}", as_json)


@users.command(name="remove")
def users_remove(name: Name, config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """Remove an account, its open sign-ins and the tokens that it made; notes, labels and answers stay."""
    from worker.store import people

    with opened(config) as (_, store), store.write() as tx:
        if not people.remove(tx, name):
            fail(f"there is no account {name!r}: `veille users list` lists them", 1)
        _audit(tx, "person removed", f"person {name}")
    _say({"removed": name}, f"{name} may not sign in any more", as_json)


def _role(said: str) -> Any:
    from worker.store.people import Role

    if said not in set(Role):
        fail(f"{said!r} is no role: {', '.join(Role)}", EX_USAGE)
    return Role(said)


def _password(name: str, *, from_stdin: bool) -> str:
    """The password of an account, as a person types it, or a program gives it."""
    from worker.console.passwords import LONGEST, SHORTEST, Unfit, unfit

    if from_stdin:
        password = again = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        fail("there is no terminal to ask for the password at: give it with --password-stdin", EX_USAGE)
    else:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Again: ")
    match unfit(password, again, name):
        case Unfit.TWO:
            fail("the two are not the same", EX_USAGE)
        case Unfit.LENGTH:
            fail(f"a password has {SHORTEST} to {LONGEST:,} characters", EX_USAGE)
        case Unfit.NAME:
            fail("a password must not be the name", EX_USAGE)
    return password


# Tokens.


@tokens.command(name="add")
def token_add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    config: ConfigFile = HERE,
    *,
    scope: Annotated[str, typer.Option("--scope", metavar="read,answer,configure", help="What it may do.")] = "read",
    lasting: Annotated[str, typer.Option("--for", help="How long: 90d, 12h; without end, if left out.")] = "",
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once."""
    from worker.console.access import NAME, digest, new_token
    from worker.runtime.clock import clock
    from worker.store import people

    given = _scopes(scope)
    if not NAME.fullmatch(name):
        fail(f"{name!r} is no name: up to 64 letters, digits and any of space . @ + - '", EX_USAGE)
    secret, now = new_token(), clock()
    until = now + lasting_of(lasting) if lasting else None
    with opened(config, create=True) as (_, store), store.write() as tx:
        author = user_name()
        number = people.add_token(tx, name, digest(secret), given, author=author, now=now, until=until)
        _audit(tx, "token made", f"token {name}", " ".join(sorted(given)))
    _say({"id": number, "name": name, "scopes": sorted(given), "until": until, "token": secret}, secret, as_json)


@tokens.command(name="list")
def token_list(config: ConfigFile = HERE, *, as_json: Json = False) -> None:
    """List the tokens, without their secrets."""
    from worker.store import people

    with opened(config) as (_, store), store.read() as tx:
        found = people.tokens(tx)
    if as_json:
        print_json([_facts(one) for one in found])
    for one in found if not as_json else ():
        say(_line(one))
    if not found and not as_json:
        say("there is no token: `veille token add NAME` makes one")


@tokens.command(name="remove")
def token_remove(
    number: Annotated[int, typer.Argument(parser=row_number, metavar="NUMBER", help="As `token list` gives it.")],
    config: ConfigFile = HERE,
    *,
    as_json: Json = False,
) -> None:
    """Withdraw a token: what bears it is refused from then on."""
    from worker.store import people

    with opened(config) as (_, store), store.write() as tx:
        name = next((one.name for one in people.tokens(tx) if one.id == number), "")
        if not people.remove_token(tx, number):
            fail(f"no token has the number {number}: `veille token list` lists them", 1)
        _audit(tx, "token withdrawn", f"token {name}")
    _say({"removed": number}, f"token {number} ({name}) is withdrawn", as_json)


def _scopes(said: str) -> "frozenset[Scope]":
    from worker.store.people import Scope

    names = {one.strip() for one in said.split(",")} - {""}
    if not names or not names <= set(Scope):
        fail(f"{said!r} is not what a token may do: one or more of {','.join(Scope)}", EX_USAGE)
    return frozenset(map(Scope, names))


def _facts(one: "ApiToken") -> dict[str, Any]:
    return asdict(one) | {"scopes": sorted(one.scopes)}


def _line(one: "ApiToken") -> str:
    from worker.model import times

    until = f"until {times.say(one.until)}" if one.until else "without end"
    used = f"last used {times.say(one.used)}" if one.used else "never used"
    return f"{one.id}  {one.name}: {', '.join(sorted(one.scopes))}, {until}, by {one.author}, {used}"


def _audit(tx: "Tx", action: str, subject: str, detail: str = "") -> None:
    from worker.runtime.clock import clock
    from worker.store import people

    change = people.Change(at=clock(), author=user_name(), action=action, subject=subject, detail=detail)
    people.audit(tx, change)


def _say(facts: dict[str, Any], sentence: str, as_json: bool) -> None:  # noqa: FBT001 - as the option is
    if as_json:
        print_json(facts)
    else:
        say(sentence)
