"""A table of a rule file as written: what the compiler reads texts, tests and places from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from worker.rules.ruleset import Test
from worker.rules.shape import TestShape
from worker.toml import KeyPath, Toml


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
