"""Titles: their distinctive words, and the test whether a text is about them.

A text that is repeated whole under another title is the same article if it carries what is distinctive in the titles,
and standing text if it does not. Distinctive are names, numbers and the words that are no news agency's daily bread.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

from worker.analysis.copies.entities import numbers
from worker.analysis.copies.lines import speaks_to_reader
from worker.analysis.text import Document, analyse, stem
from worker.analysis.text.vocabulary import AGENCIES, CALENDAR, NUMBERS, PLAIN

_GRAMMAR = PLAIN | AGENCIES | frozenset(CALENDAR)
#: Beginnings of countries, peoples and capitals, folded: a text about a country carries them, whatever it reports.
_PLACES = tuple(
    """
    afghan africa afriqu algeri allemag allemand american americain amsterdam anglais angleterr athenes australi
    autrich bangkok beijing belgiqu belge berlin birman brazil bresil britain britann british bruxell brussel brunei
    cambod canad chinoi chines coree korea cubain egypt englan espagn spanish europe finland finnish franc germany
    greece hanoi hongri hungar indien indian indones irakien iranien ireland irish irland israel italie italian italien
    jakarta japan japon kampuchea khmer kuala laotia laotie london londres lumpur madrid malais malays manila manill
    mexic mongol moscou moscow myanmar netherland norveg norway ottawa pakistan palestin phnom philippin poland pologn
    portug pyongyang rangoun romani roumani russia russie saoudi saudi seoul singapor singapour suedo sweden swedis
    suisse switzerl syrien syrian taiwan thailand tunisi turkey turkis turqui ukrain vatican venezuel vientian vietnam
    washington yangon
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
_PLACE = frozenset(
    """
    allemand amman asean asia asie brasil chin china chine core cuba egypt etat etats unis grec greek inde india irak
    iran iraq kingdom lao laos maroc monde oman paris pekin penh qatar roma rome royaum royaume russe russ state states
    suiss swiss syria syrie syri thai timor tokyo turc turk uni united usa
    """.split()  # noqa: SIM905 - as above
)
#: Words of rubrics and of standing descriptions, as stems have them in French and English: they tell no news.
_RUBRIC = frozenset(
    """
    actualite actualites agence agency article articles best bref breves brief briefs bulletin communique daily dernier
    derniere dernieres derniers direct dossier edition editorial emission en flash headlines highlights hebdo heure info
    information informations infos international internationale journal jour latest live magazine matin matinee media
    meilleur meilleurs midi minute monde morning national nationale new news newsletter nouvelle nouvelles page photo
    photos picture pictures podcast point presse press quotidien rapport redaction report review revue roundup semaine
    depech numero number dispatch
    site soir soiree special story stories sujet temps titre titres today top update updates video videos week weekly
    world abonnes abonnez abonnement subscribe lire suite read reading continue
    """.split()  # noqa: SIM905 - as above
)
#: A text that speaks to its reader so much is mostly standing text.
_ADDRESSED = 0.03
#: Of a title that a text is about, the share of words that the text carries, and how many at least.
_COVERED, _WORDS = 1 / 3, 2
#: A title's names are missing from a text that carries no more than this share of its other words.
_SAID = 1 / 4
#: A text of so many words that is about one of the titles need not say a word of the other.
_LONG = 40
#: A title of fewer telling words names a rubric (`Flash info`, `Météo`): its next item has the same.
_NAMES_A_RUBRIC = 3
#: Letters by which a country, its people and its language are one.
_PLACE_KEY = 4
#: A title of which more words have a capital is set so throughout.
_MOST = 0.7
#: Titles that share so much of the shorter one's telling words say the same.
_ALIKE = 0.6


