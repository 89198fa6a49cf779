"""`veille rules`, `veille eval` and `veille why --rule`: what they print for people and for programs."""

import json
from pathlib import Path

import pytest
from desk import FEED, VISIT
from rig import RULES, Site

TESTED = RULES + (
    '[[rule.test]]\ntitle = "Hun Sen en visite"\nspans = ["Hun Sen en visite"]\n'
    '[[rule.test]]\ntitle = "Hun Sen en réunion"\nmatch = false\n'
)
DRAFT = RULES.replace("NEAR/12", "NEAR/0") + '[[rule]]\nid = "library"\nwhen = "=bibliotheque"\n'


@pytest.fixture
def site(tmp_path: Path, visits: bytes) -> Site:
    """A site with that store."""
    (tmp_path / "veille.db").write_bytes(visits)
    return Site(tmp_path, feeds=[FEED], rules=TESTED)


def folder(site: Site, rules: str, name: str = "draft") -> Path:
    path = site.folder / name
    path.mkdir()
    (path / "rules.toml").write_text(rules, encoding="utf-8")
    return path


def corpus(site: Site, *lines: dict[str, object]) -> Path:
    return written(site.folder, *lines)


def written(folder: Path, *lines: dict[str, object]) -> Path:
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


# --- check and test ------------------------------------------------------------------------------------------------


def test_check(veille, site: Site) -> None:
    """Rules, sets and tests are counted; a test that fails, like any mistake, has its place and exit code 78."""
    done = veille("rules", "check", site=site)
    assert (done.code, done.out) == (0, "1 rule, 1 set, 2 tests; all is well\n")
    wrong = folder(site, TESTED.replace("match = false", "match = true"))
    done = veille("rules", "check", "--rules", wrong, site=site)
    assert done.code == 78
    assert "rules.toml:13: a test of `visit` fails: the rule does not match" in done.err


def test_check_of_what_the_configuration_does_not_have(veille, site: Site) -> None:
    """A draft that reads a feed which nobody polls is refused before the worker refuses it."""
    wrong = folder(site, TESTED.replace('id = "visit"', 'id = "visit"\nfeeds = ["nosuch"]', 1))
    done = veille("rules", "check", "--rules", wrong, site=site)
    assert done.code == 78
    assert "the rule `visit` reads the feed `nosuch`" in done.err
    assert veille("rules", "check", "--config", site.folder / "none.toml", "--rules", wrong).code == 0


