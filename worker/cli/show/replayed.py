"""A replay, for people: what differs, the sums, and what is not compared."""

from rich.text import Text

from worker.cli.show.terminal import Facts, at, inert, out, short, table_of
from worker.model.times import counted

_SIGNS = {"more": "+", "less": "-", "other": "~"}
_COUNTS = ("then", "now", "more", "less", "other")
#: What is said of what could not be compared, by the key of `not_compared`.
_LEFT_OUT = {
    "bytes_gone": "documents are not kept any more",
    "feeds_gone": "feeds are not in the configuration any more: read without language and tags",
    "copies_of_others": "copies are of articles from before these documents, or imported ones: not compared",
}


def replay(found: Facts) -> None:
    """The differences, a line a rule, the sums, then what was left out."""
    found = inert(found)
    for one in found["changes"]:
        out.print(Text(f"{_SIGNS[one['kind']]} {_change(one)}"))
    if found["rules"]:
        table = table_of("rule", "matches then", *_COUNTS[1:])
        for rule, counts in found["rules"].items():
            table.add_row(rule, *(str(counts[key]) for key in _COUNTS))
        out.print(table)
    if found["since"] is None:
        out.print(Text("no document is kept"))
        return
    out.print(Text(f"{counted(found['documents'], 'document')}; articles first seen since {at(found['since'])}"))
    for name in ("articles", "copies", "stories", "matches"):
        counts = found[name]
        parts = [f"{counts[key]} {key}" for key in ("same", "more", "less", "other") if counts[key]]
        out.print(Text(f"{name}: {counts['then']} then, {counts['now']} now ({', '.join(parts) or 'none'})"))
    for key, words in _LEFT_OUT.items():
        if found["not_compared"][key]:
            out.print(Text(f"{found['not_compared'][key]} {words}"))
    if not found["tried"]:
        out.print(Text("The same again." if found["same"] else "Not the same."))


def _change(one: Facts) -> str:
    about = f"{one['article'] or 'not stored'} {short(one['title'])}"
    if one["what"] == "match":
        others = ": other words prove it" if one["kind"] == "other" else ""
        return f"{one['rule']} matches {about}{others}"
    if one["what"] == "story":
        return f"a story of {one['then'] or one['now']}: {short(one['title'])}"
    said = f": {one['then'] or 'no copy'} -> {one['now'] or 'no copy'}" if one["what"] == "copy" else ""
    return f"{one['what']} {about}{said or (': ' + one['now'] if one['kind'] == 'other' else '')}"
