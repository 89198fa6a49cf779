"""The small languages of single values: durations, addresses, networks, SMTP URLs, time zones.

Each function takes what the user wrote and gives the value, or raises Wrong. No message repeats a value that could
hold a secret.
"""

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Iterable
from datetime import timedelta
from email.utils import parseaddr
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from worker.config import apprise
from worker.model import Secret, Severity

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
T = TypeVar("T")
SAMPLE = "veille:sample"
#: In place of a proxy's URL: none.
DIRECT = "direct"

_ENGINES = ("embedded", "cluster")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw]){1,9}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CENTURY = timedelta(days=36_525)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]+(?:%[\w.-]+)?")
#: Of an IPv4 address within IPv6, those before it (`::ffff:0:0/96`, RFC 4291 2.5.5.2).
_MAPPED_BITS = 96
#: RFC 9110 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Country codes that are often written for the language of the country.
_COUNTRY = {"vn": "vi", "kh": "km", "cn": "zh", "jp": "ja", "kr": "ko", "uk": "en"}
#: Capitals that are often written for the zone they lie in.
_CAPITALS = {"Asia/Hanoi": "Asia/Ho_Chi_Minh", "Asia/Beijing": "Asia/Shanghai"}
#: The fetcher sets these itself; its limits and its conditional requests rest on them.
_OWN_HEADERS = frozenset(
    """
    accept-encoding connection content-length host if-modified-since if-none-match range te transfer-encoding upgrade
    """.split()  # noqa: SIM905 - one word a line would fill the page
)


class Wrong(ValueError):  # noqa: N818 - it reads as what it says: a value is wrong
    """A value cannot be used: what is wrong (said of the key), and the fix."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def nearest(word: str, known: Iterable[str]) -> str:
    """A suggestion for `word`: the nearest of `known`, or all of them where none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"one of: {', '.join(names[:30])}" if names else ""


def plain(text: str) -> str:
    """One line of text without control characters."""
    if _CONTROL.search(text):
        raise Wrong("holds a control character or a line break")
    return text.strip()


def once(items: tuple[T, ...]) -> tuple[T, ...]:
    """Each item where it first stands."""
    return tuple(dict.fromkeys(items))


def some(items: tuple[T, ...]) -> tuple[T, ...]:
    """One item or more."""
    if not items:
        raise Wrong("is empty", "name at least one")
    return items


def filled(text: str) -> str:
    """As `plain`, and not empty."""
    if not plain(text):
        raise Wrong("is empty", "give it a value, or leave the line out")
    return plain(text)


def identifier(text: str) -> str:
    """The id of a target, group or rule."""
    if not ID.fullmatch(text):
        raise Wrong(
            "is not a usable id",
            "use small letters a to z, digits and hyphens: at most 64, a letter or digit first",
        )
    return text


def duration(text: object) -> timedelta:
    """`90s`, `15m`, `6h`, `90d`, `2w`, or several in a row: `1h30m`."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text.strip()):
        raise Wrong("is not a duration", 'write a number and s, m, h, d or w in quotes: "15m", "6h", "90d"')
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([smhdw])", text))
    if seconds > _CENTURY.total_seconds():
        raise Wrong("is longer than a hundred years", 'where the key allows it, write "forever"')
    return timedelta(seconds=seconds)


def interval(text: object) -> timedelta:
    """An interval between polls: a minute or more."""
    every = duration(text)
    if every < timedelta(minutes=1):
        raise Wrong("is under one minute", 'feeds are polled at most once a minute: every = "1m" or more')
    return every


def lasting(text: object) -> timedelta:
    """A retention time: a day or more."""
    kept = duration(text)
    if kept < timedelta(days=1):
        raise Wrong("is under one day", 'keep it for "1d" or more')
    return kept


def lasting_or_forever(text: object) -> timedelta | None:
    """As `lasting`; None for `forever`."""
    return None if text == "forever" else lasting(text)


def pace(text: object) -> timedelta | None:
    """`30/m`: the time from one message to the next at so many in a second, minute, hour or day; None: `unlimited`."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})/([smhd])", text.strip()) if isinstance(text, str) else None
    if text == "unlimited":
        return None
    if found is None:
        raise Wrong("is no rate", 'write a number, a stroke and s, m, h or d: "1/s", "30/m"; or "unlimited"')
    return timedelta(seconds=_SECONDS[found[2]] / int(found[1]))


def language(text: str) -> str:
    """The primary tag of a BCP 47 language: `fr`, `en`, `zh` of `zh-Hans`; empty means: detect it."""
    primary = re.split(r"[-_]", text.strip().lower(), maxsplit=1)[0]
    if primary in _COUNTRY:
        raise Wrong(f"is the code of a country: {primary}", f'write the language: "{_COUNTRY[primary]}"')
    if text.strip() and not re.fullmatch(r"[a-z]{2,3}", primary):
        raise Wrong("is not a language code", 'write two or three letters: "fr", "en", "vi", "km", "lo", "zh"')
    return primary


