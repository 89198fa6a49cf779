"""Functions that the parent process runs on a feed's text, with inputs made to cost most.

    python benchmarks/bounded.py [BEGINNING OF A NAME...] [--inputs "one letter,percent"]

Each is called with half of the largest input that its limits let through, and with all of it; processor time in
milliseconds, the faster of two rounds. Twice the input should take about twice the time: a ratio near 4 is a square.
What runs in a child (parse, extract) is not here: a child is given its time, and killed when that is over.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import httpx

from worker.analysis import copies
from worker.analysis.stories import Vector, bag, weighted
from worker.analysis.text import Document, analyse
from worker.feeds import fetch
from worker.feeds.identify import Bare, edited, identify, keys
from worker.feeds.normalise.pages import FeedText, alike, carries, is_front, line_keys, own_lines
from worker.feeds.parse.texts import BODY, TITLE
from worker.model import Feed, FeedState, Novelty, NoveltyKind, ParsedEntry, Part, Secret, Span
from worker.net import client as net
from worker.net import urls
from worker.net.head import Head
from worker.net.inflate import Inflater
from worker.notify.render import changes, passages
from worker.rules import compile_rules
from worker.rules.match import Source, match

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: Bytes of a head, of a document, and entries of one.
HEAD, DOCUMENT, ENTRIES = 100 << 10, 15 << 20, 2_000
#: The texts that are tried; none: all.
INPUTS: set[str] = set()
RULES = """
[set.people]
kind = "person"
terms = ["Hun Sen", "To Lam"]
[[rule]]
id = "near"
when = "accord NEAR/8 (frontière OR visite)"
[[rule]]
id = "sentence"
when = "(accord BEFORE/s @people) WITHOUT visite"
[[rule]]
id = "regex"
when = '/(a+)+b/ OR /accord.*visite/'
[[rule]]
id = "exact"
when = "==Accord AND ATLEAST/50 accord"
"""


def filled(pattern: str, size: int) -> str:
    """`pattern` again and again, to a size in characters."""
    return (pattern * (size // len(pattern) + 1))[:size]


#: Bodies of `BODY` bytes at most, by what is bad about them.
TEXTS: Mapping[str, str] = {
    "one letter": "a",
    "one blank": " ",
    "one quote": "\u00ab ",
    "dashes": "- ",
    "stops": ". ",
    "lines": "A\n",
    "capitals": "Aa ",
    "empty lines": "\n \n",
    "numbers": "1 ",
    "names": "Hun Sen, ",
    "words of rules": "accord visite Hun Sen ",
    "elided": "l'a ",
    "hyphens": "A-b-",
    "dotted": "A.B.",
    "percent": "%",
    "markup": "<b>",
    "open markup": "<",
    "entities": "&#769;",
    "marks": "\u0301\u0323",
    "ligatures": "\ufdfa",
    "khmer": "\u1780\u17d2\u1780\u17c1\u17b6",
    "zero width": "a\u200b",
    "vietnamese": "\u1ec7 \u0103 ",
}


def distinct(size: int) -> str:
    """Words with capitals, all of them different, in sentences of one shape."""
    words = (f"Le {chr(65 + n % 26)}{n:x}or a dit {n} a Zu{n:x}." for n in range(size // 24))
    return " ".join(words)[:size]


def bodies(size: int) -> dict[str, str]:
    """Every bad text in a size in bytes."""
    made = {name: filled(pattern, size // len(pattern.encode()) * len(pattern)) for name, pattern in TEXTS.items()}
    made["distinct names"] = distinct(size)
    return {name: text for name, text in made.items() if not INPUTS or name in INPUTS}


def entry(n: int, body: str = "", link: str = "") -> ParsedEntry:
    """An item; without a link it is bare."""
    return ParsedEntry(title=f"Titre {n}", summary=body, link=link)


Call = Callable[[], object]


def of_urls(part: float) -> Iterator[tuple[str, Call]]:
    """URLs: as long as a link may be, and 1.25 MB where they may be longer."""
    long, link = int(1_250_000 * part), int(urls.LONGEST * part)
    tails = {
        "/amp": "/amp",
        ".amp": ".amp",
        "...amp": "/...amp",
        "amp caches": "google.com/amp/s/",
        "dots": "/../a",
        "queries": "a=1&",
        "escapes": "%25",
        "www": "www.",
        "letters": "\u00e9",
        "posts": "-post1234",
        "slashes": "/",
    }
    for name, tail in tails.items():
        host = "https://" if tail.endswith(("/s/", "www.")) else "https://news.test/"
        short, large = host + filled(tail, link - len(host)), host + filled(tail, long)
        yield (
            f"canonical: {name}, {ENTRIES} links",
            lambda short=short: [urls.canonical(short) for _ in range(ENTRIES)],
        )
        yield f"canonical: {name}", lambda large=large: urls.canonical(large)
        yield f"masked: {name}", lambda large=large: urls.masked(large, values=True)
        yield (
            f"absolute, requestable: {name}",
            lambda large=large: urls.requestable(urls.absolute(large, "https://news.test/feed")),
        )


def fetched(status: int, headers: Mapping[str, str] | list[tuple[str, str]]) -> Call:
    """Fetches a feed whose server answers so."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers=headers, content=b"<rss/>")

    client = net.Client(user_agent="t", transport=httpx.MockTransport(answer))
    feed = Feed(id="f", url=Secret("http://a.test/"), name="f")
    return lambda: asyncio.run(fetch.fetch_feed(client, feed, FeedState(id=1), now=NOW))