def test_rules_need_no_configuration(veille, tmp_path: Path) -> None:
    """A folder of rules is enough."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "r.toml").write_text(TESTED, encoding="utf-8")
    assert veille("rules", "check", "--config", tmp_path / "nosuch.toml", "--rules", rules).code == 0
    assert veille("rules", "check", "--config", tmp_path / "nosuch.toml").code == 0


def test_tests(veille, site: Site) -> None:
    """All, or those of one rule; exit code 1 where one fails."""
    assert veille("rules", "test", site=site).out == "2 tests of 1 rule hold\n"
    assert veille("rules", "test", "visit", site=site).code == 0
    wrong = folder(site, TESTED.replace('spans = ["Hun Sen en visite"]', 'spans = ["visite"]'))
    done = veille("rules", "test", "--rules", wrong, "--json", site=site)
    assert done.code == 1
    (failure,) = json.loads(done.out)["failures"]
    assert 'there is no span "visite"' in failure


def test_an_unknown_rule_is_told_with_the_nearest(veille, site: Site) -> None:
    """Whatever the command."""
    for words in (("rules", "test", "visi"), ("rules", "backtest", "visi"), ("rules", "label", "1", "visi", "noise")):
        done = veille(*words, site=site)
        assert done.code == 1
        assert "did you mean visit?" in done.err


def test_a_rule_that_is_off_is_tried_and_labelled(veille, site: Site) -> None:
    """Whoever names it means it; what is said of all rules leaves it out."""
    off = folder(site, TESTED.replace('id = "visit"', 'id = "visit"\nenabled = false'), "off")
    assert veille("rules", "test", "visit", "--rules", off, site=site).out == "2 tests of 1 rule hold\n"
    assert veille("rules", "test", "--rules", off, site=site).out == "0 tests of 0 rules hold\n"
    words = ("rules", "backtest", "visit", "--since", "2026-01-01", "--rules", off, "--json")
    assert json.loads(veille(*words, site=site).out)["matched"] == 2
    file = corpus(site, {"id": "a", "lang": "fr", "title": "Hun Sen en visite", "labels": {"visit": True}})
    assert (
        "labels of rules that are switched off: visit" in veille("eval", "rules", file, "--rules", off, site=site).out
    )
    (off / "rules.toml").replace(site.folder / "rules" / "rules.toml")
    assert veille("rules", "label", "1", "visit", "noise", site=site).code == 0
    assert "visit" in veille("why", "1", "--rule", "visit", site=site).out
    assert veille("silence", "--rule", "visit", site=site).code == 0


def test_mutants(veille, site: Site) -> None:
    """The share of changes that the tests notice, and those that they do not."""
    far = "Hun Sen parle ; il parle encore et encore, puis il se tait et boit l'eau, et dit que la visite est remise."
    other = f'[[rule]]\nid = "other"\nwhen = "eau"\n[[rule.test]]\ntitle = "{far}"\n'
    draft = folder(site, TESTED + other)
    found = json.loads(veille("rules", "test", "visit", "--mutants", "--rules", draft, "--json", site=site).out)
    assert list(found["rules"]) == ["visit"]
    visit = found["rules"]["visit"]
    assert "widen NEAR/12 to /25" in visit["missed"]
    assert visit["caught"] >= 1
    assert found["score"] == visit["score"]
    assert visit["score"] == pytest.approx(visit["caught"] / (visit["caught"] + len(visit["missed"])), abs=1e-4)
    shown = veille("rules", "test", "--mutants", "--rules", draft, site=site)
    assert "visit: no test notices: widen NEAR/12 to /25" in shown.out


def test_a_failing_test_says_what_came_nearest(veille, site: Site) -> None:
    """Its title, what was expected, and what would have to be otherwise."""
    wrong = folder(site, TESTED.replace("match = false", "match = true"))
    said = veille("rules", "check", "--rules", wrong, site=site).err
    assert 'fails: the rule does not match, and should: "' in said
    assert "stands in the text" in said.split("does not match, and should")[1]
    assert "fix: " not in said


def test_no_rules_are_worth_a_word(veille, site: Site, tmp_path: Path) -> None:
    """A folder that is empty by mistake would tell nobody anything."""
    empty = tmp_path / "empty"
    empty.mkdir()
    done = veille("rules", "check", "--rules", empty, site=site)
    assert (done.code, "there is no rule" in done.out) == (0, True)


def test_survey(veille, site: Site) -> None:
    """Counts and words of what fires; the sample is kept to be labelled, and labels are not asked for again."""
    file = corpus(
        site, {"id": "a", "lang": "fr", "title": "Hun Sen en visite"}, {"id": "b", "lang": "fr", "title": "Rien"}
    )
    labels = site.folder / "labels.jsonl"
    words = ("rules", "survey", file, "--labels", labels)
    found = json.loads(veille(*words, "--json", site=site).out)
    assert found["articles"] == 2
    assert found["rules"]["visit"]["sample"] == [
        {"id": "a", "title": "Hun Sen en visite", "spans": ["Hun Sen en visite"]}
    ]
    line = json.loads(labels.read_text(encoding="utf-8"))
    assert line["fired"] == {"visit": ["Hun Sen en visite"]}
    labels.write_text(json.dumps(line | {"labels": {"visit": True}}) + "\n", encoding="utf-8")
    again = json.loads(veille(*words, "--json", site=site).out)["rules"]["visit"]
    assert (again["fired"], again["right"], again["wrong"], again["sample"]) == (1, 1, 0, [])
    assert json.loads(labels.read_text(encoding="utf-8"))["labels"] == {"visit": True}
    assert "labelled right" in veille(*words, site=site).out


def test_a_call_of_a_pattern_is_measured(veille, site: Site) -> None:
    """Against its own labels or those of a rule; a call that is none is told with the nearest."""
    source = '[pattern.goes]\nparams = ["who"]\nwhen = "@who BEFORE/3s visite"\n'
    rules = folder(site, TESTED + source)
    file = corpus(site, {"id": "a", "lang": "fr", "title": "Le roi en visite", "labels": {"kings": True}})
    words = ("eval", "rules", file, "--rules", rules, "--json", "--call")
    found = json.loads(veille(*words, "goes(roi)", "--label", "kings", site=site).out)
    assert found["goes(roi)"]["f1"] == 1
    assert "did you mean goes?" in veille(*words, "gose(roi)", "--label", "kings", site=site).err
    assert "no article of the corpus has a label" in veille(*words, "goes(roi)", site=site).err


# --- backtest and diff ---------------------------------------------------------------------------------------------


def test_backtest(veille, site: Site) -> None:
    """Matches that a rule would have had, by day, and alerts that would have been sent."""
    found = json.loads(veille("rules", "backtest", "visit", "--since", "2026-01-01", "--json", site=site).out)
    assert (found["matched"], found["alerts"], found["suppressed"]) == (2, 1, {"copy": 1})
    assert found["days"] == {"2026-02-06": 2}
    assert found["alerts_by_target"] == {"log": 1}
    assert [one["title"] for one in found["articles"]] == ["Hun Sen attendu à Hanoï", "Hun Sen attendu mardi à Hanoï"]
    (marked,) = {p["text"][start:end] for p in found["articles"][0]["passages"] for start, end in p["marks"][:1]}
    assert marked.startswith("Hun")
    out = " ".join(veille("rules", "backtest", "visit", "--since", "2026-01-01", site=site).out.split())
    assert "visit matches 2 articles among 3 texts" in out
    assert (
        "it would have sent 1 message (1 obligation: one for each rule, article and recipient) not sent: 1 copy" in out
    )
    assert (found["messages"], found["obligations"], found["imported"]) == (1, 1, 0)
    assert out.index("visit matches") < out.index("2026-02-06 ") < out.index("Hun Sen attendu")


def test_backtest_of_a_draft(veille, site: Site) -> None:
    """A rule that is not live is tried on what is stored."""
    words = ("rules", "backtest", "library", "--since", "2026-01-01", "--rules", folder(site, DRAFT))
    assert json.loads(veille(*words, "--json", site=site).out)["alerts"] == 1


def test_diff_with_the_live_rules(veille, site: Site) -> None:
    """Gains and losses of a draft, and the alerts a day of both."""
    words = ("rules", "diff", folder(site, DRAFT), "--since", "2026-01-01")
    found = json.loads(veille(*words, "--json", site=site).out)
    visit, library = found["rules"]["visit"], found["rules"]["library"]
    assert (visit["is"], visit["old"], visit["new"], visit["overlap"]) == ("in both", 2, 0, 0)
    assert [lost["title"] for lost in visit["lost"]] == ["Hun Sen attendu à Hanoï", "Hun Sen attendu mardi à Hanoï"]
    assert (library["is"], library["old"], library["new"]) == ("new", 0, 1)
    assert found["alerts"] == {"log": {"old": {"2026-02-06": 1}, "new": {"2026-02-06": 1}}}
    out = veille(*words, site=site).out
    assert "- 2026-02-06" in out
    assert "+ 2026-02-06" in out


def test_diff_of_two_folders(veille, site: Site) -> None:
    """The first is the old one."""
    words = ("rules", "diff", folder(site, DRAFT, "a"), folder(site, RULES, "b"), "--since", "2026-01-01", "--json")
    found = json.loads(veille(*words, site=site).out)["rules"]
    assert (found["visit"]["old"], found["visit"]["new"], found["library"]["is"]) == (0, 2, "gone")


@pytest.mark.parametrize("since", ["soon", "-3d", "90", "999999999w", "2026-02-31"])
def test_no_moment(veille, site: Site, since: str) -> None:
    """A sentence, and what may be written."""
    done = veille("rules", "backtest", "visit", f"--since={since}", site=site)
    assert done.code == 78
    assert "write 90d, 12h, or a day such as 2026-01-31" in done.err


# --- stats and label -----------------------------------------------------------------------------------------------


def test_label_and_stats(veille, site: Site) -> None:
    """An analyst's judgements make a rule's precision; the last word counts."""
    for article, word in (
        ("1", "noise"),
        ("1", "relevant"),
        ("Hun Sen attendu mardi à Hanoï", "noise"),
        ("2", "relevant"),
    ):
        assert veille("rules", "label", article, "visit", word, site=site).code == 0
    done = json.loads(veille("rules", "stats", "--since", "2026-01-01", "--json", site=site).out)
    visit = done["rules"]["visit"]
    assert (visit["matched"], visit["relevant"], visit["noise"], visit["missed"]) == (2, 1, 1, 1)
    assert visit["precision"] == 0.5
    assert visit["microseconds"] > 0
    assert "50%" in veille("rules", "stats", "--since", "2026-01-01", site=site).out
    assert "has no label" in veille("rules", "label", "1", "visit", "none", site=site).out
    done = json.loads(veille("rules", "stats", "--since", "2026-01-01", "--json", site=site).out)
    assert [done["rules"]["visit"][name] for name in ("relevant", "noise", "missed")] == [0, 1, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("99", "visit", "noise"), "no article is '99'"),
        (("1", "visit", "maybe"), "'maybe' is no judgement"),
        (("1", "visit", "none"), "article 1 has no label for 'visit'"),
    ],
    ids=["no article", "no judgement", "none to take back"],
)
def test_labels_that_cannot_be(veille, site: Site, words: tuple[str, ...], said: str) -> None:
    """Nothing is written."""
    done = veille("rules", "label", *words, site=site)
    assert (done.code, said in done.err) == (1, True)


# --- eval ----------------------------------------------------------------------------------------------------------


def test_eval_rules(veille, site: Site) -> None:
    """Per rule the counts, the shares and what is wrong with its reason; weak labels may be left out."""
    file = corpus(
        site,
        {"id": "a", "lang": "fr", "title": "Hun Sen en visite", "labels": {"visit": True}},
        {"id": "b", "lang": "fr", "title": "Hun Sen en réunion", "labels": {"visit": True, "nosuch": True}},
        {"id": "c", "lang": "fr", "title": "Une visite", "labels": {"visit": True}, "note": "[weak] ?"},
        {"id": "d", "lang": "fr", "title": "Rien", "labels": {"visit": False}},
    )
    found = json.loads(veille("eval", "rules", file, "--json", site=site).out)
    assert set(found) == {"visit"}
    visit = found["visit"]
    assert [visit[name] for name in ("tp", "fp", "fn", "tn")] == [1, 0, 2, 1]
    assert (visit["precision"], visit["recall"], visit["f1"]) == (1.0, 0.3333, 0.5)
    assert [(one["id"], one["expected"], one["got"]) for one in visit["wrong"]] == [
        ("b", True, False),
        ("c", True, False),
    ]
    assert visit["wrong"][0]["why"] == "none of =visite OR =déplacement stands in the text"
    strong = json.loads(veille("eval", "rules", file, "--without-weak", "--json", site=site).out)["visit"]
    assert strong["fn"] == 1
    out = " ".join(veille("eval", "rules", file, site=site).out.split())
    assert "visit does not match, and should: b Hun Sen en réunion" in out
    assert "labels of rules that are not there: nosuch" in out


def test_eval_of_a_corpus_with_mistakes(veille, site: Site) -> None:
    """Every line that is no article is told."""
    file = site.folder / "corpus.jsonl"
    file.write_text('{"title": "x", "labels": {"visit": 1}}\nx\n', encoding="utf-8")
    done = veille("eval", "rules", file, site=site)
    assert done.code == 78
    assert "corpus.jsonl:1: `labels` is no table of true and false" in done.err
    assert "corpus.jsonl:2: the line is not JSON" in done.err


def test_eval_copies_within_one_file(veille, tmp_path: Path) -> None:
    """Every pair with both titles, the score and the reason."""
    text = "Le bac de Neak Loeung a repris mardi ses traversées après la réparation de sa rampe d'acier."
    file = written(
        tmp_path,
        {"id": "a", "lang": "fr", "title": "Le bac de Neak Loeung repart", "text": text, "published": "2026-03-01"},
        {"id": "b", "lang": "fr", "title": "Neak Loeung a de nouveau son bac", "text": text, "published": "2026-03-02"},
        {"id": "c", "lang": "fr", "title": "Autre chose", "text": "Un texte sans rapport.", "published": "2026-03-02"},
    )
    found = json.loads(veille("eval", "copies", file, "--self", "--json").out)
    assert (found["articles"], found["copies"]) == (3, 1)
    (pair,) = found["pairs"]
    assert (pair["id"], pair["of"], pair["of_title"]) == ("b", "a", "Le bac de Neak Loeung repart")
    out = " ".join(veille("eval", "copies", file, "--self", "--each-its-own-host").out.split())
    assert "b: Neak Loeung a de nouveau son bac a: Le bac de Neak Loeung repart 1.00 Its text is word for word" in out
    assert "1 of 3 called a copy" in out


@pytest.mark.parametrize("options", [(), ("COPIES", "--self"), ("COPIES", "--each-its-own-host")])
def test_eval_copies_wants_one_or_the_other(veille, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A file of labelled copies, or the file itself."""
    file = written(tmp_path, {"id": "a", "title": "x"})
    done = veille("eval", "copies", file, *[str(file) if one == "COPIES" else one for one in options])
    assert done.code == 2
    assert "--self" in done.err


