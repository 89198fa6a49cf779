"""A week of a desk, and its replay: in this process, in another one, on another store."""

import asyncio
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import httpx
from desk import Desk, Inline, email_target, feed, new_store, slack_target
from rig import Item, rss

from worker.answers import Action, Answer
from worker.engine.once import _deliveries
from worker.model import DigestPolicy, Escalation, Outcome, Quiet, Receipt, Route, Telling, Throttle
from worker.net import Client
from worker.normalise import Known
from worker.pipeline import answering
from worker.pipeline.edges import Edges
from worker.pipeline.known import load_archive, store_known
from worker.pipeline.live import Live
from worker.pipeline.page import page
from worker.replay import Again, Compared, compare, run_again
from worker.store import Store, deliveries, open_store, pages, silences
from worker.story import WINDOW

A, B, C, D, E = (f"https://{name}.example/feed" for name in "abcde")
PAGE = "https://d.example/page-{}"
BEGIN = datetime(2026, 2, 2, 6, 0, tzinfo=UTC)
TITLE = "Hun Sen en visite à Vientiane"
OPENING = (
    "Hun Sen est arrivé en visite officielle à Vientiane. Le président du Sénat du Cambodge y a été reçu par "
    "Thongloun Sisoulith au palais présidentiel."
)
ACCOUNTS = (
    f"{OPENING} Le pont de Stung Treng coûtera 120 millions de dollars, et le corridor ferroviaire en suivra le tracé.",
    (
        "Hun Sen, président du Sénat cambodgien, poursuit sa visite officielle à Vientiane. Thongloun Sisoulith a "
        "salué le pont de Stung Treng et le corridor ferroviaire entre les deux pays."
    ),
    (
        "À Vientiane, la visite officielle de Hun Sen s'achève par une déclaration sur le corridor ferroviaire et le "
        "pont de Stung Treng, que Thongloun Sisoulith appelle de ses vœux."
    ),
)
CORRECTED = ACCOUNTS[0].replace("120 millions", "210 millions")
KAMPOT = "Hun Sen prépare une visite de la centrale de Kampot, où les turbines neuves attendent leurs techniciens."
SUMMARY = "Le programme d'une rencontre régionale est connu depuis ce matin à Hanoï."
FULL = f"{SUMMARY} Les ministres ouvriront les travaux. Hun Sen y sera en visite de travail, dit son porte-parole."
IMPORTED = "Le marché flottant de Cai Rang ouvrira plus tôt pendant la crue, annonce le comité populaire de la ville."
#: `visit` of the rig by another word, so that some articles match no more and one matches anew.
OTHER_RULES = '[[rule]]\nid = "visit"\nname = "Une visite"\nseverity = "high"\nwhen = "corridor OR turbines"\n'


def week_desk(folder: Path) -> Desk:
    """Five feeds, one of them of pages; mail with a night and a throttle, a digest, Slack, reminders to a boss."""
    night = (Quiet(since=time(22), until=time(6, 30)),)
    desk = replace(
        email_target("desk", "a@example.org", "b@example.org"),
        quiet=night,
        throttle=Throttle(alerts=6, per=timedelta(hours=2)),
    )
    targets = [
        desk,
        replace(email_target("morning", "editor@example.org"), digest=DigestPolicy(at="30 7 * * *")),
        slack_target(),
        email_target("boss", "boss@example.org"),
    ]
    escalation = Escalation(targets=("boss",), after=timedelta(minutes=45))
    telling = Telling(follow_up=("correction", "new-source", "development"), escalation=escalation)
    routes = [
        Route(targets=("desk",), telling=replace(telling, group_wait=timedelta(minutes=5))),
        Route(targets=("morning", "mekong"), telling=replace(telling, escalation=None)),
    ]
    names = {A: "Le Fil", B: "La Dépêche", C: "Le Courrier", D: "La Page", E: "Le Quotidien"}
    feeds = [feed(url, name=name, full_text=url == D, alert_backlog=url != E) for url, name in names.items()]
    return Desk(
        folder,
        feeds=feeds,
        targets=targets,
        routes=routes,
        telling=Telling(),
        public_url="https://veille.example",
        now=BEGIN,
    )


