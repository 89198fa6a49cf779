"""The query language: what parses, what is refused and where, and what it finds, against naive loops."""

from datetime import date
from itertools import combinations, groupby

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from worker.query import DatedTerm, QueryError, Reading, TermSet, evaluate, parse, parse_term
from worker.query.nodes import (
    And,
    AtLeast,
    How,
    InPart,
    Not,
    Operator,
    Or,
    Proximity,
    Regex,
    Scope,
    SetRef,
    Term,
    Unit,
    Word,
    is_expression,
    needs_words,
)
from worker.text import analyse, fold

DAY = date(2026, 1, 1)


def _spans(
    query: str, body: str, *, title: str = "", sets: dict[str, TermSet] | None = None, day: date = DAY
) -> list[str]:
    """The spans as their words, joined."""
    document = analyse(title, body, "fr")
    found = evaluate(parse(query), Reading(document, published=day, sets=sets))
    return [" ".join(document.folded[word] for word in span) for span in found]


TERMS = [
    ("accord", "un accord, des accords", ["accord", "accords"]),
    ("=accord", "un accord, des Accords", ["accord"]),
    ("=traite", "Traité TRAITE traités", ["traite", "traite"]),
    ("==ASEAN", "Asean ASEAN asean", ["asean"]),
    ("==Tô", "To Tô", ["to"]),
    ("visit*", "visite visiteur vis", ["visite", "visiteur"]),
    (
        '"accord frontalier"',
        "les accords frontaliers, accord. Frontalier",
        ["accords frontaliers", "accord frontalier"],
    ),
    ('="accord frontalier"', "les accords frontaliers, un accord frontalier", ["accord frontalier"]),
    ('=="Accord frontalier"', "accord frontalier Accord frontalier", ["accord frontalier"]),
    ('"visit* officielle"', "visiteur officiel, visite officielle", ["visite officielle", "visiteur officiel"]),
    ("Phnom-Penh", "Phnom Penh et phnom-penh", ["phnom penh", "phnom penh"]),
    ("l'accord", "L’accord", ["accord"]),
    ("aujourd'hui", "Aujourd’hui", ["aujourd'hui"]),
    (r"/(?i)accord-cadre n° \d+/", "L'Accord-cadre n° 34 et accord-cadre n° x", ["accord cadre n 34"]),
    ("/tre/", "montre et lettre", ["montre", "lettre"]),
    ("/x*/", "aucun", []),
    ("/€/", "12 €", []),
]


@pytest.mark.parametrize(("query", "body", "expected"), TERMS, ids=[case[0] for case in TERMS])
def test_terms(query, body, expected):
    """Each way to write a term, and what it matches."""
    assert sorted(_spans(query, body)) == sorted(expected)


PLACES = [
    ("a1 NEAR/2 b1", "a1 x x b1", ["a1 b1"]),
    ("a1 NEAR/1 b1", "a1 x x b1", []),
    ("a1 NEAR/0 b1", "b1 a1", ["b1 a1"]),
    ("a1 BEFORE/5 b1", "b1 a1 x b1", ["a1 b1"]),
    ("a1 NEAR/s b1", "Un a1. Puis b1.", []),
    ("a1 NEAR/s b1", "Un a1 puis b1.", ["a1 b1"]),
    ("a1 NEAR/p b1", "Un a1. Puis b1.", ["a1 b1"]),
    ("a1 NEAR/p b1", "Un a1.\n\nPuis b1.", []),
    ("a1 NOT NEAR/1 b1", "a1 b1 x x a1", ["a1"]),
    ("a1 NOT NEAR/s b1", "Un a1 et b1. Un a1.", ["a1"]),
    ("a1 NOT BEFORE/1 b1", "b1 a1 x x a1 b1", ["a1"]),
    ("a1 NOT AFTER/1 b1", "b1 a1 x x a1 b1", ["a1"]),
    ("(a1 NEAR/5 b1) WITHOUT c1", "a1 c1 b1", []),
    ("(a1 NEAR/5 b1) WITHOUT c1", "a1 x b1 c1", ["a1 b1"]),
    ("(a1 NEAR/5 b1) WITHOUT b1", "a1 x b1", ["a1 b1"]),
    ("a1 NEAR/9 b1 NEAR/0 c1", "a1 c1 b1", ["a1 c1 b1"]),
    ("a1 NEAR/9 a1", "a1", []),
    ("a1 AND b1", "b1 a1", ["b1", "a1"]),
    ("a1 AND NOT b1", "a1", ["a1"]),
    ("a1 AND NOT b1", "a1 b1", []),
    ("a1 OR b1", "b1", ["b1"]),
    ("ATLEAST/2 a1", "a1 a1", ["a1", "a1"]),
    ("ATLEAST/2 a1", "a1", []),
    ("ATLEAST/2 (a1 NEAR/3 b1)", "a1 b1 a1", []),
    ("ATLEAST/2 (a1 NEAR/3 b1)", "a1 b1 a1 b1", ["a1 b1", "b1 a1", "a1 b1", "a1 b1"]),
]


