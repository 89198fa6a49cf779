"""The pages of the console: a module for each, its template of the same name, its words under the same section."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from worker.console import api
from worker.console.asking import Ask, page, path_of_ours
from worker.console.desk import Desk
from worker.console.drawing import LANGUAGES
from worker.console.pages import alerts, articles, feeds, missed, people, rules, search, sign_in, stories, today

_STATIC = Path(__file__).parent.parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
#: Seconds for which a browser keeps a chosen language: a year.
_KEPT = 31_536_000


#: Each page's module, in the order in which addresses are looked for.
_PAGES = (today, missed, articles, stories, search, rules, alerts, feeds, sign_in, people)


def routes(desk: Desk) -> list[BaseRoute]:
    """All pages, the API, and the files that pages load."""
    made = (one.routes(desk) for one in _PAGES)
    return [*chain.from_iterable(made), *api.routes(desk), *_common(desk)]


def _common(desk: Desk) -> Iterator[Route]:
    yield Route("/language", _language)
    files = {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.suffix in _TYPES}

    async def static(request: Request) -> Response:
        """A file of ours: only names that were there at the start are known, so that no path leads elsewhere."""
        name = request.path_params["name"]
        if (found := files.get(name)) is None:
            return Response(status_code=404)
        tag = f'"{sha256(found).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(found, media_type=_TYPES[Path(name).suffix], headers=headers)

    yield Route("/static/{name}", static)
    yield page(desk, "/{anything:path}", Ask.missing, role=None)


async def _language(request: Request) -> Response:
    """The page that was read, in the language that is asked for from now on."""
    chosen = request.query_params.get("to", "")
    answer = RedirectResponse(path_of_ours(request.query_params.get("next", "/")), status_code=303)
    if chosen in LANGUAGES:
        answer.set_cookie("language", chosen, max_age=_KEPT, httponly=True, samesite="lax")
    return answer
