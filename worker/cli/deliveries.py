"""`veille deliveries`: what is not sent and why, and another chance for what was given up."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.options import HERE, ConfigFile, Json, fail, opened, print_json, row_number, say
from worker.model import DeliveryState, WaitReason, times
from worker.model.times import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.store import Tx, targets
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


# Deliveries that are not sent, as plain objects: what each is to say, and what it waits for, until when.


Facts = dict[str, Any]

#: By what holds an open delivery; `{until}`.
_HELD = {
    WaitReason.GROUP_WAIT: "waits until {until} for more on the same",
    WaitReason.QUIET_HOURS: "quiet hours until {until}",
    WaitReason.DIGEST: "goes with the digest of {until}",
    WaitReason.THROTTLED: "its rule has sent what the target takes in that time: goes with the digest of {until}",
    WaitReason.REALERT: "an alert of the story was sent lately: the next at {until}",
    WaitReason.ESCALATION: "a reminder: sent at {until} unless somebody acknowledges before",
}


def waiting(tx: "Tx", lines: "Iterable[DeliveryLine]", now: datetime) -> list[Facts]:
    """Each delivery with its subject, its articles, and its wait in a word and in a sentence."""
    from worker.store import ledger, targets

    held = {one.id: one for one in targets.held(tx, now)}
    paced = targets.next_turns(tx, now)
    found = []
    for line in lines:
        carried = ledger.articles_of_delivery(tx, line.id)
        wait, sentence, until = _wait(line, held.get(line.target_id), paced.get(line.target_id), now)
        found.append(
            {
                "delivery": line.id,
                "target": line.target_id,
                "recipient": line.recipient,
                "state": line.state,
                "due": line.due,
                "attempts": line.attempts,
                "subject": line.subject or _title(tx, carried),
                "articles": list(carried),
                "wait": wait,
                "until": until,
                "reason": line.reason or line.detail,
                "sentence": sentence,
            }
        )
    return found


def _title(tx: "Tx", carried: tuple[int, ...]) -> str:
    """The subject of a delivery that is not sealed yet: its first article, and how many more."""
    from worker.store import articles

    stored = articles.get(tx, carried[0]) if carried else None
    more = f" (+{len(carried) - 1})" if len(carried) > 1 else ""
    return f"{stored.article.title}{more}" if stored else ""


def _wait(  # noqa: PLR0911 - one return a case reads best
    line: "DeliveryLine", target: "targets.TargetLine | None", turn: datetime | None, now: datetime
) -> tuple[str, str, datetime | None]:
    """The wait's word, its sentence, and when it is over, where that is known."""
    tries = counted(line.attempts, "attempt")
    why = line.reason or line.detail
    match line.state:
        case DeliveryState.FAILED:
            said = f"given up after {tries}: {why}. `veille deliveries retry {line.id}` tries it again"
            return "given-up", said, None
        case DeliveryState.PARKED:
            return "parked", f"waits until the configuration is right and read again: {why}", None
        case DeliveryState.SEALED:
            return "under-way", f"on its way: attempt {line.attempts} runs, or was cut short", None
    if line.due > now:
        until = times.say(line.due)
        if line.state == DeliveryState.RETRY:
            return "retry", f"tried again at {until}, after {tries}: {why}", line.due
        said = _HELD[WaitReason(line.hold)].format(until=until) if line.hold else f"due at {until}"
        return line.hold or "due", said, line.due
    after = f" (after {tries}: {why})" if line.attempts else ""
    if target is not None and target.parked:
        said = f"its target takes nothing until the configuration is right and read again: {target.parked}"
        return "target-parked", said, None
    if target is not None and target.until is not None:
        reason = f"fails since {times.say(target.failing_since)}" if target.failing_since else "asked for time"
        said = f"its target {reason}: tried with one message at {times.say(target.until)}{after}"
        return "target-failing" if target.failing_since else "target-busy", said, target.until
    if line.after is not None:
        return "thread", f"goes below delivery {line.after}, which is not sent yet", None
    if turn is not None and turn > now:
        said = f"its target takes one message at a time (`rate`): the next at {times.say(turn, times.SECONDS)}{after}"
        return "rate", said, turn
    return "turn", f"its turn comes{after}", line.due
