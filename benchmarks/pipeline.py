"""Veille beside lemon24/reader: the same feeds on loopback, one pass cold, three warm (all 304).

    python benchmarks/pipeline.py [--feeds 500] [--articles 10] [--json]

What is measured is processor time, of each program's process and its children; both start anew for every pass. The
start alone is measured with no feeds and shown apart. Veille does more per article: it extracts the text, matches the
shipped rules, recognises copies, and keeps the raw bytes. reader is installed into an environment of its own.
"""

import argparse
import contextlib
import ctypes
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import feeds as load

HERE = Path(__file__).parent
WARM_PASSES = 3


@dataclass(frozen=True)
class Pass:
    """The time that one run of a program took, in seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Result:
    """A program's passes."""

    entries: int
    start: Pass
    cold: Pass
    #: Medians.
    warm: Pass


def adopt_orphans() -> None:
    """Become the parent of what a measured program leaves behind, so that its time counts: see prctl(2)."""
    if sys.platform == "linux":
        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def children() -> set[int]:
    """The processes whose parent is this one."""
    found: set[int] = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name in parentheses: state, parent.
            if int(status.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(status.parent.name))
    return found


def measured(command: Sequence[str | Path], stdin: str = "") -> tuple[Pass, str]:
    """Run a command to its end; its processor time is that of all processes it started."""
    mine = children()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    while orphans := children() - mine:
        for pid in orphans:
            os.waitpid(pid, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Pass(cpu=cpu, wall=wall), done.stdout


def compared(run: Callable[[str], tuple[Pass, int]], server: load.Server) -> Result:
    """Start alone, one cold pass, the warm ones; `run("empty")` has no feeds. Every answer must be as expected."""
    start, _ = run("empty")
    server.counts()
    cold, entries = run("full")
    expect(server.counts(), {200: len(server.urls)})
    warm: list[Pass] = []
    for _ in range(WARM_PASSES):
        one, again = run("full")
        expect(again, entries)
        expect(server.counts(), {304: len(server.urls)})
        warm.append(one)
    median = Pass(cpu=statistics.median(p.cpu for p in warm), wall=statistics.median(p.wall for p in warm))
    return Result(entries=entries, start=start, cold=cold, warm=median)


def expect(got: object, wanted: object) -> None:
    """A benchmark of something else is none."""
    if got != wanted:
        sys.exit(f"expected {wanted}, got {got}")


def veille(server: load.Server, folder: Path) -> Result:
    """`veille poll` in a fresh store with the shipped rules."""
    stored = 0

    def run(name: str) -> tuple[Pass, int]:
        nonlocal stored
        config = folder / f"{name}.toml"
        config.write_text(_config(server.urls if name == "full" else (), folder, name), encoding="utf-8")
        took, printed = measured([sys.executable, "-m", "worker", "poll", "--config", config, "--json"])
        said = json.loads(printed)
        expect(said["feeds"]["failed"], 0)
        expect(sum(said["articles"].values()), said["entries"])
        stored += said["entries"]
        return took, stored

    return compared(run, server)


def _config(urls: Sequence[str], folder: Path, name: str) -> str:
    """Feeds on loopback, the shipped rules, alerts to a folder."""
    quoted = json.dumps  # the strings of JSON are strings of TOML
    lines = [
        f"[store]\nurl = {quoted(f'sqlite:///{folder / name}.db')}",
        f"[rules]\nfolder = {quoted(str(HERE.parent / 'rules'))}",
        '[network]\nallow = ["127.0.0.0/8"]',
        f'[[target]]\nid = "desk"\nlog = {{ folder = {quoted(str(folder / "alerts"))} }}',
        *(f'[[feed]]\nurl = {quoted(url)}\nname = "Journal {at}"\nlanguage = "fr"' for at, url in enumerate(urls)),
    ]
    return "\n\n".join(lines) + "\n"


def reader(server: load.Server, folder: Path) -> Result:
    """Reader with ten workers, its own way to update many feeds."""
    home = folder / "reader"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    # reader brings a copy of feedparser, which needs sgmllib3k, and may come without that.
    measured([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "reader", "sgmllib3k"])

    def run(name: str) -> tuple[Pass, int]:
        database = folder / f"reader-{name}.db"
        stdin = "\n".join(server.urls) if name == "full" else ""
        took, printed = measured([python, HERE / "reader_pass.py", database], stdin)
        said = json.loads(printed)
        expect(said["failed"], 0)
        return took, said["entries"]

    return compared(run, server)


def table(results: dict[str, Result], feeds: int, articles: int) -> str:
    """The results as lines of text; the last column is reader's figure divided by ours."""
    ours, theirs = results["veille"], results["reader"]
    rows = [
        ("cold, CPU ms a feed", lambda r: 1000 * r.cold.cpu / feeds),
        ("cold, CPU ms an article", lambda r: 1000 * r.cold.cpu / (feeds * articles)),
        ("cold, wall s", lambda r: r.cold.wall),
        ("warm, CPU ms a feed", lambda r: 1000 * r.warm.cpu / feeds),
        ("warm, wall s", lambda r: r.warm.wall),
        ("start alone, CPU s", lambda r: r.start.cpu),
        ("cold less start, CPU ms a feed", lambda r: 1000 * (r.cold.cpu - r.start.cpu) / feeds),
        ("warm less start, CPU ms a feed", lambda r: 1000 * (r.warm.cpu - r.start.cpu) / feeds),
    ]
    lines = [f"{feeds} feeds of {articles} articles, {platform.python_version()}, {platform.machine()}"]
    lines.append(f"{'':32}{'veille':>10}{'reader':>10}{'ratio':>8}")
    for name, figure in rows:
        one, two = figure(ours), figure(theirs)
        lines.append(f"{name:32}{one:10.2f}{two:10.2f}{two / one:8.2f}")
    return "\n".join(lines)


def main() -> None:
    """Serve, run both, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--articles", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    adopt_orphans()
    with tempfile.TemporaryDirectory() as name, load.serve(options.feeds, options.articles) as server:
        results = {"veille": veille(server, Path(name)), "reader": reader(server, Path(name))}
    for result in results.values():
        expect(result.entries, options.feeds * options.articles)
    if options.json:
        print(json.dumps({name: asdict(result) for name, result in results.items()}))
    else:
        print(table(results, options.feeds, options.articles))


if __name__ == "__main__":
    main()
