"""People, the tokens of programs, and the audit of changes: for admins."""

from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.responses import Response
from starlette.routing import Route

from worker.console.access import NAME, digest, new_token
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.passwords import FIRST_FOR, first, hashed, unfit
from worker.store import Tx, people
from worker.store.people import Person, Role, Scope

#: Changes on a page.
_SHOWN = 50
#: Days for which a new token may last; 0: until it is withdrawn.
_LASTING = (30, 90, 365, 0)


def routes(desk: Desk) -> list[Route]:
    """`/people` and what lies below it."""
    return [
        page(desk, "/people", _people, role=Role.ADMIN),
        *(
            page(desk, f"/people/{name}", form, methods=["POST"], role=Role.ADMIN)
            for name, form in {
                "add": _add,
                "role": _role,
                "password": _password,
                "sign-out": _sign_out,
                "remove": _remove,
                "tokens/add": _add_token,
                "tokens/remove": _remove_token,
            }.items()
        ),
    ]


def _people(ask: Ask, problem: str = "", secret: str = "", person: str = "") -> Response:
    """The whole page; `secret`: a token, or that person's first password, just made, which is shown this once."""
    before = ask.number("before") or None
    with ask.desk.store.read() as tx:
        changes = people.changes(tx, limit=_SHOWN + 1, before=before)
        return ask.page(
            "people.html",
            status=409 if problem else 200,
            problem=problem,
            secret=secret,
            person=person,
            given=ask.form if problem else {},
            sign_ins=people.sign_ins(tx, ask.now),
            everybody=people.everybody(tx),
            tokens=people.tokens(tx),
            roles=list(Role),
            scopes=list(Scope),
            lasting=_LASTING,
            changes=changes[:_SHOWN],
            more=changes[_SHOWN - 1].id if len(changes) > _SHOWN else None,
        )


def _add(ask: Ask) -> Response:
    name, role = ask.form.get("name", "").strip(), ask.form.get("role", "")
    if role not in set(Role):
        return ask.missing()
    if not NAME.fullmatch(name):
        return _people(ask, "bad_name")

    def add(tx: Tx, password_hash: str, first_until: datetime | None) -> str:
        if people.get(tx, name) is not None:
            return "name_taken"
        person = Person(
            name=name, password_hash=password_hash, role=Role(role), created=ask.now, first_until=first_until
        )
        people.put(tx, person)
        ask.audit(tx, "person added", f"person {name}", role)
        return ""

    return _with_password(ask, name, "person_added", add)


def _password(ask: Ask) -> Response:
    name = ask.form.get("name", "")
    with ask.desk.store.read() as tx:
        if people.get(tx, name) is None:
            return ask.missing()
    if ask.caller.signed_in and name == ask.caller.name:
        # Whoever sits at a machine that was left open must not have it for good.
        return ask.to("/account")

    def change(tx: Tx, password_hash: str, first_until: datetime | None) -> str:
        people.set_password(tx, name, password_hash, first_until)
        ask.audit(tx, "password changed", f"person {name}")
        return ""

    return _with_password(ask, name, "password_given", change)


def _with_password(ask: Ask, name: str, said: str, change: Callable[[Tx, str, datetime | None], str]) -> Response:
    """The page after a change that gives somebody the typed password, or a first one, which is shown this once.

    `change` takes the hash and the end of its time, and returns a problem, or nothing.
    """
    typed, again = ask.form.get("password", ""), ask.form.get("again", "")
    made = "" if typed or again else first()
    if not made and (reason := unfit(typed, again, name)):
        return _people(ask, reason)
    password_hash, until = hashed(made or typed), ask.now + FIRST_FOR if made else None
    with ask.desk.store.write() as tx:
        problem = change(tx, password_hash, until)
    if problem:
        return _people(ask, problem)
    return _people(ask, secret=made, person=name) if made else ask.to("/people", said)


def _sign_out(ask: Ask) -> Response:
    name = ask.form.get("name", "")
    with ask.desk.store.write() as tx:
        if people.get(tx, name) is None:
            return ask.missing()
        if ended := people.end_sign_ins(tx, name):
            ask.audit(tx, "sign-ins ended", f"person {name}")
    return ask.to("/people", "sign_ins_ended" if ended else "nothing")


def _role(ask: Ask) -> Response:
    name, given = ask.form.get("name", ""), ask.form.get("role", "")
    with ask.desk.store.write() as tx:
        person = people.get(tx, name)
        if person is None or given not in set(Role):
            return ask.missing()
        role = Role(given)
        stays = role is Role.ADMIN or not _is_last_admin(tx, name)
        if stays and role is not person.role:
            people.set_role(tx, name, role)
            ask.audit(tx, "role changed", f"person {name}", f"{person.role} → {role}")
    return ask.to("/people", "role_changed") if stays else _people(ask, "last_admin")


def _remove(ask: Ask) -> Response:
    name = ask.form.get("name", "")
    with ask.desk.store.write() as tx:
        if people.get(tx, name) is None:
            return ask.missing()
        stays = not _is_last_admin(tx, name)
        if stays:
            people.remove(tx, name)
            ask.audit(tx, "person removed", f"person {name}")
    return ask.to("/people", "person_removed") if stays else _people(ask, "last_admin")


def _is_last_admin(tx: Tx, name: str) -> bool:
    person = people.get(tx, name)
    return person is not None and person.role is Role.ADMIN and people.admins(tx) == 1


def _add_token(ask: Ask) -> Response:
    name, days = ask.form.get("name", "").strip(), ask.number("days", -1)
    scopes = set(ask.form.getlist("scope"))
    if not NAME.fullmatch(name) or not scopes or not scopes <= set(Scope) or days not in _LASTING:
        return _people(ask, "no_token")
    secret = new_token()
    until = ask.now + timedelta(days=days) if days else None
    with ask.desk.store.write() as tx:
        given = frozenset(map(Scope, scopes))
        people.add_token(tx, name, digest(secret), given, author=ask.caller.name, now=ask.now, until=until)
        ask.audit(tx, "token made", f"token {name}", " ".join(sorted(scopes)))
    return _people(ask, secret=secret)


def _remove_token(ask: Ask) -> Response:
    number = ask.number("token")
    with ask.desk.store.write() as tx:
        found = next((one for one in people.tokens(tx) if one.id == number), None)
        if found is None:
            return ask.missing()
        people.remove_token(tx, number)
        ask.audit(tx, "token withdrawn", f"token {found.name}")
    return ask.to("/people", "token_withdrawn")
