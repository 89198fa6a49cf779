"""Identity of a document's items: known by guid, else canonical link, else text.

Feeds repeat guids, leave them empty, number their items by position, change every guid at every poll, or link all
items to one page. No single key can be trusted, so an item is known under several, and the evidence is weighed:

    entries ──same text, or same guid, link and title──> items of this document
    items   ──keys that only one of them has──> candidates in `known` ──best evidence first──> Sighting

Where the evidence leaves a doubt, items stay apart: a copy is recognised later by its text, a lost item never is.
"""

import hashlib
import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlsplit

from worker.analysis.text.folding import normal
from worker.model import ParsedEntry
from worker.net import urls


class SightingKind(StrEnum):
    """The relation of a document's item to what the feed showed before."""

    NEW = "new"
    #: Known, and a reader sees another text.
    CHANGED = "changed"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The memory of a key: the entry that was seen under it."""

    #: None: the entry was purged, and is remembered only so that it is not taken for new.
    entry_id: int | None
    #: Of its content when it was last seen.
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """A known entry that has neither guid nor link."""

    entry_id: int
    parsed: ParsedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One distinct item of a document."""

    parsed: ParsedEntry
    kind: SightingKind
    #: To remember for this item: they identify it, and no other.
    keys: tuple[str, ...]
    #: sha256 hex of what a reader sees: title, summary, content. Dates, links and markup do not count.
    digest: str
    #: The known entry; None for a new one, and for a known one that was purged.
    entry_id: int | None


#: Below this length a text may be a headline or a phrase that returns ("Morning briefing"): it does not make two
#: items with links of their own one.
_DISTINCTIVE = 200
_LONGEST_KEY = 250
#: Of the words of two texts, the first characters that are compared, and of a document the items: more at once are no
#: edits. So a poll compares at most 50 with the 200 that the store gives.
_COMPARED, _EDITS = 4_096, 50
#: Of the words of two texts, the part that both have, from which one may be the other's edit.
_EDITED = 0.5

