"""A pass, the worker and its feeds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from worker.cli.show.terminal import Facts, at, cell, column, inert, out, short, table_of

if TYPE_CHECKING:
    from worker.engine.once import Pass

_STATES = {"sent": "green", "dead": "red", "parked": "yellow", "retry": "yellow"}


def poll(done: "Pass") -> None:
    """One line a fact, and the feeds that failed."""
    found = done.as_json()
    for name in ("feeds", "articles", "matches", "deliveries"):
        parts = found[name]
        if isinstance(parts, dict):
            said = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in parts.items() if n) or "none"
            out.print(f"[bold]{name:11}[/] {said}")
    for name, reason in inert(done.failures).items():
        out.print(f"[red]failed[/]      {escape(name)}: {escape(reason)}")


def status(found: Facts) -> None:
    """The worker first, then what needs a person, then the rest."""
    found = inert(found)
    worker = found["worker"]
    if worker is None:
        out.print("[yellow]no worker runs on this store[/]")
    else:
        said = "[green]alive[/]" if worker["alive"] else "[red]not ticking[/]"
        out.print(f"worker {said}: process {worker['pid']} on {escape(worker['host'])}, last tick {at(worker['tick'])}")
    if rules := found["rules"]:
        out.print(
            f"[bold]rules      [/] {rules['count']} in force since {at(rules['since'])}, "
            f"{rules['hash'][:12]}; last read {at(rules['read'])}"
        )
        for problem in rules["problems"]:
            place = ":".join(str(part) for part in (problem["file"], problem["line"], problem["column"]) if part)
            mend = f" (mend: {problem['mend']})" if problem["mend"] else ""
            out.print(f"[red]refused[/]     {escape(place)}: {escape(problem['message'])}{escape(mend)}")
    for name in ("entries", "articles", "stories", "deliveries"):
        said = ", ".join(f"{n} {what}" for what, n in found[name].items() if n) or "none"
        out.print(f"[bold]{name:11}[/] {said}")
    for breach in found["ledger"]:
        out.print(f"[red]the ledger does not add up:[/] {escape(breach)}")
    for one in found["conditions"]:
        out.print(f"[red]wrong[/]       {escape(one['words'])} (since {at(one['since'])})")
    for target, reason in found["parked_targets"].items():
        out.print(f"[red]parked[/]      {escape(target)}: {escape(reason)}")
    for held in found["held_targets"]:
        since = held["failing_since"]
        why = f"fails since {at(since)}" if since else "asked for time"
        then = f", tried again at {at(held['until'])}" if held["until"] else ""
        out.print(f"[yellow]held up[/]     {escape(held['target'])}: {why}{then}")
    for quarantined in found["quarantine"]:
        which = f"entry {quarantined['entry']} of {quarantined['feed']}"
        out.print(f"[yellow]put aside[/]   {escape(which)}: {escape(quarantined['error'][:200])}")
    feeds(found["feeds"])
    if found["unsent"]:
        table = table_of("unsent", "target", "state", column("due"), "tries", "reason")
        for line in found["unsent"]:
            state = Text(line["state"], style=_STATES.get(line["state"], ""))
            table.add_row(
                str(line["delivery"]),
                escape(line["target"]),
                state,
                cell(line["due"]),
                str(line["attempts"]),
                escape(line["reason"]),
            )
        out.print(table)


def ledger(rows: Sequence[Facts], total: int, breaches: Sequence[str]) -> None:
    """The ledger's sums."""
    table = table_of("rule", "target", "state", "why", "obligations")
    for row in inert(rows):
        table.add_row(*(escape(str(row[key])) for key in ("rule", "target", "state", "why", "obligations")))
    out.print(table)
    out.print(f"{total} obligations; the ledger {'does not add up' if breaches else 'adds up'}")
    for breach in breaches:
        out.print(escape(breach), style="red")


def deliveries(rows: Sequence[Facts]) -> None:
    """What is not sent, with its reason in a sentence."""
    if not rows:
        out.print("everything is sent")
        return
    table = table_of("delivery", "target", "recipient", "state", "subject", "why")
    for row in inert(rows):
        state = Text(row["state"], style=_STATES.get(row["state"], ""))
        said = (escape(text) for text in (short(row["subject"], 60), row["sentence"]))
        table.add_row(str(row["delivery"]), escape(row["target"]), escape(row["recipient"]), state, *said)
    out.print(table)


def _every(row: Facts) -> str:
    """How often the feed is asked, and why if that was learnt."""
    minutes = f"{row['interval'] / 60:.0f} min"
    return f"{minutes}: {row['interval_why']}" if row["interval_why"] else minutes


def doctor(rows: Sequence[Facts]) -> None:
    """A line a finding, and what is wrong last."""
    for row in sorted(inert(rows), key=lambda row: not row["ok"]):
        mark = "[green]well [/]" if row["ok"] else "[red]wrong[/]"
        out.print(f"{mark} [bold]{escape(row['what']):13}[/] {escape(row['words'])}")


def feeds(rows: Sequence[Facts], *, addresses: bool = False) -> None:
    """A line a feed."""
    columns = ["feed", "entries", "last result", "failures", column("next poll"), "every"]
    table = table_of(*columns, *["address"] * addresses)
    for row in inert(rows):
        result = row["result"] + (f": {row['detail']}" if row["detail"] else "")
        style = "red" if row["failures"] else ""
        table.add_row(
            escape(row["name"]),
            str(row["entries"]),
            Text(result or "not polled yet", style=style),
            str(row["failures"]),
            cell(row["due"]),
            escape(_every(row)),
            *[escape(row["url"])] * addresses,
        )
    out.print(table)
    for row in inert(rows):
        if row["pages"]:
            counted = ", ".join(f"{count} {was}" for was, count in row["pages"].items())
            out.print(escape(f"pages of {row['name']} in the last week: {counted}"), style="dim")
