"""The stories in memory, as the store has them: what new articles are compared with is not read for each of them.

They are read when an article of their days first comes, and follow what this process writes. Only the holder of the
ingest lock adds articles; so what others have added since is known by the revisions beyond the last that was seen, and
what was changed otherwise (by hands, retention or judging again) by a number that grows. What is rolled back is
forgotten with all the rest, and read again.
"""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from worker.analysis.stories import COMPARED_IN_GROUP, WINDOW, Candidate, Index, StoryMember, Vector, unpacked
from worker.store.database import Tx, failures, insert
from worker.store.tables import REVISION, SCHEME, STORY_ARTICLE

#: The row of `scheme` whose number grows with each change that is no new text.
_CHANGES = "story changes"
#: Articles in memory, at 2 kB each, beyond which all but the days that are asked for are forgotten.
_MOST = 30_000
#: What others have stored since is read so far; beyond, all is read again when it is needed.
_MANY = 1_000
_LAST = date.max.toordinal()

_SEEN = sa.select(
    sa.select(sa.func.max(REVISION.c.id)).scalar_subquery(),
    sa.select(SCHEME.c.number).where(SCHEME.c.name == _CHANGES).scalar_subquery(),
)
_APART = sa.text("""
    SELECT coalesce(a.perhaps_id, a.id), coalesce(b.perhaps_id, b.id)
    FROM story_apart AS p JOIN story AS a ON a.id = p.story_id JOIN story AS b ON b.id = p.other_id
""")
_IN_DAYS = """
    SELECT DISTINCT coalesce(s.perhaps_id, s.id) FROM story_article AS t JOIN story AS s ON s.id = t.story_id
    WHERE t.published >= :since AND t.published < :until AND length(t.vector) > 0
"""
_OF_STORIES = "SELECT DISTINCT coalesce(perhaps_id, id) FROM story WHERE id IN ({ids})"


def _rows(roots: str) -> sa.TextualSelect:
    """The articles in some days of the groups with these roots, and the newest of each of their stories."""
    statement = f"""
        WITH root(id) AS ({roots}), member(root, story_id) AS (
            SELECT id, id FROM root UNION ALL SELECT root.id, s.id FROM root JOIN story AS s ON s.perhaps_id = root.id
        ), placed AS (
            SELECT m.root, t.article_id, t.published,
                row_number() OVER (PARTITION BY m.story_id ORDER BY t.published DESC, t.article_id DESC) AS place
            FROM member AS m JOIN story_article AS t ON t.story_id = m.story_id WHERE length(t.vector) > 0
        )
        SELECT p.root, t.story_id, t.article_id, t.published, t.language, t.vector
        FROM placed AS p JOIN story_article AS t ON t.article_id = p.article_id
        WHERE p.place <= {COMPARED_IN_GROUP} OR (p.published >= :since AND p.published < :until) ORDER BY t.article_id
    """  # noqa: S608 - of texts of ours
    period = [sa.bindparam(name, type_=STORY_ARTICLE.c.published.type) for name in ("since", "until")]
    names = ("story_id", "article_id", "published", "language", "vector")
    types = {name: STORY_ARTICLE.c[name].type for name in names} | {"root": sa.Integer()}
    return sa.text(statement).bindparams(*period).columns(**types)


_ROWS = {
    "sqlite": (_rows(_IN_DAYS), _rows(_OF_STORIES.format(ids="SELECT value FROM json_each(:ids)"))),
    "postgresql": (
        _rows(_IN_DAYS),
        _rows(_OF_STORIES.format(ids="SELECT CAST(value AS integer) FROM json_array_elements_text(:ids) AS v(value)")),
    ),
}


