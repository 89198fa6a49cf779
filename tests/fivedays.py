"""Five days of one story, on an injected clock: everything that was sent, as a person reads it.

`python tests/fivedays.py > tests/data/five-days.txt` makes the golden file anew; read what changed before it is kept.
"""

import asyncio
import email
import email.policy
import hashlib
import logging
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import structlog
from desk import Desk, email_target, feed
from rig import Item

from worker.model import DigestPolicy, NotificationPolicy, Outcome, Quiet, Receipt
from worker.pipeline import deliver as job
from worker.runtime import embedded, single_pass
from worker.store import ledger, silences

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FEEDS = {
    name: f"https://{key}.example/feed"
    for key, name in {
        "fil": "Le Fil",
        "depeche": "La Dépêche",
        "courrier": "Le Courrier",
        "quotidien": "Le Quotidien",
    }.items()
}
TITLE = "Hun Sen en visite à Vientiane"
OPENING = (
    "Hun Sen est arrivé en visite officielle à Vientiane, où Thongloun Sisoulith l'a reçu au palais présidentiel. Ils "
    "ont parlé du pont de Stung Treng et du corridor ferroviaire."
)
VISIT = "visite officielle de Hun Sen à Vientiane"
WORKS = "le pont de Stung Treng et le corridor ferroviaire"
#: Day and hour, feed, number of the item, text.
NEWS = [
    (1, "14:00", "Le Fil", 1, f"{OPENING} Le pont coûtera 120 millions de dollars."),
    (1, "16:00", "La Dépêche", 1, f"Thongloun Sisoulith salue la {VISIT}, {WORKS}."),
    (
        1,
        "23:30",
        "Le Courrier",
        1,
        f"Thongloun Sisoulith reçoit encore : pendant la {VISIT}, {WORKS} occupent la soirée.",
    ),
    (2, "10:00", "Le Fil", 1, f"{OPENING} Le pont coûtera 210 millions de dollars."),
    (2, "15:00", "Le Quotidien", 1, f"Suite de la {VISIT} : Thongloun Sisoulith montre sur le chantier {WORKS}."),
    (3, "09:00", "Le Fil", 2, f"Fin de la {VISIT} : Thongloun Sisoulith annonce une date pour {WORKS}."),
    (4, "11:00", "La Dépêche", 2, f"Après la {VISIT}, Thongloun Sisoulith presse les ingénieurs : {WORKS} attendent."),
    (5, "10:00", "Le Courrier", 2, f"Des fonds manquent, dit Thongloun Sisoulith depuis la {VISIT} : {WORKS}."),
]
OUTAGE = ((2, "12:00"), (3, "14:00"))
SILENCE = ((4, "08:00"), timedelta(hours=12))


def at(day: int, clock: str) -> datetime:
    """A moment of those days, by the clock on the reader's wall."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 2, 1 + day, hour, minute, tzinfo=ZONE).astimezone(UTC)


class FiveDays(Desk):
    """A desk whose mail server is away for 26 hours."""

    async def send(self, claimed, target, **more):  # type: ignore[no-untyped-def, override]
        if at(*OUTAGE[0]) <= self.now < at(*OUTAGE[1]):
            return Receipt(outcome=Outcome.RETRY, detail="connection refused")
        show(self.now, claimed)
        return await super().send(claimed, target, **more)


def show(now: datetime, claimed) -> None:  # type: ignore[no-untyped-def]
    """One message: when, to whom, its headers and its text."""
    mail = email.message_from_bytes(claimed.message.content, policy=email.policy.default)
    print(f"=== {now.astimezone(ZONE):%a %d %b %H:%M}, attempt {claimed.attempt}")
    for name in ("To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"):
        for number, line in enumerate(str(mail[name]).split() if name == "References" and mail[name] else [mail[name]]):
            if mail[name]:
                print(f"{name if not number else ' ' * len(name)}: {line}")
    print(f"bytes: sha256 {hashlib.sha256(claimed.message.content).hexdigest()}\n")
    print(mail.get_body(("plain",)).get_content())


async def run(desk: FiveDays) -> None:
    """Half hour by half hour."""
    shown: dict[str, dict[int, Item]] = {name: {} for name in FEEDS}
    while desk.now <= at(6, "08:00"):
        came = [one for one in NEWS if at(one[0], one[1]) == desk.now]
        for _, _, name, number, text in came:
            stamp = desk.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
            was = shown[name].get(number)
            shown[name][number] = Item(f"v{number}", TITLE, text, published=was.published if was else stamp)
            desk.web.feed(FEEDS[name], list(shown[name].values()))
        if desk.now == at(*SILENCE[0]):
            with desk.store.write() as tx:
                until = desk.now + SILENCE[1]
                silences.add(tx, silences.Silence(rule_id="visit", until=until, author="ana", created=desk.now))
        if came:
            await desk.pass_()
        await single_pass.deliver_due(desk.context)
        desk.later(minutes=30)
    with desk.store.read() as tx:
        assert ledger.audit(tx) == ()
    print("=== the ledger")
    query = (
        "SELECT o.recipient, o.article_id, o.occasion, o.verdict, o.suppression, coalesce(d.state, '') "
        "FROM obligation o LEFT JOIN delivery d ON d.id = o.delivery_id ORDER BY o.recipient, o.article_id, o.id"
    )
    for row in desk.rows(query):
        print(" | ".join(str(value) for value in row))


def five_days(folder: Path) -> FiveDays:
    """The desk of those days, on their first morning."""
    night = (Quiet(since=time(22), until=time(6, 30)),)
    desk_target = replace(email_target("desk", "desk@example.org"), quiet=night)
    digest = replace(email_target("morning", "editor@example.org"), digest=DigestPolicy(at="30 7 * * *"))
    notification = NotificationPolicy(follow_up=("correction", "new-source", "development"))
    feeds = [feed(url, name=name) for name, url in FEEDS.items()]
    return FiveDays(folder, feeds=feeds, targets=[desk_target, digest], notification=notification, now=at(1, "08:00"))


def main() -> None:
    """Print all of it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        # One at a time, as which of two is tried first at a target that is down would be chance.
        alone = mock.patch.multiple(embedded, DELIVERIES=1, PER_TARGET=1)
        with five_days(Path(folder)) as desk, mock.patch.object(job, "send", desk.send), alone:
            asyncio.run(run(desk))


if __name__ == "__main__":
    main()
