"""How answers look on a terminal."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from worker.engine.once import Pass

Facts = dict[str, Any]

# What feeds write is shown as they wrote it: no `:smile:` becomes a picture.
#: What is read by a program is not to be folded at a width that nobody sees.
_WIDE = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 1000
_out = Console(emoji=False, highlight=False, width=_WIDE)
_err = Console(stderr=True, emoji=False, highlight=False)
#: What a terminal obeys, line breaks included, and what turns a line around.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STATES = {"sent": "green", "dead": "red", "parked": "yellow", "retry": "yellow"}


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on standard error, if it is a terminal."""
    with Progress(console=_err, disable=not _err.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda name: bar.update(task, advance=1, description=f"{what} {escape(_inert(name)[:40])}")


def _inert(value: Any) -> Any:
    """`value` with every such character in its texts replaced, one for one: marks keep their places."""
    match value:
        case str():
            return _UNSAFE.sub(" ", value)
        case dict():
            return {_inert(key): _inert(one) for key, one in value.items()}
        case list() | tuple():
            return [_inert(one) for one in value]
        case _:
            return value


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def poll(done: "Pass") -> None:
    """One line a fact, and the feeds that failed."""
    found = done.as_json()
    for name in ("feeds", "articles", "matches", "deliveries"):
        parts = found[name]
        if isinstance(parts, dict):
            said = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in parts.items() if n) or "none"
            _out.print(f"[bold]{name:11}[/] {said}")
    for name, reason in _inert(done.failures).items():
        _out.print(f"[red]failed[/]      {escape(name)}: {escape(reason)}")


def status(found: Facts) -> None:
    """The worker first, then what needs a person, then the rest."""
    found = _inert(found)
    worker = found["worker"]
    if worker is None:
        _out.print("[yellow]no worker runs on this store[/]")
    else:
        said = "[green]alive[/]" if worker["alive"] else "[red]not ticking[/]"
        _out.print(
            f"worker {said}: process {worker['pid']} on {escape(worker['host'])}, last tick {_time(worker['tick'])} UTC"
        )
    if rules := found["rules"]:
        _out.print(
            f"[bold]rules      [/] {rules['count']} in force since {_time(rules['since'])} UTC, "
            f"{rules['hash'][:12]}; last read {_time(rules['read'])} UTC"
        )
        for problem in rules["problems"]:
            place = ":".join(str(part) for part in (problem["file"], problem["line"], problem["column"]) if part)
            mend = f" (mend: {problem['mend']})" if problem["mend"] else ""
            _out.print(f"[red]refused[/]     {escape(place)}: {escape(problem['message'])}{escape(mend)}")
    for name in ("entries", "articles", "deliveries"):
        said = ", ".join(f"{n} {what}" for what, n in found[name].items() if n) or "none"
        _out.print(f"[bold]{name:11}[/] {said}")
    for breach in found["ledger"]:
        _out.print(f"[red]the ledger does not add up:[/] {escape(breach)}")
    for target, reason in found["parked_targets"].items():
        _out.print(f"[red]parked[/]      {escape(target)}: {escape(reason)}")
    for quarantined in found["quarantine"]:
        which = f"entry {quarantined['entry']} of {quarantined['feed']}"
        _out.print(f"[yellow]put aside[/]   {escape(which)}: {escape(quarantined['error'][:200])}")
    feeds(found["feeds"])
    if found["unsent"]:
        table = _table("unsent", "target", "state", "due (UTC)", "tries", "reason")
        for line in found["unsent"]:
            state = Text(line["state"], style=_STATES.get(line["state"], ""))
            table.add_row(
                str(line["delivery"]),
                escape(line["target"]),
                state,
                _time(line["due"]),
                str(line["attempts"]),
                escape(line["reason"]),
            )
        _out.print(table)


def feeds(rows: Sequence[Facts], *, addresses: bool = False) -> None:
    """A line a feed."""
    table = _table("feed", "entries", "last result", "failures", "next poll (UTC)", *["address"] * addresses)
    for row in _inert(rows):
        result = row["result"] + (f": {row['detail']}" if row["detail"] else "")
        style = "red" if row["failures"] else ""
        table.add_row(
            escape(row["name"]),
            str(row["entries"]),
            Text(result or "not polled yet", style=style),
            str(row["failures"]),
            _time(row["due"]),
            *[escape(row["url"])] * addresses,
        )
    _out.print(table)


