"""page: an article's own page enriches its text, and never replaces what was better."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from desk import FEED, START, VISIT, Desk, Inline, feed, scripted
from feedserver import Document, FeedServer
from rig import Item, rss

from worker.feeds.child import ChildReason
from worker.model import PageReason
from worker.net import client as net
from worker.pipeline.ingest import ingest
from worker.pipeline.page import page
from worker.runtime.embedded import LEASE
from worker.store import entries, pages

LINK = "https://a.example/article-1"
TITLE = "Une rencontre régionale"
SUMMARY = "Le programme d'une rencontre régionale est connu depuis ce matin à Hanoï."
FULL = (
    "Le programme d'une rencontre régionale est connu depuis ce matin à Hanoï. Les ministres ouvriront les travaux. "
    "Ils parleront de l'eau, des routes et des écoles de la région pendant deux jours entiers."
)
#: A page that is not the article's, and holds the words of the rule.
WALL = f"Pour lire la suite, faites votre choix sur les traceurs de ce site.\n\n{VISIT}\n\nMerci de votre confiance."


def html(text: str, *, heading: str = "Un titre", head: str = "") -> bytes:
    """A page that says `text` among the furniture of a site."""
    return (
        f"<html><head>{head}<title>Le Fil</title></head><body><nav><a href='/'>Accueil</a></nav>"
        f"<article><h1>{heading}</h1>"
        + "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
        + "</article><footer>Mentions</footer></body></html>"
    ).encode()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with Desk(tmp_path, feeds=[feed(full_text=True)]) as made:
        made.web.feed(FEED, [Item("1", TITLE, SUMMARY, LINK)])
        yield scripted(monkeypatch, made)


def take_pages(desk: Desk) -> tuple[pages.PageWanted, ...]:
    with desk.store.write() as tx:
        return pages.take_pages(tx, now=desk.now, lease=LEASE, limit=10)


async def ingest_ready(desk: Desk) -> int:
    """Ingest what is ready now; how many entries."""
    with desk.store.write() as tx:
        ids = entries.take_ready(tx, now=desk.now, lease=LEASE, limit=50)
    if ids:
        await ingest(desk.context, ids)
    return len(ids)


def bodies(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT body FROM revision ORDER BY id")]


def reasons(desk: Desk) -> list[str]:
    return [row[0] for row in desk.rows("SELECT page_reason FROM entry ORDER BY id")]


def asked(desk: Desk) -> int:
    return sum(str(request.url) == LINK for request in desk.web.requests)


async def test_the_page_wins_over_the_summary(desk: Desk) -> None:
    """An entry waits for its page, and its article has the page's text."""
    desk.web.answer(LINK, html(FULL + "\n\n" + VISIT))
    await desk.poll()
    assert await ingest_ready(desk) == 0
    (wanted,) = take_pages(desk)
    assert await page(desk.context, wanted)
    assert await ingest_ready(desk) == 1
    assert "écoles de la région" in bodies(desk)[0]
    assert desk.one("SELECT count(*) FROM obligation WHERE verdict = 'owed'") == 1
    assert reasons(desk) == [""]


async def test_after_a_minute_the_summary_goes_on_alone(desk: Desk) -> None:
    """Not before; and no page has to fail for it."""
    await desk.poll()
    desk.later(seconds=59)
    assert await ingest_ready(desk) == 0
    desk.later(seconds=2)
    assert await ingest_ready(desk) == 1
    assert bodies(desk) == [SUMMARY]


@pytest.mark.parametrize("late", [FULL, FULL + "\n\n" + VISIT], ids=["no match", "matches anew"])
async def test_a_late_page_is_a_revision(desk: Desk, late: str) -> None:
    """A match that the summary did not have is a first alert, whatever numbers and names the page adds."""
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.later(seconds=61)
    assert await ingest_ready(desk) == 1
    desk.web.answer(LINK, html(late))
    assert await page(desk.context, wanted)
    assert await ingest_ready(desk) == 1
    assert len(bodies(desk)) == 2
    assert desk.one("SELECT count(*) FROM article WHERE origin = 'feed'") == 1
    assert desk.rows("SELECT occasion, verdict FROM obligation") == [("first", "owed")] * (VISIT in late)


async def test_a_late_page_tells_nobody_twice(desk: Desk) -> None:
    """A match that the summary's alert had is not sent again for the page."""
    desk.web.feed(FEED, [Item("1", TITLE, SUMMARY + " " + VISIT, LINK)])
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.later(seconds=61)
    await ingest_ready(desk)
    desk.web.answer(LINK, html(FULL + "\n\n" + VISIT))
    await page(desk.context, wanted)
    await ingest_ready(desk)
    assert len(bodies(desk)) == 2
    assert desk.rows("SELECT occasion FROM obligation") == [("first",)]


