"""Items of a document: new, changed or known."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds import identify as module
from worker.feeds.identify import Bare, Seen, Sighting, SightingKind, edited, identify, keys
from worker.feeds.parse import parse
from worker.model import ParsedEntry, ParsedFeed

NEW, CHANGED, KNOWN = SightingKind.NEW, SightingKind.CHANGED, SightingKind.KNOWN
OUTLETS = Path(__file__).parents[2] / "shared" / "data" / "feeds" / "outlets"
#: Distinct items of each file, counted by link in the raw XML.
COUNTS = {
    "abcnews-intl.xml": 25,
    "aljazeera.xml": 25,
    "allafrica.xml": 32,
    "almonitor-dupguids.xml": 11,
    "bbc-world.xml": 33,
    "boston-world-noguid.xml": 10,
    "csmonitor.xml": 10,
    "dawn-world.xml": 30,
    "dw.xml": 141,
    "economist-asia.xml": 300,
    "mercopress.xml": 10,
    "npr-world.xml": 10,
}
LONG = "Les deux délégations ont longuement parlé du prix du riz et de la pêche dans le lac. " * 4


class Memory:
    """The store's memory of one feed."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.entries = 0

    def poll(self, entries: Sequence[ParsedEntry]) -> tuple[Sighting, ...]:
        wanted = {key for entry in entries for key in keys(entry)}
        sightings = identify(entries, {key: seen for key, seen in self.seen.items() if key in wanted})
        for sighting in sightings:
            entry_id = sighting.entry_id
            if sighting.kind is NEW:
                self.entries += 1
                entry_id = self.entries
            for key in sighting.keys:
                self.seen.setdefault(key, Seen(entry_id=entry_id, digest=sighting.digest))
            for key, seen in self.seen.items():
                if seen.entry_id == entry_id:
                    self.seen[key] = Seen(entry_id=entry_id, digest=sighting.digest)
        return sightings


def entry(
    guid: str = "", link: str = "", title: str = "", text: str = "", *, published: datetime | None = None
) -> ParsedEntry:
    path = f"https://news.example/{link}" if link else ""
    return ParsedEntry(guid=guid, link=path, title=title, content=text, published=published)


def kinds(sightings: Sequence[Sighting]) -> list[str]:
    return [sighting.kind.value for sighting in sightings]


def items(number: int) -> list[ParsedEntry]:
    return [entry(f"g{n}", f"a/{n}", f"Title {n}", f"Body of article {n}") for n in range(number)]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([entry("g", "a", "T", "x")], [entry("g", "a", "T", "x")], [KNOWN]),
        ([entry("g", "a", "T", "x")], [entry("g", "a", "T", "y")], [CHANGED]),
        ([entry("g", "a", "T", "x")], [entry("g2", "a", "T", "x")], [KNOWN]),
        ([entry("g", "a", "T", "x")], [entry("g2", "a", "T", "y")], [CHANGED]),
        ([entry("g", "old", "T", "x")], [entry("g", "new", "T2", "y")], [CHANGED]),
        ([entry("g", "a", "T", LONG)], [entry("h", "b", "T", LONG)], [KNOWN]),
        ([entry("g", "a", "Briefing")], [entry("h", "b", "Briefing")], [NEW]),
        ([entry("", "a", "T", "x")], [entry("", "a", "T", "y")], [CHANGED]),
        ([entry("", "", "T", "x")], [entry("", "", "T", "x")], [KNOWN]),
        ([entry("", "", "T", "x")], [entry("", "", "U", "x")], [NEW]),
        ([entry("g", "", "T", "x")], [entry("h", "", "T", "x")], [KNOWN]),
        ([entry("g", "a", "T")], [entry("g", "a?utm_source=rss", "T")], [KNOWN]),
    ],
    ids=[
        "same",
        "edited",
        "new guid",
        "new guid and edited",
        "slug and text rewritten under one guid",
        "long text at another address",
        "a headline that returns is no identity",
        "no guid, edited",
        "text alone",
        "text alone, edited",
        "new guid, no link",
        "tracking parameters",
    ],
)
def test_second_poll(first: list[ParsedEntry], second: list[ParsedEntry], expected: list[SightingKind]):
    """An item is recognised by guid, else link, else text."""
    memory = Memory()
    assert kinds(memory.poll(first)) == ["new"] * len(first)
    assert [sighting.kind for sighting in memory.poll(second)] == expected


