"""Counts a rule's matches for its volume, and stores its waves."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.alerts import Arrival, LastAlert, Level
from worker.model import (
    WEEKS,
    DeliveryState,
    Obligation,
    Occasion,
    Suppression,
    Verdict,
    Volume,
    Wave,
    WaveReport,
    WaveStory,
)
from worker.store.database import Tx
from worker.store.tables import ARTICLE, DELIVERY, MATCH, OBLIGATION, STORY_ARTICLE, WAVE

#: What an article does not count for, if all that was decided of it is one of these.
_NOT_COUNTED = (Suppression.COPY, Suppression.ARCHIVE, Suppression.BACKLOG, Suppression.OLD_NEWS)
#: Stories that a message names.
_TOP = 8
_WEEK = timedelta(days=7)
#: `alert.story_key`, in SQL.
_STORY = sa.func.coalesce(STORY_ARTICLE.c.story_id, -MATCH.c.article_id)


def level(tx: Tx, rule_id: str, volume: Volume, now: datetime) -> Level:
    """Everything known of a rule's volume before an article is decided; under the ingest lock."""
    going_on = sa.select(WAVE).where(WAVE.c.rule_id == rule_id, WAVE.c.ended.is_(None))
    r = tx.execute(going_on.order_by(WAVE.c.began.desc(), WAVE.c.article_id.desc()).limit(1)).one_or_none()
    wave = None if r is None else _read(r)
    last = {} if wave is None else _last_alerts(tx, rule_id, wave)
    since = min(now, *(one.at for one in last.values())) - volume.per if last else now - volume.per
    return Level(
        arrivals=_arrivals(tx, rule_id, MATCH.c.created > since),
        wave=wave,
        last_alerts=last,
        weeks=() if volume.times is None else _weeks(tx, rule_id, volume.per, now),
    )


def note(tx: Tx, obligations: Iterable[Obligation], level_of: Mapping[str, Level], now: datetime) -> None:
    """Write down the waves that begin and end with what was just decided of an article."""
    for rule_id, found in {one.rule_id: one.measured for one in obligations if one.measured is not None}.items():
        mine = level_of[rule_id]
        if found.ends and mine.wave is not None:
            over = sa.update(WAVE).where(WAVE.c.rule_id == rule_id, WAVE.c.article_id == mine.wave.article_id)
            tx.execute(over.values(ended=now))
        if found.begins and found.wave is not None:
            tx.execute(
                sa.insert(WAVE).values(
                    rule_id=rule_id,
                    article_id=found.wave.article_id,
                    began=found.wave.began,
                    per=int(found.wave.per.total_seconds()),
                )
            )
            _name(tx, rule_id, found.wave, now)


def _name(tx: Tx, rule_id: str, wave: Wave, now: datetime) -> None:
    """Let what stayed below the volume, and stands in the window of a wave that begins, name that wave."""
    window = sa.select(MATCH.c.id).where(MATCH.c.rule_id == rule_id, MATCH.c.created > now - wave.per)
    before = (
        OBLIGATION.c.match_id.in_(window),
        OBLIGATION.c.rule_id == rule_id,
        OBLIGATION.c.suppression == Suppression.BELOW_VOLUME,
        OBLIGATION.c.wave.is_(None),
    )
    tx.execute(sa.update(OBLIGATION).where(*before).values(wave=wave.article_id))


def _arrivals(tx: Tx, rule_id: str, *when: sa.ColumnElement[bool]) -> tuple[Arrival, ...]:
    query = _counted(rule_id, *when).with_only_columns(MATCH.c.id, MATCH.c.created, _STORY.label("story"))
    return tuple(Arrival(number=r.id, story=r.story, at=r.created) for r in tx.execute(query.order_by(MATCH.c.id)))


def _counted(rule_id: str, *when: sa.ColumnElement[bool]) -> sa.Select[tuple[object, ...]]:
    """The first matches of the articles that count for a rule, with their places in stories."""
    earlier = MATCH.alias("earlier")
    again = sa.exists().where(
        earlier.c.article_id == MATCH.c.article_id, earlier.c.rule_id == rule_id, earlier.c.id < MATCH.c.id
    )
    counts = sa.exists().where(
        OBLIGATION.c.rule_id == rule_id,
        OBLIGATION.c.article_id == MATCH.c.article_id,
        OBLIGATION.c.occasion != Occasion.ESCALATION,
        OBLIGATION.c.suppression.not_in(_NOT_COUNTED),
    )
    joined = MATCH.outerjoin(STORY_ARTICLE, STORY_ARTICLE.c.article_id == MATCH.c.article_id)
    return sa.select(MATCH).select_from(joined).where(MATCH.c.rule_id == rule_id, ~again, counts, *when)