#: One token of markup; never two quantifiers over the same characters, so that it is linear on hostile input.
_MARKUP = re.compile(r"<!--|-->|<(/?)(script|style)\b[^<>]*>|</?[a-zA-Z][^<>]*>|<[!?][^<>]*>", re.IGNORECASE)
#: Tags that stand within a word or a sentence; every other tag parts words.
_INLINE = re.compile(
    r"</?(?:a|abbr|b|cite|code|del|em|font|i|ins|mark|q|s|small|span|strong|sub|sup|u|wbr)\b", re.IGNORECASE
)
_IGNORED = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """One entry with all that may identify it; an empty string identifies nothing."""

    entry: ParsedEntry
    guid: str
    link: str
    text: str
    title: str
    digest: str
    distinctive: bool

    @property
    def whole(self) -> str:
        """The key of last resort, when each single key is shared with another item."""
        return "item:" + _hash(f"{self.guid}\n{self.link}\n{self.text}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Strongest first."""
        return tuple(key for key in (self.guid, self.link, self.text) if key)


def keys(entry: ParsedEntry) -> tuple[str, ...]:
    """Every key under which `entry` may be known, strongest first; none for an entry without any content."""
    stamp = _stamp(entry)
    return (*stamp.keys, stamp.whole) if stamp.keys else ()


def identify(entries: Sequence[ParsedEntry], known: Mapping[str, Seen]) -> tuple[Sighting, ...]:
    """One sighting for each distinct item of a document, in the document's order.

    `known` holds, for this feed, what is remembered under any of the entries' `keys`; more does no harm. The answer
    does not depend on the order of `entries`, and once its keys are remembered, the same document is all KNOWN.
    """
    items = _items([stamp for stamp in map(_stamp, entries) if stamp.keys])
    owners = Counter(key for item in items for key in {key for stamp in item for key in stamp.keys})
    unique = [_unique_keys(item, owners) for item in items]
    matched = _assign(items, unique, known)
    return tuple(_sighting(item, own, known, seen) for item, own, seen in zip(items, unique, matched, strict=True))


def is_bare(entry: ParsedEntry) -> bool:
    """Tells whether nothing but its text tells the entry."""
    return not (entry.guid.strip() or entry.link)


def edited(sightings: Sequence[Sighting], known: Sequence[Bare]) -> tuple[Sighting, ...]:
    """The sightings, with a new item that has neither guid nor link taken for the edit of a known one like it.

    Like it: it stands in the place of one that the document no longer holds, bears no other date, and shares at
    least half of all their words. Otherwise a headline that is put right would make a second article.
    """
    here = {sighting.entry_id for sighting in sightings}
    free = {one.entry_id: (one.parsed, _words(one.parsed)) for one in known if one.entry_id not in here}
    answer = list(sightings)
    bare = [at for at, one in enumerate(sightings) if one.kind is SightingKind.NEW and is_bare(one.parsed)]
    for index in bare[:_EDITS]:
        sighting = sightings[index]
        words, date = _words(sighting.parsed), sighting.parsed.published
        likeness = {
            entry_id: len(words & others) / max(1, len(words | others))
            for entry_id, (parsed, others) in free.items()
            if parsed.published == date
        }
        best = max(likeness, key=lambda entry_id: (likeness[entry_id], entry_id), default=None)
        if best is not None and likeness[best] >= _EDITED:
            del free[best]
            answer[index] = replace(sighting, kind=SightingKind.CHANGED, entry_id=best)
    return tuple(answer)


def _words(entry: ParsedEntry) -> frozenset[str]:
    parts = (entry.title, entry.summary[:_COMPARED], entry.content[:_COMPARED])
    return frozenset(_visible(" ".join(parts)).split())


def churns(sightings: Sequence[Sighting], known: Mapping[str, Seen]) -> bool:
    """Tells whether the feed gives its known items new guids: four in five of them, at least five."""
    known_guids = [s for s in sightings if s.kind is not SightingKind.NEW and s.parsed.guid.strip()]
    renamed = sum(_key("guid", s.parsed.guid.strip()) not in known for s in known_guids)
    return len(known_guids) >= 5 and renamed >= 0.8 * len(known_guids)


def _sighting(item: Sequence[_Stamp], own: Sequence[str], known: Mapping[str, Seen], seen: Seen | None) -> Sighting:
    newest = max(item, key=_recency)
    kept = tuple(key for key in own if key not in known or (seen is not None and _same_entry(known[key], seen)))
    if all(key.startswith("text:") for key in kept) and not (kept and _known_by_text(item)):
        kept += tuple(sorted({stamp.whole for stamp in item}))
    if seen is None:
        kind = SightingKind.NEW
    elif seen.entry_id is None or seen.digest == newest.digest:
        # A purged entry that is edited stays purged: it was too old to keep, so its edit is no news.
        kind = SightingKind.KNOWN
    else:
        kind = SightingKind.CHANGED
    return Sighting(
        parsed=newest.entry,
        kind=kind,
        keys=kept,
        digest=newest.digest,
        entry_id=None if seen is None else seen.entry_id,
    )


def _recency(stamp: _Stamp) -> tuple[datetime, int, str, str]:
    moment = stamp.entry.updated or stamp.entry.published or datetime.min.replace(tzinfo=UTC)
    return moment, len(stamp.entry.summary) + len(stamp.entry.content), stamp.digest, stamp.whole


# --- the items of one document -----------------------------------------------------------------------------------


def _items(stamps: Sequence[_Stamp]) -> list[list[_Stamp]]:
    """Entries that are the same item, together; items in the order of their first entry."""
    links_of_text: defaultdict[str, set[str]] = defaultdict(set)
    for stamp in stamps:
        links_of_text[stamp.text].add(stamp.link)
    parent = list(range(len(stamps)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[str, ...], int] = {}
    for index, stamp in enumerate(stamps):
        for sign in _signs(stamp, links_of_text[stamp.text]):
            parent[root(index)] = root(first.setdefault(sign, index))
    items: defaultdict[int, list[_Stamp]] = defaultdict(list)
    for index, stamp in enumerate(stamps):
        items[root(index)].append(stamp)
    return list(items.values())


def _signs(stamp: _Stamp, links: set[str]) -> Iterator[tuple[str, ...]]:
    """Yields what two entries of one document must share to be the same item: any one of these."""
    yield ("item", stamp.whole)
    if stamp.text:
        together = stamp.distinctive or len(links - {""}) <= 1
        yield ("text", stamp.text) if together else ("text", stamp.text, stamp.link)
    if stamp.guid:
        # A guid alone may stand on every item; with the same link and title it is an item listed in two versions.
        yield ("guid", stamp.guid, stamp.link, stamp.title)


def _unique_keys(item: Iterable[_Stamp], owners: Mapping[str, int]) -> tuple[str, ...]:
    """The keys of an item that no other item of the document has, strongest first."""
    ranks = {
        key: rank
        for stamp in item
        for rank, key in enumerate((stamp.guid, stamp.link, stamp.text))
        if key and owners[key] == 1
    }
    return tuple(sorted(ranks, key=lambda key: (ranks[key], key)))


# --- against what is known ---------------------------------------------------------------------------------------


def _assign(
    items: Sequence[Sequence[_Stamp]], unique: Sequence[Sequence[str]], known: Mapping[str, Seen]
) -> list[Seen | None]:
    """The known entry of each item, each entry given once: best evidence first.

    So a feed that numbers its items by position does not rename them: the item that an entry's link or text points to
    takes it before the item that merely carries its old number.
    """
    claims = []
    for index, (item, own) in enumerate(zip(items, unique, strict=True)):
        evidence: dict[object, set[str]] = {}
        seen_of: dict[object, Seen] = {}
        for key in (*own, *(stamp.whole for stamp in item)):
            if seen := known.get(key):
                evidence.setdefault(_who(seen), set()).add(key.partition(":")[0])
                seen_of[_who(seen)] = seen
        tie = min(stamp.whole for stamp in item)
        claims += [
            (_weight(found), tie, index, who, seen_of[who])
            for who, found in evidence.items()
            if found != {"text"} or _known_by_text(item)
        ]
    answer: list[Seen | None] = [None] * len(items)
    taken: set[object] = set()
    for _, _, index, who, seen in sorted(claims, key=lambda claim: (claim[0], claim[1], str(claim[3]))):
        if answer[index] is None and who not in taken:
            answer[index] = seen
            taken.add(who)
    return answer


def _known_by_text(item: Sequence[_Stamp]) -> bool:
    """Tells whether its text alone may identify an item: a short one does not, where there is a link to tell it by."""
    return any(stamp.distinctive for stamp in item) or not any(stamp.link for stamp in item)


def _weight(found: set[str]) -> tuple[int, ...]:
    """Sorts the best evidence first: all keys at once, then the most kinds, then text before guid before link."""
    return ("item" not in found, -len(found), "text" not in found, "guid" not in found)


def _who(seen: Seen) -> object:
    """One value for one known item; a purged one has nothing left but its digest."""
    return seen.digest if seen.entry_id is None else seen.entry_id


def _same_entry(one: Seen, other: Seen) -> bool:
    return _who(one) == _who(other)


# --- what identifies an entry ------------------------------------------------------------------------------------


def _stamp(entry: ParsedEntry) -> _Stamp:
    title, summary, content = _visible(entry.title), _visible(entry.summary), _visible(entry.content)
    digest = _hash(f"{title}\n{summary}\n{content}")
    guid = entry.guid.strip()
    return _Stamp(
        entry=entry,
        guid=_key("guid", guid),
        link=_key("link", _page(entry.link)),
        text="text:" + digest if title or summary or content else "",
        title=title,
        digest=digest,
        distinctive=len(summary) + len(content) >= _DISTINCTIVE,
    )


def _page(link: str) -> str:
    """The canonical link, or nothing where it names a whole site."""
    canonical = urls.canonical(link) if link else ""
    parts = urlsplit(canonical)
    return canonical if parts.path.strip("/") or parts.query or parts.fragment else ""


def _key(kind: str, value: str) -> str:
    if not value:
        return ""
    return f"{kind}:{value}" if len(value) <= _LONGEST_KEY else f"{kind}:{_hash(value)}"


def _visible(markup: str) -> str:
    """The visible text of a text or markup, in one line and one case."""
    text = _IGNORED.sub("", normal("NFKC", html.unescape("".join(_shown(markup)))))
    return " ".join(text.casefold().split())


def _shown(markup: str) -> Iterator[str]:
    """The pieces of markup outside tags, comments, scripts and styles."""
    start, closer = 0, ""
    for token in _MARKUP.finditer(markup):
        tag = token.group().lower()
        if closer:
            if tag.startswith(closer) or tag.endswith(closer):
                start, closer = token.end(), ""
            continue
        yield markup[start : token.start()]
        if not _INLINE.match(tag):
            yield " "
        start = token.end()
        if tag == "<!--":
            closer = "-->"
        elif token[2] and not token[1]:
            closer = f"</{token[2].lower()}"
    if not closer:
        yield markup[start:]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
