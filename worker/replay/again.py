"""What was kept, once more through the whole pipeline, into a store that is thrown away.

    live store -rewind-> a store as it was -each event, on the clock of then-> what would be told

The jobs are those of `pipeline`. From the world comes what they cannot decide: which bytes came when, what people
answered, when a message was sealed and what became of it. A message that nobody made then is sealed when it is due, and
taken for sent at once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from worker import text
from worker.identify import SightingKind, identify
from worker.identify import keys as keys_of
from worker.model import DeliveryState, Feed, Fetched, ParsedFeed, Secret
from worker.parse import parse
from worker.pipeline.deliver import Made, look_again, make, seal_again
from worker.pipeline.edges import Edges
from worker.pipeline.ingest import ingest
from worker.pipeline.known import load_archive, store_known
from worker.pipeline.live import Live
from worker.pipeline.poll import read_again
from worker.pipeline.stories import counted
from worker.replay.past import Again, Past, take_over
from worker.store import Store, Tx, articles, entries, pages, retold, rewind, silences, stories, upkeep
from worker.store import feeds as stored_feeds
from worker.store.events import Event, Kind
from worker.store.retold import Lines
from worker.story import WINDOW

_PARSE_SECONDS = 20


async def run_again(
    live_store: Store,
    edges: Edges,
    since: datetime,
    now: datetime,
    *,
    step: Callable[[str], None] = lambda _: None,
    warm_up: timedelta = WINDOW,
) -> Again:
    """Run what happened since then over again, in the empty SQLite store of `edges`; nothing else is written.

    It begins `warm_up` before `since`, as far as events are kept: what stood before is known as it is now, and those
    are the days within which that bears on stories.
    The clock of `edges` is turned. Raises StoreError.
    """
    done = Again()
    past = await edges.in_thread(lambda: take_over(live_store, edges, since, warm_up, done))
    if past is not None:
        run = _Run(edges, past, done)
        await run.through(step)
        await run.until(now)
        with edges.store.read() as tx:
            done.now = _translated(retold.lines(tx, max(since, past.start)), run.articles)
    return done


def _translated(found: Lines, articles: Mapping[int, int]) -> Lines:
    """The lines with the articles' numbers of the live store."""

    def of(number: int) -> int:
        return articles.get(number, number)

    def named(key: retold.OwedKey) -> retold.OwedKey:
        return key[0], of(key[1]), key[2], key[3]

    return Lines(
        matches={(rule, of(number), revision): line for (rule, number, revision), line in found.matches.items()},
        owed={named(key): line for key, line in found.owed.items()},
        messages={key: replace(line, carries=tuple(map(named, line.carries))) for key, line in found.messages.items()},
        titles={of(number): title for number, title in found.titles.items()},
    )