@pytest.mark.parametrize(
    ("entries", "distinct"),
    [
        ([entry("g", f"a/{n}", f"T{n}", f"x{n}") for n in range(10)], 10),
        ([entry("g", "", f"T{n}", f"x{n}") for n in range(10)], 10),
        ([entry("g", "a", f"T{n}", f"x{n}") for n in range(10)], 10),
        ([entry("", f"a/{n}", "Same headline") for n in range(3)], 3),
        ([entry(f"g{n}", "a", f"T{n}", f"x{n}") for n in range(10)], 10),
        ([entry("", "a", f"T{n}", f"x{n}") for n in range(10)], 10),
        ([entry("g", "a", "T", "x")] * 4, 1),
        ([entry("g", "a", "T", "x"), entry("h", "a", "T", "x")], 1),
        ([entry("g", "", "T", "x"), entry("h", "", "T", "x")], 1),
        ([entry("g", "a", "T", LONG), entry("h", "b", "T", LONG)], 1),
        ([entry("g", "a", "T", "x"), entry("g", "a", "T", "x, corrected")], 1),
        ([entry("", "", "", "")], 0),
        ([entry("g", "", f"T{n}") for n in range(2)] + [entry("h", "", "T0")], 2),
    ],
    ids=[
        "one guid, links differ",
        "one guid, no links",
        "one guid and one link",
        "no guids, one headline",
        "one link, guids differ",
        "one link, no guids",
        "repeated as it is",
        "repeated under a new guid",
        "repeated under a new guid, no link",
        "long text at two addresses",
        "two versions in one document",
        "nothing at all",
        "one guid for two, and one of them repeated",
    ],
)
def test_p13_distinct_items_of_one_document(entries: list[ParsedEntry], distinct: int):
    """A document's items are counted once each, and its second reading brings nothing."""
    memory = Memory()
    assert len(memory.poll(entries)) == distinct
    assert kinds(memory.poll(entries)) == ["known"] * distinct
    assert kinds(memory.poll(entries[::-1])) == ["known"] * distinct


def test_guids_numbered_by_position():
    """A new first item renames no other if guids only count positions."""
    stories = [("c", "C"), ("b", "B"), ("a", "A")]
    memory = Memory()
    memory.poll([entry(str(n), link, title, title * 5) for n, (link, title) in enumerate(stories)])
    later = [("d", "D"), *stories][:3]
    assert kinds(memory.poll([entry(str(n), link, title, title * 5) for n, (link, title) in enumerate(later)])) == [
        "new",
        "known",
        "known",
    ]


def test_guid_churn_over_ten_polls():
    """Twenty items under new guids at each of ten polls stay twenty entries."""
    memory = Memory()
    for poll in range(10):
        memory.poll([entry(f"{poll}-{n}", f"a/{n}", f"Title {n}", f"Body {n}") for n in range(20)])
    assert memory.entries == 20


def test_items_that_vanish_and_return():
    """An item that was away, or whose entry was purged, is not new."""
    memory = Memory()
    memory.poll(items(5))
    assert kinds(memory.poll(items(2))) == ["known", "known"]
    memory.seen = {key: Seen(entry_id=None, digest=seen.digest) for key, seen in memory.seen.items()}
    returned = memory.poll(items(5))
    assert kinds(returned) == ["known"] * 5
    assert {sighting.entry_id for sighting in returned} == {None}


def test_a_link_shared_later_keeps_each_item():
    """A link that named one item and later leads several does not make them one."""
    memory = Memory()
    memory.poll([entry("g1", "live", "First", "one")])
    assert kinds(memory.poll([entry("g2", "live", "Second", "two"), entry("g1", "live", "First", "one")])) == [
        "new",
        "known",
    ]


def test_a_site_s_root_is_no_identity():
    """A link to a whole site identifies no item."""
    memory = Memory()
    memory.poll([ParsedEntry(guid="1", link="https://news.example/", title="Lundi", content="un")])
    assert kinds(memory.poll([ParsedEntry(guid="2", link="https://news.example/", title="Mardi", content="deux")])) == [
        "new"
    ]


@pytest.mark.parametrize(
    "other",
    [
        ParsedEntry(guid="g", title="A  title", content="<div>Some\n text</div>"),
        ParsedEntry(guid="g", title="A title", content='<p class="x">Some <b>text</b></p><!-- 12:31 -->'),
        ParsedEntry(guid="g", title="A title", content='<p>Some <a href="https://e.org/?utm_source=a">text</a></p>'),
        ParsedEntry(guid="g", title="A title", content="Some text", published=datetime(2026, 1, 1, tzinfo=UTC)),
        ParsedEntry(guid="g", title="A title", content="<script>var now=1;</script><p>Some&#160;text</p>"),
    ],
    ids=["white space", "markup and comments", "tracking in a link", "dates", "scripts and references"],
)
def test_digest_is_of_what_a_reader_sees(other: ParsedEntry):
    """Nothing changed for a reader, so the item is known."""
    memory = Memory()
    memory.poll([ParsedEntry(guid="g", title="A title", content="<p>Some text</p>")])
    assert kinds(memory.poll([other])) == ["known"]


