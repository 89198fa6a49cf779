"""Commands for answers, and the ledger in figures: `silence`, `ack`, `mute-story`, `ledger`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import (
    HERE,
    ArticleName,
    ConfigFile,
    Json,
    Since,
    fail,
    lasting_of,
    moment,
    one_article,
    opened,
    print_json,
    readable,
    row_number,
    say,
    user_name,
)

if TYPE_CHECKING:
    from worker.store.silences import Silence

app = typer.Typer()

Author = Annotated[str, typer.Option("--by", help="Who says so; the name of the system's user, if left out.")]
Reason = Annotated[str, typer.Option("--reason", help="What for; `why` and digests repeat it.")]


@app.command()
def silence(  # noqa: PLR0913 - each option is one of what may be silenced, or says how
    config: ConfigFile = HERE,
    *,
    rule: Annotated[str, typer.Option("--rule", help="Of this rule.")] = "",
    story: Annotated[
        int | None, typer.Option("--story", parser=row_number, metavar="STORY", help="Of this story.")
    ] = None,
    set_name: Annotated[str, typer.Option("--set", help="Of every rule that names this set.")] = "",
    feed: Annotated[str, typer.Option("--feed", help="Of this feed, by its name.")] = "",
    lasting: Annotated[str, typer.Option("--for", help="How long: 6h, 2d.")] = "1d",
    by: Author = "",
    reason: Reason = "",
    end: Annotated[
        int | None,
        typer.Option("--end", parser=row_number, metavar="NUMBER", help="End the silence of this number now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell nothing of a rule, story, set or feed for a time, what is open included; without any, list the silences."""
    from worker.console.views.silences import known, unknown
    from worker.console.views.silences import silence as facts
    from worker.runtime.clock import clock
    from worker.store import silences

    now = clock()
    read = readable(config, with_rules=bool(rule or set_name))
    with opened(config, read=read) as (_, store):
        if end is not None:
            with store.write() as tx:
                if not silences.end(tx, end, now):
                    fail(f"no silence in force has the number {end}: `veille silence` lists them", 1)
            _show_done({"ended": end}, f"silence {end} is over", as_json=as_json)
            return
        if rule or set_name or feed or story is not None:
            made = silences.Silence(
                rule_id=rule,
                story_id=story,
                set_name=set_name.removeprefix("@"),
                feed=feed,
                until=now + lasting_of(lasting),
                author=by or user_name(),
                reason=reason,
                created=now,
            )
            with store.write() as tx:
                if wrong := unknown(tx, made, known(None if read.problems else read.config, read.ruleset)):
                    fail(wrong, 1)
                number = silences.add(tx, made)
            _show_done({"silence": number, "until": made.until}, f"silence {number}, {_said(made)}", as_json=as_json)
            return
        with store.read() as tx:
            found = silences.active(tx, now)
    if as_json:
        print_json([facts(one) for one in found])
    for one in found if not as_json else ():
        say(f"{one.id}: {_said(one)}")
    if not found and not as_json:
        say("nothing is silenced")


@app.command()
def ack(article: ArticleName, config: ConfigFile = HERE, *, by: Author = "", as_json: Json = False) -> None:
    """Say that somebody takes care of an article's story: no reminder goes out."""
    from worker.alerts.answers import Action, Answer
    from worker.pipeline.answering import acknowledge, notify_readers
    from worker.runtime.clock import clock

    with opened(config) as (conf, store):
        article_id = one_article(store, article)
        said_so = Answer(action=Action.ACKNOWLEDGE, article_id=article_id, recipient=by or user_name(), rules=())
        with store.write() as tx:
            before = acknowledge(tx, article_id, said_so.recipient, clock())
            if before is None:
                notify_readers(tx, conf.alerts.targets, said_so, clock())
    said = f"acknowledged before, by {before[0]}" if before else f"article {article_id} is acknowledged"
    _show_done({"article": article_id, "before": before[0] if before else None}, said, as_json=as_json)


@app.command(name="mute-story")
def mute_story(
    article: ArticleName,
    config: ConfigFile = HERE,
    *,
    lasting: Annotated[str, typer.Option("--for", help="How long: 6h, 2d.")] = "7d",
    by: Author = "",
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Tell no more of the story that an article tells, for a week or as long as --for says; lists what it covers."""
    from worker.alerts.answers import Action, Answer
    from worker.pipeline.answering import mute, notify_readers
    from worker.runtime.clock import clock
    from worker.store import stories

    now = clock()
    with opened(config) as (conf, store):
        article_id = one_article(store, article)
        with store.write() as tx:
            author = by or user_name()
            muted = mute(tx, article_id, now, author=author, reason=reason, lasting=lasting_of(lasting))
            if muted and muted.new:
                said_so = Answer(action=Action.MUTE, article_id=article_id, recipient=author, rules=())
                notify_readers(tx, conf.alerts.targets, said_so, now)
            covered = stories.lines(tx, muted.story_id) if muted else ()
    if muted is None:
        fail(f"article {article_id} belongs to no story", 1)
    if as_json:
        articles = [{"id": one.article_id, "outlet": one.source, "title": one.title} for one in covered]
        print_json({"story": muted.story_id, "silence": muted.number, "until": muted.until, "articles": articles})
        return
    until = f"until {_day(muted.until)}" if muted.until else "for good"
    say(f"story {muted.story_id} is muted {until}: no alert on these articles, nor on later ones of the same story")
    for one in covered:
        say(f"  {one.article_id}  {one.source}: {one.title}")
    say(f"`veille silence --end {muted.number}` ends it; `veille stories split ARTICLE` takes an article out of it")


@app.command()
def ledger(
    config: ConfigFile = HERE,
    *,
    since: Since = "7d",
    titles: Annotated[
        bool, typer.Option("--titles", help="List the articles too, which a long digest counts.")
    ] = False,
    target: Annotated[str, typer.Option("--target", help="With --titles: of this target alone.")] = "",
    as_json: Json = False,
) -> None:
    """Sum the ledger: by rule and target, how much was sent, waits, was not sent and why; and whether it adds up."""
    from worker.cli import show
    from worker.store import ledger as stored
    from worker.store import notification_history

    with opened(config) as (_, store), store.read() as tx:
        begin = moment(since)
        lines = notification_history.summary(tx, begin)
        breaches = stored.audit(tx)
        titled = notification_history.decided_articles(tx, begin, target) if titles else ()
    keys = ("rule", "target", "state", "why", "obligations")
    rows = [dict(zip(keys, line, strict=True)) for line in lines]
    total = sum(line[-1] for line in lines)
    articles = [dict(zip(("target", "state", "article", "title"), line, strict=True)) for line in titled]
    if as_json:
        found = {"since": begin, "obligations": total, "lines": rows, "breaches": list(breaches)}
        print_json(found | ({"articles": articles} if titles else {}))
    else:
        show.ledger(rows, total, breaches, articles)
    if breaches:
        raise typer.Exit(1)


def _said(one: "Silence") -> str:
    what = (
        f"rule {one.rule_id}" if one.rule_id else "",
        f"story {one.story_id}" if one.story_id is not None else "",
        f"set @{one.set_name}" if one.set_name else "",
        f"feed {one.feed}" if one.feed else "",
        f"for {one.recipient}" if one.recipient else "",
    )
    until = f"until {_day(one.until)}" if one.until else "for good"
    return f"{', '.join(filter(None, what))} {until}, by {one.author}" + (f": {one.reason}" if one.reason else "")


def _day(when: datetime) -> str:
    from worker.model import times

    return times.say(when)


def _show_done(facts: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        say(sentence)
