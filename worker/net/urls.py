"""URLs: one form for identity, one for logs and screens, and the absolute form of a link.

RFC 3986 section 6 names the equivalences that hold for every URL; the rest are those of news sites: tracking
parameters, mobile and AMP editions, and content management systems that number their articles.
"""

import re
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urljoin, urlsplit, urlunsplit

#: Characters; a longer URL is no address that servers answer at.
LONGEST = 8 << 10

#: Characters of a URL that the store knows an article by.
_KEY_LENGTH = 500
_SCHEMES = ("http", "https")
#: Characters of a host name (RFC 1035 2.3.4).
_HOST_LENGTH = 253
#: How often a URL's form is taken anew. Real ones need three; a hostile one must not cost the square of its length.
_FOLDS = 8
#: What no URL holds, and what browsers and libraries read differently.
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}]")
_BLANKS = re.compile(r"[\x20\"<>^`{|}]")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f]*:[0-9a-f:.]+\]")
#: An ampersand that some template escaped once too often.
_DOUBLE_ESCAPE = re.compile(r"(?:^|(?<=&))(?:amp;)+")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_EDITION = re.compile(r"^(?:www|m|mobile|amp)\.(?=[^.]+\.)")
_HTML = (".html", ".htm")
_AMP_FIRST = re.compile(r"(?:/amp)+(?=/.)", re.IGNORECASE)
#: The caches that show another site's page: `/c/s/example.org/a` is `https://example.org/a`.
_AMP_CACHE = re.compile(r"(?:[^.]+\.)*cdn\.ampproject\.org/[a-z]/(?:s/)?(.+)|google\.[a-z.]{2,6}/amp/(?:s/)?(.+)")
#: `/slug/128156.vnp`, `/slug-post128156.vnp`, `/section/slug-1234567.ldo`: such a site numbers all its articles, and
#: rewrites slugs. Only extensions known to belong to one system, because a number that restarts in every folder
#: would make two articles one, and lose the second.
_NUMBERED = re.compile(r"^(?:.*[/-])?(?:post|(?<=/)|(?<=-)(?=\d{6}))(\d+)\.(vnp|vov|tpo|ldo)$", re.IGNORECASE)
#: The same systems under a common extension, where only `-post` tells the number from a part of the slug.
_POST = re.compile(r"/[^/]*-post(\d{4,})\.html?$", re.IGNORECASE)

_TRACKING = re.compile(
    r"(?:utm|at|mtm|pk|piwik|matomo|hsa|mc|oly|vero|ns|fb|ga|itm|wt|sc|trk|hmb|stm|sms|cx)_.+"
    r"|_hs(?:enc|mi)|_ga|_gl|wt\.[a-z_]+|xt(?:or|ref|cr|atc|mc|np)|\w*clid|gclsrc|gbraid|wbraid|srsltid|igshid|igsh"
    r"|li_fat_id|s_cid|s_kwcid|ef_id|dm_i|mkt_tok|icid|ocid|ncid|cmpid|cmp|campaign_?id|smid|smtyp|ref_src|ref_url"
    r"|spm|scm|ito|maca|\w+_(?:source|medium|campaign)|wtmc|xtsite|echobox|sharetype|share_source|feedtype|feedname|amp|outputtype|print",
    re.IGNORECASE,
)
#: Parameters that are tracking only with such a value: `ref=4711` may well name the article.
_ORIGIN = re.compile(r"ref|referr?er|source|src|from|origin|via|partner|medium|share", re.IGNORECASE)
_ORIGINS = re.compile(
    r"rss\w*|feed\w*|atom|flux|twitter|x|facebook|fb|telegram|whatsapp|linkedin|zalo|e?mail|newsletter\w*|social\w*"
    r"|google\w*|share\w*|app|home\w*|mobile|amp",
    re.IGNORECASE,
)

