"""A French page is French: every page over a store that holds every kind of state, and what a form is answered with."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import readings
from consoles import Pages
from lxml import html
from readings import NOW
from starlette.routing import Route

import worker
from worker.alerts.self_watch import Condition, Kind
from worker.console.access import digest
from worker.console.drawing import words
from worker.console.views.fates import FateKind
from worker.errors import Problem
from worker.model import CutKind, FetchReason, Occasion, PageReason, Severity, Suppression, WaitReason
from worker.notify.render import conditions
from worker.notify.render.sentences import templates
from worker.pipeline.discover import Found, Tried
from worker.store import Tx, people, silences, upkeep
from worker.store.ledger_lines import Outcome
from worker.store.people import Change, HandOver, Person, Role, Scope
from worker.store.silences import Silence
from worker.store.tables import DELIVERY, DOCUMENT, ENTRY, FEED, OBLIGATION, STORY

WORDS = Path(worker.__file__).parent / "console" / "words"
#: Elements whose text is somebody else's: an article, a quotation, what was typed, a file.
OTHERS = (
    "self::article or self::textarea or self::script or self::code or self::mark"
    " or @lang='en' or @class='diff' or @class='pointed'"
)
LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
#: A line of a file, slots, code, files, the severity in a subject, and the title that would be a script.
NO_WORDS = re.compile(r"^ {4}.*\n *\^+$|\{\w+\}|`[^`]*`|\[\w+\]|\S*\w+\.toml|<script>.*</script>", re.MULTILINE)
#: Words of English that are none of French, whoever says them.
PLAIN = LETTERS.findall(
    "the is are of not cannot was its with that which and it must write should by to for from this there has have be"
    " no nothing does did you at or if when than more less only never were what who why how all until ago"
)
#: Words that both languages have, or that stand in French sentences as what they are.
COMMON = {"français", "id"}


def letters(texts: Iterator[str]) -> set[str]:
    """The words of texts; what is written in capitals is of the rule language."""
    found = (word for text in texts for word in LETTERS.findall(NO_WORDS.sub(" ", text)))
    return {word.lower() for word in found if not word.isupper()}


def leaves(found: object) -> Iterator[str]:
    if isinstance(found, dict):
        for inner in found.values():
            yield from leaves(inner)
    else:
        yield str(found)


@cache
def english() -> frozenset[str]:
    """Words by which an English sentence of ours is known."""
    of_pages = {name: tomllib.loads((WORDS / f"{name}.toml").read_text("utf-8")) for name in ("fr", "en")}
    ours = letters(leaves(of_pages["en"])) | letters(one.english for one in templates())
    theirs = letters(leaves(of_pages["fr"])) | letters(one.french for one in templates())
    return frozenset((ours - theirs - COMMON).union(PLAIN))


def shown(page: html.HtmlElement) -> Iterator[str]:
    """The texts of a page that are ours."""
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        if not element.xpath(f"ancestor-or-self::*[{OTHERS}]"):
            yield element.text or ""
            yield from (element.get(name, "") for name in ("title", "aria-label", "placeholder", "alt"))
        if not element.xpath(f"ancestor::*[{OTHERS}]"):
            yield element.tail or ""


def left(page: html.HtmlElement) -> list[str]:
    """The English words of a page, each with the text that it stands in."""
    return [
        f"{word}: {' '.join(text.split())}"
        for text in shown(page)
        for word in sorted(letters(iter([text])) & english())
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The store of the pages for reading, and all that may go wrong in it."""
    pages = readings.filled(tmp_path_factory.mktemp("french"))
    with pages.store.write() as tx:
        _feeds(tx)
        _deliveries(tx)
        _people(tx, 1)
        problems = (
            Problem(file="laos.toml", line=3, column=9, message="no set is called @laoss", fix="did you mean @laos?"),
            Problem(file="laos.toml", line=0, message="the file is empty", fix="write it again, or remove it"),
        )
        state = upkeep.InForce(owner="x", hash="h", rules=1, since=NOW, read=NOW, problems=problems)
        upkeep.put_in_force(tx, state)
        found = [Condition(kind=kind, name="VNA", last=NOW, count=3) for kind in Kind]
        upkeep.begin(tx, [(one, conditions.subject(one, "en")) for one in found], now=NOW)
    pages.keep()
    yield pages
    pages.close()


@pytest.fixture(autouse=True)
def _french(pages: Pages) -> None:
    """The language that the browser was told to ask for."""
    pages.cookies.set("language", "fr")


