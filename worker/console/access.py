"""Access: who asks, what they may do, and whether a change comes from a page of ours.

Where only this machine reaches the port, nobody signs in. Anywhere else a person is known by the cookie of their
sign-in, or by a header that a trusted proxy sets; a program by its token.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from starlette.requests import Request

from worker.config import Config
from worker.console.desk import Desk
from worker.store import people
from worker.store.people import Role, Scope

#: How long a sign-in lasts.
SIGNED_IN_FOR = timedelta(days=14)
COOKIE = "veille"
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
            return Caller(name=person.name, role=person.role, signed_in=True)
    return ANYBODY if desk.is_open else None


def _named_by_proxy(request: Request, config: Config) -> str:
    """The name that a trusted proxy gives; from anybody else the header counts for nothing."""
    if not config.user_header or request.client is None:
        return ""
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return ""
    if not any(address in ip_network(network) for network in config.trusted_proxies):
        return ""
    return request.headers.get(config.user_header, "").strip()[:100]


def is_ours(request: Request) -> bool:
    """True where a request that changes something comes from a page of this very origin.

    Browsers send `Origin` with every POST, and `Sec-Fetch-Site` where they are not old: what bears neither, or
    another's, is refused, whatever its cookies.
    """
    origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "same-origin")
    host = request.headers.get("host", "")
    return site in _OURS and bool(host) and hmac.compare_digest(urlsplit(origin).netloc.lower(), host.lower())
