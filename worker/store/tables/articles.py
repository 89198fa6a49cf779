"""Articles, what they are recognised by, the stories they tell, and what rules say of them."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from worker.store.tables.columns import text_column, time_column


class ArticleRow(SQLModel, table=True):
    """An article; its text is that of its newest revision."""

    __tablename__ = "article"
    # The articles of a day, counted by their feeds.
    __table_args__ = (Index("article_seen", "first_seen", "source"),)
    id: int | None = Field(default=None, primary_key=True)
    origin: str = text_column()
    #: Its name in the archive or in the imported file.
    name: str = text_column(default="", index=True)
    #: Canonical URL, or empty.
    url: str = text_column(default="", index=True)
    link: str = text_column(default="")
    source: str = text_column(default="")
    language: str = text_column(default="", index=True)
    title: str = text_column(default="")
    published: datetime = time_column(index=True)
    #: `day`, `month`, `year`, or empty for an instant.
    precision: str = text_column(default="")
    first_seen: datetime = time_column()
    #: NoveltyKind when it came: `new` or `duplicate`.
    novelty: str = text_column()
    of_id: int | None = Field(default=None, foreign_key="article.id", index=True)
    score: float = 0.0
    why: str = text_column(default="")
    #: Number of the newest revision, from 1; 0 for the archive, which ships no text.
    revision: int = 0


class RevisionRow(SQLModel, table=True):
    """A text that an article had."""

    __tablename__ = "revision"
    __table_args__ = (UniqueConstraint("article_id", "number"),)
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id")
    number: int
    title: str = text_column()
    body: str = text_column()
    created: datetime = time_column()
    entry_id: int | None = Field(default=None, foreign_key="entry.id", index=True)
    #: What cleaning took out of it: a JSON list of [kind, text], or empty.
    cut: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})


class FingerprintRow(SQLModel, table=True):
    """The marks by which copies of one text of an article are recognised; see `analysis.copies.Fingerprint`."""

    __tablename__ = "fingerprint"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    #: Number of the revision; 0 for the archive.
    revision: int = Field(primary_key=True)
    scheme: int
    digest: str = text_column(index=True)
    shingles: bytes = Field(sa_type=LargeBinary)
    facts: str = text_column()
    words: int
    #: The keys of its rows in `band`, 6 bytes each; empty for copies, which have none there.
    bands: bytes = Field(default=b"", sa_type=LargeBinary, sa_column_kwargs={"server_default": text("''")})


class BandRow(SQLModel, table=True):
    """The key of one band of an article, of any text it had.

    It has no index and no foreign key of its own for the article: with 48 rows an article, either costs more than the
    fingerprint's `bands`, which tell what to drop with an article.
    """

    __tablename__ = "band"
    __table_args__ = (PrimaryKeyConstraint("value", "article_id", name="band_key"), {"sqlite_with_rowid": False})
    value: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    article_id: int = Field(primary_key=True)


class LineRow(SQLModel, table=True):
    """A line, or a title, of the articles of a feed or a host; see `store.repeated`."""

    __tablename__ = "line"
    __table_args__ = (PrimaryKeyConstraint("source", "line", name="line_key"), {"sqlite_with_rowid": False})
    #: Of the feed's name, or of the host.
    source: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    line: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    #: The title that it was first seen under; of a title, the text.
    stands_under: int = Field(sa_type=BigInteger)
    #: The first article that had it. Articles may go, and what was learnt of them stays: no foreign key.
    article_id: int
    #: The first other article that had it under another title: with it the line is standing text.
    other_id: int | None = None
    #: The last article that had it.
    last_id: int


class StoryRow(SQLModel, table=True):
    """Articles on one event."""

    __tablename__ = "story"
    id: int | None = Field(default=None, primary_key=True)
    #: Of its first article.
    title: str = text_column()
    #: When its first and its last article were published.
    first_seen: datetime = time_column()
    last_seen: datetime = time_column(index=True)
    #: The story that it turned out to be; its articles are that one's.
    merged_into: int | None = Field(default=None, foreign_key="story.id", index=True)
    created: datetime = time_column()
    #: The story that it perhaps is the same as, the oldest of their group; see `story.StoryVerdict`.
    perhaps_id: int | None = Field(default=None, foreign_key="story.id", index=True)
    perhaps_score: float = Field(default=0.0, sa_column_kwargs={"server_default": text("0")})
    perhaps_why: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})


class StoryHandRow(SQLModel, table=True):
    """A decision by a person on stories; its article and stories may be forgotten."""

    __tablename__ = "story_hand"
    id: int | None = Field(default=None, primary_key=True)
    #: `stories.StoryCorrection`.
    kind: str = text_column()
    #: None: it is about the whole story.
    article_id: int | None = Field(default=None, index=True)
    from_id: int = Field(index=True)
    to_id: int = Field(index=True)
    author: str = text_column()
    note: str = text_column(default="")
    created: datetime = time_column()


class StoryApartRow(SQLModel, table=True):
    """Two stories that a person put apart; each pair is there twice. Where one is merged, its row follows."""

    __tablename__ = "story_apart"
    __table_args__ = {"sqlite_with_rowid": False}
    story_id: int = Field(primary_key=True)
    other_id: int = Field(primary_key=True)


class StoryArticleRow(SQLModel, table=True):
    """An article's place in a story, and what later articles are compared with."""

    __tablename__ = "story_article"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    story_id: int = Field(foreign_key="story.id", index=True)
    #: Likeness to the story when it joined; 0 for its first article and for copies.
    score: float = 0.0
    why: str = text_column(default="")
    language: str = text_column(default="")
    published: datetime = time_column(index=True)
    #: `story.Vector.packed`; empty for copies.
    vector: bytes = Field(default=b"", sa_type=LargeBinary)


class StoryKeyRow(SQLModel, table=True):
    """Nothing: the heavy terms by which stories were looked for until schema 0024; goes with a later one."""

    __tablename__ = "story_key"
    __table_args__ = {"sqlite_with_rowid": False}
    term: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    article_id: int = Field(primary_key=True, foreign_key="article.id", index=True)


class TermRow(SQLModel, table=True):
    """In how many articles a term stands; -1 counts the articles."""

    __tablename__ = "term"
    __table_args__ = {"sqlite_with_rowid": False}
    hash: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    articles: int


class MatchRow(SQLModel, table=True):
    """A rule that a revision satisfied, with the proof."""

    __tablename__ = "match"
    __table_args__ = (
        UniqueConstraint("revision_id", "rule_id"),
        # A rule's matches of a time: what a volume counts.
        Index("match_rule", "rule_id", "created"),
        # All rules' matches of a time.
        Index("match_seen", "created", "rule_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    article_id: int = Field(foreign_key="article.id", index=True)
    revision_id: int = Field(foreign_key="revision.id")
    rule_id: str = text_column()
    rule_name: str = text_column()
    rule_hash: str = text_column()
    #: `RuleSet.hash` of the rules that its worker went by.
    ruleset_hash: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    severity: str = text_column()
    #: `[[part, [[start, end], ...]], ...]` as JSON.
    spans: str = text_column()
    created: datetime = time_column()


class JudgementRow(SQLModel, table=True):
    """An analyst's judgement of an article for a rule; the last one counts."""

    __tablename__ = "judgement"
    article_id: int = Field(primary_key=True, foreign_key="article.id")
    rule_id: str = text_column(primary_key=True)
    #: `relevant` or `noise`.
    judgement: str = text_column()
    #: Who said it, where that is known.
    author: str = text_column(default="", sa_column_kwargs={"server_default": text("''")})
    created: datetime = time_column()