def _feeds(tx: Tx) -> None:
    rhythm = '{"interval": 900, "why": "an article every 2 hours or so, 12 in 3 days"}'
    states = [
        ("dns_error", "a.example: Name or service not known", 3),
        ("server_error", "status 503", 1),
        ("ok", "the document ends early; 2 dates could not be read: 'hier', ...", 0),
    ]
    for number, (result, detail, failures) in enumerate(states, 1):
        values = {"last_result": result, "last_detail": detail, "failures": failures}
        values |= {"rhythm": rhythm, "gap": NOW, "lies": True}
        tx.execute(FEED.update().where(FEED.c.id == number).values(values))
    aside = {"state": "quarantined", "error": "extract: died: exit code 3", "put_aside": NOW}
    tx.execute(ENTRY.update().where(ENTRY.c.id == 3).values(aside))
    page = {"page_at": NOW, "page_reason": "shorter", "page_detail": "200 characters, and 900 in the feed"}
    tx.execute(ENTRY.update().where(ENTRY.c.id == 1).values(page))
    tx.execute(DOCUMENT.update().where(DOCUMENT.c.id == 1).values(result="parse_error", detail="entry 2 is empty"))


#: Deliveries that are not sent: state, hold and reason.
UNSENT = [
    *(("open", str(hold), "") for hold in WaitReason),
    ("failed", "", "refused: 550 no such user (fix: check the address in `to`)"),
    ("failed", "", "uncertain: tried 3 times, may have arrived: smtp.example did not answer within 60 s"),
    ("parked", "", "no target reaches this recipient any more"),
    ("retry", "", "Connection refused"),
    ("sealed", "", ""),
]
WHYS = {
    Suppression.SILENCED: "by anna until 2026-02-07 08:30 UTC: trop de bruit",
    Suppression.ACKNOWLEDGED: "by anna at 2026-02-06 08:30 UTC",
    Suppression.SAME_STORY: "a development of story 1, not in follow_up",
    Suppression.OLD_NEWS: "published 2025-01-01",
    Suppression.BELOW_VOLUME: "2 of 5 stories in 6 hours",
    Suppression.OFTEN_CORRECTED: "text 12 of its article",
}


def _deliveries(tx: Tx) -> None:
    """Lines of the ledger, one for each state, hold and suppression."""
    line = dict(tx.execute(OBLIGATION.select().where(OBLIGATION.c.id == 1)).one()._mapping)
    sent = dict(tx.execute(DELIVERY.select().where(DELIVERY.c.id == 1)).one()._mapping)
    del line["id"], sent["id"]
    for number, (state, hold, reason) in enumerate(UNSENT):
        due = NOW + timedelta(hours=1 if hold else 0)
        made = {"key": f"key-{number}", "state": state, "hold": hold, "reason": reason, "due": due, "finished": None}
        id_ = tx.execute(DELIVERY.insert().values(sent | made).returning(DELIVERY.c.id)).scalar_one()
        tx.execute(OBLIGATION.insert().values(line | {"delivery_id": id_, "occasion": f"development-{number + 2}"}))
    for number, reason in enumerate(Suppression, 2):
        kept = {"delivery_id": None, "verdict": "suppressed", "suppression": reason, "why": WHYS.get(reason, "")}
        tx.execute(OBLIGATION.insert().values(line | kept | {"occasion": f"correction-{number}"}))
    tx.execute(
        STORY.update().values(perhaps_why="They share laos, hanoï; to be surely the same takes 1.7 times as much.")
    )
    tx.execute(STORY.update().where(STORY.c.id == 2).values(perhaps_id=1, perhaps_score=0.1))


AUDIT = [
    ("role changed", "person anna", "editor → admin"),
    ("token made", "token suivi", "answer read"),
    ("silence", "rule visit", "silence 3, 6h: trop de bruit"),
    ("silence", "set hun_sen", "silence 4, 6h: "),
    ("label", "article 1", "relevant for visit"),
    ("label", "article 1", "visit: noise"),
    ("mute story", "story 1", "7 days, by article 1"),
    ("story merge", "story 1", "2 to 1, articles 3, 4"),
    ("rule saved", "rule visit", "rules.toml: 3 lines more, 1 less"),
    ("rule saved", "rule visit", "switched off; rules.toml: 1 line more, 0 less"),
    ("rule removed", "rule visit", "rules.toml: 0 lines more, 9 less"),
    ("list sent", "target log", "2026-02-05T17:00+00:00 – 2026-02-06T07:00+00:00"),
    ("retry", "delivery 3, 4", ""),
    ("quarantine retry", "2 entries", ""),
    ("quarantine retry", "entry 4", ""),
    ("feeds imported", "2 feeds", "https://a.example/feed"),
    ("hand-over", "article 1", "anna: à suivre"),
]


