"""The table of docs/faults.md, made from the tests: `python tests/faultids.py > docs/faults.md`.

A test belongs to the ids that its name begins with (`test_f01_...`, `test_f09_f16_...`) or that it names in upper case
at the start of its docstring (`W06: ...`).
"""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
_ID = re.compile(r"[a-z]\d\d")
_HEAD = """# Faults

What the worker survives. Each id is a class of fault; each line is a test that provokes it and what it promises, in the
test's own words. Made by `python tests/faultids.py`.

| id | promise | test |
|---|---|---|
"""


@cache
def found() -> dict[str, list[tuple[str, str]]]:
    """Id -> (promise, place) of each of its tests."""
    table: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said = " ".join((ast.get_docstring(node) or "").split())
                ids = []
                for part in node.name.removeprefix("test_").split("_"):
                    if not _ID.fullmatch(part):
                        break
                    ids.append(part.upper())
                if named := re.match(r"([A-Z]\d\d): ", said):
                    ids.append(named[1])
                    said = said[named.end() :]
                for one in ids:
                    table[one].append((said, f"{path.name}::{node.name}"))
    return dict(sorted(table.items()))


def page() -> str:
    """The whole page."""
    rows = [f"| {one} | {said} | `{place}` |" for one, tests in found().items() for said, place in tests]
    return _HEAD + "\n".join(row.replace("\\", "\\\\") for row in rows) + "\n"


if __name__ == "__main__":
    print(page(), end="")
