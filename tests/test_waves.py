"""Waves through the whole job: which article tells one, what the ledger says of the others, what the message shows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from random import Random

import pytest
from desk import FEED, Desk, email_target, feed, scripted
from rig import Item
from test_story_alerts import mails, plain

from worker.model import (
    DigestPolicy,
    Escalation,
    NotificationPolicy,
    Outcome,
    Quiet,
    Receipt,
    Route,
    Throttle,
)
from worker.store import ledger, silences

OTHER = "https://b.example/feed"
DESK = "mailto:a@example.org"
SYLLABLES = [a + b for a in "bdfglmnprstv" for b in ("a", "é", "i", "o", "u")]
RULES = """
[[rule]]
id = "flood"
name = "Crues"
severity = "high"
when = "=crue"
[rule.volume]
at_least = 5
per = "6h"
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    feeds = [feed(name="Le Fil"), feed(OTHER, name="La Dépêche", alert_backlog=False)]
    targets = [replace(email_target("desk", "a@example.org"), timezone="UTC")]
    with Desk(tmp_path, feeds=feeds, targets=targets, rules=RULES, notification=NotificationPolicy()) as made:
        yield scripted(monkeypatch, made)


def dispatch(number: int, *, key: str = "", word: str = "crue") -> Item:
    """An item of a story of its own: hardly a word of it stands in another one."""
    chance = Random(number)
    words = ["".join(chance.choice(SYLLABLES) for _ in range(3)) for _ in range(30)]
    text = f"La {word} : {' '.join(words)}."
    return Item(
        key or f"k{number}", f"{words[0].title()} et {words[1]} : la {word}", text, f"https://a.example/{number}"
    )


async def arrive(desk: Desk, items: Sequence[Item], url: str = FEED, *, minutes: int = 20) -> None:
    """Let a feed hold these, one pass later."""
    desk.later(minutes=minutes)
    desk.web.feed(url, items)
    await desk.pass_()


async def one_by_one(desk: Desk, numbers: Sequence[int], *, minutes: int = 20) -> None:
    for number in numbers:
        await arrive(desk, [dispatch(n) for n in range(max(0, number - 20), number + 1)], minutes=minutes)


def lines(desk: Desk) -> list[str]:
    """Lines of the ledger, in order: article, occasion, verdict or reason, figures, the wave."""
    query = (
        "SELECT article_id || ' ' || occasion || ' ' || CASE verdict WHEN 'owed' THEN verdict ELSE suppression END "
        "|| ' ' || why || ' ' || coalesce(CAST(wave AS text), '-') FROM obligation ORDER BY id"
    )
    return [row[0] for row in desk.rows(query)]


def breaches(desk: Desk) -> tuple[str, ...]:
    with desk.store.read() as tx:
        return ledger.audit(tx)


async def test_the_fifth_story_tells_the_tenth_tells_again(desk: Desk) -> None:
    """Four are silent, the fifth brings one alert, those after are silent until there are as many more."""
    await one_by_one(desk, range(4))
    assert desk.attempts == []
    await one_by_one(desk, [4])
    assert len(desk.attempts) == 1
    await one_by_one(desk, range(5, 9))
    assert len(desk.attempts) == 1
    await one_by_one(desk, [9])
    assert len(desk.attempts) == 2
    first = desk.one("SELECT min(id) FROM article WHERE origin = 'feed'")
    wave = first + 4
    assert lines(desk) == [
        *(f"{first + n} wave below-volume {n + 1} of 5 stories in 6 h {wave}" for n in range(4)),
        f"{wave} wave owed 5 stories in 6 h {wave}",
        *(f"{wave + n} wave in-wave {5 + n} stories in 6 h {wave}" for n in range(1, 5)),
        f"{wave + 5} wave-2 owed 10 stories in 6 h {wave}",
    ]
    assert breaches(desk) == ()
    told, again = mails(desk)
    assert told["Subject"] == "[high] Crues: Vague de 5 affaires en 6 heures"
    assert again["Subject"] == f"Re: {told['Subject']}"
    assert again["In-Reply-To"] == told["Message-ID"]
    assert plain(again).startswith("La vague déjà signalée grandit.")
    assert "Vague de 10 affaires en 6 heures" in plain(again)
    assert "… et 2 autres affaires" in plain(again)
    for number in range(5):
        assert f"https://a.example/{number}\n" in plain(told).replace("\r\n", "\n")


