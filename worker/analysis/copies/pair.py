"""Two texts side by side: what they share once standing text is left out, and in which words."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import compress
from zlib import crc32

from worker.analysis.copies import entities
from worker.analysis.copies import entities as facts
from worker.analysis.copies.lines import lines
from worker.analysis.copies.signature import Fingerprint, shingles, unpacked
from worker.analysis.copies.titles import Title, stems, title
from worker.analysis.text import Document, analyse
from worker.model import Occasion

_IN_A_ROW = 3


class Text:
    """A new text, with the words marked that are standing text."""

    def __init__(self, fingerprint: Fingerprint, document: Document | None, standing: Mapping[int, str]) -> None:
        self.fingerprint = fingerprint
        self.has_document = document is not None
        self._document = document = document or analyse("", "", "")
        self.language = document.language
        self.title: Title = title(document.title, document.language)
        self.has_body = len(document.folded) > document.title_words if self.has_document else not self._is_title
        first = document.title_words if self.has_body else 0
        self.words: tuple[str, ...] = document.folded[first:]
        self.hashes = shingles(document) if self.has_document else sorted(unpacked(fingerprint.shingles))
        #: Whether its title was seen over other texts of the same source.
        self.title_recurs = fingerprint.title_line in standing
        stands = [line for line in lines(document) if line.to_reader or line.key in standing]
        #: The names of the sources that repeat some of it.
        self.repeated_by = sorted({standing[line.key] for line in stands if line.key in standing})
        left_out = {at - first for line in stands for at in range(line.first, line.last)}
        self.is_own = [at not in left_out for at in range(len(self.words) or fingerprint.words)]

    @property
    def _is_title(self) -> bool:
        return self.fingerprint.digest.startswith(self.facts.title or "none")

    @cached_property
    def facts(self) -> facts.Facts:
        """Its numbers, dates and names."""
        return facts.load(self.fingerprint.facts)

    @cached_property
    def own(self) -> list[int]:
        """The places where word triples without recurring text begin."""
        return [at for at in range(len(self.hashes)) if all(self.is_own[at : at + _IN_A_ROW])]

    @cached_property
    def all(self) -> frozenset[int]:
        """The hashes of all its word triples."""
        return frozenset(self.hashes)

    @cached_property
    def left_out(self) -> frozenset[int]:
        """The hashes of word triples that are found in standing text only."""
        return self.all - {self.hashes[at] for at in self.own}

    @property
    def own_words(self) -> int:
        """Tells how many of its words are no standing text."""
        return sum(self.is_own)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers of its body, as digits."""
        document = self._document
        places = range(document.title_words, len(document.folded))
        return facts.numbers((document.written[at], document.folded[at]) for at in places)


