"""People, tokens and the audit: for admins alone, each change written down; and the same as commands."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from consoles import Pages, at_a_port, broken, browser, needs_browser, sampled, text
from lxml.html import document_fromstring
from rig import Site
from structlog.testing import capture_logs

from worker.console import passwords
from worker.console.access import digest
from worker.store import open_store, people
from worker.store.people import Change, Person, Role, Scope

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with sampled(tmp_path_factory.mktemp("people")) as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time."""
    monkeypatch.setattr(passwords, "_HASHER", type(passwords._HASHER)(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def pages(filled: Pages) -> Iterator[Pages]:
    """The page as somebody at the machine sees it, with an account of each role."""
    filled.restore()
    made = Pages(filled.site, now=NOW)
    with made.store.write() as tx:
        for role in Role:
            people.put(tx, Person(name=f"an {role}", password_hash="", role=role, created=NOW))
    yield made
    made.close()


def known(pages: Pages) -> dict[str, str]:
    with pages.store.read() as tx:
        return {one.name: str(one.role) for one in people.everybody(tx)}


def last(pages: Pages) -> Change:
    """The newest change; one of nobody where there is none."""
    with pages.store.read() as tx:
        return next(iter(people.changes(tx, limit=1)), Change(at=NOW, author="", action="", subject=""))


def test_a_role_is_changed_and_written_down(pages: Pages) -> None:
    assert pages.post("/people/role", {"name": "an editor", "role": "admin"}) == "/people?said=role_changed"
    assert known(pages)["an editor"] == "admin"
    change = last(pages)
    assert (change.author, change.action, change.subject) == ("desk", "role changed", "person an editor")
    assert change.detail == "editor → admin"
    row = pages.get("/people").xpath("//section[last()]//tbody/tr[1]/td")
    assert [text(cell) for cell in row[1:]] == ["desk", "role changed", "account an editor", "Editor → Administrator"]


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("/people/role", {"name": "an admin", "role": "reader"}, 409),
        ("/people/remove", {"name": "an admin"}, 409),
        ("/people/role", {"name": "nobody", "role": "reader"}, 404),
        ("/people/role", {"name": "an editor", "role": "root"}, 404),
        ("/people/remove", {"name": "nobody"}, 404),
        ("/people/tokens/remove", {"token": "999"}, 404),
        ("/people/tokens/add", {"name": "x", "days": "90"}, 409),
        ("/people/tokens/add", {"name": "x", "days": "90", "scope": "root"}, 409),
        ("/people/tokens/add", {"name": "x", "days": "9999", "scope": "read"}, 409),
        ("/people/tokens/add", {"name": "<b>", "days": "90", "scope": "read"}, 409),
    ],
)
def test_what_cannot_be_done_is_not_done(pages: Pages, path: str, form: dict[str, str], code: int) -> None:
    """The last administrator stays one, and nothing is written down."""
    before, change = known(pages), last(pages)
    pages.post(path, form, code)
    assert (known(pages), last(pages)) == (before, change)


def shown_once(page: str) -> str:
    return page.partition('<pre class="secret"')[2].partition(">")[2].partition("<")[0]


def sign_in(pages: Pages, name: str, password: str, code: int = 303) -> str:
    """Sign in with another browser, where people do."""
    abroad = Pages(pages.site, now=pages.now, base="https://localhost")
    abroad.live = replace(abroad.live, config=replace(abroad.live.config, public_url="https://veille.example.org"))
    try:
        abroad.post("/sign-in", {"name": name, "password": password}, code)
        return abroad.ask("GET", "/").headers.get("location", "")
    finally:
        abroad.close()


PASSWORD = "a long password"


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "typed"])
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "reset"])
def test_an_admin_gives_a_password(pages: Pages, is_new: bool, is_first: bool) -> None:
    """One that is made is shown once and must be replaced; one that is typed is not shown; neither is written down."""
    name = "bo" if is_new else "an editor"
    path, form = ("/people/add", {"role": "editor"}) if is_new else ("/people/password", {})
    with pages.store.write() as tx:
        people.sign_in(tx, "stolen", "an editor", NOW, timedelta(days=1))
    typed = {"password": "", "again": ""} if is_first else {"password": PASSWORD, "again": PASSWORD}
    with capture_logs() as logs:
        answer = pages.post(path, {"name": name, **form, **typed}, 200 if is_first else 303)
    password = shown_once(answer) if is_first else PASSWORD
    assert len(password) >= 12
    assert known(pages)[name] == "editor"
    action = "person added" if is_new else "password changed"
    assert (last(pages).action, last(pages).subject) == (action, f"person {name}")
    assert password not in str(logs) + str(last(pages)) + ("" if is_first else answer) + text(pages.get("/people"))
    with pages.store.read() as tx:
        assert (people.signed_in(tx, "stolen", NOW) is None) is not is_new
    sign_in(pages, name, "wrong password", 403)
    assert sign_in(pages, name, password) == ("/account?next=/" if is_first else "")
    pages.now = NOW + passwords.FIRST_FOR
    sign_in(pages, name, password, 403 if is_first else 303)
    assert ("first password, over" in text(pages.get("/people"))) is is_first


