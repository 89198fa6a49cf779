"""The main job with nothing mocked: the real command, real HTTP, real SMTP, real signals."""

import contextlib
import email
import email.policy
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from feedserver import FeedServer
from forked import Worker
from rig import SHARED, WORDS, Item, Site, needs_shared, rss, wait_for
from sinks import HttpSink, SmtpSink

OUTLETS = SHARED / "data" / "feeds" / "outlets"
#: Distinct items, counted by hand in each file: of the 20 items of almonitor 9 are repeats to the letter; six of
#: boston's have an empty guid and all ten have their own link; dw's have no guid at all.
DISTINCT = {
    "abcnews-intl": 25,
    "aljazeera": 25,
    "allafrica": 32,
    "almonitor-dupguids": 11,
    "bbc-world": 33,
    "boston-world-noguid": 10,
    "csmonitor": 10,
    "dawn-world": 30,
    "dw": 141,
    "economist-asia": 300,
    "mercopress": 10,
    "npr-world": 10,
}
SIXTH = (
    "Le président du Sénat du Cambodge, Hun Sen, effectuera une visite officielle à Vientiane du 3 au 5 mars.\n\n"
    "Il y rencontrera le président de l'Assemblée nationale du Laos et inaugurera un pont sur la Sékong. Le programme "
    "prévoit en outre une étape à Paksé, où une école financée par les deux pays doit ouvrir ses portes à la rentrée."
)


def entries_by_feed(site: Site) -> dict[str, int]:
    with sqlite3.connect(site.folder / "veille.db") as db:
        query = "SELECT f.key, count(*) FROM entry e JOIN feed f ON f.id = e.feed_id GROUP BY f.key"
        return dict(db.execute(query).fetchall())


@needs_shared
def test_real_feeds_twice_then_changed(tmp_path: Path) -> None:
    """Twelve real feeds: every distinct item once; then 304 for all; then one update, one new, and no other."""
    with FeedServer() as server:
        bodies = {name: (OUTLETS / f"{name}.xml").read_bytes() for name in DISTINCT}
        urls = {name: server.serve(f"/{name}", body, etag=f'"{name}"', gzip=True) for name, body in bodies.items()}
        site = Site(tmp_path, feeds=list(urls.values()), allow=[server.place], feed_lines="")
        first = site.poll()
        assert entries_by_feed(site) == {urls[name]: n for name, n in DISTINCT.items()}
        assert first["feeds"] == {"polled": 12, "new": 12, "not_modified": 0, "failed": 0, "waiting": 0}
        assert first["entries"] == sum(DISTINCT.values())
        second = site.poll()
        assert second["feeds"] == {"polled": 12, "new": 0, "not_modified": 12, "failed": 0, "waiting": 0}
        assert second["articles"] == {"new": 0, "update": 0, "duplicate": 0}

        body = bodies["mercopress"].decode()
        items = re.findall(r"<item>.*?</item>", body, re.DOTALL)
        changed = re.sub(
            r"(<description>)(?:<!\[CDATA\[)?.*?(?:\]\]>)?(</description>)",
            r"\1The port of Ushuaia reopened on Tuesday after nine days of wind, its captain said.\2",
            items[0],
            count=1,
            flags=re.DOTALL,
        )
        again = re.sub(r"(<guid[^>]*>).*?(</guid>)", r"\1another-guid\2", items[1], flags=re.DOTALL)
        added = (
            "<item><guid>new-1</guid><link>https://example.org/new-1</link><title>A lighthouse is lit again</title>"
            "<description>After forty years of darkness the lighthouse of the cape shines again.</description></item>"
        )
        server.serve("/mercopress", body.replace(items[0], changed + again + added).encode(), etag='"later"')
        third = site.poll()
        assert third["feeds"] == {"polled": 12, "new": 1, "not_modified": 11, "failed": 0, "waiting": 0}
        assert third["entries"] == 1
        assert third["articles"] == {"new": 1, "update": 1, "duplicate": 0}


def without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).replace("đ", "d")