def articles(rows: Sequence[Facts]) -> None:
    """A line an article."""
    table = _table("no", "published", "source", "title", "")
    for row in _inert(rows):
        note = (
            f"copy of {row['duplicate_of']}"
            if row["duplicate_of"]
            else row["origin"]
            if row["origin"] != "feed"
            else ""
        )
        table.add_row(
            str(row["id"]), row["published"][:16], escape(row["source"]), escape(row["title"] or row["name"]), note
        )
    _out.print(table)


def scores(rows: Sequence[Facts]) -> None:
    """A line a rule, then what each judged wrongly."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    table = _table("rule", "tp", "fp", "fn", "tn", "precision", "recall", "F1")
    for row in rows:
        counts = [str(row[name]) for name in ("tp", "fp", "fn", "tn")]
        table.add_row(row["rule"], *counts, share(row["precision"]), share(row["recall"]), share(row["f1"]))
    _out.print(table)
    for row in _inert(rows):
        for wrong in row["wrong"]:
            said = "matches, and should not" if wrong["got"] else "does not match, and should"
            _out.print(f"\n[bold]{row['rule']}[/] {said}: {escape(wrong['id'])} {escape(wrong['title'])}")
            _out.print(Text(f"  {wrong['why']}", style="dim"))


def copies(found: Facts) -> None:
    """A line a kind of edit, then what was misjudged."""
    table = _table("kind", "texts", "right")
    for kind, one in _inert(found["by_kind"]).items():
        table.add_row(escape(kind), str(one["n"]), str(one["right"]))
    _out.print(table)
    for wrong in _inert(found["wrong"]):
        _out.print(escape(f"{wrong['id']}: expected {wrong['expected']}, got {wrong['got']}"))
        _out.print(Text(f"  {wrong['why']}", style="dim"))
    shares = ", ".join(
        f"{name} {found[name] if found[name] is not None else '-'}" for name in ("precision", "recall", "f1")
    )
    _out.print(f"[bold]{shares}[/]")


def mutants(found: Facts) -> None:
    """A line a rule, then the changes that its tests do not notice."""
    table = _table("rule", "score", "caught", "missed", "no change")
    for rule, one in found["rules"].items():
        score = "-" if one["score"] is None else f"{one['score']:.2f}"
        table.add_row(rule, score, str(one["caught"]), str(len(one["missed"])), str(one["equal"]))
    _out.print(table)
    for rule, one in _inert(found["rules"]).items():
        for change in one["missed"]:
            _out.print(Text(f"{rule}: no test notices: {change}", style="dim"))
    if found["score"] is not None:
        _out.print(f"[bold]{found['score']:.1%}[/] of the changes are caught")


def _passages(one: Facts) -> None:
    for passage in one["passages"][:2]:
        line = Text("    " + passage["text"])
        for start, end in passage["marks"]:
            line.stylize("bold reverse", start + 4, end + 4)
        _out.print(line)


def _found(one: Facts, sign: str = " ") -> None:
    silent = f" [not sent: {', '.join(one['suppressed'])}]" if one["suppressed"] else ""
    _out.print(Text(f"{sign} {one['day']}  {one['article']:>6}  {one['title']}{silent}"))
    _passages(one)


def backtest(found: Facts) -> None:
    """The articles, then the days, then the sums."""
    found = _inert(found)
    for one in found["articles"]:
        _found(one)
    if found["days"]:
        most = max(found["days"].values())
        _out.print()
        for day, count in found["days"].items():
            _out.print(Text(f"{day} {'█' * max(1, round(30 * count / most))} {count}"))
    held = ", ".join(f"{count} {reason}" for reason, count in found["suppressed"].items())
    _out.print(
        f"\n[bold]{escape(found['rule'])}[/] matches {found['matched']} articles among {found['texts']} texts since "
        f"{_time(found['since'])} UTC; it would have sent {found['alerts']} alerts{held and f' (not sent: {held})'}"
    )


def diff(found: Facts) -> None:
    """What each rule gains and loses, then the alerts a day."""
    found = _inert(found)
    for rule, one in found["rules"].items():
        if one["gained"] or one["lost"]:
            _out.print(f"\n[bold]{escape(rule)}[/]")
        for gained in one["gained"]:
            _found(gained, "+")
        for lost in one["lost"]:
            _found(lost, "-")
    table = _table("rule", "", "old", "new", "gained", "lost", "overlap")
    for rule, one in found["rules"].items():
        overlap = "-" if one["overlap"] is None else f"{one['overlap']:.0%}"
        counts = [str(one["old"]), str(one["new"]), str(len(one["gained"])), str(len(one["lost"]))]
        table.add_row(rule, "" if one["is"] == "in both" else one["is"], *counts, overlap)
    _out.print()
    _out.print(table)
    for target, days in found["alerts"].items():
        table = _table(f"alerts to {target}", "old", "new")
        for day in sorted(days["old"].keys() | days["new"].keys()):
            table.add_row(day, str(days["old"].get(day, 0)), str(days["new"].get(day, 0)))
        table.add_row("in all", str(sum(days["old"].values())), str(sum(days["new"].values())))
        _out.print(table)


def stats(found: Facts) -> None:
    """A line a rule."""
    table = _table("rule", "µs/article", "matched", "last (UTC)", "relevant", "noise", "missed", "precision")
    for rule, one in _inert(found["rules"]).items():
        table.add_row(
            rule,
            "-" if one["microseconds"] is None else f"{one['microseconds']:.0f}",
            str(one["matched"]),
            _time(one["last"]),
            *[str(one[name]) for name in ("relevant", "noise", "missed")],
            "-" if one["precision"] is None else f"{one['precision']:.0%}",
        )
    _out.print(table)
    _out.print(f"since {_time(found['since'])} UTC; cost of each rule alone, on {found['articles']} articles")


def explained(found: Facts) -> None:
    """A rule's query as a tree, each node with its verdict and its words."""
    said = "[bold green]matches[/]" if found["matches"] else "[bold yellow]does not match[/]"
    _out.print(f"\n[bold]{escape(found['rule'])}[/] {said}: {escape(found['sentence'])}")
    for exclusion in found["exclusions"]:
        _out.print(_branch(exclusion, f"exclusion {exclusion['exclusion']}: "))
    if found["query"]:
        _out.print(_branch(found["query"]))
    if score := found["score"]:
        _out.print(f"score {score['total']} of {score['threshold']}")
        for term in score["terms"]:
            _out.print(_branch(term, f"{term['weight']:+d} "))


