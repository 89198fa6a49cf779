"""Pages of entries in the store: when they are asked for, what came of them, and what is remembered of a host."""

from datetime import timedelta

from stored import LEASE, NOW, add, feed, publish, sighting, state_of, take

from worker.feeds.normalise.pages import line_keys
from worker.model import PageReason
from worker.store import Store, entries, feeds, leases, pages

MINUTE = timedelta(minutes=1)
LINK = "https://a.example/1"
TEXT = "Le texte de la page."


def one_wanted(store: Store, name: str = "a", link: str = LINK, owner: str = "") -> pages.PageWanted:
    """An entry whose page was just asked for."""
    publish(store, sighting(name, link=link), page_within=MINUTE)
    with store.write() as tx:
        (wanted,) = pages.take_pages(tx, now=NOW, lease=LEASE, limit=5, owner=owner)
    return wanted


def test_a_page_is_asked_for_four_times(store: Store) -> None:
    """At once, after ten minutes, an hour and six; the entry goes on at the first failure."""
    wanted = one_wanted(store)
    asked = [timedelta(0)]
    now = NOW
    with store.write() as tx:
        while True:
            pages.page_failed(tx, wanted, PageReason.NOT_FETCHED, "status 503", now=now, again=True)
            due = pages.of_article(tx, 1)
            assert due is None, "it has no article yet"
            for wait in [MINUTE] * 400 + [60 * MINUTE] * 50:
                now += wait
                if found := pages.take_pages(tx, now=now, lease=LEASE, limit=5):
                    (wanted,) = found
                    asked.append(now - NOW)
                    break
            else:
                break
    assert asked == [timedelta(0), 10 * MINUTE, 60 * MINUTE, 360 * MINUTE]
    assert take(store, NOW) == (wanted.entry_id,)


def test_a_page_that_a_dead_worker_was_fetching_is_free(store: Store) -> None:
    """At once, and with one try less; what others fetch is left to them."""
    for name in ("a", "b"):
        publish(store, sighting(name, link=f"https://{name}.example/1"), page_within=MINUTE)
        with store.write() as tx:
            (wanted,) = pages.take_pages(tx, now=NOW, lease=LEASE, limit=5, owner=name)
    with store.write() as tx:
        leases.take_over(tx, ["a"])
        (again,) = pages.take_pages(tx, now=NOW, lease=LEASE, limit=5, owner="c")
        assert (again.link, again.tries) == ("https://a.example/1", wanted.tries - 1)
        leases.take_over(tx, ["a"])
        assert pages.take_pages(tx, now=NOW, lease=LEASE, limit=5, owner="d") == (), "it is another's by now"


def test_pages_of_a_worker_that_stops_are_free(store: Store) -> None:
    """And those whose job the store refused; what is under way stays."""
    wanted = one_wanted(store, owner="one")
    with store.write() as tx:
        leases.give_back_idle(tx, "one", (), [wanted.entry_id], is_ingesting=True)
        assert pages.take_pages(tx, now=NOW, lease=LEASE, limit=5) == ()
        leases.give_back(tx, "one", NOW)
        assert [one.entry_id for one in pages.take_pages(tx, now=NOW, lease=LEASE, limit=5)] == [wanted.entry_id]


def test_a_page_given_up_at_once(store: Store) -> None:
    """As of a feed that was removed: nothing is asked for again, and the entry goes on."""
    wanted = one_wanted(store)
    with store.write() as tx:
        pages.page_failed(tx, wanted, PageReason.NOT_FETCHED, "", now=NOW, again=False)
        assert pages.take_pages(tx, now=NOW + timedelta(days=9), lease=LEASE, limit=5) == ()
    assert take(store) == (wanted.entry_id,)


def test_an_end_of_leases_asks_for_no_page_before_its_time(store: Store) -> None:
    """A worker that starts ends the leases of one that died; a wall is not asked at each start."""
    wanted = one_wanted(store)
    with store.write() as tx:
        pages.page_failed(tx, wanted, PageReason.OTHER_TEXT, "", now=NOW, again=True)
        entries.release(tx)
        assert pages.take_pages(tx, now=NOW + 9 * MINUTE, lease=LEASE, limit=5) == ()
        assert len(pages.take_pages(tx, now=NOW + 10 * MINUTE, lease=LEASE, limit=5)) == 1


