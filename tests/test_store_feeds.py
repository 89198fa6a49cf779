"""Feeds between polls: what is due, who polls it, and what a poll leaves, on both databases."""

from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from stored import LEASE, NOW, feed, publish, sighting, state_of

from worker.errors import StoreBusyError
from worker.store import Store, entries, feeds

SOON = NOW + timedelta(minutes=15)
OK = feeds.PollResult(result="ok", due=SOON, success=True)


def test_a_new_feed_is_due_at_once_and_a_known_one_keeps_its_state(store: Store) -> None:
    """A restart must not poll everything again, and a feed that is renamed is the same feed."""
    before = state_of(store)
    with store.write() as tx:
        feeds.record(tx, before, OK, now=NOW)
        feeds.ensure(tx, [feed(name="Another name"), feed("https://b.example/rss", "B")], NOW)
        feeds.ensure(tx, [], NOW)
    with store.read() as tx:
        assert feeds.due(tx, ["https://a.example/rss", "https://b.example/rss"], now=NOW) == ("https://b.example/rss",)
        one, two = feeds.statuses(tx)
    assert (one.name, one.due, one.last_result, two.last_result) == ("Another name", SOON, "ok", "")


def test_due_gives_the_most_overdue_first_of_those_configured(store: Store) -> None:
    """A feed that the configuration dropped stays in the store and is not polled."""
    urls = [f"https://{name}.example/rss" for name in "abcd"]
    for hours, url in enumerate(urls):
        before = state_of(store, feed(url))
        with store.write() as tx:
            due = feeds.PollResult(result="ok", due=NOW - timedelta(hours=hours), success=True)
            feeds.record(tx, before, due, now=NOW - timedelta(days=1))
    with store.read() as tx:
        a, b, _, d = urls
        assert feeds.due(tx, [a, b, d], now=NOW) == (d, b, a)
        assert feeds.due(tx, [a, b, d], now=NOW - timedelta(hours=2)) == (d,)


@pytest.mark.parametrize(
    ("minutes", "first"), [(61, "new"), (59, "known"), (0, "known")], ids=["longer than an hour", "an hour", "now"]
)
def test_a_feed_never_polled_lets_known_ones_go_first_for_an_hour(store: Store, minutes: int, first: str) -> None:
    """Thousands of new feeds do not keep waiting those that news is awaited from, nor wait for ever themselves."""
    known, new = "https://a.example/rss", "https://b.example/rss"
    before = state_of(store)
    with store.write() as tx:
        feeds.record(tx, before, feeds.PollResult(result="ok", due=NOW, success=True), now=NOW)
        feeds.ensure(tx, [feed(new, "B")], NOW - timedelta(minutes=minutes))
    with store.read() as tx:
        expected = (new, known) if first == "new" else (known, new)
        assert feeds.due(tx, [new, known], now=NOW) == expected


def test_a_lease_keeps_others_off_until_it_ends(store: Store) -> None:
    """Two claimers share the work; a lease ends with its time, with the poll, or when the holder is known dead."""
    urls = ["https://a.example/rss", "https://b.example/rss"]
    first = state_of(store)
    state_of(store, feed(urls[1]))
    with store.write() as tx:
        assert feeds.claim(tx, urls[:1], now=NOW, lease=LEASE) == ("https://a.example/rss",)
        assert feeds.claim(tx, urls, now=NOW, lease=LEASE) == ("https://b.example/rss",)
        assert feeds.claim(tx, urls, now=NOW, lease=LEASE) == ()
        assert feeds.due(tx, urls, now=NOW) == ()
        assert set(feeds.due(tx, urls, now=NOW + LEASE)) == set(urls)
        feeds.record(tx, first, feeds.PollResult(result="ok", due=NOW, success=True), now=NOW)
        assert feeds.due(tx, urls, now=NOW) == ("https://a.example/rss",)
        feeds.release(tx)
        assert feeds.claim(tx, list(reversed(urls)), now=NOW, lease=LEASE) == tuple(reversed(urls))


def test_failures_count_in_a_row_and_keep_the_validators(store: Store) -> None:
    """A failure takes nothing back; a success resets the count; None leaves the validators of before."""
    results = [
        feeds.PollResult(result="ok", due=SOON, success=True, validators=('"1"', "Fri, 06 Feb 2026 08:00:00 GMT")),
        feeds.PollResult(result="timeout", detail="x" * 900, due=SOON, success=False),
        feeds.PollResult(result="timeout", due=SOON, success=False),
    ]
    assert not state_of(store).baseline
    for minute, result in enumerate(results):
        before = state_of(store)
        with store.write() as tx:
            feeds.record(tx, before, result, now=NOW + timedelta(minutes=minute))
    after = state_of(store)
    assert (after.failures, after.baseline, after.etag) == (2, True, '"1"')
    with store.read() as tx:
        (status,) = feeds.statuses(tx)
    assert (status.last_success, status.last_polled) == (NOW, NOW + timedelta(minutes=2))
    with store.write() as tx:
        feeds.record(tx, after, OK, now=NOW + timedelta(minutes=3))
    healed = state_of(store)
    assert (healed.failures, healed.etag, healed.last_modified) == (0, '"1"', "Fri, 06 Feb 2026 08:00:00 GMT")


def test_a_first_poll_that_fails_is_no_baseline(store: Store) -> None:
    """Otherwise the whole feed would be told when it comes back."""
    before = state_of(store)
    with store.write() as tx:
        feeds.record(tx, before, feeds.PollResult(result="dns_error", due=SOON, success=False), now=NOW)
    assert not state_of(store).baseline


def test_of_two_polls_that_started_together_the_second_leaves_nothing(store: Store) -> None:
    """Both took the same items for new; the second's entries go with its transaction."""
    before = state_of(store)

    def commit(name: str, now: datetime) -> None:
        with store.write() as tx:
            entries.record(tx, before.id, [sighting(name)], raw_sha256="0", backlog=False, page_within=None, now=now)
            feeds.record(tx, before, OK, now=now)

    commit("a", NOW)
    with pytest.raises(StoreBusyError, match="another worker polled"):
        commit("b", NOW + timedelta(seconds=1))
    with store.read() as tx:
        assert set(entries.known(tx, before.id, ["guid:a", "guid:b"])) == {"guid:a"}
        assert feeds.statuses(tx)[0].entries == 1


def test_validators_and_entries_commit_together_or_not_at_all(store: Store) -> None:
    """A crash between them, then a 304, would lose items without a trace."""
    before = state_of(store)
    validated = feeds.PollResult(result="ok", due=SOON, success=True, validators=('"1"', ""))

    def die_before_commit() -> None:
        with store.write() as tx:
            sha = entries.keep_raw(tx, b"<rss/>", NOW)
            entries.record(tx, before.id, [sighting("a")], raw_sha256=sha, backlog=False, page_within=None, now=NOW)
            feeds.record(tx, before, validated, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_before_commit()
    assert state_of(store) == before
    with store.read() as tx:
        assert entries.known(tx, before.id, ["guid:a"]) == {}
        assert entries.raw(tx, sha256(b"<rss/>").hexdigest()) is None
    assert publish(store, sighting("a")) != [0]
