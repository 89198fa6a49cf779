"""Facts that distinguish the articles of one template: numbers, dates and names, each with the place it stands in.

A fact is a run of such words. Its slot is the word before it and the word after it, so that "a reçu 15 citoyens" and
"a reçu 38 citoyens" are one slot with two fillings, wherever the sentence stands. Two texts contradict each other
where a slot of both has fillings that cannot be the same thing said or spelled differently. An edit changes slots or
keeps fillings; the next article of a template keeps slots and changes fillings.
"""

import json
import re
from base64 import b64encode
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from zlib import crc32

from worker.analysis.text import Document, Remembered, fold
from worker.analysis.text.vocabulary import (
    AGENCIES,
    CALENDAR,
    DAYS,
    MONTHS,
    NUMBERS,
    PLAIN,
    in_capitals,
    is_in_capitals,
)

#: A word as written and as folded.
Word = tuple[str, str]

#: Forms of address and honours, which one outlet writes before a name and another leaves out.
HONOURS = frozenset(
    """
    m mm mr mrs ms mme mmes mlle dr monsieur madame samdech techo akka moha sena padei oknha neak lok chumteav
    """.split()  # noqa: SIM905 - as of words elsewhere
)

#: Names are compared letter by letter to so many letters, of so many words glued, and so often for two texts: what is
#: longer or more is the same or not. Real texts need a tenth of it.
_NAME, _GLUED, _COMPARED = 40, 8, 20_000
#: Letters of a slot's name: 24 bits, so that two texts of a hundred slots share one by chance once in 1,700 pairs.
_SLOT = 4
#: The likeness of two spellings of a name.
_LIKE = 0.85
#: The end of the text, as the word after its last run: a cut text ends where no sentence does.
_END = "$$"
_ROMAN = re.compile(r"(?=[IVXLC]{2})(X{0,3}|XL|L)(IX|IV|V?I{0,3})(?:e|er|ème|th)?")
_UNITS = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
_TENS = {"": 0, "X": 10, "XX": 20, "XXX": 30, "XL": 40, "L": 50}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of a text by slot."""

    #: 16 hex digits of the title's words; empty where there is no title.
    title: str
    #: Slot to the runs that fill it: words parted by spaces, numbers as digits, days and months with a capital.
    slots: Mapping[str, frozenset[str]]

    @property
    def runs(self) -> frozenset[str]:
        """Every fact, its words parted by spaces."""
        return frozenset(run for runs in self.slots.values() for run in runs)

    @property
    def words(self) -> frozenset[str]:
        """Every word of every fact."""
        return frozenset(word for run in self.runs for word in run.split())


def read(document: Document, title_digest: str) -> str:
    """The facts of a text as compact JSON with sorted keys: runs, each with the slots it fills.

    Of the title only numbers and dates count: outlets write their own, and their capitals say little.
    """
    found = [_of_word[raw] for raw in document.written]
    for at in _names(document):
        found[at] = found[at] or (document.folded[at],)
    runs: defaultdict[str, set[str]] = defaultdict(set)
    last_sentence = document.sentence_words[-1:]
    for sentence in document.sentence_words:
        is_end = (sentence,) == last_sentence and sentence[0] >= document.title_words
        _collect(found, document.folded, sentence, runs, end=_END if is_end else "$")
    data = {"title": title_digest, "runs": {run: "".join(sorted(slots)) for run, slots in runs.items()}}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def load(text: str) -> Facts:
    """The facts that `read` wrote."""
    data = json.loads(text)
    slots: defaultdict[str, set[str]] = defaultdict(set)
    for run, joined in data["runs"].items():
        for at in range(0, len(joined), _SLOT):
            slots[joined[at : at + _SLOT]].add(run)
    return Facts(title=data["title"], slots={slot: frozenset(runs) for slot, runs in slots.items()})


def contradiction(new: Facts, old: Facts) -> tuple[str, str] | None:
    """A filling of `new` and one of `old` that cannot both be right in a slot that both have; None if all agree."""
    left = _COMPARED
    for slot in sorted(new.slots.keys() & old.slots.keys()):
        here, there = new.slots[slot] - old.slots[slot], old.slots[slot] - new.slots[slot]
        # A text may use a slot more than once, and a cut one less often: only what is left on both sides is compared.
        left -= len(here) * len(there)
        if left < 0:
            return None
        if here and there and not any(_agree(a.split(), b.split()) for a in here for b in there):
            return min(here), min(there)
    return None


def agreement(few: Facts, many: Facts) -> float:
    """The share, 0 to 1, of the fact words of `few` that `many` has too, in whatever slot; 0 for fewer than three."""
    mine, others = few.words, many.words
    if len(mine) < 3:
        return 0.0
    odd = mine - others
    if len(odd) * len(others) <= _COMPARED:
        odd = frozenset(word for word in odd if not any(_alike(word, other) for other in others))
    return 1 - len(odd) / len(mine)


def numbers(words: Iterable[Word]) -> frozenset[str]:
    """The numbers among words, as digits."""
    runs: defaultdict[str, set[str]] = defaultdict(set)
    all_words = list(words)
    _collect([_facts(*word) for word in all_words], [folded for _, folded in all_words], (0, len(all_words)), runs)
    return frozenset(word for run in runs for word in run.split() if word.isdecimal())


def variants(new: Facts, old: Facts) -> frozenset[str]:
    """The words of names of `new` that `old` writes otherwise: `hunsen` where that one has `hun sen`."""
    here, there = new.runs - old.runs, old.runs - new.runs
    if len(here) * len(there) > _COMPARED:
        return frozenset()
    written = [run.split() for run in here if any(_is_variant(run.split(), other.split()) for other in there)]
    # Glued, a sentence's first word is seen for no name.
    parts = [run.split() for run in there]
    glued = (part for run in parts for part in _glued(run, 2))
    return frozenset(word for run in written for word in run) | frozenset(glued)


def _glued(run: Sequence[str], least: int) -> Iterator[str]:
    """The words of a run in a row, `least` and more of them, written as one."""
    for at in range(len(run)):
        for end in range(at + least, min(at + _GLUED, len(run)) + 1):
            yield "".join(run[at:end])


def _is_variant(a: Sequence[str], b: Sequence[str]) -> bool:
    one, two = _of_kind(a, "name"), _of_kind(b, "name")
    is_near = not set(one).isdisjoint(two) or (one and two and _spelled(one, two))
    return bool(is_near) and _agree(a, b)


def _collect(
    found: Sequence[Sequence[str | int]],
    folded: Sequence[str],
    sentence: tuple[int, int],
    runs: defaultdict[str, set[str]],
    end: str = "$",
) -> None:
    """Add a sentence's runs of facts, `found` by word, with their slots."""
    at, last = sentence
    while at < last:
        if not found[at]:
            at += 1
            continue
        first = at
        while at < last and found[at]:
            at += 1
        run = " ".join(_written(word for place in range(first, at) for word in found[place]))
        # On either side a word, or two on one where a sentence begins or ends.
        before = range(max(sentence[0], first - (2 if at == last else 1)), first)
        after = range(at, min(last, at + (2 if first == sentence[0] else 1)))
        sides = [["#" if found[place] else folded[place] for place in side] for side in (before, after)]
        runs[run].add(_slot(" ".join([*(sides[0] or ["^"]), "_", *(sides[1] or [end])])))