def test_a_late_page_alone_is_told_from_a_change(store: Store) -> None:
    """`page_only` holds where the article stood already, until the feed says something else."""
    wanted = one_wanted(store)
    (early,) = publish(store, sighting("b", link="https://a.example/2"), page_within=MINUTE)
    with store.write() as tx:
        pages.page_came(tx, early, TEXT)
        assert not entries.read(tx, [early])[0].page_only, "it had no article that this could differ from"
    add(store, "a", entry_id=wanted.entry_id)
    with store.write() as tx:
        pages.page_came(tx, wanted.entry_id, TEXT)
        assert entries.read(tx, [wanted.entry_id])[0].page_only
    changed = sighting("a", "Un autre texte.", kind=sighting("a").kind.CHANGED, entry_id=wanted.entry_id, link=LINK)
    publish(store, changed, page_within=MINUTE)
    with store.read() as tx:
        (entry,) = entries.read(tx, [wanted.entry_id])
    assert (entry.page_only, entry.page_text) == (False, "")


def test_an_entry_that_changed_is_not_as_it_was_taken(store: Store) -> None:
    """Its page was compared with other words."""
    wanted = one_wanted(store)
    with store.write() as tx:
        assert pages.is_as_taken(tx, wanted)
    changed = sighting("a", "Autre.", kind=sighting("a").kind.CHANGED, entry_id=wanted.entry_id, link=LINK)
    publish(store, changed, page_within=MINUTE)
    with store.write() as tx:
        assert not pages.is_as_taken(tx, wanted)


def test_failures_in_a_row_are_counted_by_entry(store: Store) -> None:
    """Not by try; one page that is taken ends the row."""

    def failed() -> int:
        with store.read() as tx:
            (status,) = feeds.statuses(tx)
        return status.pages_failed

    now = NOW
    for number in range(3):
        wanted = one_wanted(store, f"n{number}", f"https://a.example/{number}")
        with store.write() as tx:
            pages.page_failed(tx, wanted, PageReason.SHORTER, "", now=now, again=True)
    assert failed() == 3
    with store.write() as tx:
        again = pages.take_pages(tx, now=now + 10 * MINUTE, lease=LEASE, limit=5)
        for wanted in again:
            pages.page_failed(tx, wanted, PageReason.SHORTER, "", now=now + 10 * MINUTE, again=True)
    assert (len(again), failed()) == (3, 3)
    with store.write() as tx:
        pages.page_came(tx, again[0].entry_id, TEXT)
    assert failed() == 0


def test_counts(store: Store) -> None:
    """By feed and reason, of the entries since then."""
    for number, reason in enumerate([PageReason.SHORTER, PageReason.SHORTER, PageReason.REPEATED, None]):
        wanted = one_wanted(store, f"n{number}", f"https://a.example/{number}")
        with store.write() as tx:
            if reason is None:
                pages.page_came(tx, wanted.entry_id, TEXT)
            else:
                pages.page_failed(tx, wanted, reason, "", now=NOW, again=True)
    publish(store, sighting("without"))
    with store.read() as tx:
        assert pages.counts(tx, NOW) == {feed().id: {"repeated": 1, "shorter": 2, "taken": 1}}
        assert pages.counts(tx, NOW + MINUTE) == {}


def test_what_came_of_a_page_is_said_of_its_article(store: Store) -> None:
    """Taken; or the reason, and when it is asked for again."""
    wanted = one_wanted(store)
    article = add(store, "a", entry_id=wanted.entry_id)
    with store.write() as tx:
        assert pages.of_article(tx, article) is None
        pages.page_failed(tx, wanted, PageReason.SHORTER, "8 of 9", now=NOW, again=True)
        found = pages.of_article(tx, article)
        assert found is not None
        assert (found.taken, found.reason, found.detail) == (False, "shorter", "8 of 9")
        assert found.again_at == NOW + 10 * MINUTE
        pages.page_came(tx, wanted.entry_id, TEXT)
        found = pages.of_article(tx, article)
        assert found is not None
        assert (found.taken, found.reason, found.again_at) == (True, "", None)


def test_the_memory_of_a_host(store: Store) -> None:
    """The newest sixty-four, and what others got again is the newest anew; after sixty days nothing."""
    state_of(store)
    wanted = one_wanted(store)
    with store.write() as tx:
        for number in range(70):
            other = pages.PageWanted(entry_id=number, feed=wanted.feed, parsed=wanted.parsed, tries=3)
            pages.remember(tx, "a.example", other, "bref", line_keys(f"ligne {chr(97 + number)}"), now=NOW)
            if number == 10:
                pages.seen_again(tx, [pages.seen_on(tx, "a.example")[-1].id], now=NOW + MINUTE)
        found = pages.seen_on(tx, "a.example")
        assert [one.entry_id for one in found] == [0, *range(69, 6, -1)]
        assert found[0].lines == frozenset(line_keys("ligne a"))
        assert pages.seen_on(tx, "b.example") == ()
        later = NOW + timedelta(days=61)
        pages.remember(tx, "b.example", wanted, "", (), now=later)
        assert pages.seen_on(tx, "a.example") == ()
