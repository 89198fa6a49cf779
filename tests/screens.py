"""The page docs/screens.md, made at a real terminal: `python tests/screens.py > docs/screens.md`.

One store is filled, then each command of a desk's day runs in a forked process behind a pseudo-terminal, at 80 and at
120 columns, in an hour that stands still.
"""

import asyncio
import fcntl
import logging
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from worker.runtime import clock as clock_module

NOW = datetime(2026, 2, 6, 2, 12, tzinfo=UTC)
clock_module.clock = lambda: NOW

import structlog  # noqa: E402 - the clock stands still before anything takes it by name
from desk import Desk  # noqa: E402
from feedserver import FeedServer  # noqa: E402
from rig import Item, rss  # noqa: E402

from worker import cli  # noqa: E402
from worker.model import Outcome, Receipt  # noqa: E402
from worker.pipeline import deliver  # noqa: E402
from worker.pipeline.imports import load_archive  # noqa: E402
from worker.runtime import screen  # noqa: E402
from worker.runtime.load import load  # noqa: E402
from worker.store import upkeep  # noqa: E402

WIDTHS = (80, 120)
COMMANDS = ("status", "articles", "why 6", "stories", "deliveries", "doctor", "rules test")
#: Seconds until a command is taken to hang.
_PATIENCE = 100.0
_STYLE = re.compile("\x1b\\[[0-9;]*m")

_HEAD = """# Screens

The commands of a desk's day as they look at a terminal of 80 and of 120 columns: `veille run` in its first seconds,
then one store in the middle of a morning. Made by `python tests/screens.py`.
"""

CONFIG = """
[store]
url = "sqlite:///veille.db"
[network]
allow = ["127.0.0.1"]
[operators]
target = "desk"
[[target]]
id = "desk"
email = { to = ["desk@example.org"], from = "veille@example.org", smtp = "smtp://127.0.0.1:1" }
[[target]]
id = "log"
log = { folder = "alerts" }
[[route]]
targets = ["log", "morning"]
[[route]]
severities = ["high", "critical"]
targets = ["desk"]
[[target]]
id = "morning"
digest = { at = "07:30" }
email = { to = ["editor-in-chief@example.org"], from = "veille@example.org", smtp = "smtp://127.0.0.1:1" }
"""
#: By name: the feed's address, the language, and what it shows.
FEEDS = {
    "VietnamPlus (fr)": (
        "https://fr.vietnamplus.example/rss/home.rss",
        "fr",
        [
            Item(
                "1",
                "Hun Sen attendu à Hanoï mardi pour une visite de trois jours",
                "Le président du Sénat cambodgien, Samdech Techo Hun Sen, sera en visite à Hanoï à partir de mardi. "
                "Il rencontrera le président de l'Assemblée nationale et signera un accord sur les ports du delta.",
                "https://fr.vietnamplus.example/hun-sen-attendu-a-hanoi-mardi-post210001.vnp",
                "Fri, 06 Feb 2026 01:55:00 GMT",
            ),
            Item(
                "2",
                "Un pont sur le Mékong relie de nouveau les deux rives de Kratie",
                "Fermé depuis six mois, le pont de Kratie a rouvert jeudi après les travaux de l'entreprise Sok An.",
                "https://fr.vietnamplus.example/un-pont-sur-le-mekong-post210002.vnp",
                "Thu, 05 Feb 2026 23:10:00 GMT",
            ),
        ],
    ),
    "Khmer Times": (
        "https://www.khmertimeskh.example/feed/",
        "en",
        [
            Item(
                "3",
                "Senate President Hun Sen to visit Hanoi on Tuesday",
                "Senate President Hun Sen will pay a three-day visit to Hanoi from Tuesday, where he is to meet the "
                "chairman of the National Assembly and sign an agreement on the ports of the delta.",
                "https://www.khmertimeskh.example/501/senate-president-hun-sen-to-visit-hanoi/",
                "Fri, 06 Feb 2026 02:01:00 GMT",
            )
        ],
    ),
    "Le Courrier du Vietnam": (
        "https://lecourrier.example/rss",
        "fr",
        [
            Item(
                "4",
                "Hun Sen attendu à Hanoï mardi pour une visite de trois jours",
                "Le président du Sénat cambodgien, Samdech Techo Hun Sen, sera en visite à Hanoï à partir de mardi. "
                "Il rencontrera le président de l'Assemblée nationale et signera un accord sur les ports du delta.",
                "https://lecourrier.example/hun-sen-attendu/210001.html",
                "Fri, 06 Feb 2026 02:05:00 GMT",
            )
        ],
    ),
    "www.phnompenhpost.example": (
        "https://www.phnompenhpost.example/feed.xml",
        "fr",
        [],
    ),
}
RULES = """
[set.hun_sen]
kind = "person"
terms = ["Hun Sen"]
[[rule]]
id = "hun-sen-visit"
name = "Déplacement de Hun Sen"
severity = "high"
when = "@hun_sen NEAR/12 (=visite OR =visit)"
[[rule.test]]
title = "Hun Sen en visite à Hanoï"
[[rule.test]]
title = "Hun Sen reçoit un ambassadeur"
match = false
[[rule]]
id = "mekong-bridges"
name = "Ponts du Mékong"
severity = "low"
when = "=pont NEAR/8 =Mékong"
[[rule.test]]
title = "Un pont sur le Mékong"
[[rule]]
id = "border-agreement"
name = "Accord frontalier"
severity = "critical"
when = "=bornage NEAR/15 =accord"
[[rule.test]]
title = "Un accord sur le bornage"
"""


