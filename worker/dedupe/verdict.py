"""The decision: three witnesses are heard.

How many three-word shingles the texts share (resemblance and containment: Broder 1997), whether their numbers, dates
and names agree (`facts`), and, for texts too short to be their own proof, the time between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from worker.dedupe import facts
from worker.dedupe.signature import Fingerprint, stands_in, unpacked
from worker.model import Match, Novelty, NoveltyKind
from worker.text import Document

#: The part of the shorter text's shingles that makes a copy. A changed word breaks three: (10/11)^3 is 0.75, so this
#: is one word in eleven.
_COPY = 0.75
#: The same where the facts of the shorter text are in the longer too: an editor may change one word in four, (3/4)^3.
_EDITED = 0.42
#: The part of the facts that an edited copy must keep.
_KEPT = 0.8
#: A text of fewer words says nothing that another might not say as well.
_TELLING = 5
#: In a text of fewer words each counts, as "hausse" and "baisse" do in a headline, and it does not prove its own
#: identity: a copy of it is whole, and published about the same time.
_SHORT = 40
_WHOLE = 0.95
_SAME_TIME = timedelta(days=3)
#: A text of fewer words is a headline or a flash: the article that begins with it follows it, and copies nothing.
_FLASH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An earlier article that may be the original."""

    article_id: int
    fingerprint: Fingerprint
    published: datetime
    #: It stands at the address of the new article, under another identity.
    same_url: bool = False


def decide(fingerprint: Fingerprint, *, published: datetime, candidates: Sequence[Candidate]) -> Novelty:
    """NEW, or DUPLICATE of the earliest candidate that carries the same text.

    `score` is the part, 0 to 1, of the new text that stands in the original: 1 for a truncated copy, little for a
    round-up that contains the whole of it. Times are aware.
    """
    text = _Text(fingerprint)
    objection = ""
    for candidate in sorted(candidates, key=lambda each: (each.published, each.article_id)):
        if candidate.fingerprint.scheme != fingerprint.scheme:
            continue
        pair = _Pair(text, candidate, apart=abs(published - candidate.published))
        if not pair.alike():
            continue
        against = pair.objection()
        if not against:
            why, score = pair.why(), round(pair.inside, 4)
            return Novelty(kind=NoveltyKind.DUPLICATE, of=candidate.article_id, score=score, why=why)
        objection = objection or against
    return Novelty(kind=NoveltyKind.NEW, why=objection or "No earlier article has this text.")


def news(
    document: Document, matches: Sequence[Match], originals: Sequence[Fingerprint], novelty: Novelty
) -> frozenset[str]:
    """The rules that a duplicate satisfies in words of its own, that stand in no text its original had.

    A report that quotes an earlier brief whole contains it, and may yet bring the news of the day.
    """
    if novelty.kind is not NoveltyKind.DUPLICATE or novelty.score >= _COPY:
        return frozenset()
    return frozenset(
        match.rule_id
        for match in matches
        if any(not any(stands_in(document, span, o) for o in originals) for span in match.spans)
    )


def compare_revision(old: Fingerprint, new: Fingerprint) -> bool:
    """Whether a text under a known identity changed in any word of its title or body.

    Case, accents and punctuation are no words. One changed word is enough: it may be the one that a rule waits for.
    """
    return old.digest != new.digest or facts.load(old.facts).title != facts.load(new.facts).title


class _Text:
    """A fingerprint, read when needed."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.digest = fingerprint.digest
        self.words = fingerprint.words
        self._fingerprint = fingerprint

    @cached_property
    def shingles(self) -> set[int]:
        return unpacked(self._fingerprint.shingles)

    @cached_property
    def facts(self) -> facts.Facts:
        return facts.load(self._fingerprint.facts)

    @cached_property
    def is_title(self) -> bool:
        return self.digest.startswith(self.facts.title or "none")


class _Pair:
    """The new text and an earlier one."""

    def __init__(self, new: _Text, earlier: Candidate, *, apart: timedelta) -> None:
        old = _Text(earlier.fingerprint)
        shared = len(new.shingles & old.shingles)
        self._new, self._old, self._name = new, old, f"article {earlier.article_id}"
        self._same_url, self._apart = earlier.same_url, apart
        self._shorter = min(new.words, old.words)
        #: The part of the new text that stands in the old, and of the old that stands in the new.
        self.inside = shared / max(1, len(new.shingles))
        self.around = shared / max(1, len(old.shingles))
        # An item that is only a title stands in the article of that title, whose body need not repeat it.
        self._is_its_title = new.is_title and new.facts.title == old.facts.title
        if self._is_its_title:
            self.inside = 1.0

    @property
    def most(self) -> float:
        """The part of the shorter text that stands in the other."""
        return max(self.inside, self.around)

    def alike(self) -> bool:
        """Whether the words make it a likely copy, or address and title do."""
        return self.most >= _EDITED or self._is_its_page()

    def objection(self) -> str:
        """Why it is no copy after all, in one sentence; empty if it is one."""
        return self._contradicted() or ("" if self._is_its_page() else self._unproven() or self._not_enough())

    def why(self) -> str:
        """Why it is a copy, in one sentence."""
        if self._new.digest == self._old.digest:
            return f"Its text is word for word that of {self._name}."
        if self._is_its_title:
            return f"It is no more than the title of {self._name}."
        if self._is_its_page():
            return f"It has the address and the title of {self._name}."
        if self.around >= _COPY > self.inside:
            part = f"which makes {_percent(self.inside)} of its own text"
            return f"It contains {_percent(self.around)} of {self._name}, {part}."
        if self.most < _COPY:
            return f"{self._overlap()} stand in {self._name}, and names and numbers agree: an edited copy."
        return f"{self._overlap()} stand in {self._name}."

    def _contradicted(self) -> str:
        found = facts.contradiction(self._new.facts, self._old.facts)
        if not found:
            return ""
        here, there = found
        return f"Reads like {self._name} ({self._overlap()}), but says “{here}” where that one says “{there}”."

    def _unproven(self) -> str:
        """What speaks against a text too short to be its own proof."""
        if self._same_url:
            return ""
        if self._shorter < _TELLING:
            return f"Too short to be called a copy of {self._name}."
        if self._shorter < _SHORT and self._apart > _SAME_TIME:
            return f"Reads like {self._name}, but is short, and came {self._apart.days} days apart from it."
        if self._old.words < _FLASH and self.inside < _EDITED:
            return f"Begins with the {self._old.words} words of {self._name} and goes on."
        return ""

    def _not_enough(self) -> str:
        if self._shorter < _SHORT and self.most < _WHOLE:
            return f"Only {self._overlap()} stand in {self._name}: each word counts in so short a text."
        if self.most < _COPY and self._agreement() < _KEPT:
            return f"Only {self._overlap()} stand in {self._name}, and names and numbers differ."
        return ""

    def _is_its_page(self) -> bool:
        """Whether address, title and time are the same: then it is one article, however its feeds sum it up."""
        if not self._same_url or self._apart > _SAME_TIME:
            return False
        title = self._new.facts.title
        return bool(title) and title == self._old.facts.title

    def _agreement(self) -> float:
        new, old = self._new, self._old
        few, many = (new, old) if len(new.shingles) <= len(old.shingles) else (old, new)
        return facts.agreement(few.facts, many.facts)

    def _overlap(self) -> str:
        return f"{_percent(self.inside)} of its {len(self._new.shingles)} word triples"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