class _Run:
    """One replay: the clock, and what things are called here that had another number there."""

    def __init__(self, edges: Edges, past: Past, done: Again) -> None:
        self._edges, self._past, self._done = edges, past, done
        self._now = past.start
        edges.clock = lambda: self._now
        configured = {feed.id for feed in edges.live.config.feeds}
        backlog = {event.about for event in past.events if event.kind is Kind.DOCUMENT and event.data["backlog"]}
        self._feeds = {
            number: edges.live.feed(key)
            or Feed(id=key, url=Secret(key), name=name, alert_backlog=number not in backlog)
            for number, (key, name) in past.feeds.items()
        }
        polled = {event.about for event in past.events if event.kind is Kind.DOCUMENT}
        done.skipped.feeds_gone = sum(self._feeds[number].id not in configured for number in polled)
        edges.live = _with_feeds(edges.live, [self._feeds[number] for number in sorted(polled)])
        #: Ids of the live store -> ids here.
        self._entries: dict[int, int | None] = {}
        self._silences: dict[int, int] = {}
        #: Ids here -> ids of the live store, and the other way round.
        self.articles: dict[int, int] = {}
        self._articles: dict[int, int] = {}
        #: By key: what the world yet does with open deliveries; and those that it has not sealed to this day.
        self._coming = Counter(e.data["key"] for e in past.events if _is_about_open(e))
        sealed = (e.data["key"] for e in past.events if _is_delivery(e, DeliveryState.SEALED))
        self._open = past.deliveries.difference(sealed)
        self._stuck: set[int] = set()
        #: Messages that were made before something happened that they do not know of, by key; and the events that
        #: seal them, by the last one that they know of.
        self._made: dict[str, Made] = {}
        self._ahead = [e for e in past.events if _is_delivery(e, DeliveryState.SEALED) and e.data["seen"] < e.id - 1]
        self._ahead.sort(key=lambda event: event.data["seen"], reverse=True)

    async def through(self, step: Callable[[str], None]) -> None:
        """All of the events, in order."""
        await self._begin()
        for event in self._past.events:
            await self.until(event.at)
            await self._make_ahead(event.id)
            self._now = event.at
            self._done.events[event.kind] += 1
            await self._happen(event)
            step(event.kind)

    async def _make_ahead(self, before: int) -> None:
        """Make the messages that know of nothing from that event on, as attempts made them beside what happened."""
        while self._ahead and self._ahead[-1].data["seen"] < before:
            event = self._ahead.pop()
            with self._edges.store.read() as tx:
                mine = retold.by_key(tx, event.data["key"])
            self._now = event.at
            made = None if mine is None else await self._edges.in_thread(partial(make, self._edges, mine[0]))
            if made is not None:
                self._made[event.data["key"]] = made

    async def _begin(self) -> None:
        """What the start still lacks: the words that were counted then, the texts that feeds showed then."""
        words: Counter[int] = Counter()
        for one in self._past.counted:
            words.update(counted(text.analyse(one.title, one.body, one.language)))
        with self._edges.store.write() as tx:
            stored_feeds.ensure(tx, self._edges.live.config.feeds, self._now)
            if self._past.counted:
                stories.count(tx, {term: -number for term, number in words.items()}, -len(self._past.counted))
        for before in self._past.before:
            await self._put_back(before)

    async def _put_back(self, before: rewind.Before) -> None:
        feed, store = self._feeds[before.feed_id], self._edges.store
        with store.read() as tx:
            body = entries.raw(tx, before.sha256)
        if body is None:
            self._done.skipped.feeds_without_before += 1
            return
        fetched = _fetched(feed, body, before.url, before.content_type)
        parsed = await self._edges.children.run(
            parse, fetched.body, fetched.url, fetched.content_type, seconds=_PARSE_SECONDS
        )
        if isinstance(parsed, ParsedFeed):
            with store.write() as tx:
                known = entries.known(tx, before.feed_id, [key for entry in parsed.entries for key in keys_of(entry)])
                sightings = identify(parsed.entries, known)
                rewind.put_back(tx, before.feed_id, [one for one in sightings if one.kind is not SightingKind.KNOWN])

    async def _happen(self, event: Event) -> None:
        match event.kind:
            case Kind.DOCUMENT:
                await self._document(event)
            case Kind.PAGE:
                self._page(event)
            case Kind.INGESTED:
                await self._ingested(event)
            case Kind.IMPORTED:
                self._imported(event)
            case Kind.ARCHIVE:
                load_archive(self._edges.store, event.at)
            case Kind.SILENCED | Kind.SILENCE_ENDED | Kind.ACKNOWLEDGED:
                with self._edges.store.write() as tx:
                    self._answered(tx, event)
            case Kind.RECHECKED | Kind.DROPPED | Kind.DELIVERY:
                await self._edges.in_thread(lambda: self._delivery(event))
            case Kind.FORGOT_ARTICLES | Kind.FORGOT_DELIVERIES:
                with self._edges.store.write() as tx:
                    _forget(tx, event)

    # --- what came -------------------------------------------------------------------------------------------------

    async def _document(self, event: Event) -> None:
        feed, said = self._feeds[event.about], event.data
        with self._edges.store.read() as tx:
            body = entries.raw(tx, event.sha256)
        new: tuple[int, ...] = ()
        if body is None:
            self._done.skipped.bytes_gone += 1
        else:
            fetched = _fetched(feed, body, said["url"], said["content_type"])
            polled = await read_again(
                self._edges,
                feed,
                fetched,
                baseline=said["baseline"],
                again=said["again"],
                first_success=said.get("first_success"),
            )
            new = polled.entries if polled else ()
        if len(new) == len(said["new"]):
            self._entries |= dict(zip(said["new"], new, strict=True))
        else:
            self._entries |= dict.fromkeys(said["new"])
            self._done.skipped.read_otherwise += body is not None

    def _page(self, event: Event) -> None:
        entry_id = self._entry(event.about)
        with self._edges.store.write() as tx:
            body = entries.raw(tx, event.sha256)
            if body is None:
                self._done.skipped.bytes_gone += 1
            elif entry_id is not None:
                pages.page_came(tx, entry_id, body.decode())

    async def _ingested(self, event: Event) -> None:
        pairs = [
            (self._entry(then), article)
            for then, article in zip(event.data["entries"], event.data["articles"], strict=True)
        ]
        self._done.skipped.entries += sum(mine is None for mine, _ in pairs)
        self._done.missing |= {article for mine, article in pairs if mine is None and article is not None}
        ids = [mine for mine, _ in pairs if mine is not None]
        if not ids:
            return
        await ingest(self._edges, ids)
        with self._edges.store.read() as tx:
            made = dict(zip(ids, entries.articles_of(tx, ids), strict=True))
        for mine, article in pairs:
            here = made.get(mine) if mine is not None else None
            if article is not None and here is not None:
                self._call(here, article)
            elif article is not None:
                self._done.missing.add(article)

    def _imported(self, event: Event) -> None:
        known = self._past.imported
        numbers = [number for number in event.data["articles"] if number in known]
        done = store_known(self._edges.store, [known[number] for number in numbers], event.at)
        for number in numbers:
            if known[number].id in done:
                self._call(done[known[number].id][0], number)

    def _entry(self, then: int) -> int | None:
        return self._entries.get(then, then)

    def _call(self, here: int, then: int) -> None:
        self.articles[here], self._articles[then] = then, here

    # --- what people answered --------------------------------------------------------------------------------------

    def _answered(self, tx: Tx, event: Event) -> None:
        said = event.data
        if event.kind is Kind.SILENCED:
            until = said["until"] and datetime.fromisoformat(said["until"])
            created = datetime.fromisoformat(said["created"])
            made = silences.Silence(**said | {"until": until, "created": created})
            self._silences[event.about] = silences.add(tx, made)
        elif event.kind is Kind.SILENCE_ENDED:
            silences.end(tx, self._silences.get(event.about, event.about), event.at)
        else:
            here = self._articles.get(event.about, 0 if event.about in self.articles else event.about)
            if articles.get(tx, here) is not None:
                silences.acknowledge(tx, here, said["author"], event.at)

    # --- what became of messages -----------------------------------------------------------------------------------

    def _delivery(self, event: Event) -> None:
        """What the world did with a message; nothing where there is none of that key here."""
        key, state = event.data["key"], DeliveryState(event.data.get("state", DeliveryState.OPEN))
        with self._edges.store.read() as tx:
            mine = retold.by_key(tx, key)
        is_sealed = event.kind is Kind.DELIVERY and state is DeliveryState.SEALED
        if _is_about_open(event):
            self._coming[key] -= 1
        if mine is None or event.kind is Kind.DROPPED:
            return
        delivery_id, stands = mine
        if event.kind is Kind.RECHECKED:
            look_again(self._edges, delivery_id)
        elif is_sealed:
            self._seal(delivery_id, self._made.pop(key, None))
        elif stands is not DeliveryState.OPEN or state not in (DeliveryState.SENT, DeliveryState.RETRY):
            with self._edges.store.write() as tx:
                retold.become(tx, key, state, event.at, event.data["ref"])

    def _seal(self, delivery_id: int, made: Made | None = None) -> bool:
        if (made is not None and seal_again(self._edges, delivery_id, made)) or seal_again(self._edges, delivery_id):
            return True
        with self._edges.store.read() as tx:
            draft = retold.reach(tx, delivery_id)
        if draft is not None and self._edges.live.target(*draft) is None:
            self._done.skipped.unreachable += 1
        return False

    async def until(self, moment: datetime) -> None:
        """Seal what is due before then and what nobody made then; an attempt that fails is not made twice."""
        await self._edges.in_thread(lambda: self._seal_due(moment))

    def _seal_due(self, moment: datetime) -> None:
        while (one := self._next(moment)) is not None:
            self._now = max(self._now, one.due)
            if self._seal(one.id):
                with self._edges.store.write() as tx:
                    retold.become(tx, one.key, DeliveryState.SENT, self._now)
            else:
                self._stuck.add(one.id)

    def _next(self, moment: datetime) -> retold.Waiting | None:
        with self._edges.store.read() as tx:
            found = retold.waiting(tx, moment)
        return next((one for one in found if one.id not in self._stuck and not self._is_then(one.key)), None)

    def _is_then(self, key: str) -> bool:
        """Whether the world decides when it is sealed, or that it is not."""
        return self._coming[key] > 0 or key in self._open


