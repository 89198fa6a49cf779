"""The index of words: finds articles by the words of their newest title and text.

Words are those of `worker.analysis.text`, folded, so that capitals and accents do not matter. SQLite keeps them in a
contentless FTS5 table, PostgreSQL in a tsvector; both are given the words as they are, and split nothing themselves. A
change of folding or of the tokeniser needs a migration that builds the index anew, as a word is taken out by its folded
form.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from worker.analysis.text import Document, analyse, fold, once, plain, words
from worker.model import Article
from worker.store.deferred import defer
from worker.store.tables import ARTICLE, REVISION

if TYPE_CHECKING:
    from worker.store.database import Tx


#: Characters of a title, of a text and of a word that are searched. A tsvector holds 1 MB, a lexeme of it 2 kB.
MAX_TEXT, MAX_WORD = 200_000, 500
#: A word of so many letters also finds longer ones that begin with it: a plural, an ending.
_OPEN = 4
#: Texts read at once while the index is built.
_PAGE = 500

_CREATE = {
    # The tokenizer `ascii` takes every character beyond ASCII for a letter: only the spaces part words.
    "sqlite": ("CREATE VIRTUAL TABLE search USING fts5(title, body, content='', tokenize=\"ascii tokenchars ''''\")",),
    "postgresql": (
        "CREATE TABLE search (article_id INTEGER NOT NULL PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX search_words ON search USING gin (words)",
    ),
}
_PUT_SQLITE = "INSERT INTO search (rowid, title, body) VALUES (?, ?, ?)"
_TAKE_SQLITE = sa.text("INSERT INTO search (search, rowid, title, body) VALUES ('delete', :article, :title, :body)")
_PUT_POSTGRESQL = sa.text("INSERT INTO search (article_id, words) VALUES (:article, CAST(:words AS tsvector))")
_TAKE_POSTGRESQL = sa.text("DELETE FROM search WHERE article_id = :article")
_FOUND_SQLITE = "SELECT rowid AS id FROM search WHERE search MATCH :asked"
_FOUND_POSTGRESQL = "SELECT article_id AS id FROM search WHERE words @@ CAST(:asked AS tsquery)"

_QUOTED = re.compile('"([^"]*)"|«([^»]*)»|“([^”]*)”')


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must stand one after the other; with `is_start`, the last one need only begin with these letters."""

    words: tuple[str, ...]
    is_start: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """A text must hold each of these."""

    parts: tuple["Asked", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A text must hold one of these."""

    parts: tuple["Asked", ...]


Asked: TypeAlias = Term | AllOf | AnyOf


def read(asked: str) -> tuple[Term, ...]:
    """The terms of what a person looks for, all of which must be found; empty if it holds no word.

    Each word is a term, and so is a run of a script without spaces (Thai, Lao, Khmer). A word of four letters or more
    also finds longer ones that begin with it. Words in quotes are one term, and found only as they are.
    """
    terms: list[Term] = []
    end = 0
    asked, _ = plain(asked)
    for quoted in _QUOTED.finditer(asked):
        terms += _terms(asked[end : quoted.start()])
        phrase = tuple(word[:MAX_WORD] for word in _folded(quoted[quoted.lastindex or 0]))
        terms += [Term(phrase)] if phrase else []
        end = quoted.end()
    return tuple(dict.fromkeys([*terms, *_terms(asked[end:])]))


def _terms(text: str) -> list[Term]:
    runs: list[list[str]] = []
    before = -1
    for start, end in words(text):
        if folded := fold(text[start:end])[:MAX_WORD]:
            if start == before:
                runs[-1].append(folded)
            else:
                runs.append([folded])
            before = end
    return [Term(tuple(run), is_start=len(run) == 1 and len(run[0]) >= _OPEN) for run in runs]


def holds(tx: "Tx", terms: Collection[Term], *, in_title: bool = False) -> sa.ColumnElement[bool]:
    """The condition that an article's newest text, or its title alone, holds all the terms; false without a term."""
    return holds_all_of(tx, AllOf(tuple(terms)), in_title=in_title) if terms else sa.false()


def holds_all_of(tx: "Tx", asked: Asked | None, *, in_title: bool = False) -> sa.ColumnElement[bool]:
    """The condition that an article's newest text, or its title alone, holds what is asked for; None: nothing is."""
    if asked is None:
        return sa.true()
    found, values = _found(tx, asked, in_title=in_title)
    return sa.text(f"article.id IN ({found})").bindparams(**values)  # type: ignore[return-value]  # a text is a condition too


def ids(tx: "Tx", asked: Asked, *, first: int, limit: int) -> Sequence[int]:
    """The `limit` greatest numbers, from `first` on, of articles whose newest text holds what is asked for."""
    found, values = _found(tx, asked)
    found += f" AND {'rowid' if tx.dialect.name == 'sqlite' else 'article_id'} >= :first ORDER BY 1 DESC LIMIT :limit"
    return tx.execute(sa.text(found), values | {"first": first, "limit": limit}).scalars().all()


def _written(asked: Asked, term: Callable[[Term], str], both: str, either: str) -> str:
    """A question as the database writes it."""
    if isinstance(asked, Term):
        return term(asked)
    joint = both if isinstance(asked, AllOf) else either
    return f"({joint.join(_written(part, term, both, either) for part in asked.parts)})"


def _found(tx: "Tx", question: Asked, *, in_title: bool = False) -> tuple[str, dict[str, str | int]]:
    """A statement of the articles that are found, as `id`, and its values."""
    if tx.dialect.name == "sqlite":
        asked = _written(question, _fts5, " AND ", " OR ")
        return _FOUND_SQLITE, {"asked": f"title : ({asked})" if in_title else asked}
    return _FOUND_POSTGRESQL, {
        "asked": _written(question, partial(_tsquery, weight="A" if in_title else ""), " & ", " | ")
    }


def _fts5(term: Term) -> str:
    phrase = " ".join(term.words).replace('"', '""')
    return f'"{phrase}"' + " *" * term.is_start


def _tsquery(term: Term, weight: str) -> str:
    *before, last = (_lexeme(word) for word in term.words)
    marked = [f"{word}:{weight}" if weight else word for word in before]
    mark = "*" * term.is_start + weight
    return f"({' <-> '.join([*marked, f'{last}:{mark}' if mark else last])})"


def _lexeme(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def create(tx: "Tx") -> None:
    """Make the empty index."""
    for statement in _CREATE[tx.dialect.name]:
        tx.exec_driver_sql(statement)


def put(tx: "Tx", article_id: int, article: Article, document: Document | None) -> None:
    """Add the newest text of an article that is not in the index; `document`: its words, if they are known already."""
    document = document or analyse(article.title, article.body, article.language)
    made = (_joined if tx.dialect.name == "sqlite" else _lexemes)(document)
    defer(tx, "search", _put, (article_id, *made))


def prepare(documents: Iterable[Document], *, is_sqlite: bool) -> None:
    """Make what `put` writes of documents, which takes a while, before the ingest lock is held."""
    for document in documents:
        (_joined if is_sqlite else _lexemes)(document)


def forget(tx: "Tx", ids: Collection[int]) -> None:
    """Drop articles from the index; their newest revisions must be those that are in it."""
    for article_id, title, body in tx.execute(_newest(ARTICLE.c.id.in_(ids))):
        _take_out(tx, article_id, (title, body))


def build(tx: "Tx") -> None:
    """Fill the empty index from all that is stored, page by page."""
    last = 0
    while page := tx.execute(_newest(ARTICLE.c.id > last).order_by(ARTICLE.c.id).limit(_PAGE)).all():
        make = _joined_words if tx.dialect.name == "sqlite" else _tsvector
        _put(tx, [(article_id, *make(_folded(title), _folded(body))) for article_id, title, body in page])
        last = page[-1][0]


def _newest(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Number, title and body of articles; those of the archive have no body."""
    newest = sa.and_(REVISION.c.article_id == ARTICLE.c.id, REVISION.c.number == ARTICLE.c.revision)
    body = sa.func.coalesce(REVISION.c.body, "")
    return sa.select(ARTICLE.c.id, ARTICLE.c.title, body).outerjoin(REVISION, newest).where(condition)


def _put(tx: "Tx", rows: Sequence[tuple[Any, ...]]) -> None:
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_PUT_SQLITE, list(rows))
    else:
        tx.execute(_PUT_POSTGRESQL, [{"article": article_id, "words": written} for article_id, written in rows])


@once
def _joined(document: Document) -> tuple[str, str]:
    return _joined_words(document.folded[: document.title_words], document.folded[document.title_words :])


@once
def _lexemes(document: Document) -> tuple[str]:
    return _tsvector(document.folded[: document.title_words], document.folded[document.title_words :])


def _joined_words(title: Sequence[str], body: Sequence[str]) -> tuple[str, str]:
    return " ".join(_bounded(title)), " ".join(_bounded(body))


def _take_out(tx: "Tx", article_id: int, text: tuple[str, str] | None) -> None:
    if tx.dialect.name != "sqlite":
        tx.execute(_TAKE_POSTGRESQL, {"article": article_id})
    elif text is not None:
        title, body = _joined_words(*map(_folded, text))
        tx.execute(_TAKE_SQLITE, {"article": article_id, "title": title, "body": body})


def _folded(text: str) -> tuple[str, ...]:
    return tuple(folded for start, end in words(text) if (folded := fold(text[start:end])))


def _bounded(found: Sequence[str]) -> Sequence[str]:
    """The words that are indexed."""
    lengths = list(accumulate(map(len, found)))
    if lengths and lengths[-1] > MAX_TEXT:
        found = found[: bisect_right(lengths, MAX_TEXT)]
    return [word[:MAX_WORD] for word in found] if any(len(word) > MAX_WORD for word in found) else found


def _tsvector(title: Sequence[str], body: Sequence[str]) -> tuple[str]:
    """The words with their places; those of the title weigh A, and no phrase runs from it into the text."""
    places: dict[str, list[str]] = {}
    title = _bounded(title)
    for at, word in enumerate(title, 1):
        places.setdefault(word, []).append(f"{at}A")
    for at, word in enumerate(_bounded(body), len(title) + 2):
        places.setdefault(word, []).append(str(at))
    return (" ".join(f"{_lexeme(word)}:{','.join(at)}" for word, at in places.items() if word),)