@needs_shared
@pytest.mark.parametrize("strip", [False, True], ids=["other sign-off", "other sign-off, no accents"])
def test_the_five_again(tmp_path: Path, strip: bool) -> None:
    """A feed that carries the five stored articles again yields five duplicates and not one alert."""
    items = []
    for n, path in enumerate(sorted((SHARED / "seeds").glob("*.txt"))):
        text = re.sub(r"^ ?date \S+ ", "", path.read_text())
        text = re.sub(r"\s*[-–]?\s*VNA(/CVN)?\s*$", "", text.strip()) + " – AVI"
        items.append(Item(f"g{n}", f"Dépêche numéro {n}", without_accents(text) if strip else text))
    everything = '[[rule]]\nid = "all"\nname = "Tout"\nseverity = "info"\nwhen = "Vietnam OR vietnamien OR Cambodge"\n'
    with FeedServer() as server:
        site = Site(tmp_path, feeds=[server.serve("/five", rss(items))], allow=[server.place], rules=everything)
        done = site.poll()
    assert done["articles"] == {"new": 0, "update": 0, "duplicate": 5}
    assert done["matches"]["all"] >= 4, "they match, and yet nobody is told"
    assert sum(done["deliveries"].values()) == 0
    assert not list((tmp_path / "alerts").glob("*.eml")) if (tmp_path / "alerts").exists() else True


def test_a_sixth_article_by_email_and_slack(tmp_path: Path) -> None:
    """A new article on Hun Sen's visit is one email at a real SMTP server and one post at a Slack webhook."""
    with FeedServer() as server, SmtpSink() as smtp, HttpSink() as slack:
        targets = f"""
[[target]]
id = "desk"
email = {{ to = ["desk@example.org"], from = "Veille <veille@example.org>", smtp = "smtp://127.0.0.1:{smtp.port}" }}
[[target]]
id = "mekong"
slack = {{ webhook = "${{HOOK}}" }}
"""
        site = Site(
            tmp_path,
            feeds=[
                server.serve("/f", rss([Item("six", "Hun Sen attendu à Vientiane", SIXTH, "https://example.org/six")]))
            ],
            allow=[server.place, f"127.0.0.1:{slack.port}"],
            targets=targets,
            environ={"HOOK": f"{slack.url}/services/T0/B0/CANARY_TOKEN_1"},
        )
        done = site.poll()
        assert done["articles"] == {"new": 1, "update": 0, "duplicate": 0}
        assert done["deliveries"]["sent"] == 2
        assert site.poll()["deliveries"]["sent"] == 0
        assert len(smtp.received) == 1
        assert len(slack.received) == 1
        mail = email.message_from_bytes(smtp.received[0].content, policy=email.policy.default)
        plain, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))
        for part in (plain, html):
            for word in ("Une visite de Hun Sen", "Hun Sen attendu à Vientiane", "Fil 1", "https://example.org/six"):
                assert word in part
        assert "effectuera une" in html.replace("\n", " ")
        post = json.loads(slack.received[0].body)
        assert "Hun Sen attendu à Vientiane" in json.dumps(post, ensure_ascii=False)
        told = site.json("why", "attendu à Vientiane")
        assert {line["recipient"]: line["state"] for line in told["ledger"]} == {
            "mailto:desk@example.org": "sent",
            "slack:mekong": "sent",
        }
        assert "CANARY" not in json.dumps(told) + site.log() + site.veille("status").stdout


def test_first_poll_is_backlog(tmp_path: Path) -> None:
    """Entries of a feed's first poll are stored and explained, not sent; later ones are sent."""
    with FeedServer() as server:
        url = server.serve("/f", rss([Item("1", "Visite de Hun Sen à Hanoï", SIXTH)]))
        site = Site(tmp_path, feeds=[url], allow=[server.place], feed_lines="")
        first = site.poll()
        assert first["matches"] == {"visit": 1}
        assert sum(first["deliveries"].values()) == 0
        later = Item(
            "2", "Hun Sen prolonge sa visite", "La visite de Hun Sen durera deux jours de plus, dit son bureau."
        )
        server.serve("/f", rss([later, Item("1", "Visite de Hun Sen à Hanoï", SIXTH)]))
        assert site.poll()["deliveries"]["sent"] == 1
        assert site.json("why", "Visite de Hun Sen à Hanoï")["ledger"][0]["reason"] == "backlog"


