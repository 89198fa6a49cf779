"""Measuring rules, against labels and their tests against changes; copies within one file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.evaluate import (
    Labelled,
    Mutation,
    copies_among,
    evaluate_rules,
    mutants,
    mutate,
    read_article,
    read_labelled,
    relabelled,
    survey,
    to_label,
    unknown_labels,
)
from worker.evaluate.labels import Counts
from worker.feeds.normalise import Known, Unreadable
from worker.rules import RuleSet, compile_rules
from worker.rules.query import parse
from worker.store import Store

TODAY = datetime(2026, 3, 1, 8, tzinfo=UTC)


def rules(*sources: str) -> RuleSet:
    return compile_rules({"r.toml": "\n".join(sources).encode()})


def labelled(name: str, title: str, more: dict[str, object] | None = None, **labels: bool) -> Labelled:
    fields = {"id": name, "lang": "fr", "title": title, "labels": labels} | (more or {})
    found = read_labelled(json.dumps(fields))
    assert isinstance(found, Labelled)
    return found


PONT = '[[rule]]\nid = "pont"\nwhen = "pont NEAR/2 neuf"\n'


def test_each_answer_is_counted() -> None:
    """Right and wrong, matched and not; articles without a label for a rule do not count for it."""
    corpus = [
        labelled("tp", "Un pont neuf", pont=True),
        labelled("fp", "Un pont tout neuf", pont=False),
        labelled("fn", "Le pont que l'on dit encore tout à fait neuf", pont=True),
        labelled("tn", "Une route", pont=False),
        labelled("other", "Un pont neuf", route=True),
    ]
    score = evaluate_rules(corpus, rules(PONT), TODAY)["pont"]
    assert (score.tp, score.fp, score.fn, score.tn) == (1, 1, 1, 1)
    assert (score.precision, score.recall, score.f1) == (0.5, 0.5, 0.5)
    assert [(wrong.id, wrong.expected, wrong.got) for wrong in score.wrong] == [
        ("fp", False, True),
        ("fn", True, False),
    ]
    assert unknown_labels(corpus, rules(PONT)) == ["route"]


GOES = '[pattern.goes]\nparams = ["who"]\nwhen = "@who BEFORE/3s (arriver OR partir)"\n'


def test_a_pattern_is_measured_as_it_is_called() -> None:
    """Labels may name a call; what is no call of a pattern is a label that no rule has."""
    corpus = [
        labelled("a", "Le maire arrive", {"labels": {"goes(maire)": True, "goes(roi)": False, "gose(roi)": True}}),
        labelled("b", "Le maire chante", {"labels": {"goes(maire)": True}}),
    ]
    scores = evaluate_rules(corpus, rules(GOES), TODAY)
    assert {name: (score.tp, score.fp, score.fn, score.tn) for name, score in scores.items()} == {
        "goes(maire)": (1, 0, 1, 0),
        "goes(roi)": (0, 0, 0, 1),
    }
    assert unknown_labels(corpus, rules(GOES)) == ["gose(roi)"]


def test_a_call_takes_another_s_labels() -> None:
    """A call is measured by the labels of another rule."""
    corpus = [labelled("a", "Le maire arrive", maire=True), labelled("b", "Une route", pont=False)]
    (one,) = relabelled(corpus, "maire", "goes(maire)")
    assert one.labels == {"goes(maire)": True}


def test_a_survey_counts_and_samples() -> None:
    """Counts of matches and earlier labels, and a sample of the rest that grows with what is asked for."""
    corpus = [labelled(str(number), "Un pont neuf", {"labels": {}}) for number in range(30)]
    corpus += [labelled("known", "Un pont neuf", pont=False), labelled("other", "Une route", {"labels": {}})]
    given = {"3": {"pont": True}, "4": {"route": True}}
    found = survey(corpus, rules(PONT), TODAY, most=5, labels=given)
    assert (found.articles, found.fired, found.labelled) == (32, {"pont": 31}, {"pont": (1, 1)})
    sample = [one.article.known.id for one in found.sample]
    assert (len(sample), "3" in sample, "known" in sample) == (5, False, False)
    more = survey(corpus, rules(PONT), TODAY, most=9, labels=given)
    assert [one.article.known.id for one in more.sample][:5] == sample
    assert found.sample[0].passages == ["pont neuf"]


def test_what_is_to_be_labelled_keeps_what_was() -> None:
    """Lines of before stand as they are, with their labels; new ones say what fired."""
    found = survey([labelled("a", "Un pont neuf", {"labels": {}})], rules(PONT), TODAY, most=5, labels={})
    lines = [json.loads(line) for line in to_label(found.sample, {"b": {"id": "b", "labels": {"pont": True}}})]
    assert lines[0] == {"id": "b", "labels": {"pont": True}}
    assert (lines[1]["id"], lines[1]["labels"], lines[1]["fired"]) == ("a", {}, {"pont": ["pont neuf"]})
    assert isinstance(read_labelled(json.dumps(lines[1])), Labelled)


def test_shares_that_mean_nothing_are_none() -> None:
    """Nothing matched and nothing should: there is no precision, recall or F1 to tell."""
    score = evaluate_rules([labelled("a", "Une route", pont=False)], rules(PONT), TODAY)["pont"]
    assert (score.precision, score.recall, score.f1) == (None, None, None)


def test_feeds_and_tags_do_not_count() -> None:
    """An article of a corpus knows no feed, so it cannot miss one."""
    source = PONT + 'feeds = ["Le Fil"]\ntags = ["asie"]\n'
    assert evaluate_rules([labelled("a", "Un pont neuf", pont=True)], rules(source), TODAY)["pont"].tp == 1


def test_a_date_decides_dated_terms() -> None:
    """The article's own; `today` where it has none."""
    source = (
        '[set.maire]\nkind = "person"\nterms = [{ term = "maire de Vinh", until = 2025-12-31 }]\n'
        '[[rule]]\nid = "m"\nwhen = "@maire"\n'
    )
    then = labelled("then", "Le maire de Vinh", {"published": "2025-05-01"}, m=True)
    now = labelled("now", "Le maire de Vinh", m=False)
    assert not evaluate_rules([then, now], rules(source), TODAY)["m"].wrong


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", Unreadable.NOT_JSON),
        ("[]", Unreadable.NOT_AN_OBJECT),
        ('{"labels": {}}', Unreadable.NO_TEXT),
        ('{"title": "x", "labels": []}', Unreadable.BAD_LABELS),
        ('{"title": "x", "labels": {"a": 1}}', Unreadable.BAD_LABELS),
        ('{"title": "x", "published": "hier"}', Unreadable.BAD_DATE),
    ],
    ids=["not JSON", "no object", "no text", "labels are no table", "a label is a number", "no date"],
)
def test_lines_that_are_no_article(line: str, expected: Unreadable) -> None:
    """Each with its reason."""
    assert read_labelled(line) is expected