@pytest.mark.parametrize(("query", "body", "expected"), PLACES, ids=[f"{q} | {b}" for q, b, _ in PLACES])
def test_places(query, body, expected):
    """Each operator on the smallest text that shows it."""
    assert sorted(_spans(query, body)) == sorted(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("title:a1", ["a1"]),
        ("title:b1", []),
        ("body:b1", ["b1"]),
        ("body:a1", []),
        ("lead:b1", ["b1"]),
        ("lead:c1", []),
        ("lead:(a1 AND b1)", ["a1", "b1"]),
        ("title:(a1 AND NOT b1)", ["a1"]),
        ("a1 NEAR/100 b1", []),
        ('"a1 b1"', []),
        ("lead:/b1$/", ["b1"]),
        ("ATLEAST/1 a1 AND body:c1", ["a1", "c1"]),
    ],
)
def test_parts(query, expected):
    """A part is read alone; no span reaches from the title into the body."""
    assert sorted(_spans(query, "b1\n\nc1", title="a1")) == expected


SETS = {
    "sen": TermSet(
        terms=(
            DatedTerm(term=parse_term("=hun =sen".replace(" =", " "))),
            DatedTerm(term=parse_term("chef lao"), since=date(2024, 4, 3)),
            DatedTerm(term=parse_term("ministre lao"), until=date(2023, 8, 22)),
        ),
        exceptions=(parse_term("boulevard hun sen"),),
    )
}


@pytest.mark.parametrize(
    ("body", "day", "expected"),
    [
        ("Hun Sen", DAY, ["hun sen"]),
        ("boulevard Hun Sen", DAY, []),
        ("boulevard Hun Sen, puis Hun Sen", DAY, ["hun sen"]),
        ("le chef lao", date(2024, 4, 3), ["chef lao"]),
        ("le chef lao", date(2024, 4, 2), []),
        ("le ministre lao", date(2023, 8, 22), ["ministre lao"]),
        ("le ministre lao", date(2023, 8, 23), []),
    ],
)
def test_sets(body, day, expected):
    """Exceptions and dates decide which occurrences count; both ends of a date are included."""
    assert _spans("@sen", body, sets=SETS, day=day) == expected


def test_order_and_number_of_spans():
    """Shortest extent first, then leftmost; never more than 10,000, which is noted."""
    assert _spans("a1 NEAR/5 b1", "a1 x b1 a1 b1 x x a1")[:3] == ["b1 a1", "a1 b1", "a1 b1"]
    document = analyse("", "a1 b1 " * 300, "fr")
    reading = Reading(document, published=DAY)
    query = parse("a1 NEAR/100 b1")
    spans = evaluate(query, reading)
    assert len(spans) == 10_000
    assert query in reading.cut
    assert [s[-1] - s[0] for s in spans] == sorted(s[-1] - s[0] for s in spans)


FAULTS = [
    ("", 0, "empty"),
    ("a b", 2, "operator is missing"),
    ("a and b", 2, "operator is expected"),
    ("a AND b OR c", 8, "one level"),
    ("a OR b AND c", 7, "one level"),
    ("NOT a", 0, "beside AND"),
    ("a OR NOT b", 5, "beside AND"),
    ("(NOT a) AND b", 1, "beside AND"),
    ("a AND NOT NOT b", 10, "term is expected"),
    ("NOT a AND NOT b", 0, "without any"),
    ("a NEAR b", 2, "NEAR needs"),
    ("a NEAR/101 b", 2, "0 to 100"),
    ("a NEAR/x b", 2, "NEAR needs"),
    ("a NOT BEFORE/s b", 2, "NOT BEFORE needs"),
    ("a WITHOUT/3 b", 2, "no distance"),
    ("a AFTER/3 b", 2, "NOT AFTER"),
    ("a NOT b", 2, "AND is missing"),
    ("(a AND b) NEAR/3 c", 0, "operand of NEAR/3"),
    ("c NEAR/3 (a AND b)", 9, "operand of NEAR"),
    ("a NEAR/3 title:b", 9, "operand of NEAR"),
    ("title:a NEAR/3 b", 8, "one operand only"),
    ("ATLEAST/0 a", 0, "from 1"),
    ("ATLEAST/2 (a AND b)", 10, "operand of ATLEAST"),
    ("titre:a", 0, "unknown part"),
    ("@nobody", 0, "no set"),
    ("a AND", 5, "ends"),
    ("(a", 0, "never closed"),
    ("a)", 1, "closes nothing"),
    ('"a', 0, "never closed"),
    ("“a b”", 0, "does not quote"),
    ("vi*", 0, "at least 3"),
    ("=visit*", 0, "do not go together"),
    ("visit*eur", 0, "star"),
    ("/(/", 0, "RE2"),
    (r"/(?<=a)b/", 0, "RE2"),
    ("//", 0, "empty"),
    ("... AND a", 0, "no word"),
    ("AND", 0, "term is expected"),
    ("(" * 60 + "a" + ")" * 60, 50, "inside one another"),
]


