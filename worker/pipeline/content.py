"""The content of an open delivery."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from worker.alerts import ESCALATION, THREADS
from worker.analysis import text
from worker.model import Alert, AlertItem, Change, Claimed, Digest, Notice, Occasion, Suppression, Thread, WaveReport
from worker.notify.render import changes, opening, passages
from worker.pipeline.answering import links
from worker.store import Tx, articles, deliveries, ledger, notification_history, open_deliveries, stories, waves

#: Published longer than this before it was first seen: marked, so that nobody takes it for news.
_OLD_AFTER = timedelta(days=3)

_Found = tuple[str, ledger.StoredMatch]


def content(
    tx: Tx, draft: deliveries.Draft, *, public_url: str, now: datetime, items: dict[object, AlertItem]
) -> Alert | Digest | Notice:
    """A notice, a digest, or the articles of one story, each with every rule it is sent for; waves stand by themselves.

    Of a wave that has grown since the message was begun, the newest report stands. `items` are those of the moment's
    other messages, by what they were made of, and collects this one's: an article goes to many recipients.
    """
    if draft.notice is not None:
        thread = _threaded(open_deliveries.thread_to(tx, draft.after)) if draft.after is not None else None
        return replace(draft.notice, thread=thread)
    by_article: dict[int, list[_Found]] = defaultdict(list)
    carried = ledger.matches_of_delivery(tx, draft.id)
    belongs = waves.of_delivery(tx, draft.id) if any(is_wave for *_, is_wave in carried) else {}
    by_wave: dict[tuple[str, int], AlertItem] = {}
    for article_id, occasion, found, _ in carried:
        mine = belongs.get((found.rule_id, article_id))
        if mine is None:
            by_article[article_id].append((occasion, found))
        else:
            report = waves.report(tx, found.rule_id, article_id, mine.per)
            key = found.rule_id, mine.article_id
            first = by_wave[key].occasion if key in by_wave else occasion
            by_wave[key] = wave_item(tx, article_id, (first, found), report)
    bare = [*(_item_once(tx, article_id, found, items) for article_id, found in by_article.items()), *by_wave.values()]
    answerable = tuple(
        replace(one, answers=links(tx, one, draft.recipient, public_url=public_url, now=now)) for one in bare
    )
    if draft.collects.startswith((*THREADS, ESCALATION)):
        ordered = sorted(answerable, key=lambda one: -one.severity.rank)
        return Alert(items=tuple(ordered), thread=_thread(tx, draft))
    ordered = sorted(answerable, key=lambda one: (-one.severity.rank, one.story_id or 0, one.published))
    held_back = notification_history.held_back(tx, draft.recipient)
    return Digest(items=tuple(ordered), held_back=tuple((Suppression(why), n) for why, n in held_back.items()))


def headline(
    claimed: Claimed, carried: Sequence[ledger.Carried], answered: Sequence[ledger.Carried] = ()
) -> dict[str, str | int]:
    """A delivery in the log: its kind or occasion, and the severity, title and outlet of its most severe article.

    `answered`: what the alert carries that somebody's answer stands below; the answer is shown by the alert's title.
    """
    if answered and not carried:
        return headline(claimed, answered) | {"kind": "answer to", "severity": "", "articles": 1}
    subject, collects = claimed.message.subject, claimed.collects
    if not carried:
        return {"kind": collects.partition(":")[0], "severity": "", "title": subject, "source": "", "articles": 0}
    worst = max(carried, key=lambda one: one.severity.rank)
    alone = collects.startswith((*THREADS, ESCALATION))
    return {
        "kind": worst.occasion if alone else "digest",
        "severity": str(worst.severity) if alone else "",
        "title": worst.title or subject,
        "source": worst.feed,
        "articles": len({one.article_id for one in carried}),
    }


def _thread(tx: Tx, draft: deliveries.Draft) -> Thread | None:
    """The thread of earlier messages; None where there was none, or all of them failed."""
    return _threaded(open_deliveries.sent_before(tx, draft.id)) if draft.follows else None


def _threaded(sent: Sequence[open_deliveries.Sent]) -> Thread | None:
    if not sent:
        return None
    first, last = sent[0], sent[-1]
    return Thread(
        root=first.message_id, subject=first.subject, last=last.message_id, sent=first.finished, ref=first.ref
    )


def _changes(tx: Tx, article_id: int, newest: ledger.StoredMatch) -> tuple[Change, ...]:
    """The differences between a text and the one before it."""
    before = articles.text_of(tx, article_id, newest.revision - 1)
    if before is None:
        return ()
    title, body = before
    return changes(f"{title}\n\n{body}", f"{newest.title}\n\n{newest.body}")


def _item_once(tx: Tx, article_id: int, found: Sequence[_Found], items: dict[object, AlertItem]) -> AlertItem:
    key = article_id, tuple(found)
    if key not in items:
        items[key] = item(tx, article_id, found)
    return items[key]


def item(tx: Tx, article_id: int, found: Sequence[_Found]) -> AlertItem:
    """An article with the rules of `found`, its occasion that of the most severe; raises LookupError."""
    stored = articles.get(tx, article_id)
    if stored is None:
        raise LookupError(f"article {article_id} is owed but not stored")
    by_severity = sorted(found, key=lambda pair: -pair[1].severity.rank)
    newest = max((m for _, m in found), key=lambda m: m.revision)
    article = stored.article
    document = text.analyse(newest.title, newest.body, article.language)
    spans = [span for _, m in found if m.revision == newest.revision for span in m.spans]
    title, sentences = passages(document, spans)
    if not title.text:
        title = opening(document, spans)
        sentences = tuple(sentence for sentence in sentences if sentence.text != title.text)
    story_id = stories.story_of(tx, article_id)
    story = None if story_id is None else stories.get(tx, story_id)
    return AlertItem(
        article_id=article_id,
        rules=tuple(dict.fromkeys((m.rule_name, m.rule_id) for _, m in by_severity)),
        severity=by_severity[0][1].severity,
        occasion=by_severity[0][0],
        title=title,
        passages=sentences,
        source=article.source,
        language=article.language,
        published=article.published,
        first_seen=article.first_seen,
        link=article.link,
        story_id=story_id,
        outlets=tuple(name for name in story.outlets if name != article.source) if story else (),
        perhaps=_perhaps(story) if by_severity[0][0] == Occasion.FIRST else ("", ""),
        changes=_changes(tx, article_id, newest) if by_severity[0][0].startswith(Occasion.CORRECTION) else (),
        old=article.first_seen - article.published > _OLD_AFTER,
    )


def wave_item(tx: Tx, article_id: int, found: _Found, report: WaveReport) -> AlertItem:
    """A wave of a rule, owed for an article; raises LookupError."""
    return replace(item(tx, article_id, [found]), wave=report, story_id=None)


def _perhaps(story: stories.StoredStory | None) -> tuple[str, str]:
    """Returns what a story's first alert names: the story that it perhaps is the same as, by title and outlet."""
    found = story.perhaps if story else None
    return ("", "") if found is None else (found.title, found.source)
