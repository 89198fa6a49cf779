"""Access: who asks, what they may do, and whether a change comes from a page of ours.

Where only this machine reaches the port, nobody signs in. Anywhere else a person is known by the cookie of their
sign-in, or by a header that a trusted proxy sets; a program by its token.
"""

import contextlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.requests import Request

from worker.config import Config
from worker.console.desk import Desk
from worker.errors import StoreError
from worker.store import people
from worker.store.people import Role, Scope

#: How long a sign-in lasts.
SIGNED_IN_FOR = timedelta(days=14)
COOKIE = "veille"
#: A person's name: one line, which no token's name (`token:...`) can be.
NAME = re.compile(r"\w[\w .@+'’-]{0,63}")
#: By these a proxy says that it passes a request on.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
#: A token's use is written down at most so often.
_USED_EVERY = timedelta(hours=1)
#: Where a change comes from, as browsers say it (W3C Fetch Metadata): a page of ours, or the person themselves.
_OURS = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever asks, and what they may do."""

    name: str
    role: Role
    #: What a program's token allows; None: it is a person.
    scopes: frozenset[Scope] | None = None
    #: True: they signed in here, and may sign out.
    signed_in: bool = False
    #: True: they signed in with a first password, and do nothing before they have chosen their own.
    must_choose: bool = False

    def may(self, role: Role) -> bool:
        """True for what that role may do."""
        return self.role.covers(role)


#: Everybody, where nobody signs in.
ANYBODY = Caller(name="desk", role=Role.ADMIN)


def digest(token: str) -> str:
    """A token as the store knows it."""
    return sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A secret of 256 bits, as text."""
    return secrets.token_urlsafe(32)


def caller(request: Request, desk: Desk) -> Caller | None:
    """The person who asks for a page; None: nobody that is known. May raise StoreError."""
    config = desk.live().config
    if name := _named_by_proxy(request, config):
        with desk.store.read() as tx:
            known = people.get(tx, name)
        return Caller(name=name, role=known.role if known else Role.READER)
    if token := request.cookies.get(COOKIE):
        with desk.store.read() as tx:
            person = people.signed_in(tx, digest(token), desk.clock())
        if person is not None:
            must_choose = person.first_until is not None
            return Caller(name=person.name, role=person.role, signed_in=True, must_choose=must_choose)
    # Through a proxy on this machine others come too.
    is_direct = not any(name in request.headers for name in _PASSED_ON)
    return ANYBODY if desk.is_open and is_direct else None


def bearer(request: Request, desk: Desk) -> Caller | None:
    """The program whose token a request bears (RFC 6750); None: it is none of ours, or over. May raise StoreError."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        return None
    now = desk.clock()
    with desk.store.read() as tx:
        found = people.token(tx, digest(secret.strip()), now)
    if found is None:
        return None
    if found.used is None or now - found.used >= _USED_EVERY:
        with contextlib.suppress(StoreError), desk.store.write() as tx:  # its use is noted the next time
            people.use_token(tx, found.id, now)
    role = Role.READER if found.scopes <= {Scope.READ} else Role.EDITOR
    return Caller(name=f"token:{found.name}", role=role, scopes=found.scopes)


def address(request: Request, desk: Desk) -> str:
    """The address that a request comes from: through trusted proxies, the last one that is none of them."""
    config = desk.live().config
    found = _plain(request.client.host) if request.client else ""
    passed_on = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while _is_proxy(found, config) and passed_on and (before := passed_on.pop().strip()):
        found = _plain(before)
    return found[:100]


def _plain(host: str) -> str:
    """An address that comes as IPv6 where it is IPv4 (`::ffff:10.0.0.1`, RFC 4291 2.5.5.2) as IPv4; else as it is."""
    try:
        found = ip_address(host)
    except ValueError:
        return host
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return host if mapped is None else str(mapped)


def _is_proxy(host: str, config: Config) -> bool:
    try:
        there = ip_address(_plain(host))
    except ValueError:
        return False
    return any(there in ip_network(network) for network in config.trusted_proxies)


def _named_by_proxy(request: Request, config: Config) -> str:
    """The name that a trusted proxy gives; from anybody else the header counts for nothing, nor does it twice."""
    if not config.user_header or request.client is None or not _is_proxy(request.client.host, config):
        return ""
    named = request.headers.getlist(config.user_header)
    try:
        # Starlette reads a header's bytes as Latin-1; proxies write UTF-8.
        name = named[0].encode("latin-1").decode().strip() if len(named) == 1 else ""
    except UnicodeDecodeError:
        return ""
    return name if NAME.fullmatch(name) else ""


def is_visit(request: Request) -> bool:
    """False where a page of another site asks without its reader going there: a picture, a frame, a script's request.

    Nothing that is read changes anything, but it costs work; browsers say what it is for (W3C Fetch Metadata).
    """
    if request.headers.get("sec-fetch-site", "none") in _OURS:
        return True
    goes = request.headers.get("sec-fetch-mode") == "navigate"
    return goes and request.headers.get("sec-fetch-dest", "document") == "document"


def is_ours(request: Request) -> bool:
    """True where a request that changes something comes from a page of this very origin.

    Browsers send `Origin` with every POST, and `Sec-Fetch-Site` where they are not old: what bears neither, or
    another's, is refused, whatever its cookies.
    """
    origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "same-origin")
    host = request.headers.get("host", "")
    return site in _OURS and bool(host) and hmac.compare_digest(urlsplit(origin).netloc.lower(), host.lower())
