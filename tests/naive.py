"""The query language's meaning as a few nested loops over all spans, and random queries and texts to try it on.

What the words are is hand-written here: their folded letters, their families by language, which of them are names, and
Python's `re` for regexes. A pattern that is called is read with its arguments beside it, and never written out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from worker.analysis.text import analyse
from worker.rules.query.nodes import (
    And,
    AtLeast,
    DatedTerm,
    How,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Param,
    Pattern,
    Proximity,
    Regex,
    Scope,
    SetRef,
    Term,
    TermSet,
    Unit,
    Within,
    Word,
    is_expression,
    needs_words,
)

DAY = date(2026, 1, 1)

#: The words of all random texts. `zorbale` is no word, so that only its stem tells its forms.
VOCABULARY = (
    *("a1", "b1", "c1", "pont", "Pont", "ponts"),
    *("frontière", "Frontières", "Tô", "To", "zorbale", "zorbales", "Zorbales", "road", "roads", "rendra", "Rendu"),
)
#: What texts have besides: pronouns and auxiliaries of the reflexive verb, and where sentences begin without a stop.
BETWEEN = ("se", "s'est", "est", "l'a", ":", "–", "« ", "x1 (", "•")
FAMILIES = {
    "fr": [{"pont", "ponts"}, {"frontiere", "frontieres"}, {"zorbale", "zorbales"}],
    # `pont` is an English word too; `frontière` is none, by its accent.
    "en": [{"pont", "ponts"}, {"road", "roads"}, {"zorbale", "zorbales"}],
}
#: Families of what is written for English, whatever another dictionary says of it.
MARKED_ENGLISH = [*FAMILIES["en"], {"frontiere", "frontieres"}]
REFLEXIVE = {"rendre", "rendra", "rendu"}
#: On random texts RE2 and `re` agree on these.
REGEXES = (
    *("a1", "[ab]1 [bc]1", "1", "(?i)PONTS? ", "^[a-cP]", r"[1s]\W*$", "x*", r"\bTo\b", "r(e|es) a1", "ô"),
    *("zorbales?.{0,9}b1", "(?m)^X1"),
)


def _word(text: str, how: How = How.INFLECTED, language: str = "") -> Term:
    return Term((Word(text, how),), language)


@dataclass(frozen=True)
class Call:
    """A call of one of `PATTERNS`, as no parser makes it."""

    name: str
    arguments: tuple[tuple[str, Node], ...]

    def __str__(self) -> str:
        # The first by its place, the others by their names.
        first, *others = self.arguments
        return f"{self.name}({', '.join([str(first[1]), *(f'{name} = {node}' for name, node in others)])})"


PATTERNS = {
    "near": Pattern(
        name="near",
        params=("one", "other"),
        body=Proximity(Operator.NEAR, Param("one"), Or((Param("other"), _word("pont"))), Within(4, Unit.SENTENCE)),
    ),
    "only": Pattern(
        name="only",
        params=("one",),
        body=And((Param("one"), Not(InPart(Scope.TITLE, Or((Param("one"), _word("b1"))))))),
    ),
    "first": Pattern(
        name="first",
        params=("one", "two", "three"),
        body=Proximity(
            Operator.WITHOUT,
            Proximity(Operator.BEFORE, Param("one"), Param("two"), Unit.SENTENCE),
            Param("three"),
            None,
        ),
    ),
}
#: Those of them that yield places, and may stand in a proximity.
PLACES = ("near", "first")


SETS = {
    "name": TermSet(
        terms=(DatedTerm(term=_word("Pont", How.FOLDED)), DatedTerm(term=_word("Tô", How.EXACT))),
        exceptions=(Term((Word("pont", How.FOLDED), Word("a1", How.FOLDED))), Regex("[bc]1 Tô")),
    ),
    "topic": TermSet(
        terms=(
            DatedTerm(term=Term((Word("b1"), Word("c1")))),
            DatedTerm(term=_word("zorb", How.PREFIX)),
            DatedTerm(term=Regex("a1 (b|c)1")),
        ),
        exceptions=(_word("zorbales", How.FOLDED),),
    ),
    "dated": TermSet(
        terms=(
            DatedTerm(term=_word("frontière"), since=DAY),
            DatedTerm(term=_word("a1"), since=date(2026, 1, 2)),
            DatedTerm(term=_word("b1"), until=DAY),
            DatedTerm(term=_word("c1"), until=date(2025, 12, 31)),
        ),
    ),
    "none": TermSet(terms=(DatedTerm(term=_word("zorbale", How.FOLDED), until=date(2025, 1, 1)),)),
}


def queries(rng: Random) -> Iterator[Node]:
    """Random queries of depth up to 5, as the parser would make them, endlessly."""
    while True:
        node = _condition(rng, rng.randint(0, 5))
        if needs_words(node):
            yield node


def calling(rng: Random) -> Iterator[Node]:
    """Random queries in which patterns are called, endlessly."""
    for node in queries(rng):
        called = call(rng, rng.choice(list(PATTERNS)))
        if called.name in PLACES and rng.random() < 0.6:
            operator = rng.choice([Operator.NEAR, Operator.BEFORE])
            near = Proximity(
                operator, called, _expression(rng, 2), rng.choice([3, Unit.SENTENCE, Within(6, Unit.PARAGRAPH)])
            )
            yield near
        elif rng.random() < 0.5:
            yield And((called, node)) if rng.random() < 0.5 else Or((node, called))
        else:
            yield called


def call(rng: Random, name: str) -> Call:
    """A call of that pattern, with random arguments."""
    return Call(name, tuple((param, _expression(rng, rng.randint(0, 2))) for param in PATTERNS[name].params))


def text(rng: Random, most: int = 24) -> str:
    """A random text: words, sentences, paragraphs."""
    count = rng.randint(1, most * 3 if rng.random() < 0.05 else most)
    breaks = (". X1", "\n\n") if rng.random() < 0.5 else ("x1",)
    words = [
        rng.choice(breaks)
        if rng.random() < 0.15
        else rng.choice(BETWEEN)
        if rng.random() < 0.15
        else rng.choice(VOCABULARY)
        for _ in range(count)
    ]
    # A paragraph without a word is none to the evaluator, and one to a pattern that parts the text.
    return " ".join([rng.choice(VOCABULARY), *words[1:]]).strip(" \n")


def _leaf(rng: Random) -> Node:
    kind = rng.random()
    if kind < 0.1:
        return Regex(rng.choice(REGEXES))
    if kind < 0.25:
        return SetRef(rng.choice(list(SETS)))
    language = rng.choice(["", "", "", "fr", "en"])
    if kind < 0.28:
        return _word("rendre", How.REFLEXIVE, rng.choice(["", "fr"]))
    if kind < 0.85:
        how = rng.choice([How.INFLECTED, How.INFLECTED, How.FOLDED, How.EXACT])
        return _word(rng.choice(VOCABULARY[:15]), how, language)
    if kind < 0.92:
        return _word(rng.choice(["fro", "pont", "zorbale", "Fron"]), How.PREFIX, language)
    how = rng.choice([How.INFLECTED, How.FOLDED, How.EXACT])
    words = [Word(rng.choice(VOCABULARY[:15]), how) for _ in range(rng.randint(2, 3))]
    if how is How.INFLECTED and rng.random() < 0.3:
        words[0] = Word(rng.choice(["pon", "zor"]), How.PREFIX)
    return Term(tuple(words), language)


def _expression(rng: Random, depth: int) -> Node:
    if depth <= 0 or rng.random() < 0.2:
        return _leaf(rng)
    if rng.random() < 0.4:
        return Or(tuple(_expression(rng, depth - 1) for _ in range(rng.randint(2, 3))))
    operator = rng.choice([Operator.NEAR, Operator.NEAR, Operator.BEFORE, *Operator])
    reach: int | Unit | Within | None = None
    if operator not in (Operator.WITHOUT, Operator.EXCEPT):
        reach = rng.choice([0, 1, 2, 3, 5, 8, 100])
        if operator not in (Operator.NOT_BEFORE, Operator.NOT_AFTER) and rng.random() < 0.3:
            reach = rng.choice(list(Unit))
        elif rng.random() < 0.3:
            reach = Within(rng.choice([0, 1, 2, 3, 5, 8]), rng.choice(list(Unit)))
    return Proximity(operator, _expression(rng, depth - 1), _expression(rng, depth - 1), reach)


def _condition(rng: Random, depth: int) -> Node:
    kind = rng.random()
    if depth <= 0 or kind < 0.35:
        return _expression(rng, depth)
    if kind < 0.55:
        parts = [_condition(rng, depth - 1) for _ in range(rng.randint(2, 3))]
        return And((parts[0], *(Not(part) if rng.random() < 0.4 else part for part in parts[1:])))
    if kind < 0.75:
        return Or(tuple(_condition(rng, depth - 1) for _ in range(rng.randint(2, 3))))
    if kind < 0.9:
        return InPart(rng.choice(list(Scope)), _condition(rng, depth - 1))
    return AtLeast(rng.randint(1, 3), _expression(rng, depth - 1))


def _plain(text: str) -> str:
    return text.lower().replace("ô", "o").replace("è", "e")


class Naive:
    """One French or English text, read part by part."""

    def __init__(self, title: str, body: str, published: date = DAY, language: str = "fr") -> None:
        self.parts = {"title": title, "body": body}
        self.published = published
        self.language = language
        #: What the parameters of the pattern that is being read stand for: the node, and what its own stand for.
        self.given: dict[str, tuple[Node, dict]] = {}
        document = analyse(title, body, language)
        #: (part, folded, start, end, sentence, paragraph) of each word, by index.
        self.words = [
            (
                "title" if n < document.title_words else "body",
                document.folded[n],
                document.starts[n],
                document.ends[n],
                document.sentences[n],
                document.paragraphs[n],
            )
            for n in range(len(document.folded))
        ]

    def readable(self, scopes):
        """Indexes of the words that the scopes leave."""
        kept = list(range(len(self.words)))
        for scope in scopes:
            if scope in ("title", "body"):
                kept = [n for n in kept if self.words[n][0] == scope]
            else:
                first = next((w[5] for w in self.words if w[0] == "body"), None)
                kept = [n for n in kept if self.words[n][0] == "title" or self.words[n][5] == first]
        return kept

    def leaf(self, node, scopes):
        """Occurrences of a term, set or regex."""
        if isinstance(node, SetRef):
            return self.items(SETS[node.name], scopes)
        kept = self.readable(scopes)
        spans = set()
        if isinstance(node, Term):
            for start in kept:
                row = list(range(start, start + len(node.words)))
                if set(row) <= set(kept) and len({self.words[n][0] for n in row}) == 1:
                    pairs = zip(node.words, row, strict=True)
                    same = node.language in ("", self.language) and all(
                        self.same(w, n, node.language) for w, n in pairs
                    )
                    spans |= {frozenset(row)} if same else set()
            return spans
        for part in ("title", "body"):
            read = self.parts[part]
            if part == "body" and "lead" in scopes:
                read = re.split(r" *\n\n *", read)[0]
            row = [n for n in kept if self.words[n][0] == part]
            for hit in re.finditer(node.pattern, read):
                low, high = hit.span()
                spans.add(
                    frozenset(n for n in row if low < high and self.words[n][2] < high and low < self.words[n][3])
                )
        return spans - {frozenset()}

    def same(self, word, n, language):
        """True if the word of a term, written for that language, is the text's word n."""
        part, folded, start, end = self.words[n][:4]
        wanted = _plain(word.text)
        if word.how is How.EXACT:
            return self.parts[part][start:end] == word.text
        if word.how is How.PREFIX:
            return folded[: len(wanted)] == wanted
        if word.how is How.REFLEXIVE:
            return (
                self.language == "fr"
                and folded in REFLEXIVE
                and self.reflexive(n)
                and (folded == wanted or not self.name(n))
            )
        families = MARKED_ENGLISH if language == "en" else FAMILIES[self.language]
        inflected = word.how is How.INFLECTED and any({folded, wanted} <= kin for kin in families)
        return folded == wanted or (inflected and (folded == f"{wanted}s" or not self.name(n)))

    def before(self, n):
        """The text between word n and the one before it in its part."""
        part, start = self.words[n][0], self.words[n][2]
        return self.parts[part][self.words[n - 1][3] if n and self.words[n - 1][0] == part else 0 : start]

    def name(self, n):
        """True if word n is capitalised within a sentence, in a line that is not all so."""
        part, _, start, end, sentence, _ = self.words[n]
        begins = n == 0 or self.words[n - 1][4] != sentence or any(mark in self.before(n) for mark in ":–«•")
        if not self.parts[part][start:end].istitle() or begins:
            return False
        at = self.parts[part].rfind("\n", 0, start)
        line = self.parts[part][at + 1 :].split("\n")[0]
        words = re.findall(r"(?<!\w)(?:[ls]')?(\w+)", line)
        titled = len(words) <= 30 and sum(w[0].isupper() for w in words) >= 3
        return not (titled and all(w[0].isupper() or len(w) < 5 for w in words if not w[0].isdigit()))

    def reflexive(self, n):
        """True if a pronoun stands before the verb, with at most being between: s'est rendu, se rendra."""
        for back in range(5):
            at = n - back
            if at < 0 or self.words[at][4] != self.words[n][4]:
                return False
            if back and self.words[at][1] == "se":
                return True
            if back and self.words[at][1] != "est":
                return False
            if re.search(r"(?<!\w)s'$", self.before(at)):
                return True
        return False

    def called(self, node):
        """The arguments of a call, by parameter."""
        return {name: (argument, self.given) for name, argument in node.arguments}

    def among(self, given, answer):
        """`answer()` where the parameters stand for `given`."""
        before, self.given = self.given, given
        try:
            return answer()
        finally:
            self.given = before

    def items(self, terms, scopes):
        """Occurrences of what a set holds on the day, but for those inside an exception."""
        found = set()
        for dated in terms.terms:
            begun = dated.since is None or not self.published < dated.since
            over = dated.until is not None and self.published > dated.until
            found |= self.leaf(dated.term, scopes) if begun and not over else set()
        bad = {s for term in terms.exceptions for s in self.leaf(term, scopes)}
        return {s for s in found if not any(min(b) <= min(s) and max(s) <= max(b) for b in bad)}

    def spans(self, node, scopes):
        """The spans that an expression yields."""
        if isinstance(node, Or):
            return {s for part in node.parts for s in self.spans(part, scopes)}
        if isinstance(node, Param):
            argument, given = self.given[node.name]
            return self.among(given, lambda: self.spans(argument, scopes))
        if isinstance(node, Call):
            return self.among(self.called(node), lambda: self.spans(PATTERNS[node.name].body, scopes))
        if not isinstance(node, Proximity):
            return self.leaf(node, scopes)
        left, right = self.spans(node.left, scopes), self.spans(node.right, scopes)
        found = set()
        for a in left:
            hits = [
                b
                for b in right
                if (not a & b or node.operator is Operator.EXCEPT)
                and self.words[min(a)][0] == self.words[min(b)][0]
                and self.hit(node, a, b)
            ]
            if node.operator in (Operator.NEAR, Operator.BEFORE):
                found |= {a | b for b in hits}
            elif not hits:
                found.add(a)
        return found

    def hit(self, node, a, b):
        """True if b stands to a as the operator asks, parts and shared words aside."""
        between = max(min(b) - max(a), min(a) - max(b)) - 1
        overlap = min(a) <= max(b) and min(b) <= max(a)
        if node.operator is Operator.WITHOUT:
            return overlap
        if node.operator is Operator.EXCEPT:
            return min(b) <= min(a) and max(a) <= max(b)
        unit = node.reach.unit if isinstance(node.reach, Within) else node.reach
        near = True
        if isinstance(unit, Unit):
            column = 4 if unit is Unit.SENTENCE else 5
            near = len({self.words[n][column] for n in range(min(a | b), max(a | b) + 1)}) == 1
        if not isinstance(node.reach, Unit):
            near = near and (overlap or between <= getattr(node.reach, "words", node.reach))
        if node.operator is Operator.NOT_BEFORE:
            return near and max(a) < min(b)
        if node.operator is Operator.NOT_AFTER:
            return near and max(b) < min(a)
        return near and (node.operator is not Operator.BEFORE or min(a) < min(b))

    def holds(self, node, scopes=()):  # noqa: PLR0911 - one return a case
        """None where false, else the spans of what held."""
        if isinstance(node, And):
            answers = [self.holds(part, scopes) for part in node.parts]
            return None if None in answers else set().union(*answers)
        if isinstance(node, Not):
            return set() if self.holds(node.part, scopes) is None else None
        if isinstance(node, InPart):
            return self.holds(node.part, (*scopes, node.scope.value))
        if isinstance(node, AtLeast):
            found = self.spans(node.part, scopes)
            return found if _apart(sorted(found, key=sorted), node.count) else None
        if isinstance(node, Call):
            return self.among(self.called(node), lambda: self.holds(PATTERNS[node.name].body, scopes))
        if isinstance(node, Or) and not is_expression(node):
            answers = [answer for part in node.parts if (answer := self.holds(part, scopes)) is not None]
            return set().union(*answers) if answers else None
        return self.spans(node, scopes) or None


def _apart(spans, count):
    """True if `count` of the spans share no word."""
    return count == 0 or any(
        _apart([other for other in spans[n + 1 :] if not other & span], count - 1) for n, span in enumerate(spans)
    )
