"""Passwords: chosen, made, kept as argon2 hashes, and tried only so often in a time."""

import secrets
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Characters of a password (NIST SP 800-63B-4, 3.1.1).
SHORTEST, LONGEST = 12, 1_000
#: A first password: four groups of four of these 31, none of which is taken for another; 79 bits.
_LETTERS, _GROUPS, _OF_A_GROUP = "23456789abcdefghjkmnpqrstuvwxyz", 4, 4
#: The time for which a first password holds.
FIRST_FOR = timedelta(days=7)
#: RFC 9106, 4: 64 MiB each.
_HASHER = PasswordHasher()
#: So many passwords are looked at together; whoever waits longer than these seconds is sent away.
_TURN, _PATIENCE = BoundedSemaphore(2), 2.0


class Unfit(StrEnum):
    """Reasons why a password cannot be taken."""

    TWO = "password_two"
    LENGTH = "password_length"
    NAME = "password_name"
    SAME = "password_same"


def unfit(password: str, again: str, name: str, before: str = "") -> Unfit | None:
    """The reason why a password that was typed twice cannot be taken; None: it can. `before`: the one it replaces."""
    if password != again:
        return Unfit.TWO
    if not SHORTEST <= len(password) <= LONGEST:
        return Unfit.LENGTH
    if password.casefold() == name.casefold():
        return Unfit.NAME
    return Unfit.SAME if password == before else None


def first() -> str:
    """A password for somebody who is to choose another, easy to read aloud: `k7wm-29xd-...`."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_OF_A_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def hashed(password: str) -> str:
    """A password as the store keeps it: with its salt and parameters."""
    return _HASHER.hash(password)


def is_right(password: str, known: str) -> bool | None:
    """True for the password of that hash; where `known` is empty, it takes as long and is False.

    None: too many are looked at already.
    """
    if not _TURN.acquire(timeout=_PATIENCE):
        return None
    try:
        _HASHER.verify(known or _nobodys(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    else:
        return bool(known) and len(password) <= LONGEST
    finally:
        _TURN.release()


@cache
def _nobodys() -> str:
    return hashed(secrets.token_urlsafe(32))


class Attempts:
    """The sign-ins of late, by whatever they are limited by: a name, an address. Safe in several threads."""

    def __init__(self, *, most: int, per: timedelta, kept: int = 10_000) -> None:
        self._most, self._per, self._kept = most, per, kept
        self._times: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, now: datetime) -> timedelta:
        """Count one more; returns how long it must wait, if there were too many: then it is not counted."""
        with self._lock:
            times = self._times.setdefault(key, deque(maxlen=self._most))
            self._times.move_to_end(key)
            while len(self._times) > self._kept:
                self._times.popitem(last=False)
            # After a step of the clock back, times may lie ahead.
            while times and not now - self._per < times[0] <= now:
                times.popleft()
            if len(times) == self._most:
                return times[0] + self._per - now
            times.append(now)
            return timedelta()

    def give_back(self, key: str) -> None:
        """Leave the last one uncounted: it was right."""
        with self._lock:
            if times := self._times.get(key):
                times.pop()
