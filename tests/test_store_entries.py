"""Entries: what they are known by, who reads them, and how they come back, on both databases."""

import contextlib
import string
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from stored import LEASE, NOW, add, feed, publish, sighting, state_of, take

from worker.feeds.identify import SightingKind, identify, keys
from worker.model import EntryState, ParsedEntry
from worker.store import Store, entries, leases, open_store, pages, quarantine, upkeep

MINUTE = timedelta(minutes=1)
CHANGED, KNOWN = SightingKind.CHANGED, SightingKind.KNOWN


def counts(store: Store) -> dict[str, int]:
    with store.read() as tx:
        return {state: n for state, n in upkeep.entry_counts(tx).items() if n}


def only(store: Store, entry_id: int) -> entries.StoredEntry:
    with store.read() as tx:
        (entry,) = entries.read(tx, [entry_id])
    return entry


def test_a_document_is_kept_once_whatever_it_holds(store: Store) -> None:
    """Compressed, and given back byte for byte."""
    body = b"\x00\xff<rss>" * 1000
    with store.write() as tx:
        one, two = entries.keep_raw(tx, body, NOW), entries.keep_raw(tx, body, NOW + MINUTE)
        assert one == two
        assert entries.raw(tx, one) == body
        assert entries.raw(tx, "0" * 64) is None


def test_an_entry_comes_back_as_it_was_published(store: Store) -> None:
    """Times keep their instant, letters their form; what a feed leaves out stays out."""
    parsed = ParsedEntry(guid="é\u0301😀", link="https://a.example/1", title="T", published=NOW, content="<p>«»</p>")
    before = state_of(store)
    (seen,) = identify([parsed], {})
    with store.write() as tx:
        new = entries.record(tx, before.id, [seen], raw_sha256="0", backlog=True, page_within=None, now=NOW)[0]
        (known,) = {s.entry_id for s in entries.known(tx, before.id, keys(parsed)).values()}
    assert known is not None
    assert new == (known,)
    entry = only(store, known)
    assert (entry.parsed, entry.feed, entry.first_seen) == (parsed, "https://a.example/rss", NOW)
    assert (entry.backlog, entry.article_id, entry.attempts) == (True, None, 0)


@pytest.mark.parametrize("length", [199, 200, 201, 5_000, 1_000_000])
def test_a_key_may_be_of_any_length(store: Store, length: int) -> None:
    """PostgreSQL indexes 2,704 bytes at most; two huge keys that begin alike stay two."""
    one, two = "é" * length + "1", "é" * length + "2"
    ids = publish(store, sighting("a", keys=[one]), sighting("b", keys=[two]))
    assert len(set(ids)) == 2
    with store.read() as tx:
        known = entries.known(tx, state_of(store).id, [one, two, "é" * length])
    assert {key: seen.entry_id for key, seen in known.items()} == {one: ids[0], two: ids[1]}


def test_more_keys_than_one_statement_holds(store: Store) -> None:
    """A document of 2,000 items asks for 8,000 keys."""
    ids = publish(store, *(sighting(f"n{n}") for n in range(40)))
    with store.read() as tx:
        known = entries.known(tx, state_of(store).id, [f"guid:n{n}" for n in range(8_000)])
    assert [known[f"guid:n{n}"].entry_id for n in range(40)] == ids
    assert len(known) == 40


def test_keys_belong_to_their_feed(store: Store) -> None:
    """Every feed may number its items from 1."""
    publish(store, sighting("1"))
    with store.read() as tx:
        assert entries.known(tx, state_of(store).id + 1, ["guid:1"]) == {}


def test_the_same_document_again_changes_nothing_and_learns_new_keys(store: Store) -> None:
    """An item that comes under a new guid as well is remembered under both."""
    (entry_id,) = publish(store, sighting("a"))
    again = sighting("a", kind=KNOWN, entry_id=entry_id, keys=["guid:a", "guid:other"])
    before = state_of(store)
    with store.write() as tx:
        done = entries.record(tx, before.id, [again], raw_sha256="1", backlog=False, page_within=None, now=NOW)
        assert done == ((), 0)
        known = entries.known(tx, before.id, ["guid:a", "guid:other"])
    assert [known[key].entry_id for key in ("guid:a", "guid:other")] == [entry_id, entry_id]
    assert counts(store) == {"ready": 1}


def test_two_takers_share_the_work(store: Store) -> None:
    """Oldest first, at most as many as asked for, none twice while its lease lasts."""
    ids = publish(store, *(sighting(f"n{n}") for n in range(5)))
    assert take(store, limit=3) == tuple(ids[:3])
    assert take(store, limit=3) == tuple(ids[3:])
    with store.read() as tx:
        assert entries.waiting(tx, now=NOW) == (False, False)
        assert entries.waiting(tx, now=NOW + LEASE) == (True, False)
    assert take(store) == ()


