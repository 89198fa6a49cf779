"""Measurements and trials of rules: a line a rule, then the articles."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.text import Text

from worker.cli.show.terminal import Facts, at, cell, column, inert, out, passages, table_of
from worker.model.times import counted


def scores(rows: Sequence[Facts]) -> None:
    """A line a rule, then what each judged wrongly."""

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    table = table_of("rule", "tp", "fp", "fn", "tn", "precision", "recall", "F1")
    for row in rows:
        counts = [str(row[name]) for name in ("tp", "fp", "fn", "tn")]
        table.add_row(row["rule"], *counts, share(row["precision"]), share(row["recall"]), share(row["f1"]))
    out.print(table)
    for row in inert(rows):
        for wrong in row["wrong"]:
            said = "matches, and should not" if wrong["got"] else "does not match, and should"
            out.print(f"\n[bold]{row['rule']}[/] {said}: {escape(wrong['id'])} {escape(wrong['title'])}")
            out.print(Text(f"  {wrong['why']}", style="dim"))


def copies(found: Facts) -> None:
    """A line a kind of edit, then what was misjudged."""
    table = table_of("kind", "texts", "right")
    for kind, one in inert(found["by_kind"]).items():
        table.add_row(escape(kind), str(one["n"]), str(one["right"]))
    out.print(table)
    for wrong in inert(found["wrong"]):
        out.print(escape(f"{wrong['id']}: expected {wrong['expected']}, got {wrong['got']}"))
        out.print(Text(f"  {wrong['why']}", style="dim"))
    shares = ", ".join(
        f"{name} {found[name] if found[name] is not None else '-'}" for name in ("precision", "recall", "f1")
    )
    out.print(f"[bold]{shares}[/]")


def copies_among(found: Facts) -> None:
    """Each pair with both titles, its score and the reason; then how many there are."""
    for pair in inert(found["pairs"]):
        out.print(escape(f"{pair['id']}: {pair['title']}"))
        out.print(escape(f"  {pair['of']}: {pair['of_title']}"))
        out.print(Text(f"  {pair['score']:.2f}  {pair['why']}", style="dim"))
    out.print(f"[bold]{found['copies']} of {found['articles']} called a copy[/]")


def story_scores(found: Facts, labelled: Mapping[str, Any]) -> None:
    """The stories of several articles with their labels, then the scores."""
    together: dict[int, list[str]] = {}
    for name, story in found["assigned"].items():
        together.setdefault(story, []).append(name)
    for story, names in together.items():
        if len(names) > 1:
            labels = sorted({labelled[name].story for name in names})
            out.print(f"[bold]story {story}[/] {escape(inert(', '.join(labels)))}")
            for name in names:
                out.print(Text(f"  {inert(name)}  {inert(labelled[name].known.title)}", style="dim"))
    pairs = ("pair_precision", "pair_recall", "pair_f1", "bcubed_f1", "ari", "stories")
    for name in (*pairs, "strong_precision", "strong_recall", "strong_stories"):
        out.print(f"[bold]{name:16}[/] {'-' if found[name] is None else found[name]}")


def mutants(found: Facts) -> None:
    """A line a rule, then the changes that its tests do not notice."""
    table = table_of("rule", "score", "caught", "missed", "no change")
    for rule, one in found["rules"].items():
        score = "-" if one["score"] is None else f"{one['score']:.2f}"
        table.add_row(rule, score, str(one["caught"]), str(len(one["missed"])), str(one["equal"]))
    out.print(table)
    for rule, one in inert(found["rules"]).items():
        for change in one["missed"]:
            out.print(Text(f"{rule}: no test notices: {change}", style="dim"))
    if found["score"] is not None:
        out.print(f"[bold]{found['score']:.1%}[/] of the changes are caught")


def survey(found: Facts) -> None:
    """A line a rule, then what is to be read of it."""
    found = inert(found)
    table = table_of("rule", "fires on", "labelled right", "wrong")
    for rule, one in found["rules"].items():
        table.add_row(rule, str(one["fired"]), str(one["right"]), str(one["wrong"]))
    out.print(table)
    out.print(counted(found["articles"], "article"))
    for rule, one in found["rules"].items():
        if one["sample"]:
            out.print(f"\n[bold]{escape(rule)}[/]")
        for article in one["sample"]:
            out.print(Text(f"  {article['id']}  {article['title']}"))
            out.print(Text("    " + ", ".join(f"“{passage}”" for passage in article["spans"]), style="dim"))


def _found(one: Facts, sign: str = " ") -> None:
    why = one["suppressed"] if one["origin"] == "feed" else ["imported"]
    silent = f" [not sent: {', '.join(why)}]" if why else ""
    out.print(Text(f"{sign} {one['day']}  {one['article']:>6}  {one['title']}{silent}"))
    passages(one)


def backtest(found: Facts) -> None:
    """The sums, then the days, then the articles."""
    found = inert(found)
    out.print(
        f"[bold]{escape(found['rule'])}[/] matches {counted(found['matched'], 'article')} among "
        f"{counted(found['texts'], 'text')} since {at(found['since'])}"
    )
    owed = f"{counted(found['obligations'], 'obligation')}: one for each rule, article and recipient"
    out.print(f"it would have sent {counted(found['messages'], 'message')} ({owed})")
    if found["suppressed"]:
        held = ", ".join(f"{count} {reason}" for reason, count in found["suppressed"].items())
        out.print(f"not sent: {held}")
    if imported := found["imported"]:
        are = "is an import" if imported == 1 else "are imports"
        out.print(f"{imported} of the articles {are}, known before the first poll: nothing is ever sent on these")
    if found["days"]:
        most = max(found["days"].values())
        out.print()
        for day, count in found["days"].items():
            out.print(Text(f"{day} {'█' * max(1, round(30 * count / most))} {count}"))
    for wave in found["waves"]:
        began = f"wave of {at(wave['began'])}, article {wave['article']}"
        out.print(Text(f"{began}: at most {counted(wave['most'], 'story')}, {counted(wave['alerts'], 'alert')}"))
    if found["articles"]:
        out.print()
    for one in found["articles"]:
        _found(one)


def diff(found: Facts) -> None:
    """Print the matches that each rule gains and loses, then the alerts a day."""
    found = inert(found)
    for rule, one in found["rules"].items():
        if one["gained"] or one["lost"]:
            out.print(f"\n[bold]{escape(rule)}[/]")
        for gained in one["gained"]:
            _found(gained, "+")
        for lost in one["lost"]:
            _found(lost, "-")
    table = table_of("rule", "", "old", "new", "gained", "lost", "overlap")
    for rule, one in found["rules"].items():
        overlap = "-" if one["overlap"] is None else f"{one['overlap']:.0%}"
        counts = [str(one["old"]), str(one["new"]), str(len(one["gained"])), str(len(one["lost"]))]
        table.add_row(rule, "" if one["is"] == "in both" else one["is"], *counts, overlap)
    out.print()
    out.print(table)
    for rule, one in found["rules"].items():
        if any(one["waves"].values()):
            out.print(f"waves of {escape(rule)}: {one['waves']['old']} before, {one['waves']['new']} after")
    for target, days in found["alerts"].items():
        table = table_of(f"alerts to {target}", "old", "new")
        for day in sorted(days["old"].keys() | days["new"].keys()):
            table.add_row(day, str(days["old"].get(day, 0)), str(days["new"].get(day, 0)))
        table.add_row("in all", str(sum(days["old"].values())), str(sum(days["new"].values())))
        out.print(table)


def stats(found: Facts) -> None:
    """A line a rule."""
    table = table_of("rule", "µs/article", "matched", column("last"), "relevant", "noise", "missed", "precision")
    for rule, one in inert(found["rules"]).items():
        table.add_row(
            rule,
            "-" if one["microseconds"] is None else f"{one['microseconds']:.0f}",
            str(one["matched"]),
            cell(one["last"]),
            *[str(one[name]) for name in ("relevant", "noise", "missed")],
            "-" if one["precision"] is None else f"{one['precision']:.0%}",
        )
    out.print(table)
    out.print(f"since {at(found['since'])}; cost of each rule alone, on {counted(found['articles'], 'article')}")