@pytest.mark.parametrize(("query", "start", "words"), FAULTS, ids=[case[0][:30] for case in FAULTS])
def test_faults(query, start, words):
    """What cannot be read is refused with its place, what is wrong and how to mend it."""
    with pytest.raises(QueryError) as caught:
        parse(query, sets={"hun_sen"})
    fault = caught.value.faults[0]
    assert (fault.start, words in fault.message) == (start, True), fault
    assert fault.mend


def test_all_faults_of_a_query_are_told_at_once():
    """Mistakes after which reading can go on do not hide each other."""
    with pytest.raises(QueryError) as caught:
        parse("@hun_senn NEAR/200 vi* AND titre:x", sets={"hun_sen"})
    assert [fault.start for fault in caught.value.faults] == [0, 10, 19, 27]
    assert caught.value.faults[0].mend == "did you mean @hun_sen?"


PIECES = [*"ab()\"/=*@:.'“ \n", "AND ", "OR ", "NOT ", "NEAR/2 ", "title:", "ATLEAST/2 "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_parses_or_is_refused_in_its_place(source):
    """No text breaks the parser, and what it accepts it can write."""
    try:
        node = parse(source)
    except QueryError as e:
        faults = e.faults
    else:
        faults = ()
        assert parse(str(node)) == node
    assert all(0 <= fault.start <= fault.end <= len(source) for fault in faults)


# --- random queries against naive loops -----------------------------------------------------------------------------

VOCABULARY = ["a1", "b1", "c1", "d1"]
WORDS = st.sampled_from(VOCABULARY)
LEAVES = st.one_of(
    st.builds(
        lambda word, how: Term((Word(word, how),)), WORDS, st.sampled_from([How.INFLECTED, How.FOLDED, How.EXACT])
    ),
    st.builds(
        lambda words, how: Term(tuple(Word(w, how) for w in words)),
        st.tuples(WORDS, WORDS),
        st.sampled_from([How.FOLDED]),
    ),
    st.builds(Regex, st.sampled_from(["a1", "[ab]1 [cd]1", "1"])),
    st.just(SetRef("pair")),
)
PAIR = {
    "pair": TermSet(
        terms=(DatedTerm(term=parse_term("=a1")), DatedTerm(term=parse_term("b1 c1"))),
        exceptions=(parse_term("a1 d1"),),
    )
}


def _proximities(inner):
    return st.builds(
        lambda operator, left, right, reach, unit: Proximity(operator, left, right, _reach(operator, reach, unit)),
        st.sampled_from(Operator),
        inner,
        inner,
        st.integers(0, 4),
        st.sampled_from([None, None, Unit.SENTENCE, Unit.PARAGRAPH]),
    )


def _reach(operator, reach, unit):
    if operator is Operator.WITHOUT:
        return None
    return unit if unit and operator not in (Operator.NOT_BEFORE, Operator.NOT_AFTER) else reach


def _either(inner):
    return st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, min_size=2, max_size=3))


EXPRESSIONS = st.recursive(LEAVES, lambda inner: _either(inner) | _proximities(inner), max_leaves=5)


def _conditions(inner):
    both = st.builds(lambda a, b, negate: And((a, Not(b) if negate else b)), inner, inner, st.booleans())
    return both | _either(inner) | st.builds(InPart, st.sampled_from(Scope), inner)


QUERIES = st.recursive(
    EXPRESSIONS | st.builds(AtLeast, st.integers(1, 3), EXPRESSIONS), _conditions, max_leaves=4
).filter(needs_words)
TEXTS = st.lists(st.sampled_from([*VOCABULARY, *VOCABULARY, "x1", ". X1", "\n\n"]), min_size=3, max_size=16).map(
    " ".join
)


