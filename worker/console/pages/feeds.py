"""Feeds: their health in words, what could not be read, and new ones: looked at before they are added."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from worker.config import fields
from worker.config.feeds import Opml, add, add_all, from_opml, to_opml
from worker.console.asking import Ask, page
from worker.console.desk import EDITING, Desk
from worker.console.pages.today import DAYS, Activity
from worker.console.views.state import feeds as facts
from worker.errors import Problem, UserError
from worker.model import Feed, Secret
from worker.net.urls import masked
from worker.notify.render import passages
from worker.pipeline.discover import Found, Tried
from worker.store import Tx, lists, quarantine
from worker.store.people import Role

#: Of what was put aside.
_SHOWN = 200


def routes(desk: Desk) -> list[Route]:
    """`/feeds` and what lies below it."""
    return [
        page(desk, "/feeds", partial(_feeds, Activity())),
        page(desk, "/feeds/add", _look, methods=["GET"], role=Role.EDITOR),
        page(desk, "/feeds/add", _add, methods=["POST"]),
        page(desk, "/feeds/opml", _export),
        page(desk, "/feeds/import", _import, methods=["POST"]),
        page(desk, "/feeds/quarantine", _quarantine),
        page(desk, "/feeds/quarantine/retry", _retry, methods=["POST"]),
    ]


def _feeds(activity: Activity, ask: Ask) -> Response:
    live = ask.desk.live()
    with ask.desk.store.read() as tx:
        aside = len(quarantine.put_aside(tx, limit=_SHOWN)) + len(quarantine.unread(tx, limit=_SHOWN))
        counts = activity.last(tx, lists.articles_by_feed, ask)
    rows = facts(live.config, ask.desk.store, ask.now)
    failing = sum(1 for row in rows if row["failures"])
    return ask.page("feeds.html", feeds=rows, aside=aside, failing=failing, counts=counts, empty=(0,) * DAYS)


# New feeds.


def _look(ask: Ask) -> Response:
    """The feed at an address, and the rules that its first articles would match; nothing is stored."""
    url = ask.query.get("url", "").strip()
    if not url or ask.from_elsewhere:  # another site's link looks at nothing by itself
        return ask.page("feed_add.html", url=url, found=None, tried=(), problems=())
    try:
        fields.web_url(url)
    except fields.Wrong as e:
        problem = Problem(file=masked(url), line=0, message=e.message, fix=e.fix)
        return ask.page("feed_add.html", status=400, url=url, found=None, tried=(), problems=(problem,))
    try:
        found = ask.desk.discover(url)
        tried = _tried(ask, found) if len(found.feeds) == 1 else ()
    except TimeoutError:
        found, tried = Found(reason="timeout: the server takes too long"), ()
    return ask.page("feed_add.html", url=url, found=found, tried=tried, problems=())


def _tried(ask: Ask, found: Found) -> list[dict[str, Any]]:
    feed = Feed(
        id=found.feeds[0],
        url=Secret(found.feeds[0]),
        name=" ".join(found.title.split()),
        language="",
        tags=tuple(ask.query.get("tags", "").split()),
    )
    return [_facts(one) for one in ask.desk.try_rules(found.entries, feed)]


def _facts(one: Tried) -> dict[str, Any]:
    """An article of a feed that is looked at, with the passages that its matches rest on."""
    if one.article is None or one.document is None:
        return {"title": "", "error": one.error, "matches": ()}
    matches = []
    for found in one.matches:
        title, sentences = passages(one.document, found.spans)
        shown = ([title] if title.marks else []) + list(sentences)
        matches.append({"rule": found.rule_id, "severity": str(found.severity), "passages": shown[:3]})
    article = one.article
    return {
        "title": article.title,
        "published": article.published,
        "language": article.language,
        "words": len(article.body.split()),
        "error": "",
        "matches": matches,
    }


def _add(ask: Ask) -> Response:
    url, name = ask.form.get("url", "").strip(), ask.form.get("name", "").strip()
    language, tags = ask.form.get("language", "").strip(), ask.form.get("tags", "").split()
    try:
        with _changing(ask) as tx:
            ask.audit(tx, "feed added", name or masked(url))
            add(ask.desk.path, url, name, language=language, tags=tags)
    except UserError as e:
        return ask.page("feed_add.html", status=400, url=url, found=None, tried=(), problems=e.problems)
    return ask.to("/feeds", "feed_added")


def _import(ask: Ask) -> Response:
    """The feeds of an OPML document that was pasted."""
    try:
        read: Opml = from_opml(ask.form.get("opml", "").encode())
        with _changing(ask) as tx:
            added = add_all(ask.desk.path, read.feeds)
            if added:
                ask.audit(tx, "feeds imported", f"{len(added)} feeds", " ".join(map(masked, added))[:1_000])
    except UserError as e:
        return ask.page("feed_add.html", status=400, url="", found=None, tried=(), problems=e.problems)
    if read.refused:
        problems = tuple(one.problem("OPML") for one in read.refused)
        return ask.page("feed_add.html", url="", found=None, tried=(), problems=problems)
    return ask.to("/feeds", "feeds_imported" if added else "nothing")


def _export(ask: Ask) -> Response:
    """The feeds as OPML, without those in whose address a secret stands."""
    feeds = [feed for feed in ask.desk.live().config.feeds if masked(feed.id) == feed.id]
    headers = {"Content-Disposition": 'attachment; filename="veille.opml"'}
    return Response(to_opml(feeds), media_type="text/x-opml+xml", headers=headers)


@contextmanager
def _changing(ask: Ask) -> Iterator[Tx]:
    """A change of the configuration file and its line in the audit; one at a time, as each reads the file first.

    The worker reads the file again whatever came of the line: what stands there is to be in force.
    """
    with EDITING:
        try:
            with ask.desk.store.write() as tx:
                yield tx
        finally:
            ask.desk.reload()


# The quarantine.


def _quarantine(ask: Ask) -> Response:
    with ask.desk.store.read() as tx:
        entries = quarantine.put_aside(tx, limit=_SHOWN)
        documents = quarantine.unread(tx, limit=_SHOWN)
    named = {feed.id: feed.name for feed in ask.desk.live().config.feeds}
    return ask.page("quarantine.html", entries=entries, documents=documents, named=named)


def _retry(ask: Ask) -> Response:
    number = ask.number("entry")
    with ask.desk.store.write() as tx:
        if count := quarantine.retry(tx, number or None):
            ask.audit(tx, "quarantine retry", f"entry {number}" if number else f"{count} entries")
    return ask.to("/feeds/quarantine", "tried_again" if count else "nothing")
