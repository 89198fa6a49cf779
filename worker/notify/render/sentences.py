"""Puts sentences that the code and the store say in English into the reader's language, by `french.toml`.

Messages about rules and files, remarks on feeds, and the reasons in the ledger are written and stored as one English
sentence each, as the command line and the log show them. `french.toml` has them all as templates, each with its French;
a sentence is known again by the template that it fills. What a server or the system said stays as it is.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path

from worker.errors import Problem

_SLOT = re.compile(r"\{([a-z_]+)\}")
_NUMBER, _WORD, _ANY = r"[0-9]+(?:[.,][0-9]+)*", r"\S+", r".+?"
#: By the name of a slot; all others take any text.
_TAKES = dict.fromkeys("nmk", _NUMBER) | dict.fromkeys(("host", "port", "user", "code"), _WORD)
#: Names of slots begin so whose text is a sentence of ours too; of the second kind it may be the words of others.
_OURS, _ANYBODYS = "some", "said"
#: Sentences that stand in one text, one behind the other.
_BETWEEN = "; "
#: Characters of a text that is read as sentences, and sentences inside one another: what is stored may be hostile.
_LONGEST, _DEEPEST = 700, 5


def said(text: str, language: str, quoted: Callable[[str], str] = str) -> str:
    """A text of ours in this language; `quoted` draws the words of others in it, and decides the kind of text.

    Where `quoted` gives Markup, all else is escaped. A text that no template knows is the words of others.
    """
    if language == "en" or not text:
        return text
    return (len(text) <= _LONGEST and _drawn(text, quoted)) or quoted(text)


def again(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A text in the other language of the first of these pairs of templates that it fills; the text where none does."""
    read = (_filling(Template(here, there), text) for here, there in pairs)
    return next((_filled(one, str) for one in read if one is not None), text)


def problem(one: Problem, language: str) -> str:
    """A problem in this language: its place, its line with the caret, and the fix."""
    if language == "en":
        return str(one)
    message, fix, seen = (said(text, language) for text in (one.message, one.fix, one.seen))
    return replace(one, message=message, fix=fix, seen=seen).written("remède\u00a0:")


@dataclass(frozen=True)
class Template:
    """An English sentence with slots, and its French."""

    english: str
    french: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The words of its own, between the slots."""
        return tuple(piece for piece in _SLOT.split(self.english)[::2] if piece)

    @cached_property
    def weight(self) -> int:
        """The characters of its own."""
        return sum(map(len, self.pieces))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The texts that fill it."""
        parts = [re.escape(part) for part in _SLOT.split(self.english)]
        names = _SLOT.findall(self.english)
        parts[1::2] = [f"(?P<{name}>{_TAKES.get(name, _ANY)})" for name in names]
        return re.compile("".join(parts), re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A text that fills a template; in its slots texts, or sentences read in turn."""

    template: Template
    values: Mapping[str, "str | _Read"]


@cache
def templates() -> tuple[Template, ...]:
    """All sentences, those with the most words of their own first."""
    tables = tomllib.loads(Path(__file__).with_name("french.toml").read_text(encoding="utf-8"))
    found = [Template(english, french) for table in tables.values() for english, french in table.items()]
    return tuple(sorted(found, key=lambda one: -one.weight))


def _drawn(text: str, quoted: Callable[[str], str]) -> str:
    """The text in French; empty where no part of it is ours."""
    found = _read(text)
    parts = text.split(_BETWEEN)
    each = [_read(part) for part in parts] if len(parts) > 1 else []
    apart = sum(one.template.weight for one in each if one is not None)
    if apart and (found is None or (None not in each and apart > found.template.weight)):
        drawn = [quoted(part) if one is None else _filled(one, quoted) for part, one in zip(parts, each, strict=True)]
        return _joined(quoted, "\u00a0; ", drawn)
    return "" if found is None else _filled(found, quoted)


@lru_cache(maxsize=2_000)
def _read(text: str, depth: int = 0) -> _Read | None:
    """The first template that a text fills, with the text in its slots."""
    if depth > _DEEPEST:
        return None
    return next(filter(None, (_filling(one, text, depth) for one in templates())), None)


def _filling(template: Template, text: str, depth: int = 0) -> _Read | None:
    if not all(piece in text for piece in template.pieces) or not (found := template.pattern.fullmatch(text)):
        return None
    values: dict[str, str | _Read] = found.groupdict()
    for name in values:
        if name.startswith((_OURS, _ANYBODYS)):
            inner = _read(found[name], depth + 1)
            if inner is None and name.startswith(_OURS):
                return None
            values[name] = inner or found[name]
    return _Read(template=template, values=values)


def _filled(one: _Read, quoted: Callable[[str], str]) -> str:
    parts = _SLOT.split(one.template.french)
    parts[1::2] = [_value(name, one.values[name], quoted) for name in parts[1::2]]
    return _joined(quoted, "", parts)


def _value(name: str, value: "str | _Read", quoted: Callable[[str], str]) -> str:
    if isinstance(value, _Read):
        return _filled(value, quoted)
    if name.startswith(_ANYBODYS):
        return quoted(value)
    return value.replace(".", ",") if _TAKES.get(name) == _NUMBER else value


def _joined(quoted: Callable[[str], str], between: str, parts: list[str]) -> str:
    return type(quoted(""))(between).join(parts)