@dataclass(frozen=True)
class Title:
    """A title's words."""

    document: Document

    @cached_property
    def telling(self) -> frozenset[str]:
        """Stems of the words that tell what it is about; numbers as digits."""
        return frozenset(word for word in self.all if not _is_common(word))

    @cached_property
    def all(self) -> frozenset[str]:
        """Stems of all words that are not mere grammar."""
        return frozenset(stems(self.document.folded, self.document.language))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Its numbers, as digits."""
        return numbers(zip(self.document.written, self.document.folded, strict=True))

    @cached_property
    def written_numbers(self) -> frozenset[str]:
        """Those of its numbers that are written in digits: `trois` and `premier` may be left unsaid elsewhere."""
        words = zip(self.document.written, self.document.folded, strict=True)
        return numbers((raw, folded if raw[:1].isdigit() else "x") for raw, folded in words)

    @cached_property
    def names(self) -> list[tuple[str, ...]]:
        """Its names, each as its words, folded; none where nearly all words have a capital."""
        raw, folded = self.document.written, self.document.folded
        able = [at for at, word in enumerate(raw) if word[:1].isalpha() and folded[at] not in PLAIN]
        capital = [at for at in able if raw[at][0].isupper()]
        if len(able) > _NAMES_A_RUBRIC and len(capital) > _MOST * len(able):
            return []
        # The first word has its capital from its place, unless a name goes on.
        named = [at for at in capital if folded[at] not in _GRAMMAR and (at or 1 in capital or _is_place(folded[0]))]
        runs = groupby(enumerate(named), key=lambda pair: pair[1] - pair[0])
        return [tuple(folded[at] for _, at in run) for _, run in runs]

    @property
    def is_rubric(self) -> bool:
        """Tells whether it is so general that another article may well have the same."""
        return len(self.all - _RUBRIC) < _NAMES_A_RUBRIC


@lru_cache(maxsize=256)
def title(text: str, language: str) -> Title:
    """A title, read."""
    return Title(analyse(text, "", language))


def stems(folded: Iterable[str], language: str) -> Iterator[str]:
    """The stems of words that are more than grammar; numbers as digits, so that `trois` is `3`."""
    for word in folded:
        if word in NUMBERS:
            yield str(NUMBERS[word])
        elif word not in _GRAMMAR and (len(word) > 2 or not word.isascii() or word.isdecimal()):
            yield stem(word, language)


def alike(one: Title, other: Title) -> bool:
    """Tells whether two titles tell the same in nearly the same words."""
    shared = one.telling & other.telling
    least = min(len(one.telling), len(other.telling))
    return len(shared) >= _WORDS and len(shared) >= _ALIKE * least and one.numbers == other.numbers


def key_set(folded: Iterable[str], language: str) -> frozenset[str]:
    """Stems of words, with places by their beginning: `Cambodge`, `cambodgien` and `Cambodian` are one."""
    return frozenset(word[:_PLACE_KEY] if _is_place(word) else word for word in stems(folded, language))


def unsaid(one: Title, other: Title, said: Iterable[str], said_numbers: Collection[str], *, same_source: bool) -> str:
    """Returns what `one` says, in numbers or names, and neither the other title nor the texts do; empty if all is said.

    `said` are the words of the text, folded. Between two outlets that share a telling word, names prove nothing: one
    says Hanoi for Vietnam.
    """
    missing = one.written_numbers - other.numbers - frozenset(said_numbers)
    # A single digit counts dispatches as often as victims.
    if telling := [number for number in missing if len(number) > 1]:
        return min(telling)
    counts_only = not one.telling and bool(other.telling)
    if (
        one.numbers
        and other.numbers
        and not counts_only
        and one.numbers.isdisjoint(other.numbers | frozenset(said_numbers))
    ):
        return min(one.numbers)
    if not same_source and one.telling & other.telling:
        return ""
    language = one.document.language
    words = key_set(said, language)
    known = words | key_set(other.document.folded, language)
    names = [keys for name in one.names if (keys := key_set(name, language))]
    own = one.all - other.all
    if len(own & words) <= _SAID * len(own) and len(names) > 1 and all(keys.isdisjoint(known) for keys in names):
        return ", ".join(sorted(min(keys) for keys in names)[:3])
    return ""


def carried(new: Title, old: Title, words: Sequence[str], language: str, *, same_source: bool) -> frozenset[str]:
    """The telling words of the titles that a shared text carries, if they show that the text is about them; else none.

    A feed's own texts need more: what one feed repeats under two titles is mostly its standing text.
    """
    text = frozenset(stems(words, language))
    if alike(new, old):
        found = (new.telling | old.telling) & text
        return found if len(found) >= _WORDS else frozenset()
    row = "" if same_source else f" {' '.join(words)} "
    about, touches = [_is_about(one, text, row) for one in (new, old)], [bool(one.all & text) for one in (new, old)]
    if speaks_to_reader(words, _ADDRESSED):
        is_shown = all(about)
    else:
        is_shown = any(about) and (all(touches) or not same_source or len(words) >= _LONG)
    return (new.telling | old.telling) & text if is_shown else frozenset()


def _is_about(one: Title, text: frozenset[str], row: str) -> bool:
    """Tells whether a text carries enough of a title's words, or, in `row`, somebody's whole name."""
    if any(len(name) > 1 and not all(map(_is_common, name)) and f" {' '.join(name)} " in row for name in one.names):
        return True
    found = len(one.telling & text)
    return found >= _WORDS and found >= _COVERED * len(one.telling)


@lru_cache(maxsize=1 << 14)
def _is_common(word: str) -> bool:
    return word in _RUBRIC or _is_place(word) or (word.isdecimal() and len(word) == 1)


@lru_cache(maxsize=1 << 14)
def _is_place(word: str) -> bool:
    return word in _PLACE or word.startswith(_PLACES)
