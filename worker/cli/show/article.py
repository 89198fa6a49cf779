"""Articles, stories, and why a rule matches."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from worker.cli.show.terminal import Facts, at, cell, column, hanging, inert, out, short, titled
from worker.model import called
from worker.model.times import counted


def articles(rows: Sequence[Facts]) -> None:
    """A line an article; two where the terminal is narrow."""
    lines = []
    for row in inert(rows):
        note = f"copy of {row['duplicate_of']}" if row["duplicate_of"] else row["origin"].replace("feed", "")
        lines.append(((str(row["id"]), _date(row["published"]), row["source"], note), _called(row)))
    titled(("no", column("published"), "source", ""), lines, [row["source"] for row in rows])


def _called(row: Facts) -> str:
    return called(row["title"], row["origin"], row["name"])


def _date(said: str, form: Callable[[datetime], str] = cell) -> str:
    """An article's date, which may be known to the year, month or day alone."""
    return form(datetime.fromisoformat(said)) if "T" in said else said


def stories(rows: Sequence[Facts]) -> None:
    """A line a story; two where the terminal is narrow."""
    names = [outlet for row in rows for outlet in row["outlets"]]
    lines = []
    for row in inert(rows):
        perhaps = f"perhaps {row['perhaps']['story']}" if row["perhaps"] else ""
        outlets = ", ".join(row["outlets"])
        cells = (str(row["id"]), _date(row["last_seen"]), str(row["articles"]), outlets, perhaps)
        lines.append((cells, row["title"]))
    titled(("story", column("last"), "articles", "outlets", ""), lines, names)


def story(found: Facts) -> None:
    """One story: its articles by time, each with why it stands here."""
    found = inert(found)
    out.print(f"[bold]{escape(found['title'])}[/]")
    if found["merged_into"]:
        out.print(f"it turned out to be story {found['merged_into']}")
    outlets = f" in {', '.join(found['outlets'])}" if found["outlets"] else ""
    span = f"{_date(found['first_seen'])} to {_date(found['last_seen'], at)}"
    out.print(escape(f"story {found['id']}, {counted(found['articles'], 'article')}{outlets}, {span}"))
    if found["perhaps"]:
        out.print(escape(_perhaps(found["perhaps"])))
    for other in found["pointing"]:
        out.print(escape(f"story {other['story']} is perhaps the same: {other['title']}"))
    for correction in found["hands"]:
        out.print(escape(correction))
    for line in found["timeline"]:
        out.print()
        hanging(Text(f"{_date(line['published'])}  {line['article']:>5}  {line['source']}: {line['title']}"), 4)
        hanging(Text(f"    {line['why']}", style="dim"), 4)


def explained(found: Facts, *, full: bool = False) -> None:
    """A rule's query as a tree, each node with its verdict and its words; patterns whole only if `full`."""
    said = "[bold green]matches[/]" if found["matches"] else "[bold yellow]does not match[/]"
    out.print(f"\n[bold]{escape(found['rule'])}[/] {said}: {escape(found['sentence'])}")
    for exclusion in found["exclusions"]:
        out.print(_branch(exclusion, f"exclusion {exclusion['exclusion']}: ", full=full))
    if found["query"]:
        out.print(_branch(found["query"], full=full))
    if score := found["score"]:
        out.print(f"score {score['total']} of {score['threshold']}")
        for term in score["terms"]:
            out.print(_branch(term, f"{term['weight']:+d} ", full=full))


def _branch(node: Facts, head: str = "", *, full: bool) -> Tree:
    """One node and those below it; words that are absent beside others stand in one line.

    Of a pattern, its call and the words that decide, unless it is to be shown in full.
    """
    text = Text("✓ " if node["holds"] else "✗ ", style="green" if node["holds"] else "red")
    text += Text(
        head + (short(node["call"]) or node["operator"] or short(node["query"])), style="" if node["holds"] else "dim"
    )
    if node["words"]:
        passages = ", ".join(f"“{short(span['text'], 60)}”" for span in node["words"][:3])
        text += Text(f"  {passages}" + (f" and {node['count'] - 3} more" if node["count"] > 3 else ""), style="bold")
    elif node["sentence"] and node["miss"] != "absent":
        text += Text(f"  {node['sentence']}", style="yellow")
    branch = Tree(text)
    parts = node["rests_on"] if node["call"] and not full else node["parts"]
    absent = [part for part in parts if part["miss"] == "absent" and not part["operator"]]
    gathered = absent if len(absent) > 1 else []
    for part in parts:
        if not any(part is one for one in gathered):
            branch.add(_branch(part, full=full))
    if gathered:
        words = ", ".join(part["query"] for part in gathered)
        branch.add(Text("✗ ", style="red") + Text(short(words, 200), style="dim"))
    return branch


def _place(story: Facts) -> str:
    outlets = f" in {', '.join(story['outlets'])}" if story["outlets"] else ""
    return f"story {story['id']} ({counted(story['articles'], 'article')}{outlets}): {story['why']}"