async def test_a_late_page_is_no_correction(desk: Desk) -> None:
    """Another number on the page, where the feed says what it said, corrects nothing; told readers hear nothing."""
    told = f"{VISIT} Le cortège compte 12 voitures."
    desk.web.feed(FEED, [Item("1", TITLE, told, LINK)])
    await desk.pass_()
    assert desk.told == ["log:log"]
    desk.web.answer(LINK, html(f"{VISIT} Le cortège compte 15 voitures, et la route est fermée jusqu'au soir."))
    desk.later(minutes=11)
    await desk.pass_()
    assert len(bodies(desk)) == 2
    assert desk.rows("SELECT occasion FROM obligation") == [("first",)]


async def test_a_correction_by_the_feed_is_one(desk: Desk) -> None:
    """The same number replaced in the feed itself, page or not."""
    desk.web.feed(FEED, [Item("1", TITLE, f"{VISIT} Le cortège compte 12 voitures.", LINK)])
    await desk.pass_()
    desk.web.feed(FEED, [Item("1", TITLE, f"{VISIT} Le cortège compte 15 voitures.", LINK)])
    desk.later(minutes=1)
    await desk.pass_()
    assert ("correction",) in desk.rows("SELECT occasion FROM obligation")


async def test_a_page_that_fails_is_asked_for_again(desk: Desk) -> None:
    """After ten minutes, an hour and six; the summary goes on at once, and the last time is the last."""
    desk.web.answer(LINK, status=503)
    await desk.poll()
    (wanted,) = take_pages(desk)
    assert not await page(desk.context, wanted)
    assert await ingest_ready(desk) == 1, "nothing is waited for"
    for before, minutes in ((0, 10), (10, 60), (60, 360)):
        desk.later(minutes=minutes - before - 1)
        assert take_pages(desk) == ()
        desk.later(minutes=1)
        assert (desk.now - START).total_seconds() == minutes * 60
        (wanted,) = take_pages(desk)
        assert not await page(desk.context, wanted)
    desk.later(days=2)
    assert take_pages(desk) == ()
    assert asked(desk) == 4
    assert bodies(desk) == [SUMMARY]
    assert desk.rows("SELECT page_reason, page_detail FROM entry") == [("not_fetched", "server_error: status 503")]


@pytest.mark.parametrize("reason", list(ChildReason))
async def test_p19_a_page_that_kills_its_child(desk: Desk, reason: ChildReason) -> None:
    """Extraction that ends in a dead child is a page that did not come."""
    desk.web.answer(LINK, html(FULL))
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.children.instead = Inline.failing(reason)
    assert not await page(desk.context, wanted)
    desk.children.instead = lambda *_: None
    assert await ingest_ready(desk) == 1
    assert bodies(desk) == [SUMMARY]
    assert reasons(desk) == [PageReason.NO_TEXT]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"<html></html>", b"%PDF-1.7 \x00\x01"], ids=["empty", "bytes", "bare", "pdf"]
)
async def test_a_page_without_text(desk: Desk, body: bytes) -> None:
    """It never replaces a summary that says something."""
    desk.web.answer(LINK, body)
    await desk.poll()
    (wanted,) = take_pages(desk)
    assert not await page(desk.context, wanted)
    assert await ingest_ready(desk) == 1
    assert bodies(desk) == [SUMMARY]


async def test_a_feed_that_was_removed_frees_its_entries(desk: Desk) -> None:
    """Its page is not fetched any more, and the summary does not wait for it."""
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.reload(feeds=[])
    assert not await page(desk.context, wanted)
    assert asked(desk) == 0
    assert await ingest_ready(desk) == 1
    desk.later(days=1)
    assert take_pages(desk) == ()


async def test_what_the_feed_changed_meanwhile_is_not_overwritten(desk: Desk) -> None:
    """A page that was compared with words of before is dropped: the entry's new form asks for it anew."""
    desk.web.answer(LINK, html(FULL))
    await desk.poll()
    (wanted,) = take_pages(desk)
    desk.web.feed(FEED, [Item("1", "Les écoles de la région", "Un texte tout autre, sur le port.", LINK)])
    desk.later(seconds=5)
    await desk.poll()
    assert not await page(desk.context, wanted)
    assert [one.parsed.title for one in take_pages(desk)] == ["Les écoles de la région"]


