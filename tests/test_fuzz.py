"""Mutated feeds: no crash, and no entry lost that stands before the damage. Each document is its seed's own."""

import os
import random

import pytest

from worker.model import ParsedFeed
from worker.parse import ParseFailed, parse

URL = "https://a.example/feed"
_SPOILS = (b"&#xD800;", b"&#x110000;", b"&nbsp;", b"&", b"\x00", b"\x1b", b"\xff\xfe", b"\xe9", b"]]>", b"</b>", b"<b>")
_SPOILS += (b"<x:y/>", b"<", b">", b"&#0;", b"<script>", b"%", b'"', b"\xed\xa0\x80", b"\r", b"&foo;", b"<!x")


def mutated(seed: int) -> tuple[bytes, list[str]]:
    """A feed of five items with one of them spoilt, and the guids of the items before that."""
    chance = random.Random(seed)
    items = [
        f"<item><guid>g{n}</guid><title>Été {n}</title><description>Texte {n} à Hanoï</description></item>".encode()
        for n in range(5)
    ]
    spoilt = chance.randrange(1, 5)
    body = bytearray(items[spoilt])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(6, len(body))
        if chance.random() < 0.7:
            body[at:at] = chance.choice(_SPOILS)
        elif chance.random() < 0.5:
            body[at] = chance.randrange(256)
        else:
            del body[at : at + chance.randint(1, 9)]
    items[spoilt] = bytes(body)
    head = b'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>t</title>'
    whole = head + b"".join(items) + b"</channel></rss>"
    return whole, [f"g{n}" for n in range(spoilt)]


def fuzz(first: int, last: int) -> None:
    """Try the seeds from `first` to before `last`."""
    fruitful = 0
    for seed in range(first, last):
        body, owed = mutated(seed)
        found = parse(body, URL, "application/rss+xml")
        assert isinstance(found, ParsedFeed | ParseFailed), seed
        guids = [entry.guid for entry in found.entries] if isinstance(found, ParsedFeed) else []
        fruitful += bool(guids)
        assert not set(owed) - set(guids), f"seed {seed}: {sorted(set(owed) - set(guids))} of {body!r}"
    assert 2 * fruitful >= last - first


def test_mutated_feeds_lose_nothing() -> None:
    """Two thousand."""
    fuzz(0, 2_000)


@pytest.mark.soak
def test_many_mutated_feeds_lose_nothing() -> None:
    """A hundred thousand; FUZZ_FROM=seed goes on where a run was broken off."""
    first = int(os.environ.get("FUZZ_FROM", "2000"))
    for at in range(first, 102_000, 1_000):
        fuzz(at, at + 1_000)
        print(f"seeds to {at + 1_000}")
