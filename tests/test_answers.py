"""One-click answers: signed, for a time, and done at a POST alone; and the same answers as commands."""

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest
import structlog.testing
from conftest import database
from desk import Desk, email_target, scripted
from hypothesis import given
from hypothesis import strategies as st
from rig import Item, Site, rss, wait_for
from stored import add
from test_store_stories import tell
from test_story_alerts import ACCOUNTS, A, B, mails, plain, publish

from worker.alerts.answers import LASTS, Action, Answer, sign, verify
from worker.console.answers import routes
from worker.console.server import application
from worker.model import Channel, Notice, NotificationPolicy, Quiet, Secret, SlackSettings, Target, Thread
from worker.notify.render import seal
from worker.pipeline import answering
from worker.store import Store, open_store, silences

NOW = datetime(2026, 2, 6, 8, 0, tzinfo=UTC)
KEY = b"k" * 32
ANSWER = Answer(action=Action.MUTE, article_id=7, recipient="mailto:a@example.org", rules=("visit",))


@given(
    st.sampled_from(Action),
    st.integers(1, 2**40),
    st.text(max_size=60),
    st.lists(st.text(max_size=20), max_size=4).map(tuple),
)
def test_what_was_signed_is_read(action: Action, article: int, recipient: str, rules: tuple[str, ...]) -> None:
    """Within its time, under its key, and no other."""
    answer = Answer(action=action, article_id=article, recipient=recipient, rules=rules)
    token = sign(answer, KEY, NOW)
    assert verify(token, KEY, NOW + LASTS - timedelta(seconds=1)) == answer
    assert verify(token, KEY, NOW + LASTS) is None
    assert verify(token, b"x" * 32, NOW) is None


@given(st.integers(0, 400), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_token_that_was_changed_says_nothing(place: int, char: str) -> None:
    """One letter elsewhere in what it says is enough."""
    token = sign(ANSWER, KEY, NOW)
    at = place % token.index(".")
    changed = token[:at] + char + token[at + 1 :]
    assert (verify(changed, KEY, NOW) is None) == (changed != token)


def test_a_link_of_an_article_of_many_rules_is_read() -> None:
    """Fifty rules with long ids."""
    answer = replace(ANSWER, action=Action.NOISE, rules=tuple(f"{number:060}" for number in range(50)))
    assert verify(sign(answer, KEY, NOW), KEY, NOW) == answer


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "x" * 9000, "..", base64.urlsafe_b64encode(b"[]").decode()])
def test_what_is_no_token(token: str) -> None:
    """It is refused, and never raises."""
    assert verify(token, KEY, NOW) is None


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    from desk import feed

    feeds = [feed(A, name="Le Fil"), feed(B, name="La Dépêche")]
    with Desk(
        tmp_path, feeds=feeds, targets=[email_target("desk", "a@example.org")], notification=NotificationPolicy()
    ) as made:
        with made.store.write() as tx:
            silences.make_signing_key(tx)
        made.public_url = "https://veille.example.org"
        made.reload()
        yield scripted(monkeypatch, made)


def client(desk: Desk) -> httpx.AsyncClient:
    pages = routes(
        lambda token: answering.read(desk.store, desk.context.live, token, desk.now),
        lambda said: answering.take(desk.store, desk.context.live, said, desk.now),
    )
    console = application(lambda: True, lambda: None, answering=pages, hosts=lambda: ["veille.example.org"])  # type: ignore[arg-type, return-value]
    transport = httpx.ASGITransport(console)
    return httpx.AsyncClient(transport=transport, base_url="https://veille.example.org")


async def test_a_click_and_a_confirmation(desk: Desk) -> None:
    """A GET shows what will be done and does nothing; the POST does it, and again it does no more."""
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    links = re.findall(r"https://veille\.example\.org(/answer/\S+)", plain(mails(desk)[0]))
    assert len(links) == 3
    async with client(desk) as browser:
        for link in links:
            page = await browser.get(link)
            assert page.status_code == 200
            assert page.text.count("<form") == 1
            assert "default-src 'none'" in page.headers["content-security-policy"]
        for table in ("silence", "acknowledgement", "judgement"):
            assert desk.one(f"SELECT count(*) FROM {table}") == 0
        for link in [*links, *links]:
            assert (await browser.post(link)).status_code == 200
        for table in ("silence", "acknowledgement", "judgement"):
            assert desk.one(f"SELECT count(*) FROM {table}") == 1
        assert (await browser.post(links[0][:-3] + "abc")).status_code == 404
        desk.later(days=31)
        assert (await browser.post(links[0])).status_code == 404
    desk.later(days=-31, hours=1)
    publish(desk, B, ACCOUNTS[1])
    await desk.pass_()
    assert desk.rows("SELECT suppression FROM obligation WHERE verdict != 'owed'") == [("muted-story",)]


async def test_without_a_public_url_messages_carry_no_links(desk: Desk) -> None:
    """Nobody could follow them."""
    desk.reload(public_url="")
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    assert "/answer/" not in plain(mails(desk)[0])


