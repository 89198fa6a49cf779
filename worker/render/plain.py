"""Messages as plain text: the mail's first part, Apprise's body, and what the log channel prints."""

from collections.abc import Sequence

from worker.model import Notice, Passage
from worker.render.passages import pieces, tidy
from worker.render.view import View
from worker.render.wording import Wording

_RULER = "-" * 60


def alert(views: Sequence[View], words: Wording) -> str:
    """Every item, one after another."""
    return f"\n\n{_RULER}\n\n".join(_item(view, words) for view in views) + "\n"


def notice(content: Notice, words: Wording) -> str:
    """The notice's body, line by line."""
    # Spaces at the start stay: a caret stands under its place.
    lines = (
        " " * (len(text) - len(text.lstrip(" "))) + tidy(Passage(text=text)).text for text in content.body.splitlines()
    )
    return "\n".join(lines).strip() + f"\n\n{words.notice}\n"


def _item(view: View, words: Wording) -> str:
    facts = " · ".join(filter(None, (view.occasion_label, view.severity_label, *view.rules)))
    parts = [
        facts,
        view.title.text + "\n" + " · ".join(filter(None, (view.source, view.date))),
        *(f"> {_starred(passage)}" for passage in view.passages),
        f"{words.read} :\n{view.link}" if view.link and words.language == "fr" else f"{words.read}:\n{view.link}",
    ]
    return "\n\n".join(parts if view.link else parts[:-1])


def _starred(passage: Passage) -> str:
    return "".join(f"*{text}*" if marked else text for text, marked in pieces(passage))