async def test_stories_count_and_copies_revisions_and_backlog_do_not(desk: Desk) -> None:
    """Eight articles that match, of which four count."""
    same = dispatch(0)
    backlog = [dispatch(n, key=f"old{n}") for n in (20, 21, 22)]
    await arrive(desk, [same, dispatch(1), dispatch(2)])
    copy = replace(same, guid="copy", title=same.title, link="https://b.example/copy")
    await arrive(desk, backlog, OTHER)
    await arrive(desk, [*backlog, copy], OTHER)
    corrected = replace(dispatch(1), text=dispatch(1).text + " Trois cents crue sont comptées.")
    await arrive(desk, [same, corrected, dispatch(2), dispatch(3)])
    assert desk.attempts == []
    said = [line.split(" ", 1)[1] for line in lines(desk)]
    assert said == [
        "wave below-volume 1 of 5 stories in 6 h -",
        "wave below-volume 2 of 5 stories in 6 h -",
        "wave below-volume 3 of 5 stories in 6 h -",
        *["wave backlog  -"] * 3,
        "wave copy  -",
        "wave below-volume 4 of 5 stories in 6 h -",
    ]
    await one_by_one(desk, [4])
    assert len(desk.attempts) == 1
    assert "old" not in plain(mails(desk)[0])


async def test_old_news_makes_no_wave(desk: Desk) -> None:
    """Articles published long before they were first seen count as little as they are sent."""
    desk.reload(max_age=timedelta(days=1))
    old = [replace(dispatch(n), published="Fri, 02 Jan 2026 08:00:00 GMT") for n in range(5)]
    await arrive(desk, old)
    await arrive(desk, [*old, dispatch(5)])
    assert [line.split()[2] for line in lines(desk)] == [*["old-news"] * 5, "below-volume"]


async def test_a_wave_is_over_when_its_window_holds_less(desk: Desk) -> None:
    """The next one is a wave of its own, told in a thread of its own."""
    await one_by_one(desk, range(5))
    await one_by_one(desk, [5], minutes=400)
    assert desk.one("SELECT count(*) FROM wave WHERE ended IS NOT NULL") == 1
    await one_by_one(desk, range(6, 10))
    first, second = mails(desk)
    assert second["In-Reply-To"] is None
    assert [line.split()[-1] for line in lines(desk)] == ["5"] * 5 + ["10"] * 5
    assert first["Message-ID"] != second["Message-ID"]


async def test_a_wave_goes_on_where_one_comes_as_one_leaves(desk: Desk) -> None:
    """At a steady rate a rule does not alert for every article, but for every five stories."""
    await one_by_one(desk, range(15), minutes=72)
    assert [line.split()[1] for line in lines(desk) if " owed " in line] == ["wave", "wave-2", "wave-3"]
    assert desk.one("SELECT count(*) FROM wave") == 1


async def test_what_a_silence_keeps_back_the_next_article_tells(desk: Desk) -> None:
    """The wave is not lost with the article that completed it."""
    with desk.store.write() as tx:
        number = silences.add(tx, silences.Silence(rule_id="flood", author="me", created=desk.now))
    await one_by_one(desk, range(6))
    assert [line.split()[2] for line in lines(desk)] == ["silenced"] * 6
    with desk.store.write() as tx:
        silences.end(tx, number, desk.now)
    await one_by_one(desk, [6])
    assert lines(desk)[-1].endswith("wave owed 7 stories in 6 h 5")
    assert len(desk.attempts) == 1