async def test_a_title_cannot_write_into_the_page(desk: Desk) -> None:
    """An article's title is shown as text."""
    publish(desk, A, ACCOUNTS[0], title="<script>Hun Sen en visite</script>")
    await desk.pass_()
    (link, *_) = re.findall(r"https://veille\.example\.org(/answer/\S+)", plain(mails(desk)[0]))
    async with client(desk) as browser:
        assert "<script" not in (await browser.get(link)).text


# --- commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, feedserver, veille) -> Site:
    items = [Item("1", "Hun Sen en visite", ACCOUNTS[0])]
    made = Site(tmp_path, feeds=[feedserver.serve("/a", rss(items))], allow=[feedserver.place], alerts="")
    veille("poll", site=made)
    return made


def test_silences_are_made_listed_and_ended(veille, site: Site) -> None:
    """With author, reason and end; what does not exist cannot be silenced."""
    made = json.loads(
        veille("silence", "--rule", "visit", "--for", "2d", "--by", "ana", "--reason", "connu", "--json", site=site).out
    )
    (listed,) = json.loads(veille("silence", "--json", site=site).out)
    assert (listed["id"], listed["rule"], listed["author"], listed["reason"]) == (1, "visit", "ana", "connu")
    assert listed["until"] == made["until"]
    assert "rule visit until" in veille("silence", site=site).out
    veille("silence", "--end", "1", site=site)
    assert json.loads(veille("silence", "--json", site=site).out) == []
    assert "did you mean" in veille("silence", "--rule", "vist", site=site).err.lower()
    assert veille("silence", "--end", "1", site=site).code == 1
    assert veille("silence", "--story", "99", site=site).code == 1


def test_a_set_is_silenced_with_its_mark_and_without(veille, site: Site) -> None:
    """`@name` is the set that queries call so."""
    for name in ("hun_sen", "@hun_sen"):
        assert veille("silence", "--set", name, site=site).code == 0
    assert [one["set"] for one in json.loads(veille("silence", "--json", site=site).out)] == ["hun_sen", "hun_sen"]
    assert "there is no set 'nobody'" in veille("silence", "--set", "@nobody", site=site).err


def test_ack_mute_and_ledger(veille, site: Site) -> None:
    """By article; the ledger sums what became of everything, and adds up."""
    article = json.loads(veille("articles", "--containing", "Hun Sen en visite", "--json", site=site).out)[0]["id"]
    assert json.loads(veille("ack", str(article), "--by", "ana", "--json", site=site).out)["before"] is None
    assert json.loads(veille("ack", str(article), "--by", "bo", "--json", site=site).out)["before"] == "ana"
    assert "is muted" in veille("mute-story", str(article), site=site).out
    found = json.loads(veille("ledger", "--since", "1d", "--json", site=site).out)
    assert found["obligations"] == 1
    assert found["breaches"] == []
    assert [(line["rule"], line["state"], line["obligations"]) for line in found["lines"]] == [("visit", "sent", 1)]
    assert "adds up" in veille("ledger", site=site).out
    told = json.loads(veille("why", str(article), "--target", "log", "--json", site=site).out)["ledger"]
    assert [line["state"] for line in told] == ["sent"]
    assert json.loads(veille("why", str(article), "--target", "desk", "--json", site=site).out)["ledger"] == []


def _written(store: Store, given: Answer) -> bool:
    with store.write() as tx:
        return answering._write(tx, given, NOW)


def _waits(store: Store) -> bool:
    """True as soon as a transaction of the database waits for another one's lock."""
    with store.read() as tx:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return tx.exec_driver_sql(waiting).first() is not None


@pytest.mark.parametrize(
    ("action", "tells"),
    [(Action.ACKNOWLEDGE, True), (Action.ACKNOWLEDGE, False), (Action.MUTE, True), (Action.NOISE, False)],
)
def test_of_two_answers_at_once_the_second_sees_the_first(
    postgresql: str, postgresql_template: str, action: Action, tells: bool
) -> None:
    """On PostgreSQL, where two write at a time: of a story, and of an article that tells none."""
    with database(postgresql, postgresql_template) as url:
        store = open_store(url, create=False)
        article = tell(store, "Hun Sen en visite", ACCOUNTS[0]) if tells else add(store, "Hun Sen en visite")
        given = Answer(action=action, article_id=article, recipient="slack:desk", rules=("visit",))
        with ThreadPoolExecutor(1) as other:
            with store.write() as tx:
                assert answering._write(tx, given, NOW)
                second = other.submit(_written, store, given)
                wait_for(lambda: second.done() or _waits(store))
            assert second.result(120) is False
        store.close()


# --- the others ----------------------------------------------------------------------------------------------------


def links_of(mail: object) -> list[str]:
    """The one-click addresses of a mail: acknowledge, mute, not relevant."""
    return re.findall(r"https://veille\.example\.org(/answer/\S+)", plain(mail))


