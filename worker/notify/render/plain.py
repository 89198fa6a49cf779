"""Messages as plain text: the mail's first part, Apprise's body, and what the log channel prints."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from worker.model import Notice, Passage
from worker.notify.render.digest import Story, Summary
from worker.notify.render.passages import pieces, tidy
from worker.notify.render.view import View
from worker.notify.render.wording import Wording

_RULER = "-" * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A channel's form of text that comes from outside."""

    text: Callable[[str], str]
    link: Callable[[str], str]


#: Nothing in a mail's plain part has a meaning.
MAIL = Form(text=str, link=str)

# Look-alikes for what some service takes for style, link or mention; no two services agree on an escape.
_LOOK_ALIKES = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", "<": "‹", ">": "›", "|": "∣"})
_QUOTED = str.maketrans({"*": "%2A", "_": "%5F", "~": "%7E", "(": "%28", ")": "%29", "[": "%5B", "]": "%5D"})
#: What a zero-width space disarms: `@everyone`, the `](` of a link, the sign of a heading or a list.
_ARMED = re.compile(r"@(?=\w)|\](?=\(|$)|^[#+-]+(?=\s)")


def _disarmed(text: str) -> str:
    return _ARMED.sub(lambda found: f"{found[0]}\u200b", text.translate(_LOOK_ALIKES))


#: Apprise's services take the same body as Markdown of one kind or another, as HTML, or as it is.
ANYWHERE = Form(text=_disarmed, link=lambda link: link.translate(_QUOTED))


def alert(views: Sequence[View], words: Wording, *, follows: str = "", form: Form = MAIL) -> str:
    """Every item, one after another; `follows` names the message that this one follows."""
    items = [*_item(views[0], words, form, follows)], *(_item(view, words, form) for view in views[1:])
    return f"\n\n{_RULER}\n\n".join("\n\n".join(item) for item in items) + "\n"


def digest(summary: Summary, words: Wording, *, form: Form = MAIL) -> str:
    """Every story, the rest by titles and links, and what was held back."""
    parts = [form.text(summary.heading)]
    for story in summary.stories:
        parts += [_RULER, *_item(story.first, words, form)]
        parts += [_titled(view, form) for view in story.others]
    if summary.listed:
        parts += [_RULER, words.listed + words.colon]
        parts += [_titled(view, form) for story in summary.listed for view in _all(story)]
    return "\n\n".join([*parts, _RULER, summary.held_back]) + "\n"


def notice(content: Notice, words: Wording, *, form: Form = MAIL) -> str:
    """The notice's body, line by line."""
    # Spaces at the start stay: a caret stands under its place.
    lines = (
        " " * (len(text) - len(text.lstrip(" "))) + form.text(tidy(Passage(text=text)).text)
        for text in content.body.splitlines()
    )
    end = f"\n\n{words.notice}" if content.thread is None else ""
    return "\n".join(lines).strip() + f"{end}\n"


def _item(view: View, words: Wording, form: Form, follows: str = "") -> Iterator[str]:
    """Its paragraphs; the first says what is new, where there is something to say."""
    if news := "\n".join(filter(None, (view.news, follows))):
        yield form.text(news)
    for change in view.changes:
        before, after = (words.before, words.after) if change.before.text and change.after.text else ("", "")
        sides = ((before or words.removed, change.before), (after or words.added, change.after))
        yield "\n".join(f"{label}{words.colon} {_starred(side, form)}" for label, side in sides if side.text)
    yield " · ".join(form.text(fact) for fact in (view.severity_label, *view.rules))
    place = " · ".join(form.text(text) for text in (view.source, view.date) if text)
    yield "\n".join(filter(None, (form.text(view.title.text), place, form.text(view.old))))
    for passage in view.passages:
        yield f"> {_starred(passage, form)}"
    for story in view.stories:
        yield _bulleted((story.title, story.note), story.link, form)
    if view.more:
        yield form.text(view.more)
    if notes := "\n".join(form.text(text) for text in (view.outlets, view.perhaps, view.why) if text):
        yield notes
    if view.link:
        yield f"{words.read}{words.colon}\n{form.link(view.link)}"
    if view.answers:
        yield "\n".join(f"{label}{words.colon} {form.link(link)}" for label, link in view.answers)


def _titled(view: View, form: Form) -> str:
    """The title and its source on one line, the link below it."""
    named = ": ".join(filter(None, (view.occasion_label, view.title.text)))
    return _bulleted((named, view.source, view.old), view.link, form)


def _bulleted(texts: Sequence[str], link: str, form: Form) -> str:
    """The texts that are not empty, on one line, with the link below."""
    shown = " · ".join(form.text(text) for text in texts if text)
    return f"• {shown}" + (f"\n  {form.link(link)}" if link else "")


def _all(story: Story) -> tuple[View, ...]:
    return (story.first, *story.others)


def _starred(passage: Passage, form: Form) -> str:
    return "".join(f"*{form.text(text)}*" if marked else form.text(text) for text, marked in pieces(passage))
