"""Daily commands load what they need, and no more: their start is what people wait for."""

import json
import subprocess
import sys
from pathlib import Path

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


#: Commands, with what stays unloaded; what one has loaded is there for the next, so that lists come first.
COMMANDS = {
    "status": (*OTHERS, *RULES),
    "articles": (*OTHERS, *RULES),
    "articles --containing pont --json": (*OTHERS, *RULES),
    "deliveries": (*OTHERS, *RULES),
    "why 6": OTHERS,
}


def test_a_daily_command_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    """One after another in a process of their own, over a store that a pass has filled with the sample."""
    site = Site(tmp_path, feeds=("veille:sample",))
    site.poll()
    words = json.dumps([[*command.split(), "--config", str(site.config)] for command in COMMANDS])
    done = subprocess.run(
        [sys.executable, "-c", LISTING, words],
        check=True, capture_output=True, text=True, timeout=300, cwd=site.folder,
    )  # fmt: skip
    listed = done.stderr.splitlines()[-len(COMMANDS) :]
    for (command, without), line in zip(COMMANDS.items(), listed, strict=True):
        loaded = set(json.loads(line))
        assert "worker.store" in loaded, command
        assert sorted(loaded.intersection(without)) == [], command