def test_an_update_is_told_once_where_it_matches_anew(tmp_path: Path) -> None:
    """A correction that brings the match is told; one that only rewords a told article is not."""
    with FeedServer() as server:
        plain = "Le Sénat du Cambodge annonce un voyage de son président, dont le programme sera connu lundi prochain."
        url = server.serve("/f", rss([Item("1", "Un voyage se prépare", plain)]))
        site = Site(tmp_path, feeds=[url], allow=[server.place])
        assert site.poll()["deliveries"]["sent"] == 0
        matching = plain + " Hun Sen sera en visite à Paksé"
        server.serve("/f", rss([Item("1", "Un voyage se prépare", matching + ".")]))
        second = site.poll()
        assert second["articles"]["update"] == 1
        assert second["deliveries"]["sent"] == 1
        server.serve("/f", rss([Item("1", "Un voyage se prépare", matching + " dès mardi.")]))
        third = site.poll()
        assert third["articles"]["update"] == 1
        assert third["deliveries"]["sent"] == 0


def test_run_polls_delivers_and_stops(tmp_path: Path) -> None:
    """`run` tells, ticks, refuses a second `run`, lets other commands work beside it, and ends on SIGTERM."""
    site = Site(tmp_path, feeds=["veille:sample"])
    with site.running() as worker:
        alerts = tmp_path / "alerts"
        wait_for(lambda: alerts.exists() and list(alerts.glob("*.eml")), what="an alert")
        assert "last tick" in site.veille("health").stdout
        refused = site.veille("run", code=75)
        assert "is in use by" in refused.stderr
        assert site.json("status")["worker"]["alive"]
        assert site.json("why", "Hun Sen")["matches"] is not None
        known = tmp_path / "known.jsonl"
        known.write_text(
            json.dumps({"id": "k1", "lang": "fr", "title": "Un titre", "text": "Un texte connu depuis longtemps."})
        )
        assert site.json("import", str(known)) == {"read": 1, "new": 1, "duplicate": 0, "known": 0}
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=12) == 0
        assert time.monotonic() - began < 10
    sent = site.json("status")["deliveries"]["sent"]
    assert sent == len(list(alerts.glob("*.eml"))) > 0
    assert site.json("status")["worker"] is None, "it stopped in order, and nobody takes it for alive"
    with contextlib.closing(sqlite3.connect(tmp_path / "veille.db", timeout=30)) as db, db:
        db.execute("UPDATE feed SET due = '2000-01-01 00:00:00.000000'")
    with site.running():
        wait_for(lambda: site.json("feeds", "list")[0]["result"] == "not_modified", what="a second poll")
    assert site.json("status")["deliveries"]["sent"] == sent, "nothing is told twice"


def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    """A new rule works after SIGHUP; a broken file leaves the old one in force."""
    with FeedServer() as server:
        url = server.serve("/f", rss([]))
        site = Site(tmp_path, feeds=[url], allow=[server.place], feed_lines='every = "1m"\n')
        with site.running() as worker:
            wait_for(lambda: "/f" in server.paths(), what="the first poll")
            site.config.write_text("[[feed]\n")
            worker.send_signal(signal.SIGHUP)
            wait_for(lambda: "reload refused" in site.log(), what="the refusal")
            assert worker.poll() is None
            site.feeds = [url, server.serve("/g", rss([Item("g", "Visite de Hun Sen", SIXTH)]))]
            site.feed_lines = "alert_backlog = true\n"
            site.write()
            worker.send_signal(signal.SIGHUP)
            wait_for(
                lambda: list((tmp_path / "alerts").glob("*.eml")) if (tmp_path / "alerts").exists() else [],
                what="an alert from the added feed",
            )


def freeze_and_age(site: Site, worker: Worker) -> bool:
    """Stop the process and set its tick back, which saves waiting; not while it is writing itself."""
    worker.send_signal(signal.SIGSTOP)
    try:
        with contextlib.closing(sqlite3.connect(site.folder / "veille.db", timeout=0.2)) as db, db:
            db.execute("UPDATE heartbeat SET tick = datetime('now', '-1 minute'), turned = turned - 60")
    except sqlite3.OperationalError:
        worker.send_signal(signal.SIGCONT)
        return False
    return True