class _Memory:
    """The stories of one store, as far as they are in memory."""

    def __init__(self) -> None:
        #: Of transactions, when this was last up to date.
        self._failures = 0
        self._forget()

    def _forget(self) -> None:
        self.index = Index()
        self._days: set[int] = set()
        self._seen: tuple[int, int] | None = None
        #: The transaction that it is up to date with.
        self.tx: Tx | None = None
        #: Stories that others have changed; to be read again before they are asked for.
        self.dirty: set[int] = set()

    def forget(self, tx: Tx) -> None:
        """Forget all, if this transaction has been asked for."""
        if self.tx is tx:
            self._forget()

    def settle(self, tx: Tx) -> None:
        """Note that all that this transaction wrote is known."""
        if self.tx is tx:
            self._seen, self.tx = _seen(tx), None

    def begin(self, tx: Tx) -> "_Memory":
        """Take in what others have written since, once a transaction; under the ingest lock."""
        if self.tx is not tx or self._failures != failures(tx):
            self._catch_up(tx)
            self.tx = tx
        return self

    def settled(self, tx: Tx) -> Index:
        """The index as this transaction sees the store, what it has written itself included."""
        self.begin(tx)
        if self.dirty:
            self._read_again(tx, sorted(self.dirty))
            self.dirty.clear()
        return self.index

    def _catch_up(self, tx: Tx) -> None:
        seen = _seen(tx)
        failed, self._failures = self._failures != failures(tx), failures(tx)
        if failed or self._seen is None or self._seen[1] != seen[1] or self.dirty:
            self._forget()
        elif self._seen[0] != seen[0]:
            self._take_in(tx, self._seen[0])
        self._seen = seen

    def _take_in(self, tx: Tx, after: int) -> None:
        """Read what others have stored beyond that revision."""
        query = sa.select(REVISION.c.article_id).where(REVISION.c.id > after).distinct().limit(_MANY + 1)
        came = set(tx.execute(query).scalars())
        if len(came) > _MANY:
            self._forget()
            return
        rows = tx.execute(
            sa.select(STORY_ARTICLE.c.article_id, STORY_ARTICLE.c.story_id).where(STORY_ARTICLE.c.article_id.in_(came))
        ).all()
        for row in rows:
            self.index.drop(row.article_id)
        self._read_again(tx, sorted({row.story_id for row in rows}))

    def _read_again(self, tx: Tx, story_ids: Sequence[int]) -> None:
        never = datetime.min.replace(tzinfo=UTC)
        asked = {"ids": json.dumps(story_ids), "since": never, "until": never}
        self._fill(tx, tx.execute(_ROWS[tx.dialect.name][1], asked).all())

    def cover(self, tx: Tx, published: datetime) -> None:
        """Read the days about a moment, as far as they are not there."""
        day, about = published.date().toordinal(), WINDOW.days
        wanted = set(range(max(1, day - about), min(_LAST, day + about) + 1))
        if len(self.index) > _MOST and len(self._days) > 2 * len(wanted):
            seen = self._seen
            self._forget()
            self._seen, self.tx = seen, tx
        if missing := wanted - self._days:
            since, until = (_midnight(at) for at in (min(missing), max(missing) + 1))
            self._fill(tx, tx.execute(_ROWS[tx.dialect.name][0], {"since": since, "until": until}).all())
            self._days |= set(range(min(missing), max(missing) + 1))

    def covers(self, published: datetime) -> bool:
        """Tells whether the day of a moment is there."""
        return published.astimezone(UTC).date().toordinal() in self._days

    def _fill(self, tx: Tx, rows: Sequence[sa.Row[tuple[object, ...]]]) -> None:
        groups: dict[int, set[int]] = {}
        for r in rows:
            groups.setdefault(r.root, set()).add(r.story_id)
            if not self.index.holds(r.article_id, r.story_id):
                member = StoryMember(
                    article_id=r.article_id, published=r.published, language=r.language, vector=unpacked(r.vector)
                )
                self.index.put(member, r.story_id)
        for root, story_ids in groups.items():
            self.index.group(root, story_ids)
        apart: dict[int, set[int]] = {}
        for root, other in tx.execute(_APART):
            apart.setdefault(root, set()).add(other)
        self.index.apart = {root: frozenset(others) for root, others in apart.items()}


_memories: WeakKeyDictionary[sa.Engine, _Memory] = WeakKeyDictionary()


def _memory(tx: Tx) -> _Memory:
    found = _memories.get(tx.engine)
    if found is None:
        _memories[tx.engine] = found = _Memory()
        sa.event.listen(tx.engine, "commit", found.settle)
    return found


def _seen(tx: Tx) -> tuple[int, int]:
    revision, changes = tx.execute(_SEEN).one()
    return revision or 0, changes or 0


def _midnight(ordinal: int) -> datetime:
    if ordinal > _LAST:
        return datetime.max.replace(tzinfo=UTC)
    day = date.fromordinal(ordinal)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def candidates(tx: Tx, vector: Vector, published: datetime, *, exclude: int | None = None) -> tuple[Candidate, ...]:
    """The stories of the groups that share most of an article's heaviest terms in these days; under the ingest lock."""
    if not len(vector):
        return ()
    memory = _memory(tx)
    memory.settled(tx)
    memory.cover(tx, published.astimezone(UTC))
    return memory.index.candidates(vector, published, exclude=exclude)


def join(tx: Tx, story_id: int, root: int) -> None:
    """Note that a story that was in no group points to a root."""
    _memory(tx).begin(tx).index.join(story_id, root)


def follow(tx: Tx, member: StoryMember, story_id: int) -> None:
    """Note that an article is in a story from now on."""
    memory = _memory(tx).begin(tx)
    memory.index.drop(member.article_id)
    if len(member.vector) and memory.covers(member.published):
        kept = StoryMember(
            article_id=member.article_id,
            published=member.published,
            language=member.language,
            vector=unpacked(member.vector.packed()),
        )
        memory.index.put(kept, story_id)


def leave(tx: Tx, article_id: int) -> None:
    """Note that no later article is compared with this one."""
    _memory(tx).begin(tx).index.drop(article_id)


def merge(tx: Tx, gone: int, into: int) -> None:
    """Note that all articles of a story are in another from now on; every other process reads all again."""
    _memory(tx).begin(tx).index.move(gone, into)
    change(tx)


def touch(tx: Tx, story_ids: Collection[int]) -> None:
    """Note that the articles or the groups of stories are others by now; they are read again when they are needed."""
    _memory(tx).begin(tx).dirty.update(story_ids)


def change(tx: Tx, *, is_all: bool = False) -> None:
    """Let every process know that stories were changed by other than new texts; `is_all`: this one forgets all too."""
    values = {"name": _CHANGES, "number": 1}
    grown = {"number": SCHEME.c.number + 1}
    tx.execute(insert(tx, SCHEME).values(values).on_conflict_do_update(index_elements=["name"], set_=grown))
    if is_all:
        _memory(tx).forget(tx)
