"""Daily commands load what they need, and no more: their start is what people wait for."""

import json
import subprocess
import sys

import pytest
from rig import Site

#: Runs commands one after another, and lists on standard error what is loaded after each.
LISTING = """
import json, sys
from worker.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["veille", *words]
    try:
        main()
    except SystemExit as e:
        assert not e.code
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
    ("commands", "without"),
    [
        (["status", "articles", "articles --containing pont --json", "deliveries"], (*OTHERS, *RULES)),
        (["why 6"], OTHERS),
    ],
    ids=["lists", "why"],
)
def test_a_daily_command_loads_no_more_than_it_needs(site: Site, commands: list[str], without: tuple[str, ...]) -> None:
    """In a process of its own."""
    words = json.dumps([[*command.split(), "--config", str(site.config)] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", LISTING, words],
        check=True, capture_output=True, text=True, timeout=300, cwd=site.folder,
    )  # fmt: skip
    for command, listed in zip(commands, done.stderr.splitlines()[-len(commands) :], strict=True):
        loaded = set(json.loads(listed))
        assert "worker.store" in loaded, command
        assert sorted(loaded.intersection(without)) == [], command
