"""All that is known of an article: new or copy and why, what matched in which words, what was sent or not and why."""

from typing import TYPE_CHECKING, Any

from worker.console.views.articles import article, find, page
from worker.console.views.stories import place
from worker.model import times
from worker.model.times import counted
from worker.store import Store, Tx, judgements, ledger, ledger_lines, silences, stories
from worker.store import articles as stored
from worker.store.articles import StoredArticle

if TYPE_CHECKING:
    from worker.pipeline.context import ActiveConfig

Facts = dict[str, Any]

_SUPPRESSED = {
    "copy": "it is a copy, and its original was decided for the same rule",
    "backlog": "it stood in the feed when the feed was first polled",
    "archive": "it was known before the first poll",
    "same-story": "the story was sent already",
    "often-corrected": "its text goes on being corrected",
    "old-news": "it was old when it was first seen",
    "silenced": "it was silenced",
    "muted-story": "its story was muted",
    "acknowledged": "the story was acknowledged in time",
    "below-volume": "below-volume, too few stories for a wave of its rule",
    "in-wave": "in-wave, an alert was sent of the wave that it belongs to",
}
_HELD = {
    "group-wait": "more on the same may come",
    "quiet-hours": "these are quiet hours",
    "digest": "it goes with the next digest",
    "throttled": "its rule has sent as much as the target takes in that time",
    "realert": "an alert of the story was sent lately",
    "escalation": "it is sent if nobody acknowledges the story until then",
}


def why(live: "ActiveConfig | None", store: Store, asked: str, rule_id: str = "", target_id: str = "") -> Facts | None:
    """All that is known of one article; None if there is none. With `rule_id`, that rule's whole tree too.

    Without `live`, as the rules cannot be read: what the store knows.
    """
    with store.read() as tx:
        fitting = find(tx, asked)
        if not fitting:
            return None
        one, *others = fitting
        return of_article(tx, live, one, rule_id, target_id) | {
            "others": [{"id": other.id, "title": other.article.title} for other in others]
        }


def of_article(
    tx: Tx, live: "ActiveConfig | None", one: StoredArticle, rule_id: str = "", target_id: str = ""
) -> Facts:
    """All that is known of an article, as `why` has it."""
    # Here, as what rules need takes long to load, and lists do without it.
    from worker.console.views.silent import Now

    matches = [_match(m, one) for m in ledger.matches(tx, one.id) if rule_id in ("", m.rule_id)]
    now = None if live is None else Now(tx, live, one)
    return article(one) | {
        "revisions": list(stored.revisions(tx, one.id)),
        "changes": _changes(tx, one),
        "page": page(tx, one.id),
        "story": place(tx, one.id),
        "matches": matches,
        "acknowledged": _acknowledged(tx, one.id),
        "mutes": _mutes(tx, one.id),
        "labels": [
            {"rule": said.rule_id, "judgement": str(said.judgement), "by": said.author, "at": said.at}
            for said in judgements.of_article(tx, one.id)
            if rule_id in ("", said.rule_id)
        ],
        "ledger": [
            _line(line)
            for line in ledger_lines.lines(tx, one.id)
            if rule_id in ("", line.rule_id) and target_id in ("", line.target_id)
        ],
        "silent": [] if now is None else now.silent({m["rule"] for m in matches}, rule_id),
        "explained": now.explained(rule_id) if now is not None and rule_id else None,
    }


def _acknowledged(tx: Tx, article_id: int) -> Facts | None:
    found = silences.acknowledged(tx, article_id)
    return None if found is None else {"by": found[0], "at": found[1]}


def _mutes(tx: Tx, article_id: int) -> list[Facts]:
    """The mutes of an article's story: by whom, for whom (empty: for all) and until when."""
    story_id = stories.story_of(tx, article_id)
    found = () if story_id is None else silences.of_story(tx, story_id)
    return [
        {"by": one.author, "for": one.recipient, "at": one.created, "until": one.until, "reason": one.reason}
        for one in found
    ]


def _changes(tx: Tx, one: StoredArticle) -> list[Facts]:
    """Sentence by sentence, what the newest text changed of the one before."""
    from worker.notify.render import changes

    texts = [stored.text_of(tx, one.id, number) for number in (one.revision - 1, one.revision)]
    if any(text is None for text in texts):
        return []
    before, after = (f"{title}\n\n{body}" for title, body in filter(None, texts))
    return [
        {
            side: {"text": passage.text, "marks": [list(mark) for mark in passage.marks]}
            for side, passage in (("before", change.before), ("after", change.after))
        }
        for change in changes(before, after)
    ]


def _match(found: ledger.StoredMatch, one: StoredArticle) -> Facts:
    from worker.analysis import text
    from worker.notify.render import passages

    document = text.analyse(found.title, found.body, one.article.language)
    title, sentences = passages(document, found.spans)
    shown = ([title] if title.marks else []) + list(sentences)
    return {
        "rule": found.rule_id,
        "name": found.rule_name,
        "severity": str(found.severity),
        "hash": found.rule_hash,
        "ruleset": found.ruleset_hash,
        "revision": found.revision,
        "at": found.created,
        "passages": [{"text": passage.text, "marks": [list(mark) for mark in passage.marks]} for passage in shown],
    }


def _line(line: ledger_lines.LedgerLine) -> Facts:
    return {
        "rule": line.rule_id,
        "target": line.target_id,
        "recipient": line.recipient,
        "occasion": line.occasion,
        "verdict": line.verdict,
        "reason": line.suppression or line.reason or line.hold,
        "why": line.why,
        "state": line.state,
        "due": line.due,
        "attempts": line.attempts,
        "finished": line.finished,
        "detail": line.detail,
        "wave": None if line.wave is None else {"article": line.wave.article_id, "at": line.wave.began},
        "sentence": _sentence(line),
    }


def _sentence(line: ledger_lines.LedgerLine) -> str:
    who = f"{line.recipient} ({line.rule_id}, {line.occasion})"
    tries = counted(line.attempts, "attempt")
    wave = _wave(line)
    match line.verdict, line.state:
        case "suppressed", _:
            why = f" ({line.why})" if line.why else ""
            return f"not sent to {who}: {_SUPPRESSED[line.suppression]}{why}{wave}."
        case _, "sent":
            return f"sent to {who} at {times.say(line.finished)}, after {tries}{wave}."
        case _, "failed":
            return f"sending to {who} failed, after {tries}: {line.reason}."
        case _, "parked":
            return f"for {who}: waits until the target is fixed: {line.reason}."
        case _, state:
            reason = line.detail or _HELD.get(line.hold, "its turn comes")
            return f"to be sent to {who} ({state}, due {times.say(line.due)}, {tries} so far): {reason}{wave}."


def _wave(line: ledger_lines.LedgerLine) -> str:
    """The wave that it belongs to, by its time and the article that completed it."""
    if line.wave is None:
        return ""
    said = f"; wave of {times.say(line.wave.began)}, article {line.wave.article_id}"
    return f"{said}: {line.why}" if line.verdict == "owed" and line.why else said
