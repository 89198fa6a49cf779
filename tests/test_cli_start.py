"""Daily commands load what they need, and no more: their start is what people wait for."""

import json
import subprocess
import sys

import pytest
from rig import Site

#: Runs a command, and lists on standard error what it has loaded.
LISTING = """
import json, sys
from worker.cli import main
sys.argv = ["veille", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
#: What polls, reads documents, sends or serves.
OTHERS = (
    *("alembic", "apprise", "apscheduler", "feedparser", "h11", "httpx", "lxml", "starlette", "trafilatura"),
    *(
        "uvicorn",
        "watchfiles",
        "worker.runtime.worker",
        "worker.runtime.embedded",
        "worker.console.server",
        "worker.notify.senders",
        "worker.net.client",
        "worker.feeds.child",
    ),
)
#: What rules are read and matched by, and messages are made by.
RULES = (
    *("babel", "jinja2", "py3langid", "re2", "simplemma", "Stemmer"),
    *("worker.rules.match", "worker.rules.query", "worker.notify.render", "worker.rules"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One that a pass has filled with the sample."""
    made = Site(tmp_path_factory.mktemp("site"), feeds=("veille:sample",))
    made.poll()
    return made


@pytest.mark.parametrize(
    ("words", "without"),
    [
        pytest.param(("status",), (*OTHERS, *RULES), id="status"),
        pytest.param(("articles",), (*OTHERS, *RULES), id="articles"),
        pytest.param(("articles", "--containing", "pont", "--json"), (*OTHERS, *RULES), id="articles with words"),
        pytest.param(("deliveries",), (*OTHERS, *RULES), id="deliveries"),
        pytest.param(("why", "6"), OTHERS, id="why"),
    ],
)
def test_a_daily_command_loads_no_more_than_it_needs(
    site: Site, words: tuple[str, ...], without: tuple[str, ...]
) -> None:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *words, "--config", str(site.config)],
        check=True, capture_output=True, text=True, timeout=300, cwd=site.folder,
    )  # fmt: skip
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "worker.store" in loaded
    assert sorted(loaded.intersection(without)) == []
