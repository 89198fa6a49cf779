"""Documents and entries that could not be read are kept, listed, shown and tried again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from desk import FEED, VISIT, Desk, log_target, scripted
from rig import Item, Site, rss

from worker.model import StoredEntry
from worker.pipeline import ingest as ingest_job
from worker.store import entries
from worker.store.entries import MAX_ATTEMPTS

BROKEN = b"<html><body>This is no feed at all.</body></html>"


@pytest.fixture(scope="module")
def put_aside(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with an entry that failed until it was put aside, and a document that is no feed."""

    def fail(entry: StoredEntry, *given: Any) -> Any:
        if entry.parsed.guid == "1":
            raise ValueError("as the test says")
        return prepare(entry, *given)

    prepare = ingest_job._prepare
    folder = tmp_path_factory.mktemp("put-aside")
    with (
        pytest.MonkeyPatch.context() as patch,
        scripted(patch, Desk(folder, targets=[log_target(folder=folder / "alerts")])) as desk,
    ):
        desk.web.feed(FEED, [Item("1", "Hun Sen attendu à Hanoï", VISIT)])
        with patch.context() as patched:
            patched.setattr(ingest_job, "_prepare", fail)
            for _ in range(MAX_ATTEMPTS):
                asyncio.run(desk.pass_())
                desk.later(minutes=1)
        desk.web.answer(FEED, BROKEN, content_type="text/html")
        asyncio.run(desk.pass_())
        asyncio.run(desk.pass_())
    return (folder / "veille.db").read_bytes()


@pytest.fixture
def site(tmp_path: Path, put_aside: bytes) -> Site:
    """A site with that store."""
    (tmp_path / "veille.db").write_bytes(put_aside)
    return Site(tmp_path, feeds=[FEED])


def test_it_is_listed_with_feed_reason_and_time(veille, site: Site) -> None:
    """Entries by number, documents with a d; the same document twice is one line."""
    entry, document = json.loads(veille("quarantine", "--json", site=site).out)
    assert (entry["id"], entry["feed"], entry["title"]) == ("1", FEED, "Hun Sen attendu à Hanoï")
    assert entry["reason"] == "ValueError: as the test says"
    assert entry["at"] == "2026-02-06T08:34:00+00:00"
    assert (document["id"], document["feed"], document["at"]) == ("d2", FEED, "2026-02-06T08:35:00+00:00")
    assert document["reason"].startswith("not_a_feed")
    said = veille("quarantine", site=site).out
    for word in ("as the test says", "not_a_feed", "2026-02-06 15:34"):
        assert word in said


def test_one_is_shown_with_what_was_read_and_its_bytes(veille, site: Site) -> None:
    """`--raw` writes the document as it came."""
    entry = json.loads(veille("quarantine", "show", "1", "--json", site=site).out)
    assert (entry["parsed"]["guid"], entry["attempts"]) == ("1", MAX_ATTEMPTS)
    body = rss([Item("1", "Hun Sen attendu à Hanoï", VISIT)])
    assert entry["bytes"] == len(body)
    assert veille("quarantine", "show", "1", "--raw", site=site).out == body.decode()
    assert veille("quarantine", "show", "d2", "--raw", site=site).out == BROKEN.decode()
    said = veille("quarantine", "show", "d2", site=site).out
    assert "text/html" in said
    assert f"{len(BROKEN)} bytes" in said


@pytest.mark.parametrize("which", ["1", "--all"])
def test_it_is_tried_again_from_the_beginning(veille, site: Site, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all its tries; and then it is told like any other."""
    assert json.loads(veille("quarantine", "retry", which, "--json", site=site).out) == {"retried": 1}
    assert [row["id"] for row in json.loads(veille("quarantine", "--json", site=site).out)] == ["d2"]
    from worker.store import open_store

    store = open_store(f"sqlite:///{site.folder / 'veille.db'}", create=False)
    with store.write() as tx:
        from desk import START

        assert entries.take_ready(tx, now=START, lease=START - START, limit=9) == (1,)
        assert entries.read(tx, [1])[0].attempts == 1
    store.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "7"), 1),
        (("show", "d1"), 1),
        (("show", "x"), 1),
        (("retry", "7"), 1),
        (("retry", "d2"), 1),
        (("retry",), 2),
        (("retry", "1", "--all"), 2),
        (("show", "9" * 30), 1),
    ],
    ids=[
        "entry",
        "a good document",
        "no number",
        "retry an entry",
        "retry a document",
        "nothing",
        "both",
        "no such number",
    ],
)
def test_what_is_not_there(veille, site: Site, words: tuple[str, ...], code: int) -> None:
    """A sentence, and nothing is changed."""
    done = veille("quarantine", *words, site=site)
    assert (done.code, done.err.startswith("veille: ")) == (code, True)
    assert len(json.loads(veille("quarantine", "--json", site=site).out)) == 2
