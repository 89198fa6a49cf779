"""Articles, what they are recognised by, the stories they tell, and what rules say of them."""

import sqlalchemy as sa

from worker.store.tables.columns import EMPTY, METADATA, big_integer, binary, id_column, integer, real, text, time

#: An article; its text is that of its newest revision.
ARTICLE = sa.Table(
    "article",
    METADATA,
    id_column(),
    text("origin"),
    #: Its name in the archive or in the imported file.
    text("name", default="", index=True),
    #: Canonical URL, or empty.
    text("url", default="", index=True),
    text("link", default=""),
    text("source", default=""),
    text("language", default="", index=True),
    text("title", default=""),
    time("published", index=True),
    #: `day`, `month`, `year`, or empty for an instant.
    text("precision", default=""),
    time("first_seen"),
    #: NoveltyKind when it came: `new` or `duplicate`.
    text("novelty"),
    integer("of_id", sa.ForeignKey("article.id"), nullable=True, index=True),
    real("score", default=0.0),
    text("why", default=""),
    #: Number of the newest revision, from 1; 0 for the archive, which ships no text.
    integer("revision", default=0),
    # The articles of a day, counted by their feeds.
    sa.Index("article_seen", "first_seen", "source"),
)

#: A text that an article had.
REVISION = sa.Table(
    "revision",
    METADATA,
    id_column(),
    integer("article_id", sa.ForeignKey("article.id")),
    integer("number"),
    text("title"),
    text("body"),
    time("created"),
    integer("entry_id", sa.ForeignKey("entry.id"), nullable=True, index=True),
    #: What cleaning took out of it: a JSON list of [kind, text], or empty.
    text("cut", default="", server_default=EMPTY),
    sa.UniqueConstraint("article_id", "number"),
)

#: The marks by which copies of one text of an article are recognised; see `analysis.copies.Fingerprint`.
FINGERPRINT = sa.Table(
    "fingerprint",
    METADATA,
    integer("article_id", sa.ForeignKey("article.id"), primary_key=True),
    #: Number of the revision; 0 for the archive.
    integer("revision", primary_key=True),
    integer("scheme"),
    text("digest", index=True),
    binary("shingles"),
    text("facts"),
    integer("words"),
    #: The keys of its rows in `band`, 6 bytes each; empty for copies, which have none there.
    binary("bands", default=b"", server_default=EMPTY),
)

#: The key of one band of an article, of any text it had.
#:
#: It has no index and no foreign key of its own for the article: with 48 rows an article, either costs more than the
#: fingerprint's `bands`, which tell what to drop with an article.
BAND = sa.Table(
    "band",
    METADATA,
    big_integer("value", primary_key=True, autoincrement=False),
    integer("article_id", primary_key=True),
    sa.PrimaryKeyConstraint("value", "article_id", name="band_key"),
    sqlite_with_rowid=False,
)

#: A line, or a title, of the articles of a feed or a host; see `store.repeated`.
LINE = sa.Table(
    "line",
    METADATA,
    #: Of the feed's name, or of the host.
    big_integer("source", primary_key=True, autoincrement=False),
    big_integer("line", primary_key=True, autoincrement=False),
    #: The title that it was first seen under; of a title, the text.
    big_integer("stands_under"),
    #: The first article that had it. Articles may go, and what was learnt of them stays: no foreign key.
    integer("article_id"),
    #: The first other article that had it under another title: with it the line is standing text.
    integer("other_id", nullable=True),
    #: The last article that had it.
    integer("last_id"),
    sa.PrimaryKeyConstraint("source", "line", name="line_key"),
    sqlite_with_rowid=False,
)

#: Articles on one event.
STORY = sa.Table(
    "story",
    METADATA,
    id_column(),
    #: Of its first article.
    text("title"),
    #: When its first and its last article were published.
    time("first_seen"),
    time("last_seen", index=True),
    #: The story that it turned out to be; its articles are that one's.
    integer("merged_into", sa.ForeignKey("story.id"), nullable=True, index=True),
    time("created"),
    #: The story that it perhaps is the same as, the oldest of their group; see `story.StoryVerdict`.
    integer("perhaps_id", sa.ForeignKey("story.id"), nullable=True, index=True),
    real("perhaps_score", default=0.0, server_default=sa.text("0")),
    text("perhaps_why", default="", server_default=EMPTY),
)

#: A decision by a person on stories; its article and stories may be forgotten.
STORY_HAND = sa.Table(
    "story_hand",
    METADATA,
    id_column(),
    #: `stories.Hand`.
    text("kind"),
    #: None: it is about the whole story.
    integer("article_id", nullable=True, index=True),
    integer("from_id", index=True),
    integer("to_id", index=True),
    text("author"),
    text("note", default=""),
    time("created"),
)

#: Two stories that a person put apart; each pair is there twice. Where one is merged, its row follows.
STORY_APART = sa.Table(
    "story_apart",
    METADATA,
    integer("story_id", primary_key=True),
    integer("other_id", primary_key=True),
    sqlite_with_rowid=False,
)

#: An article's place in a story, and what later articles are compared with.
STORY_ARTICLE = sa.Table(
    "story_article",
    METADATA,
    integer("article_id", sa.ForeignKey("article.id"), primary_key=True),
    integer("story_id", sa.ForeignKey("story.id"), index=True),
    #: Likeness to the story when it joined; 0 for its first article and for copies.
    real("score", default=0.0),
    text("why", default=""),
    text("language", default=""),
    time("published", index=True),
    #: `story.Vector.packed`; empty for copies.
    binary("vector", default=b""),
)

#: Nothing: the heavy terms by which stories were looked for until schema 0024; goes with a later one.
STORY_KEY = sa.Table(
    "story_key",
    METADATA,
    big_integer("term", primary_key=True, autoincrement=False),
    integer("article_id", sa.ForeignKey("article.id"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

#: In how many articles a term stands; -1 counts the articles.
TERM = sa.Table(
    "term",
    METADATA,
    big_integer("hash", primary_key=True, autoincrement=False),
    integer("articles"),
    sqlite_with_rowid=False,
)

#: A rule that a revision satisfied, with the proof.
MATCH = sa.Table(
    "match",
    METADATA,
    id_column(),
    integer("article_id", sa.ForeignKey("article.id"), index=True),
    integer("revision_id", sa.ForeignKey("revision.id")),
    text("rule_id"),
    text("rule_name"),
    text("rule_hash"),
    text("severity"),
    #: `[[part, [[start, end], ...]], ...]` as JSON.
    text("spans"),
    time("created"),
    sa.UniqueConstraint("revision_id", "rule_id"),
    # A rule's matches of a time: what a volume counts.
    sa.Index("match_rule", "rule_id", "created"),
    # All rules' matches of a time.
    sa.Index("match_seen", "created", "rule_id"),
)

#: An analyst's judgement of an article for a rule; the last one counts.
JUDGEMENT = sa.Table(
    "judgement",
    METADATA,
    integer("article_id", sa.ForeignKey("article.id"), primary_key=True),
    text("rule_id", primary_key=True),
    #: `relevant` or `noise`.
    text("judgement"),
    #: Who said it, where that is known.
    text("author", default="", server_default=EMPTY),
    time("created"),
)
