"""A walk over every route of the console, as somebody would who means harm: pages that come later are walked too."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from consoles import Pages, sampled
from lxml import html
from rig import LOG_TARGET, RULES
from starlette.routing import Route

from worker.console.access import COOKIE, digest
from worker.console.api import OPERATIONS, ROOT
from worker.model import Secret
from worker.store import feeds, people, silences
from worker.store.people import Change, HandOver, Person, Role, Scope
from worker.store.silences import Silence

#: A text that would run if it were taken for anything else, in an element, an attribute, a script, an address.
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}</textarea></title><b>"
ABROAD = "https://veille.example.org"
#: Whoever may reach the port may ask for these.
PUBLIC = {"/sign-in", "/sign-out", "/account", "/language", "/static/{name}", "/answer/{token}", "/api/v1/openapi.json"}
#: Written at a GET: when a page was seen, and a token used.
SEEN = {"visit", "api_token"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A store in which every free text is hostile."""
    rules = RULES.replace("Une visite de Hun Sen", HOSTILE.replace('"', '\\"'))
    folder = tmp_path_factory.mktemp("security")
    with sampled(folder, rules=rules, targets=LOG_TARGET) as found:
        now = found.desk.clock()
        with found.store.write() as tx:
            for table, columns in {
                "article": ("title", "source", "why"),
                "revision": ("title", "body"),
                "story": ("title", "perhaps_why"),
                "story_article": ("why",),
                "match": ("rule_name",),
                "feed": ("last_detail",),
                "obligation": ("why",),
                "delivery": ("subject", "reason"),
            }.items():
                for column in columns:
                    tx.execute(sa.text(f"UPDATE {table} SET {column} = :text"), {"text": HOSTILE})
            tx.execute(sa.text("UPDATE article SET link = 'javascript:alert(3)' WHERE id % 2 = 0"))
            tx.execute(sa.text("UPDATE delivery SET state = 'failed'"))
            for article in (6, 7, 8):
                people.add_note(tx, article, HOSTILE, author=HOSTILE, now=now)
                given = HandOver(article_id=article, author=HOSTILE, person=HOSTILE, note=HOSTILE, created=now)
                people.hand_over(tx, given)
                silences.acknowledge(tx, article, HOSTILE, now)
            silences.add(tx, Silence(rule_id="visit", until=None, author=HOSTILE, reason=HOSTILE, created=now))
            people.put(tx, Person(name=HOSTILE, password_hash="", role=Role.READER, created=now))
            people.add_token(tx, HOSTILE, digest("h"), [Scope.READ], author=HOSTILE, now=now, until=None)
            people.audit(tx, Change(at=now, author=HOSTILE, action=HOSTILE, subject=HOSTILE, detail=HOSTILE))
        found.keep()
        yield found


@pytest.fixture
def pages(filled: Pages) -> Iterator[Pages]:
    """The console, as a browser on this machine asks for it."""
    filled.restore()
    made = Pages(filled.site)
    config = made.live.config
    made.live = replace(made.live, config=replace(config, feeds=tuple(replace(f, name=HOSTILE) for f in config.feeds)))
    yield made
    made.close()


@pytest.fixture
def abroad(pages: Pages) -> Pages:
    """The same where people sign in."""
    pages.live = replace(pages.live, config=replace(pages.live.config, public_url=ABROAD))
    return pages


def walk(pages: Pages) -> list[Route]:
    """Every route that answers, each once."""
    return list({route.path: route for route in pages.routes if isinstance(route, Route)}.values())


def example(route: Route, text: str = "visit") -> str:
    """An address that fits a route: numbers are those of something that is there."""
    path = route.path.replace("{name}", "veille.css").replace("{token}", "none")
    path = re.sub(r"\{id\}|\{\w+:int\}", "6", path)
    return re.sub(r"\{\w+(:\w+)?\}", text, path)


