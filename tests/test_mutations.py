"""Each fault's tests can fail: a line of the code is changed for each id, in a copy, and its tests must turn red.

Where two defences are each enough alone, the second is taken away with the first.

`MUTATE=F01,C02 pytest -m soak tests/test_mutations.py` tries some; without it all of tests/mutations.toml.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[1]
WANTED = frozenset(os.environ.get("MUTATE", "").split(",")) - {""}
#: The sections of faults that a poll, a store, a message, a process and a console meet, and how many each has.
CATALOGUE = [("F", 1, 26), ("P", 1, 24), ("S", 1, 17), ("N", 1, 22), ("C", 1, 17), ("W", 4, 8), ("W", 10, 12)]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of one line."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A change of one line, or of a defence and the one behind it, and the tests that must see it."""

    id: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]

    @classmethod
    def read(cls, listed: Mapping[str, Any]) -> Self:
        """As the file has it: `file`, `old` and `new`, and the same in `also`."""
        changes = [{name: listed[name] for name in ("file", "old", "new")}, *listed.get("also", [])]
        return cls(id=listed["id"], changes=tuple(Change(**one) for one in changes), tests=tuple(listed["tests"]))


_listed = tomllib.loads((ROOT / "tests" / "mutations.toml").read_text(encoding="utf-8"))
MUTATIONS = [Mutation.read(one) for one in _listed["mutation"]]
CHOSEN = [one for one in MUTATIONS if not WANTED or one.id in WANTED]


@cache
def names_in(name: str) -> frozenset[str]:
    """The names of the tests of a file."""
    tree = ast.parse((ROOT / "tests" / name).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("one", MUTATIONS, ids=[f"{one.id}-{at}" for at, one in enumerate(MUTATIONS)])
def test_what_is_listed_is_there(one: Mutation) -> None:
    """The old text stands once in its file, on one line, and is changed; each test is one."""
    for change in one.changes:
        assert (ROOT / change.file).read_text(encoding="utf-8").count(change.old) == 1
        assert "\n" not in change.old + change.new
        assert change.old != change.new
    assert one.tests
    for test in one.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file)


def test_no_id_is_missing() -> None:
    """Each fault has a change that its tests see."""
    ids = {f"{letter}{number:02}" for letter, first, last in CATALOGUE for number in range(first, last + 1)}
    assert {one.id for one in MUTATIONS} == ids


@dataclass(frozen=True, kw_only=True)
class Copy:
    """The tree, copied, and those of the tests that are red in it without any change."""

    tree: Path
    red: frozenset[str]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The tree, whose own code is imported, whatever is installed."""
    tree = tmp_path_factory.mktemp("mutants") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"), symlinks=True)
    shared = ROOT.parent / "shared"
    if shared.is_dir():
        (tree.parent / "shared").symlink_to(shared)
    done = run(tree, sorted({test for one in CHOSEN for test in one.tests}), "--tb=line")
    print(done.stdout[-3000:])
    assert done.returncode in {0, 1}
    yield Copy(
        tree=tree, red=frozenset(re.findall(r"^(?:FAILED|ERROR) tests/([\w.]+::\w+)", done.stdout, re.MULTILINE))
    )
    shutil.rmtree(tree)


def run(tree: Path, tests: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy."""
    fixed = ["-q", "-rfE", "-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not soak", "--timeout", "300"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *fixed, *options, *(f"tests/{test}" for test in tests)],
        cwd=tree,
        env=environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("one", CHOSEN, ids=[f"{one.id}-{one.changes[0].file}" for one in CHOSEN])
def test_a_change_of_one_line_is_seen(copy: Copy, one: Mutation) -> None:
    """Its tests are green without it and one is red with it; a change after which nothing can be collected is none."""
    assert not copy.red.intersection(one.tests)
    whole = {change.file: (copy.tree / change.file).read_text(encoding="utf-8") for change in one.changes}
    for change in one.changes:
        file = copy.tree / change.file
        file.write_text(file.read_text(encoding="utf-8").replace(change.old, change.new), encoding="utf-8")
    try:
        done = run(copy.tree, one.tests, "-x")
    finally:
        for name, text in whole.items():
            (copy.tree / name).write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout[-2000:]
    assert re.search(r"\d+ (?:failed|error)", done.stdout), done.stdout[-2000:]
