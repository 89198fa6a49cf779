"""People who use the console: sign-ins, tokens of programs, visits, notes, hand-overs, and the audit of changes.

Passwords come as argon2 hashes, tokens as sha256 digests: what stands in the store signs nobody in.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from worker.store.database import Tx, insert, read_as
from worker.store.tables import API_TOKEN, AUDIT, HAND_OVER, NOTE, PERSON, SESSION, STORY_ARTICLE, VISIT

#: A page opened so long after the one before begins another visit.
VISIT_ENDS_AFTER = timedelta(minutes=30)


class Role(StrEnum):
    """Permissions of a person, each role with those of the one before it."""

    #: Sees everything but secrets and people.
    READER = "reader"
    #: Answers, labels, notes, silences, and changes rules and feeds.
    EDITOR = "editor"
    #: Manages people and tokens, and reads the audit.
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """True where this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in."""

    name: str
    password_hash: str
    role: Role
    created: datetime
    #: The password is a first one, which somebody else made: it holds until then, and must be replaced.
    first_until: datetime | None = None


def put(tx: Tx, person: Person) -> bool:
    """Add a person, or change the password and role of one of that name; returns whether it was there."""
    values = {"password_hash": person.password_hash, "role": person.role, "first_until": person.first_until}
    was = get(tx, person.name) is not None
    statement = insert(tx, PERSON).values({"name": person.name, "created": person.created, **values})
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    end_sign_ins(tx, person.name)
    return was


def set_password(tx: Tx, name: str, password_hash: str, first_until: datetime | None = None) -> None:
    """Give a person another password, and end their sign-ins; `first_until`: see `Person`."""
    values = {"password_hash": password_hash, "first_until": first_until}
    tx.execute(sa.update(PERSON).where(PERSON.c.name == name).values(values))
    end_sign_ins(tx, name)


def get(tx: Tx, name: str) -> Person | None:
    """The person of that name."""
    row = tx.execute(sa.select(PERSON).where(PERSON.c.name == name)).one_or_none()
    return None if row is None else _person(row)


def everybody(tx: Tx) -> tuple[Person, ...]:
    """All people, by name."""
    return tuple(_person(row) for row in tx.execute(sa.select(PERSON).order_by(PERSON.c.name)))


def is_anybody(tx: Tx) -> bool:
    """True as soon as there is one person who may sign in."""
    return tx.execute(sa.select(PERSON.c.name).limit(1)).first() is not None


def admins(tx: Tx) -> int:
    """Counts the people who may manage people."""
    query = sa.select(sa.func.count()).select_from(PERSON).where(PERSON.c.role == Role.ADMIN)
    return int(tx.execute(query).scalar_one())


def set_role(tx: Tx, name: str, role: Role) -> bool:
    """Give a person another role, which holds from their next request on; False: there is none of that name.

    Tokens that an admin made end with their being one.
    """
    if role is not Role.ADMIN:
        tx.execute(sa.delete(API_TOKEN).where(API_TOKEN.c.author == name))
    return bool(tx.execute(sa.update(PERSON).where(PERSON.c.name == name).values(role=role)).rowcount)


def remove(tx: Tx, name: str) -> bool:
    """Take a person's access away, with their sign-ins and the tokens that they made; what they wrote stays.

    False: there is none of that name.
    """
    end_sign_ins(tx, name)
    tx.execute(sa.delete(API_TOKEN).where(API_TOKEN.c.author == name))
    return bool(tx.execute(sa.delete(PERSON).where(PERSON.c.name == name)).rowcount)


def _person(row: sa.Row[tuple[object, ...]]) -> Person:
    return Person(
        name=row.name,
        password_hash=row.password_hash,
        role=Role(row.role),
        created=row.created,
        first_until=row.first_until,
    )


# Sign-ins.


def sign_in(tx: Tx, digest: str, person: str, now: datetime, lasting: timedelta) -> None:
    """Open a session; those that are over are dropped."""
    tx.execute(sa.delete(SESSION).where(SESSION.c.until <= now))
    tx.execute(sa.insert(SESSION).values(digest=digest, person=person, created=now, until=now + lasting))


def signed_in(tx: Tx, digest: str, now: datetime) -> Person | None:
    """The person of a session that is in force."""
    query = sa.select(PERSON).join(SESSION, SESSION.c.person == PERSON.c.name)
    row = tx.execute(query.where(SESSION.c.digest == digest, SESSION.c.until > now)).one_or_none()
    return None if row is None else _person(row)


def sign_out(tx: Tx, digest: str) -> None:
    """End a session."""
    tx.execute(sa.delete(SESSION).where(SESSION.c.digest == digest))


def end_sign_ins(tx: Tx, person: str) -> int:
    """End every session of a person; returns how many there were."""
    return tx.execute(sa.delete(SESSION).where(SESSION.c.person == person)).rowcount


def sign_ins(tx: Tx, now: datetime) -> dict[str, int]:
    """By person, the sessions that are in force."""
    query = sa.select(SESSION.c.person, sa.func.count()).where(SESSION.c.until > now).group_by(SESSION.c.person)
    return {person: int(count) for person, count in tx.execute(query)}


# Tokens of programs.


class Scope(StrEnum):
    """Permissions of a token."""

    READ = "read"
    #: Answers, labels, notes, silences.
    ANSWER = "answer"
    #: Rules and feeds.
    CONFIGURE = "configure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token by which a program uses the API, without its secret."""

    id: int
    name: str
    scopes: frozenset[Scope]
    author: str
    created: datetime
    until: datetime | None
    used: datetime | None


