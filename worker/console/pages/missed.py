"""Missed: everything that matched in a span of time, to be read, printed, or sent to a target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from worker.console import spans
from worker.console.asking import Ask, page
from worker.console.desk import Desk
from worker.console.drawing import draw
from worker.console.pages.today import visit
from worker.console.spans import Span
from worker.console.views.missed import Group, missed
from worker.model import Notice
from worker.store import Tx, open_deliveries, silences

#: Matches that are listed; silences that are offered as spans; characters of a list that is sent.
_MOST, _SILENCES, _LONGEST = 300, 3, 40_000
#: Two spans whose ends are less apart are the same to a reader.
_ABOUT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A span that a link offers; `number`: of a silence."""

    name: str
    since: datetime
    until: datetime
    number: int = 0

    def is_about(self, since: datetime, until: datetime) -> bool:
        """True of that span: what it offers goes on with the time, while a page is read."""
        return abs(self.since - since) < _ABOUT and abs(self.until - until) < _ABOUT


def routes(desk: Desk) -> list[Route]:
    """`/missed`."""
    return [page(desk, "/missed", _missed), page(desk, "/missed/send", _send, methods=["POST"])]


def _missed(ask: Ask) -> Response:
    visited = visit(ask)
    since, until = _span(ask)
    with ask.desk.store.read() as tx:
        groups, is_more = missed(tx, (since, until), by=_by(ask), limit=_MOST)
        offered = list(_offered(ask, tx, visited))
    chosen = next((one for one in offered if one.is_about(since, until)), None)
    return ask.page(
        "missed.html",
        since=since,
        until=until,
        last_day=(until - timedelta(microseconds=1)).astimezone(ask.zone).date(),
        by=_by(ask),
        groups=groups,
        is_more=is_more,
        count=sum(len(group.lines) for group in groups),
        offered=offered,
        chosen=chosen,
        address=_address,
        other=_address(since, until, "story" if _by(ask) == "rule" else "rule"),
        targets=[target.id for target in ask.desk.live().config.alerts.targets],
    )


def _send(ask: Ask) -> Response:
    """Open a delivery of the list to each recipient of a target; what a target may not have is not asked for."""
    since, until = _span(ask)
    by, live = _by(ask), ask.desk.live()
    target = next((one for one in live.config.alerts.targets if one.id == ask.form.get("target")), None)
    if target is None:
        return ask.missing()
    with ask.desk.store.read() as tx:
        groups, _ = missed(tx, (since, until), by=by, limit=_MOST)
    notice = _notice(ask, (since, until), groups)
    with ask.desk.store.write() as tx:
        open_deliveries.notify(tx, target.id, target.recipients, notice, ask.now)
        detail = f"{since.isoformat(timespec='minutes')} – {until.isoformat(timespec='minutes')}"
        ask.audit(tx, "list sent", f"target {target.id}", detail)
    return ask.to(_address(since, until, by), "sent")


def _span(ask: Ask) -> Span:
    """The span that is asked for; the last night, where none is. Days are whole: `until=2026-11-29` ends with it."""
    said = [ask.form.get(name) or ask.query.get(name) or "" for name in ("since", "until")]
    since, until = (spans.moment(one, ask.zone) for one in said)
    if since is None:
        return spans.night(ask.now, ask.zone)
    last = until or ask.now
    if last < since:
        since, last, said = last, since, said[::-1]
    if len(said[1]) == len("2026-11-29"):
        last = spans.begins(last.astimezone(ask.zone).date() + timedelta(days=1), ask.zone)
    return since, last


def _by(ask: Ask) -> str:
    return "story" if (ask.form.get("by") or ask.query.get("by")) == "story" else "rule"


def _offered(ask: Ask, tx: Tx, visited: datetime | None) -> Iterator[Offered]:
    """The spans that people ask for, as links that stay what they are when they are sent to somebody else."""
    now = ask.now.replace(second=0, microsecond=0)
    named = {
        "night": spans.night(now, ask.zone),
        "weekend": spans.weekend(now, ask.zone),
        "day": (now - timedelta(days=1), now),
        "week": (now - timedelta(days=7), now),
    }
    if visited is not None:
        yield Offered(name="visit", since=visited, until=now)
    yield from (Offered(name=name, since=since, until=until) for name, (since, until) in named.items())
    for one in silences.newest(tx, limit=_SILENCES):
        ended = min(one.until or now, now)
        yield Offered(name="silence", number=one.id, since=one.created, until=max(one.created, ended))


def _address(since: datetime, until: datetime, by: str) -> str:
    asked = {"since": since.isoformat(timespec="minutes"), "until": until.isoformat(timespec="minutes")}
    return "/missed?" + urlencode(asked | ({"by": by} if by != "rule" else {}))


def _notice(ask: Ask, span: Span, groups: Sequence[Group]) -> Notice:
    """The list as a message, in the language and the zone of whoever sends it."""
    public_url = ask.desk.live().config.public_url
    page = public_url + _address(*span, _by(ask)) if public_url else ""
    facts = {"since": span[0], "until": span[1], "groups": groups, "public_url": public_url, "page": page}
    subject, _, body = draw("missed.txt", ask, facts).strip().partition("\n")
    if len(body) > _LONGEST:
        body = body[:_LONGEST].rpartition("\n")[0] + "\n…"
    return Notice(subject=subject, body=body.strip())