@pytest.mark.parametrize(("note", "weak"), [("[weak: why", True), ("strong [weak", False), ("", False)])
def test_weak_labels_are_marked(note: str, weak: bool) -> None:
    """By how the note begins."""
    assert labelled("a", "x", {"note": note}).weak is weak


# --- mutants -------------------------------------------------------------------------------------------------------

TESTED = PONT + "".join(
    f'[[rule.test]]\ntitle = "{title}"\nmatch = {match}\n'
    for title, match in [
        ("Un pont neuf", "true"),
        ("Un pont qui est neuf", "true"),
        ("Un pont de bois, puis un toit neuf", "false"),
        ("Neuf ponts, un pont qui est neuf", "true"),
        ("Un pont", "false"),
        ("Un toit neuf", "false"),
        ("Le neuf du pont", "true"),
    ]
)


CHANGES = [
    ("a", []),
    ("a OR b", ["a AND b", "b", "a"]),
    ("a AND b", ["a OR b", "b", "a"]),
    ("a AND b AND c", ["a OR b OR c", "b AND c", "a AND c", "a AND b"]),
    ("a AND NOT b", ["a"]),
    ("a AND NOT (b OR c)", ["a", "a AND NOT (b AND c)", "a AND NOT c", "a AND NOT b"]),
    ("title:a", ["a"]),
    ("ATLEAST/3 a", ["a"]),
    ("a NEAR/8 b", ["a NEAR/17 b", "b", "a"]),
    ("a BEFORE/0 b", ["a BEFORE/1 b", "b", "a"]),
    ("a NEAR/60 b", ["a NEAR/100 b", "b", "a"]),
    ("a NEAR/100 b", ["b", "a"]),
    ("a NEAR/s b", ["a NEAR/p b", "b", "a"]),
    ("a NEAR/p b", ["b", "a"]),
    ("a NEAR/4s b", ["a NEAR/9s b", "b", "a"]),
    ("a EXCEPT b", ["a"]),
    ("a WITHOUT (b OR c)", ["a", "a WITHOUT c", "a WITHOUT b"]),
    ("a NOT NEAR/2 b", ["a NOT NEAR/5 b", "a"]),
    (
        "title:((a OR b) NEAR/3 c) AND NOT d",
        [
            "(a OR b) NEAR/3 c AND NOT d",
            "title:((a OR b) NEAR/7 c) AND NOT d",
            "title:c AND NOT d",
            "title:(b NEAR/3 c) AND NOT d",
            "title:(a NEAR/3 c) AND NOT d",
            "title:(a OR b) AND NOT d",
            "title:((a OR b) NEAR/3 c)",
        ],
    ),
]


