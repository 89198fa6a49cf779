"""What people answer, written down: by a command, or by a click on a link of a message."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.answers import Action, Answer, sign, verify
from worker.model import AlertItem, Answers, Judgement
from worker.store import Store, Tx, articles, judgements, silences, stories

#: How long a story is muted, unless somebody says otherwise.
MUTED_FOR = timedelta(days=7)


def links(tx: Tx, item: AlertItem, recipient: str, *, public_url: str, now: datetime) -> Answers:
    """The addresses at which the recipient answers; empty where nothing is served."""
    key = silences.signing_key(tx) if public_url else None
    if key is None:
        return Answers()
    rules = tuple(rule_id for _, rule_id in item.rules)

    def link(action: Action) -> str:
        answer = Answer(action=action, article_id=item.article_id, recipient=recipient, rules=rules)
        return f"{public_url}/answer/{sign(answer, key, now)}"

    return Answers(
        acknowledge=link(Action.ACKNOWLEDGE),
        mute=link(Action.MUTE) if item.story_id is not None else "",
        # Which of a wave's articles would be meant?
        noise=link(Action.NOISE) if item.wave is None else "",
    )


def read(store: Store, token: str, now: datetime) -> tuple[Answer, str] | None:
    """What a token says, and the title of its article; None where it is not valid, or the article is gone."""
    with store.read() as tx:
        key = silences.signing_key(tx)
        answer = None if key is None else verify(token, key, now)
        stored = None if answer is None else articles.get(tx, answer.article_id)
    return None if answer is None or stored is None else (answer, stored.article.title)


def take(store: Store, answer: Answer, now: datetime) -> None:
    """Write down an answer; the same one again changes nothing."""
    with store.write() as tx:
        match answer.action:
            case Action.ACKNOWLEDGE:
                if silences.acknowledged(tx, answer.article_id) is None:
                    silences.acknowledge(tx, answer.article_id, answer.recipient, now)
            case Action.MUTE:
                mute(tx, answer.article_id, now, author=answer.recipient, recipient=answer.recipient)
            case Action.NOISE:
                for rule_id in answer.rules:
                    judgements.judge(tx, answer.article_id, rule_id, Judgement.NOISE, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """A story of which nothing more is sent for a time."""

    story_id: int
    #: Of the silence, by which it can be ended.
    number: int
    until: datetime | None


def mute(
    tx: Tx,
    article_id: int,
    now: datetime,
    *,
    author: str,
    recipient: str = "",
    reason: str = "",
    lasting: timedelta = MUTED_FOR,
) -> Muted | None:
    """Tell no more of an article's story for a time, to one recipient or to all; None where it tells no story.

    A mute that is in force and ends later is left as it is.
    """
    story_id = stories.story_of(tx, article_id)
    if story_id is None:
        return None
    until = now + lasting
    for one in silences.active(tx, now):
        covers = one.story_id == story_id and one.recipient in ("", recipient)
        if covers and not (one.rule_id or one.set_name or one.feed) and (one.until is None or one.until >= until):
            return Muted(story_id=story_id, number=one.id, until=one.until)
    made = silences.Silence(
        story_id=story_id, recipient=recipient, until=until, author=author, reason=reason, created=now
    )
    return Muted(story_id=story_id, number=silences.add(tx, made), until=until)
