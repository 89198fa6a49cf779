"""Signing in and out, and another password: then a cookie whose token the store knows only as a digest."""

import math
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from worker.console.access import COOKIE, SIGNED_IN_FOR, Caller, digest, new_token
from worker.console.asking import Ask, page, path_of_ours
from worker.console.desk import Desk
from worker.console.passwords import Attempts, hashed, is_right, unfit
from worker.store import Tx, people
from worker.store.people import Change, Person

#: Sign-ins that failed. A name takes more than an address, so that nobody alone can lock another one out.
_PER = timedelta(minutes=15)
_OF_AN_ADDRESS, _OF_A_NAME = 10, 30
#: Seconds after which whoever came while many others signed in may try again.
_BUSY = 5


def routes(desk: Desk) -> list[Route]:
    """`/sign-in`, `/sign-out` and `/account`."""
    signing = _Signing()
    return [
        page(desk, "/sign-in", signing.page, methods=["GET", "POST"], role=None),
        page(desk, "/sign-out", _sign_out, methods=["POST"], role=None),
        # For all who are signed in, whatever their role.
        page(desk, "/account", signing.account, methods=["GET", "POST"], role=None),
    ]


class _Signing:
    """The pages that ask for a password, with what they remember of earlier attempts."""

    def __init__(self) -> None:
        self._addresses = Attempts(most=_OF_AN_ADDRESS, per=_PER)
        self._names = Attempts(most=_OF_A_NAME, per=_PER)

    def page(self, ask: Ask) -> Response:
        """The form, and what comes of it."""
        if "name" in ask.form:
            return self._sign_in(ask)
        if ask.caller.name:
            return RedirectResponse(_next(ask), status_code=303)
        return _form(ask)

    def _sign_in(self, ask: Ask) -> Response:
        name = ask.form["name"].strip()[:100]
        with ask.desk.store.read() as tx:
            person = people.get(tx, name)
        right, wait = self._tried(ask, name, ask.form.get("password", ""), person)
        if wait:
            return _later(_form(ask, "later", status=429), wait)
        if person is None or not right:
            _refuse(ask, "sign-in refused", person)
            return _form(ask, "wrong", status=403)
        with ask.desk.store.write() as tx:
            token = _opened(ask, tx, person)
            if token:
                people.audit(
                    tx, Change(at=ask.now, author=person.name, action="signed in", subject="", detail=ask.host)
                )
        if not token:
            return _form(ask, "wrong", status=403)
        if person.first_until is not None and ask.form.get("kept"):
            known = replace(ask, caller=Caller(name=person.name, role=person.role, signed_in=True, must_choose=True))
            return _with_cookie(ask, _account(known, person), token)
        return _with_cookie(ask, _go_on(ask) or RedirectResponse(_next(ask), status_code=303), token)

    def account(self, ask: Ask) -> Response:
        """The caller's own account: another password, for which the one before is asked."""
        if not ask.caller.name:
            return RedirectResponse("/sign-in?next=/account", status_code=303)
        with ask.desk.store.read() as tx:
            person = people.get(tx, ask.caller.name) if ask.caller.signed_in else None
        if person is None or "before" not in ask.form:
            return _account(ask, person)
        before, chosen = ask.form["before"], ask.form.get("password", "")
        right, wait = self._tried(ask, person.name, before, person)
        if wait:
            return _later(_account(ask, person, "later", 429), wait)
        if not right:
            _refuse(ask, "password change refused", person)
            return _account(ask, person, "wrong_before", 403)
        if reason := unfit(chosen, ask.form.get("again", ""), person.name, before):
            return _account(ask, person, reason, 400)
        return _changed(ask, person, hashed(chosen))

    def _tried(self, ask: Ask, name: str, password: str, person: Person | None) -> tuple[bool, int]:
        """True for a person's password; and the seconds that they must wait before another attempt, if they must."""
        for attempts, key in ((self._addresses, ask.host), (self._names, name)):
            if wait := attempts.take(key, ask.now):
                return False, math.ceil(wait.total_seconds())
        right = is_right(password, person.password_hash if person else "")
        if right is None:
            return False, _BUSY
        if right and person is not None and (person.first_until is None or ask.now < person.first_until):
            self._addresses.give_back(ask.host)
            self._names.give_back(name)
            return True, 0
        return False, 0


def _changed(ask: Ask, person: Person, password_hash: str) -> Response:
    with ask.desk.store.write() as tx:
        token = _opened(ask, tx, person, password_hash)
        if token:
            ask.audit(tx, "password changed", f"person {person.name}")
    if not token:
        return _account(ask, person, "wrong_before", 403)
    return _with_cookie(ask, _go_on(ask) or ask.to(_next(ask, "/account"), "password_changed"), token)


def _go_on(ask: Ask) -> Response | None:
    """The page that shows what was sent before signing in and sends it on; None where nothing was."""
    kept = parse_qsl(ask.form.get("kept", ""), keep_blank_values=True)
    return ask.page("go_on.html", next=_next(ask), kept=kept) if kept else None


def _opened(ask: Ask, tx: Tx, person: Person, password_hash: str = "") -> str:
    """The token of a new session, in the place of the one that asks, with another password where one is given.

    Empty, and nothing is done, where the person changed since they were read: their password may be another by now.
    """
    if people.get(tx, person.name) != person:
        return ""
    if password_hash:
        people.set_password(tx, person.name, password_hash)
    token = new_token()
    if ask.session:
        people.sign_out(tx, digest(ask.session))
    people.sign_in(tx, digest(token), person.name, ask.now, SIGNED_IN_FOR)
    return token


def _with_cookie(ask: Ask, answer: Response, token: str) -> Response:
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SIGNED_IN_FOR.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=ask.desk.live().config.public_url.startswith("https:"),
    )
    return answer


def _refuse(ask: Ask, action: str, person: Person | None) -> None:
    # A name that nobody has may be a password in the wrong field.
    subject = f"person {person.name}" if person else ""
    with ask.desk.store.write() as tx:
        change = Change(at=ask.now, author=ask.caller.name, action=action, subject=subject, detail=ask.host)
        people.audit(tx, change)


def _later(answer: Response, seconds: int) -> Response:
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _form(ask: Ask, problem: str = "", status: int = 200) -> Response:
    with ask.desk.store.read() as tx:
        is_empty = not people.is_anybody(tx)
    given = {name: ask.form.get(name, "") for name in ("name", "kept")}
    given["name"] = given["name"][:100]
    return ask.page("sign_in.html", status=status, problem=problem, next=_next(ask), is_empty=is_empty, **given)


def _account(ask: Ask, person: Person | None, problem: str = "", status: int = 200) -> Response:
    return ask.page(
        "account.html",
        status=status,
        problem=problem,
        person=person,
        next=_next(ask, ""),
        kept=ask.form.get("kept", ""),
    )


def _next(ask: Ask, otherwise: str = "/") -> str:
    """The page to go on with; `otherwise`, where none is named."""
    named = ask.form.get("next") or ask.query.get("next")
    return path_of_ours(named) if named else otherwise


def _sign_out(ask: Ask) -> Response:
    with ask.desk.store.write() as tx:
        people.sign_out(tx, digest(ask.session))
        if ask.caller.signed_in:
            people.audit(tx, Change(at=ask.now, author=ask.caller.name, action="signed out", subject=""))
    answer = ask.to("/sign-in", "signed_out")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer
