"""Articles: a line in a list, the text, and what came of the page."""

from typing import Any

from worker.model import PageReason, times
from worker.net import urls
from worker.store import Store, Tx, pages
from worker.store import articles as stored
from worker.store.articles import StoredArticle

Facts = dict[str, Any]

_PAGE = {
    PageReason.NOT_FETCHED: "its page could not be fetched",
    PageReason.NO_TEXT: "no text was found on its page",
    PageReason.REDIRECTED: "its page's address led elsewhere",
    PageReason.OTHER_TEXT: "its page does not carry what the feed says",
    PageReason.LISTING: "its page is a list of other articles",
    PageReason.SHORTER: "its page has less text than the feed",
    PageReason.REPEATED: "other articles of the site got the same page",
}


def article(one: StoredArticle) -> Facts:
    """An article's line in a list."""
    return {
        "id": one.id,
        "origin": str(one.origin),
        "name": one.name,
        "title": one.article.title,
        "source": one.article.source,
        "language": one.article.language,
        "published": times.known(one.article.published, one.precision),
        "first_seen": one.article.first_seen,
        "link": one.article.link,
        "novelty": one.novelty,
        "duplicate_of": one.of_id,
        "score": round(one.score, 4),
        "why": one.why,
        "revision": one.revision,
    }


def find(tx: Tx, asked: str, *, limit: int = 10) -> tuple[StoredArticle, ...]:
    """The articles that a number, a name, an address or words of a title ask for, the likeliest first."""
    is_number = asked.isdecimal() and len(asked) < 10 and not asked.startswith("0")  # 001 is a name of the archive
    one = stored.get(tx, int(asked)) if is_number else None
    return (one,) if one else stored.find(tx, asked, urls.key(asked), limit=limit)


def shown(store: Store, asked: str, *, raw: bool) -> Facts | None:
    """An article's newest text; None if there is no such article."""
    with store.read() as tx:
        fitting = find(tx, asked)
        if not fitting:
            return None
        one, *others = fitting
        found = article(one) | {
            "others": [{"id": other.id, "title": other.article.title} for other in others],
            "page": page(tx, one.id),
            "body": one.article.body,
        }
        cut = stored.cut_of(tx, one.id, one.revision)
    return found | ({"cut": [{"kind": str(part.kind), "text": part.text} for part in cut]} if raw else {})


def page(tx: Tx, article_id: int) -> Facts | None:
    """The result of fetching an article's page; None where it was not asked for."""
    found = pages.of_article(tx, article_id)
    if found is None:
        return None
    if found.taken:
        sentence = "The text is that of its page."
    else:
        more = f" ({found.detail})" if found.detail else ""
        again = f" It is asked for again at {times.say(found.again_at)}." if found.again_at else ""
        sentence = f"The text is the feed's own: {_PAGE[PageReason(found.reason)]}{more}.{again}"
    return {
        "taken": found.taken,
        "reason": found.reason,
        "detail": found.detail,
        "again_at": found.again_at,
        "sentence": sentence,
    }