#: A parameter's name that says so, by a word of its own (`feed_key`) or at its end (`authtoken`): `author`, `keywords`
#: and `passage` say nothing of the kind.
_SECRET_NAME = re.compile(
    r"""(?:.*[-_.])?(?: key | pwd | pass | auth | sig | signature | session | sid | hash | code | hmac | access | jwt
                      | bearer | authorization | authentication )
      | .*(?: token | secret | password | passwd | passphrase | passcode | credentials? | sess(?:ion)?[-_]?id )
      | .*(?: api | auth | access | user | feed | rss | private | public | client | app | license )key(?:id)?
      | .*[-_.]key[-_]?id
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: Names of what anybody may see, however it looks.
_OPEN_NAME = re.compile(r"(?:channel|playlist)_id", re.IGNORECASE)
#: A path's segment that looks drawn at random, as the webhooks of chat services have it.
_SECRET_SEGMENT = re.compile(r"(?=[^/]*\d)(?=[^/]*[a-z])(?=[^/]*[A-Z])[\w:~-]{16,}|[0-9a-f]{32,}|[A-Z0-9]{20,}")
#: Words and numbers, as titles of articles stand in addresses.
_SLUG = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+|\d+)(?:[-_](?:[A-Z]?[a-z]+|[A-Z]+|\d+))+")
MASK = "***"


def canonical(url: str) -> str:
    """The form under which two spellings of one page's URL are equal; empty for what is no http(s) URL.

    Always `https://host/path?query`: no credentials, default port, `www.`, mobile or AMP edition, trailing slash,
    fragment or tracking parameter; the query is sorted by name, as servers read it by name and syndicators reorder
    it. A key, not an address: it may not answer. Applied to its own result it changes nothing. Empty also for what is
    longer than `LONGEST`, or becomes so; takes time in proportion to the length.
    """
    if len(url) > LONGEST:
        return ""
    form = _form(url.strip())
    # One mark may hide another (an escaped `amp`, a cache of a cache): until nothing is left to fold.
    for _ in range(_FOLDS):
        if (again := _form(form)) == form:
            return form if len(form) <= LONGEST else ""
        form = again
    return ""


def key(url: str) -> str:
    """The canonical form as it is stored and looked for: what is too long for an index ends in its digest.

    PostgreSQL indexes at most 2,704 bytes (btree version 4).
    """
    form = canonical(url)
    return form if len(form) <= _KEY_LENGTH else f"{form[: _KEY_LENGTH - 65]}#{sha256(form.encode()).hexdigest()}"


def masked(url: str, *, values: bool = False) -> str:
    """`url` for logs and screens: credentials and whatever looks like a secret as `***`; of any scheme.

    With `values`, every value of its query: of an address that a server made up, none is known to be harmless.
    """
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return MASK
    netloc = MASK + "@" + parts.netloc.rpartition("@")[2] if "@" in parts.netloc else parts.netloc
    path = "/".join(MASK if _random(part) else part for part in parts.path.split("/"))
    text = parts.query
    secret = [values or _secret(name, value) for name, value in query]
    if any(secret):
        pairs = zip(query, secret, strict=True)
        text = "&".join(f"{quote(name)}={MASK if hidden else quote(value)}" for (name, value), hidden in pairs)
    return urlunsplit((parts.scheme, netloc, path, text, MASK if "=" in parts.fragment else parts.fragment))


def _secret(name: str, value: str) -> bool:
    """True where a parameter of a query is to be masked."""
    return bool(_SECRET_NAME.fullmatch(name)) or (_random(value) and not _OPEN_NAME.fullmatch(name))


def _random(text: str) -> bool:
    return bool(_SECRET_SEGMENT.fullmatch(text)) and not _SLUG.fullmatch(text)


def absolute(url: str, base: str) -> str:
    """`url` as found in the document at `base`, absolute; empty if that is no http(s) URL."""
    try:
        joined = urljoin(base, url.strip())
    except ValueError:
        return ""
    return joined if _split(joined) is not None else ""


def requestable(url: str) -> str:
    """`url` with what no URL may hold escaped, as browsers do before they ask: blanks, quotes, brackets."""
    return _BLANKS.sub(lambda found: quote(found[0], safe=""), url.strip())


def _form(url: str) -> str:
    """`url` with each kind of difference folded once; empty for what is no http(s) URL."""
    parts = _split(url)
    if parts is None:
        return ""
    host = _edition(parts.hostname or "")
    if inner := _AMP_CACHE.fullmatch(host + parts.path):
        return "https://" + unquote(inner[1] or inner[2]) + (f"?{parts.query}" if parts.query else "")
    host = f"[{host}]" if ":" in host else host
    # Both default ports, because both schemes become one.
    port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
    return urlunsplit(("https", host + port, _path(parts.path), _query(parts.query), ""))


def _split(url: str) -> SplitResult | None:
    """The parts of an http(s) URL with a usable host, lower-case and in ASCII, or None."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if len(host) > _HOST_LENGTH:
            return None
        if not host.isascii():
            host = host.encode("idna").decode("ascii").lower().rstrip(".")
        port = parts.port
    except ValueError:
        return None
    bracketed = f"[{host}]" if "[" in parts.netloc else host
    if parts.scheme not in _SCHEMES or _UNSAFE.search(parts.netloc) or not _HOST.fullmatch(bracketed):
        return None
    return parts._replace(netloc=bracketed + (f":{port}" if port is not None else ""))


def _edition(host: str) -> str:
    """`host` without the labels that name an edition of the same site."""
    while (shorter := _EDITION.sub("", host)) != host:
        host = shorter
    return host


def _path(path: str) -> str:
    """`path` without dot segments, empty segments, AMP marks, slugs beside a number, and trailing slash."""
    segments: list[str] = []
    for segment in _escaped(path).split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    folded = _without_amp("/" + "/".join(segments))
    if number := _NUMBERED.match(folded):
        return f"/post{number[1]}.{number[2].lower()}"
    return _POST.sub(r"/post\1.html", folded) or "/"


def _without_amp(path: str) -> str:
    """`path` without the marks of AMP: `/amp` before it, `/amp` and `.amp` behind it or before its `.html`."""
    if first := _AMP_FIRST.match(path):
        path = path[first.end() :]
    lower, last, html = path.lower(), len(path), ""
    while True:
        if lower.endswith(("/amp", ".amp"), 0, last):
            last -= 4
        elif not html and lower.endswith("/", 0, last):
            last -= 1
        elif not html and (found := next((end for end in _HTML if lower.endswith(end, 0, last)), "")):
            last -= len(found)
            html = path[last : last + len(found)]
        else:
            return path[:last] + html


def _escaped(text: str) -> str:
    """`text` with escapes where RFC 3986 6.2.2 wants them and in capitals; what an escape hides stays hidden."""
    text = quote(_STRAY_PERCENT.sub("%25", text), safe="%!$&'()*+,;=:@~/?", errors="replace")
    return _ESCAPE.sub(lambda escape: _unescaped(escape[0]), text)


def _unescaped(escape: str) -> str:
    char = chr(int(escape[1:], 16))
    return char if _UNRESERVED.fullmatch(char) else escape.upper()


def _query(query: str) -> str:
    """`query` without tracking parameters, sorted by name; equal names keep their order."""
    kept: list[tuple[str, str]] = []
    for pair in _DOUBLE_ESCAPE.sub("", _escaped(query)).split("&"):
        name, equals, value = pair.partition("=")
        if not name or _TRACKING.fullmatch(name) or (_ORIGIN.fullmatch(name) and _ORIGINS.fullmatch(value)):
            continue
        kept.append((name, equals + value))
    return "&".join(name + value for name, value in sorted(kept, key=lambda pair: pair[0]))
