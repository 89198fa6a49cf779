"""A pass, the worker and its feeds."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from worker.cli.show.terminal import Facts, at, cell, column, fact, hanging, inert, keep_whole, out, short, table_of
from worker.model.times import counted

if TYPE_CHECKING:
    from worker.runtime.single_pass import Pass


#: Of what is counted, the names that are plurals.
_ONE = {"duplicates": "duplicate", "stories": "story"}
_STATES = {"sent": "green", "failed": "red", "parked": "yellow", "retry": "yellow"}


def poll(done: "Pass") -> None:
    """One line a fact, and the feeds that failed."""
    found = done.as_json()
    for name in ("feeds", "articles", "matches", "deliveries"):
        parts = found[name]
        if isinstance(parts, dict):
            said = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in parts.items() if n) or "none"
            fact(name, said)
    for name, reason in inert(done.failures).items():
        fact("failed", f"{name}: {reason}", "red")


def status(found: Facts) -> None:
    """The worker first, then what needs a person, then the rest."""
    found = inert(found)
    worker = found["worker"]
    if worker is None:
        out.print("[yellow]no worker runs on this store[/]")
    else:
        said = "[green]alive[/]" if worker["alive"] else "[red]not ticking[/]"
        out.print(f"worker {said}: process {worker['pid']} on {escape(worker['host'])}, last tick {at(worker['tick'])}")
    if len(found["workers"]) > 1:
        _cluster(found["workers"], found["queues"])
    if rules := found["rules"]:
        in_force = f"{rules['count']} in force since {at(rules['since'])}, {rules['hash'][:12]}"
        fact("rules", f"{in_force}; last read {at(rules['read'])}")
        for problem in rules["problems"]:
            place = ":".join(str(part) for part in (problem["file"], problem["line"], problem["column"]) if part)
            fix = f" (fix: {problem['fix']})" if problem["fix"] else ""
            fact("refused", f"{place}: {problem['message']}{fix}", "red")
    for name in ("entries", "articles", "stories", "deliveries"):
        said = ", ".join(f"{n} {_ONE.get(what, what) if n == 1 else what}" for what, n in found[name].items() if n)
        fact(name, said or "none")
    for breach in found["ledger"]:
        out.print(f"[red]the ledger does not add up:[/] {escape(breach)}")
    for one in found["conditions"]:
        fact("wrong", f"{one['words']} (since {at(one['since'])})", "red")
    for target, reason in found["parked_targets"].items():
        fact("parked", f"{target}: {reason}", "red")
    for held in found["held_targets"]:
        since = held["failing_since"]
        why = f"fails since {at(since)}" if since else "asked for time"
        then = f", tried again at {at(held['until'])}" if held["until"] else ""
        fact("held up", f"{held['target']}: {why}{then}", "yellow")
    for quarantined in found["quarantine"]:
        which = f"entry {quarantined['entry']} of {quarantined['feed']}"
        fact("put aside", f"{which}: {quarantined['error'][:200]}", "yellow")
    feeds(found["feeds"])
    if found["unsent"]:
        out.print("\n[bold]not sent[/]")
        deliveries(found["unsent"])


def _cluster(workers: Sequence[Facts], queues: Sequence[Facts]) -> None:
    """A line a worker, and a line for what waits for each role."""
    for one in workers:
        said = "" if one["alive"] else ", not ticking"
        line = f"{', '.join(one['roles'])}: process {one['pid']} on {one['host']}, rules {one['rules'][:12]}{said}"
        fact("worker", line, "" if one["alive"] else "red")
    for one in queues:
        since = f", the oldest since {at(one['since'])}" if one["since"] else ""
        fact("waiting", f"{one['role']}: {one['waiting']}{since}")


def ledger(rows: Sequence[Facts], total: int, breaches: Sequence[str], articles: Sequence[Facts] = ()) -> None:
    """The ledger's sums, then the articles where they are asked for."""
    table = table_of("rule", "target", "state", "why", "obligations")
    for row in inert(rows):
        table.add_row(*(escape(str(row[key])) for key in ("rule", "target", "state", "why", "obligations")))
    out.print(table)
    out.print(f"{counted(total, 'obligation')}; the ledger {'does not add up' if breaches else 'adds up'}")
    for breach in breaches:
        out.print(escape(breach), style="red")
    for one in inert(articles):
        out.print(Text(f"{one['article']:>6}  {one['target']}, {one['state']}: {one['title']}"))


