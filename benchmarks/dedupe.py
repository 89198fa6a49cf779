"""Copies found in stores of many articles, beside the in-memory indexes of datasketch and rensa.

    # pip install datasketch rensa
    python benchmarks/dedupe.py [--sizes 1000,100000,1000000] [--quick] [--json]

The store is filled with signatures that are drawn, not made of texts; one article in fifty bears a band that hundreds
share, as a slogan. Then articles that were never seen come through the functions that the jobs use, and after them
copies of these with every kind of edit, and look-alikes that are news. Times are this process's processor time, per
article: fold, sign (fingerprint), look up (candidates), verify (verdict), insert (with its share of the
commit of twenty). Peers hold as many signatures of 128 permutations in memory, and verify what they find on the exact
shingles, as Veille does; beyond 100,000 they are not asked.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from dedupepeers import CONTAINED, PEERS, RESEMBLES, drawn_shingles
from dedupetexts import KINDS, Text, edited, fresh

from worker.analysis.copies import Candidate, Fingerprint, decide, fingerprint
from worker.analysis.copies.signature import unpacked
from worker.analysis.text import Document, analyse
from worker.model import Article, Novelty, NoveltyKind, Origin
from worker.store import Store, Tx, articles, fingerprints, open_store, repeated
from worker.store.fingerprints import packed

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
#: Articles that come anew, and originals of which each kind of copy is made.
FRESH, ORIGINALS = 1_000, 60
#: Articles of one transaction, as a batch of the worker has.
BATCH = 20
#: Peers are filled to so many.
PEERS_TO = 100_000
OURS = "Veille"
STEPS = ("fold", "sign", "look up", "verify", "insert")


# --- the store filled ----------------------------------------------------------------------------------------------


def fill(path: Path, count: int) -> tuple[int, int]:
    """Put `count` drawn articles into a SQLite store; bytes of its file that the copies' index took, and all."""
    draw, day = np.random.default_rng(11), "2026-02-01 00:00:00.000000"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA cache_size=-400000")
        before = _bytes(db)
        db.executemany(
            "INSERT INTO article (id, origin, name, url, link, source, language, title, published, precision, "
            "first_seen, novelty, score, why, revision) VALUES (?, 'import', ?, '', '', 'A', 'fr', ?, ?, '', ?, 'new', "
            "0, '', 1)",
            ((number, f"d{number}", "Un titre de dépêche comme il en vient", day, day) for number in _ids(count)),
        )
        plain = _bytes(db)
        keys = draw.integers(-(2**47), 2**47, (count, 48))
        slogans = draw.integers(-(2**47), 2**47, max(1, count // 20_000))
        keys[::50, 0] = slogans[np.arange(0, count, 50) % len(slogans)]
        db.executemany(
            "INSERT INTO fingerprint (article_id, revision, scheme, digest, shingles, facts, words, bands) "
            "VALUES (?, 1, 1, ?, ?, ?, 300, ?)",
            (
                (at + 1, draw.bytes(32).hex(), drawn_shingles(draw), _facts(draw), packed(keys[at].tolist()))
                for at in range(count)
            ),
        )
        values, owners = keys.ravel(), np.repeat(np.arange(1, count + 1), 48)
        # At random, a million articles take an hour; in the table's order at once, its pages were fuller than in life.
        for part in (np.arange(len(values)) % 3 > 0, np.arange(len(values)) % 3 == 0):
            _index(db, values[part], owners[part])
        return _bytes(db) - plain, _bytes(db) - before


def _index(db: sqlite3.Connection, values: Any, owners: Any) -> None:
    order = np.lexsort((owners, values))
    for at in range(0, len(order), 1_000_000):
        some = order[at : at + 1_000_000]
        rows = zip(values[some].tolist(), owners[some].tolist(), strict=True)
        db.executemany("INSERT OR IGNORE INTO band (value, article_id) VALUES (?, ?)", rows)


def _ids(count: int) -> range:
    return range(1, count + 1)


def _bytes(db: sqlite3.Connection) -> int:
    """Of all pages in use."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)


def _facts(draw: np.random.Generator) -> str:
    """As long as those of a report."""
    return json.dumps([f"{number:09}nom" for number in draw.integers(0, 10**9, 17).tolist()])


# --- what is measured ----------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """One size."""

    stored: int
    index_bytes: float = 0.0
    bytes: float = 0.0
    #: Step -> processor seconds an article of those never seen.
    steps: dict[str, float] = field(default_factory=dict)
    #: Kind -> (found or left alone as it should be, all).
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: New articles and look-alikes that were called copies.
    wrong: int = 0
    #: Names of the copies whose original was found.
    found: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Articles a processor second, all steps."""
        return 1 / sum(self.steps.values())

    @property
    def through(self) -> float:
        """Articles a processor second through the store: look up, verify, insert."""
        return 1 / sum(self.steps[step] for step in STEPS[2:])


def steps(store: Store, texts: Sequence[Text], took: Counter[str]) -> Iterator[tuple[Text, int, Novelty]]:
    """Send texts through the steps, adding up the processor seconds of each; number and novelty of each."""
    for at in range(0, len(texts), BATCH):
        batch = texts[at : at + BATCH]
        documents: list[Document] = _timed(took, "fold", lambda b=batch: [analyse(t.title, t.body, "fr") for t in b])
        marks: list[Fingerprint] = _timed(took, "sign", lambda d=documents: [fingerprint(one) for one in d])
        stored: list[int] = []
        verdicts: list[Novelty] = []
        whole, before = time.process_time(), took["look up"] + took["verify"]
        with store.ingest() as tx:
            known = _timed(took, "look up", lambda m=marks: _ask(tx, m))
            for place, (text, mark, document) in enumerate(zip(batch, marks, documents, strict=True)):
                found, standing = _timed(took, "look up", lambda m=mark, k=known, p=place: _look_up(tx, k, p, m))
                verdict = _timed(
                    took,
                    "verify",
                    lambda m=mark, d=document, f=found, s=standing: decide(
                        m, document=d, published=NOW, candidates=f, standing=s, sources=frozenset({"B"})
                    ),
                )
                article = _article(text)
                added = articles.add(
                    tx, article, mark, verdict, origin=Origin.IMPORT, name=text.name, document=document, now=NOW
                )
                stored.append(added[0])
                verdicts.append(verdict)
        took["insert"] += time.process_time() - whole - (took["look up"] + took["verify"] - before)
        yield from zip(batch, stored, verdicts, strict=True)


def _ask(tx: Tx, marks: Sequence[Fingerprint]) -> fingerprints.Originals:
    known = fingerprints.Originals([(one, "", None) for one in marks])
    known.ask(tx)
    return known


def _look_up(
    tx: Tx, known: fingerprints.Originals, place: int, mark: Fingerprint
) -> tuple[tuple[Candidate, ...], dict[int, str]]:
    found = known.of(tx, place)
    sources = frozenset({"B"}).union(*(one.sources for one in found))
    return found, repeated.standing(tx, sources, mark.all_lines) if found else {}


def _timed(took: Counter[str], step: str, run: Callable[[], Any]) -> Any:
    start = time.process_time()
    made = run()
    took[step] += time.process_time() - start
    return made


def _article(text: Text) -> Article:
    return Article(
        title=text.title,
        body=text.body,
        language="fr",
        published=NOW,
        first_seen=NOW,
        url="",
        link="",
        source="B",
    )


def measure(count: int) -> Measured:
    """A store of that size."""
    done = Measured(stored=count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "veille.db"
        open_store(f"sqlite:///{path}", create=True).close()
        index, whole = fill(path, count)
        done.index_bytes, done.bytes = index / count, whole / count
        store = open_store(f"sqlite:///{path}", create=False)
        draw = random.Random(5)
        warm = [fresh(draw, f"w{n}") for n in range(BATCH * 5)]
        list(steps(store, warm, Counter()))
        took: Counter[str] = Counter()
        new = [fresh(draw, f"f{n}") for n in range(FRESH)]
        numbers = {}
        for text, number, verdict in steps(store, new, took):
            numbers[text.name] = number
            done.wrong += verdict.kind is not NoveltyKind.NEW
        done.steps = {step: seconds / FRESH for step, seconds in took.items()}
        for kind in KINDS:
            copies = [edited(draw, original, kind) for original in new[:ORIGINALS]]
            right = 0
            for text, _, verdict in steps(store, copies, Counter()):
                if KINDS[kind]:
                    is_right = verdict.kind is NoveltyKind.DUPLICATE and verdict.of == numbers[text.of]
                    right += is_right
                    done.found += [text.name] * is_right
                else:
                    right += verdict.kind is NoveltyKind.NEW
                    done.wrong += verdict.kind is not NoveltyKind.NEW
            done.kinds[kind] = (right, len(copies))
        store.close()
    return done


# --- peers ---------------------------------------------------------------------------------------------------------


def measure_peer(name: str, count: int) -> Measured:
    """The same texts, folded and cut into the same shingles, with the peer's signatures and index."""
    done = Measured(stored=count)
    peer = PEERS[name]()
    before, filled = _resident(), np.random.default_rng(11)
    for number in range(count):
        peer.insert(number, peer.drawn(filled))
    done.bytes = (_resident() - before) / count
    draw = random.Random(5)
    for n in range(BATCH * 5):
        fresh(draw, f"w{n}")
    took: Counter[str] = Counter()
    known: dict[int, set[int]] = {}
    numbers: dict[str, int] = {}

    def send(texts: Sequence[Text], took: Counter[str]) -> Iterator[tuple[Text, set[int]]]:
        for text in texts:
            document = _timed(took, "fold", lambda t=text: analyse(t.title, t.body, "fr"))
            own = unpacked(fingerprint(document).shingles)
            packed = [one.to_bytes(4, "little") for one in own]
            signature = _timed(took, "sign", lambda p=packed: peer.sign(p))
            found = _timed(took, "look up", lambda s=signature: list(peer.query(s)))
            near = _timed(took, "verify", lambda f=found, o=own: {n for n in f if n in known and _is_copy(o, known[n])})
            number = count + len(known)
            _timed(took, "insert", lambda n=number, s=signature: peer.insert(n, s))
            known[number] = own
            numbers[text.name] = number
            yield text, near

    new = [fresh(draw, f"f{n}") for n in range(FRESH)]
    done.wrong = sum(bool(near) for _, near in send(new, took))
    done.steps = {step: seconds / FRESH for step, seconds in took.items()}
    for kind, is_copy in KINDS.items():
        copies = [edited(draw, original, kind) for original in new[:ORIGINALS]]
        right = 0
        for text, near in send(copies, Counter()):
            right += (numbers[text.of] in near) is is_copy
            done.found += [text.name] * (is_copy and numbers[text.of] in near)
            done.wrong += bool(near) and not is_copy
        done.kinds[kind] = (right, len(copies))
    return done


def _is_copy(one: set[int], other: set[int]) -> bool:
    common = len(one & other)
    return common >= RESEMBLES * len(one | other) or common >= CONTAINED * min(len(one), len(other))


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- the report ----------------------------------------------------------------------------------------------------


def _alone(name: str, size: int) -> Measured:
    """In a process of its own, so that memory is its own too."""
    command = [sys.executable, __file__, "--one", name, "--sizes", str(size)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Measured(**json.loads(ended.stdout))


def _expect(ours: Measured, name: str, theirs: Measured) -> None:
    """Copies that a peer finds and the shingles confirm must be found by Veille, unless names speak against them."""
    missed = [one for one in sorted({*theirs.found} - {*ours.found}) if "respelled" not in one]
    if missed:
        sys.exit(f"{name} at {theirs.stored} found what Veille did not: {', '.join(missed[:5])}")


def main() -> None:
    """Fill, send, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=[OURS, *PEERS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        size = int(options.sizes)
        print(json.dumps(asdict(measure(size) if options.one == OURS else measure_peer(options.one, size))))
        return
    sizes = [1_000, 10_000] if options.quick else [int(one) for one in options.sizes.split(",")]
    results: dict[str, list[Measured]] = defaultdict(list)
    for size in sizes:
        for name in (OURS, *PEERS):
            if name == OURS or (size <= PEERS_TO and importlib.util.find_spec(name)):
                results[name].append(_alone(name, size))
                _expect(results[OURS][-1], name, results[name][-1])
    if options.json:
        print(json.dumps({name: [asdict(row) | {"rate": row.rate} for row in rows] for name, rows in results.items()}))
        return
    report(results)


def report(results: dict[str, list[Measured]]) -> None:
    """Both tables."""
    print(f"{platform.python_version()}, {platform.machine()}; {FRESH} articles never seen, microseconds an article")
    heads = "".join(f"{step:>9}" for step in STEPS)
    print(f"{'':11}{'stored':>10}{'a CPU s':>9}{'store':>7}{heads}{'index B':>9}{'all B':>7}{'wrong':>6}")
    rows = [(name, row) for name, found in results.items() for row in found]
    for name, row in rows:
        times = "".join(f"{1e6 * row.steps[step]:9.0f}" for step in STEPS)
        sizes = f"{row.index_bytes:9.0f}{row.bytes:7.0f}"
        print(f"{name:11}{row.stored:10}{row.rate:9.0f}{row.through:7.0f}{times}{sizes}{row.wrong:6}")
    print(f"\n{f'right, of {ORIGINALS}':34}" + "".join(f"{f'{name} {row.stored}':>20}" for name, row in rows))
    for kind, is_copy in KINDS.items():
        print(f"{kind + ('' if is_copy else ' (news)'):34}" + "".join(f"{row.kinds[kind][0]:20}" for _, row in rows))


if __name__ == "__main__":
    main()
