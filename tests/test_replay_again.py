"""What was kept, once more: with the same rules byte for byte the same, with others what they tell more and less."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from desk import Desk
from fivedays import at, five_days
from fivedays import run as run_five_days
from hypothesis import given, settings
from replaying import ACCOUNTS, BEGIN, CORRECTED, OTHER_RULES, A, B, Week, replayed, week_desk
from rig import RULES, Site
from stored import python
from test_conservation import Failing, _steps, _targets, _tellings
from test_conservation import run as run_policy

from worker.app.worker import forget
from worker.config import Retention
from worker.model import Telling
from worker.pipeline import deliver as job
from worker.pipeline.live import Live
from worker.replay import Compared
from worker.replay.compared import Kind
from worker.rules import compile_rules
from worker.store import Store, events, open_store
from worker.store.backup import backup, restore

NO_WARM_UP = timedelta(0)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A week that has passed; the tests only read it."""
    with week_desk(tmp_path_factory.mktemp("week")) as desk, mock.patch.object(job, "send", desk.send):
        asyncio.run(Week(desk).run())
        yield desk


def with_rules(live: Live, text: str) -> Live:
    return replace(live, ruleset=compile_rules({"rules.toml": text.encode()}))


async def again(desk: Desk, since: datetime = BEGIN, live: Live | None = None, **more: timedelta):
    return await replayed(desk.store, live or desk.edges.live, since, desk.now, **more)


def assert_same(compared: Compared) -> None:
    """Not a line and not a byte is another one."""
    assert compared.changes == []
    assert compared.resealed == []
    assert compared.same
    for counts in (compared.matches, compared.obligations, compared.messages):
        assert counts["then"] == counts["now"] == counts["same"] + counts["begun"]


async def test_the_week_has_all_there_is(week: Desk) -> None:
    """Copies, follow-ups, corrections, developments, reminders, every hold: or the tests below would show nothing."""
    ledger = {row[0] for row in week.rows("SELECT occasion || ' ' || verdict || suppression FROM obligation")}
    assert {
        "first owed",
        "follow-up owed",
        "correction owed",
        "development owed",
        "escalation owed",
        "escalation suppressedacknowledged",
        "first suppressedbacklog",
        "follow-up suppressedcopy",
        "first suppressedsilenced",
        "correction suppressedmuted-story",
    } <= ledger
    assert set(week.rows("SELECT DISTINCT kind FROM event")) == {
        (str(kind),) for kind in events.Kind if not kind.startswith("forgot-")
    }
    assert week.one("SELECT count(*) FROM attempt WHERE outcome IN ('retry', 'permanent', 'uncertain')") >= 4
    assert {row[0] for row in week.rows("SELECT DISTINCT collects FROM delivery")} >= {"digest"}
    assert week.one("SELECT count(*) FROM entry WHERE page_text != ''") == 2
    assert any(request.headers.get("if-none-match") for request in week.web.requests)


async def test_the_same_rules_say_the_same(week: Desk) -> None:
    """Match by match, verdict by verdict, byte by byte; nothing is left out, and nothing of the store is written."""
    before = week.rows("SELECT count(*), max(id) FROM event")
    done, compared = await again(week)
    assert_same(compared)
    assert compared.matches["same"] == week.one("SELECT count(*) FROM match")
    assert compared.obligations["same"] == week.one("SELECT count(*) FROM obligation")
    assert compared.messages["same"] == week.one(
        "SELECT count(*) FROM delivery WHERE message_id != '' AND collects != 'notice'"
    )
    assert compared.messages["begun"] == compared.not_compared == 0
    assert set(astuple(done.skipped)) == {0}
    assert done.known == 0
    assert week.rows("SELECT count(*), max(id) FROM event") == before


async def test_from_the_middle(week: Desk) -> None:
    """From every moment on at which something happened, with what stood before it taken from the store as it is now."""
    moments = sorted({row[0] for row in week.rows("SELECT at FROM event")})
    known = []
    for moment in moments[2::4]:
        since = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        done, compared = await again(week, since, warm_up=NO_WARM_UP)
        assert_same(compared)
        known.append(done.known)
    assert known == sorted(known)
    assert known[0] < known[-1]
    assert len(known) > 3


async def test_before_the_moment_asked_for_stories_are_made_as_they_were(week: Desk) -> None:
    """The replay begins days earlier, and compares from the moment on."""
    since = BEGIN + timedelta(hours=3)
    done, compared = await again(week, since)
    assert_same(compared)
    assert done.start == BEGIN
    assert done.known == 0
    assert 0 < compared.matches["same"] < week.one("SELECT count(*) FROM match")


