"""Signing in: who is let in, for how long, how often somebody may try, and where they are led."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from consoles import Pages, sampled, text
from lxml.html import document_fromstring
from starlette.requests import Request
from structlog.testing import capture_logs

from worker.console import access, passwords
from worker.console.access import COOKIE, SIGNED_IN_FOR, digest
from worker.console.passwords import Attempts, is_right
from worker.store import people
from worker.store.people import Person, Role

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
PASSWORD = "Correct-Horse-Battery"
REAL = passwords._HASHER
#: A real hash takes as long as it shall; a hundred of them would take a minute.
QUICK = type(REAL)(time_cost=1, memory_cost=8, parallelism=1)
HASHED = QUICK.hash(PASSWORD)
ABROAD = 'public_url = "https://veille.example.org"\n'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("signing"), more=ABROAD) as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_HASHER", QUICK)
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


def test_passwords_are_kept_as_argon2id_with_the_parameters_of_its_rfc() -> None:
    """RFC 9106, 4: 64 MiB, three passes, four lanes; each with a salt of its own."""
    first, second = REAL.hash(PASSWORD), REAL.hash(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second
    assert passwords.is_right(PASSWORD, first)


@pytest.fixture
def pages(filled: Pages) -> Iterator[Pages]:
    """The console as others reach it, with one account of each role, and a browser that knows no cookie."""
    filled.restore()
    made = Pages(filled.site, now=NOW, base="https://localhost")
    with made.store.write() as tx:
        for role in Role:
            people.put(tx, Person(name=f"an {role}", password_hash=HASHED, role=role, created=NOW))
    yield made
    made.close()


def sign_in(pages: Pages, name: str = "an editor", password: str = PASSWORD, code: int = 303, **form: str) -> str:
    return pages.post("/sign-in", {"name": name, "password": password, **form}, code)


def audited(pages: Pages) -> list[tuple[str, str, str, str]]:
    with pages.store.read() as tx:
        return [(one.author, one.action, one.subject, one.detail) for one in people.changes(tx, limit=10)]


def test_a_page_leads_to_signing_in_and_back(pages: Pages) -> None:
    """And afterwards the page is there, with their name on it, until they sign out."""
    assert pages.ask("GET", "/people?before=3").headers["location"] == "/sign-in?next=/people%3Fbefore%3D3"
    assert pages.get("/sign-in?next=/people%3Fbefore%3D3").find(".//input[@name='next']").value == "/people?before=3"
    assert sign_in(pages, next="/?x=1") == "/?x=1"
    assert "an editor" in text(pages.get("/").find(".//header"))
    assert pages.post("/sign-out", {}) == "/sign-in?said=signed_out"
    assert "You are signed out" in text(pages.get("/sign-in?said=signed_out"))
    assert pages.ask("GET", "/").status_code == 303
    assert [line[:2] for line in audited(pages)[:2]] == [("an editor", "signed out"), ("an editor", "signed in")]


def test_the_cookie_is_for_us_alone_and_the_store_knows_its_digest(pages: Pages) -> None:
    """No script reads it, no other site sends it, no wire without TLS carries it; it holds 256 bits."""
    answer = pages.ask("POST", "/sign-in", {"name": "an editor", "password": PASSWORD}, Origin=pages.base)
    said = answer.headers["set-cookie"]
    assert {part.strip().lower() for part in said.split(";")[1:]} >= {"httponly", "samesite=lax", "secure", "path=/"}
    token = pages.cookies[COOKIE]
    assert len(token) == 43
    with pages.store.read() as tx:
        rows = str(tx.exec_driver_sql("SELECT * FROM session").all())
    assert digest(token) in rows
    assert token not in rows


@pytest.mark.parametrize("ended", ["in time", "signed out", "removed", "another password", "over", "changed"])
def test_w02_a_stolen_sign_in_ends(pages: Pages, ended: str) -> None:
    """With its time, with its owner's signing out, removal or new password; and one that was changed never held."""
    sign_in(pages)
    stolen = pages.cookies[COOKIE]
    match ended:
        case "signed out":
            pages.post("/sign-out", {})
        case "removed":
            with pages.store.write() as tx:
                people.remove(tx, "an editor")
        case "another password":
            with pages.store.write() as tx:
                people.put(tx, Person(name="an editor", password_hash=HASHED, role=Role.EDITOR, created=NOW))
        case "over":
            pages.now = NOW + SIGNED_IN_FOR
        case "changed":
            stolen = stolen[:-1] + ("A" if stolen[-1] != "A" else "B")
        case "in time":
            pages.now = NOW + SIGNED_IN_FOR - timedelta(seconds=1)
    pages.cookies.clear()
    assert pages.ask("GET", "/", Cookie=f"{COOKIE}={stolen}").status_code == (200 if ended == "in time" else 303)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "/" + "x" * 3_000,
    ],
)
def test_w04_signing_in_leads_to_no_other_site(pages: Pages, elsewhere: str) -> None:
    """A link to our own page must not end at another's."""
    assert sign_in(pages, next=elsewhere) == "/"


