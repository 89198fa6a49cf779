"""Configuration files for tests: written, loaded, and what is wrong with them."""

from pathlib import Path

import pytest

from worker import config
from worker.errors import UserError

#: The project's root.
ROOT = Path(__file__).parents[1]
#: A secret that nothing may show.
CANARY = "c4n4ry-S3cret"


def load(folder: Path, text: str | bytes, **environ: str) -> config.Config:
    """The configuration of a file that holds `text`."""
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.load(path, environ)


def problems(folder: Path, text: str | bytes, **environ: str) -> list[tuple[int, str, str]]:
    """(line, message, fix) of everything wrong with `text`."""
    with pytest.raises(UserError) as raised:
        load(folder, text, **environ)
    assert {problem.file for problem in raised.value.problems} == {str(folder / "config.toml")}
    return [(problem.line, problem.message, problem.fix) for problem in raised.value.problems]


def feed(**keys: str) -> str:
    """A `[[feed]]` with a good URL unless `keys` give another; values are TOML."""
    keys = {"url": '"https://h.example/rss"', **keys}
    return "[[feed]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def target(kind: str, name: str = "desk") -> str:
    """A `[[target]]` with the channel `kind`, written as TOML."""
    return f'[[target]]\nid = "{name}"\n{kind}\n'


def email(smtp: str) -> str:
    """A target that sends through `smtp`."""
    return target(f'email = {{ to = ["a@b.example"], from = "v@b.example", smtp = "{smtp}" }}')
