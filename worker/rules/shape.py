"""The shape of a rule file, checked by pydantic; what its texts mean is checked by `compile`."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from worker.config.toml import KeyPath, Toml
from worker.errors import Problem
from worker.model import Severity
from worker.rules.query import suggestion
from worker.rules.ruleset import Test

ID = r"^[a-z0-9][a-z0-9-]{0,63}$"
#: Names of sets: as ids, and `_`.
SET_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
#: Names of patterns, which stand before a parenthesis, and of their parameters, which stand before an equals sign.
PATTERN_NAME = r"^[a-z][a-z0-9_-]{0,63}$"
PARAM = r"^[a-z][a-z0-9_]{0,63}$"

_DURATION = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_WEEK = timedelta(days=7)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: object) -> object:
    if not isinstance(value, str) or not (found := _DURATION.fullmatch(value.strip())):
        raise ValueError('expected a duration such as "30m", "6h" or "7d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _stories(value: object) -> object:
    if type(value) is not int:
        raise ValueError("`at_least` should be a whole number of stories", "write at_least = 5")
    if not 2 <= value <= 10_000:
        raise ValueError("`at_least` is from 2 to 10000: one story is no wave", "write at_least = 5")
    return value


def _factor(value: object) -> object:
    if type(value) not in (int, float):
        raise ValueError("`times` should be a number", "write times = 3")
    if not 1 < value <= 1_000:  # type: ignore[operator]  # a number, as was just asked
        raise ValueError("`times` is more than 1, and at most 1000: what past weeks had is no wave", "write times = 3")
    return value


def _window(value: timedelta) -> timedelta:
    # Longer than a few weeks is no wave, and much to count at every article.
    if not timedelta(0) < value <= 4 * _WEEK:
        raise ValueError("`per` should be longer than 0 and at most 28 days", 'write per = "6h"')
    return value


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("the list is empty", "name at least one, or drop the line")
    return names


def _term(value: object) -> object:
    return {"term": value} if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AfterValidator(_named)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
Terms = Annotated[list[Text], Field(min_length=1)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]


class Shape(BaseModel):
    """Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatedTermShape(Shape):
    """A term of a set, alone or with the time it holds."""

    term: Text
    since: date | None = Field(default=None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "DatedTermShape":
        if self.since and self.until and self.since > self.until:
            raise ValueError("from is later than until")
        return self


class SetShape(Shape):
    """`[set.NAME]`."""

    kind: Literal["person", "place", "organisation", "topic"] = "topic"
    #: What its terms are written for, but those that name a language of their own.
    language: Language | None = None
    terms: Annotated[list[Annotated[DatedTermShape, BeforeValidator(_term)]], Field(min_length=1)]
    exceptions: list[Text] = Field(default=[], alias="except")


class AlertShape(Shape):
    """`[rule.alert]`."""

    to: Names = ()
    key: Literal["story", "article"] | None = None
    #: `realert` is its former name.
    repeat_interval: Duration | None = Field(default=None, validation_alias=AliasChoices("repeat_interval", "realert"))
    follow_up: tuple[Literal["correction", "new-source", "development"], ...] | None = None


class VolumeShape(Shape):
    """`[rule.volume]`."""

    at_least: Annotated[int, BeforeValidator(_stories)] | None = None
    per: Annotated[Duration, AfterValidator(_window)] | None = None
    times: Annotated[float, BeforeValidator(_factor)] | None = None

    @model_validator(mode="after")
    def _makes_a_wave(self) -> "VolumeShape":
        if self.at_least is None and self.times is None:
            raise ValueError("the volume asks for nothing", 'add at_least = 5, per = "6h", or times = 3')
        if self.at_least is not None and self.per is None:
            raise ValueError("`per` is missing: the time in which the stories come", 'add per = "6h"')
        if self.times is not None and self.window > _WEEK:
            raise ValueError("windows of past weeks would overlap", 'with times, per is at most "7d"')
        return self

    @property
    def window(self) -> timedelta:
        """The time in which stories are counted; an hour where `times` stands alone."""
        return timedelta(hours=1) if self.per is None else self.per


class TestShape(Shape):
    """`[[rule.test]]`."""

    title: str = ""
    text: str = ""
    lang: str = Field(default="fr", pattern=r"^[a-z]{2,3}$")
    published: datetime | date | None = None
    match: StrictBool = True
    spans: list[Text] = []

    @model_validator(mode="after")
    def _has_text(self) -> "TestShape":
        if not self.title.strip() and not self.text.strip():
            raise ValueError("a test needs a title or a text")
        if self.spans and not self.match:
            raise ValueError("spans are expected only where match = true")
        return self


class PatternTestShape(TestShape):
    """`[[pattern.test]]`: with what the pattern is called."""

    arguments: dict[str, Text] = Field(default={}, alias="with")


class PatternShape(Shape):
    """`[pattern.NAME]`."""

    params: list[Annotated[str, Field(pattern=PARAM)]] = []
    about: Text | None = None
    language: Language | None = None
    when: Text
    test: list[PatternTestShape] = []

    @model_validator(mode="after")
    def _names_each_once(self) -> "PatternShape":
        if len(set(self.params)) < len(self.params):
            raise ValueError("a parameter stands twice")
        return self


class WeightShape(Shape):
    """One of `[rule.score] terms`."""

    when: Text
    weight: StrictInt


class ScoreShape(Shape):
    """`[rule.score]`."""

    terms: Annotated[list[WeightShape], Field(min_length=1)]
    threshold: StrictInt
    bands: dict[Severity, StrictInt] = {}


class RuleShape(Shape):
    """`[[rule]]`."""

    id: str = Field(pattern=ID)
    #: False: it is read, and matches nothing.
    enabled: StrictBool = True
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    severity: Severity = Severity.MEDIUM
    languages: Annotated[tuple[Language, ...], AfterValidator(_named)] = ()
    #: What its terms are written for, but those that name a language of their own.
    language: Language | None = None
    feeds: Names = ()
    tags: Names = ()
    max_age: Duration | None = None
    when: Text | None = None
    any: Terms | None = None
    all: Terms | None = None
    none: Terms | None = None
    score: ScoreShape | None = None
    alert: AlertShape = AlertShape()
    volume: VolumeShape | None = None
    test: list[TestShape] = []

    @model_validator(mode="after")
    def _asks_something(self) -> "RuleShape":
        lists = self.any or self.all or self.none
        if self.when is not None and lists:
            raise ValueError("any, all and none stand instead of when, not beside it")
        if self.when is None and not lists and self.score is None:
            raise ValueError("the rule asks for nothing: write when, any, all or [rule.score]")
        return self


class ExclusionShape(Shape):
    """`[[exclusion]]`."""

    id: str = Field(pattern=ID)
    language: Language | None = None
    when: Text
    applies_to: Names


def read(shape: type[Shape], toml: Toml, path: KeyPath, value: Any) -> tuple[Any, list[Problem]]:
    """`value`, which stands at `path`, as an instance of `shape`; or None and what is wrong with it."""
    try:
        return shape.model_validate(value), []
    except ValidationError as e:
        return None, [_problem(shape, toml, path, error) for error in e.errors(include_url=False)]


def _problem(shape: type[Shape], toml: Toml, path: KeyPath, error: Mapping[str, Any]) -> Problem:
    where: KeyPath = error["loc"]
    name = next((str(key) for key in reversed(where) if isinstance(key, str)), "")
    known = sorted(_keys(shape, where[:-1]))
    match error["type"]:
        case "extra_forbidden":
            fix = suggestion(name, known) or f"expected one of: {', '.join(known)}"
            return toml.pointed((*path, *where), f"unknown key `{name}`", fix, key=name)
        case "missing":
            return toml.pointed((*path, *where), f"`{name}` is missing", f"add {name} = ...")
        case "literal_error" | "enum":
            expected = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            fix = suggestion(str(error["input"]), expected) or f"expected one of: {', '.join(expected)}"
            return toml.pointed((*path, *_without_key_mark(where)), f"{error['input']!r} is no `{name}`", fix)
        case "string_pattern_mismatch":
            return toml.pointed(
                (*path, *where), f"{error['input']!r} is no `{name}`", _pattern(error["ctx"]["pattern"])
            )
        case "value_error":
            # What is wrong and, where more is to be said, the fix.
            message, *fix = error["ctx"]["error"].args
            return toml.pointed((*path, *where), message, *fix)
    words = str(error["msg"]).removeprefix("Input ").replace("valid tuple", "valid list")
    return toml.pointed((*path, *_without_key_mark(where)), f"`{name}` {words}" if name else words)


def sha256(data: Any) -> str:
    """Hex digest of data as TOML gives it."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def _without_key_mark(where: KeyPath) -> KeyPath:
    """The path without the last step by which pydantic marks a mistake in a mapping's key."""
    return where[:-1] if where and where[-1] == "[key]" else where


def _pattern(pattern: str) -> str:
    if pattern == ID:
        return "small letters, digits and hyphens, at most 64, a letter or digit first"
    if pattern == PARAM:
        return "small letters, digits and _, at most 64, a letter first"
    return "expected a language tag of two or three small letters, such as fr"


def _keys(shape: type[Shape], where: KeyPath) -> Iterator[str]:
    """The keys that the table at `where` below `shape` may have."""
    inner: dict[str, type[Shape]] = {
        "alert": AlertShape,
        "volume": VolumeShape,
        "test": PatternTestShape if shape is PatternShape else TestShape,
        "score": ScoreShape,
        "terms": WeightShape if shape is RuleShape else DatedTermShape,
    }
    for key in where:
        if isinstance(key, str) and key in inner:
            shape = inner[key]
    for name, info in shape.model_fields.items():
        yield info.alias or name


# A table of a rule file as written: what the compiler reads texts, tests and places from.


@dataclass(frozen=True, slots=True)
class Table:
    """One `[set.x]`, `[pattern.x]`, `[[rule]]` or `[[exclusion]]` as written."""

    toml: Toml
    path: KeyPath
    data: Any
    #: Where its tests stand, where they do not stand below it.
    tests: tuple[KeyPath, ...] = ()

    def test_path(self, number: int) -> KeyPath:
        """The line where that test of it stands."""
        return self.tests[number] if self.tests else (*self.path, "test", number)

    def at(self, key: str) -> list[tuple[KeyPath, str]]:
        """The texts that stand at `key`, one or a list, with their paths; whatever is no text is left out."""
        value = self.data.get(key) if isinstance(self.data, dict) else None
        if isinstance(value, str):
            return [((*self.path, key), value)]
        items = value if isinstance(value, list) else []
        return [((*self.path, key, n), item) for n, item in enumerate(items) if isinstance(item, str)]

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return self.toml.place(self.path)[0]

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.toml.file}:{self.line}"

    @property
    def language(self) -> str:
        """Returns what its terms are written for; empty: any."""
        language = self.data.get("language") if isinstance(self.data, dict) else None
        return language if isinstance(language, str) else ""

    def terms(self) -> Iterator[tuple[int, KeyPath, str]]:
        """Number, path and text of each of a set's terms, as far as they are texts."""
        terms = self.data.get("terms") if isinstance(self.data, dict) else None
        for number, item in enumerate(terms if isinstance(terms, list) else []):
            path: KeyPath = (*self.path, "terms", number)
            if isinstance(item, str):
                yield number, path, item
            elif isinstance(item, dict) and isinstance(item.get("term"), str):
                yield number, (*path, "term"), item["term"]

    def without_tests(self) -> Any:
        """Returns what it says, but for its tests."""
        return {key: value for key, value in self.data.items() if key != "test"}


def tests_of(table: Table, cases: Iterable[TestShape]) -> Iterator[Test]:
    """Its tests, as they are checked, with their places."""
    for number, case in enumerate(cases):
        line, _ = table.toml.place(table.test_path(number))
        yield Test(
            title=case.title,
            text=case.text,
            language=case.lang,
            published=_moment(case),
            match=case.match,
            spans=tuple(case.spans),
            file=table.toml.file,
            line=line,
            source=table.toml.lines[line - 1].rstrip(),
        )


def _moment(case: TestShape) -> datetime | None:
    published = case.published
    if published is None:
        return None
    if not isinstance(published, datetime):
        return datetime.combine(published, time(), UTC)
    return published if published.tzinfo else published.replace(tzinfo=UTC)