@pytest.mark.parametrize(
    ("name", "password", "subject"),
    [
        pytest.param("an editor", "wrong password", "person an editor", id="password"),
        pytest.param("an editor", "", "person an editor", id="none"),
        pytest.param("an editor", PASSWORD + " ", "person an editor", id="longer"),
        pytest.param("an editor", "x" * 5_000, "person an editor", id="very long"),
        pytest.param("My-Secret-Password", "an editor", "", id="fields exchanged"),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_who_is_not_let_in_is_written_down_without_what_they_typed(
    pages: Pages, name: str, password: str, subject: str
) -> None:
    """The same words whether the name or the password is wrong, and neither in any log."""
    with capture_logs() as logs:
        page = sign_in(pages, name, password, 403)
    assert "Name or password is not right." in page
    assert COOKIE not in pages.cookies
    assert audited(pages)[0] == ("", "sign-in refused", subject, "127.0.0.1")
    assert "My-Secret-Password" not in str(logs) + str(audited(pages))


def test_an_unknown_name_takes_as_long(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is hashed for it too: once, as for a name that is known."""
    hashed: list[str] = []

    class Counting:
        def verify(self, known: str, password: str) -> bool:
            hashed.append(password)
            return QUICK.verify(known, password)

    passwords._nobodys()
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    for name in ("an editor", "nobody at all"):
        sign_in(pages, name, "wrong password", 403)
    assert len(hashed) == 2


def test_an_account_without_a_password_takes_none(pages: Pages) -> None:
    with pages.store.write() as tx:
        people.put(tx, Person(name="by proxy", password_hash="", role=Role.READER, created=NOW))
    for password in ("", "x", PASSWORD):
        sign_in(pages, "by proxy", password, 403)


def test_trying_has_a_limit_by_address(pages: Pages) -> None:
    """Ten that fail within a quarter of an hour; then the right one must wait as well, and is told how long."""
    for _ in range(10):
        sign_in(pages, password="wrong password", code=403)
    answer = pages.ask("POST", "/sign-in", {"name": "an admin", "password": PASSWORD}, Origin=pages.base)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    pages.address = "192.0.2.7"
    assert sign_in(pages) == "/"
    pages.cookies.clear()
    pages.address, pages.now = "127.0.0.1", NOW + timedelta(minutes=15)
    assert sign_in(pages, "an admin") == "/"


def test_trying_has_a_limit_by_name_whatever_the_address(pages: Pages) -> None:
    """Thirty; others sign in meanwhile."""
    for number in range(30):
        pages.address = f"192.0.2.{number}"
        sign_in(pages, password="wrong password", code=403)
    pages.address = "198.51.100.1"
    assert "Too many attempts" in sign_in(pages, code=429)
    assert sign_in(pages, "an admin") == "/"


def test_too_many_at_once_are_sent_away(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hash takes 64 MiB."""
    monkeypatch.setattr(passwords, "_PATIENCE", 0.01)
    for _ in range(2):
        passwords._TURN.acquire()
    try:
        answer = pages.ask("POST", "/sign-in", {"name": "an editor", "password": PASSWORD}, Origin=pages.base)
    finally:
        passwords._TURN.release(2)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


def test_attempts_are_bounded_and_survive_a_step_of_the_clock() -> None:
    """Names that are made up push out older ones; after a step back nobody waits longer than the time itself."""
    tried = Attempts(most=2, per=timedelta(minutes=1), kept=3)
    assert [tried.take("a", NOW) for _ in range(3)] == [timedelta(), timedelta(), timedelta(minutes=1)]
    assert tried.take("a", NOW + timedelta(seconds=45)) == timedelta(seconds=15)
    assert tried.take("a", NOW - timedelta(days=1)) == timedelta()
    tried.give_back("a")
    for name in "bcd":
        tried.take(name, NOW)
    assert len(tried._times) == 3


def test_nobody_known_yet(pages: Pages) -> None:
    """The page says which command to run, in a container too; as soon as there is somebody, it does not."""
    assert "veille users add" not in text(pages.get("/sign-in"))
    with pages.store.write() as tx:
        for role in Role:
            people.remove(tx, f"an {role}")
    commands = [text(one) for one in pages.get("/sign-in").iter("pre")]
    assert commands == [
        "veille users add NAME --role admin",
        "docker exec -it CONTAINER veille users add NAME --role admin",
    ]


@pytest.mark.parametrize(
    ("address", "headers", "name"),
    [
        pytest.param("192.0.2.1", {"X-Forwarded-User": "an admin"}, "an admin", id="by the proxy"),
        pytest.param("::ffff:192.0.2.1", {"X-Forwarded-User": "an admin"}, "an admin", id="by the proxy, IPv4 as IPv6"),
        pytest.param("::ffff:192.0.2.2", {"X-Forwarded-User": "an admin"}, "", id="from another one, IPv4 as IPv6"),
        pytest.param("192.0.2.1", {"X-Forwarded-User": "zoé"}, "zoé", id="of whom nothing is known"),
        pytest.param("192.0.2.2", {"X-Forwarded-User": "an admin"}, "", id="from another address"),
        pytest.param("127.0.0.1", {"X-Forwarded-User": "an admin"}, "", id="from this machine"),
        pytest.param(
            "192.0.2.2", {"X-Forwarded-User": "an admin", "X-Forwarded-For": "192.0.2.1"}, "", id="address claimed"
        ),
        pytest.param("192.0.2.1", {"X-Forwarded-User": "<b>"}, "", id="no name"),
        pytest.param("192.0.2.1", {}, "", id="unnamed"),
    ],
)
def test_w01_a_header_counts_from_a_trusted_proxy_alone(
    pages: Pages, address: str, headers: dict[str, str], name: str
) -> None:
    """And who is not known here may read."""
    trusting = {"public_url": "", "user_header": "X-Forwarded-User", "trusted_proxies": ("192.0.2.1/32",)}
    pages.live = replace(pages.live, config=replace(pages.live.config, **trusting))
    pages.address = address
    raw = {key: value.encode() for key, value in headers.items()}
    assert pages.ask("GET", "/", **raw).status_code == (200 if name else 303)
    assert pages.ask("GET", "/people", **raw).status_code == (303 if not name else 200 if name == "an admin" else 403)


def test_w01_a_header_that_stands_there_twice_names_nobody(pages: Pages) -> None:
    """A proxy that adds its own behind the one that somebody sent must not let the first one count."""
    config = replace(pages.live.config, user_header="X-User", trusted_proxies=("127.0.0.0/8",))
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-user", b"an admin"), (b"x-user", b"bo")]}
    assert access._named_by_proxy(Request(scope), config) == ""


@pytest.mark.parametrize(
    ("client", "passed_on", "found"),
    [
        ("192.0.2.9", "203.0.113.5", "192.0.2.9"),
        ("192.0.2.1", "203.0.113.5", "203.0.113.5"),
        ("192.0.2.1", "6.6.6.6, 203.0.113.5", "203.0.113.5"),
        ("192.0.2.1", "203.0.113.5, 192.0.2.1", "203.0.113.5"),
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "203.0.113.5", "203.0.113.5"),
        ("192.0.2.1", "::ffff:203.0.113.5", "203.0.113.5"),
        ("192.0.2.1", "203.0.113.5, ::ffff:c000:201", "203.0.113.5"),
        ("::ffff:203.0.113.5", "192.0.2.1", "203.0.113.5"),
        ("2001:db8::1", "203.0.113.5", "2001:db8::1"),
    ],
)
def test_the_address_that_tries(pages: Pages, client: str, passed_on: str, found: str) -> None:
    """Behind a trusted proxy, the one that it saw; never one that somebody claims."""
    config = replace(pages.live.config, trusted_proxies=("192.0.2.1/32",))
    pages.live = replace(pages.live, config=config)
    scope = {"type": "http", "client": (client, 1), "headers": [(b"x-forwarded-for", passed_on.encode())]}
    assert access.address(Request(scope), pages.desk) == found


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_w01_an_open_desk_is_not_open_through_a_proxy(pages: Pages, header: str) -> None:
    """Nobody signs in at the machine itself; whom a proxy on it brings from elsewhere does."""
    pages.live = replace(pages.live, config=replace(pages.live.config, public_url=""))
    assert pages.ask("GET", "/").status_code == 200
    assert pages.ask("GET", "/", **{header: "203.0.113.5"}).status_code == 303


def test_what_was_sent_is_kept_over_a_sign_in_that_is_over(pages: Pages) -> None:
    """Whoever signs in again goes on with it; a password that is wrong loses nothing; nothing is done before."""
    text_of_rule = '[[rule]]\nid = "kept"\nwhen = "a\'b <c>"\n'
    sent = {"as": "text", "was": "", "digest": "", "file": "", "tests": "0", "text": text_of_rule}
    page = document_fromstring(pages.post("/rules/new/draft", sent, 403))
    assert "what you sent is kept" in text(page)
    for code, password in ((403, "wrong"), (200, PASSWORD)):
        (form,) = (one for one in page.forms if one.get("class") == "sign-in")
        given = {**dict(form.form_values()), "name": "an editor", "password": password}
        page = document_fromstring(pages.post("/sign-in", given, code))
    (form,) = (one for one in page.forms if one.action == "/rules/new/draft")
    kept = {name: value.removeprefix("\n") for name, value in form.form_values()}
    assert kept == sent
    assert "&lt;c&gt;" in pages.post(form.action, kept, 200)


def test_after_a_wrong_password_the_name_stays(pages: Pages) -> None:
    """And nothing of the password."""
    page = document_fromstring(sign_in(pages, "an editor", "wrong password", 403))
    assert {one.get("name"): one.get("value") for one in page.iter("input") if one.get("name") != "q"} == {
        "next": "/",
        "name": "an editor",
        "password": None,
    }


# One's own password.

CHOSEN = "another-horse-battery"


def choose(pages: Pages, code: int = 303, **form: str) -> str:
    return pages.post("/account", {"before": PASSWORD, "password": CHOSEN, "again": CHOSEN} | form, code)


@pytest.mark.parametrize("role", list(Role))
def test_everybody_changes_their_own_password(pages: Pages, role: Role) -> None:
    """It holds from then on; whoever else was signed in as them is out, and they themselves are not."""
    sign_in(pages, f"an {role}")
    elsewhere = pages.cookies[COOKIE]
    pages.cookies.clear()
    sign_in(pages, f"an {role}")
    assert pages.get("/").xpath("//header//a[@href='/account']")
    with capture_logs() as logs:
        assert choose(pages) == "/account?said=password_changed"
    assert "is changed" in text(pages.get("/account?said=password_changed"))
    assert audited(pages)[0] == (f"an {role}", "password changed", f"person an {role}", "")
    assert not {PASSWORD, CHOSEN} & set(re.split(r"[^\w-]", str(logs) + str(audited(pages))))
    pages.cookies.clear()
    assert pages.ask("GET", "/", Cookie=f"{COOKIE}={elsewhere}").status_code == 303
    sign_in(pages, f"an {role}", PASSWORD, 403)
    assert sign_in(pages, f"an {role}", CHOSEN) == "/"


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        pytest.param({"before": "wrong password"}, 403, "That is not your password", id="wrong"),
        pytest.param({"before": ""}, 403, "That is not your password", id="none"),
        pytest.param({"again": CHOSEN + "x"}, 400, "not the same", id="two"),
        pytest.param({"password": "x" * 11, "again": "x" * 11}, 400, "12 to 1,000", id="short"),
        pytest.param({"password": "x" * 1_001, "again": "x" * 1_001}, 400, "12 to 1,000", id="long"),
        pytest.param({"password": PASSWORD, "again": PASSWORD}, 400, "the same password", id="same"),
        pytest.param(
            {"password": "AN EDITOR IN CHIEF", "again": "AN EDITOR IN CHIEF"}, 400, "not be the name", id="name"
        ),
    ],
)
def test_a_password_that_is_not_changed(pages: Pages, form: dict[str, str], code: int, says: str) -> None:
    """Says why; the one before goes on to hold, and no page shows what was typed."""
    name = "an editor in chief"
    with pages.store.write() as tx:
        people.put(tx, Person(name=name, password_hash=HASHED, role=Role.READER, created=NOW))
    sign_in(pages, name)
    page = choose(pages, code, **form)
    assert says in page
    assert not [one for one in form.values() if one and one in page]
    pages.cookies.clear()
    assert sign_in(pages, name) == "/"