def test_c12_health_fails_when_the_tick_stops(tmp_path: Path) -> None:
    """A worker that is frozen is not healthy, though its process lives."""
    site = Site(tmp_path, feeds=["http://127.0.0.1:9/feed"])
    with site.running() as worker:
        wait_for(lambda: site.veille("health", code=None).returncode == 0, what="health")
        wait_for(lambda: freeze_and_age(site, worker), what="a moment in which it does not write")
        try:
            site.veille("health", code=1)
        finally:
            worker.send_signal(signal.SIGCONT)
        wait_for(lambda: site.veille("health", code=None).returncode == 0, what="health again")


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """A configuration and rules with several mistakes name each with file and line, and exit with 78."""
    site = Site(
        tmp_path, feeds=["veille:sample"], rules='[[rule]]\nid = "x"\nname = "X"\nseverity = "high"\nwhen = "a AND"\n'
    )
    site.config.write_text(site.config.read_text() + '\n[watch]\nheartbeet_url = "https://example.org"\n')
    for command in ("check", "run", "poll"):
        done = site.veille(command, code=78)
        assert re.search(r"config\.toml:\d+.*heartbeet_url", done.stderr)
        assert re.search(r"rules\.toml:5", done.stderr)
        assert "Traceback" not in done.stderr


def test_help_answers_at_once() -> None:
    """`--help` waits for no heavy import."""
    heavy = ("sqlmodel", "httpx", "apprise", "feedparser", "trafilatura")
    loaded = f"import sys, worker.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_postgresql_as_the_store(tmp_path: Path, postgresql_url: str) -> None:
    """The same job on PostgreSQL: one alert, then none; `why` and `status` answer."""
    with FeedServer() as server:
        url = server.serve("/f", rss([Item("six", "Hun Sen attendu à Vientiane", SIXTH)]), etag='"1"')
        site = Site(tmp_path, feeds=[url], allow=[server.place], store=postgresql_url)
        first = site.poll()
        assert first["articles"]["new"] == first["deliveries"]["sent"] == 1
        assert site.poll()["feeds"]["not_modified"] == 1
    assert site.json("why", "Hun Sen attendu")["ledger"][0]["state"] == "sent"
    found = site.json("status")
    assert found["articles"] == {"archive": 5, "feed": 1, "duplicates": 0}
    assert found["ledger"] == []


def polled(site: Site) -> bool:
    """True if every feed was polled, and none is being polled."""
    if not (site.folder / "veille.db").exists():
        return False
    with contextlib.closing(sqlite3.connect(site.folder / "veille.db", timeout=30)) as db:
        try:
            row = db.execute("SELECT count(*), count(last_polled), count(lease_until) FROM feed").fetchone()
        except sqlite3.OperationalError:  # it is being made
            return False
    return row[0] > 0 and row[0] == row[1] and row[2] == 0


def import_beside_run(tmp_path: Path, articles: int) -> None:
    """Import while a worker polls and delivers; `status` and `why` answer; the worker never stops ticking."""
    chance = random.Random(5)
    known = tmp_path / "known.jsonl"
    with known.open("w") as file:
        for n in range(articles):
            text = " ".join(chance.choices(WORDS, k=150))
            line = {"id": f"k{n}", "lang": "fr", "published": "2020-01-01", "title": f"Archive {n}", "text": text}
            file.write(json.dumps(line) + "\n")
    with FeedServer() as server:
        url = server.serve("/f", rss([]))
        site = Site(tmp_path, feeds=[url], allow=[server.place])
        with site.running() as worker:
            # A poll under way would set the due time after us.
            wait_for(lambda: polled(site), what="the first poll")
            out, err = tmp_path / "out", tmp_path / "err"
            words = ("import", str(known), "--json", "--config", str(site.config))
            importing = Worker(words, os.environ, out, err)
            server.serve("/f", rss([Item("six", "Hun Sen attendu à Vientiane", SIXTH)]))
            with contextlib.closing(sqlite3.connect(tmp_path / "veille.db", timeout=30)) as db, db:
                db.execute("UPDATE feed SET due = '2000-01-01 00:00:00.000000'")
            try:
                wait_for(lambda: list((tmp_path / "alerts").glob("*.eml")), what="an alert beside it")
                while importing.poll() is None:
                    site.veille("status")
                    site.veille("why", "Hun Sen attendu")
                    site.veille("health")
            finally:
                importing.wait()
            assert importing.returncode == 0, err.read_text()
            assert json.loads(out.read_text()) == {"read": articles, "new": articles, "duplicate": 0, "known": 0}
            assert worker.poll() is None
        assert "error" not in site.log()
        assert site.json("import", str(known))["known"] == articles


def test_import_beside_run(tmp_path: Path) -> None:
    """A hundred articles."""
    import_beside_run(tmp_path, 100)


@pytest.mark.soak
def test_import_ten_thousand_beside_run(tmp_path: Path) -> None:
    """Ten thousand."""
    import_beside_run(tmp_path, 10_000)
