"""Records people's answers: by a command, or by a click on a link of a message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.alerts.answers import Action, Answer, sign, verify
from worker.alerts.schedule import quiet_until
from worker.model import AlertItem, Answers, Judgement, Notice, Target, WaitReason
from worker.notify.render.wording import Wording, say_date, wording
from worker.pipeline.context import ActiveConfig
from worker.store import Store, Tx, articles, judgements, open_deliveries, people, silences, stories

#: How long a story is muted, unless somebody says otherwise.
MUTED_FOR = timedelta(days=7)


def links(tx: Tx, item: AlertItem, recipient: str, *, public_url: str, now: datetime) -> Answers:
    """The addresses at which the recipient answers; empty where nothing is served."""
    key = silences.signing_key(tx) if public_url else None
    if key is None:
        return Answers()
    rules = tuple(rule_id for _, rule_id in item.rules)

    def link(action: Action) -> str:
        about = rules if action is Action.NOISE else ()  # links stay short
        answer = Answer(action=action, article_id=item.article_id, recipient=recipient, rules=about)
        return f"{public_url}/answer/{sign(answer, key, now)}"

    return Answers(
        acknowledge=link(Action.ACKNOWLEDGE),
        mute=link(Action.MUTE) if item.story_id is not None else "",
        # Which of a wave's articles would be meant?
        noise=link(Action.NOISE) if item.wave is None else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A link's question, as its page shows it, in the words and the language of its message."""

    answer: Answer
    language: str
    title: str
    #: What the link was called.
    label: str
    #: Who acknowledged before, in a sentence; empty: nobody, or it asks for something else.
    before: str = ""


def read(store: Store, live: ActiveConfig, token: str, now: datetime) -> Asked | None:
    """The question of a token; None where it is not valid, or its article is gone."""
    with store.read() as tx:
        key = silences.signing_key(tx)
        answer = None if key is None else verify(token, key, now)
        stored = None if answer is None else articles.get(tx, answer.article_id)
        if answer is None or stored is None:
            return None
        reader = live.target("", answer.recipient)
        words = wording(reader.language if reader else "")
        before = silences.acknowledged(tx, answer.article_id) if answer.action is Action.ACKNOWLEDGE else None
    return Asked(
        answer=answer,
        language=words.language,
        title=stored.article.title,
        label=_labels(words)[answer.action],
        before=_sentence(answer.action, before[0], before[1], reader, words) if before else "",
    )


def take(store: Store, live: ActiveConfig, answer: Answer, now: datetime) -> str:
    """Write down an answer and send it to the article's other readers; the same one again changes nothing.

    Returns the sentence that they are sent, in the language of whoever answered.
    """
    with store.write() as tx:
        if _write(tx, answer, now):
            notify_readers(tx, live.config.alerts.targets, answer, now)
    reader = live.target("", answer.recipient)
    return _sentence(answer.action, answer.recipient, now, reader, wording(reader.language if reader else ""))


def _write(tx: Tx, answer: Answer, now: datetime) -> bool:
    """Write an answer down; False where it was given before."""
    silences.lock(tx, answer.article_id)
    match answer.action:
        case Action.ACKNOWLEDGE:
            return acknowledge(tx, answer.article_id, answer.recipient, now) is None
        case Action.MUTE:
            muted = mute(tx, answer.article_id, now, author=answer.recipient, recipient=answer.recipient)
            return muted is not None and muted.new
        case Action.NOISE:
            before = {one.rule_id: one.judgement for one in judgements.of_article(tx, answer.article_id)}
            new = [rule for rule in answer.rules if before.get(rule) is not Judgement.NOISE]
            for rule_id in new:
                judgements.judge(tx, answer.article_id, rule_id, Judgement.NOISE, now, author=answer.recipient)
            return bool(new)


def acknowledge(tx: Tx, article_id: int, author: str, now: datetime) -> tuple[str, datetime] | None:
    """Write down that somebody takes care of an article's story; returns who had said so before, and when."""
    silences.lock(tx, article_id)
    before = silences.acknowledged(tx, article_id)
    if before is None:
        silences.acknowledge(tx, article_id, author, now)
    return before


