"""`veille rules`: what a set of rules does, before and after it goes live."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import (
    HERE,
    ArticleName,
    ConfigFile,
    Json,
    Since,
    fail,
    moment,
    one_article,
    opened,
    print_json,
    say,
    user_name,
)
from worker.errors import UserError
from worker.model.times import counted

if TYPE_CHECKING:
    from datetime import datetime

    from worker.console.views.history import Past
    from worker.rules import RuleSet

app = typer.Typer(help="Check, test, try and measure rules.", no_args_is_help=True)

RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="A folder of rules; the configuration's, if left out.")
]


@app.command()
def check(config: ConfigFile = HERE, *, folder: RulesFolder = None, as_json: Json = False) -> None:
    """Read the rules and run their tests, and report every mistake with its place and its fix."""
    from worker.runtime.load import load_rules

    try:
        ruleset = load_rules(config, folder, tested=True)
    except UserError as e:
        if as_json:
            print_json({"problems": [asdict(problem) for problem in e.problems]})
        raise
    tests = sum(len(rule.tests) for rule in (*ruleset.rules, *ruleset.calls))
    if as_json:
        counts = {"rules": len(ruleset.rules), "patterns": len(ruleset.patterns), "sets": len(ruleset.sets)}
        print_json(counts | {"tests": tests, "problems": []})
        return
    if not ruleset.rules:
        say("there is no rule, so no alert is sent: add a *.toml file with a [[rule]]")
    for remark in ruleset.remarks():
        say(str(remark))
    counts = {"rule": len(ruleset.rules), "pattern": len(ruleset.patterns), "set": len(ruleset.sets), "test": tests}
    said = ", ".join(counted(number, what) for what, number in counts.items() if number or what != "pattern")
    say(f"{said}; all is well")


@app.command(name="test")
def run_tests(
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RULE]...", help="Rules; all in force, if left out."),
    ] = None,
    config: ConfigFile = HERE,
    *,
    folder: RulesFolder = None,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Change each rule in many small ways: do its tests notice?")
    ] = False,
    as_json: Json = False,
) -> None:
    r"""Run the rules' own [\[rule.test]] cases; exit 1 if one fails."""
    from worker.rules.match import failing_tests
    from worker.runtime.clock import clock
    from worker.runtime.load import load_rules

    ruleset = load_rules(config, folder)
    ids = _known(ruleset, only, ruleset.patterns)
    ruleset = ruleset.switched_on(only or ())
    chosen = [rule for rule in (*ruleset.rules, *ruleset.calls) if rule.id in ids or rule.id.partition("(")[0] in ids]
    failures = failing_tests(ruleset, clock(), ids)
    if failures:
        if as_json:
            print_json({"tests": sum(len(rule.tests) for rule in chosen), "failures": [str(f) for f in failures]})
        fail("\n".join(str(failure) for failure in failures), 1)
    if mutants:
        _mutants(ruleset, [name for name in ids if name not in ruleset.patterns], as_json=as_json)
    elif as_json:
        print_json({"tests": sum(len(rule.tests) for rule in chosen), "failures": []})
    else:
        what = "rules and patterns" if ruleset.patterns and len(ids) != 1 else "rule" + "s" * (len(ids) != 1)
        tests = sum(len(rule.tests) for rule in chosen)
        say(f"{counted(tests, 'test')} of {len(ids)} {what} {'holds' if tests == 1 else 'hold'}")


def _mutants(ruleset: "RuleSet", ids: list[str], *, as_json: bool) -> None:
    from worker.cli import show
    from worker.evaluate import Mutation, mutate
    from worker.runtime.clock import clock

    def score(outcomes: Iterable[Mutation]) -> float | None:
        counts = [(one.caught, one.caught + len(one.missed)) for one in outcomes]
        caught, real = (sum(count[number] for count in counts) for number in (0, 1))
        return round(caught / real, 4) if real else None

    done: dict[str, Mutation] = {}
    with show.progress("changing", len(ids)) as step:
        for rule, outcome in mutate(ruleset, clock(), ids):
            done[rule] = outcome
            step(rule)
    rules = {rule: {"score": score([one])} | asdict(one) for rule, one in done.items()}
    found = {"score": score(done.values()), "rules": rules}
    print_json(found) if as_json else show.mutants(found)


def _known(ruleset: "RuleSet", only: list[str] | None, patterns: Collection[str] = ()) -> list[str]:
    """The ids asked for, or those in force; rules that are switched off, and `patterns`, may be asked for too."""
    from worker.rules.query import suggestion

    known = [*(rule.id for rule in ruleset.written), *patterns]
    for name in only or ():
        if name not in known:
            fail(f"no rule has the id {name!r}; {suggestion(name, known) or 'one of: ' + ', '.join(known)}", 1)
    off = {rule.id for rule in ruleset.off}
    return list(only or (name for name in known if name not in off))


@contextmanager
def _past(config: Path, *, since: "datetime") -> Iterator["Past"]:
    """The stored texts since then, at one moment of the configuration's store."""
    from worker.cli import show
    from worker.console.views.history import Past

    with opened(config) as (_, store), store.read() as tx:
        yield Past(tx=tx, since=since, progress=show.progress)