def methods(route: Route) -> set[str]:
    """The methods of a route; of an operation of the API, those of its line in the table."""
    endpoint = getattr(route.endpoint, "_by_method", None)
    return set(endpoint or route.methods or ()) - {"HEAD"}


def changing(pages: Pages) -> list[tuple[str, str]]:
    """(method, address) of every route that may change something; a signed link is its own right to be followed."""
    return [
        (method, example(route))
        for route in walk(pages)
        for method in sorted(methods(route) - {"GET"})
        if route.path != "/answer/{token}" and ":path}" not in route.path
    ]


def readable(pages: Pages) -> list[str]:
    return [example(route) for route in walk(pages) if "GET" in methods(route)]


def stored(pages: Pages) -> dict[str, str]:
    """All that the store holds, by table, but for what a look leaves behind."""
    with pages.store.read() as tx:
        names = [
            name for name in sa.inspect(tx).get_table_names() if name not in SEEN and not name.startswith("search")
        ]
        return {name: str(tx.execute(sa.text(f'SELECT * FROM "{name}"')).all()) for name in names}


def assert_guarded(answer: httpx.Response) -> None:
    """The headers that keep a page to itself, and no word on what serves it."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in {"no-referrer", "same-origin"}
    assert "server" not in answer.headers
    assert version("veille") not in answer.text
    assert "Traceback" not in answer.text


def test_the_walk_goes_everywhere(pages: Pages) -> None:
    """A walk over nothing would find nothing."""
    assert {"/", "/people", "/sign-in", "/api/v1/status"} <= set(readable(pages))
    assert {("POST", "/people/remove"), ("DELETE", "/api/v1/silences/6")} <= set(changing(pages))


def test_w08_every_page_and_every_error_has_its_headers(pages: Pages) -> None:
    """Found, missing, refused, of another method; where nobody signs in and where people do."""
    for path in [
        *readable(pages),
        "/nothing",
        "/api/v1/nothing",
        "/static/nothing",
        "/articles/999999999",
        "/people/x",
    ]:
        for answer in (pages.ask("GET", path), pages.ask("PUT", path), pages.ask("POST", path)):
            assert answer.status_code < 500
            assert_guarded(answer)
    pages.live = replace(pages.live, config=replace(pages.live.config, public_url=ABROAD))
    for path in readable(pages):
        assert_guarded(pages.ask("GET", path))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:evil.example", "localhost.evil.example:8080"]
)
def test_w01_no_route_answers_to_a_name_of_others(pages: Pages, host: str) -> None:
    """A page of theirs must not read ours under a name of theirs (DNS rebinding), nor change anything."""
    before = stored(pages)
    for method, path in [("GET", path) for path in readable(pages)] + changing(pages):
        answer = pages.ask(method, path, Host=host, Origin=f"http://{host}")
        assert answer.status_code == 400, (method, path)
        assert_guarded(answer)
    assert stored(pages) == before


OURS = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no origin"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Origin": "https://evil.example"}, id="another site"),
        pytest.param({"Origin": "http://127.0.0.1:8081"}, id="another port"),
        pytest.param({"Origin": OURS + ".evil.example"}, id="a longer name"),
        pytest.param({"Origin": "http://evil.example/" + OURS}, id="our name in its path"),
        pytest.param({"Origin": OURS, "Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Origin": OURS, "Sec-Fetch-Site": "same-site"}, id="same-site"),
        pytest.param({"Referer": OURS + "/"}, id="referer alone"),
    ],
)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_w02_a_change_from_elsewhere_is_refused(pages: Pages, headers: dict[str, str], kind: str) -> None:
    """Whatever it changes and in whichever form it comes, also where nobody signs in: 403, and nothing is changed."""
    before = stored(pages)
    for method, path in changing(pages):
        body = b'{"rule": "visit", "seconds": 60, "text": "x", "judgement": "noise"}'
        answer = pages.ask(method, path, body, **headers, **{"Content-Type": kind})
        assert answer.status_code == 403, (method, path)
    assert stored(pages) == before


def test_w02_no_get_changes_anything(pages: Pages) -> None:
    """Programs follow links."""
    before = stored(pages)
    for path in readable(pages):
        pages.ask("GET", path + "?name=an+admin&role=reader&token=1&article=6&id=6&said=done")
        pages.ask("HEAD", path)
    assert stored(pages) == before


def signed_in(pages: Pages, role: Role) -> dict[str, str]:
    """The cookie of somebody of that role."""
    now = pages.desk.clock()
    with pages.store.write() as tx:
        people.put(tx, Person(name=f"an {role}", password_hash="", role=role, created=now))
        people.sign_in(tx, digest(str(role)), f"an {role}", now, timedelta(hours=1))
    return {"Cookie": f"{COOKIE}={role}"}


def test_w02_who_is_not_signed_in_sees_and_changes_nothing(abroad: Pages) -> None:
    """Nothing but what is for everybody: no cookie, one that holds nothing, and a token that nobody made."""
    before = stored(abroad)
    for headers in ({}, {"Cookie": f"{COOKIE}=stolen"}, {"Authorization": "Bearer stolen"}):
        for route in walk(abroad):
            if route.path in PUBLIC or ":path}" in route.path:
                continue
            for method in methods(route):
                answer = abroad.ask(method, example(route), Origin=OURS, **headers)
                assert answer.status_code == (401 if "/api/" in route.path else 303), (method, route.path)
                assert answer.headers.get("location", "/sign-in").startswith("/sign-in")
                assert HOSTILE[:10] not in answer.text
    assert stored(abroad) == before


def test_w02_a_reader_changes_nothing(abroad: Pages) -> None:
    """Each change needs a role that the reader has not; and so do the people's pages of an editor."""
    reader, editor = signed_in(abroad, Role.READER), signed_in(abroad, Role.EDITOR)
    before = stored(abroad)
    for method, path in changing(abroad):
        if path not in PUBLIC:
            answer = abroad.ask(method, path, b"{}", **reader, Origin=OURS, **{"Content-Type": "application/json"})
            assert answer.status_code == 403, (method, path)
    for method, path in [("GET", "/people"), *changing(abroad)]:
        if path.startswith("/people"):
            assert abroad.ask(method, path, Origin=OURS, **editor).status_code == 403
    assert stored(abroad) == before


