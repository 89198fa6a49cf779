"""Signing in and out: a password once, then a cookie whose token the store knows only as a digest."""

import math
from datetime import timedelta
from urllib.parse import parse_qsl

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from worker.console.access import COOKIE, SIGNED_IN_FOR, digest, new_token
from worker.console.asking import Ask, page, path_of_ours
from worker.console.desk import Desk
from worker.console.passwords import Attempts, is_right
from worker.store import people
from worker.store.people import Change, Person

#: Sign-ins that failed. A name takes more than an address, so that nobody alone can lock another one out.
_PER = timedelta(minutes=15)
_OF_AN_ADDRESS, _OF_A_NAME = 10, 30
#: Seconds after which whoever came while many others signed in may try again.
_BUSY = 5


def routes(desk: Desk) -> list[Route]:
    """`/sign-in` and `/sign-out`."""
    signing = _Signing()
    return [
        page(desk, "/sign-in", signing.page, methods=["GET", "POST"], role=None),
        page(desk, "/sign-out", _sign_out, methods=["POST"], role=None),
    ]


class _Signing:
    """The page, with what it remembers of earlier attempts."""

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
        for attempts, key in ((self._addresses, ask.host), (self._names, name)):
            if wait := attempts.take(key, ask.now):
                return _later(ask, math.ceil(wait.total_seconds()))
        with ask.desk.store.read() as tx:
            person = people.get(tx, name)
        right = is_right(ask.form.get("password", ""), person.password_hash if person else "")
        if right is None:
            return _later(ask, _BUSY)
        if person is None or not right:
            _refuse(ask, person)
            return _form(ask, "wrong", status=403)
        self._addresses.give_back(ask.host)
        self._names.give_back(name)
        return _let_in(ask, person)


def _let_in(ask: Ask, person: Person) -> Response:
    token = new_token()
    with ask.desk.store.write() as tx:
        if ask.session:
            people.sign_out(tx, digest(ask.session))
        people.sign_in(tx, digest(token), person.name, ask.now, SIGNED_IN_FOR)
        people.audit(tx, Change(at=ask.now, author=person.name, action="signed in", subject="", detail=ask.host))
    answer: Response = RedirectResponse(_next(ask), status_code=303)
    if kept := parse_qsl(ask.form.get("kept", ""), keep_blank_values=True):
        answer = ask.page("go_on.html", next=_next(ask), kept=kept)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SIGNED_IN_FOR.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=ask.desk.live().config.public_url.startswith("https:"),
    )
    return answer


def _refuse(ask: Ask, person: Person | None) -> None:
    # A name that nobody has may be a password in the wrong field.
    subject = f"person {person.name}" if person else ""
    with ask.desk.store.write() as tx:
        people.audit(tx, Change(at=ask.now, author="", action="sign-in refused", subject=subject, detail=ask.host))


def _later(ask: Ask, seconds: int) -> Response:
    answer = _form(ask, "later", status=429)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _form(ask: Ask, problem: str = "", status: int = 200) -> Response:
    with ask.desk.store.read() as tx:
        is_empty = not people.is_anybody(tx)
    kept = ask.form.get("kept", "")
    return ask.page("sign_in.html", status=status, problem=problem, next=_next(ask), kept=kept, is_empty=is_empty)


def _next(ask: Ask) -> str:
    """The page to go on with."""
    return path_of_ours(ask.form.get("next") or ask.query.get("next") or "/")


def _sign_out(ask: Ask) -> Response:
    with ask.desk.store.write() as tx:
        people.sign_out(tx, digest(ask.session))
        if ask.caller.signed_in:
            people.audit(tx, Change(at=ask.now, author=ask.caller.name, action="signed out", subject=""))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer
