"""Reads the kept documents of a period again into a temporary store, and compares what comes of them.

    KeptDocument... -parse, extract, normalise, match, compare-> a store -beside the live one-> Differences

The jobs are those of a worker, each document on the clock of its poll. Nothing is fetched or sent, and the live store
is only read; what people decided since (merged stories, silences) has no part in it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from worker.analysis.stories import WINDOW
from worker.evaluate.backtest import Hit, Replayed, replay
from worker.model import Feed, Fetched, Secret
from worker.pipeline.context import ActiveConfig, JobContext
from worker.pipeline.ingest import ingest
from worker.pipeline.poll import read_again
from worker.store import Store, entries, feeds, kept, pages
from worker.store.kept import KeptDocument, MadeArticle

# The articles, copies, stories and matches of a replay beside those that the store holds.


Articles = Mapping[int, MadeArticle]


class What(StrEnum):
    """The things that are compared."""

    ARTICLE = "article"
    COPY = "copy"
    STORY = "story"
    MATCH = "match"


class Kind(StrEnum):
    """The kind of a difference: only the replay has it, only the store has it, or each in another form."""

    MORE = "more"
    LESS = "less"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same."""

    kind: Kind
    what: What
    #: Number in the store; None where only the replay has it.
    article: int | None
    title: str
    source: str
    #: The rule of a match.
    rule: str = ""
    #: What the store has and what the replay has, where that can be said in a few words.
    then: str = ""
    now: str = ""


@dataclass(slots=True, kw_only=True)
class Differences:
    """All of them."""

    #: `then`, `now`, `same`, `more`, `less` and `other`, by what is counted.
    counts: dict[What, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: The same of the matches of each rule.
    rules: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    changes: list[Difference] = field(default_factory=list)
    #: Copies of articles that were not made again, since they are older than the documents or were imported.
    copies_of_others: int = 0

    def count(self, one: MadeArticle, number: int | None, what: What, then: str, now: str, rule: str = "") -> None:
        """Count one thing of an article; `then` and `now` say what it is, empty where there is none."""
        if not then and not now:
            return
        kind = None if then == now else Kind.MORE if not then else Kind.LESS if not now else Kind.OTHER
        for counter in (self.counts[what], *([self.rules[rule]] if rule else [])):
            counter.update(then=int(bool(then)), now=int(bool(now)))
            counter[kind or "same"] += 1
        if kind is not None:
            self.changes.append(
                Difference(
                    kind=kind,
                    what=what,
                    article=number,
                    title=one.title,
                    source=one.source,
                    rule=rule,
                    then=then,
                    now=now,
                )
            )


def compare(then: Articles, now: Articles, known: Mapping[int, Sequence[int | None]], start: datetime) -> Differences:
    """Compare the store's articles since `start` with those of the replay.

    `known`: by article of the replay, what the store has under the keys of its entry. One that the store has not made
    yet, has forgotten, or first saw before `start` is not compared.
    """
    done = Differences()
    names = _names(now, known, start)
    made = {name: now[number] for number, name in names.items() if name in then or name < 0}
    for name in sorted({*then, *made}, key=lambda name: (name < 0, name)):
        was, found = then.get(name), made.get(name)
        one = was or made[name]
        number = name if was else None
        before, after = _text(was, found)
        done.count(one, number, What.ARTICLE, before, after)
        if was and found:
            _copy(done, was, found, names)
        old, new = (was.matches if was else {}), (found.matches if found else {})
        for rule in sorted({*old, *new}):
            done.count(one, number, What.MATCH, old.get(rule, ""), new.get(rule, ""), rule)
    _stories(done, then, made)
    return done


def _names(now: Articles, known: Mapping[int, Sequence[int | None]], start: datetime) -> dict[int, int]:
    """The number in the store of each article of the replay; one that only the replay has gets a negative one."""
    names: dict[int, int] = {}
    taken: set[int] = set()
    for number, one in now.items():
        found = known.get(number, ())
        name = next((article for article in found if article is not None and article not in taken), None)
        if name is not None:
            names[number] = name
            taken.add(name)
        elif one.first_seen >= start and None not in found:
            names[number] = -number
    return names


def _text(was: MadeArticle | None, found: MadeArticle | None) -> tuple[str, str]:
    """The differences between two forms of an article, in words for then and for now."""
    if was is None or found is None:
        return "article" * (was is not None), "article" * (found is not None)
    parts = ("title", "body", "language", "published", "link", "source")
    others = ", ".join(part for part in parts if getattr(was, part) != getattr(found, part))
    return "the same text", f"another {others}" if others else "the same text"


def _copy(done: Differences, was: MadeArticle, found: MadeArticle, names: Mapping[int, int]) -> None:
    if was.of is not None and was.of not in names.values():
        done.copies_of_others += 1
        return
    now_of = None if found.of is None else names.get(found.of, -found.of)
    then, now = (f"a copy of {of}" if of and of > 0 else "a copy" if of else "" for of in (was.of, now_of))
    done.count(was, was.id, What.COPY, then, now)


def _stories(done: Differences, then: Articles, made: Articles) -> None:
    """Compare stories as sets of the articles that both have, whatever the stories' numbers are."""
    both = then.keys() & made.keys()
    before, after = (_together({name: of[name].story for name in both}) for of in (then, made))
    done.counts[What.STORY].update(then=len(before), now=len(after), same=len(before & after))
    for kind, groups in ((Kind.LESS, before - after), (Kind.MORE, after - before)):
        for group in sorted(groups, key=sorted):
            first = then[min(group)]
            said = ", ".join(map(str, sorted(group)))
            done.counts[What.STORY][kind] += 1
            done.changes.append(
                Difference(
                    kind=kind,
                    what=What.STORY,
                    article=first.id,
                    title=first.title,
                    source=first.source,
                    then=said if kind is Kind.LESS else "",
                    now=said if kind is Kind.MORE else "",
                )
            )


def _together(story_of: Mapping[int, Hashable]) -> set[frozenset[int]]:
    groups: defaultdict[Hashable, set[int]] = defaultdict(set)
    for name, story in story_of.items():
        if story is not None:
            groups[story].add(name)
    return {frozenset(group) for group in groups.values()}


_BATCH = 50
_LEASE = timedelta(minutes=10)

#: A progress bar: given how many steps there will be, what to call after each with its name.
Watch = Callable[[int], AbstractContextManager[Callable[[str], None]]]


@dataclass(slots=True, kw_only=True)
class Rerun:
    """The result of a replay."""

    #: Articles that were first seen since then are compared; None: no document is kept.
    start: datetime | None = None
    #: Documents that were read, those of the days before `start` among them.
    documents: int = 0
    #: Documents whose bytes are not kept.
    bytes_gone: int = 0
    #: Feeds that the configuration has no more: read without their language and tags.
    feeds_gone: int = 0
    differences: Differences


async def rerun(live_store: Store, context: JobContext, since: datetime, watch: Watch) -> Rerun:
    """Read the documents since then into the empty store of `edges`, and compare what came of them.

    It begins some days before, as far as documents are kept, so that copies and stories find what they are compared
    with. The clock and the feeds of `edges` become those of each document. Raises StoreError.
    """
    with live_store.read() as tx:
        first = kept.first(tx)
        start = since if first is None else max(since, first)
        documents = kept.documents(tx, since - WINDOW)
        then = kept.articles(tx, start)
    done = Rerun(start=None if first is None else start, differences=Differences())
    removed = _removed(context.live, documents)
    done.feeds_gone = len(removed)
    context.live = _with_feeds(context.live, removed)
    with context.store.write() as tx:
        feeds.ensure(tx, context.live.config.feeds, since)
    with watch(len(documents)) as step:
        for document in documents:
            is_kept = await _read(live_store, context, document)
            done.documents += is_kept
            done.bytes_gone += not is_kept
            step(document.name)
    with context.store.read() as tx:
        now, known_by = kept.articles(tx), kept.known_by(tx)
    done.differences = compare(then, now, _known(live_store, known_by), start)
    return done


def _known(live_store: Store, known_by: Mapping[int, tuple[str, Collection[str]]]) -> dict[int, list[int | None]]:
    """By article of the replay: what the live store has under the keys of its entry, see `kept.articles_by_key`."""
    by_feed: defaultdict[str, set[str]] = defaultdict(set)
    for feed, keys in known_by.values():
        by_feed[feed].update(keys)
    with live_store.read() as tx:
        live = {feed: kept.articles_by_key(tx, feed, keys) for feed, keys in by_feed.items()}
    return {number: [live[feed][key] for key in keys if key in live[feed]] for number, (feed, keys) in known_by.items()}


def _removed(live: ActiveConfig, documents: Sequence[KeptDocument]) -> tuple[Feed, ...]:
    """The feeds of those documents that the configuration has no more."""
    named = {document.feed: document.name for document in documents if live.feed(document.feed) is None}
    return tuple(Feed(id=key, url=Secret(key), name=name) for key, name in named.items())


def _with_feeds(live: ActiveConfig, removed: Sequence[Feed]) -> ActiveConfig:
    """The configuration with those feeds too; no page is awaited, and no operator gets a notice."""
    every = tuple(replace(feed, full_text=False) for feed in (*live.config.feeds, *removed))
    return replace(live, config=replace(live.config, feeds=every, operators=""))


async def _read(live_store: Store, context: JobContext, document: KeptDocument) -> bool:
    """Read one document, and make articles of its entries; False if its bytes are not kept."""
    with live_store.read() as tx:
        body = entries.raw(tx, document.sha256)
    feed = context.live.feed(document.feed)
    if body is None or feed is None:
        return False
    context.clock = lambda: document.at
    fetched = Fetched(body=body, url=document.url or feed.url.reveal(), content_type=document.content_type)
    await read_again(context, feed, fetched)
    _give_pages(live_store, context, feed)
    while ids := _take(context, document.at):
        await ingest(context, ids)
    return True


def _give_pages(live_store: Store, context: JobContext, feed: Feed) -> None:
    """Give entries the text of their pages, where the live store has it."""
    with context.store.read() as tx:
        waiting = kept.waiting(tx, feed.id)
    with live_store.read() as tx:
        found = kept.pages(tx, feed.id, waiting)
    if found:
        with context.store.write() as tx:
            for number, page in {waiting[key]: page for key, page in found.items()}.items():
                pages.page_came(tx, number, page.text, teasers=page.teasers)


def _take(context: JobContext, now: datetime) -> tuple[int, ...]:
    with context.store.write() as tx:
        return entries.take_ready(tx, now=now, lease=_LEASE, limit=_BATCH)


# History again, without a word to anybody.
#
# texts        other rules over the stored texts: what they would have matched, and sent (`veille rules`) documents
# the kept documents through the whole pipeline (`veille replay`) differences  what came of them, beside the store


__all__ = ["Differences", "Hit", "Replayed", "Rerun", "replay", "rerun"]
