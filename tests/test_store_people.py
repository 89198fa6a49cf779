"""People, their sign-ins and tokens, on both databases; and articles that are read part by part."""

from datetime import timedelta

import pytest
from stored import NOW, add

from worker.store import Store, finding, people, search
from worker.store.finding import Filters, Place
from worker.store.people import Person, Role, Scope


def put(store: Store, name: str, role: Role = Role.READER) -> None:
    with store.write() as tx:
        people.put(tx, Person(name=name, password_hash="x", role=role, created=NOW))


def test_a_role_covers_those_before_it(store: Store) -> None:
    put(store, "ana", Role.ADMIN)
    put(store, "bo")
    with store.write() as tx:
        assert people.admins(tx) == 1
        assert people.set_role(tx, "bo", Role.ADMIN)
        assert not people.set_role(tx, "cy", Role.ADMIN)
        assert people.admins(tx) == 2
    assert [Role.EDITOR.covers(role) for role in Role] == [True, True, False]


def test_whoever_is_removed_leaves_no_way_in(store: Store) -> None:
    """Neither by a sign-in nor by a token that they made."""
    put(store, "ana")
    put(store, "bo")
    with store.write() as tx:
        assert people.is_anybody(tx)
        for name in ("ana", "bo"):
            people.sign_in(tx, f"session {name}", name, NOW, timedelta(hours=1))
            people.add_token(tx, name, f"token {name}", list(Scope), author=name, now=NOW, until=None)
        assert people.remove(tx, "ana")
        assert not people.remove(tx, "ana")
        assert [people.signed_in(tx, f"session {name}", NOW) is not None for name in ("ana", "bo")] == [False, True]
        assert [people.token(tx, f"token {name}", NOW) is not None for name in ("ana", "bo")] == [False, True]
        people.remove(tx, "bo")
        assert not people.is_anybody(tx)


@pytest.mark.parametrize(("later", "holds"), [(timedelta(), True), (timedelta(hours=1), False)])
def test_a_sign_in_and_a_token_hold_until_they_are_over(store: Store, later: timedelta, holds: bool) -> None:
    put(store, "ana")
    with store.write() as tx:
        people.sign_in(tx, "s", "ana", NOW, timedelta(hours=1))
        number = people.add_token(tx, "t", "t", [Scope.READ], author="bo", now=NOW, until=NOW + timedelta(hours=1))
        people.use_token(tx, number, NOW)
        assert (people.signed_in(tx, "s", NOW + later) is not None) is holds
        assert (people.token(tx, "t", NOW + later) is not None) is holds
        assert [one.used for one in people.tokens(tx)] == [NOW]


def found(store: Store, filters: Filters, after: Place | None = None, limit: int = 10, words: str = "") -> list[int]:
    question = search.AllOf(search.read(words)) if words else None
    with store.read() as tx:
        return [one.id for one in finding.found(tx, question, filters, limit=limit, after=after)]


def test_articles_part_by_part(store: Store) -> None:
    """The last published first; of one moment, the last stored first; each once."""
    one, two, three = (add(store, title) for title in ("Hun Sen en visite", "Deux", "Trois"))
    with store.read() as tx:
        places = {a.id: finding.place_of(a) for a in finding.found(tx, None, Filters(), limit=10)}
    whole = found(store, Filters())
    assert set(whole) == {one, two, three}
    parts: list[int] = []
    while part := found(store, Filters(), places[parts[-1]] if parts else None, limit=1):
        parts += part
    assert parts == whole
    assert found(store, Filters(), words="HUN sen") == [one]
    assert found(store, Filters(rule="visit")) == []
