"""The page behind a one-click link: it says what will be done, and does it at a POST alone.

Programs that follow every link of a mail (virus scanners, previews) make GETs; nothing comes of them.
"""

import asyncio
from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.answers import Action, Answer
from worker.errors import StoreError

#: What a token says, with its article's title; None: it is not valid.
Read = Callable[[str], tuple[Answer, str] | None]
Take = Callable[[Answer], None]

_ASKED = {
    Action.ACKNOWLEDGE: ("Prendre en charge / Acknowledge", "C’est noté. / Acknowledged."),
    Action.MUTE: (
        "Ne plus suivre ce sujet / Mute this story",
        "Ce sujet est mis en sourdine pour une semaine. / Muted for a week.",
    ),
    Action.NOISE: ("Signaler comme hors sujet / Report as noise", "Merci, c’est noté. / Noted as noise."),
}
_GONE = "Ce lien n’est pas valable, ou ne l’est plus. / This link is not valid, or not any more."
_BUSY = "Le service ne répond pas ; réessayez. / The service does not answer; try again."


def routes(read: Read, take: Take) -> list[Route]:
    """`/answer/TOKEN`; both functions are called in a thread, and may raise StoreError."""

    async def answer(request: Request) -> HTMLResponse:
        try:
            found = await asyncio.to_thread(read, request.path_params["token"])
            if found is None:
                return _page(_GONE, status=404)
            said, title = found
            asked, done = _ASKED[said.action]
            if request.method != "POST":
                return _page(title, button=asked)
            await asyncio.to_thread(take, said)
            return _page(done)
        except StoreError:
            return _page(_BUSY, status=503)

    return [Route("/answer/{token}", answer, methods=["GET", "POST"])]


def _page(text: str, *, button: str = "", status: int = 200) -> HTMLResponse:
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    head = '<!doctype html><meta charset="utf-8"><meta name="robots" content="noindex"><title>Veille</title>'
    return HTMLResponse(f"{head}<p>{escape(text)}</p>{form}", status_code=status)
