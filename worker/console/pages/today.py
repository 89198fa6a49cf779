"""Today: the stories of the day."""

from starlette.responses import Response
from starlette.routing import Route

from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.store import stories


def routes(desk: Desk) -> list[Route]:
    """`/`."""
    return [page(desk, "/", _today)]


def _today(ask: Ask) -> Response:
    with ask.desk.store.read() as tx:
        found = stories.newest(tx, limit=50)
    return ask.page("today.html", stories=found)
