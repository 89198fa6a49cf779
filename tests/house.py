"""The page docs/house.md, made from the tree: `python tests/house.py > docs/house.md`.

A line for each module under worker/: its path and the first sentence of its docstring.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
_HEAD = """# House

Where things stand. Each room of `worker/` is a package; what a module holds is said by the first sentence of its
docstring. Rooms are named from the top: a room imports only from those below it; notify and store, and alerts, feeds
and rules, do not import each other (`pyproject.toml` holds this as a contract). Made by `python tests/house.py`.
"""
#: From the top; rooms of one line do not import each other.
FLOORS = (
    ("cli",),
    ("runtime",),
    ("console",),
    ("evaluate",),
    ("pipeline",),
    ("notify", "store"),
    ("alerts", "feeds", "rules"),
    ("config",),
    ("analysis",),
    ("net",),
    ("model",),
)


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring, in one line."""
    said = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split())
    return said.split(". ")[0].rstrip(".")


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for floor in FLOORS:
        for room in floor:
            folder = ROOT / "worker" / room
            lines += [f"## {room}", "", f"{sentence(folder / '__init__.py')}.", ""]
            for path in sorted(folder.rglob("*.py")):
                inside = path.relative_to(folder)
                if path == folder / "__init__.py" or "versions" in inside.parts:
                    continue
                name = str(inside.parent) + "/" if path.name == "__init__.py" else str(inside)
                said = sentence(path)
                lines.append(f"- `{name}` {said}" + "." * (not said.endswith("?")))
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
