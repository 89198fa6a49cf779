"""The query language: what parses, what is refused and where, and what it finds, against naive loops."""

from datetime import date
from itertools import islice
from random import Random
from typing import get_args

import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.analysis.text import analyse
from worker.rules.query import DatedTerm, Known, QueryError, Reading, TermSet, evaluate, parse, parse_term
from worker.rules.query.nodes import Node, Operator, Param, Proximity, Unit, Within, walk

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
    ("signé", "ils signeront le signal", ["signeront"]),
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
    ("fr:accord", "un accord, des accords", ["accord", "accords"]),
    ("en:accord", "un accord, des accords", []),
    ("fr:=accord", "un accord, des accords", ["accord"]),
    ('fr:"accord frontalier"', "les accords frontaliers", ["accords frontaliers"]),
    ("fr:(accord OR en:traité)", "un accord, un traité", ["accord"]),
    ("visit* NEAR/3s fr:accord", "visiteur sans accord", ["visiteur accord"]),
    ("accord", "Le mot Accords et le nom Accorde", ["accords"]),
    ("marquer", "Le maire a vu Marque ; il marque un point", ["marque"]),
    ('"se rendre"', "il s'est rendu, il rendra, il se rendra", ["rendu", "rendra"]),
    ('"s\'incliner devant"', "il incline devant, il s'incline devant", ["incline devant"]),
    ("rendre", "il se rendra", ["rendra"]),
    ("/gou.ernement/", "un gou\u00advernement", ["gouvernement"]),
    ("/Việt Nam/", "Vie\u0323\u0302t Nam", ["viet nam"]),
    ("/\u0065\u0301t\u00e9/", "un \u00e9te\u0301", ["ete"]),
    ("ONU", "l'O.N.U. parle", ["onu"]),
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
    ("a1 NEAR/2s b1", "Un a1 x x b1.", ["a1 b1"]),
    ("a1 NEAR/2s b1", "Un a1 x x x b1.", []),
    ("a1 NEAR/2s b1", "Un a1. B1 y est.", []),
    ("a1 NEAR/2p b1", "Un a1. B1 y est.", ["a1 b1"]),
    ("a1 NEAR/2p b1", "Un a1.\n\nB1 y est.", []),
    ("a1 BEFORE/2s b1", "Le b1 x a1.", []),
    ("a1 NOT NEAR/2s b1", "Un a1. B1 y est.", ["a1"]),
    ("a1 NOT NEAR/2s b1", "Un a1 et b1.", []),
    ("a1 NOT BEFORE/2s b1", "Un a1. B1 y est. Un a1 et b1.", ["a1"]),
    ("a1 NOT AFTER/2s b1", "Un b1. A1 y est. Un b1 et a1.", ["a1"]),
    ("(a1 OR b1) EXCEPT b1", "a1 b1", ["a1"]),
    ('a1 EXCEPT "a1 b1"', "a1 b1 x a1", ["a1"]),
    ("(a1 NEAR/5 b1) EXCEPT b1", "a1 x b1", ["a1 x b1".replace("x ", "")]),
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
        ("lead:/c1/", []),
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


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("viser", ["visent"]),
        ("zorbaler", ["zorbales"]),
        ("=Zorbales", ["zorbales"]),
        ("==Zorbales", []),
        ("==zorbales", ["zorbales"]),
        ("zorb*", ["zorbales"]),
        ("pont neuf", ["pont neuf"]),
        ("pont vieux", []),
        ("/p[o]nt/", ["pont", "ponts"]),
        ("zorban", []),
    ],
)
def test_a_term_of_a_set_stands_where_it_stands_alone(term, expected):
    """Terms whose first word the text lacks are passed over, whatever way it is compared: none that stands is."""
    body = "Des zorbales visent le pont neuf et deux ponts"
    assert _spans("@one", body, sets={"one": TermSet(terms=(DatedTerm(term=parse_term(term)),))}) == expected


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
    ("a NEAR/101s b", 2, "0 to 100"),
    ("a NEAR/s8 b", 2, "NEAR needs"),
    ("a EXCEPT/3 b", 2, "no distance"),
    ("a NAER/5 b", 2, "NAER/5 is no operator"),
    ("xx:a", 0, "no language"),
    ("fr:@hun_sen", 0, "before a term"),
    ("gou\u200bvernement", 3, "U+200B"),
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
    """A query that cannot be read is refused with its place, the mistake and the fix."""
    with pytest.raises(QueryError) as caught:
        parse(query, sets={"hun_sen"})
    fault = caught.value.faults[0]
    assert (fault.start, words in fault.message) == (start, True), fault
    assert fault.fix