class Week:
    """What happens in it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.shown: dict[str, dict[str, Item]] = {url: {} for url in (A, B, C, D, E)}

    def show(self, url: str, guid: str, text: str, *, title: str = TITLE, link: str = "") -> None:
        """Let a feed hold an item, and answer 304 to who has seen it."""
        stamp = self.desk.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        was = self.shown[url].get(guid)
        self.shown[url][guid] = Item(guid, title, text, link, published=was.published if was else stamp)
        body = rss(list(self.shown[url].values()))
        etag = f'"{zlib.crc32(body)}"'

        def answer(request: httpx.Request) -> httpx.Response:
            if request.headers.get("if-none-match") == etag:
                return httpx.Response(304)
            return httpx.Response(200, content=body, headers={"etag": etag})

        self.desk.web.pages[url] = answer

    async def wait(self, minutes: int = 30, times: int = 1) -> None:
        """Time goes on; what is due is sent."""
        for _ in range(times):
            self.desk.later(minutes=minutes)
            await _deliveries(self.desk.edges)

    async def run(self) -> None:
        """All of it."""
        desk = self.desk
        with desk.store.write() as tx:
            silences.make_signing_key(tx)
        load_archive(desk.store, desk.now)
        self._import("k1", IMPORTED)
        self.show(E, "e1", "Hun Sen a terminé une visite à Siem Reap, racontait hier la presse.", title="Backlog")
        self.show(A, "a1", ACCOUNTS[0])
        await desk.pass_()
        await self.wait(10)
        await desk.pass_()  # 304
        self.show(B, "b1", ACCOUNTS[1])
        await self.cut_short()
        await desk.pass_()
        await self.wait(times=3)  # nobody answers: the boss is told
        self.show(C, "c1", ACCOUNTS[0], title="Hun Sen est à Vientiane")  # a copy
        self.show(E, "e2", f"{IMPORTED}", title="Un marché")  # a copy of what is known
        await desk.pass_()
        await self.pages()
        self.show(A, "a1", CORRECTED)
        desk.script["desk"] = [Receipt(outcome=Outcome.RETRY, detail="connection refused", shared=True)] * 3
        desk.script["mekong"] = [Receipt(outcome=Outcome.UNCERTAIN), Receipt(outcome=Outcome.PERMANENT, detail="no")]
        await desk.pass_()
        await self.wait(10, times=8)
        await self.answers()
        desk.now = desk.now.replace(hour=23)
        self.show(C, "c2", ACCOUNTS[2])
        self.show(B, "b2", KAMPOT, title="Hun Sen attendu à Kampot")
        await desk.pass_()
        with desk.store.write() as tx:
            silences.acknowledge(tx, self._article("b2"), "ana", desk.now)
        await self.wait(times=24)
        with desk.store.write() as tx:
            dead = [line.id for line in deliveries.unsent(tx, states=["failed"])]
            deliveries.revive(tx, dead, desk.now)
        await self.wait(times=4)

    async def cut_short(self) -> None:
        """A feed whose document always ends in the middle of its last item: the second time it is taken as it is."""
        whole = rss([Item("e3", "Une note", "Hun Sen reporte une visite du port."), Item("e4", "Fin", "Rien.")])
        cut = whole[: whole.index(b"Fin")]
        held = self.desk.web.pages[E]
        self.desk.web.answer(E, cut)
        for _ in range(2):
            await self.desk.pass_()
            await self.wait(2)
        self.desk.web.pages[E] = held

    async def pages(self) -> None:
        """A page that comes at once, and one that comes after its summary went on alone."""
        desk = self.desk
        page_of = "<html><body><article><h1>Titre</h1><p>{}</p></article></body></html>"
        desk.web.answer(PAGE.format(1), page_of.format(FULL).encode())
        self.show(D, "d1", SUMMARY, title="Une rencontre régionale", link=PAGE.format(1))
        await desk.pass_()
        late = "La gare de Lao Bao rouvre lundi, après six mois de travaux sur la voie et les quais."
        self.show(D, "d2", late, title="La gare de Lao Bao", link=PAGE.format(2))
        await desk.poll(D)
        with desk.store.write() as tx:
            (wanted,) = pages.take_pages(tx, now=desk.now, lease=timedelta(minutes=1), limit=5)
        desk.later(minutes=2)
        await desk.pass_()
        desk.web.answer(PAGE.format(2), page_of.format(f"{late} Hun Sen, en visite, coupera le ruban.").encode())
        await page(desk.edges, wanted)
        await desk.pass_()

    async def answers(self) -> None:
        """Two silences, one of which is ended; an acknowledgement; a story that one reader has enough of."""
        desk = self.desk
        with desk.store.write() as tx:
            made = silences.Silence(feed="La Page", author="ana", created=desk.now, until=desk.now + timedelta(days=2))
            number = silences.add(tx, made)
        self.show(D, "d3", "Hun Sen reçoit la presse pendant sa visite du barrage de Sambor.", title="La presse")
        await desk.pass_()
        desk.later(minutes=20)
        with desk.store.write() as tx:
            assert silences.end(tx, number, desk.now)
        acknowledged = Answer(
            action=Action.ACKNOWLEDGE, article_id=self._article("a1"), recipient="mailto:a@example.org"
        )
        answering.take(desk.store, desk.edges.live, acknowledged, desk.now)
        self.show(
            A, "a2", "Hun Sen achève sa visite officielle à Vientiane avec Thongloun Sisoulith et le pont promis."
        )
        await desk.pass_()
        muted = Answer(action=Action.MUTE, article_id=self._article("a1"), recipient="mailto:b@example.org")
        answering.take(desk.store, desk.edges.live, muted, desk.now)
        await self.wait(times=3)

    def _article(self, guid: str) -> int:
        return int(self.desk.one(f"SELECT article_id FROM entry WHERE parsed LIKE '%\"{guid}\"%'"))

    def _import(self, name: str, body: str) -> None:
        known = Known(
            id=name, language="fr", published=None, precision="", source="VNA", url="", title="Un marché", body=body
        )
        store_known(self.desk.store, [known], self.desk.now)


@contextmanager
def replaying(live: Live, now: datetime) -> Iterator[Edges]:
    """Edges to replay with, and an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        inline, store = Inline(), new_store(Path(folder))
        yield Edges(
            store=store,
            client=Client(user_agent="test", transport=httpx.MockTransport(_refuse)),
            children=inline,  # type: ignore[arg-type]  it runs what it is given
            senders=inline,  # type: ignore[arg-type]  as above
            clock=lambda: now,
            owner="replay",
            echo=print,
            live=live,
        )
        store.close()


def _refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"a replay asks for {request.url}")


async def replayed(
    store: Store, live: Live, since: datetime, now: datetime, warm_up: timedelta = WINDOW
) -> tuple[Again, Compared]:
    """A replay and what it shows."""
    with replaying(live, now) as edges:
        done = await run_again(store, edges, since, now, warm_up=warm_up)
    return done, compare(done)


def replay_elsewhere(path: str, now: str) -> None:
    """In a process of its own: replay the week from the store at `path`, and print what is the same."""
    with tempfile.TemporaryDirectory() as folder, week_desk(Path(folder)) as desk:
        live = desk.edges.live
    store = open_store(f"sqlite:///{path}", create=False)
    done, compared = asyncio.run(replayed(store, live, BEGIN, datetime.fromisoformat(now)))
    store.close()
    assert done.events
    counts = (compared.matches, compared.obligations, compared.messages)
    print(compared.same, *(count["same"] for count in counts))
