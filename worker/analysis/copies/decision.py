"""The decision: a text is called a copy only on evidence that a person would accept.

A copy says nothing that its original did not say. Heard are: how many three-word shingles the texts share (resemblance
and containment: Broder 1997) once standing text is left out; whether numbers, dates and names agree (`entities`); and
the titles. The same title over the same text is a copy at any distance in time. Under another title a text is one only
if it carries what is distinctive in the titles (`titles`); an address and a title prove nothing without the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.analysis.copies import entities, titles
from worker.analysis.copies.pair import Pair, Text
from worker.analysis.copies.signature import Fingerprint, Originals
from worker.analysis.text import Document
from worker.model import Match, Novelty, NoveltyKind
from worker.model.times import counted

#: The part of the shorter text's shingles that makes a copy. A changed word breaks three: (10/11)^3 is 0.75, so this
#: is one word in eleven.
_COPY = 0.75
#: The same where the facts of the shorter text are in the longer too: an editor may change one word in four, (3/4)^3.
_EDITED = 0.42
#: The part of the facts that an edited copy must keep.
_KEPT = 0.8
#: A text of fewer words says nothing that another might not say as well.
_TELLING = 5
#: In a text of fewer words each counts, as "hausse" and "baisse" do in a headline: a copy of it is whole.
_SHORT = 40
_WHOLE = 0.95
#: A short text under another title, or without one, is a copy of what was published about the same time.
_SAME_TIME = timedelta(days=3)
#: Two issues of one rubric (`Flash info`, `Météo`) are farther apart than two sendings of one issue.
_SAME_ISSUE = timedelta(hours=12)
#: Of a text that has a short one in it, the part that the short one must be: else it goes on where that one ended.
_MOSTLY = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An earlier article that may be the original."""

    article_id: int
    fingerprint: Fingerprint
    published: datetime
    title: str = ""
    #: It stands at the address of the new article, under another identity.
    same_url: bool = False
    #: Names of what may repeat lines under it: its feed, its host.
    sources: frozenset[str] = field(default_factory=frozenset)


def decide(
    fingerprint: Fingerprint,
    *,
    document: Document | None = None,
    published: datetime,
    candidates: Sequence[Candidate],
    standing: Mapping[int, str] | None = None,
    sources: frozenset[str] = frozenset(),
) -> Novelty:
    """NEW, or DUPLICATE of the earliest candidate that carries the same text.

    `document` is what `fingerprint` was made of (without it titles are not heard), `sources` names its feed and host,
    `standing` those of its lines that are standing text, each with who repeats it. `score` is the part, 0 to 1, of the
    new text that stands in the original, standing text left out: 1 for a truncated copy, little for a round-up that
    contains the whole of it. Times are aware.
    """
    text = Text(fingerprint, document, standing or {}) if candidates else None
    objection, nearest = "", 0.0
    for candidate in sorted(candidates, key=lambda each: (each.published, each.article_id)):
        if text is None or candidate.fingerprint.scheme != fingerprint.scheme:
            continue
        case = _Case(text, candidate, published=published, sources=sources)
        against = case.objection()
        if against is None:
            score = 1.0 if case.pair.is_same_text else round(case.pair.inside, 4)
            return Novelty(kind=NoveltyKind.DUPLICATE, of=candidate.article_id, score=score, why=case.why())
        if against and case.pair.most >= nearest:
            objection, nearest = against, case.pair.most
    return Novelty(kind=NoveltyKind.NEW, why=objection or "No earlier article has this text.")


def news(
    document: Document, matches: Sequence[Match], originals: Sequence[Fingerprint], novelty: Novelty
) -> frozenset[str]:
    """The rules that a duplicate satisfies in words of its own, that stand in no text its original had.

    A report that quotes an earlier brief whole contains it, and may yet bring the news of the day.
    """
    if novelty.kind is not NoveltyKind.DUPLICATE or novelty.score >= _COPY:
        return frozenset()
    texts = Originals(document, originals)
    return frozenset(match.rule_id for match in matches if not all(map(texts.hold, match.spans)))


def compare_revision(old: Fingerprint, new: Fingerprint) -> bool:
    """Tells whether a text under a known identity changed in any word of its title or body.

    Case, accents and punctuation are no words. One changed word is enough: it may be the one that a rule waits for.
    """
    return old.digest != new.digest or entities.load(old.facts).title != entities.load(new.facts).title


