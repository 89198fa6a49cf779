"""`veille deliveries`: what is not sent and why, and another chance for what was given up."""

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import HERE, ConfigFile, Json, fail, opened, print_json, row_number, say

if TYPE_CHECKING:
    from worker.store.deliveries import DeliveryLine

app = typer.Typer(help="List what is not sent, and retry what was given up.")

#: As many as one statement can name.
_MANY = 20_000
_STATES = ("open", "sealed", "retry", "parked", "failed")
TargetId = Annotated[str, typer.Option("--target", help="Only of this target.")]


@app.callback(invoke_without_command=True)
def deliveries(
    context: typer.Context,
    config: ConfigFile = HERE,
    *,
    state: Annotated[
        list[str] | None, typer.Option("--state", help="open, sealed, retry, parked or failed; may be repeated.")
    ] = None,
    target: TargetId = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 100,
    as_json: Json = False,
) -> None:
    """List the deliveries that are not sent, the oldest first, each with its reason."""
    if context.invoked_subcommand is not None:
        return
    from worker.cli import show
    from worker.console.views.deliveries import waiting
    from worker.runtime.clock import clock
    from worker.store import deliveries as stored

    if wrong := [one for one in state or () if one not in _STATES]:
        fail(f"{wrong[0]!r} is no state of a delivery that is not sent: {', '.join(_STATES)}", 1)
    with opened(config) as (_, store), store.read() as tx:
        lines = stored.unsent(tx, limit=limit, states=state or (), target_id=target)
        found = waiting(tx, lines, clock())
    if as_json:
        print_json(found)
    else:
        show.deliveries(found)


@app.command()
def retry(
    ids: Annotated[
        list[int] | None, typer.Argument(parser=row_number, metavar="ID", help="Numbers of deliveries.")
    ] = None,
    config: ConfigFile = HERE,
    *,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="All that were given up.")] = False,
    target: TargetId = "",
    as_json: Json = False,
) -> None:
    """Make failed or parked deliveries due again; what was sealed goes out as it was sealed."""
    from worker.runtime.clock import clock
    from worker.store import deliveries as stored

    if bool(ids) is all_failed:
        fail("say which: the numbers of deliveries, or --all-failed", 1)
    with opened(config) as (_, store), store.write() as tx:
        lines = stored.lines(tx, ids) if ids else stored.unsent(tx, states=["failed"], target_id=target, limit=_MANY)
        revived = stored.revive(tx, [line.id for line in lines if target in ("", line.target_id)], clock())
    missing = sorted(set(ids or ()) - {line.id for line in lines})
    answers = {line.id: _answer(line, target, revived=line.id in revived) for line in lines}
    answers |= dict.fromkeys(missing, "there is no such delivery")
    if as_json:
        print_json({"due": sorted(revived), "answers": answers})
    elif answers:
        say("\n".join(f"{number}: {answer}" for number, answer in sorted(answers.items())))
    else:
        say("nothing was given up")
    if set(ids or ()) - set(revived):
        raise SystemExit(1)


def _answer(line: "DeliveryLine", target: str, *, revived: bool) -> str:
    if revived:
        return f"due again (was {line.state}: {line.reason or line.detail})"
    if target not in ("", line.target_id):
        return f"belongs to target {line.target_id}"
    return "was sent" if line.state == "sent" else f"is {line.state}, and comes by itself"