def _placed(story: Facts) -> None:
    """The story that an article tells, what that perhaps is the same as, and what people decided of it."""
    out.print(escape(_place(story)))
    if story["perhaps"]:
        out.print(escape(_perhaps(story["perhaps"])))
    for correction in story["hands"]:
        out.print(escape(correction))


def _perhaps(other: Facts) -> str:
    outlet = f" ({other['outlet']})" if other["outlet"] else ""
    return f"perhaps the same as story {other['story']}: {other['title']}{outlet}. {other['why']}"


def _texts(found: Facts) -> None:
    """Print the time of each text, and the changes of the newest."""
    out.print(f"{found['revision']} texts: " + ", ".join(at(moment) for moment in found["revisions"]))
    for change in found["changes"]:
        for sign, side, style in (("-", "before", "red"), ("+", "after", "green")):
            if change[side]["text"]:
                hanging(_highlighted(f"{sign} ", change[side], style), 2)


def _matched(one: Facts) -> None:
    out.print(f"\n[bold green]{escape(one['rule'])}[/] ({escape(one['name'])}, {one['severity']}) matched:")
    for passage in one["passages"]:
        hanging(_highlighted("  ", passage), 2)


def _highlighted(head: str, passage: Facts, style: str = "") -> Text:
    line = Text(head + passage["text"], style=style)
    for start, end in passage["marks"]:
        line.stylize("bold reverse", start + len(head), end + len(head))
    return line


#: Rules that did not match, of which `why` says unasked what they came nearest to.
_NEAREST = 3


def _head(found: Facts) -> None:
    """The head of an article: its number where several fit, title, facts, address, and its page."""
    if found["others"]:
        named = ", ".join(f"{other['id']} ({other['title']})" for other in found["others"])
        out.print(escape(f"of {len(found['others']) + 1} articles that fit, this is {found['id']}; others: {named}\n"))
    out.print(f"[bold]{escape(_called(found))}[/]")
    date = _date(found["published"], at)
    out.print(escape(f"article {found['id']}, {found['source']}, published {date}, language {found['language']}"))
    if found["link"]:
        out.print(Text(found["link"], style="blue"), soft_wrap=True)
    if found["page"]:
        out.print(escape(found["page"]["sentence"]), style="dim")


def text_of(found: Facts) -> None:
    """An article as rules read it, and what was cut from it where that is asked for."""
    paragraphs = found["body"].split("\n\n")
    found = inert(found)
    _head(found)
    for paragraph in paragraphs if found["body"] else ["(no text is kept)"]:
        out.print()
        for line in paragraph.split("\n"):
            out.print(Text(inert(line)))
    for part in found.get("cut", ()):
        out.print(Text(f"\ncut, {part['kind']}: ", style="yellow") + Text(part["text"], style="dim"))
    if found.get("cut") == []:
        out.print("\nnothing was cut", style="dim")


def why(found: Facts, *, everything: bool = False, full: bool = False) -> None:
    """An article's story in sentences; the rules that missed last, three of them if not `everything`.

    `full` shows what the patterns of an explained rule look for.
    """
    found = inert(found)
    _head(found)
    out.print(f"{found['novelty']}: {escape(found['why'])}")
    if found["story"]:
        _placed(found["story"])
    if found["revision"] > 1:
        _texts(found)
    for matched in found["matches"]:
        _matched(matched)
    if found["explained"]:
        explained(found["explained"], full=full)
    if found["ledger"]:
        out.print()
    for line in found["ledger"]:
        out.print(escape(line["sentence"]), style="" if line["verdict"] == "owed" else "dim")
    _answers(found)
    if found["silent"] and not found["explained"]:
        _silent(found["silent"], everything=everything)


def _answers(found: Facts) -> None:
    """Print acknowledgements, mutes and labels, each with who said so."""
    if said := found["acknowledged"]:
        out.print(escape(f"\nacknowledged by {said['by']} at {at(said['at'])}"))
    for mute in found["mutes"]:
        whom = f" for {mute['for']}" if mute["for"] else ""
        until = f"until {at(mute['until'])}" if mute["until"] else "for good"
        out.print(escape(f"\nmuted{whom} by {mute['by']} at {at(mute['at'])} {until}"))
    for label in found["labels"]:
        by = f" by {label['by']}" if label["by"] else ""
        out.print(escape(f"\njudged {label['judgement']} for {label['rule']}{by} at {at(label['at'])}"))


def _silent(rules: Sequence[Facts], *, everything: bool) -> None:
    """The rules that did not match, the nearest first."""
    out.print()
    shown = rules if everything else rules[:_NEAREST]
    for silent in shown:
        out.print(escape(silent["sentence"]), style="dim")
    if more := len(rules) - len(shown):
        out.print(f"{counted(more, 'more rule')} did not match: --all shows why", style="dim")
