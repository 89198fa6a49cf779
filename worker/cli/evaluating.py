"""`veille eval`: rules measured on articles whose right answers are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.frame import HERE, ConfigFile, Json, print_json, say

if TYPE_CHECKING:
    from worker.evaluate import Score

app = typer.Typer(help="Measure rules on articles whose right answers are known.", no_args_is_help=True)

RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="A folder of rules; the configuration's, if left out.")
]


@app.command(name="rules")
def rules(
    corpus: Annotated[Path, typer.Argument(help="A .jsonl file of articles with `labels`.")],
    config: ConfigFile = HERE,
    *,
    folder: RulesFolder = None,
    without_weak: Annotated[
        bool, typer.Option("--without-weak", help="Leave out articles whose note begins with [weak.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Precision and recall of each rule, and every article that it judges wrongly, with the reason."""
    from worker.app.clock import clock
    from worker.app.load import load_rules
    from worker.cli import show
    from worker.cli.known import read_corpus
    from worker.evaluate import evaluate_rules, unknown_labels

    ruleset = load_rules(config, folder)
    labelled = [one for one in read_corpus(corpus) if not (without_weak and one.weak)]
    with show.progress("judging", len(labelled)) as step:
        scores = evaluate_rules(labelled, ruleset, clock(), step)
    if as_json:
        print_json({rule: _facts(score) for rule, score in scores.items()})
        return
    show.scores([{"rule": rule} | _facts(score) for rule, score in scores.items()])
    if unknown := unknown_labels(labelled, ruleset):
        say(f"labels of rules that are not there: {', '.join(unknown)}")


def _facts(score: "Score") -> dict[str, Any]:
    from worker.cli.explained import sentence

    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

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
        "precision": rounded(score.precision),
        "recall": rounded(score.recall),
        "f1": rounded(score.f1),
        "wrong": wrong,
    }
