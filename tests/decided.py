"""All that is decided of a corpus, as a digest for each kind of answer: one change of any answer is another digest.

    python tests/decided.py [NAME...] [--keep FOLDER]

Corpora go through a feed, `ingest` and the alerts, then once more, in part changed, so that there are corrections.
`decided.json` holds the digests. `--keep` writes the answers themselves, to see which one differs.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from desk import FEED, Desk, feed, log_target
from rig import SHARED, Item, rss

from worker.feeds import sample
from worker.model import NotificationPolicy
from worker.pipeline.ingest import ingest
from worker.store import entries

HERE = Path(__file__).parent
STORED = HERE / "decided.json"
_BATCH, _PER_DOCUMENT = 50, 100
_LEASE = timedelta(minutes=5)
#: What is compared: a name, and a query whose rows say it.
_ANSWERS = {
    "articles": "SELECT a.id, a.title, a.language, a.published, a.novelty, a.of_id, a.score, a.why, a.revision, "
    "r.number, r.title, r.body, r.cut FROM article a LEFT JOIN revision r ON r.article_id = a.id ORDER BY 1, 10",
    "signatures": "SELECT article_id, revision, digest, hex(shingles), facts, words, hex(bands) FROM fingerprint "
    "ORDER BY article_id, revision",
    "lines": "SELECT source, line, stands_under, article_id, other_id, last_id FROM line ORDER BY source, line",
    "stories": "SELECT id, title, first_seen, last_seen, merged_into, perhaps_id, perhaps_score, perhaps_why "
    "FROM story ORDER BY id",
    "places": "SELECT article_id, story_id, score, why, hex(vector) FROM story_article ORDER BY article_id",
    "terms": "SELECT hash, articles FROM term ORDER BY hash",
    "matches": "SELECT article_id, revision_id, rule_id, severity, spans FROM match ORDER BY id",
    "obligations": "SELECT * FROM obligation ORDER BY id",
    "deliveries": "SELECT id, collects, recipient, due, state FROM delivery ORDER BY id",
    "words": "SELECT article.id FROM article WHERE id IN (SELECT rowid FROM search WHERE search MATCH 'vietnam OR le')",
}


def of_lines(path: Path) -> Callable[[], Iterator[Item]]:
    """The articles of a file of JSON lines."""

    def read() -> Iterator[Item]:
        for line in path.read_text(encoding="utf-8").splitlines():
            yield _item(json.loads(line))

    return read


def generated(count: int) -> Callable[[], Iterator[Item]]:
    """Invented reports, copies of them with every kind of edit, and accounts of one event in other words."""

    def read() -> Iterator[Item]:
        sys.path.insert(0, str(HERE.parent / "benchmarks"))
        from dedupetexts import KINDS, edited, fresh

        draw = random.Random(17)
        made = []
        for number in range(count):
            kind = draw.choice(sorted(KINDS)) if made and number % 4 == 0 else ""
            if kind:
                one = edited(draw, draw.choice(made[-60:]), kind)
            elif made and number % 4 == 1:
                known = draw.choice(made[-60:])
                own = fresh(draw, f"a{number}")
                sentences = known.body.split(". ")
                body = f"{'. '.join(draw.sample(sentences, 4))}. {own.body[:600]}"
                one = type(own)(name=own.name, title=known.title[: len(known.title) // 2], body=body)
            else:
                one = fresh(draw, f"a{number}")
                made.append(one)
            body = f"{one.body} Visite de Hun Sen." if number % 9 == 0 else one.body
            when = datetime(2026, 1, 20, 6, tzinfo=UTC) + timedelta(minutes=4 * number)
            link = f"https://example.org/{number}"
            yield Item(f"g{number}", one.title, body, link, when.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    return read


def _item(found: dict[str, str]) -> Item:
    when = datetime.fromisoformat(found["published"]).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return Item(found["id"], found["title"], found["text"], found.get("url", ""), when)


CORPORA: dict[str, Callable[[], Iterator[Item]]] = {
    "generated-200": generated(200),
    "generated": generated(5_000),
    "watch": of_lines(SHARED / "data" / "watch" / "articles.jsonl"),
    "copies": of_lines(SHARED / "data" / "watch" / "copies.jsonl"),
    "stream": of_lines(SHARED / "data" / "real" / "stream-en.jsonl"),
    "feeds": of_lines(SHARED / "data" / "real" / "feeds-en.jsonl"),
}
RULES = HERE.parent / "rules"


def decide(name: str, folder: Path, keep: Path | None = None) -> dict[str, str]:
    """Send a corpus, or `sample`, through a new store in `folder`; returns the digest of each kind of answer."""
    desk = Desk(
        folder, feeds=[feed()], targets=[log_target()], rules=_rules(), notification=NotificationPolicy(key="story")
    )
    with desk:
        asyncio.run(_send(desk, name))
        digests = {}
        for kind, query in _ANSWERS.items():
            rows = "".join(f"{json.dumps([_said(v) for v in row], ensure_ascii=False)}\n" for row in desk.rows(query))
            digests[kind] = hashlib.sha256(rows.encode()).hexdigest()[:16]
            if keep:
                (keep / f"{name}.{kind}").write_text(rows, encoding="utf-8")
        return digests


def _said(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _rules() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.toml")))


async def _send(desk: Desk, name: str) -> None:
    if name == "sample":
        desk.web.answer(FEED, sample.document(desk.now))
        await _pass(desk)
        return
    items = list(CORPORA[name]())
    for at in range(0, len(items), _PER_DOCUMENT):
        part = items[at : at + _PER_DOCUMENT]
        desk.web.answer(FEED, rss(part))
        await _pass(desk)
        if at % (5 * _PER_DOCUMENT) == 0:
            desk.web.answer(FEED, rss(_changed(part)))
            await _pass(desk)


def _changed(items: Sequence[Item]) -> list[Item]:
    """Every third text corrected; every ninth is another item's now."""
    changed = []
    for at, item in enumerate(items):
        text = items[at - 1].text if at % 9 == 8 else f"{item.text}\n\nHun Sen est en visite à Hanoï mardi 12 mars."
        changed.append(Item(item.guid, item.title, text, item.link, item.published) if at % 3 == 2 else item)
    return changed


async def _pass(desk: Desk) -> None:
    await desk.poll()
    while True:
        with desk.store.write() as tx:
            ids = entries.take_ready(tx, now=desk.now, lease=_LEASE, limit=_BATCH, owner="desk")
        if not ids:
            break
        came = await ingest(desk.context, ids)
        assert not came.failed, came
    desk.later(minutes=10)


def main() -> None:
    """Print the digests, as `decided.json` holds them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    found = {}
    for name in options.names or ("sample", *CORPORA):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = decide(name, Path(folder), options.keep)
    print(json.dumps(found, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