async def test_a_muted_story_counts_and_tells_nothing(desk: Desk) -> None:
    """Whoever muted the story that completes a wave hears of the wave with the next one; the others at once."""
    desk.reload(targets=[email_target("desk", "a@example.org"), email_target("night", "b@example.org")])
    await one_by_one(desk, range(4))
    story = desk.one("SELECT max(id) FROM story") + 1
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(story_id=story, recipient=DESK, author="me", created=desk.now))
    await one_by_one(desk, [4])
    assert desk.told == ["mailto:b@example.org"]
    await one_by_one(desk, [5])
    assert desk.told == ["mailto:b@example.org", DESK]
    assert [line.split()[2] for line in lines(desk)][-4:] == ["muted-story", "owed", "owed", "in-wave"]


async def test_each_recipient_hears_of_the_wave_with_the_first_article_that_concerns_it(desk: Desk) -> None:
    """A route may lead what completes it elsewhere."""
    targets = [email_target("desk", "a@example.org"), email_target("night", "b@example.org")]
    routes = [Route(targets=("desk",)), Route(targets=("night",), feeds=frozenset({"La Dépêche"}))]
    desk.reload(targets=targets, routes=routes)
    await arrive(desk, [], OTHER)
    await one_by_one(desk, range(5))
    assert desk.told == [DESK]
    await arrive(desk, [dispatch(7)], OTHER)
    assert desk.told == [DESK, "mailto:b@example.org"]
    assert "6 affaires" in mails(desk)[1]["Subject"]


async def test_two_alerts_that_wait_are_one_message(desk: Desk) -> None:
    """In quiet hours; it tells the wave as it is, and does not speak of one that was told."""
    night = replace(
        email_target("desk", "a@example.org"), quiet=(Quiet(since=time(8), until=time(23)),), timezone="UTC"
    )
    desk.reload(targets=[night])
    await one_by_one(desk, range(10))
    assert desk.attempts == []
    desk.later(hours=14)
    await desk.pass_()
    (mail,) = mails(desk)
    assert mail["Subject"] == "[high] Crues: Vague de 10 affaires en 6 heures"
    assert "grandit" not in plain(mail)
    assert desk.one("SELECT count(*) FROM obligation WHERE verdict = 'owed'") == 2
    assert breaches(desk) == ()


async def test_a_wave_that_waits_outlives_a_mute_of_one_of_its_stories(desk: Desk) -> None:
    """The story of the article that completed it is muted in the night: the wave is told in the morning."""
    night = replace(
        email_target("desk", "a@example.org"), quiet=(Quiet(since=time(8), until=time(23)),), timezone="UTC"
    )
    desk.reload(targets=[night])
    await one_by_one(desk, range(5))
    story = desk.one("SELECT story_id FROM story_article ORDER BY article_id DESC LIMIT 1")
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(story_id=story, author="me", created=desk.now))
    desk.later(hours=14)
    await desk.pass_()
    assert [mail["Subject"] for mail in mails(desk)] == ["[high] Crues: Vague de 5 affaires en 6 heures"]


async def test_a_digest_tells_waves_among_the_rest(desk: Desk) -> None:
    """By title, with the first stories; what was held back is counted."""
    daily = replace(
        email_target("desk", "a@example.org"), digest=DigestPolicy(at="0 20 * * *", but=frozenset()), timezone="UTC"
    )
    desk.reload(targets=[daily], rules=RULES + '[[rule]]\nid = "dam"\nwhen = "=barrage"\n')
    await one_by_one(desk, range(5))
    await arrive(desk, [dispatch(30, word="barrage")])
    desk.later(hours=12)
    await desk.pass_()
    (mail,) = mails(desk)
    text = plain(mail)
    assert "2 alertes" in mail["Subject"]
    assert "Vague de 5 affaires en 6 heures" in text
    assert "la barrage" in text
    assert "4 articles en deçà du volume de leur règle" in text


