"""The load: feeds of invented French articles, and the loopback server that answers for them in its own process."""

import asyncio
import contextlib
import hashlib
import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from multiprocessing.connection import Connection

#: Nouns, verbs, adjectives, prepositions, names, places.
_WORDS = """
accord agence atelier barrage bateau bourse café camion canal chantier chemin coopérative commerce comité conseil
contrat culture délégation député digue district école élève énergie entreprise exposition ferme fleuve forêt foire
formation frontière gare hôpital incendie industrie ingénieur journal laboratoire lac marché médecin ministère
montagne musée navire orchestre ouvrier paysan pêcheur plage plantation pont port poste province quartier récolte
région réseau rivière riz route saison santé séance soie sommet source stade studio syndicat tarif temple terrain
théâtre tournoi tracteur train usine vallée vent village ville visiteur voie voyage zone

accueille achève ajoute annonce apporte augmente cherche choisit confirme construit convient demande double emploie
encourage engage espère étend étudie examine explique finance forme gagne garantit gère inaugure installe invite lance
livre maintient modernise montre négocie nomme ouvre partage perd planifie porte prépare présente promet propose
protège quitte rappelle reçoit réduit remet renforce renouvelle répare reporte réunit salue signe soutient surveille
traverse vend vérifie visite

ancien annuel agricole bilatéral central commun côtier durable économique étranger familial fluvial important
industriel intérieur jeune large local lointain maritime moderne national nouveau ouvert paisible prochain populaire
privé public rapide régional rural scientifique simple solide sportif technique traditionnel urbain utile vaste vif
voisin

afin après avant avec chez contre dans depuis devant durant malgré parmi pendant pour près sans selon sous sur vers

Bao Chan Dara Dung Hai Hoa Khanh Kosal Lan Linh Mai Minh Nam Phuong Rith Sok Son Tam Thao Vanna

Battambang Dalat Hanoï Haïphong Huê Kampot Kratie Luang Phnom Saigon Savannakhet Siem Takeo Vientiane
"""
NOUNS, VERBS, ADJECTIVES, LINKS, NAMES, PLACES = (part.split() for part in _WORDS.split("\n\n"))

#: A fixed day, so that every run serves the same bytes.
_NEWEST = datetime(2026, 3, 1, 6, tzinfo=UTC)


def sentence(draw: random.Random) -> str:
    """Fifteen to twenty words that read like news and mean nothing."""
    one, two, three, four = draw.sample(NOUNS, 4)
    place, name = draw.choice(PLACES), f"{draw.choice(NAMES)} {draw.choice(NAMES)}"
    clauses = [
        f"{draw.choice(VERBS)} {draw.randrange(2, 900)} fois son {two} {draw.choice(ADJECTIVES)}",
        f"{draw.choice(VERBS)} le {two} {draw.choice(LINKS)} un {three} {draw.choice(ADJECTIVES)}",
        f"{draw.choice(VERBS)} sa part du {three} {draw.choice(LINKS)} {place}, a dit {name}",
    ]
    return (
        f"Le {one} {draw.choice(ADJECTIVES)} de {draw.choice(PLACES)} {draw.choice(clauses)}, "
        f"et {name} {draw.choice(VERBS)} un {four} {draw.choice(ADJECTIVES)} {draw.choice(LINKS)} le {two}."
    )


def feed(number: int, articles: int) -> bytes:
    """An RSS 2.0 document of `articles` items with about 400 words each, the same for the same number."""
    draw = random.Random(number)
    return "".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" ',
            'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>',
            f"<title>Journal {number}</title><link>http://example.org/{number}/</link>",
            "<description>Nouvelles inventées</description><language>fr</language>",
            *(_item(draw, number, at) for at in range(articles)),
            "</channel></rss>\n",
        ]
    ).encode()


def _item(draw: random.Random, number: int, at: int) -> str:
    sentences = [sentence(draw) for _ in range(18)]
    paragraphs = "".join(f"<p>{' '.join(sentences[start : start + 3])}</p>" for start in range(0, 18, 3))
    published = format_datetime(_NEWEST - timedelta(minutes=number + 600 * at))
    return (
        f"<item><title>{sentences[0][:70].rsplit(' ', 1)[0]}</title>"
        f"<link>http://example.org/{number}/{at}.html</link><guid>http://example.org/{number}/{at}</guid>"
        f"<pubDate>{published}</pubDate><description>{sentences[0]}</description>"
        f"<content:encoded><![CDATA[{paragraphs}]]></content:encoded></item>"
    )


@dataclass(frozen=True)
class Server:
    """A running server."""

    urls: tuple[str, ...]
    _pipe: Connection

    def counts(self) -> Counter[int]:
        """Answers by status code since the last time asked."""
        self._pipe.send("counts")
        return self._pipe.recv()


@contextlib.contextmanager
def serve(feeds: int, articles: int) -> Iterator[Server]:
    """Serve feeds on one loopback address each, as they come from one host each; ends with the `with`."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there, feeds, articles), daemon=True)
    process.start()
    try:
        yield Server(urls=here.recv(), _pipe=here)
    finally:
        process.terminate()
        process.join()


def _run(pipe: Connection, feeds: int, articles: int) -> None:
    asyncio.run(_serve(pipe, feeds, articles))


async def _serve(pipe: Connection, feeds: int, articles: int) -> None:
    documents = [feed(number, articles) for number in range(feeds)]
    by_path = {f"/{number}/feed.xml": _answers(document) for number, document in enumerate(documents)}
    counts: Counter[int] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")).strip():
                full, unchanged, etag = by_path[head.split(b" ", 2)[1].decode()]
                is_known = etag in head
                counts[304 if is_known else 200] += 1
                writer.write(unchanged if is_known else full)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    hosts = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(feeds)]
    first = await asyncio.start_server(answer, hosts[0], 0)
    port = first.sockets[0].getsockname()[1]
    servers = [first, *[await asyncio.start_server(answer, host, port) for host in hosts[1:]]]
    pipe.send(tuple(f"http://{host}:{port}/{number}/feed.xml" for number, host in enumerate(hosts)))

    def tell() -> None:
        pipe.recv()
        pipe.send(counts.copy())
        counts.clear()

    asyncio.get_running_loop().add_reader(pipe.fileno(), tell)
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        await asyncio.Event().wait()


def _answers(document: bytes) -> tuple[bytes, bytes, bytes]:
    """The full answer, the 304, and the entity tag that chooses between them."""
    etag = b'"' + hashlib.sha256(document).hexdigest()[:16].encode() + b'"'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml; charset=utf-8\r\nETag: " + etag
    full = head + f"\r\nContent-Length: {len(document)}\r\n\r\n".encode() + document
    return full, b"HTTP/1.1 304 Not Modified\r\nETag: " + etag + b"\r\nContent-Length: 0\r\n\r\n", etag
