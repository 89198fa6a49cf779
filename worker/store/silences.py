"""People's answers: silences, muted stories, acknowledgements; and the key that signs their one-click links."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.database import Tx, insert, read_as
from worker.store.tables import ACKNOWLEDGEMENT, ARTICLE, SECRET, SILENCE, STORY, STORY_ARTICLE

#: Asked before every delivery, so made once.
_ACTIVE = (
    sa.select(SILENCE)
    .where(sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > sa.bindparam("now")))
    .order_by(SILENCE.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence or mute; a field that is left empty holds for everything."""

    id: int = 0
    rule_id: str = ""
    story_id: int | None = None
    #: The rules that name this set.
    set_name: str = ""
    #: The feed's name.
    feed: str = ""
    #: Only for this one.
    recipient: str = ""
    #: None: for good.
    until: datetime | None = None
    author: str
    reason: str = ""
    created: datetime


def add(tx: Tx, silence: Silence) -> int:
    """Store a silence; returns its id."""
    values = {name: value for name, value in asdict(silence).items() if name != "id"}
    return int(tx.execute(sa.insert(SILENCE).values(values).returning(SILENCE.c.id)).scalar_one())


def active(tx: Tx, now: datetime) -> tuple[Silence, ...]:
    """The silences in force, the newest last."""
    return tuple(read_as(Silence, r) for r in tx.execute(_ACTIVE, {"now": now}))


def end(tx: Tx, silence_id: int, now: datetime) -> bool:
    """End a silence now; False if none of that id is in force."""
    in_force = sa.and_(SILENCE.c.id == silence_id, sa.or_(SILENCE.c.until.is_(None), SILENCE.c.until > now))
    return bool(tx.execute(sa.update(SILENCE).where(in_force).values(until=now)).rowcount)


def follow(tx: Tx, merged: int, into: int) -> None:
    """A story turned out to be another one: what was said of it holds for that one."""
    tx.execute(sa.update(SILENCE).where(SILENCE.c.story_id == merged).values(story_id=into))


def newest(tx: Tx, *, limit: int) -> tuple[Silence, ...]:
    """The last silences that are of no story, whether they are in force or over, the newest first."""
    query = sa.select(SILENCE).where(SILENCE.c.story_id.is_(None)).order_by(SILENCE.c.id.desc()).limit(limit)
    return tuple(read_as(Silence, r) for r in tx.execute(query))


def of_story(tx: Tx, story_id: int) -> tuple[Silence, ...]:
    """Every silence of a story that there ever was, the newest last."""
    query = sa.select(SILENCE).where(SILENCE.c.story_id == story_id).order_by(SILENCE.c.id)
    return tuple(read_as(Silence, r) for r in tx.execute(query))


def of_stories(tx: Tx) -> tuple[Silence, ...]:
    """Every silence of a story that there ever was, the newest last."""
    return tuple(
        read_as(Silence, r)
        for r in tx.execute(sa.select(SILENCE).where(SILENCE.c.story_id.is_not(None)).order_by("id"))
    )


def give_end(tx: Tx, until: datetime) -> int:
    """Let silences of stories that have no end end then; returns how many."""
    endless = (SILENCE.c.story_id.is_not(None), SILENCE.c.until.is_(None))
    return tx.execute(sa.update(SILENCE).where(*endless).values(until=until)).rowcount


def acknowledge(tx: Tx, article_id: int, author: str, now: datetime) -> None:
    """Write down that somebody takes care of an article, and so of its story."""
    tx.execute(sa.insert(ACKNOWLEDGEMENT).values(article_id=article_id, author=author, created=now))


def lock(tx: Tx, article_id: int) -> None:
    """Hold an article's story, or the article where it tells none, until the transaction ends.

    Of two answers that are given at once, the second sees the first. SQLite has one writer anyway.
    """
    story = sa.select(STORY_ARTICLE.c.story_id).where(STORY_ARTICLE.c.article_id == article_id)
    if not tx.execute(sa.select(STORY.c.id).where(STORY.c.id.in_(story)).with_for_update()).all():
        tx.execute(sa.select(ARTICLE.c.id).where(ARTICLE.c.id == article_id).with_for_update()).all()


def acknowledged(tx: Tx, article_id: int) -> tuple[str, datetime] | None:
    """The first acknowledgement of an article, or of another one of its story: by whom and when."""
    mine = sa.select(STORY_ARTICLE.c.story_id).where(STORY_ARTICLE.c.article_id == article_id).scalar_subquery()
    story = sa.select(STORY_ARTICLE.c.article_id).where(STORY_ARTICLE.c.story_id == mine)
    query = (
        sa.select(ACKNOWLEDGEMENT.c.author, ACKNOWLEDGEMENT.c.created)
        .where(sa.or_(ACKNOWLEDGEMENT.c.article_id == article_id, ACKNOWLEDGEMENT.c.article_id.in_(story)))
        .order_by(ACKNOWLEDGEMENT.c.id)
        .limit(1)
    )
    found = tx.execute(query).one_or_none()
    return None if found is None else (found.author, found.created)


def signing_key(tx: Tx) -> bytes | None:
    """The key that signs one-click links, where there is one."""
    return tx.execute(sa.select(SECRET.c.value).where(SECRET.c.name == "answers")).scalar()


def make_signing_key(tx: Tx) -> None:
    """Make that key, unless there is one."""
    made = insert(tx, SECRET).values(name="answers", value=secrets.token_bytes(32))
    tx.execute(made.on_conflict_do_nothing())