def page() -> str:
    """The whole page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Filling loads what a worker's processes then share.
        _fill(folder / "site")
        shots = {f"run ({width})": _run(folder / str(width), width) for width in WIDTHS}
        shots |= {
            f"{words} ({width})": _shot(words.split(), folder / "site", width) for words in COMMANDS for width in WIDTHS
        }
    parts = [_HEAD]
    for words in ("run", *COMMANDS):
        parts.append(f"\n## veille {words}\n")
        parts += [f"\n{width} columns:\n\n```\n{shots[f'{words} ({width})']}\n```\n" for width in WIDTHS]
    return "".join(parts)


def _write(folder: Path, feeds: dict[str, tuple[str, str]]) -> Path:
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "desk.toml").write_text(RULES, encoding="utf-8")
    tables = [
        f'[[feed]]\nname = "{name}"\nurl = "{url}"\nlanguage = "{language}"\nalert_backlog = true\n'
        for name, (url, language) in feeds.items()
    ]
    path = folder / "config.toml"
    path.write_text(CONFIG + "".join(tables), encoding="utf-8")
    return path


def _fill(folder: Path) -> None:
    """A store after one pass: what was sent, what waits, and a feed that fails."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    send = deliver.send
    path = _write(folder, {name: (url, language) for name, (url, language, _) in FEEDS.items()})
    live = load(path)
    policy = live.config.alerts
    with Desk(
        folder,
        feeds=live.config.feeds,
        targets=policy.targets,
        routes=policy.routes,
        rules=RULES,
        operators="desk",
        notification=policy.notification,
        now=NOW,
    ) as desk:
        desk.script["desk"] = [Receipt(outcome=Outcome.RETRY, detail="Connection refused")] * 9
        deliver.send = desk.send
        load_archive(desk.store, NOW)
        for url, _, items in FEEDS.values():
            if items:
                desk.web.feed(url, items)
        asyncio.run(_pass(desk))
        with desk.store.write() as tx:
            beat = upkeep.Heartbeat(
                owner="desk:412:1", host="desk", pid=412, started=NOW - timedelta(hours=3), tick=NOW
            )
            upkeep.beat(tx, beat)
            in_force = upkeep.InForce(
                owner=beat.owner, hash=live.ruleset.hash, rules=3, since=beat.started, read=beat.started
            )
            upkeep.put_in_force(tx, in_force)
    deliver.send = send
    structlog.reset_defaults()


async def _pass(desk: Desk) -> None:
    """Poll one feed after the other, so that each article has the same number every time, and do the rest."""
    for feed in desk.feeds:
        await desk.poll(feed.id)
    await desk.pass_()


def _run(folder: Path, width: int) -> str:
    """`veille run` with one feed that answers and one that does not, until it says that it watches; then Ctrl-C."""
    with FeedServer() as server:
        items = [item for _, _, shown in FEEDS.values() for item in shown][:2]
        good, bad = server.serve("/rss", rss(items)), server.serve("/gone", status=404)
        _write(folder, {"VietnamPlus (fr)": (good, "fr"), "Khmer Times": (bad, "en")})
        return _shot(["run"], folder, width, until="Ctrl-C ends it")


def _shot(words: Sequence[str], folder: Path, width: int, until: str = "") -> str:
    """The text that a command writes to a terminal of so many columns; with `until`, it is interrupted after that."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        _veille(words, folder)
    written, end = b"", time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            written += os.read(terminal, 65536)
        except OSError:  # so Linux says that the other end is closed
            break
        if until and until in " ".join(written.decode(errors="replace").split()):
            os.kill(pid, signal.SIGINT)
            until = ""
    else:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    text = _STYLE.sub("", written.decode()).replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in text.strip("\n").replace("^C", "").splitlines())


def _veille(words: Sequence[str], folder: Path) -> None:
    """The command, in a child that ends with it; what differs from one machine or second to the next stands still."""
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(fd, mode, encoding="utf-8") for fd, mode in enumerate("rww"))
    os.chdir(folder)
    os.environ.pop("COLUMNS", None)
    os.environ.update(TERM="xterm-256color", PYTHONWARNINGS="ignore")
    shutil.disk_usage = lambda _: SimpleNamespace(total=2 * 10**11, used=10**11, free=10**11)  # type: ignore[assignment]
    structlog.processors.TimeStamper = lambda **_: _stamp  # type: ignore[assignment,misc]
    screen._HELD.update(dict.fromkeys(screen._HELD, _PATIENCE))  # type: ignore[attr-defined]
    sys.argv = ["veille", *words]
    try:
        cli.main()
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001 - it would be the parent's work that goes on
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stamp(_logger: object, _method: str, event: dict[str, object]) -> dict[str, object]:
    return event | {"timestamp": NOW.isoformat()}


if __name__ == "__main__":
    print(page(), end="")