def _people(tx: Tx, article: int) -> None:
    people.put(tx, Person(name="anna", password_hash="", role=Role.EDITOR, created=NOW))
    people.add_token(tx, "suivi", digest("h"), [Scope.READ], author="anna", now=NOW, until=NOW - timedelta(days=1))
    people.add_note(tx, article, "À vérifier.", author="anna", now=NOW)
    people.hand_over(tx, HandOver(article_id=article, author="anna", person="jean", note="à suivre", created=NOW))
    silences.acknowledge(tx, article, "anna", NOW)
    silences.add(tx, Silence(rule_id="visit", until=NOW + timedelta(days=1), author="anna", reason="", created=NOW))
    for action, subject, detail in AUDIT:
        people.audit(tx, Change(at=NOW, author="anna", action=action, subject=subject, detail=detail))


def test_every_page_is_french(pages: Pages) -> None:
    """Those of later routes too."""
    routes = [route for route in pages.routes if isinstance(route, Route) and "GET" in (route.methods or ())]
    paths = [route.path for route in routes if not route.path.startswith(("/static", "/api", "/language"))]
    asked = {re.sub(r"\{\w+\}", number, path) for path in paths for number in ("1", "2", "visit")}
    asked |= {f"/alerts/deliveries/{number}" for number in range(4, 15)}
    asked |= {f"/articles/{number}?silent=all&copy=1" for number in range(1, 9)}
    asked |= {"/?day=2026-02-06", "/missed?since=2026-02-01&by=story", "/rules/new?query=@hun_senn", "/nothing-here"}
    asked |= {"/search?q=hun+sen", "/search?q=@hun_senn&as=rule", "/search?q=title:x)&as=rule", "/search?since=xx"}
    found = {}
    for path in sorted(asked):
        answer = pages.ask("GET", path)
        is_page = answer.headers.get("content-type", "").startswith("text/html") and answer.text
        if is_page and (words := left(html.document_fromstring(answer.text))):
            found[path] = words
    assert found == {}


TEST = {"tests": "1", "test-0-title": "Hun Sen rentre", "test-0-text": "Il est rentré.", "test-0-lang": "fr"}
RULE = {"id": "laos", "name": "Laos", "severity": "high", "when": "laos", "file": "laos.toml", "was": "", "tests": "0"}
OPML = '<opml version="2.0"><body><outline type="rss" text="Deux" xmlUrl="{}"/></body></opml>'
FORMS = [
    *(
        pytest.param("/rules/check", RULE | {"when": when}, id=when)
        for when in (
            *(
                "@hun_senn NEAR/12 visite",
                "a and b",
                "(a",
                "a AND b OR c",
                "title:a NEAR/5 b",
                "NOT a",
                "ab*",
                "/a(/",
            ),
            *("ATLEAST/0 a", "a NEAR b", "x:y", "nope(a)", "a AFTER/3 b", "“a”", '"a', "a b", "vi:@a", "===a"),
        )
    ),
    pytest.param("/rules/check", RULE | TEST | {"test-0-match": "yes"}, id="a test that should match"),
    pytest.param(
        "/rules/check", RULE | TEST | {"when": '"Hun Sen" NEAR/s est', "test-0-match": "yes"}, id="a near miss"
    ),
    pytest.param("/rules/check", RULE | TEST | {"when": "hun", "test-0-match": "no"}, id="a test that should not"),
    pytest.param("/rules/new/try", RULE | {"when": "@laoss"}, id="a trial with a mistake"),
    pytest.param("/rules/new/review", RULE | {"id": "LAOS"}, id="an id"),
    pytest.param("/rules/new/review", RULE | {"file": "../x"}, id="a file"),
    pytest.param("/rules/new/review", RULE | {"id": "visit"}, id="an id that is taken"),
    pytest.param("/rules/new/review", RULE | {"languages": "français"}, id="a language"),
    pytest.param("/rules/new/review", RULE | {"tags": "x"}, id="a tag"),
    pytest.param("/rules/new/review", RULE | TEST | {"test-0-match": "yes"}, id="a failing test at review"),
    pytest.param("/rules/new/review", RULE, id="a change"),
    pytest.param("/feeds/add", {"url": "ftp://x.example/"}, id="another scheme"),
    pytest.param("/feeds/add", {"url": "https://x .example/"}, id="a blank"),
    pytest.param("/feeds/add", {"url": "https://x.example/", "language": "uk"}, id="a country"),
    pytest.param("/feeds/add", {"url": "https://a.example/feed"}, id="a feed that is there"),
    pytest.param("/feeds/import", {"opml": "<opml"}, id="no XML"),
    pytest.param("/feeds/import", {"opml": "<html/>"}, id="no OPML"),
    pytest.param("/feeds/import", {"opml": "<!DOCTYPE opml><opml/>"}, id="a document type"),
    *(
        pytest.param("/feeds/import", {"opml": OPML.format(url)}, id=f"an outline: {url}")
        for url in ("", "mailto:x", "/feed", "https://x y/")
    ),
    pytest.param("/alerts/silences/make", {"rule": "visit", "feed": "Fil 1"}, id="two silences"),
    pytest.param("/alerts/silences/make", {"rule": "visit", "for": "x"}, id="how long"),
    pytest.param("/alerts/silences/make", {"rule": "nope", "for": "1d"}, id="an unknown rule"),
    pytest.param("/people/tokens/add", {"name": "", "days": "30"}, id="a token without a name"),
    pytest.param("/stories/1/split", {"article": "999999"}, id="no story"),
    pytest.param("/stories/1/merge", {"other": "1"}, id="the same story"),
    pytest.param("/sign-in", {"name": "x", "password": "y"}, id="a wrong password"),
]


