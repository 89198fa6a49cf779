"""The page behind a one-click link: it says what will be done, and does it at a POST alone.

Programs that follow every link of a mail (virus scanners, previews) make GETs; nothing comes of them. The words are
those of the message that the link stood in, in its language.
"""

import asyncio
from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.alerts.answers import Answer
from worker.errors import StoreError
from worker.notify.render.wording import wording
from worker.pipeline.answering import Asked

#: What a token asks; None: it is not valid.
Read = Callable[[str], Asked | None]
#: Does it, and returns what the other readers are sent.
Take = Callable[[Answer], str]


def routes(read: Read, take: Take) -> list[Route]:
    """`/answer/TOKEN`; both functions are called in a thread, and may raise StoreError."""

    async def answer(request: Request) -> HTMLResponse:
        language = _preferred(request.headers.get("accept-language", ""))
        try:
            found = await asyncio.to_thread(read, request.path_params["token"])
            if found is None:
                return _page(language, wording(language).link_gone, status=404)
            language = found.language
            if found.before:
                return _page(language, found.title, found.before)
            if request.method != "POST":
                return _page(language, found.title, button=found.label)
            return _page(language, found.title, await asyncio.to_thread(take, found.answer))
        except StoreError:
            return _page(language, wording(language).try_again, status=503)

    return [Route("/answer/{token}", answer, methods=["GET", "POST"])]


def _preferred(header: str) -> str:
    """English where the browser asks for it before French, else French (RFC 9110 12.5.4); weights are left aside."""
    asked = (part.strip()[:2].lower() for part in header.split(","))
    return next((one for one in asked if one in {"fr", "en"}), "fr")


def _page(language: str, *lines: str, button: str = "", status: int = 200) -> HTMLResponse:
    text = "".join(f"<p>{escape(line)}</p>" for line in lines)
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    head = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><title>Veille</title>'
    )
    return HTMLResponse(head + text + form, status_code=status)