class Pair:
    """A new text and an earlier one, in shares and words."""

    def __init__(self, new: Text, old: Fingerprint, old_title: str) -> None:
        self.new, self.old = new, old
        self.old_title: Title = title(old_title, new.language)
        known = frozenset(unpacked(old.shingles))
        self._known = known
        own = {new.hashes[at] for at in new.own}
        shared = own & known
        #: The part of the new text's own word triples that stand in the old text, and the reverse.
        self.inside = len(shared) / max(1, len(own))
        self.around = len(shared) / max(1, len(known - new.left_out))
        #: The same with standing text.
        self.with_standing = len(new.all & known) / max(1, min(len(new.all), len(known)))
        self.is_same_title = bool(self.old_facts.title) and new.facts.title == self.old_facts.title
        self.is_same_text = new.fingerprint.digest == old.digest
        #: An item that is only a title stands in the article of that title, whose body need not repeat it.
        self.is_its_title = self.is_same_title and not new.has_body
        if self.is_its_title:
            self.inside = 1.0

    @cached_property
    def old_facts(self) -> facts.Facts:
        """The numbers, dates and names of the earlier text."""
        return facts.load(self.old.facts)

    @cached_property
    def _old_words(self) -> frozenset[str]:
        return self.old_facts.words

    @property
    def most(self) -> float:
        """The part of the shorter text that stands in the other."""
        return max(self.inside, self.around)

    @cached_property
    def shorter(self) -> int:
        """The words of the shorter text, without standing text that both have."""
        common = self.new.fingerprint.words - self.new.own_words if self.new.left_out & self._known else 0
        return min(self.new.own_words, max(0, self.old.words - common))

    @cached_property
    def is_shared(self) -> list[bool]:
        """For each word of the new text, whether it stands in shared word triples."""
        found = [False] * len(self.new.words)
        for at in self.new.own:
            if self.new.hashes[at] in self._known:
                found[at : at + _IN_A_ROW] = [True] * len(found[at : at + _IN_A_ROW])
        return found

    @property
    def shared_words(self) -> Sequence[str]:
        """The shared words, in order."""
        return list(compress(self.new.words, self.is_shared))

    @cached_property
    def respelled(self) -> frozenset[str]:
        """Words by which the new text only writes a name otherwise."""
        return facts.variants(self.new.facts, self.old_facts)

    @property
    def unshared_words(self) -> Sequence[str]:
        """The new text's other words, without standing text and names that are only written otherwise."""
        kept = zip(self.new.words, self.is_shared, self.new.is_own, strict=False)  # no words without a document
        return [word for word, shared, own in kept if own and not shared and word not in self.respelled]

    @cached_property
    def whole(self) -> float:
        """`most`, where names that are written otherwise and honours before a name change nothing."""
        unshared = [at for at in self.new.own if self.new.hashes[at] not in self._known]
        if not unshared or self.around >= 1:
            return 1.0 if self.new.own else 0.0
        same = sum(self._is_variant(at) for at in unshared)
        return max(self.around, 1 - (len(unshared) - same) / len(self.new.own))

    def _is_variant(self, at: int) -> bool:
        """Tells whether the word triple that begins there differs from the old text in how a name is written only."""
        words = self.new.words[at : at + _IN_A_ROW]
        known_names = self._old_words
        if not self.respelled.isdisjoint(words):
            return True
        if any(word in facts.HONOURS for word in words) and not known_names.isdisjoint(self.new.words[at + 1 : at + 6]):
            return True
        names = [place for place in range(at, at + len(words)) if self.new.words[place] in known_names]
        return any(
            crc32(" ".join((honour, *self.new.words[place : place + 2])).encode()) in self._known
            for place in names
            for honour in facts.HONOURS
        )

    @property
    def added(self) -> frozenset[str]:
        """Numbers and names that the new text says outside what is shared, and the earlier one nowhere."""
        said = frozenset(self.unshared_words)
        return (self.new.facts.words - self.old_facts.words) & (said | frozenset(stems(said, self.new.language)))

    def agreement(self) -> float:
        """The share of the fact words of the text with fewer word triples that the other has too."""
        is_shorter = len(self.new.all) <= len(self._known)
        few, many = (self.new.facts, self.old_facts) if is_shorter else (self.old_facts, self.new.facts)
        return facts.agreement(few, many)


# Meaning of a changed text to somebody who read the former one.


#: Agencies say so at the top: "(Corrigé)", "RECTIFICATIF", "Correction:".
_SAYS_SO = re.compile(r"\b(?:corrig\w*|rectifi\w*|erratum|correct(?:ed|s|ion)|refil\w*)\b")
_TOP = 40
#: A text that grows more than that is a summary whose page came.
_GROWTH = 2


def change(old: Fingerprint, new: Fingerprint, document: Document, *, has_page: bool) -> Occasion | None:
    """`correction` where a number, date or name was replaced, or the text says that it is corrected; else None.

    Copy-editing, sentences that were added and the page that comes after its summary correct nothing. `document` is the
    new text, `has_page` whether it was fetched from the article's page.
    """
    if has_page and new.words > _GROWTH * old.words:
        return None
    is_said = _SAYS_SO.search(" ".join(document.folded[:_TOP])) is not None
    contradicts = entities.contradiction(entities.load(new.facts), entities.load(old.facts)) is not None
    return Occasion.CORRECTION if is_said or contradicts else None