async def test_one_pass_does_not_wait(desk: Desk) -> None:
    """`veille poll` fetches each page once and goes on with what it has."""
    desk.web.answer(LINK, status=500)
    done = await desk.pass_()
    assert done.articles["new"] == 1
    assert bodies(desk) == [SUMMARY]
    assert asked(desk) == 1


async def test_a_page_that_sends_on_by_itself(desk: Desk) -> None:
    """A meta refresh is followed once, and its end is judged as a redirect's."""
    moved = "https://a.example/2026/une-rencontre-regionale"
    desk.web.answer(LINK, html("", head=f"<meta http-equiv='refresh' content='0; url={moved}'>"))
    desk.web.answer(moved, html(FULL, heading=TITLE))
    await desk.pass_()
    assert bodies(desk) == [FULL]


async def test_other_news_behind_the_article_is_cut(desk: Desk) -> None:
    """Titles of others that extraction takes along match no rule, and are kept aside."""
    others = f"<h3><a href='/x'>Le marché</a></h3><p>Il rouvre.</p><h3><a href='/y'>Hun Sen</a></h3><p>{VISIT}</p>"
    desk.web.answer(LINK, html(FULL, heading=TITLE).replace(b"</article>", f"{others}</article>".encode()))
    await desk.pass_()
    assert bodies(desk) == [FULL]
    assert desk.one("SELECT count(*) FROM obligation") == 0
    ((cut,),) = desk.rows("SELECT cut FROM revision")
    assert json.loads(cut) == [["title", TITLE], ["related", f"Le marché\n\nIl rouvre.\n\nHun Sen\n\n{VISIT}"]]


# --- what other entries of the host got ----------------------------------------------------------------------------


def walled(*titles: str) -> list[Item]:
    """Items of whose few words a wall holds enough."""
    return [Item(str(n), title, "Brève.", f"https://a.example/{n}") for n, title in enumerate(titles)]


async def test_what_another_entry_got_is_nobodys(desk: Desk) -> None:
    """A wall that carries the words of both by chance: the second is refused, and the first goes back to its feed."""
    first, second = walled("Choix des traceurs", "Confiance et lecture suite")
    for item in (first, second):
        desk.web.answer(item.link, html(WALL))
    desk.web.feed(FEED, [first])
    await desk.pass_()
    assert VISIT in bodies(desk)[0], "nothing says yet that this is not its page"
    desk.web.feed(FEED, [first, second])
    desk.later(minutes=2)
    await desk.pass_()
    assert reasons(desk) == [PageReason.REPEATED, PageReason.REPEATED]
    texts = [text for (text,) in desk.rows("SELECT body FROM revision ORDER BY article_id, number")]
    assert [VISIT in text for text in texts] == [True, False, False]
    assert texts[1:] == [first.text, second.text]
    desk.later(minutes=10)
    assert {one.entry_id for one in take_pages(desk)} == {1, 2}, "both are asked for again"


async def test_numbers_and_codes_do_not_make_a_page_another(desk: Desk) -> None:
    """Each answer of a wall carries its own request id."""
    found = walled("Choix des traceurs", "Confiance et lecture suite")
    for item, code in zip(found, ("8af0cc12", "9bd1ee77"), strict=True):
        desk.web.answer(item.link, html(f"{WALL}\n\nRéférence {code}, {code[0]}h15."))
    desk.web.feed(FEED, found)
    await desk.pass_()
    assert reasons(desk) == [PageReason.REPEATED] * 2


async def test_one_article_under_two_addresses_keeps_its_page(desk: Desk) -> None:
    """The same title and the same page are the same article."""
    items = [Item(str(n), TITLE, SUMMARY, f"https://a.example/{n}/article") for n in range(2)]
    for item in items:
        desk.web.answer(item.link, html(FULL))
    desk.web.feed(FEED, items)
    await desk.pass_()
    assert reasons(desk) == ["", ""]


async def test_items_that_link_to_one_page(desk: Desk) -> None:
    """The front page of all of them is nobody's; a page that two feeds name under other titles is both's."""
    front = [
        Item(str(n), title, "Brève.", "https://a.example/") for n, title in enumerate(("Les traceurs", "Le choix"))
    ]
    desk.web.answer("https://a.example/", html(WALL))
    desk.web.feed(FEED, front)
    await desk.pass_()
    assert reasons(desk) == [PageReason.REPEATED] * 2
    other = "https://a.example/other"
    desk.reload(feeds=[feed(full_text=True), feed(other, full_text=True)])
    desk.web.feed(FEED, [*front, Item("a", "Le programme est connu", SUMMARY, LINK)])
    desk.web.feed(other, [Item("b", "Rencontre régionale", SUMMARY, LINK)])
    desk.web.answer(LINK, html(FULL))
    await desk.pass_()
    assert reasons(desk)[2:] == ["", ""]


