"""Obligations of an article's matches: the last step of `ingest`, in its transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.alerts import About, History, Silenced, alert, recipients
from worker.analysis.copies import Fingerprint, change
from worker.analysis.text import Document
from worker.model import Article, Match, Novelty, Occasion
from worker.pipeline.context import ActiveConfig
from worker.pipeline.story_merge import join
from worker.store import Tx, articles, fingerprints, ledger, notification_history, silences, stories, waves


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """A stored text of an article, and how it came."""

    article_id: int
    revision_id: int
    article: Article
    matches: Sequence[Match]
    novelty: Novelty
    tags: Sequence[str]
    #: The entry stood in the feed when the feed was first polled.
    backlog: bool
    #: Rules that a copy satisfies in words of its own.
    news: frozenset[str]
    #: Of a changed text: what it is to those who read the former.
    change: Occasion | None = None
    #: Of a changed text: its page alone came, or went; its feed says what it said.
    page_only: bool = False


def create_obligations(tx: Tx, live: ActiveConfig, came: StoredRevision, now: datetime) -> None:
    """Store the matches of a text, what each owes whom, and the deliveries that will carry it."""
    ids = ledger.add_matches(tx, came.article_id, came.revision_id, came.matches, now)
    if not ids:
        return
    about = _about(tx, came, now)
    if about.story_id is not None:
        join(tx, live, about.story_id)
    history = _history(tx, live, came, about)
    owed = alert(came.matches, came.novelty, history, live.config.alerts, about)
    waves.note(tx, owed, history.levels, now)
    ledger.add_obligations(tx, came.article_id, ids, owed, due=now, now=now)


def changed(tx: Tx, article_id: int, new: Fingerprint, document: Document, *, has_page: bool) -> Occasion | None:
    """The meaning of an article's new text to those who read the former; before it is stored."""
    return change(fingerprints.fingerprint_of(tx, article_id), new, document, has_page=has_page)


def silenced(tx: Tx, live: ActiveConfig, now: datetime) -> tuple[Silenced, ...]:
    """The silences in force; those of a set, by the rules that name it now."""
    return tuple(
        Silenced(
            rules=_rules(live, found),
            story_id=found.story_id,
            feed=found.feed,
            recipient=found.recipient,
            until=found.until,
            author=found.author,
            reason=found.reason,
        )
        for found in silences.active(tx, now)
    )


def _rules(live: ActiveConfig, found: silences.Silence) -> frozenset[str] | None:
    if found.rule_id:
        return frozenset({found.rule_id})
    return live.ruleset.naming(found.set_name) if found.set_name else None


def _about(tx: Tx, came: StoredRevision, now: datetime) -> About:
    article = came.article
    stored = articles.get(tx, came.article_id)
    return About(
        article_id=came.article_id,
        story_id=stories.story_of(tx, came.article_id),
        revision=stored.revision if stored else 1,
        feed=article.source,
        tags=came.tags,
        language=article.language,
        source=article.source,
        published=article.published,
        first_seen=article.first_seen,
        now=now,
    )


def _history(tx: Tx, live: ActiveConfig, came: StoredRevision, about: About) -> History:
    of, policy = came.novelty.of, live.config.alerts
    targets = {to.target.id: to.target for match in came.matches for to in recipients(match, policy, about)}
    since = {name: about.now - target.throttle.per for name, target in targets.items() if target.throttle}
    notified_at = notification_history.of_article(tx, came.article_id)
    return History(
        decided=ledger.decided(tx, came.article_id),
        notified_at=notified_at,
        original=None if of is None else articles.origin(tx, of),
        decided_for_original=frozenset() if of is None else ledger.decided_for_text(tx, of),
        news=came.news,
        backlog=came.backlog,
        change=came.change,
        page_only=came.page_only,
        standing={} if about.story_id is None else notification_history.of_story(tx, about.story_id),
        silences=silenced(tx, live, about.now),
        recent=notification_history.recent(tx, [match.rule_id for match in came.matches], since) if since else {},
        levels={
            match.rule_id: waves.level(tx, match.rule_id, match.volume, about.now)
            for match in came.matches
            if match.volume is not None
        },
    )