def test_an_entry_that_failed_comes_alone(store: Store) -> None:
    """After those that never failed, so that it takes no other with it if it takes the process down."""
    bad, worse, good = publish(store, sighting("bad"), sighting("worse"), sighting("good"))
    take(store, limit=2)
    with store.write() as tx:
        entries.failed(tx, {bad: "ValueError", worse: "ValueError"}, retry_at=NOW, now=NOW)
    assert take(store) == (good,)
    assert take(store) == (bad,)
    assert take(store) == (worse,)


def test_a_try_that_was_cut_short_once_sends_nobody_into_the_corner(store: Store) -> None:
    """A process may die of anything; the second time each goes alone, behind those that never were cut short."""
    first, second = publish(store, sighting("first"), sighting("second"))
    take(store)
    (third,) = publish(store, sighting("third"))
    later = NOW + LEASE
    assert set(take(store, later)) == {first, second, third}
    (fourth,) = publish(store, sighting("fourth"))
    later += LEASE
    assert set(take(store, later)) == {third, fourth}
    assert take(store, later) == (first,)
    assert take(store, later) == (second,)


@pytest.mark.parametrize("cut_short", ["stop", "death", "busy store"])
def test_news_that_were_begun_come_before_all_backlog(store: Store, cut_short: str) -> None:
    """However they came back to the store, together, and a stop or a busy store counts no try against them."""
    publish(store, *(sighting(f"old {n}") for n in range(70)), backlog=True)
    news = publish(store, sighting("news"), sighting("more"))
    with store.write() as tx:
        assert entries.take_ready(tx, now=NOW, lease=LEASE, limit=50, owner="one") == tuple(news)
    with store.write() as tx:
        match cut_short:
            case "stop":
                leases.give_back(tx, "one", NOW)
            case "death":
                leases.take_over(tx, ["one"])
            case _:
                entries.give_back(tx, news, retry_at=NOW)
    assert take(store) == tuple(news)
    assert only(store, news[0]).attempts == (1 if cut_short == "stop" else 2)
    assert len(take(store)) == 50


def test_a_stop_ends_the_leases_of_its_own_worker_only(store: Store) -> None:
    """Another one's entries stay its own."""
    mine, others = publish(store, sighting("mine"), sighting("others"))
    with store.write() as tx:
        assert entries.take_ready(tx, now=NOW, lease=LEASE, limit=1, owner="one") == (mine,)
        assert entries.take_ready(tx, now=NOW, lease=LEASE, limit=1, owner="two") == (others,)
        leases.give_back(tx, "one", NOW)
    assert take(store) == (mine,)


def test_news_come_before_the_backlog_of_new_feeds(store: Store) -> None:
    """And alone, so that they are stored before the next batch of what is old."""
    old = publish(store, sighting("old"), sighting("older"), backlog=True)
    news = publish(store, sighting("news"), sighting("more"))
    assert take(store) == tuple(news)
    assert take(store) == tuple(old)


def test_release_ends_leases_and_forgets_no_try(store: Store) -> None:
    """A worker that knows that it is alone takes over at once what a dead one had in hand."""
    ids = publish(store, sighting("a"), sighting("b"))
    take(store)
    with store.write() as tx:
        entries.release(tx)
    assert take(store) == tuple(ids)
    assert only(store, ids[0]).attempts == 2


def test_five_failures_put_an_entry_aside_and_a_new_text_brings_it_back(store: Store) -> None:
    """Tried five times, with a pause between; its bytes stay; its publisher may fix it."""
    (entry_id,) = publish(store, sighting("a"))
    now = NOW
    for attempt in range(1, 6):
        assert take(store, now) == (entry_id,), attempt
        now += MINUTE
        with store.write() as tx:
            entries.failed(tx, {entry_id: "ValueError: " + "x" * 5_000}, retry_at=now + MINUTE, now=now)
        assert take(store, now) == ()
        assert counts(store) == ({"ready": 1} if attempt < 5 else {"quarantined": 1})
        now += MINUTE
    with store.read() as tx:
        (aside,) = quarantine.put_aside(tx, limit=5)
    assert (aside.id, aside.title, len(aside.error)) == (entry_id, "a", 2_000)
    publish(store, sighting("a", "Un autre texte.", kind=CHANGED, entry_id=entry_id))
    assert take(store, now) == (entry_id,)
    assert only(store, entry_id).parsed.summary == "Un autre texte."