def test_guessing_the_password_at_a_machine_that_was_left_open_has_a_limit(pages: Pages) -> None:
    """Written down, and as for signing in: the right one must wait as well."""
    sign_in(pages)
    for _ in range(10):
        choose(pages, 403, before="wrong password")
    assert audited(pages)[0] == ("an editor", "password change refused", "person an editor", "127.0.0.1")
    assert "Too many attempts" in choose(pages, 429)
    pages.now = NOW + timedelta(minutes=15)
    assert choose(pages) == "/account?said=password_changed"


def test_who_is_not_signed_in_has_no_account_page(pages: Pages) -> None:
    """It leads to signing in; who is known otherwise has no password here."""
    assert pages.ask("GET", "/account").headers["location"] == "/sign-in?next=/account"
    assert choose(pages) == "/sign-in?next=/account"
    pages.live = replace(pages.live, config=replace(pages.live.config, public_url=""))
    assert "You have no password here" in text(pages.get("/account"))
    assert "You have no password here" in choose(pages, 200)


def test_a_first_password_leads_to_a_choice_and_nowhere_else(pages: Pages) -> None:
    """No page and no call before it is replaced; then on to what was asked for."""
    with pages.store.write() as tx:
        until = NOW + timedelta(days=7)
        people.put(tx, Person(name="bo", password_hash=HASHED, role=Role.ADMIN, created=NOW, first_until=until))
    assert sign_in(pages, "bo") == "/"
    assert pages.ask("GET", "/people?before=3").headers["location"] == "/account?next=/people%3Fbefore%3D3"
    assert pages.post("/people/remove", {"name": "an editor"}) == "/account"
    assert pages.ask("GET", "/api/v1/status").status_code == 403
    assert "You were given a first password" in text(pages.get("/account?next=/people%3Fbefore%3D3"))
    assert choose(pages, next="/people?before=3") == "/people?before=3&said=password_changed"
    assert pages.ask("GET", "/people?before=3").status_code == 200