#: Elements and attributes of our own pages; what a feed brings is none of them.
ELEMENTS = frozenset(
    """
html head meta title link script body a header nav ul ol li form input button div span main p h1 h2 h3 h4 pre code
section table thead tbody tr th td dl dt dd details summary fieldset legend label select option optgroup textarea
time mark small strong em abbr article aside footer figure figcaption svg g rect path line polyline circle desc
hr br blockquote q del ins datalist output progress meter kbd caption colgroup col noscript
""".split()  # noqa: SIM905 - a list of 70 would fill the page
)
ATTRIBUTES = frozenset(
    """
lang charset name content rel href type src class id action role method value placeholder for maxlength minlength
required autofocus autocomplete autocapitalize spellcheck selected checked scope tabindex open datetime title
width height viewbox d x y x1 x2 y1 y2 cx cy r rx ry points transform preserveaspectratio rows cols wrap size
colspan rowspan min max step pattern disabled readonly multiple label list hidden download start enctype accept
hreflang xmlns focusable form media inputmode formaction formnovalidate novalidate
""".split()  # noqa: SIM905 - as above
)


def test_w08_a_text_that_somebody_wrote_stays_a_text(pages: Pages) -> None:
    """In titles, names, notes, reasons and errors: no page has an element, attribute or address that is theirs."""
    shown = 0
    for path in readable(pages):
        answer = pages.ask("GET", path, **{"Accept-Language": "fr"})
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        shown += "alert(1)" in answer.text
        assert "<script>" not in answer.text
        for element in html.document_fromstring(answer.text).iter():
            if not isinstance(element.tag, str):
                continue
            assert element.tag in ELEMENTS, (path, element.tag)
            names = {name for name in element.attrib if not name.startswith(("aria-", "data-"))}
            assert names <= ATTRIBUTES, (path, element.tag, names - ATTRIBUTES)
            for name in ("href", "src", "action", "formaction"):
                address = urlsplit(element.get(name, ""))
                assert address.scheme in {"", "http", "https"}, (path, element.get(name))
                assert not address.netloc or "noreferrer" in element.get("rel", ""), (path, element.get(name))
            assert element.tag != "script" or element.get("src", "").startswith("/static/")
    assert shown > 1