def changed(when: str) -> list[str]:
    (rule,) = rules(f"[[rule]]\nid = 'r'\nwhen = '{when}'").rules
    return [str(mutant.rule.query) for mutant in mutants(rule, {})]


@pytest.mark.parametrize(("when", "expected"), CHANGES, ids=[case[0] for case in CHANGES])
def test_the_changes(when: str, expected: list[str]) -> None:
    """Each change of one place, once, at every depth, and no other."""
    assert changed(when) == expected


def test_every_mutant_is_a_query_that_the_language_allows() -> None:
    """It parses back to itself, and asks for a word that must be there."""
    found = changed("(title:a OR b) AND ATLEAST/2 (c OR d NEAR/s e) AND NOT (f AND NOT g) AND h NOT AFTER/3 (i OR j)")
    assert len(found) == 19
    for query in found:
        assert str(parse(query)) == query


def outcome(source: str, rule: str = "r") -> Mutation:
    ((name, found),) = mutate(rules(source), TODAY, [rule])
    assert name == rule
    return found


def test_good_tests_catch_every_change() -> None:
    """Either word alone, and words farther apart: each is noticed."""
    assert outcome(TESTED, "pont") == Mutation(caught=3)


def test_a_change_that_no_test_notices_is_named() -> None:
    """If it makes a difference to the text of some test, be it another rule's."""
    own = PONT + '[[rule.test]]\ntitle = "Un pont neuf"\n[[rule.test]]\ntitle = "Un toit neuf"\nmatch = false\n'
    other = '[[rule]]\nid = "q"\nwhen = "pont"\n[[rule.test]]\ntitle = "Un pont qui est encore presque neuf"\n'
    assert outcome(own, "pont") == Mutation(caught=1, missed=["drop neuf of pont NEAR/2 neuf"], equal=1)
    missed = ["widen NEAR/2 to /5", "drop neuf of pont NEAR/2 neuf"]
    assert outcome(own + other, "pont") == Mutation(caught=1, missed=missed)


