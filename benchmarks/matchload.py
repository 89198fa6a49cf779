"""The load of `match.py`: articles of 420 words, and rules of two to four terms, half of them with proximity.

Words are drawn as news draws them: few are common, most are rare (Zipf), and an article and a rule each have a subject
whose words they use. The words are those of a French dictionary; a fifth are names that no dictionary knows. The same
number gives the same articles and rules, always.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from random import Random

WORDS = 420
VOCABULARY = 30_000
SUBJECTS = 1_000
#: Words of one subject, and the share of an article's words that are its subject's.
SUBJECT_WORDS = 300
SUBJECT_SHARE = 0.15
#: Words too common for a rule to ask for.
COMMON = 200
#: Words between, at most.
REACH = 10

Term = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """All clauses hold, the first two near each other if `near`; none of `never` stands anywhere."""

    id: str
    #: Each with one or two terms, of which one must stand.
    clauses: tuple[tuple[Term, ...], ...]
    never: tuple[Term, ...]
    near: bool

    def when(self, mark: str) -> str:
        """The rule in Veille's language; `mark` stands before each term."""
        clauses = [_any(clause, mark) for clause in self.clauses]
        if self.near:
            clauses[:2] = [f"{clauses[0]} NEAR/{REACH} {clauses[1]}"]
        return " AND ".join([*clauses, *(f"NOT {_written(term, mark)}" for term in self.never)])


def _any(clause: tuple[Term, ...], mark: str) -> str:
    terms = [_written(term, mark) for term in clause]
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _written(term: Term, mark: str) -> str:
    return mark + (term[0] if len(term) == 1 else f'"{" ".join(term)}"')


class Load:
    """One draw of words, articles and rules."""

    @cached_property
    def words(self) -> list[str]:
        """The vocabulary, the commonest first; folded, and of three letters at least."""
        from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

        random = Random(1)
        known = DefaultDictionaryFactory(cache_max_size=1).get_dictionary("fr")
        plain = sorted(
            {word for word in known if word.isascii() and word.isalpha() and word.islower() and len(word) > 2}
        )
        words = random.sample(plain, VOCABULARY * 4 // 5)
        words += sorted(
            {"".join(random.choice(_SYLLABLES) for _ in range(random.randint(2, 4))) for _ in range(VOCABULARY)}
        )
        drawn = random.sample(sorted(set(words)), VOCABULARY)
        # Common words are short.
        return sorted(drawn[:COMMON], key=len) + drawn[COMMON:]

    @cached_property
    def subjects(self) -> list[list[str]]:
        """The words of each subject, the commonest first."""
        random = Random(2)
        return [random.sample(self.words[COMMON:], SUBJECT_WORDS) for _ in range(SUBJECTS)]

    def articles(self, count: int) -> list[str]:
        """Texts with sentences and paragraphs."""
        random = Random(3)
        return [self._article(random) for _ in range(count)]

    def rules(self, count: int) -> Iterator[Rule]:
        """The first `count` rules, always the same."""
        random = Random(4)
        for number in range(count):
            subject = random.choice(self.subjects)
            shape = random.choice(_SHAPES)
            terms = [self._term(random, subject) for _ in range(sum(shape.clauses) + shape.never)]
            clauses = tuple(tuple(terms.pop() for _ in range(size)) for size in shape.clauses)
            yield Rule(f"r{number:06}", clauses, tuple(terms), near=number % 2 == 0)

    def _article(self, random: Random) -> str:
        subject = random.choice(self.subjects)
        own = random.choices(subject, cum_weights=_ZIPF[:SUBJECT_WORDS], k=WORDS)
        all_words = random.choices(self.words, cum_weights=_ZIPF, k=WORDS)
        words = [mine if random.random() < SUBJECT_SHARE else any_ for mine, any_ in zip(own, all_words, strict=True)]
        for at in range(1, WORDS - 1):
            # Names of two words, which rules ask for as they stand.
            if words[at] in subject[:40] and random.random() < 0.3:
                words[at + 1] = _partner(words[at], subject)
        text, at = [], 0
        while at < WORDS:
            size = random.randint(12, 30)
            text.append(" ".join(words[at : at + size]).capitalize() + "." + random.choice([" ", " ", "\n\n"]))
            at += size
        return "".join(text).strip()

    def _term(self, random: Random, subject: list[str]) -> Term:
        (word,) = random.choices(subject, cum_weights=_ZIPF[:SUBJECT_WORDS])
        return (word, _partner(word, subject)) if word in subject[:40] and random.random() < 0.5 else (word,)


@dataclass(frozen=True)
class _Shape:
    clauses: tuple[int, ...]
    never: int = 0


_SHAPES = [_Shape((1, 1)), _Shape((2, 1)), _Shape((1, 1), 1), _Shape((2, 2)), _Shape((1, 1, 1)), _Shape((2, 1, 1))]
_ZIPF = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
_HEADS, _TAILS = ("b", "ch", "d", "g", "k", "l", "m", "ph", "s", "th", "v"), ("", "n", "ng")
_SYLLABLES = [head + vowel + tail for head in _HEADS for vowel in "aeiou" for tail in _TAILS]


def _partner(word: str, subject: list[str]) -> str:
    """The word that stands behind `word` where the two are a name."""
    return subject[(subject.index(word) + 40) % SUBJECT_WORDS]