def _slot(place: str) -> str:
    """The name of a slot, by the words on either side."""
    return b64encode(crc32(place.encode()).to_bytes(4, "big")[1:], altchars=b"-_").decode("ascii")


def _names(document: Document) -> set[int]:
    """The words of the body's names; none of a sentence that is set in capitals, as English headlines are."""
    capitals = [at for at in document.capitals if at >= document.title_words]
    if not capitals or is_in_capitals(document, document.title_words, len(document.folded)):
        return set()
    folded, starts = document.folded, {first for first, _ in document.sentence_words}
    inner = {folded[at] for at in capitals if at not in starts}
    names: set[int] = set()
    for first, last in document.sentence_words:
        own = capitals[bisect_left(capitals, first) : bisect_left(capitals, last)]
        if not own or first in in_capitals(document):
            continue
        named = {at for at in own if folded[at] not in PLAIN and folded[at] not in AGENCIES}
        if first in named and first + 1 not in named and folded[first] not in inner:
            # The first word has its capital from its place, unless the text says otherwise.
            named.remove(first)
        # `Le Hoai Trung`, `Bui Thanh Son`: a common word is a name beside a name, but not where every sentence has it.
        beside = {at for at in own if at > first and folded[at] in PLAIN and (at - 1 in named or at + 1 in named)}
        names |= named | beside
    return names


