"""Inflection: which folded words are forms of the same dictionary word.

simplemma's dictionaries say which form belongs to which dictionary word; on folded forms they become a table that is
asked per term of a rule, not per word of an article, and that `french` and `english` complete. Inflection is all that
joins: `signature` is not `signer`, nor `frontalier` `frontière`. Snowball speaks only where the dictionary knows
neither word, as it would put `Sen` with `Sénat` and `Laos` with `laotien`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from unicodedata import normalize

from worker.analysis.text.folding import fold
from worker.analysis.text.inflection import english, french
from worker.analysis.text.inflection.dictionary import Lexicon, lexicon
from worker.analysis.text.language import SNOWBALL, stem

#: Snowball leaves shorter words alone: names and abbreviations.
MIN_STEMMED = 5
#: Which of two words with one stem are forms of one word, not derived from each other: by what parts them.
_INFLECTED: dict[str, Callable[[str, str], bool]] = {"fr": french.is_inflected, "en": english.is_inflected}


@dataclass(frozen=True, slots=True)
class Family:
    """All forms of one word: those listed and, of words no dictionary knows, those with its stem."""

    word: str
    language: str
    #: Folded; the word itself among them.
    forms: frozenset[str]
    #: Snowball's stem where no dictionary knows the word, else empty.
    stem: str = ""

    def __contains__(self, folded: str) -> bool:
        """Tells whether the folded word is a form of this one."""
        if folded in self.forms:
            return True
        if not self.stem or folded[:3] != self.word[:3] or stem_of_unknown(folded, self.language) != self.stem:
            return False
        inflected = _INFLECTED.get(self.language)
        return inflected is None or inflected(*_rests(folded, self.word))


@lru_cache(maxsize=1 << 16)
def family(word: str, language: str) -> Family:
    """The forms of the dictionary word that `word` (any spelling) is in `language` (BCP 47 primary tag).

    A headword stands for itself alone (`parti` is not `partir`, `traité` not `traiter`); any other form stands for
    the headwords it belongs to. Loads the language's dictionary at first use; languages without one do not inflect.
    """
    folded = fold(word)
    known = lexicon(language)
    if known is None:
        return Family(folded, language, frozenset({folded}), stem_of_unknown(folded, language))
    # The accent that parts `signé` from `signe` is in a rule, though no longer in a folded text.
    verb = known.verb_of(normalize("NFC", word).lower())
    if verb:
        headwords = {verb}
    elif known.is_headword(folded):
        headwords = {folded}
    else:
        headwords = set(known.headwords(folded))
        verbs = french.infinitives(folded) if language == "fr" else ()
        headwords.update(verb for verb in verbs if folded in _forms(verb, language, known))
    forms = {form for headword in headwords for form in _forms(headword, language, known)}
    return Family(folded, language, frozenset(forms | {folded}), stem_of_unknown(folded, language))


#: Languages that analysts write terms in. A term that one of them knows is not for others to inflect.
_WRITTEN = ("fr", "en")


@lru_cache(maxsize=1 << 16)
def kin(word: str, written_for: str, language: str) -> Family | None:
    """The forms by which a term's word, written for a language or (empty) for any, is found in text of `language`.

    None: it is not read there. A word for any language is inflected only by dictionaries that know it as written: as
    a headword or, if it is the headword of no other language that terms are written in, as a form (`borne` is French
    before it is a form of `bear`).
    """
    if written_for:
        return family(word, language) if written_for == language else None
    others = [_knowledge(word, other) for other in _WRITTEN if other != language]
    own = _knowledge(word, language)
    if own < max(others, default=0):
        folded = fold(word)
        return Family(folded, language, frozenset({folded}))
    return family(word, language)


def is_own_form(form: str, word: str) -> bool:
    """Tells whether a folded form of the folded `word` is the word itself or its plural: all that a name may be."""
    if form == word:
        return True
    if word.endswith("al") and form == f"{word[:-1]}ux":
        return True
    return form.startswith(word) and form[len(word) :] in ("s", "x", "es")


def _knowledge(word: str, language: str) -> int:
    """2: a headword of the language, 1: a form, 0: unknown to it. English words have no accents."""
    known = lexicon(language)
    if known is None or (language == "en" and not word.isascii()):
        return 0
    folded = fold(word)
    return 2 if known.is_headword(folded) else int(any(known.headwords(folded)))


@lru_cache(maxsize=1 << 16)
def is_listed(folded: str, language: str) -> bool:
    """Tells whether the dictionary of a language (BCP 47 primary tag) lists a folded word; False without one."""
    known = lexicon(language)
    return known is not None and (known.is_headword(folded) or bool(known.headwords(folded)))


def _forms(headword: str, language: str, known: Lexicon) -> set[str]:
    """The folded forms of a headword; none for another word."""
    listed = known.forms(headword)
    if listed and language == "fr":
        return french.whole(headword, listed, known.is_headword)
    if listed and language == "en":
        return english.whole(headword, listed)
    return listed


def _rests(word: str, other: str) -> tuple[str, str]:
    """The rest of each word after the letters with which both begin."""
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    return word[alike:], other[alike:]


@lru_cache(maxsize=1 << 16)
def stem_of_unknown(folded: str, language: str) -> str:
    """Snowball's stem of a word that the dictionary does not know; empty for known, short and mixed words."""
    if len(folded) < MIN_STEMMED or not folded.isalpha() or language not in SNOWBALL:
        return ""
    known = lexicon(language)
    if known is not None and known.headwords(folded):
        return ""
    return stem(folded, language)