async def told_to_two(desk: Desk) -> list[str]:
    """An alert to two readers in two languages; the first one's links."""
    two = [email_target("desk", "a@example.org"), replace(email_target("paris", "b@example.org"), language="en")]
    desk.targets = two
    desk.reload()
    publish(desk, A, ACCOUNTS[0])
    await desk.pass_()
    first = next(mail for mail in mails(desk) if mail["To"] == "a@example.org")
    return links_of(first)


@pytest.mark.parametrize(
    ("which", "line"),
    list(
        enumerate(
            ["a@example.org acknowledged this alert", "a@example.org muted this story", "a@example.org: not relevant"]
        )
    ),
    ids=["acknowledge", "mute", "noise"],
)
async def test_the_others_see_an_answer(desk: Desk, which: int, line: str) -> None:
    """One line below the alert, in each one's language, to everybody but whoever answered; a second click adds none."""
    link = (await told_to_two(desk))[which]
    async with client(desk) as browser:
        for _ in range(2):
            assert "a@example.org" in (await browser.post(link)).text
    await desk.pass_()
    before, after = mails(desk)[:2], mails(desk)[2:]
    (told,) = after
    alert = next(mail for mail in before if mail["To"] == "b@example.org")
    assert (told["To"], told["Subject"]) == ("b@example.org", f"Re: {alert['Subject']}")
    assert told["In-Reply-To"] == alert["Message-ID"]
    assert line in plain(told)
    assert desk.one("SELECT count(*) FROM delivery WHERE collects = 'notice'") == 1


async def test_the_log_says_that_it_is_an_answer(desk: Desk) -> None:
    """A message below an alert that somebody answered, by that alert's title."""
    link, *_ = await told_to_two(desk)
    async with client(desk) as browser:
        await browser.post(link)
    with structlog.testing.capture_logs() as logged:
        await desk.pass_()
    (said,) = [line for line in logged if line["event"] == "delivery"]
    assert (said["kind"], said["target"], said["title"]) == ("answer to", "paris", "Hun Sen en visite à Vientiane")


async def test_one_set_of_words(desk: Desk) -> None:
    """The page's button bears the name of the link, in the message's language; afterwards it says who answered."""
    link, *_ = await told_to_two(desk)
    async with client(desk) as browser:
        page = (await browser.get(link)).text
        assert '<html lang="fr">' in page
        assert 'name="viewport"' in page
        assert '<button class="main">Accuser réception</button>' in page
        first = next(mail for mail in mails(desk) if mail["To"] == "a@example.org")
        assert "Accuser réception" in plain(first)
        await browser.post(link)
        again = (await browser.get(link)).text
        assert "a@example.org a accusé réception" in again
        assert "<form" not in again
        assert 'href="/static/veille.css"' in again
        lost = await browser.get("/answer/x.y", headers={"accept-language": "en-GB,fr;q=0.5"})
    assert "This link is not valid" in lost.text


async def test_an_answer_at_night_waits_for_the_morning(desk: Desk) -> None:
    """Quiet hours hold the line too."""
    (link, *_) = await told_to_two(desk)
    desk.targets = [desk.targets[0], replace(desk.targets[1], quiet=(Quiet(since=time(0), until=time(23, 59)),))]
    desk.reload()
    async with client(desk) as browser:
        await browser.post(link)
    await desk.pass_()
    assert len(mails(desk)) == 2
    assert desk.rows("SELECT state, hold FROM delivery WHERE collects = 'notice'") == [("open", "quiet-hours")]


def test_why_names_whoever_answered(veille, site: Site) -> None:
    """Acknowledged, muted and judged, each with its author."""
    article = str(json.loads(veille("articles", "--containing", "Hun Sen", "--json", site=site).out)[0]["id"])
    veille("ack", article, "--by", "ana", site=site)
    veille("mute-story", article, "--by", "bo", site=site)
    veille("rules", "label", article, "visit", "noise", "--by", "cy", site=site)
    out = veille("why", article, site=site).out
    for words in ("acknowledged by ana", "muted by bo", "judged noise for visit by cy"):
        assert words in out


def test_an_answer_in_slack() -> None:
    """A bot puts it below the alert; a webhook, which knows no thread, names the alert and its time."""
    thread = Thread(root="<a@b>", subject="[high] Visite: Hun Sen", last="<a@b>", sent=NOW, ref="1503435956.000247")
    notice = Notice(subject="ana a accusé réception.", body="ana a accusé réception.", thread=thread)
    bot = SlackSettings(token=Secret("xoxb-1"), channel="#mekong")
    hook = SlackSettings(webhook=Secret("https://hooks.slack.example/services/T/B/X"))
    said = []
    for settings in (bot, hook):
        target = Target(id="m", channel=Channel.SLACK, settings=settings, recipients=("slack:m",))
        sealed = seal(notice, target=target, recipient="slack:m", key="k", host="veille.example", now=NOW)
        said.append(json.loads(sealed.content))
    assert said[0]["thread_ts"] == thread.ref
    assert len(said[0]["blocks"]) == 1
    assert "thread_ts" not in said[1]
    assert "[high] Visite: Hun Sen" in json.dumps(said[1], ensure_ascii=False)
    assert "ana a accusé réception." in json.dumps(said[1], ensure_ascii=False)
