"""`veille deliveries`: what is not sent, why, and another chance for what was given up."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from feedserver import FeedServer
from rig import Item, Site, rss

ITEMS = [Item(f"Z{n}", f"Hun Sen en visite, dépêche {n}", f"Hun Sen en visite. {'mot ' * n}") for n in range(5)]


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Five alerts that a folder in the way keeps from being written; the feed is there as long as the tests."""
    folder = tmp_path_factory.mktemp("polled")
    (folder / "alerts").write_text("in the way")
    with FeedServer() as server:
        made = Site(folder, feeds=[server.serve("/a", rss(ITEMS))], allow=[server.place])
        made.poll()
        yield made


@pytest.fixture
def site(tmp_path: Path, polled: Site) -> Site:
    """The same, with a store of its own."""
    for name in ("alerts", "veille.db"):
        shutil.copy(polled.folder / name, tmp_path)
    return Site(tmp_path, feeds=polled.feeds, allow=polled.allow)


def change(site: Site, *statements: str) -> None:
    with sqlite3.connect(site.folder / "veille.db") as db:
        for statement in statements:
            db.execute(statement)


def listed(veille, site: Site, *words: str) -> dict[int, dict]:
    return {one["delivery"]: one for one in json.loads(veille("deliveries", *words, "--json", site=site).out)}


FAILED = "UPDATE delivery SET state = 'failed', finished = due, reason = 'expired: no room' WHERE id IN (1, 2)"
PARKED = "UPDATE delivery SET state = 'parked', reason = 'no_service' WHERE id = 3"
SENT = "UPDATE delivery SET state = 'sent' WHERE id = 4"


def test_what_is_not_sent_is_listed_with_its_reason(veille, site: Site) -> None:
    """By state and by target; for people in a sentence."""
    change(site, FAILED, PARKED, SENT)
    found = listed(veille, site)
    assert {one: line["state"] for one, line in found.items()} == {
        1: "failed",
        2: "failed",
        3: "parked",
        5: found[5]["state"],
    }
    assert found[1]["reason"] == "expired: no room"
    # Which of them were tried before the target was given a rest is chance.
    assert re.match(r"given up after [01] attempts?: expired: no room\.", found[1]["sentence"])
    assert listed(veille, site, "--state", "failed").keys() == {1, 2}
    assert listed(veille, site, "--state", "parked", "--state", "failed", "--limit", "2").keys() == {1, 2}
    assert listed(veille, site, "--target", "another") == {}
    out = veille("deliveries", site=site).out
    for words in ("no room", "waits until the configuration is right", "Hun Sen", "(article 6)"):
        assert words in out


@pytest.mark.parametrize("words", [["3", "1"], ["--all-failed"], ["--all-failed", "--target", "log"]], ids=" ".join)
def test_what_was_given_up_is_sent_after_all(veille, site: Site, words: list[str]) -> None:
    """Made due, it goes out at the next pass with the bytes that were sealed, and the ledger adds up."""
    change(
        site,
        FAILED,
        PARKED,
        "INSERT OR REPLACE INTO target (id, parked, failures, told) VALUES ('log', 'no_service', 0, 0)",
    )
    with sqlite3.connect(site.folder / "veille.db") as db:
        sealed = {row[0] for row in db.execute("SELECT content FROM delivery WHERE id = 1 AND message_id != ''")}
    done = json.loads(veille("deliveries", "retry", *words, "--json", site=site).out)
    assert done["due"] == ([1, 3] if "3" in words else [1, 2])
    (site.folder / "alerts").unlink()
    veille("poll", site=site)
    assert not listed(veille, site).keys() & set(done["due"])
    assert sealed <= {file.read_bytes() for file in (site.folder / "alerts").iterdir()}
    assert json.loads(veille("status", "--json", site=site).out)["ledger"] == []


