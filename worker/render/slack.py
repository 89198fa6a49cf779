"""Alerts as Slack's Block Kit (docs.slack.dev/reference/block-kit), within its limits.

Article text is made inert: `&`, `<` and `>` escaped, so that neither mention nor link can be written in it, and the
signs of mrkdwn, for which Slack has no escape, replaced by look-alikes.
"""

from collections.abc import Sequence
from itertools import groupby

from worker.model import Passage
from worker.render.passages import clip, pieces
from worker.render.view import View
from worker.render.wording import Wording

#: Articles that one message can tell, each with its title at least; a delivery of more should be parted.
CAPACITY = 90

#: Characters of one text object, blocks of one message, and characters of all its texts: below Slack's 3,000, 50 and
#: about 13,000 (`msg_blocks_too_long`).
_SECTION = 2_900
_BLOCKS = 50
_TOTAL = 12_000
#: Of one title in a list, and of what stands above it.
_ENTRY = 100
_FACTS = 400

_INERT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})

Block = dict[str, object]


def alert(subject: str, key: str, views: Sequence[View], words: Wording) -> dict[str, object]:
    """The payload: whole articles where all fit, else a list of linked titles, else of titles."""
    blocks = [block for view in views for block in _article(view, words)]
    if not _fits(blocks):
        blocks = _list(views, words, linked=True)
    if not _fits(blocks):
        blocks = _list(views, words, linked=False)
    while not _fits(blocks):
        blocks.pop()  # beyond the capacity; the list's first line counts all
    return {"text": _inert(subject), "blocks": [blocks[0] | {"block_id": key}, *blocks[1:]]}


def notice(subject: str, key: str, text: str) -> dict[str, object]:
    """The payload of a notice."""
    body = _section(_marked(Passage(text=text), _SECTION))
    return {"text": _inert(subject), "blocks": [_section(f"*{_inert(subject)}*") | {"block_id": key}, body]}


def _article(view: View, words: Wording) -> list[Block]:
    place = " · ".join(_inert(text) for text in (view.source, view.date) if text)
    read = f" · <{_escaped(view.link)}|{_inert(words.read)}>" if view.link else ""
    size = _SECTION // max(len(view.passages), 1) - len("\n>")
    quoted = "\n".join(f">{_marked(passage, size)}" for passage in view.passages)
    return [
        _context(_facts(view)),
        _section(f"*{_title(view, _SECTION - 2, linked=True)}*"),
        *([_section(quoted)] if quoted else []),
        _context(place + read if len(place + read) <= _SECTION else place),
        {"type": "divider"},
    ]


def _list(views: Sequence[View], words: Wording, *, linked: bool) -> list[Block]:
    """The articles under the facts they share, one line each."""
    lines = [words.articles.format(count=len(views))]
    for facts, group in groupby(views, key=_facts):
        lines.append(f"*{facts}*")
        lines += [f"• {_title(view, _SECTION - 2, size=_ENTRY, linked=linked)}" for view in group]
    sections = [""]
    for line in lines:
        if len(sections[-1]) + len(line) >= _SECTION:
            sections.append("")
        sections[-1] += ("\n" if sections[-1] else "") + line
    return [_section(text) for text in sections]


def _facts(view: View) -> str:
    facts = " · ".join(filter(None, (view.occasion_label, view.severity_label, *view.rules)))
    return _marked(Passage(text=facts), _FACTS)


def _title(view: View, room: int, *, size: int = 300, linked: bool) -> str:
    """The title in at most `room` characters, as a link where there is one and the room allows it."""
    text = _inert(clip(view.title, size).text)
    link = f"<{_escaped(view.link)}|{text}>" if linked and view.link else ""
    return link if link and len(link) <= room else text


def _marked(passage: Passage, room: int) -> str:
    """The passage with bold marks, clipped until it fits once escaped."""
    size = room
    while True:
        parts = pieces(clip(passage, max(size, 3)))
        text = "".join(
            _bold(_inert(part), parts, index) if part_marked else _inert(part)
            for index, (part, part_marked) in enumerate(parts)
        )
        if len(text) <= room:
            return text
        size = size * 2 // 3


def _bold(text: str, parts: Sequence[tuple[str, bool]], index: int) -> str:
    """`*text*`; a zero-width space parts the sign from a letter beside it, where Slack would not take it for one."""
    before = parts[index - 1][0][-1:] if index else ""
    after = parts[index + 1][0][:1] if index + 1 < len(parts) else ""
    return ("\u200b" if before.strip() else "") + f"*{text}*" + ("\u200b" if after.strip() else "")


def _inert(text: str) -> str:
    return text.translate(_INERT)


def _escaped(link: str) -> str:
    return link.replace("&", "&amp;")


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    # Verbatim: channel names, user names and bare addresses in the text become neither mentions nor links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fits(blocks: Sequence[Block]) -> bool:
    return len(blocks) <= _BLOCKS and sum(len(str(block)) for block in blocks) <= _TOTAL
