"""Other ways to match the rules of `matchload`, each as its documentation says is fastest, all fed the same words.

A peer is made from the rules and answers with the ids of those that an article satisfies. `re` and `regex` try a rule
after the other; the others find all terms at once, and what they have found is judged here: a rule is looked at if a
term of its rarest clause stands in the text.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType

from matchload import REACH, Rule, Term

Words = Sequence[str]
Matcher = Callable[[Words], set[str]]


def per_rule(engine: ModuleType) -> Callable[[Sequence[Rule]], Matcher]:
    """One compiled expression for each clause of each rule; those of a proximity are one expression."""

    def either(terms: Iterable[Term]) -> str:
        return "|".join(" ".join(term) for term in terms)

    def pattern(rule: Rule) -> list[str]:
        clauses = [either(clause) for clause in rule.clauses]
        if not rule.near:
            return [rf"\b(?:{clause})\b" for clause in clauses]
        one, two, *others = clauses
        between = rf"(?: \w+){{0,{REACH}}} "
        pair = rf"\b(?:{one}){between}(?:{two})\b|\b(?:{two}){between}(?:{one})\b"
        return [pair, *(rf"\b(?:{clause})\b" for clause in others)]

    def make(rules: Sequence[Rule]) -> Matcher:
        compiled = [
            (
                rule.id,
                [engine.compile(one).search for one in pattern(rule)],
                engine.compile(rf"\b(?:{either(rule.never)})\b").search if rule.never else None,
            )
            for rule in rules
        ]

        def match(words: Words) -> set[str]:
            text = " ".join(words)
            return {
                id_
                for id_, wanted, never in compiled
                if all(search(text) for search in wanted) and not (never and never(text))
            }

        return match

    return make


class Judge:
    """Boolean evaluation over the places of terms that a peer has found."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        uses = Counter(term for rule in rules for clause in rule.clauses for term in clause)
        numbers: dict[Term, int] = {}
        self._asked: list[list[int]] = []
        self._rules: list[tuple[str, list[list[int]], list[int], bool]] = []
        for rule in rules:
            clauses = [[numbers.setdefault(term, len(numbers)) for term in clause] for clause in rule.clauses]
            never = [numbers.setdefault(term, len(numbers)) for term in rule.never]
            self._asked.extend([] for _ in range(len(numbers) - len(self._asked)))
            rarest = min(rule.clauses, key=lambda clause: sum(uses[term] for term in clause))
            for term in rarest:
                self._asked[numbers[term]].append(len(self._rules))
            self._rules.append((rule.id, clauses, never, rule.near))
        #: In the order of their numbers.
        self.terms = list(numbers)
        self._sizes = [len(term) for term in self.terms]

    def holding(self, found: dict[int, list[int]]) -> set[str]:
        """The ids of the rules that hold, given the first words of each term found, ascending."""
        asked = self._asked
        return {
            self._rules[rule][0]
            for rule in {rule for term in found for rule in asked[term]}
            if self._holds(rule, found)
        }

    def _holds(self, rule: int, found: dict[int, list[int]]) -> bool:
        _, clauses, never, near = self._rules[rule]
        if not all(any(term in found for term in clause) for clause in clauses):
            return False
        if any(term in found for term in never):
            return False
        return not near or any(
            self._near(one, two, found) for one in clauses[0] if one in found for two in clauses[1] if two in found
        )

    def _near(self, one: int, two: int, found: dict[int, list[int]]) -> bool:
        places, others = found[one], found[two]
        size, other_size = self._sizes[one], self._sizes[two]
        for place in places:
            first = bisect_left(others, place - REACH - other_size)
            for other in others[first:]:
                if other > place + size + REACH:
                    break
                if other >= place + size or place >= other + other_size:
                    return True
        return False


def hyperscan(rules: Sequence[Rule]) -> Matcher:
    """One block database of all terms between spaces, as literals; it tells where a match ends."""
    import hyperscan as hs

    judge = Judge(rules)
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    terms = [f" {' '.join(term)} ".encode() for term in judge.terms]
    count = len(terms)
    database.compile(expressions=terms, ids=list(range(count)), elements=count, flags=[0] * count, literal=True)
    sizes = [len(term) for term in judge.terms]

    def match(words: Words) -> set[str]:
        ends: dict[int, int] = {}
        at = 1
        for number, word in enumerate(words, 1):
            at += len(word) + 1
            ends[at] = number
        found: dict[int, list[int]] = {}

        def heard(term: int, _start: int, end: int, _flags: int, _context: object) -> None:
            place = ends[end] - sizes[term]
            if term in found:
                found[term].append(place)
            else:
                found[term] = [place]

        database.scan(f" {' '.join(words)} ".encode(), match_event_handler=heard)
        return judge.holding(found)

    return match


def ahocorasick(rules: Sequence[Rule]) -> Matcher:
    """One automaton of all terms between spaces, over bytes."""
    import ahocorasick_rs

    judge = Judge(rules)
    automaton = ahocorasick_rs.BytesAhoCorasick([f" {' '.join(term)} ".encode() for term in judge.terms])

    def match(words: Words) -> set[str]:
        starts: dict[int, int] = {}
        at = 0
        for number, word in enumerate(words):
            starts[at] = number
            at += len(word) + 1
        found: dict[int, list[int]] = {}
        text = f" {' '.join(words)} ".encode()
        for term, start, _ in automaton.find_matches_as_indexes(text, overlapping=True):
            if term in found:
                found[term].append(starts[start])
            else:
                found[term] = [starts[start]]
        return judge.holding(found)

    return match


def spacy(rules: Sequence[Rule]) -> Matcher:
    """A Matcher of all terms on the words of a blank French pipeline."""
    import spacy as library
    from spacy.matcher import Matcher as SpacyMatcher
    from spacy.tokens import Doc

    judge = Judge(rules)
    vocab = library.blank("fr").vocab
    matcher = SpacyMatcher(vocab, validate=False)
    names = {}
    for number, term in enumerate(judge.terms):
        matcher.add(str(number), [[{"ORTH": word} for word in term]])
        names[vocab.strings[str(number)]] = number

    def match(words: Words) -> set[str]:
        found: dict[int, list[int]] = {}
        for name, start, _ in matcher(Doc(vocab, words=words)):
            found.setdefault(names[name], []).append(start)
        for places in found.values():
            places.sort()
        return judge.holding(found)

    return match
