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
import sys
import tempfile
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedupetexts import KINDS, Text, edited, fresh

from worker.dedupe import Fingerprint, decide, fingerprint
from worker.dedupe.signature import unpacked
from worker.model import Article, Novelty, NoveltyKind, Origin
from worker.store import Store, articles, open_store
from worker.text import Document, analyse

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
#: Articles that come anew, and originals of which each kind of copy is made.
FRESH, ORIGINALS = 1_000, 60
#: Articles of one transaction, as a batch of the worker has.
BATCH = 20
#: Peers are filled to so many.
PEERS_TO = 100_000
#: A peer's copy: so much of both in common, or of the shorter one, exactly counted.
RESEMBLES, CONTAINED = 0.5, 0.8
STEPS = ("fold", "sign", "look up", "verify", "insert")


# --- the store filled ----------------------------------------------------------------------------------------------


def fill(path: Path, count: int) -> tuple[int, int]:
    """Put `count` drawn articles into a SQLite store; bytes of its file that the copies' index took, and all."""
    draw, day = random.Random(11), "2026-02-01 00:00:00.000000"
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
        db.executemany(
            "INSERT INTO fingerprint (article_id, revision, scheme, digest, shingles, facts, words) "
            "VALUES (?, 1, 1, ?, ?, ?, 300)",
            ((number, draw.randbytes(32).hex(), _shingles(draw), _facts(draw)) for number in _ids(count)),
        )
        # In the order of the table, part by part of all 64 bits: at random, a million articles take an hour.
        parts = max(1, count // 20_000)
        width = 2**64 // parts
        for part in range(parts):
            low = -(2**63) + part * width
            rows = [(low + draw.randrange(width), draw.randrange(count) + 1) for _ in range(count * 48 // parts)]
            rows.sort()
            db.executemany("INSERT OR IGNORE INTO band (value, article_id) VALUES (?, ?)", rows)
        slogans = [(_signed(draw), number) for number in _ids(count) if number % 50 == 0]
        shared = [value for value, _ in slogans[: max(1, count // 20_000)]]
        db.executemany(
            "INSERT OR IGNORE INTO band (value, article_id) VALUES (?, ?)",
            [(draw.choice(shared), number) for _, number in slogans],
        )
        return _bytes(db) - plain, _bytes(db) - before


def _ids(count: int) -> range:
    return range(1, count + 1)


def _bytes(db: sqlite3.Connection) -> int:
    """Of all pages in use."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)


def _shingles(draw: random.Random) -> bytes:
    return array("I", sorted(array("I", draw.randbytes(4 * 298)))).tobytes()


def _signed(draw: random.Random) -> int:
    return draw.getrandbits(64) - 2**63


def _facts(draw: random.Random) -> str:
    """As long as those of a report."""
    return json.dumps([[draw.randrange(300), f"nom{draw.randrange(9999)}"] for _ in range(16)])


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
    #: Share of the time between first and last commit for which the ingest lock was held.
    lock: float = 0.0

    @property
    def rate(self) -> float:
        """Articles a processor second, all steps."""
        return 1 / sum(self.steps.values())


def steps(store: Store, texts: Sequence[Text], took: Counter[str]) -> Iterator[tuple[Text, int, Novelty]]:
    """Send texts through the steps, adding up the processor seconds of each; number and novelty of each."""
    for at in range(0, len(texts), BATCH):
        batch = texts[at : at + BATCH]
        documents: list[Document] = _timed(took, "fold", lambda b=batch: [analyse(t.title, t.body, "fr") for t in b])
        marks: list[Fingerprint] = _timed(took, "sign", lambda d=documents: [fingerprint(one) for one in d])
        begun = time.process_time()
        with store.ingest() as tx:
            inner = 0.0
            for text, mark in zip(batch, marks, strict=True):
                start = time.process_time()
                found = articles.candidates(tx, mark, url="", but=None)
                looked = time.process_time()
                verdict = decide(mark, published=NOW, candidates=found)
                decided = time.process_time()
                number, _ = articles.add(
                    tx, _article(text), mark, verdict, origin=Origin.IMPORT, name=text.name, now=NOW
                )
                ended = time.process_time()
                took["look up"] += looked - start
                took["verify"] += decided - looked
                took["insert"] += ended - decided
                inner += ended - start
                yield text, number, verdict
        # What is left is the transaction's own: its beginning and its commit.
        took["insert"] += time.process_time() - begun - inner


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
        began, held = time.perf_counter(), store.ingest_seconds
        for text, number, verdict in steps(store, new, took):
            numbers[text.name] = number
            done.wrong += verdict.kind is not NoveltyKind.NEW
        done.lock = (store.ingest_seconds - held) / (time.perf_counter() - began)
        done.steps = {step: seconds / FRESH for step, seconds in took.items()}
        for kind in KINDS:
            copies = [edited(draw, original, kind) for original in new[:ORIGINALS]]
            right = 0
            for text, _, verdict in steps(store, copies, Counter()):
                if KINDS[kind]:
                    right += verdict.kind is NoveltyKind.DUPLICATE and verdict.of == numbers[text.of]
                else:
                    right += verdict.kind is NoveltyKind.NEW
                    done.wrong += verdict.kind is not NoveltyKind.NEW
            done.kinds[kind] = (right, len(copies))
        store.close()
    return done


# --- peers ---------------------------------------------------------------------------------------------------------


class Datasketch:
    """`MinHashLSH`, as its documentation has it: 128 permutations, threshold 0.5."""

    def __init__(self) -> None:
        from datasketch import MinHashLSH

        self._index = MinHashLSH(threshold=RESEMBLES, num_perm=128)

    def sign(self, shingles: Iterable[bytes]) -> Any:
        from datasketch import MinHash

        made = MinHash(num_perm=128)
        made.update_batch(list(shingles))
        return made

    def query(self, signature: Any) -> Iterable[int]:
        return self._index.query(signature)  # type: ignore[no-any-return]

    def insert(self, number: int, signature: Any) -> None:
        self._index.insert(number, signature)


class Rensa:
    """`RMinHashLSH`: 128 permutations in 32 bands."""

    def __init__(self) -> None:
        from rensa import RMinHashLSH

        self._index = RMinHashLSH(threshold=RESEMBLES, num_perm=128, num_bands=32)

    def sign(self, shingles: Iterable[bytes]) -> Any:
        from rensa import RMinHash

        made = RMinHash(num_perm=128, seed=42)
        made.update([shingle.hex() for shingle in shingles])
        return made

    def query(self, signature: Any) -> Iterable[int]:
        return self._index.query(signature)  # type: ignore[no-any-return]

    def insert(self, number: int, signature: Any) -> None:
        self._index.insert(number, signature)


PEERS: dict[str, Callable[[], Any]] = {"datasketch": Datasketch, "rensa": Rensa}


def measure_peer(name: str, count: int) -> Measured:
    """The same texts, folded and cut into the same shingles, with the peer's signatures and index."""
    done = Measured(stored=count)
    peer = PEERS[name]()
    before, draw = _resident(), random.Random(11)
    for number in range(count):
        peer.insert(number, peer.sign(_split(_shingles(draw))))
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
            done.wrong += bool(near) and not is_copy
        done.kinds[kind] = (right, len(copies))
    return done


def _is_copy(one: set[int], other: set[int]) -> bool:
    common = len(one & other)
    return common >= RESEMBLES * len(one | other) or common >= CONTAINED * min(len(one), len(other))


def _split(shingles: bytes) -> list[bytes]:
    return [shingles[at : at + 4] for at in range(0, len(shingles), 4)]


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- the report ----------------------------------------------------------------------------------------------------


def main() -> None:
    """Fill, send, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [1_000, 10_000] if options.quick else [int(one) for one in options.sizes.split(",")]
    results: dict[str, list[Measured]] = defaultdict(list)
    for size in sizes:
        results["Veille"].append(measure(size))
        for name in PEERS:
            if size <= PEERS_TO and importlib.util.find_spec(name):
                results[name].append(measure_peer(name, size))
    for peer, rows in results.items():
        # Whatever finds copies finds one that was changed in nothing but the agency's name before it.
        for row in rows:
            right, of = row.kinds["agency head"]
            if right != of:
                sys.exit(f"{peer} at {row.stored} found {right} of {of} copies with another agency head")
    if options.json:
        print(json.dumps({name: [vars(row) | {"rate": row.rate} for row in rows] for name, rows in results.items()}))
        return
    report(results)


def report(results: dict[str, list[Measured]]) -> None:
    """Both tables."""
    print(f"{platform.python_version()}, {platform.machine()}; {FRESH} articles never seen, microseconds an article")
    heads = "".join(f"{step:>9}" for step in STEPS)
    print(f"{'':11}{'stored':>10}{'a CPU s':>9}{heads}{'index B':>9}{'all B':>7}{'lock':>6}{'wrong':>6}")
    rows = [(name, row) for name, found in results.items() for row in found]
    for name, row in rows:
        times = "".join(f"{1e6 * row.steps[step]:9.0f}" for step in STEPS)
        sizes = f"{row.index_bytes:9.0f}{row.bytes:7.0f}"
        print(f"{name:11}{row.stored:10}{row.rate:9.0f}{times}{sizes}{row.lock:6.0%}{row.wrong:6}")
    print(f"\n{f'right, of {ORIGINALS}':34}" + "".join(f"{f'{name} {row.stored}':>20}" for name, row in rows))
    for kind, is_copy in KINDS.items():
        print(f"{kind + ('' if is_copy else ' (news)'):34}" + "".join(f"{row.kinds[kind][0]:20}" for _, row in rows))


if __name__ == "__main__":
    main()