@pytest.mark.parametrize(
    ("path", "form", "code", "says"),
    [
        ("add", {"name": "<b>", "role": "reader"}, 409, "A name has"),
        ("add", {"name": "token:x", "role": "reader"}, 409, "A name has"),
        ("add", {"name": "", "role": "reader"}, 409, "A name has"),
        ("add", {"name": "an admin", "role": "reader"}, 409, "There is an account of that name already"),
        ("add", {"name": "bo", "role": "root"}, 404, ""),
        ("add", {"name": "bo", "role": "reader", "password": "short", "again": "short"}, 409, "12 to 1,000"),
        ("add", {"name": "bo", "role": "reader", "password": PASSWORD}, 409, "are not the same"),
        ("password", {"name": "an admin", "password": PASSWORD, "again": "x"}, 409, "are not the same"),
        ("password", {"name": "nobody"}, 404, ""),
        ("sign-out", {"name": "nobody"}, 404, ""),
    ],
)
def test_a_password_that_is_not_given(pages: Pages, path: str, form: dict[str, str], code: int, says: str) -> None:
    """Says why; nobody is added or changed, and the name stays typed."""
    before, change = known(pages), last(pages)
    page = pages.post(f"/people/{path}", form, code)
    assert says in page
    assert PASSWORD not in page
    assert (known(pages), last(pages)) == (before, change)
    if code == 409 and path == "add":
        assert document_fromstring(page).xpath("//form[@action='/people/add']//input[@name='name']/@value") == [
            form["name"]
        ]


def test_somebody_s_sign_ins_are_ended(pages: Pages) -> None:
    """All of them, and nobody else's."""
    with pages.store.write() as tx:
        for number, name in enumerate(("an editor", "an editor", "an admin")):
            people.sign_in(tx, f"digest {number}", name, NOW, timedelta(days=1))
    assert "2 End" in text(pages.get("/people"))
    assert pages.post("/people/sign-out", {"name": "an editor"}) == "/people?said=sign_ins_ended"
    with pages.store.read() as tx:
        assert people.sign_ins(tx, NOW) == {"an admin": 1}
    assert (last(pages).action, last(pages).subject) == ("sign-ins ended", "person an editor")
    assert pages.post("/people/sign-out", {"name": "an editor"}) == "/people?said=nothing"


def test_whoever_is_removed_is_out_with_all_that_they_hold(pages: Pages) -> None:
    """Their sign-ins and their tokens; those of others stay."""
    with pages.store.write() as tx:
        for author in ("an editor", "an admin"):
            people.add_token(tx, author, digest(author), [Scope.READ], author=author, now=NOW, until=None)
    pages.post("/people/remove", {"name": "an editor"})
    assert "an editor" not in known(pages)
    with pages.store.read() as tx:
        assert [one.name for one in people.tokens(tx)] == ["an admin"]
    assert last(pages).action == "person removed"


def test_a_token_is_shown_once_and_works_until_it_is_withdrawn(pages: Pages) -> None:
    """The store knows its digest; the page shows its name, what it may, and when it was used."""
    page = pages.post("/people/tokens/add", {"name": "grafana", "days": "90", "scope": ["read", "answer"]}, 200)
    secret = shown_once(page)
    assert len(secret) == 43
    again = text(pages.get("/people"))
    assert "grafana read answer desk" in again
    assert "never" in again
    assert secret not in again
    bearing = {"Authorization": f"Bearer {secret}"}
    assert pages.ask("GET", "/api/v1/status", **bearing).status_code == 200
    assert "never" not in text(pages.get("/people"))
    with pages.store.read() as tx:
        (token,) = people.tokens(tx)
    pages.post("/people/tokens/remove", {"token": str(token.id)})
    assert pages.ask("GET", "/api/v1/status", **bearing).status_code == 401
    assert (last(pages).action, last(pages).subject) == ("token withdrawn", "token grafana")


def test_the_audit_is_read_part_by_part(pages: Pages) -> None:
    """All of it, each change once, the newest first."""
    with pages.store.write() as tx:
        for number in range(120):
            people.audit(tx, Change(at=NOW, author="ana", action="note", subject=f"article {10_000 + number}"))
    seen: list[str] = []
    path = "/people"
    while path:
        page = pages.get(path)
        seen += [text(row[3]) for row in page.xpath("//section[last()]//tbody/tr")]
        (path,) = page.xpath("//a[text()='Older']/@href") or [""]
    assert seen[:120] == [f"article {10_000 + number}" for number in reversed(range(120))]