class Naive:
    """The language's meaning, as loops over all spans of a text read part by part."""

    def __init__(self, title: str, body: str) -> None:
        self.parts = {"title": title, "body": body}
        document = analyse(title, body, "fr")
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
        kept = self.readable(scopes)
        spans = set()
        if isinstance(node, Term):
            size = len(node.words)
            for start in kept:
                row = list(range(start, start + size))
                if set(row) <= set(kept) and len({self.words[n][0] for n in row}) == 1:
                    same = [self.words[n][1] for n in row] == [fold(w.text) for w in node.words]
                    spans |= {frozenset(row)} if same else set()
        elif isinstance(node, Regex):
            wanted = {"a1": ["a1"], "[ab]1 [cd]1": ["a1 c1", "a1 d1", "b1 c1", "b1 d1"], "1": ["1"]}[node.pattern]
            for part, numbers in groupby(kept, lambda n: self.words[n][0]):
                row = list(numbers)
                start = min(self.words[n][2] for n in row)
                text = self.parts[part][start : max(self.words[n][3] for n in row)]
                at = 0
                while at < len(text):
                    hit = next((w for w in wanted if text.startswith(w, at)), None)
                    if hit:
                        low, high = start + at, start + at + len(hit)
                        spans.add(frozenset(n for n in row if self.words[n][2] < high and low < self.words[n][3]))
                    at += len(hit) if hit else 1
        else:
            found = {s for d in PAIR["pair"].terms for s in self.leaf(d.term, scopes)}
            bad = {s for e in PAIR["pair"].exceptions for s in self.leaf(e, scopes)}
            spans = {s for s in found if not any(min(b) <= min(s) and max(s) <= max(b) for b in bad)}
        return spans

    def spans(self, node, scopes):
        """The spans that an expression yields."""
        if isinstance(node, Or):
            return {s for part in node.parts for s in self.spans(part, scopes)}
        if not isinstance(node, Proximity):
            return self.leaf(node, scopes)
        left, right = self.spans(node.left, scopes), self.spans(node.right, scopes)
        found = set()
        for a in left:
            hits = [
                b
                for b in right
                if not a & b and self.words[min(a)][0] == self.words[min(b)][0] and self.hit(node, a, b)
            ]
            if node.operator in (Operator.NEAR, Operator.BEFORE):
                found |= {a | b for b in hits}
            elif not hits:
                found.add(a)
        return found

    def hit(self, node, a, b):
        """Whether b stands to a as the operator asks, parts and shared words aside."""
        between = max(min(b) - max(a), min(a) - max(b)) - 1
        overlap = min(a) <= max(b) and min(b) <= max(a)
        if node.operator is Operator.WITHOUT:
            return overlap
        if node.operator is Operator.NOT_BEFORE:
            return max(a) < min(b) and between <= node.reach
        if node.operator is Operator.NOT_AFTER:
            return max(b) < min(a) and between <= node.reach
        if isinstance(node.reach, Unit):
            column = 4 if node.reach is Unit.SENTENCE else 5
            near = len({self.words[n][column] for n in range(min(a | b), max(a | b) + 1)}) == 1
        else:
            near = overlap or between <= node.reach
        return near and (node.operator is not Operator.BEFORE or min(a) < min(b))

    def holds(self, node, scopes=()):
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
            rows = combinations(sorted(found, key=sorted), node.count)
            return found if any(sum(map(len, row)) == len(frozenset().union(*row)) for row in rows) else None
        if isinstance(node, Or) and not is_expression(node):
            answers = [answer for part in node.parts if (answer := self.holds(part, scopes)) is not None]
            return set().union(*answers) if answers else None
        return self.spans(node, scopes) or None


@settings(max_examples=600, deadline=None)
@given(QUERIES, TEXTS, TEXTS)
def test_the_evaluator_answers_as_naive_loops(query, title, body):
    """On every query and text the same spans, in the promised order."""
    spans = evaluate(query, Reading(analyse(title, body, "fr"), published=DAY, sets=PAIR))
    naive = Naive(title, body).holds(query)
    event("spans" if spans else "none")
    assert {frozenset(span) for span in spans} == (naive or set())
    assert list(spans) == sorted(spans, key=lambda span: (span[-1] - span[0], span))


@given(QUERIES)
def test_what_is_written_parses_to_the_same(query):
    """`parse(str(q)) == q`."""
    assert parse(str(query)) == query


@given(
    st.sampled_from([Operator.NEAR, Operator.BEFORE]),
    st.integers(0, 8),
    st.lists(st.sampled_from(["a1", "b1", "x1"]), min_size=4, max_size=30),
)
def test_too_many_spans_leave_the_shortest(operator, reach, body):
    """The limit keeps the first spans in their order, at every step, however many are left out."""

    def first(spans):
        return sorted(spans, key=lambda span: (span[-1] - span[0], span))[:4]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.query.spans.MAX_SPANS", 4)
        document = analyse("", " ".join(body), "fr")
        spans = evaluate(parse(f"(a1 OR b1) {operator}/{reach} (b1 OR a1)"), Reading(document, published=DAY))
    single = first((n,) for n, word in enumerate(body) if word in ("a1", "b1"))
    pairs = {(min(a, b), max(a, b)) for (a,) in single for (b,) in single if a != b}
    assert list(spans) == first(pair for pair in pairs if pair[1] - pair[0] - 1 <= reach)