def of_answers(part: float) -> Iterator[tuple[str, Call]]:
    """Heads and bodies of answers."""
    size = int(HEAD * part)
    for name, line in {"broken": b"a b\r\n", "folded": b" a\r\n", "sound": b"A: 1\r\n", "blanks": b" "}.items():
        head = b"HTTP/1.1 200 OK\r\n" + line * (size // len(line)) + b"\r\n\r\n"

        def fed(head: bytes = head) -> None:
            reader = Head()
            for at in range(0, len(head), 16):
                reader.fed(head[at : at + 16])

        yield f"head in pieces of 16 bytes: {name}", fed
    for name, text in {"blanks": " ", "commas": ",", "digits": "9", "days": "Sun, "}.items():
        value = filled(text, size)
        times = dict.fromkeys(("cache-control", "expires", "date", "retry-after", "age"), value)
        yield f"headers of times: {name}", fetched(200, times)
        yield f"six redirects: {name}", fetched(302, {"location": f"/{value}"})
    cookie = "a=1; expires=" + filled("9 ", 4_000)
    said = [("set-cookie", f"n{n}{cookie}") for n in range(size // 4_096)]
    yield "six redirects with cookies", fetched(302, [*said, ("location", "/")])
    body = b"\x00" * int(DOCUMENT * part)

    def inflated() -> None:
        inflater = Inflater("", wire=DOCUMENT, decoded=DOCUMENT)
        for at in range(0, len(body), 1 << 15):
            for _ in inflater.feed(body[at : at + (1 << 15)]):
                pass
        inflater.finish()

    yield "body", inflated


def of_documents(part: float) -> Iterator[tuple[str, Call]]:
    """Entries of one document, which are 15 MB together."""
    many = int(ENTRIES * part)
    for name, text in bodies(DOCUMENT // ENTRIES).items():
        items = [entry(n, text, f"https://a.test/{n}") for n in range(many)]
        bare = [entry(n, f"{n} {text}") for n in range(many)]
        known = [Bare(entry_id=n, parsed=entry(n, text * 20)) for n in range(200)]
        yield (
            f"keys, identify: {name}",
            lambda items=items: [
                [keys(one) for one in items],
                identify(items, {}),
            ],
        )
        yield f"edited: {name}", lambda bare=bare, known=known: edited(identify(bare, {}), known)


def vector_of(document: Document) -> Vector:
    """The weighted terms of a document in an empty store."""
    found = bag(document)
    return weighted(found, found.counted({}), 10)[0]


def of_texts(part: float) -> Iterator[tuple[str, Call]]:
    """One article's text, as large as a body may be."""
    ruleset = compile_rules({"rules.toml": RULES.encode()})
    for name, body in bodies(int(BODY * part)).items():
        title = body[:TITLE]
        document = analyse(title, body, "fr")
        other = analyse(title, body[: len(body) // 2] + " Autre 7.", "fr")
        one, two = copies.fingerprint(document), copies.fingerprint(other)
        source = Source(feed="f", tags=(), published=NOW, first_seen=NOW)
        matches = match(document, ruleset, source)
        spans = [span for one in matches for span in one.spans][:10_000] or [Span(part=Part.BODY, words=((0, 1),))]
        candidates = [copies.Candidate(article_id=1, fingerprint=two, published=NOW, title=title)]
        copy = Novelty(kind=NoveltyKind.DUPLICATE, of=1, score=0.5, why="")
        feed = FeedText(title=title, text=body, link="https://a.test/")
        yield from {
            f"analyse: {name}": lambda title=title, body=body: analyse(title, body, "fr"),
            f"fingerprint: {name}": lambda document=document: copies.fingerprint(document),
            f"decide (copies): {name}": lambda a=(one, document, candidates): copies.decide(
                a[0], document=a[1], published=NOW, candidates=a[2]
            ),
            f"news: {name}": lambda a=(document, matches, two), copy=copy: copies.news(a[0], a[1], [a[2]], copy),
            f"change: {name}": lambda a=(two, one, document): copies.change(a[0], a[1], a[2], has_page=False),
            f"match: {name}": lambda document=document, source=source: match(document, ruleset, source),
            f"bag, weighted (stories): {name}": lambda document=document: vector_of(document),
            f"passages: {name}": lambda document=document, spans=spans: passages(document, spans),
            f"changes: {name}": lambda body=body: changes(body, f"Autre. {body[len(body) // 3 :]}"),
            f"pages, compared: {name}": lambda body=body, feed=feed: (
                line_keys(body),
                own_lines(body, frozenset()),
                carries(feed, body),
                alike(feed.title, body[:TITLE]),
                is_front(feed.link),
            ),
        }.items()


def seconds(call: Call) -> float:
    """Processor time."""
    began = time.process_time()
    call()
    return time.process_time() - began


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    given.add_argument("names", nargs="*")
    given.add_argument("--inputs", default="")
    options = given.parse_args()
    INPUTS.update(filter(None, options.inputs.split(",")))
    asked = options.names
    print("| function, input | half, ms | whole, ms | ratio |\n|---|--:|--:|--:|")
    for group in (of_urls, of_answers, of_documents, of_texts):
        for (name, half_of_it), (_, whole) in zip(group(0.5), group(1), strict=True):
            if asked and not any(name.startswith(one) for one in asked):
                continue
            half = min(seconds(half_of_it) for _ in range(2))
            full = seconds(whole)
            full = min(full, seconds(whole)) if full < 5 else full
            ratio = f"{full / half:.1f}" if half > 0.001 else ""
            print(f"| {name} | {1000 * half:.0f} | {1000 * full:.0f} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
