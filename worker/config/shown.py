"""Lines of the configuration as problems may show them: every value that could be a secret is masked.

It works on lines, not on parsed data, because a line that cannot be parsed is shown too.
"""

import re

#: Keys whose values are no secrets.
PLAIN = frozenset(
    {
        "alert_backlog",
        "allow",
        "articles",
        "channel",
        "contact",
        "every",
        "folder",
        "from",
        "full_text",
        "id",
        "language",
        "ledger",
        "listen",
        "name",
        "public_url",
        "raw",
        "rules",
        "severities",
        "tags",
        "target",
        "targets",
        "templates",
        "timezone",
        "to",
        "trusted_proxies",
        "user_header",
    },
)

#: Keys whose values are tables of known keys; `headers` is none, for its keys are anyone's.
TABLES = frozenset({"apprise", "email", "log", "slack"})
#: Of a line as shown.
LONGEST = 300

_HEADER = re.compile(r"\s*\[\[?[\w. -]+\]\]?\s*(?:#.*)?")
_STRING = r""" "(?!"") (?: \\. | [^"\\] )* " | '(?!'') [^']* ' """
_PAIR = re.compile(
    rf"""
    (?<! [^\s{{,.] ) (?P<key> [\w-]+ | "[\w-]*" | '[\w-]*' ) \s* = \s*
    (?:
        (?P<whole> {_STRING} | \[ \s* (?: (?: {_STRING} ) \s* (?: , \s* )? )* \] | [\w.+:-]+ )
      | (?= \{{ )              # an inline table: its own pairs follow
      | (?P<broken> .* )      # a string or list that does not end here may hold anything
    )
    """,
    re.VERBOSE,
)
#: A comment that holds a setting is none for showing.
_BETWEEN = re.compile(r"""[\s,{}\[\].]*(?:#[^"'=:/@]*)?""")
_REFERENCE = re.compile(r"\$\{(?:[A-Za-z_][A-Za-z0-9_]*|file:[\w./-]*)\}")
_CREDENTIALS = re.compile(r":.*@")
#: The whole value is asked for an @, since a password may hold the slash that seems to end the host.
_SCHEME_AND_HOST = re.compile(r"""["']((?:https?|smtps?|smtp\+starttls)://(?!.*@)[\w.-]+(?::[0-9]+)?)(?=[/?#"'])""")


def shown(line: str, *, secret: bool = False) -> str:
    """`line` with `***` for each value whose key is not in PLAIN; `secret` masks every value on it.

    The line ends at the first thing that is not understood.
    """
    line = line[:LONGEST]
    if not line.strip() or _HEADER.fullmatch(line):
        return line.rstrip()
    parts: list[str] = []
    end = 0
    for pair in _PAIR.finditer(line):
        gap = line[end : pair.start()]
        key = pair["key"].strip("\"'")
        value = pair["whole"] or pair["broken"] or ""
        if not _BETWEEN.fullmatch(gap) or ("," in gap and "{" not in line[:end]):
            return "".join([*parts, "***"])
        secret = secret or key == "headers" or (key not in TABLES if not value else bool(pair["broken"]))
        end = pair.end()
        parts += [gap, line[pair.start() : end - len(value)]]
        parts.append(value if key in PLAIN and not secret and not _CREDENTIALS.search(value) else _masked(value))
    parts.append(line[end:] if _BETWEEN.fullmatch(line[end:]) else "***")
    return "".join(parts).rstrip()


def _masked(value: str) -> str:
    """References and the host of a URL without credentials stay, for they are what problems speak of."""
    if not value or value in {"true", "false"}:
        return value
    host = _SCHEME_AND_HOST.match(value)
    references = _REFERENCE.findall(value, host.end() if host else 0)
    rest = "***".join(["", *references, ""]) if references else "***"
    return f'"{host[1] if host else ""}{rest}"'
