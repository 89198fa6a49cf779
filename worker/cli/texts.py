"""`veille show`: an article's text, what was cut from it, and what came of its page."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker import text, times
from worker.match import Silence, Source, judge
from worker.model import Cut, CutKind, Match, PageReason
from worker.rules import RuleSet
from worker.store import Store, Tx, pages
from worker.store import articles as stored
from worker.store.articles import StoredArticle

_CUT = {
    CutKind.HEAD: "an agency's head",
    CutKind.CAPTION: "a caption",
    CutKind.CREDIT: "a credit",
    CutKind.RELATED: "a link to another article",
    CutKind.SIGN_OFF: "a sign-off",
    CutKind.TAIL: "another article behind the sign-off",
    CutKind.TITLE: "the title, repeated",
}
_PAGE = {
    PageReason.NOT_FETCHED: "its page could not be fetched",
    PageReason.NO_TEXT: "no text was found on its page",
    PageReason.REDIRECTED: "its page's address led elsewhere",
    PageReason.OTHER_TEXT: "its page does not carry what the feed says",
    PageReason.LISTING: "its page is a list of other articles",
    PageReason.SHORTER: "its page has less text than the feed",
    PageReason.REPEATED: "other articles of the site got the same page",
}


def shown(store: Store, asked: str, *, raw: bool) -> dict[str, Any] | None:
    """An article's newest text; None if there is no such article."""
    from worker.cli import facts

    with store.read() as tx:
        fitting = facts.find(tx, asked)
        if not fitting:
            return None
        one, *others = fitting
        found = facts.article(one) | {
            "others": [{"id": other.id, "title": other.article.title} for other in others],
            "page": page(tx, one.id),
            "body": one.article.body,
        }
        cut = stored.cut_of(tx, one.id, one.revision)
    return found | ({"cut": [{"kind": str(part.kind), "text": part.text} for part in cut]} if raw else {})


def page(tx: Tx, article_id: int) -> dict[str, Any] | None:
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


class Uncut:
    """An article as it would be with what was cut from it, for rules whose words stand there."""

    def __init__(self, one: StoredArticle, cut: Sequence[Cut], rules: RuleSet, source: Source) -> None:
        self._article, self._cut, self._rules, self._source = one.article, cut, rules, source
        self._all: Mapping[str, Match | Silence] | None = None

    def where(self, rule_id: str) -> str:
        """In what kind of part the words stand with which the rule would match; empty: it would not."""
        if self._all is None:
            self._all = self._judged(self._cut) if self._cut else {}
        if not isinstance(self._all.get(rule_id), Match):
            return ""
        kinds = dict.fromkeys(part.kind for part in self._cut)
        alone = [
            kind
            for kind in kinds
            if isinstance(self._judged([part for part in self._cut if part.kind is kind]).get(rule_id), Match)
        ]
        return " and ".join(_CUT[kind] for kind in alone or kinds)

    def _judged(self, parts: Sequence[Cut]) -> Mapping[str, Match | Silence]:
        body = "\n\n".join([self._article.body, *(part.text for part in parts)])
        return judge(text.analyse(self._article.title, body, self._article.language), self._rules, self._source)