def test_a_first_password_holds_for_its_time(pages: Pages) -> None:
    with pages.store.write() as tx:
        people.put(tx, Person(name="bo", password_hash=HASHED, role=Role.READER, created=NOW, first_until=NOW))
    sign_in(pages, "bo", code=403)


def test_the_page_says_nothing_that_an_address_makes_up(pages: Pages) -> None:
    """The page says what was done in words of ours alone: a link of somebody else's puts none on our page."""
    assert "password is over" not in text(pages.get("/sign-in?said=Your+password+is+over"))


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/people/password", {"name": "a reader", "password": CHOSEN, "again": CHOSEN}),
        ("/people/remove", {"name": "a reader"}),
        ("/rules/new/draft", {"text": "é" * 120_000}),
    ],
    ids=["a password", "a person", "too long"],
)
def test_what_is_said_of_people_is_not_kept_over_a_sign_in(pages: Pages, path: str, form: dict[str, str]) -> None:
    """Whoever signs in next need not be who sent it; nor is what would be too long to sign in with."""
    assert pages.post(path, form, 303).startswith("/sign-in")


def test_what_was_sent_is_kept_until_a_first_password_is_replaced(pages: Pages) -> None:
    with pages.store.write() as tx:
        people.set_password(tx, "an editor", HASHED, NOW + timedelta(days=1))
    page = document_fromstring(pages.post("/articles/6/note", {"text": "à suivre"}, 403))
    given = dict(page.forms[-1].form_values()) | {"name": "an editor", "password": PASSWORD}
    page = document_fromstring(pages.post("/sign-in", given, 200))
    given = dict(page.forms[-1].form_values()) | {"before": PASSWORD, "password": CHOSEN, "again": CHOSEN}
    page = document_fromstring(pages.post("/account", given, 200))
    (form,) = (one for one in page.forms if one.action == "/articles/6/note")
    assert dict(form.form_values())["text"].strip() == "à suivre"
    assert "à suivre" in text(page)


def test_a_password_that_is_replaced_meanwhile_opens_nothing(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admin gives another one between the look at the password and the session."""

    def slow(*given: str) -> bool | None:
        right = is_right(*given)
        with pages.store.write() as tx:
            people.set_password(tx, "an editor", "another")
        return right

    monkeypatch.setattr("worker.console.pages.sign_in.is_right", slow)
    sign_in(pages, "an editor", PASSWORD, 403)
    with pages.store.read() as tx:
        assert people.signed_in(tx, digest(pages.cookies.get("veille", "")), NOW) is None