async def test_what_a_feed_says_besides_stands_behind_the_page(desk: Desk) -> None:
    """A link to the page is left out; a remark behind words that the page holds too goes behind it."""
    more = "<p>Ce billet a paru d'abord ailleurs.</p><p><a href='/x'>Lire la suite</a></p>"
    item = f"<description>{escape(f'<p>{SUMMARY}</p>{more}')}</description>"
    desk.web.feed(FEED, [Item("1", TITLE, "@", LINK)])
    document = desk.web.pages[FEED](None).content  # type: ignore[operator,arg-type]  it answers whoever asks
    desk.web.answer(FEED, re.sub(rb"<description>.*?</description>", lambda _: item.encode(), document))
    desk.web.answer(LINK, html(FULL, heading=TITLE))
    await desk.pass_()
    assert bodies(desk) == [f"{FULL}\n\nCe billet a paru d'abord ailleurs."]


async def test_a_follow_up_that_quotes_an_article_leaves_it_its_page(desk: Desk) -> None:
    """All lines of the earlier page stand on the later one, which has as many of its own: both are pages."""
    quoted = "Le texte est signé.\n\n" + "\n\n".join(f"Article {word} du texte." for word in ("un", "deux", "trois"))
    own = "\n\n".join(f"Les bateaux du quai {word} sortent lundi." for word in ("nord", "sud", "est", "ouest"))
    early = Item("1", "Le texte est signé", "Brève.", "https://a.example/1")
    late = Item("2", "Les bateaux sortent lundi", "Brève.", "https://a.example/2")
    desk.web.answer(early.link, html(quoted))
    desk.web.answer(late.link, html(f"{own}\n\nRappel.\n\n{quoted}"))
    desk.web.feed(FEED, [early, late])
    await desk.pass_()
    assert reasons(desk) == ["", ""]


# --- the kinds of pages, over a real server --------------------------------------------------------------------------

STORY = (
    "Les deux délégations se sont retrouvées mardi matin à la résidence du gouverneur de Vinh.\n\n"
    "Elles ont signé une charte sur la pêche, que les ports attendaient depuis trois ans.\n\n"
    "La presse n'a pas été admise à la cérémonie, qui a duré moins d'une heure."
)
FIRST = STORY.partition("\n\n")[0]
HEADLINE = "Une charte de la pêche signée à Vinh"
CARDS = "".join(
    f"<div><h2><a href='/{n}'>{title}</a></h2><p>{said}</p></div>"
    for n, (title, said) in enumerate(
        [
            ("La récolte du poivre à Kampot", "Les planteurs attendent une bonne année après la sécheresse."),
            (HEADLINE, FIRST),
            ("Un musée pour les luthiers", "La ville ouvre au printemps une maison des instruments."),
            ("Le tournoi commence", "Trente équipes sont attendues au bord du fleuve dimanche."),
        ]
    )
)


def served(body: str, *, status: int = 200, lang: str = "fr", **headers: str) -> Document:
    """An HTML page."""
    whole = f"<!DOCTYPE html><html lang='{lang}'><head><title>t</title></head><body>{body}</body></html>"
    return Document(body=whole.encode(), status=status, content_type="text/html; charset=utf-8", headers=headers)


def said(*parts: str, heading: str) -> str:
    return f"<main><article><h1>{heading}</h1>{''.join(f'<p>{part}</p>' for part in parts)}</article></main>"


def moved(to: str) -> Document:
    return Document(status=302, headers={"Location": to})


