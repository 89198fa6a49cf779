"""A copy of a store under load is whole, and comes back; what cannot come back changes nothing."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from desk import FEED, VISIT, polled_once
from feedserver import FeedServer
from rig import Item, Site, wait_for
from sinks import HttpSink, SmtpSink
from test_crash import Newsroom, assert_nothing_lost, due_now, wait_while_it_works, watching
from test_store_database import overwrite

from worker.errors import StoreHeldError, StoreUnusableError
from worker.runtime.embedded import DELIVERIES
from worker.store import open_store
from worker.store.files import backup, held, restore

NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store after one pass."""
    items = Item("1", "Hun Sen attendu à Hanoï", VISIT), Item("2", "Une bibliothèque", "Elle rouvre.")
    return polled_once(tmp_path_factory.mktemp("polled"), *items)


@pytest.fixture
def site(tmp_path: Path, polled: bytes) -> Site:
    """A site that was polled once."""
    (tmp_path / "veille.db").write_bytes(polled)
    return Site(tmp_path, feeds=[FEED])


def articles(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM article").fetchone()[0])


def test_s08_a_backup_under_load_comes_back(tmp_path: Path) -> None:
    """Copies are made while a worker polls, ingests and sends; one that is restored loses nothing that was served.

    What was sent between the copy and the return of it may be sent once more, and no more than that.
    """
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        newsroom = Newsroom(server, feeds=3, seed=11)
        site = watching(tmp_path, newsroom, smtp, slack)
        site.poll()
        newsroom.publish(each=8)
        due_now(site)
        copy = tmp_path / "backup.db"
        with site.running():
            wait_for(lambda: smtp.received, what="a first message")
            at_copy = len(smtp.received) + len(slack.received)
            assert site.json("backup", str(copy))["bytes"] == copy.stat().st_size
            refused = site.veille("restore", str(copy), code=75)
            assert "is in use by" in refused.stderr
            wait_while_it_works(site)
        done = site.json("restore", str(copy))
        assert Path(done["before"]).exists()
        repeatable = len(smtp.received) + len(slack.received) - at_copy
        newsroom.publish(each=2)
        due_now(site)
        before = {"smtp": smtp.received[:], "slack": slack.received[:]}
        with site.running():
            wait_while_it_works(site)
        again = assert_nothing_lost_but_repeats(site, newsroom, smtp, slack)
        assert sum(again.values()) - len(again) <= repeatable + DELIVERIES  # which were on their way at the copy
        assert before["smtp"] == smtp.received[: len(before["smtp"])]


def assert_nothing_lost_but_repeats(site: Site, newsroom: Newsroom, smtp: SmtpSink, slack: HttpSink):
    """The oracle, which allows a second message where the copy is from before the first."""
    from collections import Counter

    from test_crash import received

    twice = Counter(received(smtp, slack))
    seen: set[tuple[str, str]] = set()
    kept_mail, kept_posts = [], []
    for mail in smtp.received:
        key = (mail.recipients[0], mail.content)
        if (subject := key[0] + str(_subject(mail.content))) not in seen:
            seen.add(subject)
            kept_mail.append(mail)
    for post in slack.received:
        if (name := json.dumps(json.loads(post.body), ensure_ascii=False)) not in seen:
            seen.add(name)
            kept_posts.append(post)
    smtp.received[:], slack.received[:] = kept_mail, _first_of_each(kept_posts)
    assert_nothing_lost(site, newsroom, smtp, slack)
    return Counter({key: times for key, times in twice.items() if times > 1})


def _first_of_each(posts):
    from test_crash import named

    found = {}
    for post in posts:
        found.setdefault(named(json.dumps(json.loads(post.body), ensure_ascii=False)), post)
    return list(found.values())


def _subject(content: bytes) -> str:
    import email
    import email.policy

    return str(email.message_from_bytes(content, policy=email.policy.default)["subject"])


def test_a_backup_is_one_file_that_replaces_an_older_one(veille, site: Site) -> None:
    """Without a log beside it, and whole: the store it was made of may change meanwhile."""
    copy = site.folder / "copy.db"
    copy.write_bytes(b"older")
    store = open_store(f"sqlite:///{site.folder / 'veille.db'}", create=False)
    with store.read() as tx:
        tx.exec_driver_sql("SELECT count(*) FROM article").scalar()
        assert veille("backup", copy, site=site).code == 0
    store.close()
    assert {path.name for path in site.folder.glob("copy*")} == {"copy.db"}
    assert articles(copy) == articles(site.folder / "veille.db")


def test_what_came_after_the_backup_is_kept_beside(veille, site: Site) -> None:
    """The store of before is whole too."""
    copy, path = site.folder / "copy.db", site.folder / "veille.db"
    assert veille("backup", copy, site=site).code == 0
    before = articles(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO article SELECT NULL, origin, 'later', url, link, source, language, title, published, "
            "precision, first_seen, novelty, of_id, score, why, revision FROM article LIMIT 1"
        )
    done = json.loads(veille("restore", copy, "--json", site=site).out)
    assert (articles(path), articles(Path(done["before"]))) == (before, before + 1)
    assert not list(site.folder.glob("veille.db-*"))
    assert json.loads(veille("status", "--json", site=site).out)["ledger"] == []


def test_a_store_that_is_lost_or_damaged_is_replaced(veille, site: Site) -> None:
    """That is what a backup is for."""
    copy, path = site.folder / "copy.db", site.folder / "veille.db"
    assert veille("backup", copy, site=site).code == 0
    count = articles(copy)
    overwrite(path, 4096, 8192)
    assert veille("restore", copy, site=site).code == 0
    assert articles(path) == count
    path.unlink()
    assert json.loads(veille("restore", copy, "--json", site=site).out)["before"] is None
    assert articles(path) == count


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '0999'")


def other(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE holidays (day)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda p: overwrite(p, 4096, 4096), "damaged|no whole store", id="a page"),
        pytest.param(lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "damaged|no whole", id="half"),
        pytest.param(lambda p: p.write_bytes(b""), "no store of Veille's", id="empty"),
        pytest.param(lambda p: p.write_text("[store]\n" * 999), "no whole store", id="no database"),
        pytest.param(other, "no store of Veille's", id="another's"),
        pytest.param(newer, "newer Veille's", id="newer"),
        pytest.param(Path.unlink, "no such file", id="gone"),
    ],
)
def test_a_bad_backup_changes_nothing(veille, site: Site, spoil, said: str) -> None:
    """It is refused before the store is touched."""
    copy, path = site.folder / "copy.db", site.folder / "veille.db"
    assert backup(path, copy) > 0
    spoil(copy)
    before = path.read_bytes()
    with pytest.raises(StoreUnusableError, match=said):
        restore(path, copy, NOW)
    assert path.read_bytes() == before
    assert not list(site.folder.glob("*.part"))


def test_a_store_in_use_is_not_replaced(veille, site: Site) -> None:
    """Nor is one overwritten by its own copy."""
    copy, path = site.folder / "copy.db", site.folder / "veille.db"
    backup(path, copy)
    with held(path), pytest.raises(StoreHeldError):
        restore(path, copy, NOW)
    for wrong in (lambda: backup(path, path), lambda: restore(path, path, NOW)):
        with pytest.raises(StoreUnusableError, match="the store itself"):
            wrong()


@pytest.mark.parametrize("word", ["backup", "restore"])
def test_postgresql_has_its_own(veille, tmp_path: Path, postgresql_url: str, word: str) -> None:
    """It is said which, and nothing is done."""
    open_store(postgresql_url, create=True).close()
    site = Site(tmp_path, feeds=["veille:sample"], store=postgresql_url)
    done = veille(word, tmp_path / "copy.db", site=site)
    assert done.code == 2
    assert "pg_dump" in done.err