async def test_a_wave_escalates_once(desk: Desk) -> None:
    """With its first alert; the reminder shows the wave."""
    boss = replace(email_target("boss", "c@example.org"), timezone="UTC", language="en")
    escalation = Escalation(targets=("boss",), after=timedelta(hours=3))
    desk.reload(
        targets=[email_target("desk", "a@example.org"), boss],
        routes=[Route(targets=("desk",), notification=NotificationPolicy(escalation=escalation))],
    )
    await one_by_one(desk, range(10))
    desk.later(hours=3)
    await desk.pass_()
    assert desk.told == [DESK, DESK, "mailto:c@example.org"]
    reminder = mails(desk)[2]
    assert reminder["Subject"] == "[high] Crues: Wave of 5 stories in 6 hours"
    assert plain(reminder).startswith("Reminder: nobody has acknowledged this alert yet.")


async def test_a_reminder_goes_with_the_wave_that_it_reminds_of(desk: Desk) -> None:
    """The desk sleeps, and silences the rule for itself before it heard of the wave: nobody is reminded of it."""
    night = replace(
        email_target("desk", "a@example.org"), quiet=(Quiet(since=time(8), until=time(23)),), timezone="UTC"
    )
    boss = replace(email_target("boss", "c@example.org"), timezone="UTC")
    escalation = Escalation(targets=("boss",), after=timedelta(hours=20))
    desk.reload(
        targets=[night, boss], routes=[Route(targets=("desk",), notification=NotificationPolicy(escalation=escalation))]
    )
    await one_by_one(desk, range(5))
    with desk.store.write() as tx:
        silences.add(tx, silences.Silence(rule_id="flood", recipient=DESK, author="me", created=desk.now))
    for _ in range(3):
        desk.later(hours=14)
        await desk.pass_()
    assert desk.told == []
    assert [line.split()[1:3] for line in lines(desk)][-2:] == [["wave", "silenced"], ["escalation", "silenced"]]


async def test_a_throttle_postpones_waves(desk: Desk) -> None:
    """As it does alerts on single articles."""
    slow = replace(email_target("desk", "a@example.org"), throttle=Throttle(alerts=1, per=timedelta(days=1)))
    desk.reload(targets=[slow])
    await one_by_one(desk, range(10))
    assert len(desk.attempts) == 1
    assert desk.rows("SELECT hold FROM delivery WHERE state = 'open'") == [("throttled",)]


async def test_a_wave_whose_alert_was_given_up_is_told_with_the_next_article(desk: Desk) -> None:
    """Nobody heard of it."""
    desk.script[DESK] = [Receipt(outcome=Outcome.PERMANENT, detail="550 no")]
    await one_by_one(desk, range(6))
    assert [line.split(" ", 1)[1] for line in lines(desk)][-2:] == [
        "wave owed 5 stories in 6 h 5",
        "wave owed 6 stories in 6 h 5",
    ]


async def test_a_rule_that_changes_in_a_wave(desk: Desk) -> None:
    """A higher volume ends it; without a volume each article is told."""
    await one_by_one(desk, range(5))
    desk.reload(rules=RULES.replace("= 5", "= 8"))
    await one_by_one(desk, [5])
    assert lines(desk)[-1].endswith("wave below-volume 6 of 8 stories in 6 h -")
    desk.reload(rules=RULES.partition("[rule.volume]")[0])
    await one_by_one(desk, [6])
    assert lines(desk)[-1].split(" ", 1)[1] == "first owed  -"


