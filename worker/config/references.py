"""Values that the file only refers to: `${NAME}` of the environment, `${file:PATH}` of a file, `$$` for a dollar."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from worker.config.fields import nearest
from worker.config.toml import KeyPath

#: Of a file that holds one secret.
MAX_BYTES = 1 << 16

REFERENCE = re.compile(r"\$(?:\$|\{([^}]*)\}|\{)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: No table of the configuration is deeper; what is deeper is refused as unknown, unread.
_DEPTH = 8
#: The `user:password` of a URL as written. A `${file:/path}` may hold the slashes that would end it. A scheme begins at
#: the first letter of a word: to try each letter takes the square of a long path's time.
USERINFO = re.compile(r"(\s*(?<![A-Za-z])[A-Za-z][A-Za-z0-9+.-]*://)((?:\$\{[^}]*\}|[^/?#])*)@")
#: What a URL shows to everybody: its host and port, and the user of a mail server, who has a password beside the name.
#: Of other schemes the host may be the secret, as Apprise has it.
_REFERENCE_OR = r"\$\{[^}]*\}|\$(?!\{)|"
_OPEN = re.compile(
    rf"""\s*(?: https?:// (?: (?:{_REFERENCE_OR}[^$/?\#])*@ )?
             | smtps?:// (?: (?P<user> (?:{_REFERENCE_OR}[^$:/?\#@])+ ) : (?:{_REFERENCE_OR}[^$/?\#])*@ )? )
        (?P<host> (?:{_REFERENCE_OR}[^$/?\#@])* ) (?:[/?\#]|\s*\Z)""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class References:
    """Expands references, and remembers what they gave and which of them failed."""

    environ: Mapping[str, str]
    #: Relative file names are relative to it.
    folder: Path
    #: (path of the string, the text that a reference gave), but for hosts, ports and users of mail servers.
    found: list[tuple[KeyPath, str]] = field(default_factory=list, repr=False)
    #: (path of the string, what is wrong, the fix).
    failed: list[tuple[KeyPath, str, str]] = field(default_factory=list)

    def expand(self, value: Any, path: KeyPath = ()) -> Any:
        """`value` with the references in all its strings expanded; one that fails leaves nothing behind."""
        if isinstance(value, str):
            return self._text(value, path)
        if len(path) > _DEPTH:
            return value
        if isinstance(value, dict):
            return {key: self.expand(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.expand(inner, (*path, index)) for index, inner in enumerate(value)]
        return value

    def _text(self, text: str, path: KeyPath) -> str:
        userinfo, shown = USERINFO.match(text), _OPEN.match(text)

        def one(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            # One that is the whole URL holds whatever stands in it.
            is_open = shown is not None and any(
                shown.start(part) <= reference.start() < shown.end(part) for part in ("user", "host")
            )
            value = self._value(reference[1], path, secret=not is_open)
            if userinfo is None or not userinfo.start(2) <= reference.start() < userinfo.end(2):
                return value
            # A password is taken as it is; quoted, none of its characters can end the user, the host or the URL.
            whole = userinfo[2] == reference[0]
            return quote(value, safe=":" if whole else "")

        return REFERENCE.sub(one, text)

    def _value(self, name: str | None, path: KeyPath, *, secret: bool) -> str:
        if name is None:
            self.failed.append((path, "`${` is not closed", "write ${NAME}, or $$ for a dollar sign"))
            return ""
        if name.startswith("file:"):
            value = self._file(name.removeprefix("file:"), path)
        elif _NAME.fullmatch(name):
            value = self._variable(name, path)
        else:
            fix = "write ${NAME} for an environment variable, ${file:/path} for a file"
            self.failed.append((path, "`${...}` holds no name of a variable", fix))
            return ""
        # More than a host may stand in what is written where a host does.
        if value and (secret or re.search("[/?#]", value)):
            self.found.append((path, value))
        return value

    def _variable(self, name: str, path: KeyPath) -> str:
        value = self.environ.get(name)
        if value and not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
            self.failed.append((path, f"the environment variable {name} is not UTF-8", f"set {name} as UTF-8 text"))
            return ""
        if not value:
            state = "is empty" if value == "" else "is not set"
            near = nearest(name, ()) if value == "" else _near(name, self.environ)
            fix = f"set {name} where Veille is started" + (f"; {near}" if near else "")
            self.failed.append((path, f"the environment variable {name} {state}", fix))
        return value or ""

    def _file(self, name: str, path: KeyPath) -> str:
        def fail(what: str) -> str:
            self.failed.append((path, f"the file {name} {what}", "it holds one secret, as text, and nothing else"))
            return ""

        try:
            with (self.folder / name).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            text = raw.decode("utf-8-sig").rstrip("\r\n")
        except (OSError, ValueError) as e:
            # ValueError: a NUL in the name, or bytes that are not UTF-8, which its text would show.
            return fail(f"cannot be read: {e.strerror}" if isinstance(e, OSError) else "cannot be read as UTF-8")
        if len(raw) > MAX_BYTES:
            return fail(f"is larger than {MAX_BYTES} bytes")
        return text or fail("is empty")


def _near(name: str, environ: Mapping[str, str]) -> str:
    """`did you mean` among the variables that are set; only names are shown, and only a near one."""
    hint = nearest(name.lower(), (known.lower() for known in environ))
    if not hint.startswith("did"):
        return ""
    near = next(known for known in environ if f"`{known.lower()}`" in hint)
    return f"did you mean `{near}`?"
