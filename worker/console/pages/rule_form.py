"""A rule as a form: read from its table in the file, or from what was sent; and the values that go into the file.

A rule that says more than the form can hold is a text instead: its own lines, as its file has them.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from starlette.datastructures import QueryParams

from worker.config import rule_files, toml
from worker.config.rule_files import AT, Written
from worker.console.views.workbench import Draft
from worker.errors import UserError
from worker.model import Severity
from worker.rules import Test

#: Keys that the form has; what else a rule says stays as it stands in the file.
KEYS = ("id", "name", "severity", "languages", "tags", "when", "test")
_MOST_TESTS = 200
#: Fields of one line.
_SINGLE = ("was", "file", "digest", "id", "name", "severity")
_ACTS = ("on", "off", "remove")
#: A rule of which only these lines are written yet.
_BLANK = '[[rule]]\nid   = ""\nname = ""\n{when}\n'
_TEST = {"title": "", "text": "", "lang": "fr", "match": True, "spans": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class TestForm:
    """A `[[rule.test]]`."""

    #: The test of the file that it is; empty: a new one.
    at: str = ""
    title: str = ""
    text: str = ""
    lang: str = "fr"
    match: bool = True
    #: One a line.
    spans: str = ""

    @property
    def is_blank(self) -> bool:
        """True where it holds no text: it is none, or is to be taken away."""
        return not self.title.strip() and not self.text.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A rule's fields as texts."""

    #: The id of the rule that it changes; empty: it is new.
    was: str = ""
    file: str = ""
    #: Of the file, as it was when the form was made.
    digest: str = ""
    id: str = ""
    name: str = ""
    severity: str = "medium"
    languages: str = ""
    tags: str = ""
    when: str = ""
    tests: tuple[TestForm, ...] = ()
    #: It is written as `text`, the lines of the whole rule.
    is_text: bool = False
    text: str = ""
    #: `on`, `off` or `remove`: what is to be done with the whole rule, instead of a change of what it says.
    act: str = ""

    def fields(self) -> list[tuple[str, str]]:
        """Names and values, as `sent` reads them."""
        if self.act:
            return [("was", self.was), ("file", self.file), ("digest", self.digest), ("act", self.act)]
        if self.is_text:
            given = [(name, getattr(self, name)) for name in ("was", "file", "digest", "text")]
            return [*given, ("as", "text"), ("tests", "0")]
        given = [(name, getattr(self, name)) for name in (*_SINGLE, "languages", "tags", "when")]
        given.append(("tests", str(len(self.tests))))
        for number, test in enumerate(self.tests):
            said = {"at": test.at, "title": test.title, "text": test.text, "lang": test.lang, "spans": test.spans}
            said["match"] = "yes" if test.match else "no"
            given += [(f"test-{number}-{name}", value) for name, value in said.items()]
        return given

    def draft(self, table: Mapping[str, Any]) -> Draft:
        """The rule to be tried; `table`: what the file says of it."""
        language = table.get("language")
        return Draft(
            was=self.was,
            id=self.id,
            name=self.name,
            severity=self.severity,
            languages=tuple(_listed(self.languages)),
            tags=tuple(_listed(self.tags)),
            when=self.when,
            language=language if isinstance(language, str) else "",
            tests=tuple(_case(test, _tests(table)) for test in self.tests if not test.is_blank),
        )

    def values(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the file that differ from those of `table`; None: the key goes."""
        stated: dict[str, Any] = {
            "id": self.id,
            "name": self.name or None,
            "severity": None if self.severity == Severity.MEDIUM and "severity" not in table else self.severity,
            "languages": _listed(self.languages) or None,
            "tags": _listed(self.tags) or None,
            "when": _same_or_new(self.when, table.get("when")),
        }
        changed = {key: value for key, value in stated.items() if value != table.get(key)}
        was = _tests(table)
        tests = [_test_values(test, was) for test in self.tests if not test.is_blank]
        if tests != [{AT: at} for at in range(len(was))]:
            changed["test"] = tests
        return changed


def holds_all(table: Mapping[str, Any]) -> bool:
    """True where the form has everything that decides what a rule does, but for a few plain values that stay."""
    rest = (value for key, value in table.items() if key not in KEYS)
    return isinstance(table.get("when"), str) and not any(isinstance(value, dict) for value in rest)


def blank(query: str, *, is_text: bool) -> Form:
    """The form of a new rule."""
    if not is_text:
        return Form(when=query)
    return Form(is_text=True, text=_BLANK.format(when=rule_files.text_of({"when": query})))


def of_file(found: Written, *, is_text: bool = False) -> Form:
    """The form of a rule that stands in a file."""
    table = found.table
    return Form(
        is_text=is_text,
        text=found.text if is_text else "",
        was=_text(table, "id"),
        file=found.file,
        digest=found.digest,
        id=_text(table, "id"),
        name=_text(table, "name"),
        severity=_text(table, "severity") or Severity.MEDIUM,
        languages=", ".join(map(str, table.get("languages", ()))),
        tags=", ".join(map(str, table.get("tags", ()))),
        when=_text(table, "when").strip("\n"),
        tests=tuple(
            TestForm(
                at=str(at),
                title=_text(test, "title"),
                text=_text(test, "text"),
                lang=_text(test, "lang") or "fr",
                match=test.get("match", True) is not False,
                spans="\n".join(map(str, test.get("spans", ()))),
            )
            for at, test in enumerate(_tests(table))
        ),
    )


def is_whole(form: QueryParams) -> bool:
    """False for a rule's form that lacks its tests, or has more than it holds: saved, the rule would lose some."""
    is_new = not form.get("was") or "act" in form
    return 0 <= _number(form.get("tests", "0" if is_new else "")) <= _MOST_TESTS + 1


def sent(form: QueryParams) -> Form:
    """The form that was sent; line ends are those of the file's."""

    def field(name: str) -> str:
        return form.get(name, "").replace("\r\n", "\n")

    number = min(_number(field("tests")), _MOST_TESTS)
    tests = (
        TestForm(
            at=field(f"test-{at}-at"),
            title=field(f"test-{at}-title"),
            text=field(f"test-{at}-text"),
            lang=field(f"test-{at}-lang").strip() or "fr",
            match=field(f"test-{at}-match") != "no",
            spans=field(f"test-{at}-spans"),
        )
        for at in range(number)
    )
    single = {name: field(name).strip() for name in _SINGLE}
    is_text = field("as") == "text"
    act = field("act") if field("act") in _ACTS else ""
    if is_text or act:
        single["id"] = _id_of(field("text")) if is_text else single["was"]
    return Form(
        **single,
        is_text=is_text,
        text=field("text"),
        act=act,
        languages=field("languages"),
        tags=field("tags"),
        when=field("when"),
        tests=tuple(test for test in tests if not test.is_blank),
    )


def rest(table: Mapping[str, Any]) -> str:
    """The keys of a rule that the form does not have, as TOML."""
    left = {key: value for key, value in table.items() if key not in KEYS}
    return rule_files.text_of(left) if left else ""


def _id_of(text: str) -> str:
    """The id that a rule's own lines give it; empty where they cannot be read."""
    with suppress(UserError):
        match toml.parse("", text.encode()).data:
            case {"rule": [{"id": str(said)}, *_]}:
                return said
    return ""


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    return value if isinstance(value, str) else ""


def _number(written: str) -> int:
    """A small number; -1 for what is none."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 4 else -1


def _listed(written: str) -> list[str]:
    return [item for part in written.split(",") if (item := part.strip())]


def _tests(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [test for test in table.get("test", ()) if isinstance(test, dict)]


def _case(test: TestForm, was: Sequence[Mapping[str, Any]]) -> Test:
    at = _number(test.at)
    published = was[at].get("published") if 0 <= at < len(was) else None
    if isinstance(published, date) and not isinstance(published, datetime):
        published = datetime.combine(published, time(), UTC)
    if isinstance(published, datetime) and published.tzinfo is None:
        published = published.replace(tzinfo=UTC)
    return Test(
        title=test.title,
        text=test.text,
        language=test.lang,
        published=published if isinstance(published, datetime) else None,
        match=test.match,
        spans=tuple(_spans(test.spans)),
        file="",
        line=0,
        source="",
    )


def _spans(written: str) -> list[str]:
    return [line.strip() for line in written.split("\n") if line.strip()]


def _same_or_new(written: str, was: Any) -> str | None:
    """A text as it goes into the file: as it stands there, where nothing but the space around it differs."""
    if isinstance(was, str) and written.strip() == was.strip():
        return was
    lines = "\n".join(line.rstrip() for line in written.strip("\n").split("\n")).rstrip()
    return f"{lines}\n" if "\n" in lines else lines or None


def _test_values(test: TestForm, was: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A test's values; of one that stands in the file, those that differ."""
    stated: dict[str, Any] = {
        "title": test.title.strip(),
        "text": test.text,
        "lang": test.lang,
        "match": test.match,
        "spans": _spans(test.spans) if test.match else [],
    }
    at = _number(test.at)
    if not 0 <= at < len(was):
        return {key: value for key, value in stated.items() if value != _TEST[key] or key == "match"}
    old = was[at]
    values: dict[str, Any] = {AT: at}
    for key, value in stated.items():
        stands = old.get(key, _TEST[key])
        are_texts = isinstance(value, str) and isinstance(stands, str)
        is_same = value.strip() == stands.strip() if are_texts else value == stands
        if not is_same:
            values[key] = None if value in ("", []) else value
    return values