def test_what_cannot_be_retried_is_said(veille, site: Site) -> None:
    """Sent, waiting by itself, of another target, or unknown; the exit code says that not all was done."""
    change(site, FAILED, SENT)
    done = veille("deliveries", "retry", "1", "4", "5", "99", site=site)
    assert done.code == 1
    assert [line.partition(":")[2].strip().split(",")[0] for line in done.out.splitlines()] == [
        "due again (was failed: expired: no room)",
        "was sent",
        f"is {listed(veille, site)[5]['state']}",
        "there is no such delivery",
    ]
    assert veille("deliveries", "retry", "2", "--target", "desk", site=site).out == "2: belongs to target log\n"
    assert listed(veille, site)[2]["state"] == "failed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry"], "say which"),
        (["retry", "1", "--all-failed"], "say which"),
        (["--state", "sent"], "'sent' is no state"),
        (["retry", "--all-failed"], "nothing was given up"),
    ],
    ids=["nothing", "both", "state", "none-dead"],
)
def test_questions_without_an_answer(veille, site: Site, words: list[str], said: str) -> None:
    """Said in a sentence."""
    done = veille("deliveries", *words, site=site)
    assert said in done.out + done.err


LATER = "2100-02-06 23:30:00.000000"
OPEN = "UPDATE delivery SET state = 'open', attempts = 0, reason = '', message_id = '', subject = '', due = '{due}', "
PAST = "2020-01-01 00:00:00.000000"


def held(why: str) -> list[str]:
    """The first delivery waits, for this reason."""
    return [OPEN.format(due=LATER) + f"hold = '{why}' WHERE id = 1"]


TARGET = "INSERT OR REPLACE INTO target (id, parked, failures, told, {column}) VALUES ('log', '', 0, 0, '{at}')"


@pytest.mark.parametrize(
    ("statements", "wait", "words"),
    [
        (held("quiet-hours"), "quiet-hours", "quiet hours until 2100-02-07 06:30 UTC+07"),
        (held("digest"), "digest", "the digest of 2100-02-07 06:30 UTC+07"),
        (held("throttled"), "throttled", "what the target takes in that time"),
        (held("group-wait"), "group-wait", "for more on the same"),
        (held("escalation"), "escalation", "unless somebody acknowledges"),
        (
            [f"UPDATE delivery SET state = 'retry', due = '{LATER}', attempts = 2, reason = '451 later' WHERE id = 1"],
            "retry",
            "tried again at 2100-02-07 06:30 UTC+07, after 2 attempts: 451 later",
        ),
        (
            [OPEN.format(due=PAST) + "hold = '' WHERE id = 1", TARGET.format(column="next_at", at=LATER)],
            "rate",
            "the next at 2100-02-07 06:30:00 UTC+07",
        ),
        (
            [OPEN.format(due=PAST) + "hold = '' WHERE id = 1", TARGET.format(column="blocked_until", at=LATER)],
            "target-busy",
            "asked for time: tried with one message at 2100-02-07 06:30 UTC+07",
        ),
        (
            [
                OPEN.format(due=PAST) + "hold = '' WHERE id = 1",
                TARGET.format(column="probe_at", at=LATER),
                f"UPDATE target SET failing_since = '{PAST}'",
            ],
            "target-failing",
            "fails since 2020-01-01 07:00 UTC+07",
        ),
        (
            [
                OPEN.format(due=PAST) + "hold = '' WHERE id = 1",
                TARGET.format(column="probe_at", at=PAST),
                "UPDATE target SET parked = 'no_service'",
            ],
            "target-parked",
            "its target takes nothing until the configuration is right and read again: no_service",
        ),
        (
            [
                OPEN.format(due=PAST) + "hold = '', after_id = 2 WHERE id = 1",
                "DELETE FROM target",
            ],
            "thread",
            "goes below delivery 2, which is not sent yet",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)  # fmt: skip
def test_each_wait_has_its_word_and_its_end(veille, site: Site, statements: list[str], wait: str, words: str) -> None:
    """An open delivery has the title of its article, though nothing is sealed yet; times are the desk's."""
    change(site, *statements)
    found = listed(veille, site)[1]
    assert found["wait"] == wait
    assert words in found["sentence"]
    assert (found["subject"].startswith(("Hun Sen", "[")), found["articles"]) == (True, [6])
    assert words in " ".join(veille("deliveries", site=site).out.split())
