"""The articles, copies, stories and matches of a replay beside those that the store holds."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from worker.store.kept import MadeArticle

Articles = Mapping[int, MadeArticle]


class What(StrEnum):
    """What is compared."""

    ARTICLE = "article"
    COPY = "copy"
    STORY = "story"
    MATCH = "match"


class Kind(StrEnum):
    """How it differs: only the replay has it, only the store has it, or each has it in another form."""

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
    """What differs between two forms of an article, as what to say of it then and now."""
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
