"""Output at a terminal: W11, with the bytes of a real one, for every command; nothing goes around the gate."""

import ast
import contextlib
import json
import os
import pty
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import forked
import pytest
import typer
from feedserver import FeedServer
from rig import Item, Site, rss

from worker.cli import app

ROOT = Path(__file__).parents[1]
#: All that a terminal obeys, Rich's markup, and a mark to find it by. Blinking is nothing that Veille ever writes.
HOSTILE = (
    "MARK [blink]x[/blink] [/] \x1b[5m\x1b]0;owned\x07\x1bc\x9b5m\x9d0;owned\x9c\x85 \u202edrow\u2066\u2069\u200f"
    "\u061c\u2028 \x7f\x00\r\x08 [link=http://evil.example/]y[/link] :bomb:"
)
#: As much of it as XML and an address can hold.
IN_XML = HOSTILE.translate(dict.fromkeys([*range(9), *range(11, 32)]))
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: What Rich writes: colours, and the moves of a progress bar.
RICH = re.compile(r"\x1b\[(?:\?25[lh]|[0-9;]*[mAK])")
COLUMNS = [
    *(("article", name) for name in ("title", "source", "why", "name", "link", "language")),
    *(("revision", name) for name in ("title", "body")),
    *(("delivery", name) for name in ("reason", "subject", "recipient")),
    *(("feed", name) for name in ("last_detail", "name", "last_result")),
    *(("entry", name) for name in ("title", "error", "author")),
    *(("story", name) for name in ("title",)),
    *(("story_article", name) for name in ("why",)),
    *(("attempt", name) for name in ("detail",)),
    *(("condition", name) for name in ("words",)),
    *(("heartbeat", name) for name in ("host",)),
]


def on_a_terminal(*lines: list[str]) -> list[tuple[str, str]]:
    """The exit code of each command, and what it writes to a terminal; one process runs them all."""
    near, far = pty.openpty()
    said: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # so a terminal ends
            while more := os.read(near, 1 << 16):
                said.append(more)

    reading = threading.Thread(target=read)
    reading.start()
    environ = {**os.environ, "COLUMNS": "400", "TERM": "xterm-256color"}
    process = forked.each(lines, environ=environ, log=Path(os.ttyname(far)))
    try:
        process.wait(200)
    finally:
        process.kill()
        os.close(far)
        reading.join(10)
        os.close(near)
    ended = re.escape(forked.ENDED).replace(r"\{\}", "(.*)").replace("\\\n", "\r\n")
    *found, last = re.split(ended, b"".join(said).decode("utf-8", "surrogateescape"))
    assert not last, last
    assert len(found) == 2 * len(lines), found[-1:]
    return list(zip(found[1::2], found[::2], strict=True))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A store, a web and files in which every text wants to be a command to the terminal."""
    folder = tmp_path_factory.mktemp("hostile")
    with FeedServer() as server:
        feed = server.serve("/f", rss([Item("1", f"Hun Sen {IN_XML}", f"Hun Sen est en visite à Hanoï. {IN_XML}")]))
        links = "".join(
            f'<link rel="alternate" type="application/rss+xml" href="/{number}?{IN_XML}">' for number in "12"
        )
        page = f"<html><head><title>{IN_XML}</title>{links}</head><body>x</body></html>"
        server.serve("/page", page.encode(), content_type="text/html")
        server.serve("/none", f"<html><title>{IN_XML}</title></html>".encode(), content_type=f"text/html; {IN_XML[:9]}")
        server.serve("/gone", b"", status=404)
        site = Site(folder, feeds=[feed], allow=[server.place])
        site.poll()
        with closing(sqlite3.connect(folder / "veille.db")) as db:
            db.execute(
                "INSERT INTO heartbeat (id, owner, host, pid, started, tick) VALUES (1, 'o', 'h', 1, ?, ?)", [TIME] * 2
            )
            db.execute(
                "INSERT INTO condition (key, kind, words, since) VALUES ('disk_low:', 'disk_low', 'w', ?)", [TIME]
            )
            for table, column in COLUMNS:
                if any(row[1] == column for row in db.execute(f"PRAGMA table_info({table})")):
                    db.execute(f"UPDATE {table} SET {column} = ?", [HOSTILE])
            db.execute("UPDATE delivery SET state = 'failed'")
            db.execute("UPDATE entry SET state = 'quarantined'")
            db.commit()
        (folder / "known.jsonl").write_text(json.dumps({"id": "k", "title": HOSTILE, "text": HOSTILE}) + "\n{" + IN_XML)
        (folder / "feeds.opml").write_text(f'<opml><body><outline text="{IN_XML}" xmlUrl="ftp://{IN_XML}"/></body>')
        (folder / "labels.jsonl").write_text(
            json.dumps({"id": HOSTILE, "title": HOSTILE, "text": HOSTILE, "rule": HOSTILE})
        )
        for name, text in (
            ("broken", f"[[rule]]\nid = {HOSTILE}\n"),
            ("wrong", f'[[rule]]\nid = "a"\nwhen = "{IN_XML} (("\n'),
        ):
            (folder / name).mkdir()
            (folder / name / f"{name}.toml").write_text(text, encoding="utf-8")
        (folder / "bad.toml").write_text(f'[store]\nurl = "x"\n# {HOSTILE}\n\n', encoding="utf-8")
        site.environ = {"SERVER": server.url()}
        yield site


TIME = "2026-02-06 08:00:00.000000"
#: Words of each command, and whether it shows the texts.
TABLE = [
    ("status", True),
    ("articles", True),
    ("search MARK", True),
    ("why 6", True),
    ("why 6 --rule visit", True),
    ("why MARK --all", True),
    ("show 6", True),
    ("show 6 --raw", True),
    ("stories", True),
    ("stories 1", True),
    ("stories split 6", False),
    ("deliveries", True),
    ("deliveries retry --all-failed", True),
    ("ledger --since 2026-01-01", False),
    ("feeds list", True),
    ("feeds export", False),
    ("feeds add SERVERpage", True),
    ("feeds add SERVERpage --pick 1", True),
    ("feeds add SERVERnone", False),
    ("feeds add SERVERgone", False),
    ("feeds import feeds.opml", False),
    ("import known.jsonl", False),
    ("quarantine", True),
    ("quarantine show 1", True),
    ("quarantine show 1 --raw", False),
    ("quarantine retry 1", False),
    ("preview 6 --target log", False),
    ("review", False),
    ("doctor", True),
    ("backup copy.db", False),
    ("restore known.jsonl", False),
    ("rules check", False),
    ("rules check --rules broken", True),
    ("rules check --rules wrong", True),
    ("rules test --rules wrong", True),
    ("rules backtest visit", False),
    ("rules diff wrong", False),
    ("rules stats", False),
    ("rules survey labels.jsonl", False),
    ("rules label 6 visit noise", False),
    ("ack MARK", False),
    ("silence --rule visit", False),
    ("mute-story 6", False),
    ("stories move 6 1", False),
    ("stories merge 1 1", False),
    ("users add bo --without-password", False),
    ("users list", False),
    ("users role bo editor", False),
    ("users remove bo", False),
    ("token add bo", False),
    ("token list", False),
    ("token remove 1", False),
    ("send-test log", False),
    ("replay --since 2026-01-01", False),
    ("eval rules labels.jsonl", False),
    ("eval copies labels.jsonl --self", False),
    ("eval stories labels.jsonl", False),
    ("check --config bad.toml", False),
    ("health", True),
    ("poll", False),
]


def test_w11_no_text_commands_the_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes on a real terminal, for every command: signs for what it would obey, markup as it was written."""
    monkeypatch.chdir(site.folder)
    lines = []
    for line, _ in TABLE:
        words = line.replace("SERVER", site.environ["SERVER"]).split()
        if "--config" not in words and words[:2] not in (["eval", "copies"], ["eval", "stories"]):
            words += ["--config", str(site.config)]
        lines.append(words)
    for (line, shows), (code, said) in zip(TABLE, on_a_terminal(*lines), strict=True):
        assert code.isdecimal(), f"{line}: {code}"
        assert code != "70", f"{line}: {said}"
        assert "Usage:" not in said, f"{line}: {said}"
        assert "\x1b[5m" not in said, line
        own = RICH.sub("", said).replace("\r\n", "\n")
        assert not (found := OBEYED.search(own)), f"{line}: {found} in {own}"
        assert not shows or "MARK" in own, f"{line}: {own}"
        assert "MARK" not in own or "blink" in own, f"{line}: {own}"


