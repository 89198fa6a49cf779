"""The command line in this process: `veille("status", "--json", site=site)`."""

import logging
import sys
from types import SimpleNamespace

import pytest
import structlog
from desk import VISIT, polled_once
from rig import Item, Site

from worker import cli
from worker.cli.show import terminal
from worker.runtime import logs


class Run(SimpleNamespace):
    """A command's outcome."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def visits(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store's file: a pass over one feed left a visit, a copy of it, and a library."""
    items = [
        Item("1", "Hun Sen attendu à Hanoï", VISIT, "https://a.example/un?utm_source=x"),
        Item("2", "Une bibliothèque", "La bibliothèque de la commune rouvre ses portes."),
        Item("3", "Hun Sen attendu mardi à Hanoï", VISIT, "https://a.example/deux"),
    ]
    return polled_once(tmp_path_factory.mktemp("polled"), *items)


@pytest.fixture
def veille(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]):
    """Run a command in this process, as its script does."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_secrets", set())
    # It is decided when the module is first imported, which may be under any test's environment.
    monkeypatch.setattr(terminal.out, "width", 1000)

    def run(*words: object, site: Site | None = None) -> Run:
        capsysbinary.readouterr()
        config = () if site is None else ("--config", str(site.config))
        monkeypatch.setattr(sys, "argv", ["veille", *map(str, words), *config])
        try:
            cli.main()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else int(bool(e.code))
        out, err = (stream.decode(errors="backslashreplace") for stream in capsysbinary.readouterr())
        assert "Traceback" not in err + out
        return Run(code=code, out=out, err=err)

    yield run
    structlog.reset_defaults()
    root.handlers[:], root.level = before
