"""A request for a page, and its answer: who asks, in which language and zone, and how a page is drawn for them.

A page's handler is a plain function that runs in a thread: it takes an `Ask` and returns a response. What may go wrong
beside it (nobody signed in, a change from elsewhere, a store that does not answer) is answered here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo, available_timezones

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from worker.console.access import COOKIE, Caller, address, caller, is_ours, is_visit
from worker.console.desk import Desk, in_thread
from worker.console.drawing import LANGUAGES, draw
from worker.errors import StoreError
from worker.store import Tx, people
from worker.store.people import Change, Role

#: Bytes of a form, and its fields.
_FORM_BYTES, _FIELDS = 1_000_000, 2_000
_LONGEST_PATH = 2_000
#: Seconds for which a page may be worked on before its reader is told to try again.
_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request for a page."""

    desk: Desk
    caller: Caller
    #: Of the address, as it was asked.
    here: str
    #: The address that they ask from.
    host: str
    #: The token of their sign-in, whether it holds or not; empty: there is none.
    session: str
    path: Mapping[str, Any]
    query: QueryParams
    #: The fields of a form; empty for a GET.
    form: QueryParams = field(default_factory=QueryParams)
    #: `fr` or `en`.
    language: str
    #: The reader's.
    zone: ZoneInfo
    #: Aware UTC.
    now: datetime
    #: A page of another site led here.
    from_elsewhere: bool = False

    def page(self, template: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
        """A page from `templates/`, in the reader's language and zone."""
        # With `no-referrer` browsers would not say where a form comes from.
        headers = {"Referrer-Policy": "same-origin"}
        return HTMLResponse(draw(template, self, facts), status_code=status, headers=headers)

    def to(self, address: str, said: str = "") -> RedirectResponse:
        """The answer to a form: the page to go on with, which says in one line what was done (a key of `[said]`)."""
        if said:
            address += ("&" if "?" in address else "?") + urlencode({"said": said})
        return RedirectResponse(address, status_code=303)

    def audit(self, tx: Tx, action: str, subject: str, detail: str = "") -> None:
        """Write down what the caller changes, in the transaction that changes it."""
        change = Change(at=self.now, author=self.caller.name, action=action, subject=subject, detail=detail)
        people.audit(tx, change)

    def missing(self) -> HTMLResponse:
        """The page for what is not there."""
        return self.page("problem.html", status=404, problem="missing")

    def number(self, name: str, otherwise: int = 0) -> int:
        """A number in the query or form; `otherwise` where it is none that a store could give."""
        said = self.form.get(name) or self.query.get(name) or ""
        return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else otherwise


Handler = Callable[[Ask], Response]


def page(
    desk: Desk,
    path: str,
    handler: Handler,
    *,
    methods: Sequence[str] = ("GET",),
    role: Role | None = Role.READER,
) -> Route:
    """A page's route; `role`: who may see it (None: everybody, without signing in). A change needs EDITOR at least."""

    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(_SECONDS):
                form = await _form(request) if request.method == "POST" else QueryParams()
                return await in_thread(partial(_answer, desk, request, form, handler, role))
        except (StoreError, TimeoutError):
            return HTMLResponse(draw("problem.html", _nobody(desk, request), {"problem": "store"}), status_code=503)

    return Route(path, answer, methods=list(methods), name=path)


def _answer(desk: Desk, request: Request, form: QueryParams | None, handler: Handler, role: Role | None) -> Response:
    is_change = request.method == "POST"
    asking = _nobody(desk, request)
    if form is None:
        return asking.page("problem.html", status=413, problem="long")
    if not (is_ours(request) if is_change else is_visit(request)):
        return asking.page("problem.html", status=403, problem="elsewhere")
    known = caller(request, desk)
    asking = replace(asking, form=form, caller=known or asking.caller)
    if role is None:
        return handler(asking)
    if known is None or known.must_choose:
        return _first(asking, known, is_change=is_change)
    if not known.may(Role.EDITOR if is_change and role is Role.READER else role):
        return asking.page("problem.html", status=403, problem="role")
    return handler(asking)


def _first(asking: Ask, known: Caller | None, *, is_change: bool) -> Response:
    """The page for signing in, or for another password, which leads back; signing in keeps a form that was sent."""
    first = "/sign-in" if known is None else "/account"
    if known is None and (kept := _kept(asking)):
        facts = {"next": asking.here, "kept": kept, "is_empty": False, "name": ""}
        return asking.page("sign_in.html", status=403, problem="over", **facts)
    return RedirectResponse(first if is_change else f"{first}?next={quote(asking.here)}", status_code=303)


def _kept(asking: Ask) -> str:
    """The form that was sent, for the page that signs in; empty where it must be sent anew.

    What is said of people is: it may hold a password, and whoever signs in now need not be who sent it. So is what
    would be too long once it is part of another form.
    """
    kept = "" if asking.here.startswith("/people") else urlencode(list(asking.form.multi_items()))
    return kept if len(quote(kept)) < _FORM_BYTES - _LONGEST_PATH else ""


def _nobody(desk: Desk, request: Request) -> Ask:
    """The request as long as nobody is known to ask it."""
    return Ask(
        desk=desk,
        caller=Caller(name="", role=Role.READER),
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        host=address(request, desk),
        session=request.cookies.get(COOKIE, ""),
        path=request.path_params,
        query=request.query_params,
        language=language_of(request),
        zone=_zone(request, desk),
        now=desk.clock(),
        from_elsewhere=request.headers.get("sec-fetch-site", "") in {"cross-site", "same-site"},
    )


def path_of_ours(asked: str) -> str:
    """A path of this console as it was asked for; the first page for an address of anywhere else.

    Browsers read a backslash as `/`, and no control character.
    """
    is_ours = asked.startswith("/") and not asked.startswith("//") and "\\" not in asked and asked.isprintable()
    return asked if is_ours and len(asked) < _LONGEST_PATH else "/"


def language_of(request: Request) -> str:
    """The reader's language: the one they chose, else the first of ours that their browser asks for, else French."""
    chosen = request.cookies.get("language", "")
    if chosen in LANGUAGES:
        return chosen
    # RFC 9110 12.5.4; weights are left aside, as browsers list languages by them.
    asked = (part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(","))
    return next((one for one in asked if one in LANGUAGES), "fr")


def _zone(request: Request, desk: Desk) -> ZoneInfo:
    """The reader's zone, as their browser says it in a cookie, else the desk's."""
    named = request.cookies.get("zone", "").replace("%2F", "/")
    return ZoneInfo(named if named in _zones() else desk.live().config.timezone)


@cache
def _zones() -> frozenset[str]:
    """The names of zones; to list them reads some hundreds of folders and files."""
    return frozenset(available_timezones())


async def _form(request: Request) -> QueryParams | None:
    """The fields of a form; None where it is longer than any of ours."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return None
    try:
        return QueryParams(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except (ValueError, UnicodeDecodeError):
        return None