class _Case:
    """A new text, an earlier article, and what speaks for and against their being one."""

    def __init__(self, new: Text, earlier: Candidate, *, published: datetime, sources: frozenset[str]) -> None:
        self.pair = Pair(new, earlier.fingerprint, earlier.title)
        self._new, self._name = new, f"article {earlier.article_id}"
        self._apart = abs(published - earlier.published)
        self._days = counted(self._apart.days, "day")
        self._same_url = earlier.same_url
        self._same_source = earlier.same_url or not sources.isdisjoint(earlier.sources)
        self._is_short = self.pair.shorter < _SHORT
        self._carried: frozenset[str] = frozenset()

    def objection(self) -> str | None:
        """The reason why it is no copy, in words; empty if the texts are unrelated, None if it is a copy."""
        pair = self.pair
        if pair.is_same_title and pair.is_same_text and self._new.has_body:
            return None
        if pair.most < _EDITED:
            return self._nothing_shared()
        return (
            self._contradicted()
            or self._too_little()
            or (self._another_issue() if pair.is_same_title else self._unproven())
            or self._not_enough()
            or ("" if pair.is_same_title else self._about_something_else())
            or None
        )

    def why(self) -> str:
        """The reason why it is a copy, in words."""
        pair, name = self.pair, self._name
        if pair.is_same_text and pair.is_same_title:
            return f"Its title and text are word for word those of {name}."
        if pair.is_its_title:
            return f"It is no more than the title of {name}."
        if pair.is_same_text:
            said = f"Its text is word for word that of {name}"
        elif pair.around >= _COPY > pair.inside:
            part = f"which makes {_percent(pair.inside)} of its own text"
            said = f"It contains {_percent(pair.around)} of {name}, {part}"
        elif pair.most < _COPY:
            said = f"{self._overlap()} stand in {name}, and names and numbers agree: an edited copy"
        else:
            said = f"{self._overlap()} stand in {name}"
        if pair.is_same_title:
            said += ", under the same title"
        elif self._carried:
            said += f"; they carry words of the titles ({_quoted(self._carried)})"
        return f"{said}.{self._left_out()}"

    def _nothing_shared(self) -> str:
        pair = self.pair
        if pair.is_same_title and self._same_url:
            return f"It has the address and the title of {self._name}, but another text ({self._overlap()} shared)."
        if pair.with_standing >= _EDITED:
            return f"What it shares with {self._name} is standing text.{self._left_out()}"
        return ""

    def _contradicted(self) -> str:
        found = entities.contradiction(self._new.facts, self.pair.old_facts)
        if not found:
            return ""
        here, there = found
        return f"Reads like {self._name} ({self._overlap()}), but says “{here}” where that one says “{there}”."

    def _too_little(self) -> str:
        """Returns what speaks against a text too short to say anything, or that only begins with the other."""
        pair = self.pair
        if pair.shorter < _TELLING:
            return f"Too short to be called a copy of {self._name}.{self._left_out()}"
        goes_on = pair.inside < _MOSTLY or (pair.inside < _COPY and bool(pair.added))
        if pair.old.words < _SHORT and goes_on:
            added = f", and adds {_quoted(pair.added)}" if pair.added else ""
            return f"Has the {counted(pair.old.words, 'word')} of {self._name}, and goes on{added}."
        return ""

    def _another_issue(self) -> str:
        """Returns what speaks against a text under the same title that is not the same in every word."""
        if self.pair.is_its_title and self._apart > _SAME_TIME:
            return f"Has the title of {self._name}, but no text, and came {self._days} apart from it."
        is_rubric = self._new.title_recurs or (self._new.has_document and self._new.title.is_rubric)
        if is_rubric and self._apart > _SAME_ISSUE and (self.pair.whole < _WHOLE or self._is_short):
            return f"Has the title of {self._name}, as each issue of a rubric has, and came at another time."
        return ""

    def _unproven(self) -> str:
        """Returns what speaks against a short text under another title."""
        if self._is_short and not self._same_url and self._apart > _SAME_TIME:
            return f"Reads like {self._name}, but is short, and came {self._days} apart from it."
        return ""

    def _not_enough(self) -> str:
        pair = self.pair
        if self._is_short and max(pair.most, pair.whole) < _WHOLE:
            return f"Only {self._overlap()} stand in {self._name}: each word counts in so short a text."
        if pair.most < _COPY and pair.agreement() < _KEPT:
            return f"Only {self._overlap()} stand in {self._name}, and names and numbers differ."
        return ""

    def _about_something_else(self) -> str:
        """Returns what the titles say against a text that is shared, but under another title."""
        pair, new, old = self.pair, self._new.title, self.pair.old_title
        if not new.all or not old.all:
            return ""
        words = pair.shared_words
        said, numbers, same_source = self._new.words, self._new.numbers, self._same_source
        extra = titles.unsaid(new, old, said, numbers | pair.old_facts.words, same_source=same_source)
        if not extra and pair.around >= _WHOLE:
            extra = titles.unsaid(old, new, said, numbers, same_source=same_source)
        if extra:
            return (
                f"Reads like {self._name} ({self._overlap()}), but one title says “{extra}”, which the other does not."
            )
        self._carried = titles.carried(new, old, words, self._new.language, same_source=self._same_source)
        if not self._carried:
            return (
                f"Shares its text with {self._name} ({self._overlap()}), but under another title, and the text tells "
                f"what neither title does, as standing text.{self._left_out()}"
            )
        return self._apart_in_what_differs(frozenset(titles.stems(words, self._new.language)))

    def _apart_in_what_differs(self, shared: frozenset[str]) -> str:
        """Tells whether what is distinctive in the new title stands in that part of its text that is not shared."""
        pair = self.pair
        if pair.around >= _WHOLE:
            return ""
        own = self._new.title.telling - pair.old_title.telling
        apart = own & frozenset(titles.stems(pair.unshared_words, self._new.language)) - shared
        if len(apart) > len(own & shared):
            return f"What its title is about ({_quoted(apart)}) stands in the part that {self._name} does not have."
        return ""

    def _overlap(self) -> str:
        return f"{_percent(self.pair.inside)} of its {len({self._new.hashes[at] for at in self._new.own})} word triples"

    def _left_out(self) -> str:
        """Returns what was left out as standing text."""
        count = self._new.fingerprint.words - self._new.own_words
        if not count:
            return ""
        by = " and ".join(self._new.repeated_by[:2])
        said = f"standing text of {by}, which stands under other titles too" if by else "addressed to the reader"
        return f" Left out: {counted(count, 'word')}, {said}."


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _quoted(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)[:4])
