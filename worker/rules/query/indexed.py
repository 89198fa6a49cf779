"""Words by which an index of words finds the texts in which a query can hold: more than those, and never less.

The index folds words as `analysis.text` does and knows no inflection: each form of a word is looked up by itself.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from worker.analysis.text import fold, kin
from worker.rules.query.nodes import How, Node, Or, Regex, SetRef, Term, TermSet, Word
from worker.rules.query.requirements import positive

#: Letters at a stem's end that Snowball may have put there.
_REPLACED = 2
#: Letters that all words of one stem share, as `Family` has it; no beginning is shorter.
_STEM_LETTERS = 3
#: Words that all parts together may ask for, the shortest first; the shortest part is asked for, however long.
_MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Indexed:
    """A folded word of the index; with `is_start`, longer words that begin so are meant, too."""

    word: str
    is_start: bool = False


@dataclass(frozen=True, slots=True)
class _Parts:
    """Several things at once: counted and hashed once, as a pattern asks for thousands of words in many ways."""

    parts: tuple["Wanted", ...]
    #: Words that are asked for.
    size: int = field(init=False, compare=False, repr=False)
    _hash: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Count and hash them."""
        object.__setattr__(self, "size", sum(map(_size, self.parts)))
        object.__setattr__(self, "_hash", hash((type(self).__name__, self.parts)))

    def __hash__(self) -> int:
        """The hash that was made."""
        return self._hash


class All(_Parts):
    """A text must have each of these."""

    __slots__ = ()


class Any(_Parts):
    """A text must have one of these."""

    __slots__ = ()


Wanted: TypeAlias = Indexed | All | Any


def indexed(query: Node, sets: Mapping[str, TermSet], languages: Collection[str]) -> Wanted | None:
    """Everything that a text must have for `query` to hold there; None: it may hold anywhere.

    `languages`: those of all texts (BCP 47 primary tags).
    """
    return _Reader(sets, languages).wanted(query)


class _Reader:
    def __init__(self, sets: Mapping[str, TermSet], languages: Collection[str]) -> None:
        self._sets, self._languages = sets, languages
        self._known: dict[str, Wanted | None] = {}
        #: What was read, by identity, with the node itself, which keeps it: patterns hold the same nodes many times.
        self._read: dict[int, tuple[Node, Wanted | None]] = {}

    def wanted(self, node: Node) -> Wanted | None:
        if id(node) not in self._read:
            self._read[id(node)] = (node, self._wanted(node))
        return self._read[id(node)][1]

    def _wanted(self, node: Node) -> Wanted | None:
        match node:
            case Term(words, language):
                return _all(word for word in (self._word(word, language) for word in words) if word is not None)
            case Regex():
                return None
            case SetRef(name):
                if name not in self._known:
                    self._known[name] = _any([self.wanted(dated.term) for dated in self._sets[name].terms])
                return self._known[name]
            case Or(parts):
                return _any([self.wanted(part) for part in parts])
        return _all(part for part in map(self.wanted, positive(node)) if part is not None)

    def _word(self, word: Word, language: str) -> Wanted | None:
        folded = fold(word.text)
        match word.how:
            case How.PREFIX:
                return Indexed(folded, is_start=True) if len(folded) >= _STEM_LETTERS else None
            case How.INFLECTED | How.REFLEXIVE:
                return _any(list(dict.fromkeys(self._forms(word.text, language))))
        return Indexed(folded)

    def _forms(self, word: str, written_for: str) -> Iterator[Indexed]:
        """The forms of a word in texts of all languages; the word itself where there are none."""
        yield Indexed(fold(word))
        for language in (written_for,) if written_for else self._languages:
            family = kin(word, written_for, language)
            if family is None:
                continue
            yield from map(Indexed, sorted(family.forms))
            if family.stem:
                letters = family.stem[: max(len(family.stem) - _REPLACED, _STEM_LETTERS)]
                start = letters if family.word.startswith(letters) else family.word[:_STEM_LETTERS]
                yield Indexed(start, is_start=True)


def _all(parts: Iterator[Wanted]) -> Wanted | None:
    kept: list[Wanted] = []
    left = _MOST_WORDS
    flat = (inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,)))
    for part in sorted(dict.fromkeys(flat), key=_size):
        left -= _size(part)
        if kept and left < 0:
            break
        kept.append(part)
    return All(tuple(kept)) if len(kept) > 1 else kept[0] if kept else None


def _any(parts: Sequence[Wanted | None]) -> Wanted | None:
    distinct = dict.fromkeys(part for part in parts if part is not None)
    if not distinct or None in parts:
        return None
    needs = {part: part.parts if isinstance(part, All) else (part,) for part in distinct}
    # What one of them asks for alone is enough, whatever another one asks for beside it.
    ways = [way for way in needs.values() if len(way) == 1 or not any(need in distinct for need in way)]
    # What all ask for is asked for once: of a pattern's many ways, mostly whom it is called with.
    in_all = set(ways[0]).intersection(*ways[1:])
    common = [need for need in ways[0] if need in in_all]
    rests = tuple(_all(need for need in way if need not in in_all) for way in ways)
    if None in rests:
        return _all(iter(common))
    return _all(iter([*common, Any(tuple(rest for rest in rests if rest is not None))]))


def _size(part: Wanted) -> int:
    """The number of words that it asks for."""
    return 1 if isinstance(part, Indexed) else part.size