CANARY = "CANARY-9f3a"


def test_w05_w06_no_page_and_no_answer_shows_a_secret(pages: Pages) -> None:
    """Passwords and keys in feeds' addresses, targets and the rest of the configuration; also beside an error."""
    live = pages.live
    url = f"https://user:{CANARY}@feeds.example/fil?token={CANARY}"
    hidden = replace(live.config.feeds[0], id=url, url=Secret(url), name="Fil")
    config = replace(
        live.config, feeds=(hidden,), secrets=(CANARY, url), heartbeat_url=Secret(f"https://{CANARY}.example")
    )
    pages.live = replace(live, config=replace(config, proxy=Secret(f"http://u:{CANARY}@proxy.example")))
    with pages.store.write() as tx:
        feeds.ensure(tx, pages.live.config.feeds, pages.desk.clock())
    with pages.store.read() as tx:
        secrets = {
            row.digest for row in tx.execute(sa.text("SELECT digest FROM api_token UNION SELECT digest FROM session"))
        }
        key = silences.signing_key(tx)
    for path in [*readable(pages), "/nothing", "/feeds?feed=" + url.replace(CANARY, "x")]:
        answer = pages.ask("GET", path)
        assert CANARY not in answer.text, path
        assert not secrets & set(re.findall(r"\w{64}", answer.text)), path
        assert "argon2" not in answer.text
        assert key is None or key.hex() not in answer.text


@pytest.mark.parametrize(
    "text", ["..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..%5c..%5cx", "%00", "x" * 3_000, "-1", "9" * 30]
)
def test_w04_no_part_of_an_address_leads_elsewhere(pages: Pages, text: str) -> None:
    """Neither to a file nor to a failure: it is not there, or what it stands for is not."""
    for route in walk(pages):
        if "{" in route.path and "GET" in methods(route):
            answer = pages.ask("GET", re.sub(r"\{\w+(:\w+)?\}", text, route.path))
            assert answer.status_code in {200, 303, 400, 404, 422}, (route.path, answer.status_code)
            assert "root:" not in answer.text


def test_w03_what_is_too_much_is_refused(pages: Pages) -> None:
    """A body of 2 MB, ten thousand fields, a query of 30 kB: each route has its bounds."""
    many = "&".join(f"a{number}=1" for number in range(10_000)).encode()
    form = {"Origin": OURS, "Content-Type": "application/x-www-form-urlencoded"}
    before = stored(pages)
    for method, path in changing(pages):
        if path.startswith("/api/"):
            continue
        for body in (b"text=" + b"x" * 2_000_000, many, b"\xff\xfe"):
            assert pages.ask(method, path, body, **form).status_code == 413, path
    for one in OPERATIONS:
        if one.body is not None:
            answer = pages.ask(one.method, ROOT + one.path.replace("{id}", "6"), b" " * 2_000_000, **form)
            assert (answer.status_code, answer.json()["reason"]) == (413, "too-long")
    assert stored(pages) == before
    for path in readable(pages):
        assert pages.ask("GET", f"{path}?q={'x' * 30_000}&before={'9' * 400}").status_code < 500, path