# --- why -----------------------------------------------------------------------------------------------------------


def test_why_one_rule(veille, site: Site) -> None:
    """The query as a tree: each part with its verdict and its words, or what it missed."""
    found = json.loads(veille("why", "2", "--rule", "visit", "--json", site=site).out)["explained"]
    assert (found["matches"], found["reason"]) == (False, "query")
    left, right = found["query"]["parts"]
    assert (found["query"]["operator"], left["query"], left["miss"]) == ("NEAR/12", "@hun_sen", "absent")
    assert right["operator"] == "OR"
    found = json.loads(veille("why", "1", "--rule", "visit", "--json", site=site).out)["explained"]
    assert found["matches"]
    span = found["query"]["words"][0]
    assert span["text"].startswith("Hun Sen est en visite")
    assert [VISIT[start:end] for start, end in span["words"]] == ["Hun", "Sen", "visite"]
    out = veille("why", "1", "--rule", "visit", site=site).out
    assert "✓ NEAR/12" in out
    assert "✗ =déplacement" in out


def test_why_folds_the_patterns_that_a_rule_calls(veille, site: Site) -> None:
    """The call and the words that decide; all that the pattern looks for on request, and always in JSON."""
    pattern = "[pattern.comes]\nparams = ['who']\nwhen = '@who NEAR/12 (=visite OR =voyage OR =venue)'\n"
    (site.folder / "rules" / "comes.toml").write_text(
        pattern + "[[rule]]\nid = 'comes'\nwhen = 'comes(@hun_sen) AND NOT comes(Manet)'\n", "utf-8"
    )
    folded = veille("why", "1", "--rule", "comes", site=site).out
    assert "✓ comes(@hun_sen)" in folded
    assert "✓ =visite" in folded
    assert "NEAR/12" not in folded
    assert "=voyage" not in folded
    full = veille("why", "1", "--rule", "comes", "--full", site=site).out
    assert "=voyage" in full
    missed = veille("why", "2", "--rule", "comes", site=site).out
    assert "✗ comes(@hun_sen)" in missed
    found = json.loads(veille("why", "1", "--rule", "comes", "--json", site=site).out)["explained"]["query"]
    assert found["query"] == "comes(@hun_sen) AND NOT comes(Manet)"
    assert found["parts"][0]["parts"][1]["operator"] == "OR"


def test_why_says_what_came_nearest(veille, site: Site) -> None:
    """For every rule that did not match, unasked."""
    out = " ".join(veille("why", "2", site=site).out.split())
    assert "visit does not match: @hun_sen is absent; none of =visite OR =déplacement stands in the text." in out


def test_why_of_an_unknown_rule(veille, site: Site) -> None:
    """With the nearest id."""
    done = veille("why", "1", "--rule", "visi", site=site)
    assert done.code == 78
    assert "did you mean visit?" in done.err
