"""`veille articles`, `search` and `why`: which articles there are, and what became of each."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import (
    EX_USAGE,
    HERE,
    ArticleName,
    ConfigFile,
    Json,
    Since,
    fail,
    moment,
    opened,
    print_json,
    readable,
)
from worker.model import Cut, CutKind, Match, PageReason, times

if TYPE_CHECKING:
    from datetime import datetime

    from worker.rules import RuleSet
    from worker.rules.match import Silence, Source
    from worker.store import Store, Tx
    from worker.store.articles import StoredArticle


app = typer.Typer()

Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000)]


@app.command()
def articles(
    config: ConfigFile = HERE,
    *,
    containing: Annotated[
        str, typer.Option("--containing", help="Only those whose title or text holds all these words.")
    ] = "",
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the newest articles."""
    from worker.cli import show
    from worker.cli.views import article
    from worker.store import articles as stored

    _check_words(containing, given=bool(containing))
    with opened(config) as (_, store), store.read() as tx:
        found = [article(one) for one in stored.newest(tx, limit=limit, containing=containing)]
    if as_json:
        print_json(found)
    else:
        show.articles(found)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="All must be found, in any order; '\"word word\"' only as it is.")],
    config: ConfigFile = HERE,
    *,
    since: Since = "",
    until: Annotated[
        str, typer.Option("--until", help="Published before: 2d (ago), or a day such as 2026-01-31, which counts.")
    ] = "",
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the articles whose title and text hold these words, the last published first.

    Capitals and accents do not matter; a word of four letters or more also finds longer ones that begin with it.
    """
    from worker.cli import show
    from worker.cli.views import article
    from worker.store import articles as stored

    asked = " ".join(words)
    _check_words(asked, given=True)
    with opened(config) as (_, store), store.read() as tx:
        begin, end = moment(since) if since else None, _until(until)
        found = [article(one) for one in stored.holding(tx, asked, since=begin, until=end, limit=limit)]
    if as_json:
        print_json(found)
    else:
        show.articles(found)


def _check_words(asked: str, *, given: bool) -> None:
    from worker.store import search as index

    if given and not index.read(asked):
        fail(f"{asked!r} holds no word to look for", EX_USAGE)


def _until(said: str) -> "datetime | None":
    """The moment before which; the end of a day that is named."""
    from datetime import date, timedelta

    if not said:
        return None
    with suppress(ValueError, OverflowError):
        said = (date.fromisoformat(said) + timedelta(days=1)).isoformat()
    return moment(said, "--until")


@app.command()
def why(
    article: ArticleName,
    config: ConfigFile = HERE,
    *,
    rule: Annotated[
        str, typer.Option("--rule", help="Only this rule, with its whole query and each node's verdict.")
    ] = "",
    target: Annotated[str, typer.Option("--target", help="Only alerts to this target, sent or not.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every rule that did not match, not only the three that came nearest.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="With --rule: patterns with all that they look for.")] = False,
    as_json: Json = False,
) -> None:
    """Explain an article: new or copy and why, what matched in which words, what was sent to whom or not and why."""
    from worker.cli import show
    from worker.cli.views import why as facts

    read = readable(config, with_rules=True)
    with opened(config, read=read) as (_, store):
        found = facts(read.live, store, article, rule, target)
    if found is None:
        fail(f"no article is {article!r}: `veille articles` lists them", 1)
    if as_json:
        print_json(found)
    else:
        show.why(found, everything=everything, full=full)


# `veille show`: an article's text, what was cut from it, and what came of its page.


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


def shown(store: "Store", asked: str, *, raw: bool) -> dict[str, Any] | None:
    """An article's newest text; None if there is no such article."""
    from worker.cli import views
    from worker.store import articles as stored

    with store.read() as tx:
        fitting = views.find(tx, asked)
        if not fitting:
            return None
        one, *others = fitting
        found = views.article(one) | {
            "others": [{"id": other.id, "title": other.article.title} for other in others],
            "page": page(tx, one.id),
            "body": one.article.body,
        }
        cut = stored.cut_of(tx, one.id, one.revision)
    return found | ({"cut": [{"kind": str(part.kind), "text": part.text} for part in cut]} if raw else {})


def page(tx: "Tx", article_id: int) -> dict[str, Any] | None:
    """The result of fetching an article's page; None where it was not asked for."""
    from worker.store import pages

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

    def __init__(self, one: "StoredArticle", cut: Sequence[Cut], rules: "RuleSet", source: "Source") -> None:
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

    def _judged(self, parts: Sequence[Cut]) -> "Mapping[str, Match | Silence]":
        from worker.analysis import text
        from worker.rules.match import judge

        body = "\n\n".join([self._article.body, *(part.text for part in parts)])
        return judge(text.analyse(self._article.title, body, self._article.language), self._rules, self._source)