@needs_browser
def test_the_pages_are_accessible(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Axe finds nothing, at the width of a telephone or of a screen, and nothing stands out of the page.

    Nobody may sign in yet, says the last one.
    """
    monkeypatch.setattr(people, "is_anybody", lambda _tx: False)

    with pages.store.write() as tx:
        people.add_token(tx, "grafana", digest("g"), list(Scope), author="ana", now=NOW, until=NOW)
        people.put(tx, Person(name="bo", password_hash="", role=Role.READER, created=NOW, first_until=NOW))
        people.sign_in(tx, "digest", "bo", NOW, timedelta(days=10_000))
    pages.now = None
    with at_a_port(pages) as base, browser() as chromium:
        for width in (390, 1280):
            tab = chromium.new_page(viewport={"width": width, "height": 900}, locale="fr-FR")
            tab.set_default_timeout(120_000)
            for path in ("/people", "/answer/none", "/sign-in"):
                abroad = "https://veille.example.org" if path == "/sign-in" else ""
                pages.live = replace(pages.live, config=replace(pages.live.config, public_url=abroad))
                tab.goto(base + path)
                assert broken(tab) == []
                assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


# Commands.


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def typed(monkeypatch: pytest.MonkeyPatch, *passwords: str) -> None:
    """Let a person at a terminal type these."""
    left = list(passwords)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: left.pop(0))
    monkeypatch.setattr(sys, "stdin", type("Terminal", (io.StringIO,), {"isatty": lambda _self: True})())


def test_an_account_by_commands(veille, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made with a password that is asked twice, listed, given another role, removed; nothing prints the password."""
    typed(monkeypatch, "a long password", "a long password")
    made = veille("users", "add", "ana", "--role", "admin", site=site)
    assert (made.code, made.out) == (0, "ana may sign in as admin\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("another password\n"))
    again = veille("users", "add", "ana", "--password-stdin", "--json", site=site)
    assert json.loads(again.out) == {"name": "ana", "role": "reader", "new": False}
    veille("users", "role", "ana", "editor", site=site)
    (listed,) = json.loads(veille("users", "list", "--json", site=site).out)
    assert (listed["name"], listed["role"], set(listed)) == ("ana", "editor", {"name", "role", "created"})
    assert "ana: editor" in veille("users", "list", site=site).out
    with open_store(f"sqlite:///{site.folder / 'veille.db'}", create=False).read() as tx:
        (person,) = people.everybody(tx)
        actions = [one.action for one in reversed(people.changes(tx, limit=9))]
    assert passwords.is_right("another password", person.password_hash)
    assert actions == ["person added", "password changed", "role changed"]
    assert veille("users", "remove", "ana", site=site).code == 0
    assert "veille users add" in veille("users", "list", site=site).out


@pytest.mark.parametrize(
    ("words", "typed_in", "says"),
    [
        (("users", "add", "bo"), ("a long password", "another one here"), "the two are not the same"),
        (("users", "add", "bo"), ("short", "short"), "a password has 12 to 1,000 characters"),
        (("users", "add", "a long password"), ("A Long Password", "A Long Password"), "must not be the name"),
        (("users", "add", "bo", "--role", "root"), (), "reader, editor, admin"),
        (("users", "add", "token:x"), (), "is no name"),
        (("users", "add", "x" * 65), (), "is no name"),
        (("users", "role", "bo", "root"), (), "reader, editor, admin"),
        (("token", "add", "grafana", "--scope", "root"), (), "read,answer,configure"),
        (("token", "add", "<b>"), (), "is no name"),
    ],
)
def test_accounts_that_cannot_be(
    veille, site: Site, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], typed_in: tuple[str, ...], says: str
) -> None:
    """Each says why, and nobody is there afterwards."""
    typed(monkeypatch, *typed_in)
    done = veille(*words, site=site)
    assert done.code == 2
    assert says in done.err


def test_without_a_terminal_the_password_is_read_only_if_asked(
    veille, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long password\n"))
    assert "--password-stdin" in veille("users", "add", "bo", site=site).err
    assert veille("users", "add", "bo", "--without-password", site=site).code == 0


def test_a_token_by_commands(veille, site: Site) -> None:
    """Printed once; listed without its secret; withdrawn by its number."""
    secret = veille("token", "add", "grafana", "--scope", "read,answer", "--for", "90d", site=site).out.strip()
    (listed,) = json.loads(veille("token", "list", "--json", site=site).out)
    assert (listed["name"], listed["scopes"]) == ("grafana", ["answer", "read"])
    lines = veille("token", "list", site=site).out
    assert "never used" in lines
    assert secret not in lines + json.dumps(listed)
    with open_store(f"sqlite:///{site.folder / 'veille.db'}", create=False).read() as tx:
        found = people.token(tx, digest(secret), NOW)
    assert found is not None
    assert found.id == listed["id"]
    assert veille("token", "remove", str(listed["id"]), site=site).code == 0
    assert veille("token", "remove", str(listed["id"]), site=site).code == 1