def notify_readers(tx: Tx, targets: Sequence[Target], answer: Answer, now: datetime) -> None:
    """Open a line to everybody else who was sent an alert of the story, below that alert, outside their quiet hours."""

    def sentence(target: Target, words: Wording) -> str:
        return _sentence(answer.action, answer.recipient, now, target, words)

    _follow_up(tx, targets, answer.article_id, sentence, now, author=answer.recipient)


def hand_over(tx: Tx, targets: Sequence[Target], given: people.HandOver) -> None:
    """Write down who has an article's story from now on, and say so to everybody who was sent an alert of it.

    Who hands it over has seen it: unless somebody did before, the story is acknowledged, and no reminder is sent.
    """
    people.hand_over(tx, given)
    acknowledge(tx, given.article_id, given.author, given.created)

    def sentence(target: Target, words: Wording) -> str:
        said = words.handed_over_with_note if given.note else words.handed_over
        date = say_date(given.created, target.timezone, words)
        return said.format(who=given.author, person=given.person, note=given.note, date=date)

    _follow_up(tx, targets, given.article_id, sentence, given.created)


def _follow_up(
    tx: Tx,
    targets: Sequence[Target],
    article_id: int,
    sentence_of: Callable[[Target, Wording], str],
    now: datetime,
    *,
    author: str = "",
) -> None:
    """Open a line to everybody but its author who was sent an alert of the article's story, below that alert."""
    for delivery_id, target_id, recipient in open_deliveries.readers(tx, _story_of(tx, article_id)):
        reach = [target for target in targets if recipient in target.recipients]
        target = next((one for one in reach if one.id == target_id), reach[0] if reach else None)
        if target is None or recipient == author:
            continue
        sentence = sentence_of(target, wording(target.language))
        due = quiet_until(target.quiet, target.timezone, now)
        open_deliveries.follow(
            tx,
            target.id,
            recipient,
            Notice(subject=sentence, body=sentence),
            after=delivery_id,
            due=due,
            hold=WaitReason.QUIET_HOURS if due > now else "",
            now=now,
        )


def _story_of(tx: Tx, article_id: int) -> tuple[int, ...]:
    """The articles of an article's story, itself among them."""
    story_id = stories.story_of(tx, article_id)
    found = stories.lines(tx, story_id) if story_id is not None else ()
    return tuple({article_id, *(line.article_id for line in found)})


def _labels(words: Wording) -> Mapping[Action, str]:
    return {Action.ACKNOWLEDGE: words.acknowledge, Action.MUTE: words.mute, Action.NOISE: words.noise}


def _sentence(action: Action, who: str, at: datetime, reader: Target | None, words: Wording) -> str:
    said = {Action.ACKNOWLEDGE: words.acknowledged, Action.MUTE: words.muted, Action.NOISE: words.noted}[action]
    # `mailto:desk@example.org`, `slack:desk`: the name alone is for people.
    name = who.partition(":")[2] or who
    return said.format(who=name, date=say_date(at, reader.timezone if reader else "UTC", words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """A story of which nothing more is sent for a time."""

    story_id: int
    #: Of the silence, by which it can be ended.
    number: int
    until: datetime | None
    #: It was not muted before, or for a shorter time.
    new: bool


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
    silences.lock(tx, article_id)
    story_id = stories.story_of(tx, article_id)
    if story_id is None:
        return None
    until = now + lasting
    for one in silences.active(tx, now):
        covers = one.story_id == story_id and one.recipient in ("", recipient)
        if covers and not (one.rule_id or one.set_name or one.feed) and (one.until is None or one.until >= until):
            return Muted(story_id=story_id, number=one.id, until=one.until, new=False)
    made = silences.Silence(
        story_id=story_id, recipient=recipient, until=until, author=author, reason=reason, created=now
    )
    return Muted(story_id=story_id, number=silences.add(tx, made), until=until, new=True)
