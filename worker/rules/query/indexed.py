"""Words by which an index of words finds the texts in which a query can hold: more than those, and never less.

The index folds words as `analysis.text` does and knows no inflection: each form of a word is looked up by itself.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from worker.analysis.text import fold, kin
from worker.rules.query.nodes import Node, TermSet
from worker.rules.query.requirements import ANY_FORM, GROUP, MARK, PREFIX, REGEX, Key, Requirements

#: Letters at a stem's end that Snowball may have put there.
_REPLACED = 2
#: Letters that all words of one stem share, as `Family` has it.
_STEM_LETTERS = 3


class Indexed(NamedTuple):
    """A folded word of the index."""

    word: str
    #: Longer words that begin so are meant, too.
    is_start: bool = False


def indexed(query: Node, sets: Mapping[str, TermSet], languages: Collection[str]) -> tuple[frozenset[Indexed], ...]:
    """Alternatives of words, of each of which a text must have one for `query` to hold; none: it may hold anywhere.

    `languages`: those of all texts (BCP 47 primary tags).
    """
    requirements = Requirements([query], sets)
    found = []
    for clause in requirements.of(query):
        words = [_words(key, requirements.groups, languages) for key in clause]
        if all(words):
            found.append(frozenset(word for some in words for word in some))
    return tuple(found)


def _words(key: Key, groups: Mapping[Key, frozenset[Key]], languages: Collection[str]) -> Sequence[Indexed]:
    """The words that a key stands for; none: an index of words does not know them."""
    mark, text = key[:MARK], key[MARK:]
    if mark == GROUP:
        members = [_words(member, groups, languages) for member in groups[key]]
        return [word for some in members for word in some] if all(members) else []
    if mark == REGEX:
        return []
    if mark == PREFIX:
        return [Indexed(text, is_start=True)]
    if mark == ANY_FORM:
        written_for, _, word = text.partition(":")
        return list(dict.fromkeys(_forms(word, written_for, (written_for,) if written_for else languages)))
    return [Indexed(key)]


def _forms(word: str, written_for: str, languages: Collection[str]) -> Iterator[Indexed]:
    """The forms of a word in texts of these languages; the word itself where there are none."""
    yield Indexed(fold(word))
    for language in languages:
        family = kin(word, written_for, language)
        if family is None:
            continue
        yield from map(Indexed, family.forms)
        if family.stem:
            letters = family.stem[: max(len(family.stem) - _REPLACED, _STEM_LETTERS)]
            start = letters if family.word.startswith(letters) else family.word[:_STEM_LETTERS]
            yield Indexed(start, is_start=True)
