"""Messages as Slack's Block Kit (docs.slack.dev/reference/block-kit), within its limits.

Article text is made inert: `&`, `<` and `>` escaped, so that neither mention nor link can be written in it, and the
signs of mrkdwn, for which Slack has no escape, replaced by look-alikes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from worker.model import Passage
from worker.notify.render.digest import Summary
from worker.notify.render.passages import clip, pieces
from worker.notify.render.view import Named, View
from worker.notify.render.wording import Wording, say_count

#: Characters of one text object, blocks of one message, and characters of all its texts: below Slack's 3,000, 50 and
#: about 13,000 (`msg_blocks_too_long`).
_SECTION = 2_900
_BLOCKS = 50
_TOTAL = 12_000
#: Of one title in a list, and of what stands above it.
_ENTRY = 100
_FACTS = 400
#: With less room than that, what could be said of a story would be cut to nothing.
_LEAST = 20

_INERT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})

Block = dict[str, object]
#: A line of a list, and how many articles it tells.
Line = tuple[str, int]


def alert(
    subject: str, key: str, views: Sequence[View], words: Wording, *, follows: str = "", thread_ts: str = ""
) -> dict[str, object]:
    """The payload: whole articles where all fit, else a list of linked titles, else of titles.

    `thread_ts` puts it below the first message of its story; `follows` names that message where it cannot.
    """
    head = [_context(_joined([_marked(Passage(text=follows), _FACTS), _read(views[0], words)]))] if follows else []
    blocks = [*head, *(block for view in views for block in _article(view, words))]
    if not _fits(blocks):
        count = (say_count(words.articles, len(views), words), 0)
        forms = ([count, *_list(views, linked=linked)] for linked in (True, False))
        blocks = _listed(forms, words, head=head, tail=[])
    return _payload(subject, key, blocks) | ({"thread_ts": thread_ts, "reply_broadcast": False} if thread_ts else {})


def digest(subject: str, key: str, summary: Summary, words: Wording) -> dict[str, object]:
    """The payload: the stories as a list of linked titles where all fit, else of titles, and what was held back."""
    heading = _section(f"*{_marked(Passage(text=summary.heading), _FACTS)}*")
    tail: list[Block] = [{"type": "divider"}, _context(_marked(Passage(text=summary.held_back), _SECTION))]
    forms = (list(_stories(summary, linked=linked)) for linked in (True, False))
    return _payload(subject, key, _listed(forms, words, head=[heading], tail=tail))


def notice(subject: str, key: str, text: str, *, thread_ts: str = "") -> dict[str, object]:
    """The payload of a notice; one of what somebody answered is a line below the message, by `thread_ts`."""
    said = _section(_marked(Passage(text=text), _SECTION))
    if thread_ts:
        return _payload(subject, key, [said]) | {"thread_ts": thread_ts, "reply_broadcast": False}
    return _payload(subject, key, [_section(f"*{_inert(subject)}*"), said])


def _payload(subject: str, key: str, blocks: Sequence[Block]) -> dict[str, object]:
    return {
        "text": _inert(subject),
        "blocks": [blocks[0] | {"block_id": key}, *blocks[1:]],
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _article(view: View, words: Wording) -> Iterator[Block]:
    if view.news:
        yield _section(f"*{_marked(Passage(text=view.news), _FACTS)}*")
        yield from (_section(text) for text in _changes(view, words))
    yield _context(_facts(view.severity_label, *view.rules))
    yield _section(f"*{_title(view, _SECTION - 2, linked=True)}*")
    if view.passages:
        size = _SECTION // len(view.passages) - len("\n>")
        yield _section("\n".join(f">{_marked(passage, size)}" for passage in view.passages))
    if view.stories:
        room = _SECTION // len(view.stories) - 1
        yield _section("\n".join(_named(story, room) for story in view.stories))
    yield _context(_joined([*map(_inert, (view.more, view.source, view.date, view.old)), _read(view, words)]))
    if notes := _joined([_marked(Passage(text=text), _FACTS) for text in (view.outlets, view.perhaps, view.why)], "\n"):
        yield _context(notes)
    if answers := _joined([_link(link, label) for label, link in view.answers]):
        yield _context(answers)
    yield {"type": "divider"}


def _changes(view: View, words: Wording) -> Iterator[str]:
    for change in view.changes:
        both = bool(change.before.text and change.after.text)
        sides = (
            (words.before if both else words.removed, change.before),
            (words.after if both else words.added, change.after),
        )
        size = _SECTION // 2 - 50
        yield "\n".join(f">{label}{words.colon} {_marked(side, size)}" for label, side in sides if side.text)


def _list(views: Sequence[View], *, linked: bool) -> Iterator[Line]:
    """The articles under the facts they share, one line each."""
    for facts, group in groupby(views, key=lambda view: _facts(view.occasion_label, view.severity_label, *view.rules)):
        yield f"*{facts}*", 0
        for view in group:
            yield f"• {_title(view, _SECTION - 2, size=_ENTRY, linked=linked)}", 1


def _stories(summary: Summary, *, linked: bool) -> Iterator[Line]:
    """The stories under their severity, one line an article, those of one story under its first."""
    stories = (*summary.stories, *summary.listed)
    for severity, group in groupby(stories, key=lambda story: story.first.severity_label):
        yield f"*{_inert(severity)}*", 0
        for story in group:
            for sign, view in (("•", story.first), *(("    ◦", other) for other in story.others)):
                room = _SECTION - 500
                title = _title(view, room, size=_ENTRY, linked=linked)
                named = _joined([*map(_inert, (view.occasion_label,)), title], " : ")
                yield f"{sign} {_joined([named, *map(_inert, (view.source, view.old))])}", 1


def _listed(forms: Iterable[Iterable[Line]], words: Wording, *, head: list[Block], tail: list[Block]) -> list[Block]:
    """The first of the forms that fits between `head` and `tail`; else of the last what fits, and how many more."""
    blocks: list[Block] = []
    for form in forms:
        blocks, left = _packed(list(form), words, head, tail)
        if not left:
            break
    return blocks


def _packed(lines: Sequence[Line], words: Wording, head: list[Block], tail: list[Block]) -> tuple[list[Block], int]:
    """As many lines as fit, and how many articles the others tell."""
    left = sum(articles for _, articles in lines)
    sections: list[str] = [""]
    for number, (text, articles) in enumerate(lines):
        joined = f"{sections[-1]}\n{text}" if sections[-1] else text
        longer = [*sections[:-1], joined] if len(joined) <= _SECTION else [*sections, text]
        last = number == len(lines) - 1
        more = [] if last else [_context(say_count(words.more, left, words))]
        if not _fits([*head, *map(_section, longer), *more, *tail]):
            break
        sections, left = longer, left - articles
    more = [_context(say_count(words.more, left, words))] if left else []
    return [*head, *map(_section, filter(None, sections)), *more, *tail], left


def _facts(*texts: str) -> str:
    return _marked(Passage(text=" · ".join(filter(None, texts))), _FACTS)


def _joined(texts: Iterable[str], sign: str = " · ") -> str:
    """The texts up to the room of one block; what would pass it is left out."""
    joined = ""
    for text in filter(None, texts):
        longer = f"{joined}{sign}{text}" if joined else text
        joined = longer if len(longer) <= _SECTION else joined
    return joined


def _read(view: View, words: Wording) -> str:
    return _link(view.link, words.read) if view.link else ""


def _link(link: str, text: str) -> str:
    return f"<{_escaped(link)}|{_inert(text)}>"


def _title(view: View, room: int, *, size: int = 300, linked: bool) -> str:
    return _linked(view.title, view.link if linked else "", room, size)


def _named(story: Named, room: int) -> str:
    """A story of a wave on one line: its title, and who tells it as far as there is room."""
    title = f"• {_linked(Passage(text=story.title), story.link, room - 2, _ENTRY)}"
    left = room - len(title) - len(" · ")
    return _joined([title, _marked(Passage(text=story.note), left) if left > _LEAST else ""])


def _linked(title: Passage, link: str, room: int, size: int) -> str:
    """The title in at most `room` characters, as a link where there is one and the room allows it."""
    text = _inert(clip(title, size).text)
    whole = f"<{_escaped(link)}|{text}>" if link else ""
    return whole if whole and len(whole) <= room else text


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
