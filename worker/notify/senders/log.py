"""The default target: the alert on the terminal, and as a mail in a folder."""

import asyncio
import os
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from weakref import WeakKeyDictionary

from worker.model import Claimed, LogSettings, Outcome, Receipt
from worker.notify.senders.receipt import receipt

#: For each event loop. One message after the other, in the order in which they come: people read a terminal downwards.
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def send(claimed: Claimed, settings: LogSettings, echo: Callable[[str], None]) -> Receipt:
    """Write `<key>.eml`, whole or not at all, then print; a repeated attempt writes the same file again."""
    file = settings.folder / f"{claimed.key}.eml"
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        try:
            await asyncio.to_thread(_write, file, claimed.message.content)
        except OSError as error:
            return receipt(Outcome.RETRY, f"{file}: {error.strerror or error}", shared=True)
        try:
            echo(_readable(claimed.message.content))
        except (OSError, ValueError):
            # Nobody reads the terminal, or it is closed; the file tells the alert all the same.
            return receipt(Outcome.SENT, f"{file}; not printed")
    return receipt(Outcome.SENT, str(file))


def check(settings: LogSettings) -> tuple[str, ...]:
    """Tells whether the folder is one, or can be made."""
    place = settings.folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return (f"{place} is not a folder",)
    if not os.access(place, os.W_OK | os.X_OK):
        return (f"{place} cannot be written to",)
    return ()


def _write(file: Path, content: bytes) -> None:
    # Alerts may be confidential: for the worker's own user only.
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def _readable(content: bytes) -> str:
    message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    part = message.get_body(("plain",))
    text = part.get_content().replace("\r\n", "\n") if part is not None else ""
    return f"{message['Subject']}\n\n{text}"