def severity(text: object) -> Severity:
    """One of the five severities."""
    known = [str(one) for one in Severity]
    if not isinstance(text, str) or text not in known:
        raise Wrong("is no severity", nearest(text, known) if isinstance(text, str) else f"one of: {', '.join(known)}")
    return Severity(text)


def timezone(text: str) -> str:
    """An IANA time zone that this machine knows."""
    try:
        # Absolute and upward paths raise ValueError, folders OSError.
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as e:
        close = difflib.get_close_matches(text, zoneinfo.available_timezones(), n=1, cutoff=0.75)
        near = _CAPITALS.get(text) or "".join(close)
        fix = f"did you mean `{near}`?" if near else "write an IANA name such as Asia/Ho_Chi_Minh or Europe/Paris"
        raise Wrong("is no time zone known here", fix) from e
    return text


def address(text: str) -> str:
    """The address of `desk@example.org` or `Desk <desk@example.org>`, its domain in small ASCII letters."""
    plain(text)
    mailbox = parseaddr(text)[1]
    local, at, domain = mailbox.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError as e:
        raise Wrong("is no email address", 'write "name@example.org"') from e
    # parseaddr gives the first of several and drops what it cannot read: both must not pass unseen.
    whole = text.strip() == mailbox or text.rstrip().endswith(f"<{mailbox}>")
    if not at or not whole or not _ADDRESS.fullmatch(f"{local}@{domain}"):
        raise Wrong("is no email address", 'write "name@example.org", one address in each string')
    return f"{local}@{domain}"


def sender(text: str) -> str:
    """An address, with or without a name before it, as written."""
    address(text)
    return text.strip()


def split_url(text: str, schemes: Iterable[str], fix: str) -> SplitResult:
    """`text` as a URL of one of `schemes` with a host; raises Wrong without showing it."""
    if _CONTROL.search(text) or len(text.split()) > 1:
        raise Wrong("holds a space or a control character", fix)
    try:
        url = urlsplit(text.strip())
        _ = url.port
    except ValueError as e:
        raise Wrong("is not a valid URL: its host or port cannot be read", fix) from e
    if url.scheme not in set(schemes):
        raise Wrong(f"must begin with {' or '.join(f'{one}://' for one in schemes)}", fix)
    if not url.hostname:
        raise Wrong("names no host", fix)
    return url


def web_url(text: str) -> str:
    """An http or https URL."""
    split_url(text, ("https", "http"), 'write the whole address: "https://..."')
    return text.strip()


def proxy_url(text: str) -> str:
    """An HTTP proxy: an http URL without a path, credentials percent-encoded; empty: none.

    Not https: asyncio's TLS within TLS breaks where a handshake fails (python/cpython#113214).
    """
    fix = "http://proxy.example.org:3128, or http://user:${PASSWORD}@proxy.example.org:3128"
    if not text.strip():
        return ""
    url = split_url(text, ("http",), fix)
    if url.path.strip("/") or url.query or url.fragment:
        raise Wrong("goes on after host and port", f"{fix}; write / ? # @ in a password as %2F %3F %23 %40")
    return text.strip()


def proxy_or_direct(text: str) -> str:
    """As `proxy_url`, or `direct`."""
    return DIRECT if text.strip() == DIRECT else proxy_url(text)


def public_url(text: str) -> str:
    """The console's public address: an http(s) URL without query, fragment or final slash."""
    url = split_url(text, ("https", "http"), 'for example "https://veille.example.org"')
    if url.query or url.fragment or "@" in url.netloc:
        raise Wrong("has a query, a fragment or credentials", 'for example "https://veille.example.org"')
    return text.strip().rstrip("/")


def feed_url(text: str) -> str:
    """An http or https URL, or `veille:sample`."""
    if text.strip() == SAMPLE:
        return SAMPLE
    split_url(text, ("https", "http"), f'write the address of a feed, "https://...", or "{SAMPLE}"')
    return text.strip()


def store_url(text: str) -> str:
    """`sqlite:///` with a path, or `postgresql+psycopg://` with a host or a socket."""
    fix = "sqlite:///data/veille.db, or postgresql+psycopg://user:${PASSWORD}@host/name"
    url = plain(text)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = rest.removeprefix("/").partition("?")[0]
        if not rest.startswith("/") or path in {"", ":memory:"}:
            raise Wrong("names no file", f"{fix}; a store in memory would forget what it owes")
        return url
    if scheme != "postgresql+psycopg":
        raise Wrong("is not a store that Veille knows", fix)
    try:
        _ = urlsplit(url).port
    except ValueError as e:
        raise Wrong("is not a valid URL: its host or port cannot be read", fix) from e
    return url


def smtp_url(text: str) -> str:
    """Checks an SMTP URL; `smtp` takes it apart."""
    smtp(text)
    return text