def _branch(node: Facts, head: str = "") -> Tree:
    """One node and those below it; words that are absent beside others stand in one line."""
    text = Text("✓ " if node["holds"] else "✗ ", style="green" if node["holds"] else "red")
    text += Text(head + (node["operator"] or _short(node["query"])), style="" if node["holds"] else "dim")
    if node["words"]:
        passages = ", ".join(f"“{_short(span['text'], 60)}”" for span in node["words"][:3])
        text += Text(f"  {passages}" + (f" and {node['count'] - 3} more" if node["count"] > 3 else ""), style="bold")
    elif node["sentence"] and node["miss"] != "absent":
        text += Text(f"  {node['sentence']}", style="yellow")
    branch = Tree(text)
    absent = [part for part in node["parts"] if part["miss"] == "absent" and not part["operator"]]
    gathered = absent if len(absent) > 1 else []
    for part in node["parts"]:
        if not any(part is one for one in gathered):
            branch.add(_branch(part))
    if gathered:
        words = ", ".join(part["query"] for part in gathered)
        branch.add(Text("✗ ", style="red") + Text(_short(words, 200), style="dim"))
    return branch


def _short(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def why(found: Facts) -> None:
    """An article's story in sentences."""
    found = _inert(found)
    _out.print(f"[bold]{escape(found['title'] or found['name'])}[/]")
    facts = f"article {found['id']}, {found['source']}, published {found['published']}, language {found['language']}"
    _out.print(escape(facts))
    if found["link"]:
        _out.print(Text(found["link"], style="blue"))
    _out.print(f"{found['novelty']}: {escape(found['why'])}")
    if found["revision"] > 1:
        _out.print(f"{found['revision']} texts: " + ", ".join(_time(moment) for moment in found["revisions"]))
    for matched in found["matches"]:
        _out.print(
            f"\n[bold green]{escape(matched['rule'])}[/] ({escape(matched['name'])}, {matched['severity']}) matched:",
        )
        for passage in matched["passages"]:
            line = Text("  " + passage["text"])
            for start, end in passage["marks"]:
                line.stylize("bold reverse", start + 2, end + 2)
            _out.print(line)
    if found["explained"]:
        explained(found["explained"])
    if found["ledger"]:
        _out.print()
    for line in found["ledger"]:
        _out.print(escape(line["sentence"]), style="" if line["verdict"] == "owed" else "dim")
    if found["silent"]:
        _out.print()
    for silent in [] if found["explained"] else found["silent"]:
        _out.print(escape(silent["sentence"]), style="dim")
    if found["others"]:
        named = ", ".join(f"{other['id']} ({other['title']})" for other in found["others"])
        _out.print(escape(f"\nother articles that fit: {named}"), style="dim")