def _is_delivery(event: Event, state: DeliveryState) -> bool:
    return event.kind is Kind.DELIVERY and event.data["state"] == state


def _is_about_open(event: Event) -> bool:
    return event.kind in (Kind.RECHECKED, Kind.DROPPED) or _is_delivery(event, DeliveryState.SEALED)


def _fetched(feed: Feed, body: bytes, url: str, content_type: str) -> Fetched:
    return Fetched(body=body, url=url or feed.url.reveal(), content_type=content_type)


def _with_feeds(live: Live, feeds: Sequence[Feed]) -> Live:
    """`live` with those feeds too, and without operators: of a replay nobody is told."""
    configured = {feed.id for feed in live.config.feeds}
    added = tuple(feed for feed in feeds if feed.id not in configured)
    return replace(live, config=replace(live.config, feeds=(*live.config.feeds, *added), operators=""))


def _forget(tx: Tx, event: Event) -> None:
    before = datetime.fromisoformat(event.data["before"])
    if event.kind is Kind.FORGOT_DELIVERIES:
        upkeep.forget_deliveries(tx, before=before)
        return
    told = event.data["told"] and datetime.fromisoformat(event.data["told"])
    upkeep.forget_articles(tx, before=before, told_before=told)
    stories.forget_empty(tx)