GOOD = said(*STORY.split("\n\n"), heading=HEADLINE)
#: What stands at the article's address and elsewhere, and why it is not taken (None: it is).
PAGES: dict[str, tuple[dict[str, Document], PageReason | None]] = {
    "its article": ({"/p": served(GOOD)}, None),
    "a headline in other signs": (
        {"/p": served(said(*STORY.split("\n\n"), heading="UNE CHARTE DE LA PÊCHE, SIGNÉE À VINH&nbsp;!"))},
        None,
    ),
    "a canonical slug": ({"/p": moved("/une-charte-de-peche"), "/une-charte-de-peche": served(GOOD)}, None),
    "an edition for print": ({"/p": moved("/p?print=1"), "/p?print=1": served(GOOD)}, None),
    "news behind the article": ({"/p": served(f"{GOOD}<section>{CARDS}</section>")}, None),
    "a live page": (
        {"/p": served(said("11h : fin de la cérémonie de Vinh.", *STORY.split("\n\n"), heading="Direct de Vinh"))},
        None,
    ),
    "a wall in French": (
        {"/p": served(said("Avec nos partenaires, nous utilisons des traceurs pour mesurer l'audience.",
                           "Vous pouvez accepter, refuser ou régler vos choix à tout moment.",
                           heading="Nous respectons votre vie privée"))},
        PageReason.OTHER_TEXT,
    ),
    "a wall in German": (
        {"/p": served(said("Besuchen Sie uns wie gewohnt mit Werbung. Die Zustimmung ist jederzeit widerrufbar.",
                           heading="Mit Werbung weiterlesen"), lang="de")},
        PageReason.OTHER_TEXT,
    ),
    "a challenge": (
        {"/p": served("<h1>site.example</h1><h2>Just a moment...</h2><p>We are checking that you are human.</p>")},
        PageReason.OTHER_TEXT,
    ),
    "a refusal": (
        {"/p": served("<h1>Access Denied</h1><p>You have no permission to see this. Reference 18.5d0</p>")},
        PageReason.OTHER_TEXT,
    ),
    "a login": (
        {"/p": moved("/login?next=/p"), "/login?next=/p": served(said("Connectez-vous.", heading="Connexion"))},
        PageReason.REDIRECTED,
    ),
    "no such page, in French": (
        {"/p": served(said("La page que vous cherchez a été déplacée. Retournez à l'accueil.", heading="Introuvable"))},
        PageReason.OTHER_TEXT,
    ),
    "no such page, in Vietnamese": (
        {"/p": served(said("Trang bạn tìm không tồn tại. Vui lòng quay lại trang chủ.", heading="Không tìm thấy"))},
        PageReason.OTHER_TEXT,
    ),
    "no such page, and said so": ({"/p": served("rien", status=404)}, PageReason.NOT_FETCHED),
    "the front page": ({"/p": moved("/"), "/": served(f"<main>{CARDS}</main>")}, PageReason.REDIRECTED),
    "a section": ({"/p": moved("/une"), "/une": served(f"<main>{CARDS}</main>")}, PageReason.REDIRECTED),
    "another article": (
        {"/p": moved("/b"), "/b": served(said("Les bateaux ont quitté le port sous le soleil, ce matin à Vinh.",
                                             heading="La saison de la pêche s'ouvre"))},
        PageReason.REDIRECTED,
    ),
    "another language": (
        {"/p": served(said("The two delegations met at the governor's residence.", "They signed a charter.",
                           heading="A fishing charter"), lang="en")},
        PageReason.OTHER_TEXT,
    ),
    "the beginning alone": (
        {"/p": served(said(FIRST, "La suite est réservée aux abonnés.", heading=HEADLINE))},
        PageReason.SHORTER,
    ),
    "the beginning and a long offer": (
        {"/p": served(said(FIRST, *["La suite est réservée : un euro le premier mois."] * 9,
                           heading=HEADLINE))},
        PageReason.OTHER_TEXT,
    ),
    "scripts alone": ({"/p": served("<div id='root'></div><script src='/a.js'></script>")}, PageReason.NO_TEXT),
}  # fmt: skip


async def resolve(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize("kind", PAGES)
async def test_kinds_of_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Whatever its address shows, the article holds what the feed said, and says why it has no more."""
    documents, reason = PAGES[kind]
    with FeedServer() as server, Desk(tmp_path) as desk:
        scripted(monkeypatch, desk)
        url = server.url("/f.xml", host="site.test")
        client = net.Client(allow=[server.place], user_agent="t", resolve=resolve)
        desk.context = replace(desk.context, client=client)
        desk.reload(feeds=[feed(url, full_text=True)])
        for path, document in documents.items():
            server.put(path, document)
        item = Item("1", HEADLINE, STORY, server.url("/p", host="site.test"))
        server.serve("/f.xml", rss([item]))
        await desk.pass_()
        await client.aclose()
        (body,) = bodies(desk)
        assert reasons(desk) == [reason or ""]
        assert desk.one("SELECT page_text <> '' FROM entry") == (reason is None)
        assert all(part in body for part in STORY.split("\n\n"))
        if reason is not None:
            assert body == STORY
