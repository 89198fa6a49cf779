"""Obligations, decided again where articles have moved to other stories.

That is what is not sealed, and what was kept back because of a story that is not its article's any more.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from worker.alerts import ESCALATION, About, History, Silenced, alert, recipients
from worker.model import (
    DeliveryState,
    Match,
    Novelty,
    NoveltyKind,
    Obligation,
    Occasion,
    Severity,
    Suppression,
    Verdict,
    WaitReason,
)
from worker.pipeline.context import ActiveConfig
from worker.pipeline.obligations import silenced
from worker.pipeline.story_merge import join, settle_open
from worker.store import Tx, articles, entries, ledger, notification_history, open_deliveries, revisiting
from worker.store.revisiting import Decided

#: So long what was kept back may be sent after all.
KEPT = timedelta(days=30)
_STORY_LEVEL = (Occasion.FOLLOW_UP, Occasion.DEVELOPMENT)


def decide_again(tx: Tx, live: ActiveConfig, story_ids: Collection[int], moved: Collection[int], now: datetime) -> None:
    """After articles were `moved` among these stories: decide what is not sealed, and what was kept back.

    What was sealed stays as it is. Under the ingest lock.
    """
    rearrange(tx, live, story_ids, now)
    for story_id in story_ids:
        _reconsider(tx, live, story_id, moved, now)


def rearrange(tx: Tx, live: ActiveConfig, story_ids: Collection[int], now: datetime) -> None:
    """After articles were moved among these stories: let each open delivery carry what is of its own, by its name."""
    for story_id in story_ids:
        part(tx, story_id, now)
    for story_id in story_ids:
        join(tx, live, story_id)
        settle_open(tx, live, story_id)
        _call_first(tx, story_id)


def part(tx: Tx, story_id: int, now: datetime) -> None:
    """Move what a story's open deliveries carry for other stories to those stories' deliveries."""
    for prefix in ("story:", f"{ESCALATION}story:"):
        left: set[int] = set()
        open_deliveries.open_of(tx, f"{prefix}{story_id}")  # under a lock, so that nobody seals them meanwhile
        for number, delivery_id, recipient, target_id, due, hold, other in revisiting.waiting(
            tx, f"{prefix}{story_id}"
        ):
            if other is None or other == story_id:
                continue
            held = WaitReason(hold) if hold and hold != WaitReason.REPEAT_INTERVAL else None
            owed = Obligation(
                rule_id="", target_id=target_id, recipient=recipient, occasion="", verdict=Verdict.OWED, hold=held
            )
            sooner = now if hold == WaitReason.REPEAT_INTERVAL else due
            into, _ = open_deliveries.collect(tx, owed, f"{prefix}{other}", sooner, now)
            revisiting.carry(tx, number, into)
            left.add(delivery_id)
        for delivery_id in sorted(left):
            if not ledger.carried(tx, delivery_id):
                open_deliveries.drop(tx, delivery_id)


def _call_first(tx: Tx, story_id: int) -> None:
    """Let what is sent of a story before all else be its first, where it is not sealed."""
    notified: set[tuple[str, str]] = set()
    for one in revisiting.of_story(tx, story_id):
        pair = one.rule_id, one.recipient
        # A later text of an article is a development, whatever its story.
        is_open = one.state == DeliveryState.OPEN and one.revision == 1
        if is_open and pair not in notified and one.occasion in _STORY_LEVEL:
            revisiting.call(tx, one.id, Occasion.FIRST)
        if one.is_notified:
            notified.add(pair)


def _reconsider(tx: Tx, live: ActiveConfig, story_id: int, moved: Collection[int], now: datetime) -> None:
    """Owe what was kept back for a reason that is gone."""
    in_force = silenced(tx, live, now)
    lines = revisiting.of_story(tx, story_id)
    notified = {(one.rule_id, one.recipient) for one in lines if one.is_notified}
    for one in lines:
        pair = one.rule_id, one.recipient
        if one.occasion.startswith(Occasion.WAVE):
            continue  # its rule alerts on waves: whatever kept the article back, it is not sent by itself
        is_muted = one.suppression == Suppression.MUTED_STORY and one.article_id in moved
        # What was given up or forgotten long ago makes no old news of it.
        is_recent = now - one.created <= KEPT
        is_first = one.suppression == Suppression.SAME_STORY and pair not in notified and is_recent
        # Who puts a copy apart from its original says that it is another article.
        is_parted = one.suppression == Suppression.COPY and one.article_id in moved and one.of_id not in moved
        is_free = is_first or is_parted or (is_muted and not _is_silenced(one, in_force, now))
        if is_free and owe_again(tx, live, one, now):
            notified.add(pair)


def _is_silenced(one: Decided, in_force: Collection[Silenced], now: datetime) -> bool:
    return any(
        silence.covers(one.rule_id, one.recipient, story_id=one.story_id, feed=one.source, now=now)
        for silence in in_force
    )


def owe_again(tx: Tx, live: ActiveConfig, one: Decided, now: datetime) -> bool:
    """Decide an obligation that was kept back as if its article came now; whether it is owed now."""
    match, about = _match(live, one), _about(tx, live, one, now)
    targets = [to.target for to in recipients(match, live.config.alerts, about) if to.target.throttle]
    since = {target.id: now - target.throttle.per for target in targets if target.throttle}
    history = History(
        standing={} if one.story_id is None else notification_history.of_story(tx, one.story_id),
        silences=silenced(tx, live, now),
        recent=notification_history.recent(tx, [one.rule_id], since) if since else {},
    )
    found = alert([match], Novelty(kind=NoveltyKind.NEW), history, live.config.alerts, about)
    mine = next((o for o in found if o.recipient == one.recipient and o.occasion != Occasion.ESCALATION), None)
    if mine is None or mine.verdict is not Verdict.OWED:
        return False
    revisiting.create_obligations(tx, one.id, mine, occasion=mine.occasion, now=now)
    reminders = [o for o in found if o.occasion == Occasion.ESCALATION]
    if reminders and mine.occasion == Occasion.FIRST:
        ledger.add_obligations(tx, one.article_id, {one.rule_id: one.match_id}, reminders, due=now, now=now)
        for reminder in reminders:
            if (again := revisiting.withdrawn(tx, one, reminder)) is not None:
                revisiting.create_obligations(tx, again, reminder, occasion=None, now=now)
    return True


def send_after_all(tx: Tx, live: ActiveConfig, one: Decided, now: datetime) -> None:
    """Owe what was kept back whatever keeps it back, on its own occasion, at once."""
    match, about = _match(live, one), _about(tx, live, one, now)
    to = next((to for to in recipients(match, live.config.alerts, about) if to.recipient == one.recipient), None)
    by_story = one.story_id is not None and (to is None or to.notification.key == "story")
    owed = Obligation(
        rule_id=one.rule_id,
        target_id=to.target.id if to else one.target_id,
        recipient=one.recipient,
        occasion=one.occasion,
        verdict=Verdict.OWED,
        collects=f"story:{one.story_id}" if by_story else f"article:{one.article_id}",
        due=now,
    )
    revisiting.create_obligations(tx, one.id, owed, occasion=None, now=now)


def _match(live: ActiveConfig, one: Decided) -> Match:
    """The match, as far as it says whom it concerns: by the rule of today, where there is one of that id."""
    rule = next((rule for rule in live.ruleset.written if rule.id == one.rule_id), None)
    return Match(
        rule_id=one.rule_id,
        rule_name=one.rule_name,
        rule_hash=one.rule_hash,
        severity=Severity(one.severity),
        spans=(),
        to=rule.to if rule else (),
        notification=rule.alert if rule else None,
        volume=rule.volume if rule else None,
    )


def _about(tx: Tx, live: ActiveConfig, one: Decided, now: datetime) -> About:
    stored = articles.get(tx, one.article_id)
    assert stored is not None, "an article that stands in the ledger is there"
    feed_id = entries.of_article(tx, one.article_id)
    feed = live.feed(feed_id) if feed_id else None
    article = stored.article
    return About(
        article_id=one.article_id,
        story_id=one.story_id,
        revision=stored.revision,
        feed=article.source,
        tags=feed.tags if feed else (),
        language=article.language,
        source=article.source,
        published=article.published,
        first_seen=article.first_seen,
        now=now,
    )
