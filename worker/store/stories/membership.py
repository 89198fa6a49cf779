"""Stories and the articles in them, as they are stored."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from worker.analysis.stories import StoryMember, StoryVerdict, Vector
from worker.store.database import Tx
from worker.store.deferred import asking_for_stored, defer, next_id, waiting
from worker.store.stories import memory
from worker.store.stories.joining import merge, pointer, stretch, unite
from worker.store.tables import ARTICLE, STORY, STORY_ARTICLE

# Made once: SQLAlchemy takes longer to make a statement of values than the database to store them.
_ADD_STORY = sa.insert(STORY)
_STORY_OF = sa.select(STORY_ARTICLE.c.story_id).where(STORY_ARTICLE.c.article_id == sa.bindparam("one"))
_PUT = sa.text(
    "INSERT INTO story_article (article_id, story_id, score, why, language, published, vector) "
    "VALUES (:article_id, :story_id, :score, :why, :language, :published, :vector) "
    "ON CONFLICT (article_id) DO UPDATE SET story_id = excluded.story_id, score = excluded.score, why = excluded.why, "
    "language = excluded.language, published = excluded.published, vector = excluded.vector"
).bindparams(
    sa.bindparam("published", type_=STORY_ARTICLE.c.published.type), sa.bindparam("vector", type_=sa.LargeBinary)
)


def add(tx: Tx, member: StoryMember, verdict: StoryVerdict, *, title: str, now: datetime) -> int:
    """Store an article as part of the story that was decided; returns the story's id."""
    story_id = verdict.story_id
    if story_id is None:
        story_id = begin(tx, title, member.published, now, verdict)
    for merged in verdict.merged:
        merge(tx, merged, story_id)
    if verdict.group is not None and verdict.grouped:
        unite(tx, (verdict.group, *verdict.grouped), why=f"Article {member.article_id} is like both.")
    _put(tx, member.article_id, story_id, member, verdict)
    if verdict.story_id is not None:
        stretch(tx, story_id, member.published)
    return story_id


def begin(tx: Tx, title: str, published: datetime, now: datetime, verdict: StoryVerdict | None = None) -> int:
    """Begin a story, which points to what was decided; returns its id."""
    story_id = next_id(tx, STORY)
    values = {"id": story_id, "title": title, "first_seen": published, "last_seen": published, "created": now}
    values |= pointer(verdict)
    defer(tx, STORY.name, _ADD_STORY, values)
    if verdict is not None and verdict.group is not None:
        memory.join(tx, story_id, verdict.group)
    return story_id


def renew(tx: Tx, member: StoryMember) -> None:
    """Compare later articles with an article's new text; it stays in its story."""
    mine = STORY_ARTICLE.c.article_id == member.article_id
    values = {"vector": member.vector.packed(), "language": member.language}
    story_id = tx.execute(
        sa.update(STORY_ARTICLE).where(mine).values(values).returning(STORY_ARTICLE.c.story_id)
    ).scalar()
    if story_id is not None:
        memory.follow(tx, member, story_id)
        memory.touch(tx, {story_id})


def drop_terms(tx: Tx, article_id: int) -> None:
    """Compare no later article with one whose text turned out to be a copy; it stays in its story."""
    mine = (STORY_ARTICLE.c.article_id == article_id, sa.func.length(STORY_ARTICLE.c.vector) > 0)
    tx.execute(sa.update(STORY_ARTICLE).where(*mine).values(vector=b""))
    memory.leave(tx, article_id)


def add_copy(
    tx: Tx, article_id: int, original: int, *, published: datetime, language: str, before: int | None = None
) -> int | None:
    """Put a copy into its original's story; None if that is in none. `before`: the story it was in until now."""
    if before is not None:
        drop_terms(tx, article_id)
    story_id = story_of(tx, original)
    if story_id is None:
        return None
    member = StoryMember(article_id=article_id, published=published, language=language, vector=Vector.of({}))
    why = f"It is a copy of article {original}."
    _put(tx, article_id, story_id, member, StoryVerdict(story_id=story_id, score=0.0, why=why))
    stretch(tx, story_id, published)
    if before is not None and before != story_id and is_empty(tx, before):
        merge(tx, before, story_id)
    return story_id


def put(tx: Tx, member: StoryMember, story_id: int, *, score: float, why: str) -> None:
    """Put an article into that story, whichever it was in before."""
    _put(tx, member.article_id, story_id, member, StoryVerdict(story_id=story_id, score=score, why=why))
    memory.touch(tx, {story_id})
    memory.change(tx)
    stretch(tx, story_id, member.published)


def forget_place(tx: Tx, article_id: int) -> None:
    """Take an article out of its story, and out of what is compared."""
    tx.execute(sa.delete(STORY_ARTICLE).where(STORY_ARTICLE.c.article_id == article_id))
    memory.leave(tx, article_id)
    memory.change(tx)


def put_copies(tx: Tx, article_ids: Collection[int], story_id: int) -> None:
    """Put copies into their original's story."""
    tx.execute(
        sa.update(STORY_ARTICLE).where(STORY_ARTICLE.c.article_id.in_(list(article_ids))).values(story_id=story_id)
    )


def retitle(tx: Tx, story_id: int) -> None:
    """Let a story have the title of its first article and cover the time of all, after some went or came."""
    query = (
        sa.select(ARTICLE.c.title, STORY_ARTICLE.c.published)
        .join(STORY_ARTICLE, STORY_ARTICLE.c.article_id == ARTICLE.c.id)
        .where(STORY_ARTICLE.c.story_id == story_id)
        .order_by(STORY_ARTICLE.c.article_id)
    )
    rows = tx.execute(query).all()
    if rows:
        times = [row.published for row in rows]
        values = {"first_seen": min(times), "last_seen": max(times)}
        values |= {"title": rows[0].title} if rows[0].title else {}
        tx.execute(sa.update(STORY).where(STORY.c.id == story_id).values(values))


def is_empty(tx: Tx, story_id: int) -> bool:
    """Tells whether no article tells a story."""
    return (
        tx.execute(sa.select(STORY_ARTICLE.c.article_id).where(STORY_ARTICLE.c.story_id == story_id).limit(1)).first()
        is None
    )


def story_of(tx: Tx, article_id: int) -> int | None:
    """The story that an article is in."""
    ahead = [row["story_id"] for row in waiting(tx, STORY_ARTICLE.name) if row["article_id"] == article_id]
    if ahead:
        return int(ahead[-1])
    with asking_for_stored(tx):
        return tx.execute(_STORY_OF, {"one": article_id}).scalar()


def _put(tx: Tx, article_id: int, story_id: int, member: StoryMember, verdict: StoryVerdict) -> None:
    values = {
        "article_id": article_id,
        "story_id": story_id,
        "score": verdict.score,
        "why": verdict.why,
        "language": member.language,
        "published": member.published,
        "vector": member.vector.packed(),
    }
    defer(tx, STORY_ARTICLE.name, _PUT, values)
    memory.follow(tx, member, story_id)