def _last_alerts(tx: Tx, rule_id: str, wave: Wave) -> dict[str, LastAlert]:
    """By recipient, the last alert of a wave that was not given up."""
    query = (
        sa.select(OBLIGATION.c.recipient, OBLIGATION.c.match_id, OBLIGATION.c.created)
        .join(DELIVERY, DELIVERY.c.id == OBLIGATION.c.delivery_id)
        .where(
            OBLIGATION.c.rule_id == rule_id,
            OBLIGATION.c.wave == wave.article_id,
            OBLIGATION.c.verdict == Verdict.OWED,
            OBLIGATION.c.occasion != Occasion.ESCALATION,
            DELIVERY.c.state != DeliveryState.FAILED,
        )
        .order_by(OBLIGATION.c.match_id)
    )
    alerts: Counter[str] = Counter()
    found: dict[str, LastAlert] = {}
    for r in tx.execute(query):
        alerts[r.recipient] += 1
        found[r.recipient] = LastAlert(number=r.match_id, at=r.created, alerts=alerts[r.recipient])
    return found


def _weeks(tx: Tx, rule_id: str, per: timedelta, now: datetime) -> tuple[int, ...]:
    """Stories in the same window of each past week by whose end the rule had matched for the first time."""
    first = tx.execute(sa.select(sa.func.min(MATCH.c.created)).where(MATCH.c.rule_id == rule_id)).scalar()
    past = (now - number * _WEEK for number in range(1, WEEKS + 1))
    ends = [end for end in past if first is not None and end >= first]
    stories = sa.func.count(sa.distinct(_STORY))
    # One query a week: for all at once SQLite would read every match of the rule.
    windows = (_counted(rule_id, MATCH.c.created > end - per, MATCH.c.created <= end) for end in ends)
    return tuple(int(tx.execute(window.with_only_columns(stories)).scalar_one()) for window in windows)


def of_delivery(tx: Tx, delivery_id: int) -> dict[tuple[str, int], Wave]:
    """By rule and article: the wave of what a delivery carries."""
    return _belongs(tx, OBLIGATION.c.delivery_id == delivery_id)


def of_article(tx: Tx, article_id: int) -> dict[tuple[str, int], Wave]:
    """By rule and article: the waves that an article belongs to."""
    return _belongs(tx, OBLIGATION.c.article_id == article_id)


def _belongs(tx: Tx, where: sa.ColumnElement[bool]) -> dict[tuple[str, int], Wave]:
    same = sa.and_(WAVE.c.rule_id == OBLIGATION.c.rule_id, WAVE.c.article_id == OBLIGATION.c.wave)
    query = sa.select(WAVE, OBLIGATION.c.article_id.label("own_id")).select_from(OBLIGATION.join(WAVE, same))
    return {(r.rule_id, r.own_id): _read(r) for r in tx.execute(query.where(where))}


def report(tx: Tx, rule_id: str, article_id: int, per: timedelta) -> WaveReport:
    """The stories of the window that ends with a rule's first match of an article; by what is known of them now.

    Where nothing counts (the article is a copy, or the rule did not match it when it came) the article stands alone.
    """
    own = (MATCH.c.rule_id == rule_id, MATCH.c.article_id == article_id)
    last = tx.execute(sa.select(MATCH.c.id, MATCH.c.created).where(*own).order_by(MATCH.c.id).limit(1)).one_or_none()
    columns = [_STORY.label("story"), *(ARTICLE.c[name] for name in _SHOWN)]
    newest = {}
    if last is not None:
        query = _counted(rule_id, MATCH.c.created > last.created - per, MATCH.c.id <= last.id)
        query = query.join(ARTICLE, ARTICLE.c.id == MATCH.c.article_id).with_only_columns(*columns)
        newest = {r.story: r for r in tx.execute(query.order_by(MATCH.c.id))}
    if not newest:
        alone = sa.select(sa.literal(-article_id).label("story"), *columns[1:]).where(ARTICLE.c.id == article_id)
        newest = {r.story: r for r in tx.execute(alone)}
    outlets = _outlets(tx, [story for story in newest if story > 0])
    stories = [
        WaveStory(
            title=r.title,
            link=r.link,
            language=r.language,
            published=r.published,
            outlets=tuple(dict.fromkeys(filter(None, (r.source, *outlets.get(story, ()))))),
            articles=max(1, len(outlets.get(story, ()))),
        )
        for story, r in reversed(newest.items())
    ]
    stories.sort(key=lambda one: one.published, reverse=True)
    stories.sort(key=lambda one: (-len(one.outlets), -one.articles))
    return WaveReport(stories=len(stories), per=per, top=tuple(stories[:_TOP]))


_SHOWN = ("title", "link", "language", "published", "source")


def _outlets(tx: Tx, story_ids: Sequence[int]) -> dict[int, list[str]]:
    """By story: the outlet of each of its articles, in the order in which they came."""
    query = (
        sa.select(STORY_ARTICLE.c.story_id, ARTICLE.c.source)
        .join(ARTICLE, ARTICLE.c.id == STORY_ARTICLE.c.article_id)
        .where(STORY_ARTICLE.c.story_id.in_(story_ids))
        .order_by(STORY_ARTICLE.c.article_id)
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for r in tx.execute(query):
        found[r.story_id].append(r.source)
    return found


def _read(r: sa.Row[tuple[object, ...]]) -> Wave:
    return Wave(article_id=r.article_id, began=r.began, per=timedelta(seconds=r.per))
