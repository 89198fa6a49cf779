"""A site to run the real command in: a folder with a configuration and rules, and feeds that tests write.

site = Site(tmp_path, feeds=[server.url("/a.xml")], allow=[server.place], targets=...)
site.poll()["articles"]["new"]
with site.running() as worker: ...
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import forked
import pytest
from forked import Worker

SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")

LOG_TARGET = '[[target]]\nid = "log"\nlog = { folder = "alerts" }\n'

#: To write texts from that resemble one another no more than chance has it.
WORDS = """
rivière marché école province ministre pont récolte voyage accord usine colline temple hôpital route village réunion
projet financement étudiant pêcheur forêt saison conseil délégué musée atelier coopération région quai barrage semence
tribunal fanfare archive glacier volcan citerne phare lanterne moulin grenier verger étang
""".split()  # noqa: SIM905 - one word a line would fill the page

#: Exact forms only: a dictionary would cost every process of the suite two seconds.
RULES = """
[set.hun_sen]
kind = "person"
terms = ["Hun Sen"]
[[rule]]
id = "visit"
name = "Une visite de Hun Sen"
severity = "high"
when = "@hun_sen NEAR/12 (=visite OR =déplacement)"
"""


@dataclass(frozen=True)
class Item:
    """An item of a feed."""

    guid: str
    title: str
    text: str = ""
    link: str = ""
    published: str = "Fri, 06 Feb 2026 08:00:00 GMT"


def rss(items: Sequence[Item]) -> bytes:
    """An RSS 2.0 document."""

    def one(item: Item) -> str:
        guid = f'<guid isPermaLink="false">{escape(item.guid)}</guid>' if item.guid else ""
        link = f"<link>{escape(item.link)}</link>" if item.link else ""
        text = escape("".join(f"<p>{escape(part)}</p>" for part in item.text.split("\n\n")))
        return (
            f"<item>{guid}{link}<title>{escape(item.title)}</title>"
            f"<pubDate>{item.published}</pubDate><description>{text}</description></item>"
        )

    body = "<channel><title>t</title>" + "".join(map(one, items)) + "</channel>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0">{body}</rss>'.encode()


@dataclass
class Site:
    """A folder in which `veille` is run as its users run it."""

    folder: Path
    feeds: Sequence[str] = ()
    allow: Sequence[str] = ()
    targets: str = LOG_TARGET
    rules: str = RULES
    store: str = "sqlite:///veille.db"
    #: More lines for every feed.
    feed_lines: str = "alert_backlog = true\n"
    more: str = ""
    #: One message for each article, unless a test is about stories.
    alerts: str = '[alerts]\nkey = "article"\n'
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "rules").mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def write(self) -> None:
        """Write the configuration and the rules as they are now."""
        feeds = "".join(
            f'[[feed]]\nurl = "{url}"\nname = "Fil {n}"\nlanguage = "fr"\n{self.feed_lines}\n'
            for n, url in enumerate(self.feeds, 1)
        )
        allow = json.dumps(list(self.allow))
        self.config.write_text(
            f'[store]\nurl = "{self.store}"\n[rules]\nfolder = "rules"\n[network]\nallow = {allow}\n{self.alerts}'
            f"{feeds}{self.targets}\n{self.more}",
            encoding="utf-8",
        )
        (self.folder / "rules" / "rules.toml").write_text(self.rules, encoding="utf-8")

    def veille(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `code` is the exit code it must have (None: any)."""
        done = forked.run(*self._words(*words), environ=self._environ())
        assert code is None or done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> dict:
        """The value that a command prints with `--json`."""
        return json.loads(self.veille(*words, "--json").stdout)

    def poll(self) -> dict:
        """One pass."""
        return self.json("poll")

    @contextlib.contextmanager
    def running(self, **environ: str) -> Iterator[Worker]:
        """A worker that runs; stopped in order at the end, unless it ended before."""
        worker = self.start(**environ)
        try:
            yield worker
        finally:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
                worker.wait(timeout=60)

    def start(self, *options: str, **environ: str) -> Worker:
        """A worker that runs, for the caller to end."""
        words = self._words("run", *options)
        return forked.start(*words, environ=self._environ() | environ, log=self.folder / "worker.log")

    def start_under(self, *command: str) -> "subprocess.Popen[str]":
        """The same, started by a command; nothing is forked."""
        veille = [sys.executable, "-m", "worker", *self._words("run")]
        with (self.folder / "worker.log").open("a") as log:
            return subprocess.Popen([*command, *veille], env=self._environ(), stdout=log, stderr=log, text=True)

    def log(self) -> str:
        """All that workers wrote so far."""
        path = self.folder / "worker.log"
        return path.read_text() if path.exists() else ""

    def _words(self, *words: str) -> list[str]:
        return [*words, "--config", str(self.config)]

    def _environ(self) -> dict[str, str]:
        return {**os.environ, "COLUMNS": "200", **self.environ}


def wait_for(condition, seconds: float = 120, what: str = "it"):
    """Ask again until `condition()` is true and return that; a liveness bound, never a fixed sleep."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")