async def test_stories_that_a_person_merges_count_as_one(desk: Desk) -> None:
    """From then on; what was told stays told, and a split tells nothing by itself."""
    from worker.pipeline.story_corrections import By, merge, split

    await one_by_one(desk, range(4))
    with desk.store.ingest() as tx:
        merge(tx, desk.context.live, 1, 2, By(author="me", now=desk.now))
    await one_by_one(desk, [4])
    assert desk.attempts == []
    with desk.store.ingest() as tx:
        split(tx, desk.context.live, 2, By(author="me", now=desk.now))
    assert desk.attempts == []
    await one_by_one(desk, [5])
    assert len(desk.attempts) == 1
    assert lines(desk)[-1].endswith("wave owed 6 stories in 6 h 6")


TIMES = RULES.partition("at_least")[0] + 'times = 3\nper = "1h"\n'


@pytest.mark.parametrize(
    ("rules", "weeks", "wanted"),
    [
        (TIMES, 4, [*["below-volume"] * 5, "owed"]),
        (TIMES, 2, ["below-volume"] * 6),
        (TIMES + "at_least = 4\n", 2, [*["below-volume"] * 3, "owed", "in-wave", "in-wave"]),
        (TIMES + "at_least = 7\n", 4, ["below-volume"] * 6),
    ],
    ids=["three times two", "too little past", "until then at_least alone", "at_least is the floor"],
)
async def test_times_compares_with_the_same_hour_of_past_weeks(
    desk: Desk, rules: str, weeks: int, wanted: list[str]
) -> None:
    """Each of which had two stories, and others at another hour."""
    desk.reload(rules=rules)
    start = desk.now
    for week in range(weeks, 0, -1):
        for hour, several in ((0, 2), (5, 4)):
            desk.now = start - timedelta(days=7 * week) + timedelta(hours=hour)
            await arrive(desk, [dispatch(1000 * week + 100 * hour + n) for n in range(several)])
    desk.now = start
    before = len(lines(desk))
    await arrive(desk, [dispatch(n) for n in range(6)], minutes=25)
    now = lines(desk)[before:]
    assert [line.split()[2] for line in now] == wanted
    said = "2 of the rule's past weeks are known" if weeks == 2 else "2.0 at this hour of 4 past weeks"
    assert all(said in line for line in now)


async def test_a_text_that_matches_at_last_counts_once(desk: Desk) -> None:
    """A later text of an article is counted at its first match, and tells nothing by itself."""
    dull = dispatch(8, word="pluie")
    await arrive(desk, [dull])
    await one_by_one(desk, range(3))
    told = replace(dull, text=dull.text + " La crue suit.", title="Pluie, puis crue")
    await arrive(desk, [told, *(dispatch(n) for n in range(3))])
    assert lines(desk)[-1].split(" ", 1) == ["1", "wave below-volume 4 of 5 stories in 6 h -"]
    await arrive(desk, [replace(told, text=told.text + " Et encore la crue."), *(dispatch(n) for n in range(4))])
    assert lines(desk)[-2:] == ["1 wave below-volume 4 of 5 stories in 6 h 5", "5 wave owed 5 stories in 6 h 5"]


async def test_a_wave_is_acknowledged_not_muted(desk: Desk) -> None:
    """There are no links that would be about one of its articles."""
    desk.reload(public_url="https://v.example")
    with desk.store.write() as tx:
        silences.make_signing_key(tx)
    await one_by_one(desk, range(5))
    text = plain(mails(desk)[0])
    assert "Accuser réception" in text
    assert "Ne plus suivre" not in text
    assert "Sans intérêt" not in text


async def test_two_rules_of_one_article_tell_two_waves(desk: Desk) -> None:
    """Each in a message of its own, and beside a rule without a volume."""
    other = RULES.replace("flood", "water").replace("= 5", "= 3").replace("Crues", "Eaux")
    desk.reload(rules=RULES + other + '[[rule]]\nid = "one"\nwhen = "=crue"\n')
    await one_by_one(desk, range(5))
    subjects = sorted(str(mail["Subject"]).partition(":")[0] for mail in mails(desk))
    assert subjects == ["[high] Crues", "[high] Eaux", *["[medium] one"] * 5]
