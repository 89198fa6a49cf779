"""`veille replay`: kept documents read again, and how the outcome differs from what the store holds."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import HERE, ConfigFile, Json, Since, loaded, moment, print_json

if TYPE_CHECKING:
    from worker.evaluate.replay import Rerun

RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="A folder of rules to try; the configuration's, if left out.")
]


def replay(
    config: ConfigFile = HERE,
    *,
    since: Since,
    folder: RulesFolder = None,
    as_json: Json = False,
) -> None:
    """Read the documents that are kept once more, and compare what comes of them with the store.

    Articles, copies, stories and matches, with the rules in force or those of --rules. Nothing is fetched, sent or
    stored. Exit 1 if, with the rules in force, something differs.
    """
    import asyncio
    from dataclasses import replace
    from functools import partial

    from worker.cli import show
    from worker.runtime.load import load_rules
    from worker.runtime.replaying import again

    live = loaded(config)
    if folder is not None:
        live = replace(live, ruleset=load_rules(config, folder, tested=True))
    begin = moment(since)
    found = facts(asyncio.run(again(live, begin, partial(show.progress, "replaying"))), tried=folder is not None)
    print_json(found) if as_json else show.replay(found)
    if folder is None and not found["same"]:
        raise typer.Exit(1)


def facts(done: "Rerun", *, tried: bool) -> dict[str, Any]:
    """The documented object, every key present."""
    from worker.evaluate.replay import What

    keys = ("then", "now", "same", "more", "less", "other")
    found = done.differences
    sums = {"articles": What.ARTICLE, "copies": What.COPY, "stories": What.STORY, "matches": What.MATCH}
    return {
        "since": done.start,
        "tried": tried,
        "same": not found.changes,
        "documents": done.documents,
        **{name: {key: found.counts[what][key] for key in keys} for name, what in sums.items()},
        "rules": {rule: {key: counts[key] for key in keys} for rule, counts in sorted(found.rules.items())},
        "changes": [asdict(change) for change in found.changes],
        "not_compared": {
            "bytes_gone": done.bytes_gone,
            "feeds_gone": done.feeds_gone,
            "copies_of_others": found.copies_of_others,
        },
    }