@app.command()
def backtest(
    rule: Annotated[str, typer.Argument(help="A rule's id.")],
    config: ConfigFile = HERE,
    *,
    since: Since = "90d",
    folder: RulesFolder = None,
    as_json: Json = False,
) -> None:
    """Show the matches that a rule would have had in the store, day by day, and the alerts that it would have sent."""
    from worker.cli import show
    from worker.console.views import history as trying
    from worker.runtime.load import load_rules, with_rules

    ruleset = load_rules(config, folder)
    _known(ruleset, [rule])
    with _past(config, since=moment(since)) as history:
        found = trying.backtest(history, with_rules(config, ruleset.switched_on([rule]).only([rule])), rule)
    print_json(found) if as_json else show.backtest(found)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A folder of rules; alone, it is compared with the live rules.")],
    new: Annotated[Path | None, typer.Argument(help="Another one.")] = None,
    config: ConfigFile = HERE,
    *,
    since: Since = "90d",
    as_json: Json = False,
) -> None:
    """Show the matches that another set of rules would gain and lose, rule by rule, and the alerts a day."""
    from worker.cli import show
    from worker.console.views import history as trying
    from worker.runtime.load import load_rules, with_rules

    before, after = (None, old) if new is None else (old, new)
    sets = [with_rules(config, load_rules(config, folder)) for folder in (before, after)]
    with _past(config, since=moment(since)) as history:
        found = trying.diff(history, *sets)
    print_json(found) if as_json else show.diff(found)


@app.command()
def survey(
    articles: Annotated[Path, typer.Argument(help="A .jsonl file of articles, labelled or not.")],
    config: ConfigFile = HERE,
    *,
    folder: RulesFolder = None,
    most: Annotated[int, typer.Option("--sample", min=1, help="Articles to read of each rule.")] = 20,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="A .jsonl file in which the sample is kept to be labelled; labels there count."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what every rule fires on in unlabelled text, with the words: a sample to read and to label."""
    from worker.cli import show
    from worker.cli.imports import read_corpus, read_lines
    from worker.evaluate import read_labelled, to_label
    from worker.evaluate import survey as surveyed
    from worker.runtime.clock import clock
    from worker.runtime.load import load_rules

    ruleset = load_rules(config, folder)
    before = read_lines(labels) if labels is not None and labels.exists() else {}
    given = {name: line.get("labels", {}) for name, line in before.items()}
    read = read_corpus(articles, read_labelled)
    with show.progress("reading", len(read)) as step:
        found = surveyed(read, ruleset, clock(), most=most, labels=given, step=step)
    if labels is not None:
        labels.write_text("".join(f"{line}\n" for line in to_label(found.sample, before)), "utf-8")
    facts: dict[str, Any] = {
        "articles": found.articles,
        "rules": {
            rule: {
                "fired": count,
                "right": found.labelled.get(rule, (0, 0))[0],
                "wrong": found.labelled.get(rule, (0, 0))[1],
                "sample": [
                    {"id": one.article.known.id, "title": one.article.known.title, "spans": one.passages}
                    for one in found.sample
                    if one.rule == rule
                ],
            }
            for rule, count in found.fired.items()
        },
    }
    print_json(facts) if as_json else show.survey(facts)


@app.command()
def stats(
    config: ConfigFile = HERE, *, since: Since = "90d", folder: RulesFolder = None, as_json: Json = False
) -> None:
    """Each rule's cost, its matches, and its precision by what analysts said of them."""
    from worker.cli import show
    from worker.console.views import history as trying
    from worker.runtime.load import load_rules

    ruleset = load_rules(config, folder)
    with _past(config, since=moment(since)) as history:
        found = trying.stats(history, ruleset)
    print_json(found) if as_json else show.stats(found)


@app.command()
def label(
    article: ArticleName,
    rule: Annotated[str, typer.Argument(help="A rule's id.")],
    judgement: Annotated[
        str, typer.Argument(metavar="relevant|noise|none", help="Should the rule match it? `none` takes it back.")
    ],
    config: ConfigFile = HERE,
    *,
    by: Annotated[str, typer.Option("--by", help="Who says so; the name of the system's user, if left out.")] = "",
    as_json: Json = False,
) -> None:
    """Say whether an article is what a rule is for; `stats` counts it, and the last word counts."""
    from worker.model import Judgement
    from worker.runtime.clock import clock
    from worker.runtime.load import load_rules
    from worker.store import articles, judgements

    if judgement != "none":
        _known(load_rules(config), [rule])
    if judgement not in {*Judgement, "none"}:
        fail(f"{judgement!r} is no judgement: relevant, noise or none", 1)
    with opened(config) as (_, store):
        article_id = one_article(store, article)
        with store.write() as tx:
            if judgement != "none":
                judgements.judge(tx, article_id, rule, Judgement(judgement), clock(), author=by or user_name())
            elif not judgements.take_back(tx, article_id, rule):
                fail(f"article {article_id} has no label for {rule!r}: `veille why {article_id}` lists them", 1)
            found = articles.get(tx, article_id)
    title = found.article.title if found else ""
    if as_json:
        print_json({"article": article_id, "rule": rule, "judgement": judgement})
        return
    say(f"article {article_id} ({title}) " + (f"is {judgement} for {rule}" if judgement != "none" else "has no label"))