def smtp(text: str) -> dict[str, Any]:
    """A server as EmailSettings has it: `smtp[s]://[user:password@]host[:port]`, percent-decoded (RFC 3986 3.2.1).

    `smtps` is TLS from the first byte (RFC 8314, port 465). `smtp` demands STARTTLS where there are credentials to
    protect or the port is 587, the one for submission; otherwise it is plain, as to a relay on port 25.
    `smtp+starttls` demands it everywhere.
    """
    fix = "smtps://user:${PASSWORD}@host:465, smtp://user:${PASSWORD}@host:587, or smtp://host:25"
    url = split_url(text, ("smtp", "smtps", "smtp+starttls"), fix)
    if url.path.strip("/") or url.query or url.fragment:
        raise Wrong("goes on after host and port", f"{fix}; write / ? # @ in a password as %2F %3F %23 %40")
    if url.password is not None and not url.username:
        raise Wrong("has a password without a user", fix)
    if url.username and not url.password:
        raise Wrong("has a user without a password", fix)
    if url.scheme == "smtps":
        tls = "smtps"
    elif url.scheme == "smtp+starttls" or url.username or url.port == 587:
        tls = "starttls"
    else:
        tls = "none"
    return {
        "host": url.hostname or "",
        "port": url.port or {"smtps": 465, "starttls": 587, "none": 25}[tls],
        "tls": tls,
        "username": unquote(url.username or ""),
        "password": Secret(unquote(url.password)) if url.password else None,
    }


def apprise_url(text: str) -> str:
    """The URL of one service on the network; whether Apprise can read the rest of it is for `deliver` to say."""
    if _CONTROL.search(text) or not re.match(r"[A-Za-z0-9][A-Za-z0-9+.-]*://.", text.strip()):
        raise Wrong("is no Apprise URL", "it begins with a scheme: ntfy://topic, tgram://..., workflows://...")
    if apprise.names_several(text):
        raise Wrong("names several services", "make a target for each, and a [[group]]")
    scheme = apprise.scheme(text)
    if scheme in apprise.LOCAL:
        fix = "name a service on the network, or write alerts to a folder: log = { folder = ... }"
        raise Wrong("names a service that runs programs or reads files of this machine", fix)
    if scheme not in apprise.NETWORK:
        # What is no scheme may be a secret in the wrong place: it is not repeated.
        close = difflib.get_close_matches(scheme, apprise.NETWORK, n=1, cutoff=0.6)
        fix = f"did you mean `{close[0]}://`?" if close else "ntfy://, tgram://, discord://, workflows:// (Teams) ..."
        raise Wrong("begins with no scheme that Apprise knows", fix)
    if parameter := apprise.file_parameter(text):
        raise Wrong(f"has the parameter `{parameter}`, which names a file to read", "leave it out")
    return text.strip()


def header(name: str, value: str) -> None:
    """Checks a request header (RFC 9110 5.5)."""
    if not _TOKEN.fullmatch(name):
        raise Wrong("is no header name")
    if name.lower() in _OWN_HEADERS:
        raise Wrong("is a header that Veille sets itself", "leave it out")
    if not value.isascii() or _CONTROL.search(value.replace("\t", " ")):
        raise Wrong("has a value with a line break or letters beyond ASCII")


def allowed(text: str) -> str:
    """A network (`10.0.0.0/8`, `fd00::/8`), one address, or `host:port`, in its canonical form."""
    fix = "write a network (10.1.0.0/16, fd00::/8), an address, or host:port (intranet.example:8080)"
    written = plain(text).lower()
    try:
        return str(ipaddress.ip_network(written))
    except ValueError as e:
        if "host bits set" in str(e):
            inner = ipaddress.ip_network(written, strict=False)
            raise Wrong("is an address inside a network, not a network", f"did you mean `{inner}`?") from e
    if "/" in written or written.count(":") == 0:
        raise Wrong("is neither a network nor host:port", fix)
    host, port = host_port(written, fix)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def network(text: str) -> str:
    """A network (`10.0.0.0/8`, `fd00::/8`) or one address, in its canonical form; IPv4 within IPv6 is IPv4."""
    try:
        found = ipaddress.ip_network(plain(text))
    except ValueError as e:
        raise Wrong("is no network", "write a network (10.1.0.0/16, fd00::/8) or an address") from e
    address, bits = found.network_address, found.prefixlen - _MAPPED_BITS
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) and bits >= 0 else None
    return str(found) if mapped is None else f"{mapped}/{bits}"


def header_name(text: str) -> str:
    """The name of an HTTP header (RFC 9110 5.1); empty: none."""
    if text and not _TOKEN.fullmatch(text):
        raise Wrong("is no name of a header", 'for example "X-Forwarded-User"')
    return text


def engine(text: str) -> str:
    """Checks the name of an engine."""
    if text not in _ENGINES:
        raise Wrong("is no engine", nearest(text, _ENGINES))
    return text


def listen(text: str) -> str:
    """Checks a `host:port` to listen on; `host_port` takes it apart."""
    host_port(text, 'for example "127.0.0.1:8080", or "0.0.0.0:8080" inside a container')
    return text


def host_port(text: str, fix: str = "") -> tuple[str, int]:
    """`host:port` or `[IPv6]:port`."""
    host, colon, port = plain(text).lower().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not _HOST.fullmatch(host) or (":" in host) != bracketed:
        raise Wrong("is not host:port", fix)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise Wrong("has no port between 1 and 65535", fix)
    return host, int(port)