def add_token(
    tx: Tx, name: str, digest: str, scopes: Collection[Scope], *, author: str, now: datetime, until: datetime | None
) -> int:
    """Store a token; returns its id."""
    values = {"name": name, "digest": digest, "scopes": " ".join(sorted(scopes)), "author": author}
    made = sa.insert(API_TOKEN).values(created=now, until=until, **values).returning(API_TOKEN.c.id)
    return int(tx.execute(made).scalar_one())


def token(tx: Tx, digest: str, now: datetime) -> ApiToken | None:
    """The token of that digest, while it is in force."""
    in_force = sa.or_(API_TOKEN.c.until.is_(None), API_TOKEN.c.until > now)
    row = tx.execute(sa.select(API_TOKEN).where(API_TOKEN.c.digest == digest, in_force)).one_or_none()
    return None if row is None else _token(row)


def use_token(tx: Tx, token_id: int, now: datetime) -> None:
    """Write down that a token was used."""
    tx.execute(sa.update(API_TOKEN).where(API_TOKEN.c.id == token_id).values(used=now))


def tokens(tx: Tx) -> tuple[ApiToken, ...]:
    """All tokens, the newest first."""
    return tuple(_token(row) for row in tx.execute(sa.select(API_TOKEN).order_by(API_TOKEN.c.id.desc())))


def remove_token(tx: Tx, token_id: int) -> bool:
    """Withdraw a token; False: there is none of that id."""
    return bool(tx.execute(sa.delete(API_TOKEN).where(API_TOKEN.c.id == token_id)).rowcount)


def _token(row: sa.Row[tuple[object, ...]]) -> ApiToken:
    return read_as(ApiToken, row, scopes=frozenset(map(Scope, row.scopes.split())))