@pytest.mark.parametrize(
    ("query", "fix"),
    [
        ("a NAER/5 b", "did you mean NEAR/5?"),
        ("a BEFOR/3s b", "did you mean BEFORE/3s?"),
        ("a WITOUT b", "did you mean WITHOUT?"),
        ("a WITHIN/5 b", "did you mean NEAR/5?"),
        ("a W/3s b", "did you mean NEAR/3s?"),
        ("a PRE/2 b", "did you mean BEFORE/2?"),
        ("a NEAR5 b", "did you mean NEAR/5?"),
        ("a WITHOUT5 b", "did you mean WITHOUT?"),
        ("a near/5 b", "operators are upper case: did you mean NEAR/5?"),
        ("a Before/2p b", "operators are upper case: did you mean BEFORE/2p?"),
        ("a within/5 b", "operators are upper case: did you mean NEAR/5?"),
        ("a near b", "operators are upper case: did you mean NEAR?"),
        ("a ET b", "operators are upper case: did you mean AND?"),
        ("a NEAR 5 b", "write NEAR/5"),
        ("a NOT NEAR 7s b", "write NOT NEAR/7s"),
        ("a NEAR/ 5 b", "write NEAR/5"),
        ("a NEAR b", "write NEAR/10"),
        ("a NEAR/500 b", "write NEAR/10"),
        ("ATLEAST 3 a", "write ATLEAST/3"),
        ("a pre b", 'write AND, OR or NEAR/n, or quote the "words"'),
        ("a w b", 'write AND, OR or NEAR/n, or quote the "words"'),
    ],
)
def test_a_misspelt_operator_is_guessed(query, fix):
    """With what stands behind its slash, and by what is meant by it elsewhere; it is the only mistake."""
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert [fault.fix for fault in caught.value.faults] == [fix]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_term_for_a_language_is_read_in_that_language_alone(language):
    """Whatever way it is compared."""
    document = analyse("", "tour tours tour", language)
    for term in ("fr:tour", "fr:=tour", "fr:==tour", 'fr:"tour tours"', "fr:tou*"):
        found = evaluate(parse(term), Reading(document, published=DAY))
        assert bool(found) is (language == "fr"), term


def test_all_faults_of_a_query_are_told_at_once():
    """Mistakes after which reading can go on do not hide each other."""
    with pytest.raises(QueryError) as caught:
        parse("@hun_senn NEAR/200 vi* AND titre:x", sets={"hun_sen"})
    assert [fault.start for fault in caught.value.faults] == [0, 10, 19, 27]
    assert caught.value.faults[0].fix == "did you mean @hun_sen?"


PIECES = [
    *"ab()\"/=*@:.'“, \n",
    "fr:",
    "p(",
    "se rendre",
    "NEAR/2s ",
    "EXCEPT ",
    "AND ",
    "OR ",
    "NOT ",
    "NEAR/2 ",
    "title:",
    "ATLEAST/2 ",
]


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


@pytest.mark.parametrize(
    ("count", "few", "called"),
    [
        pytest.param(1_000, 8, False, id="as it is"),
        pytest.param(400, 0, False, id="all spans by place"),
        pytest.param(500, 8, True, id="patterns"),
        pytest.param(100_000, 8, False, id="soak", marks=pytest.mark.soak),
        pytest.param(20_000, 0, False, id="soak, all spans by place", marks=pytest.mark.soak),
        pytest.param(100_000, 8, True, id="soak, patterns", marks=pytest.mark.soak),
    ],
)
def test_the_evaluator_answers_as_naive_loops(count, few, called, monkeypatch):
    """On random queries and texts of two languages the same spans, in the promised order; and what is written parses
    to the same. A pattern's call is written out by the one, and read with its arguments beside it by the other.
    """
    monkeypatch.setattr("worker.rules.query.spans.FEW", few)
    rng = Random(count)
    found = cut = 0
    made = naive.calling(rng) if called else naive.queries(rng)
    for drawn in islice(made, count):
        title, body = naive.text(rng, 8) if rng.random() < 0.7 else "", naive.text(rng)
        language = rng.choice(["fr", "fr", "en"])
        expected = naive.Naive(title, body, language=language).holds(drawn) or set()
        reading = Reading(analyse(title, body, language), published=naive.DAY, sets=naive.SETS)
        query = parse(str(drawn), Known(patterns=naive.PATTERNS)) if called else drawn
        spans = evaluate(query, reading)
        if reading.cut:
            # More than 10,000 spans: what is kept of them has tests of its own.
            cut += 1
            continue
        case = f"{query}\n{title!r}\n{body!r}"
        assert sorted(map(sorted, expected)) == sorted(map(list, spans)), case
        assert list(spans) == sorted(spans, key=lambda span: (span[-1] - span[0], span)), case
        assert parse(str(query)) == query, case
        found += bool(spans)
    print(f"{found / count:.0%} of {count} random pairs yield a span")
    assert found >= (0.15 if called else 0.3) * count
    assert cut <= count / 1_000


def test_random_queries_have_every_node():
    """Random queries for the naive loops leave no kind of node out."""
    seen = {type(node) for query in islice(naive.queries(Random(1)), 500) for node in walk(query)}
    assert seen == set(get_args(Node)) - {Param}, "a parameter stands only in the body of a pattern"
    reaches = {
        type(n.reach) for q in islice(naive.queries(Random(1)), 500) for n in walk(q) if isinstance(n, Proximity)
    }
    assert reaches == {int, Unit, Within, type(None)}
    operators = {n.operator for q in islice(naive.queries(Random(1)), 500) for n in walk(q) if isinstance(n, Proximity)}
    assert operators == set(Operator)


@settings(deadline=None)
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
        patch.setattr("worker.rules.query.spans.MAX_SPANS", 4)
        patch.setattr("worker.rules.query.evaluator.MAX_SPANS", 4)
        document = analyse("", " ".join(body), "fr")
        spans = evaluate(parse(f"(a1 OR b1) {operator}/{reach} (b1 OR a1)"), Reading(document, published=DAY))
    single = first((n,) for n, word in enumerate(body) if word in ("a1", "b1"))
    pairs = {(min(a, b), max(a, b)) for (a,) in single for (b,) in single if a != b}
    assert list(spans) == first(pair for pair in pairs if pair[1] - pair[0] - 1 <= reach)