def test_newest_version_of_a_repeated_item_counts():
    """Of two versions in one document the later one is read."""
    older = entry("g", "a", "T", "before", published=datetime(2026, 1, 1, tzinfo=UTC))
    newer = entry("g", "a", "T", "after", published=datetime(2026, 1, 2, tzinfo=UTC))
    assert [sighting.parsed.content for sighting in identify([newer, older], {})] == ["after"]


@pytest.mark.parametrize(
    "entries",
    [[ParsedEntry(guid="x" * 50_000, link="https://e.org/" + "y" * 5_000)], [ParsedEntry(title="\ud800")]],
    ids=["huge", "a lone surrogate"],
)
def test_keys_are_short_and_typed(entries: list[ParsedEntry]):
    """Keys fit an index, whatever the feed wrote."""
    found = keys(entries[0])
    assert all(len(key) < 300 and key.partition(":")[0] in {"guid", "link", "text", "item"} for key in found)


_ENTRIES = st.lists(
    st.builds(
        entry,
        st.sampled_from(["", "g1", "g2", "g3"]),
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["", "T", "U"]),
        st.sampled_from(["", "x", "y", LONG, LONG + "!"]),
    ),
    max_size=8,
)


@given(st.lists(_ENTRIES, max_size=3), _ENTRIES)
def test_a_second_pass_knows_everything(before: list[list[ParsedEntry]], entries: list[ParsedEntry]):
    """Whatever came before, a document read twice brings nothing the second time."""
    memory = Memory()
    for document in before:
        memory.poll(document)
    memory.poll(entries)
    stored = memory.entries
    assert set(kinds(memory.poll(entries))) <= {"known"}
    assert memory.entries == stored


@given(_ENTRIES, st.randoms(use_true_random=False))
def test_order_does_not_matter(entries: list[ParsedEntry], chance):
    """Shuffled entries give the same sightings."""

    def facts(sightings: Sequence[Sighting]) -> set[object]:
        return {(s.kind, s.keys, s.digest, s.entry_id) for s in sightings}

    memory = Memory()
    memory.poll(entries[::2])
    known: Mapping[str, Seen] = dict(memory.seen)
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert facts(identify(shuffled, known)) == facts(identify(entries, known))


@pytest.mark.skipif(not OUTLETS.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_real_feeds(name: str, count: int):
    """Each file's distinct items once; then one changed, one added and one repeated are just that."""
    parsed = parse((OUTLETS / name).read_bytes(), f"https://feeds.example/{name}", "application/rss+xml")
    assert isinstance(parsed, ParsedFeed)
    memory = Memory()
    assert kinds(memory.poll(parsed.entries)) == ["new"] * count
    assert kinds(memory.poll(parsed.entries)) == ["known"] * count

    def varied(old: ParsedEntry, **changes: str) -> ParsedEntry:
        fields = {"guid": old.guid, "link": old.link, "title": old.title, "summary": old.summary} | changes
        return ParsedEntry(**fields, content=old.content, published=old.published)

    first, *rest = parsed.entries
    repeated = varied(parsed.entries[-1], guid="urn:again")
    edited = [varied(e, title="Corrigé : un autre titre") if e.title == first.title else e for e in (first, *rest)]
    added = entry("urn:added", "added", "Un article de plus", "Il n'y était pas.")
    again = memory.poll([added, repeated, *edited])
    assert sorted(kinds(again)) == sorted(["new", "changed", *["known"] * (count - 1)])


def test_f25_edits_are_sought_for_a_few_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand items without guid and link are no edits of two hundred: the work for one document has an end."""
    compared: list[int] = []

    class Words(frozenset[str]):
        def __and__(self, other):
            compared.append(1)
            return super().__and__(other)

    words = module._words
    monkeypatch.setattr(module, "_words", lambda entry: Words(words(entry)))
    known = [Bare(entry_id=n, parsed=ParsedEntry(title=f"Titre {n} de hier", summary="mot " * 100)) for n in range(200)]
    new = [ParsedEntry(title=f"Un autre {n}", summary=f"texte {n} " * 10) for n in range(2_000)]
    assert len(edited(identify(new, {}), known)) == 2_000
    assert len(compared) <= 50 * 200
    assert len(words(ParsedEntry(content=" ".join(map(str, range(100_000)))))) < 2_000


def test_f25_marks_in_a_row() -> None:
    """Of what Unicode can only order in the square of its number, thirty are read, as references too."""
    few, many = "e" + "\u0301\u0323" * 15, "e" + "\u0301\u0323" * 5_000
    assert keys(ParsedEntry(title=many)) == keys(ParsedEntry(title=few))
    assert keys(ParsedEntry(summary="e" + "&#x301;&#x323;" * 5_000)) == keys(ParsedEntry(summary=few))
