"""A replay, for people: what differs, the sums, and what cannot be told."""

from rich.text import Text

from worker.cli.show.terminal import Facts, at, inert, out, short, table_of
from worker.times import counted

_SIGNS = {"more": "+", "less": "-", "other": "~"}
#: What the replay says of what it could not do, by the key of `not_replayed`.
_LEFT_OUT = {
    "owed_before": "obligations were decided before the events begin: there is nothing to run them over again from",
    "bytes_gone": "documents and pages are not kept any more",
    "read_otherwise": "documents are read otherwise now than they were then",
    "entries": "entries of such documents made no article",
    "feeds_gone": "feeds are not in the configuration any more: taken without language, tags and pages",
    "feeds_without_before": "feeds whose document before the start is not kept: taken as it is known now",
    "unreachable": "messages go to recipients that no target reaches any more",
    "lines_not_compared": "lines of the ledger are on articles that could not be made again: not compared",
    "messages_begun_before": "messages differ that were begun before the start: not compared",
}


def replay(found: Facts) -> None:
    """The differences, a line a rule, the sums, then what was left out."""
    found = inert(found)
    for one in found["changes"]:
        if one["tells"] or not found["tried"] or (not one["recipient"] and one["kind"] != "other"):
            _change(one)
    table = table_of("rule", "matches then", "now", "more", "less", "told then", "now", "more", "less")
    for rule, one in found["rules"].items():
        counts = [one["matches"][key] for key in ("then", "now", "more", "less")]
        counts += [one["told"][key] for key in ("then", "now", "more", "less")]
        table.add_row(rule, *map(str, counts))
    out.print(table)
    if not found["tried"]:
        for one in found["resealed"]:
            out.print(Text(f"{_SIGNS[one['kind']]} message {one['delivery']}: {one['then'] or one['now']}"))
    for rule, one in found["rules"].items():
        if one["rewritten"] and not found["tried"]:
            out.print(Text(f"{rule}: of another text of the rule than today's: {counted(one['rewritten'], 'match')}"))
    _sums(found)


def _change(one: Facts) -> None:
    whom = f" to {one['recipient']}, {one['occasion']}" if one["recipient"] else " matches"
    said = f": {one['then'] or 'nothing'} -> {one['now'] or 'nothing'}" if one["recipient"] else ""
    out.print(Text(f"{_SIGNS[one['kind']]} {one['rule']}{whom}: {one['article']} {short(one['title'])}{said}"))


def _sums(found: Facts) -> None:
    out.print()
    for name in ("matches", "obligations", "messages"):
        counts = found[name]
        parts = [f"{counts[key]} {key}" for key in ("same", "more", "less", "other") if counts[key]]
        out.print(Text(f"{name}: {counts['then']} then, {counts['now']} now ({', '.join(parts) or 'none'})"))
    if found["start"] is None:
        out.print(Text("nothing that can be run over again has happened since"))
    else:
        ran = ", ".join(f"{number} {kind}" for kind, number in found["events"].items())
        known = found["articles_known"]
        out.print(Text(f"from {at(found['start'])}, {counted(known, 'article')} known before; ran {ran}"))
    for key, words in _LEFT_OUT.items():
        if found["not_replayed"][key]:
            out.print(Text(f"{found['not_replayed'][key]} {words}"))
    if not found["tried"]:
        out.print(Text("The same again." if found["same"] else "Not the same."))