@pytest.mark.parametrize(("path", "form"), FORMS)
def test_an_answer_to_a_form_is_french(pages: Pages, path: str, form: dict[str, str]) -> None:
    """Mistakes above all."""
    answer = pages.ask("POST", path, form, Origin=pages.base)
    assert answer.status_code in {200, 400, 403, 409, 422}, answer.headers.get("location")
    shown_there = answer.json()["html"] if path == "/rules/check" else answer.text
    page = html.document_fromstring(shown_there)
    assert "problem" in shown_there or form == RULE
    assert left(page) == []


LOOKS = [
    Found(reason="blocked_address: x.example:80 is at 10.0.0.1, which is not public"),
    Found(reason="not_a_feed: an HTML page; it names a feed: https://x.example/rss"),
    Found(reason="not_modified: the server says so of what it never sent"),
    Found(reason="the page names https://x.example/rss, server_error: status 500"),
    Found(reason="the page names https://x.example/rss, which is a page too"),
    Found(feeds=("https://x.example/rss",), title="X"),
    Found(feeds=("https://x.example/1", "https://x.example/2")),
]


@pytest.mark.parametrize("found", LOOKS, ids=lambda found: found.reason or str(len(found.feeds)))
def test_a_look_at_an_address_is_french(pages: Pages, found: Found) -> None:
    """Whatever is found there; and what somebody else's program says is marked as English."""
    pages.found = found
    pages.tried = (Tried(article=None, error="extract: raised: ValueError: boom"),)
    page = pages.get("/feeds/add?url=https://x.example/")
    assert left(page) == []
    if found.title:
        assert page.xpath("//q[@lang='en']/text()") == ["ValueError: boom"]


CLOSED = [
    pytest.param("suppression", Suppression, id="suppressions"),
    pytest.param("hold", WaitReason, id="holds"),
    pytest.param("waits_until", WaitReason, id="waits"),
    pytest.param("feed_health", FetchReason, id="results of polls"),
    pytest.param("page", PageReason, id="pages that are not taken"),
    pytest.param("feed_pages", PageReason, id="counts of pages"),
    pytest.param("cut", CutKind, id="parts that are cut"),
    pytest.param("fate", FateKind, id="results of alerts"),
    pytest.param("occasion", Occasion, id="occasions"),
    pytest.param("severity", Severity, id="severities"),
    pytest.param("rules", Severity, id="severities of rules"),
    pytest.param("outcome", Outcome, id="outcomes"),
]


@pytest.mark.parametrize(("section", "members"), CLOSED)
def test_every_member_of_a_closed_list_has_its_words(section: str, members: Iterable[str]) -> None:
    """A page would show the bare code otherwise; the other language has the same keys."""
    there = getattr(words("fr"), section)
    assert sorted(str(one) for one in members if str(one) not in there) == []


def test_every_change_in_the_audit_has_its_words() -> None:
    """Actions, and what they are of, as the code writes them down."""
    sources = [path.read_text("utf-8") for path in Path(worker.__file__).parent.rglob("*.py")]
    lines = [line for source in sources for line in source.splitlines() if "audit(" in line or "Change(" in line]
    found = {word for line in lines for word in re.findall(r'(?:call, |tx, |action=)"([a-z -]+)"', line)}
    assert len(found) > 15
    assert sorted(one for one in found if one not in words("fr").audit) == []
