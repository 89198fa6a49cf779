"""`veille eval`: rules, copies and stories measured on articles whose right answers are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import HERE, ConfigFile, Json, fail, print_json, say

if TYPE_CHECKING:
    from worker.evaluate import Score
    from worker.store import Store

app = typer.Typer(help="Measure rules, copies and stories on articles whose answers are known.", no_args_is_help=True)

RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="A folder of rules; the configuration's, if left out.")
]


@app.command(name="rules")
def rules(
    corpus: Annotated[Path, typer.Argument(help="A .jsonl file of articles with `labels`.")],
    config: ConfigFile = HERE,
    *,
    folder: RulesFolder = None,
    call: Annotated[
        str, typer.Option("--call", help="A call of a pattern to measure: visits(@mayor, home = @belleville).")
    ] = "",
    label: Annotated[
        str, typer.Option("--label", help="With --call: the label that it is measured by; the call, if left out.")
    ] = "",
    without_weak: Annotated[
        bool, typer.Option("--without-weak", help="Leave out articles whose note begins with [weak.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Precision and recall of each rule, or of a pattern that is called, and every wrong answer with the reason."""
    from worker.cli import show
    from worker.cli.imports import read_corpus
    from worker.evaluate import evaluate_rules, read_labelled, relabelled, unknown_labels
    from worker.rules import called
    from worker.rules.query import QueryError
    from worker.runtime.clock import clock
    from worker.runtime.load import load_rules

    ruleset = load_rules(config, folder)
    labelled = [one for one in read_corpus(corpus, read_labelled) if not (without_weak and one.weak)]
    if call:
        try:
            called(ruleset, call)
        except QueryError as e:
            fail("\n".join(f"{call}: {fault.message}; {fault.fix}" for fault in e.faults), 1)
        labelled = relabelled(labelled, label or call, call)
        if not labelled:
            fail(f"no article of the corpus has a label {label or call!r}", 1)
    with show.progress("judging", len(labelled)) as step:
        scores = evaluate_rules(labelled, ruleset, clock(), step)
    if as_json:
        print_json({rule: _facts(score) for rule, score in scores.items()})
        return
    show.scores([{"rule": rule} | _facts(score) for rule, score in scores.items()])
    if unknown := unknown_labels(labelled, ruleset):
        say(f"labels of rules that are not there: {', '.join(unknown)}")
    if off := sorted({name for one in labelled for name in one.labels} & {rule.id for rule in ruleset.off}):
        say(f"labels of rules that are switched off: {', '.join(off)}")


@app.command(name="copies")
def copies(
    articles: Annotated[Path, typer.Argument(help="A .jsonl file of articles, stored first, in order.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="COPIES", help="A .jsonl file of texts with `of`, `kind`, `same`.")
    ] = None,
    *,
    itself: Annotated[
        bool, typer.Option("--self", help="Compare each article with those before it, and list every copy found.")
    ] = False,
    each_its_own_host: Annotated[
        bool,
        typer.Option("--each-its-own-host", help="With --self: as if each article came from an outlet of its own."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure how well copies are distinguished from articles that only look alike, on a fresh store of its own."""
    if itself == (file is not None):
        raise typer.BadParameter("give either a file of COPIES or --self")
    if each_its_own_host and not itself:
        raise typer.BadParameter("--each-its-own-host goes with --self")
    if file is None:
        _copies_among(articles, each_its_own_host=each_its_own_host, as_json=as_json)
    else:
        _copies_of(articles, file, as_json=as_json)


def _copies_among(articles: Path, *, each_its_own_host: bool, as_json: bool) -> None:
    """Print each article that is called a copy of one before it."""
    from dataclasses import asdict

    from worker.cli import show
    from worker.cli.imports import read_corpus
    from worker.evaluate import copies_among, read_article
    from worker.runtime.clock import clock

    known = read_corpus(articles, read_article)
    with _fresh_store() as store, show.progress("comparing", len(known)) as step:
        pairs = copies_among(store, known, clock(), each_its_own_host=each_its_own_host, step=step)
    found: dict[str, Any] = {"articles": len(known), "copies": len(pairs), "pairs": [asdict(pair) for pair in pairs]}
    print_json(found) if as_json else show.copies_among(found)


def _copies_of(articles: Path, file: Path, *, as_json: bool) -> None:
    """Print how many labelled copies are found."""
    from worker.cli import show
    from worker.cli.imports import read_corpus
    from worker.evaluate import evaluate_copies, read_article, read_copy
    from worker.runtime.clock import clock

    known, labelled = read_corpus(articles, read_article), read_corpus(file, read_copy)
    with _fresh_store() as store, show.progress("storing", len(known) + len(labelled)) as step:
        score = evaluate_copies(store, known, labelled, clock(), step)
    found: dict[str, Any] = {
        "precision": _rounded(score.precision),
        "recall": _rounded(score.recall),
        "f1": _rounded(score.f1),
        "by_kind": {kind: {"n": n, "right": score.right[kind]} for kind, n in sorted(score.texts.items())},
        "wrong": [{"id": w.id, "expected": w.expected, "got": w.got, "why": w.why} for w in score.wrong],
    }
    print_json(found) if as_json else show.copies(found)


@app.command(name="stories")
def stories(
    corpus: Annotated[Path, typer.Argument(help="A .jsonl file with `story`, or a .tsv of topic and headline.")],
    *,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A,B: pairs of these stories count for nothing; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how well events are distinguished, on a fresh store of its own."""
    from dataclasses import asdict

    from worker.cli import show
    from worker.cli.imports import read_corpus, read_headlines
    from worker.evaluate import evaluate_stories, read_story
    from worker.runtime.clock import clock

    labelled = read_headlines(corpus) if corpus.suffix == ".tsv" else read_corpus(corpus, read_story)
    ignored = [frozenset(part.strip() for part in names.split(",")) for names in ignore or ()]
    with _fresh_store() as store, show.progress("storing", len(labelled)) as step:
        score = evaluate_stories(store, labelled, clock(), ignored=ignored, step=step)
    found: dict[str, Any] = {
        name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(score).items()
    }
    print_json(found) if as_json else show.story_scores(found, {one.known.id: one for one in labelled})


@contextmanager
def _fresh_store() -> Iterator["Store"]:
    """A store that is gone afterwards."""
    import tempfile

    from worker.store import open_store

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/eval.db", create=True)
        try:
            yield store
        finally:
            store.close()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _facts(score: "Score") -> dict[str, Any]:
    from worker.console.views.explained import sentence

    wrong = [
        {
            "id": one.id,
            "expected": one.expected,
            "got": one.got,
            "title": one.title,
            "why": sentence(one.explanation, one.document),
        }
        for one in score.wrong
    ]
    return {
        "tp": score.tp,
        "fp": score.fp,
        "fn": score.fn,
        "tn": score.tn,
        "precision": _rounded(score.precision),
        "recall": _rounded(score.recall),
        "f1": _rounded(score.f1),
        "wrong": wrong,
    }