def test_a_sets_terms_are_dropped_one_by_one() -> None:
    """A term that only a test of another rule holds is missed; one that nothing holds makes no change."""
    source = (
        '[set.s]\nterms = ["pont", "gué", "bac"]\n[[rule]]\nid = "r"\nwhen = "@s"\n[[rule.test]]\ntitle = "Un pont"\n'
        '[[rule]]\nid = "q"\nwhen = "rive"\n[[rule.test]]\ntitle = "Un gué, une rive"\n'
    )
    assert outcome(source) == Mutation(caught=1, missed=["drop gué of @s"], equal=1)


def test_a_scores_terms_are_dropped_one_by_one() -> None:
    """Those that the threshold needs are caught."""
    source = (
        '[[rule]]\nid = "r"\n[rule.score]\nthreshold = 50\n'
        'terms = [{ when = "pont", weight = 30 }, { when = "gué", weight = 30 }]\n'
        '[[rule.test]]\ntitle = "Un pont, un gué"\n'
    )
    assert outcome(source) == Mutation(caught=2)


# --- copies within one file ----------------------------------------------------------------------------------------

COPIES = Path(__file__).parent / "data" / "copies"
BRIEF = "Le pont suspendu de Ban Houay a été rouvert mardi aux piétons par le maire, après huit mois de travaux."


def known(name: str, title: str, text: str, day: int = 1) -> Known:
    found = read_article(
        json.dumps(
            {"id": name, "lang": "fr", "title": title, "text": text, "published": f"2026-03-{day:02}", "source": "A"}
        )
    )
    assert isinstance(found, Known)
    return found


def test_copies_among_one_file(store: Store) -> None:
    """Each article against those before it, with both titles, the score and the reason."""
    stream = [
        known("a", "Le pont de Ban Houay rouvert", BRIEF),
        known("b", "Un autre article", "Le marché de Paksong change de place et de jour à la fin du mois."),
        known("c", "Ban Houay retrouve son pont", BRIEF, 2),
    ]
    (pair,) = copies_among(store, stream, TODAY)
    assert (pair.id, pair.of, pair.score) == ("c", "a", 1.0)
    assert (pair.title, pair.of_title) == ("Ban Houay retrouve son pont", "Le pont de Ban Houay rouvert")
    assert "word for word" in pair.why


@pytest.mark.parametrize(("own_host", "found"), [(False, []), (True, ["2"])], ids=["as given", "each its own host"])
def test_each_article_may_have_a_host_of_its_own(store: Store, found: list[str], *, own_host: bool) -> None:
    """Lines that one feed repeats are learnt of it; with a feed for each article there is nothing to learn."""
    notes = "La rédaction de la vallée prépare ces lignes au bureau de Paksé."
    stream = [
        known(str(n), title, notes) for n, title in enumerate(["Le pont", "Le marché", "Lignes du bureau de Paksé"])
    ]
    steps: list[str] = []
    pairs = copies_among(store, stream, TODAY, each_its_own_host=own_host, step=steps.append)
    assert [pair.id for pair in pairs] == found
    assert steps == ["0", "1", "2"]


@pytest.mark.parametrize("own_host", [False, True], ids=["as given", "each its own host"])
def test_short_items_with_standing_texts(store: Store, *, own_host: bool) -> None:
    """No false copy among feeds with footers, walls, flashes and bulletins, and nearly all true ones are found."""
    score = Counts()
    for file in sorted(COPIES.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        # A file is a stream of its own; outlets of all three are the same.
        named = [line | {"id": f"{file.stem}/{line['id']}"} for line in lines]
        of = {line["id"]: f"{file.stem}/{line['of']}" if line["of"] else "" for line in named}
        articles = [one for line in named if isinstance(one := read_article(json.dumps(line)), Known)]
        found = {pair.id: pair for pair in copies_among(store, articles, TODAY, each_its_own_host=own_host)}
        for name, original in of.items():
            got = found[name].of if name in found else ""
            assert got in ("", original), found[name].why
            score.tp, score.fn = score.tp + bool(got), score.fn + (got != original)
    assert score.tp + score.fn == 31
    assert (score.f1 or 0) >= 0.95