def deliveries(rows: Sequence[Facts]) -> None:
    """Print the deliveries that are not sent: their recipients, subjects, and reasons for waiting."""
    if not rows:
        out.print("everything is sent")
        return
    for row in inert(rows):
        state = Text(row["state"], style=_STATES.get(row["state"], ""))
        recipient = "" if row["recipient"].partition(":")[2] == row["target"] else f" ({row['recipient']})"
        out.print(Text(f"{row['delivery']:>5}  {row['target']}{recipient}  ") + state)
        carried = ", ".join(map(str, row["articles"]))
        articles = f" ({'article' if len(row['articles']) == 1 else 'articles'} {carried})" if carried else ""
        lines = (short(row["subject"], 120) + articles, row["sentence"])
        for line in filter(None, lines):
            hanging(Text(" " * 7 + line), 7)


def doctor(rows: Sequence[Facts]) -> None:
    """A line a finding, and what is wrong last; where there are several of a kind, a line each."""
    for row in sorted(rows, key=lambda row: not row["ok"]):
        mark = Text("well  ", style="green") if row["ok"] else Text("wrong ", style="red")
        first, *others = (inert(line) for line in row["words"].splitlines() or [""])
        head = f"{len(others) + 1}:" if others else first
        hanging(mark + Text(f"{inert(row['what']):13} ", style="bold") + Text(head), 20)
        for line in (first, *others) if others else ():
            hanging(Text(" " * 4 + line), 6)


def feeds(rows: Sequence[Facts], *, addresses: bool = False) -> None:
    """A line a feed; below them what no column has room for: failures in words, rhythms, pages, addresses."""
    table = table_of("feed", "entries", "last result", column("next poll"), "every")
    keep_whole(table, 0, (row["name"] for row in rows))
    for row in inert(rows):
        times = f" ({row['failures']}\N{NO-BREAK SPACE}times)" if row["failures"] > 1 else ""
        table.add_row(
            escape(row["name"]),
            str(row["entries"]),
            Text((row["result"] or "not polled yet") + times, style="red" if row["failures"] else ""),
            cell(row["due"]),
            f"{row['interval'] / 60:.0f} min",
        )
    out.print(table)
    for row in inert(rows):
        if row["detail"]:
            hanging(Text(f"{row['name']}: ", style="red" if row["failures"] else "") + Text(row["detail"]), 4)
        if row["interval_why"]:
            minutes = f"{row['interval'] / 60:.0f} min"
            hanging(Text(f"{row['name']} is asked every {minutes}: {row['interval_why']}", style="dim"), 4)
        if row["pages"]:
            pages = ", ".join(f"{count} {was}" for was, count in row["pages"].items())
            hanging(Text(f"pages of {row['name']} in the last week: {pages}", style="dim"), 4)
    for row in inert(rows) if addresses else ():
        out.print(Text(f"{row['name']}: {row['url']}"), soft_wrap=True)


# The quarantine: documents and entries that could not be read.


def quarantine(rows: Sequence[Facts]) -> None:
    """A line each; where there is none, that."""
    if not rows:
        out.print("nothing was put aside")
        return
    table = table_of("number", "feed", column("since"), "reason", "title")
    for row in inert(rows):
        table.add_row(
            row["id"], escape(row["feed"]), cell(row["at"]), escape(short(row["reason"])), escape(short(row["title"]))
        )
    out.print(table)


def quarantined(found: Facts) -> None:
    """One fact a line."""
    for name, value in inert(found).items():
        if isinstance(value, dict):
            for key, inner in value.items():
                _line(f"{name}.{key}", inner)
        else:
            _line(name, value)
    if found["bytes"] is not None:
        size = counted(found["bytes"], "byte")
        out.print(f"`veille quarantine show {escape(found['id'])} --raw` writes the document's {size}")


def _line(name: str, value: object) -> None:
    said = at(value) if isinstance(value, datetime) else "" if value is None else str(value)
    out.print(f"[bold]{escape(name):18}[/] {escape(said[:2000])}")
