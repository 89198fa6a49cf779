"""What people answer, written down: by a command, or by a click on a link of a message."""

from datetime import datetime

from worker.answers import Action, Answer, sign, verify
from worker.model import AlertItem, Answers, Judgement
from worker.store import Store, Tx, articles, judgements, silences, stories


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
        noise=link(Action.NOISE),
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


def mute(tx: Tx, article_id: int, now: datetime, *, author: str, recipient: str = "", reason: str = "") -> int | None:
    """Tell no more of an article's story, to one recipient or to all; its id, or None where it tells no story."""
    story_id = stories.story_of(tx, article_id)
    if story_id is None:
        return None
    if not any(s.story_id == story_id and s.recipient in ("", recipient) for s in silences.active(tx, now)):
        silences.add(
            tx,
            silences.Silence(story_id=story_id, recipient=recipient, author=author, reason=reason, created=now),
        )
    return story_id