def test_five_deaths_put_an_entry_aside(store: Store) -> None:
    """Tries are counted before they are made: a crash is a try."""
    poison, other = publish(store, sighting("poison"), sighting("other"))
    add(store, "other", entry_id=other)
    for _ in range(5):
        assert take(store) == (poison,)
        with store.write() as tx:
            entries.release(tx)
    assert take(store) == ()
    with store.read() as tx:
        assert [(q.id, q.error) for q in quarantine.put_aside(tx, limit=5)] == [(poison, "the worker died of it")]


def test_a_store_that_fails_puts_nothing_aside(store: Store) -> None:
    """A disk that is full for a day is not the entry's fault: it is tried for ever, from the second time on alone."""
    (entry_id,) = publish(store, sighting("a"))
    now = NOW
    for _ in range(12):
        assert take(store, now) == (entry_id,)
        now += MINUTE
        with store.write() as tx:
            entries.give_back(tx, [entry_id], retry_at=now)
    assert counts(store) == {"ready": 1}


def test_an_entry_waits_for_its_page_and_goes_on_with_it(store: Store) -> None:
    """Ready when the page is there; an entry without a link waits for none."""
    paged, linkless = publish(store, sighting("a", link="https://a.example/1"), sighting("b"), page_within=MINUTE)
    assert take(store) == (linkless,)
    with store.write() as tx:
        assert entries.waiting(tx, now=NOW) == (False, True)
        (wanted,) = pages.take_pages(tx, now=NOW, lease=LEASE, limit=5)
        assert pages.take_pages(tx, now=NOW, lease=LEASE, limit=5) == ()
        assert entries.waiting(tx, now=NOW) == (False, False)
        pages.page_came(tx, paged, "Le texte de la page.")
    assert (wanted.entry_id, wanted.link, wanted.feed) == (paged, "https://a.example/1", "https://a.example/rss")
    assert take(store) == (paged,)
    assert only(store, paged).page_text == "Le texte de la page."


def test_after_a_minute_the_summary_goes_on_and_a_late_page_comes_again(store: Store) -> None:
    """A page is a revision of what went on without it."""
    (entry_id,) = publish(store, sighting("a", link="https://a.example/1"), page_within=MINUTE)
    with store.write() as tx:
        pages.take_pages(tx, now=NOW, lease=LEASE, limit=1)
        assert entries.waiting(tx, now=NOW + MINUTE) == (True, False)
    assert take(store, NOW + MINUTE) == (entry_id,)
    article_id = add(store, "a", entry_id=entry_id)
    with store.write() as tx:
        pages.page_came(tx, entry_id, "Le texte de la page.")
        assert entries.of_article(tx, article_id) == "https://a.example/rss"
        assert entries.of_article(tx, article_id + 1) is None
    assert take(store, NOW + MINUTE) == (entry_id,)
    late = only(store, entry_id)
    assert (late.article_id, late.page_text) == (article_id, "Le texte de la page.")


def test_the_newest_pages_come_first(store: Store) -> None:
    """A backlog of pages must not keep today's waiting."""
    ids = publish(store, *(sighting(f"n{n}", link=f"https://a.example/{n}") for n in range(4)), page_within=MINUTE)
    with store.write() as tx:
        wanted = pages.take_pages(tx, now=NOW, lease=LEASE, limit=2)
        entries.release(tx)
        again = pages.take_pages(tx, now=NOW, lease=LEASE, limit=1)
    assert sorted(w.entry_id for w in wanted) == ids[2:]
    assert [w.entry_id for w in again] == ids[3:]


@pytest.mark.parametrize("how", ["text", "page"])
def test_what_changes_while_it_is_read_is_read_again(store: Store, how: str) -> None:
    """Otherwise the text that came meanwhile would be called done without anybody having read it."""
    (entry_id,) = publish(store, sighting("a", "Le premier texte.", link="https://a.example/1"))
    take(store)
    read = only(store, entry_id)
    if how == "text":
        publish(store, sighting("a", "Le second texte.", kind=CHANGED, entry_id=entry_id))
    else:
        with store.write() as tx:
            pages.page_came(tx, entry_id, "Le texte de la page.")
    assert take(store) == (), "its reader still has it"
    with store.ingest() as tx:
        assert entries.held(tx, [read]) == frozenset()
    assert take(store) == (entry_id,)
    again = only(store, entry_id)
    assert (again.parsed.summary, again.page_text) == (
        ("Le second texte.", "") if how == "text" else ("Le premier texte.", "Le texte de la page.")
    )
    with store.ingest() as tx:
        assert entries.held(tx, [again]) == {entry_id}