def test_w11_every_command_is_tried() -> None:
    """All but `run`, whose lines are the log's, and what the table's lines call by its group alone."""

    def names(command: Any, before: str = "") -> Iterator[str]:
        for name, one in getattr(command, "commands", {}).items():
            inner = list(names(one, f"{before}{name} "))
            yield from inner or [f"{before}{name}"]

    tried = [line for line, _ in TABLE]
    missing = {name for name in names(typer.main.get_command(app)) if not any(line.startswith(name) for line in tried)}
    assert missing == {"run", "stories list"}


def test_w11_nothing_goes_around_the_gate() -> None:
    """Only the command line's voice and its screen write to a stream; the log writes what it made harmless."""
    may = {
        "runtime/run.py": {"stdout"},  # asked whether it is a terminal
        "cli/options.py": {"print", "stdout", "stderr"},
        "cli/show/terminal.py": {"Console", "stdout"},
        "cli/__init__.py": {"stdout", "stderr"},  # opened and reconfigured
        "runtime/logs.py": {"stderr"},
        "analysis/archive/generate.py": {"print", "stderr"},  # run by hand, when the archive changes
        "analysis/stories/generate.py": {"print", "stderr"},
    }
    for path in sorted((ROOT / "worker").rglob("*.py")):
        name = str(path.relative_to(ROOT / "worker"))
        found = set()
        source = path.read_text(encoding="utf-8")
        if not any(word in source for word in ("print", "Console", "stdout", "stderr", "echo")):
            continue
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Name(id="print")):
                    found.add("print")
                case ast.ImportFrom(module="rich.console", names=names) if any(one.name == "Console" for one in names):
                    found.add("Console")
                case ast.Attribute(
                    value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__" as of
                ):
                    found.add(of)
                case ast.Attribute(value=ast.Name(id="typer" | "click"), attr="echo" | "secho" as of):
                    found.add(of)
        assert found <= may.get(name, set()), name
