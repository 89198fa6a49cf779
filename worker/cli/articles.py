"""`veille articles`, `search` and `why`: which articles there are, and what became of each."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

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
    row_number,
    warn,
)

if TYPE_CHECKING:
    from datetime import datetime


app = typer.Typer()

#: Candidates of a query that one search reads.
_READ = 10_000
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
    from worker.console.views.articles import article
    from worker.store import articles as stored

    _check_words(containing, given=bool(containing))
    with opened(config) as (_, store), store.read() as tx:
        found = [article(one) for one in stored.newest(tx, limit=limit, containing=containing)]
    if as_json:
        print_json(found)
    else:
        show.articles(found)


@app.command()
def search(  # noqa: PLR0913 - an option for each property of an article
    words: Annotated[
        list[str], typer.Argument(help="All must be found, in any order, '\"word word\"' only as it is; or a query.")
    ],
    config: ConfigFile = HERE,
    *,
    since: Since = "",
    until: Annotated[
        str, typer.Option("--until", help="Published before: 2d (ago), or a day such as 2026-01-31, which counts.")
    ] = "",
    outlet: Annotated[str, typer.Option("--outlet", help="Published under this name.")] = "",
    feed: Annotated[str, typer.Option("--feed", help="Brought by the feed of this name or address.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="Brought by a feed with this tag.")] = "",
    language: Annotated[str, typer.Option("--language", help="In this language: fr, en, ...")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Matched by the rule of this id.")] = "",
    story: Annotated[
        int | None, typer.Option("--story", help="Of the story of this number.", parser=row_number)
    ] = None,
    rule_language: Annotated[
        bool | None,
        typer.Option(
            "--rule-language/--words", help="Read it so; left out, an operator, a set or a mark makes it a query."
        ),
    ] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the articles whose title and text hold these words, or answer a query, the last published first.

    Capitals and accents do not matter; a word of four letters or more also finds longer ones that begin with it. In the
    rule language the words mean what they mean in a rule.
    """
    from worker.cli import show
    from worker.console.views import search as view
    from worker.rules.query import is_rule_language
    from worker.store.finding import Filters

    asked = " ".join(words)
    chosen = None if rule_language is None else view.As.RULE if rule_language else view.As.WORDS
    # Rules, with their sets, are read only where they may be asked for.
    read = readable(config, with_rules=chosen is view.As.RULE or (chosen is None and is_rule_language(asked)))
    question = view.question(asked, read.ruleset, chosen)
    if question.faults:
        lines = (view.pointed(question.asked, fault) for fault in question.faults)
        fail("\n".join("{line}\n{caret}\n{message}; {fix}".format(**line) for line in lines), EX_USAGE)
    if question.query is None:
        fail(f"{asked!r} holds no word to look for", EX_USAGE)
    filters = Filters(
        since=moment(since) if since else None,
        until=_until(until),
        outlet=outlet,
        feeds=view.feed_keys(read.config.feeds, feed, tag),
        language=language,
        rule=rule,
        story=story,
    )
    with opened(config, read=read) as (_, store):
        found = view.answer(store, question, filters, read.ruleset, limit=limit, most=_READ)
    if found.after is not None and found.read >= _READ:
        warn(
            f"only the newest {found.read} articles that may answer were read: narrow it down, by --until for instance"
        )
    if as_json:
        print_json([hit.facts() for hit in found.hits])
    else:
        show.articles([hit.facts() for hit in found.hits])


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
    from worker.console.views.why import why as facts

    read = readable(config, with_rules=True)
    with opened(config, read=read) as (_, store):
        found = facts(read.live, store, article, rule, target)
    if found is None:
        fail(f"no article is {article!r}: `veille articles` lists them", 1)
    if as_json:
        print_json(found)
    else:
        show.why(found, everything=everything, full=full)