def test_in_another_process_on_a_restored_backup(week: Desk, tmp_path: Path) -> None:
    """With another hash seed, the copy brought back into a folder of its own."""
    copy, path = tmp_path / "backup.db", tmp_path / "restored.db"
    backup(week.folder / "veille.db", copy)
    restore(path, copy, week.now)
    code = "import sys; from replaying import replay_elsewhere; replay_elsewhere(*sys.argv[1:])"
    with mock.patch.dict(os.environ, {"PYTHONHASHSEED": "77"}):
        process = python(code, str(path), week.now.isoformat(), folder=tmp_path)
    out, err = process.communicate(timeout=110)
    assert process.returncode == 0, err
    same, matches, obligations, messages = out.splitlines()[-1].split()
    assert same == "True"
    assert int(matches) == week.one("SELECT count(*) FROM match")
    assert int(obligations) == week.one("SELECT count(*) FROM obligation")
    assert int(messages) == week.one("SELECT count(*) FROM delivery WHERE message_id != '' AND collects != 'notice'")


async def test_five_days_of_one_story(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The golden scenario: nights, a digest, and a mail server that is away for 26 hours."""
    with five_days(tmp_path) as desk, mock.patch.object(job, "send", desk.send):
        await run_five_days(desk)
        capsys.readouterr()
        for since, messages in ((at(1, "08:00"), 11), (at(4, "12:00"), 2)):
            _, compared = await again(desk, since, warm_up=NO_WARM_UP)
            assert_same(compared)
            assert compared.messages["same"] == messages


@settings(max_examples=5)
@given(_targets, _tellings, _steps)
def test_any_policy_says_the_same_again(targets: list, telling: Telling, steps: list[tuple]) -> None:
    """Whatever is published, held, silenced or refused."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Failing(Path(folder), targets, telling) as desk,
        mock.patch.object(job, "send", desk.send),
    ):
        begin = desk.now
        asyncio.run(run_policy(desk, steps))
        _, compared = asyncio.run(again(desk, begin))
        assert_same(compared)


# --- other rules ---------------------------------------------------------------------------------------------------


async def test_a_changed_rule_shows(week: Desk) -> None:
    """What it tells more and what less, article by article, as the rule itself says when it is asked apart."""
    live = with_rules(week.edges.live, OTHER_RULES)
    _, compared = await again(week, live=live)
    assert not compared.same
    bodies = week.rows(
        "SELECT r.article_id, r.number, r.title || ' ' || r.body FROM revision r JOIN article a "
        "ON a.id = r.article_id WHERE a.origin = 'feed'"
    )
    wanted = {(article, number) for article, number, text in bodies if "corridor" in text or "turbines" in text}
    had = set(week.rows("SELECT m.article_id, r.number FROM match m JOIN revision r ON r.id = m.revision_id"))
    changes = [one for one in compared.changes if not one.recipient]
    assert sorted(one.article for one in changes if one.kind is Kind.LESS) == sorted(a for a, _ in had - wanted)
    assert sorted(one.article for one in changes if one.kind is Kind.MORE) == sorted(a for a, _ in wanted - had)
    assert compared.matches["now"] == len(wanted)
    lost = {article for article, _ in had} - {article for article, _ in wanted}
    told = set(week.rows("SELECT DISTINCT article_id, recipient FROM obligation WHERE verdict = 'owed'"))
    less = {(one.article, one.recipient) for one in compared.changes if one.kind is Kind.LESS and one.tells}
    assert {pair for pair in told if pair[0] in lost} <= less
    assert compared.rules["visit"].told["less"] >= len(lost)
    assert compared.messages["less"] > 0
    assert compared.rewritten["visit"] == len(had & wanted)


async def test_one_more_rule_tells_more_and_takes_nothing_away(week: Desk) -> None:
    """Its messages are sealed when they are due, and taken for sent."""
    more = RULES + '[[rule]]\nid = "turbines"\nseverity = "low"\nwhen = "=turbines"\nalert = { to = ["boss"] }\n'
    _, compared = await again(week, live=with_rules(week.edges.live, more))
    assert {(one.rule, one.kind) for one in compared.changes} == {("turbines", Kind.MORE)}
    assert compared.rules["turbines"].told == {"then": 0, "now": 1, "more": 1, "less": 0}
    assert compared.rules["visit"].told["more"] == compared.rules["visit"].told["less"] == 0
    ((kind, _, then, now),) = compared.resealed
    assert (kind, then) == (Kind.MORE, "")
    assert "turbines: Hun Sen attendu à Kampot" in now
    assert not compared.rewritten


