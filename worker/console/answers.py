"""The page behind a one-click link: it says what will be done, and does it at a POST alone.

Programs that follow every link of a mail (virus scanners, previews) make GETs; nothing comes of them. The words are
those of the message that the link stood in, in its language. Nobody signs in: whoever has the link may answer.
"""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.alerts.answers import Answer
from worker.console.asking import language_of
from worker.console.desk import in_thread
from worker.console.drawing import draw_for
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
        language = language_of(request)
        try:
            found = await in_thread(partial(read, request.path_params["token"]))
            if found is None:
                return _page(language, wording(language).link_gone, status=404)
            language = found.language
            if found.before:
                return _page(language, found.title, found.before)
            if request.method != "POST":
                return _page(language, found.title, button=found.label)
            return _page(language, found.title, await in_thread(partial(take, found.answer)), done=True)
        except StoreError:
            return _page(language, wording(language).try_again, status=503)

    return [Route("/answer/{token}", answer, methods=["GET", "POST"])]


def _page(
    language: str, title: str, said: str = "", *, button: str = "", done: bool = False, status: int = 200
) -> HTMLResponse:
    facts = {"title": title, "said": said, "button": button, "done": done}
    return HTMLResponse(draw_for(language, "answer.html", facts), status_code=status)