def _facts(raw: str, folded: str) -> tuple[str | int, ...]:
    """The numbers and dates in a word: figures, days and months as text, a number in words as int.

    Most words hold none; `fevrier2023`, glued, holds two.
    """
    if roman := _ROMAN.fullmatch(raw):
        return (str(_TENS[roman[1]] + _UNITS[roman[2]]),)
    parts = re.findall(r"\d+|\D+", folded)
    facts = [part if part.isdecimal() else CALENDAR.get(part) or NUMBERS.get(part) for part in parts]
    return tuple(fact for fact in facts if fact)


_of_word = Remembered(lambda raw: _facts(raw, fold(raw)))


def _written(run: Iterable[str | int]) -> Iterator[str]:
    """The run's words, with `6 000` as 6000 and `deux cent vingt-deux` as 222."""
    held: str | int = ""
    for word in run:
        joined = _joined(held, word)
        if held and not joined:
            yield str(held)
        held = joined or word
    if held:
        yield str(held)


def _joined(left: str | int, right: str | int) -> str | int:
    """Two numbers in a row as the one that they write; empty if they are two, or none."""
    if isinstance(right, str):
        return f"{left}{right}" if _group(left, right) else ""
    if isinstance(left, str):
        # 10 milliards
        return int(left) * right if left.isdecimal() and right >= 1000 else ""
    if right >= 100:
        return left * right if left < right else ""
    if left % 100 == 4 and right == 20:
        return left + 76
    tens_and_units = left % 100 >= 20 and left % 10 == 0 and right < 20
    return left + right if left % 100 == 0 or tens_and_units else ""


def _group(left: str | int, right: str) -> bool:
    """Tells whether `right` is the next three figures of `left`."""
    return isinstance(left, str) and left.isdecimal() and right.isdecimal() and len(right) == 3 and left != "0"


def _agree(a: Sequence[str], b: Sequence[str]) -> bool:
    """Tells whether two runs may be one thing: no kind of word that both have contradicts."""
    for kind in ("number", "day", "month", "name"):
        one, two = _of_kind(a, kind), _of_kind(b, kind)
        left, right = [word for word in one if word not in two], [word for word in two if word not in one]
        if left and right and not (kind == "name" and _spelled(left, right)):
            return False
    return True


def _of_kind(run: Sequence[str], kind: str) -> list[str]:
    """The words of a kind; names without honours, unless the run has nothing else."""
    words = [word for word in run if _kind(word) == kind]
    return [word for word in words if word not in HONOURS] or words


def _spelled(a: Sequence[str], b: Sequence[str]) -> bool:
    """Tells whether the words of one are spellings of words of the other: `ha noi` and `hanoi`, `techo` and `techno`.

    The shorter may also stand glued within the longer: `hunsen` within `samdech techo hun sen`.
    """
    few, many = sorted((a, b), key=len)
    if len(few) > _GLUED:
        return set(few) <= set(many)
    if all(any(_alike(word, other) for other in many) for word in few):
        return True
    glued = "".join(few)
    return any(_alike(glued, part) for part in _glued(many, 1))


def _kind(word: str) -> str:
    if word[:1].isdigit():
        return "number"
    return "day" if word in DAYS else "month" if word in MONTHS else "name"


def _alike(a: str, b: str) -> bool:
    """Tells whether two names differ by a letter or so: not `iran` and `irak`. Other facts are equal or not."""
    if _kind(a) != "name" or _kind(b) != "name":
        return a == b
    if a == b:
        return True
    # Of unlike length, they cannot be as like as that.
    if max(len(a), len(b)) > _NAME or 2 * min(len(a), len(b)) < _LIKE * (len(a) + len(b)):
        return False
    return SequenceMatcher(None, a, b, autojunk=False).ratio() >= _LIKE