async def test_a_rule_of_another_text_is_not_the_same(week: Desk) -> None:
    """Even where it finds the same words: its hash stands with every match."""
    _, compared = await again(week, live=with_rules(week.edges.live, RULES.replace("NEAR/12", "NEAR/13")))
    assert compared.changes == []
    assert compared.rewritten["visit"] == week.one("SELECT count(*) FROM match")
    assert not compared.same


# --- what cannot be told ---------------------------------------------------------------------------------------------


@pytest.fixture
def copied(week: Desk, tmp_path: Path) -> Iterator[Store]:
    """A copy of the week's store, to take something away from."""
    backup(week.folder / "veille.db", tmp_path / "copy.db")
    store = open_store(f"sqlite:///{tmp_path / 'copy.db'}", create=False)
    yield store
    store.close()


async def test_bytes_that_are_gone_are_counted(week: Desk, copied: Store) -> None:
    """And what stood on them is not compared; it is never silently less."""
    with copied.write() as tx:
        sha = tx.execute(
            sa.text(
                "SELECT sha256 FROM event WHERE kind = 'document' AND data LIKE '%b.example%' OR id = "
                "(SELECT min(id) FROM event WHERE kind = 'document' AND about = 2)"
            )
        ).scalar()
        tx.execute(sa.text("DELETE FROM raw WHERE sha256 = :sha"), {"sha": sha})
    done, compared = await replayed(copied, week.edges.live, BEGIN, week.now)
    assert done.skipped.bytes_gone == 1
    assert done.skipped.entries >= 1
    assert len(done.missing) >= 1
    assert compared.not_compared > 0
    assert not {one.article for one in compared.changes} & done.missing


async def test_before_the_events_begin_nothing_can_be_told(week: Desk, copied: Store) -> None:
    """What was owed before is counted; what stood then is known as it is now; the rest is the same."""
    cut = BEGIN + timedelta(hours=3)
    with copied.write() as tx:
        assert events.forget(tx, before=cut) > 0
        before = tx.execute(sa.text("SELECT count(*) FROM obligation WHERE created < :cut"), {"cut": f"{cut:%F %T}"})
        owed_before = before.scalar()
    done, compared = await replayed(copied, week.edges.live, BEGIN, week.now)
    assert_same(compared)
    assert done.skipped.owed_before == owed_before > 0
    assert done.known > 0
    assert compared.obligations["then"] == week.one("SELECT count(*) FROM obligation") - owed_before


async def test_without_events_everything_is_counted(week: Desk, copied: Store) -> None:
    """As in a store of before there were any."""
    with copied.write() as tx:
        events.forget(tx, before=week.now + timedelta(days=1))
    done, compared = await replayed(copied, week.edges.live, BEGIN, week.now)
    assert done.start is None
    assert done.skipped.owed_before == week.one("SELECT count(*) FROM obligation")
    assert compared.obligations == {"then": 0, "now": 0} or not compared.obligations


async def test_a_feed_that_is_gone_is_read_all_the_same(week: Desk) -> None:
    """By its name, without its language: it is said."""
    config = week.edges.live.config
    live = replace(week.edges.live, config=replace(config, feeds=config.feeds[1:]))
    done, compared = await again(week, live=live)
    assert done.skipped.feeds_gone == 1
    assert_same(compared)


async def test_a_text_that_changed_since_is_an_update_again(week: Desk, copied: Store) -> None:
    """What it was is shown by the document of before the start; where that is not kept, which is counted, by itself."""
    changed = copied_one(
        copied,
        "SELECT max(created) FROM revision WHERE article_id = (SELECT article_id FROM entry "
        "WHERE parsed LIKE '%\"a1\"%')",
    )
    since = datetime.fromisoformat(changed).replace(tzinfo=UTC)
    done, compared = await replayed(copied, week.edges.live, since, week.now, NO_WARM_UP)
    assert_same(compared)
    assert done.skipped.feeds_without_before == 0
    with copied.write() as tx:
        tx.execute(
            sa.text(
                "DELETE FROM raw WHERE sha256 IN (SELECT sha256 FROM document WHERE at < :since AND "
                "sha256 NOT IN (SELECT sha256 FROM event WHERE at >= :since))"
            ),
            {"since": changed},
        )
    done, compared = await replayed(copied, week.edges.live, since, week.now, NO_WARM_UP)
    assert done.skipped.feeds_without_before > 0
    assert_same(compared)


