"""`veille replay`: what would have been told, had these rules been in force."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.frame import HERE, ConfigFile, Json, Since, fail, loaded, moment, print_json

if TYPE_CHECKING:
    from worker.replay import Again, Compared

RulesFolder = Annotated[
    Path | None, typer.Option("--rules", help="A folder of rules to try; the configuration's, if left out.")
]


def replay(
    config: ConfigFile = HERE,
    *,
    since: Since,
    folder: RulesFolder = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Nothing is sent or stored: there is no other way.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run what was kept through everything once more, and compare it with the ledger.

    With the rules in force every match, verdict and byte is the same again; exit 1 if one is not. With --rules: what
    would have been told more, and what less.
    """
    import asyncio
    from dataclasses import replace

    from worker.app.load import load_rules
    from worker.app.replaying import again, many
    from worker.cli import show
    from worker.replay import compare

    if not dry_run:
        fail("a replay only ever compares: say --dry-run", 2)
    live = loaded(config)
    if folder is not None:
        live = replace(live, ruleset=load_rules(config, folder, tested=True))
    begin = moment(since)
    with show.progress("replaying", many(live, begin)) as step:
        done = asyncio.run(again(live, begin, step))
    found = facts(done, compare(done), tried=folder is not None)
    found = {"since": begin, **found}
    print_json(found) if as_json else show.replay(found)
    if folder is None and not found["same"]:
        raise typer.Exit(1)


def facts(done: "Again", compared: "Compared", *, tried: bool) -> dict[str, Any]:
    """The documented object, every key present."""
    return {
        "start": done.start,
        "tried": tried,
        "same": compared.same,
        "events": dict(sorted(done.events.items())),
        "articles_known": done.known,
        **{
            name: {key: counts[key] for key in ("then", "now", "same", "more", "less", "other")}
            for name, counts in (
                ("matches", compared.matches),
                ("obligations", compared.obligations),
                ("messages", compared.messages),
            )
        },
        "rules": {
            rule: {
                "matches": {key: sums.matches[key] for key in ("then", "now", "more", "less", "other")},
                "told": {key: sums.told[key] for key in ("then", "now", "more", "less")},
                "rewritten": compared.rewritten[rule],
            }
            for rule, sums in sorted(compared.rules.items())
        },
        "changes": [asdict(change) for change in compared.changes],
        "resealed": [
            {"kind": kind, "delivery": key, "then": then, "now": now} for kind, key, then, now in compared.resealed
        ],
        "not_replayed": {
            **asdict(done.skipped),
            "lines_not_compared": compared.not_compared,
            "messages_begun_before": compared.messages["begun"],
        },
    }