# The audit of changes.


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that somebody made."""

    id: int = 0
    at: datetime
    author: str
    action: str
    subject: str
    detail: str = ""


def audit(tx: Tx, change: Change) -> None:
    """Write a change down, in the transaction that makes it."""
    values = {"at": change.at, "author": change.author, "action": change.action}
    tx.execute(sa.insert(AUDIT).values(subject=change.subject, detail=change.detail, **values))


def changes(tx: Tx, *, limit: int, before: int | None = None) -> tuple[Change, ...]:
    """The last changes, the newest first; `before`: only those of a smaller id."""
    query = sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT.c.id < before)
    return tuple(
        Change(id=r.id, at=r.at, author=r.author, action=r.action, subject=r.subject, detail=r.detail)
        for r in tx.execute(query)
    )


def forget_changes(tx: Tx, *, before: datetime) -> int:
    """Drop the changes that were made before that time; returns how many."""
    return tx.execute(sa.delete(AUDIT).where(AUDIT.c.at < before)).rowcount


def last_changes(tx: Tx, action: str) -> dict[str, Change]:
    """By subject, the last change of that kind."""
    last = sa.select(sa.func.max(AUDIT.c.id)).where(AUDIT.c.action == action).group_by(AUDIT.c.subject)
    found = tx.execute(sa.select(AUDIT).where(AUDIT.c.id.in_(last)))
    return {
        r.subject: Change(id=r.id, at=r.at, author=r.author, action=r.action, subject=r.subject, detail=r.detail)
        for r in found
    }


# Notes and hand-overs.


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note by an analyst on an article."""

    id: int
    article_id: int
    author: str
    text: str
    created: datetime


def add_note(tx: Tx, article_id: int, text: str, *, author: str, now: datetime) -> int:
    """Store a note; returns its id."""
    made = sa.insert(NOTE).values(article_id=article_id, author=author, text=text, created=now).returning(NOTE.c.id)
    return int(tx.execute(made).scalar_one())


def notes(tx: Tx, article_ids: Collection[int]) -> tuple[Note, ...]:
    """The notes on these articles, the oldest first."""
    query = sa.select(NOTE).where(NOTE.c.article_id.in_(article_ids)).order_by(NOTE.c.id)
    return tuple(
        Note(id=r.id, article_id=r.article_id, author=r.author, text=r.text, created=r.created)
        for r in tx.execute(query)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """An article, and so its story, handed over to somebody."""

    article_id: int
    author: str
    person: str
    note: str
    created: datetime


def hand_over(tx: Tx, given: HandOver) -> None:
    """Write a hand-over down."""
    values = {"article_id": given.article_id, "author": given.author, "person": given.person, "note": given.note}
    tx.execute(sa.insert(HAND_OVER).values(created=given.created, **values))


def hand_overs(tx: Tx, article_id: int) -> tuple[HandOver, ...]:
    """The hand-overs of an article and of all articles of its story, the oldest first; the last one's person has it."""
    story = sa.select(STORY_ARTICLE.c.story_id).where(STORY_ARTICLE.c.article_id == article_id)
    same = sa.select(STORY_ARTICLE.c.article_id).where(STORY_ARTICLE.c.story_id.in_(story))
    mine = sa.or_(HAND_OVER.c.article_id == article_id, HAND_OVER.c.article_id.in_(same))
    return tuple(
        HandOver(article_id=r.article_id, author=r.author, person=r.person, note=r.note, created=r.created)
        for r in tx.execute(sa.select(HAND_OVER).where(mine).order_by(HAND_OVER.c.id))
    )


# Visits.


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """The last visits of somebody to the console."""

    seen: datetime
    #: When the visit before the last one ended.
    since: datetime


def last_visit(tx: Tx, person: str) -> Visit | None:
    """The visits of a person as they are written down; None: there was none."""
    row = tx.execute(sa.select(VISIT).where(VISIT.c.person == person)).one_or_none()
    return None if row is None else Visit(seen=row.seen, since=row.since)


def visit(tx: Tx, person: str, now: datetime) -> datetime | None:
    """Write down that somebody opened a page; returns when their visit before this one ended, None at the first."""
    was = last_visit(tx, person)
    is_new = was is None or now - was.seen > VISIT_ENDS_AFTER
    since = now if was is None else was.seen if is_new else was.since
    values = {"seen": now, "since": since}
    statement = insert(tx, VISIT).values(person=person, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["person"], set_=values))
    return None if was is None else since