def copied_one(store: Store, query: str):
    with store.read() as tx:
        return tx.execute(sa.text(query)).scalar()


async def test_what_was_forgotten_is_forgotten_again(tmp_path: Path) -> None:
    """Articles and messages past their retention bear on what came later as they did then: not at all."""
    with week_desk(tmp_path) as desk, mock.patch.object(job, "send", desk.send):
        week = Week(desk)
        week.show(A, "a1", ACCOUNTS[0])
        await desk.pass_()
        await week.wait(times=40)
        keep = Retention(articles=timedelta(hours=12), ledger=timedelta(hours=12))
        config = replace(desk.edges.live.config, retention=keep)
        forget(desk.store, replace(desk.edges.live, config=config), desk.now)
        assert desk.one("SELECT count(*) FROM article") == 0
        week.show(B, "b1", ACCOUNTS[0])
        await desk.pass_()
        await week.wait(times=40)
        _, compared = await again(desk)
    assert_same(compared)
    assert compared.obligations["same"] > 0
    assert compared.messages["same"] > 0


async def test_on_either_database(store: Store, tmp_path: Path) -> None:
    """The live store may be PostgreSQL's; what it is run over again in is a file."""
    with week_desk(tmp_path) as desk, mock.patch.object(job, "send", desk.send):
        desk.store.close()
        desk.store = desk.edges.store = store
        desk.reload()
        week = Week(desk)
        week.show(A, "a1", ACCOUNTS[0])
        await desk.pass_()
        await week.wait(10)
        week.show(B, "b1", ACCOUNTS[1])
        week.show(A, "a1", CORRECTED)
        await desk.pass_()
        await week.wait(times=30)
        for since in (BEGIN, BEGIN + timedelta(minutes=5)):
            _, compared = await again(desk, since, warm_up=NO_WARM_UP)
            assert_same(compared)
            assert compared.messages["same"] > 1


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, veille) -> Site:
    """A site that polled the sample feed once."""
    site = Site(tmp_path, feeds=["veille:sample"])
    assert veille("poll", "--json", site=site).code == 0
    return site


def test_the_command(veille, site: Site) -> None:
    """The same again, exit code 0; another rule in a folder says what it would have told; the store stays as it is."""
    store = site.folder / "veille.db"
    before = store.read_bytes()
    run = veille("replay", "--since", "1h", "--dry-run", "--json", site=site)
    assert run.code == 0, run.err
    found = json.loads(run.out)
    assert found["same"] is True
    assert found["tried"] is False
    assert found["matches"]["then"] == found["matches"]["same"] == found["rules"]["visit"]["matches"]["now"] > 0
    assert set(found["not_replayed"].values()) == {0}
    draft = site.folder / "draft"
    draft.mkdir()
    (draft / "r.toml").write_text('[[rule]]\nid = "all"\nwhen = "=le OR =la OR =les"\n')
    tried = veille("replay", "--since", "1h", "--rules", str(draft), "--dry-run", site=site)
    assert tried.code == 0, tried.err
    assert "+ all matches" in tried.out
    assert "- visit to log:log, first" in tried.out
    assert "Not the same" not in tried.out
    assert store.read_bytes() == before


def test_rules_that_were_written_anew_are_not_the_same(veille, site: Site) -> None:
    """Exit code 1, and the differences."""
    (site.folder / "rules" / "rules.toml").write_text(OTHER_RULES)
    run = veille("replay", "--since", "1h", "--dry-run", site=site)
    assert run.code == 1
    assert "- visit matches" in run.out
    assert "Not the same." in run.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--since", "1h"), 2, "say --dry-run"),
        (("--dry-run",), 2, "--since"),
        (("--since", "soon", "--dry-run"), 78, "no time"),
        (("--since", "1h", "--dry-run", "--rules", "nowhere"), 78, "nowhere"),
    ],
    ids=["not dry", "since when", "no time", "no rules"],
)
def test_what_cannot_be_asked(veille, site: Site, words: tuple[str, ...], code: int, said: str) -> None:
    """Each with its sentence."""
    run = veille("replay", *words, site=site)
    assert run.code == code
    assert said in run.err


def test_before_the_first_poll(veille, tmp_path: Path) -> None:
    """There is no store to read."""
    run = veille("replay", "--since", "1h", "--dry-run", site=Site(tmp_path))
    assert run.code == 78
    assert "there is no store" in run.err