def test_two_readers_of_one_entry_make_one_article(store: Store) -> None:
    """A reader that was asleep for longer than its lease finds its work done."""
    (entry_id,) = publish(store, sighting("a"))
    take(store)
    slow = only(store, entry_id)
    take(store, NOW + LEASE)
    add(store, "a", entry_id=entry_id)
    with store.ingest() as tx:
        assert entries.held(tx, [slow]) == frozenset()
    assert counts(store) == {"done": 1}


def test_a_changed_text_comes_again_as_news(store: Store) -> None:
    """Of a backlog entry too, once its article stands; before that it is the backlog still."""
    waits, stands = publish(store, sighting("a"), sighting("b"), backlog=True)
    article_id = add(store, "b", entry_id=stands)
    publish(
        store,
        sighting("a", "Texte revu.", kind=CHANGED, entry_id=waits),
        sighting("b", "Texte revu.", kind=CHANGED, entry_id=stands),
    )
    assert (take(store), take(store)) == ((stands,), (waits,)), "news first"
    assert [(only(store, i).backlog, only(store, i).article_id) for i in (waits, stands)] == [
        (True, None),
        (False, article_id),
    ]
    with store.read() as tx:
        known = entries.known(tx, state_of(store).id, ["guid:a", "guid:b"])
    assert {seen.digest for seen in known.values()} == {"digest of Texte revu."}


def test_p15_a_page_that_shows_the_time_makes_no_text_a_poll(store: Store) -> None:
    """Twenty-four texts after the first; then it is known, and quiet."""
    (entry_id,) = publish(store, sighting("a"))
    before = state_of(store)
    changed = []
    for minute in range(30):
        seen = sighting("a", f"Il est 8 h {minute}.", kind=CHANGED, entry_id=entry_id)
        with store.write() as tx:
            changed.append(
                entries.record(tx, before.id, [seen], raw_sha256="0", backlog=False, page_within=None, now=NOW)[1]
            )
    assert changed == [1] * 24 + [0] * 6
    assert only(store, entry_id).parsed.summary == "Il est 8 h 23."
    with store.read() as tx:
        assert entries.known(tx, before.id, ["guid:a"])["guid:a"].digest == "digest of Il est 8 h 29."


_TEXT = st.text(alphabet=st.one_of(st.sampled_from(string.printable), st.characters(exclude_categories=["Cs", "Cc"])))


@given(title=_TEXT, summary=_TEXT, guid=_TEXT)
def test_any_text_comes_back_as_it_went_in(
    title: str, summary: str, guid: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever cleaned text a feed holds."""
    shared = _shared_store(tmp_path_factory)
    parsed = ParsedEntry(guid=guid, title=title, summary=summary)
    # A feed of its own for each example: what one feed showed before is known there.
    before = state_of(shared, feed(f"https://{next(_numbers)}.example/rss"))
    seen = [s for s in identify([parsed], {}) if s.keys]
    with shared.write() as tx:
        entries.record(tx, before.id, seen, raw_sha256="0", backlog=False, page_within=None, now=NOW)
        known = entries.known(tx, before.id, keys(parsed))
        ids = {s.entry_id for s in known.values() if s.entry_id}
        back = entries.read(tx, sorted(ids))
    assert (parsed in [entry.parsed for entry in back]) == bool(seen)


_stores: dict[Path, Store] = {}
_numbers = count()


def _shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    # One store for all examples: each would cost a second otherwise.
    base = tmp_path_factory.getbasetemp()
    if base not in _stores:
        _stores[base] = open_store(f"sqlite:///{base / 'examples.db'}", create=True)
    return _stores[base]


def test_one_entry_that_cannot_be_stored_costs_no_other(store: Store) -> None:
    """The parser removes NUL, which PostgreSQL refuses; what slips through undoes its own savepoint alone."""
    before = state_of(store)
    stored = []
    with store.write() as tx:
        for name in ("a\x00b", "fine"):
            with contextlib.suppress(sa.exc.DataError, ValueError), tx.begin_nested():
                one = [sighting(name)]
                entries.record(tx, before.id, one, raw_sha256="0", backlog=False, page_within=None, now=NOW)
                stored.append(name)
        assert entries.known(tx, before.id, ["guid:fine"])
    assert stored == (["a\x00b", "fine"] if store.is_sqlite else ["fine"])


def test_states_are_those_of_the_model(store: Store) -> None:
    """Every state is named in the counts, also where there is none."""
    with store.read() as tx:
        assert upkeep.entry_counts(tx) == dict.fromkeys(map(str, EntryState), 0)
