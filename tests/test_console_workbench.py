"""The workbench of rules in a browser, with a worker that runs."""

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest
from consoles import CHROMIUM, FLAGS, broken, needs_browser
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright
from rig import RULES, Site, wait_for
from sinks import free_port

pytestmark = needs_browser
expect.set_options(timeout=120_000)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a worker that has read the sample."""
    port = free_port()
    listen = f'[http]\nlisten = "127.0.0.1:{port}"\n'
    site = Site(tmp_path_factory.mktemp("browser"), feeds=("veille:sample",), rules=RULES, more=listen)
    site.poll()
    with site.running():
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(address), what="the console")
        yield address


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/rules").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A page of a browser that speaks English; what its scripts raise fails the test."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(120_000)
    raised: list[object] = []
    page.on("pageerror", lambda error: raised.append(error))  # noqa: PLW0108 - Playwright marks the function itself
    yield page
    context.close()
    assert not raised


def test_typing_shows_the_caret_and_then_history(running: str, tab: Page) -> None:
    """A mistake is marked where it stands; a completion mends it by keys alone; history and its marks follow."""
    tab.goto(f"{running}/rules/new")
    tab.locator("#when").press_sequentially("@hun_senn NEAR/12 =visite")
    expect(tab.locator("#check-result .pointed")).to_contain_text("^^^^^^^^^")
    expect(tab.locator("#check-result")).to_contain_text("did you mean @hun_sen?")
    expect(tab.locator("#when-marks .fault")).to_have_text("@hun_senn")
    tab.locator("#when").fill("")
    tab.locator("#when").press_sequentially("@hun")
    expect(tab.locator("#offers [role=option]")).to_have_count(1)
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("#when")).to_have_value("@hun_sen")
    tab.locator("#when").press_sequentially(" NEAR/12 =visite")
    expect(tab.locator("#check-result .pointed")).to_have_count(0)
    expect(tab.locator("#history-result")).to_contain_text("articles match")
    expect(tab.locator("#history-result mark").first).to_be_attached()
    expect(tab.locator("#history-progress")).to_be_hidden()


def test_a_saved_rule_is_seen_in_force(running: str, tab: Page) -> None:
    """By review and save; the page says by itself when the worker goes by it. axe finds nothing on the way."""
    tab.goto(f"{running}/search?q=hun+AND+=boulevard")
    found = [broken(tab)]
    tab.get_by_role("link", name="Make this a rule").click()
    tab.get_by_label("Id", exact=True).fill("rue")
    expect(tab.locator("#history-result")).to_contain_text("1 article matches")
    found.append(broken(tab))
    tab.get_by_role("button", name="See the change").click()
    expect(tab.locator(".diff .more").first).to_be_visible()
    found.append(broken(tab))
    tab.get_by_role("button", name="Save").click()
    expect(tab.locator("#state")).to_have_attribute("data-state", "in_force")
    tab.goto(f"{running}/rules")
    expect(tab.get_by_role("link", name="rue")).to_be_visible()
    found.append(broken(tab))
    assert found == [[]] * 4


def test_a_draft_is_not_lost(running: str, tab: Page) -> None:
    """Whoever leaves it is asked; it can be taken back, and is forgotten once it is saved or put back."""
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    tab.on("dialog", accept)
    tab.goto(f"{running}/rules/visit?as=text")
    before = tab.locator("#when").input_value()
    tab.locator("#when").press("Control+End")
    tab.locator("#when").press_sequentially("\n# A remark")
    tab.goto(f"{running}/rules")
    assert asked == ["beforeunload"]
    tab.goto(f"{running}/rules/visit?as=text")
    assert tab.locator("#when").input_value() == before
    tab.get_by_role("button", name="Take it back").click()
    expect(tab.locator("#when")).to_have_value(f"{before}\n# A remark")
    tab.locator("#when").fill("")
    tab.get_by_role("button", name="See the change").click()
    expect(tab.locator(".problem").first).to_contain_text("cannot be saved")
    tab.goto(f"{running}/rules/visit?as=text")
    tab.get_by_role("button", name="Drop it").click()
    tab.goto(f"{running}/rules/visit?as=text")
    expect(tab.locator("#check-result p").first).to_be_visible()
    expect(tab.locator("#kept")).to_be_hidden()
    assert asked == ["beforeunload"] * 2


def test_only_the_draft_that_was_saved_is_forgotten(running: str, tab: Page) -> None:
    """Once, and by the form or by its text; what a new rule has of another id stays."""

    def kept(said: str, **drafts: str) -> list[str]:
        """The rules of which a draft is left, once the page says that."""
        tab.goto(f"{running}/rules/visit")
        put = "([name, draft]) => sessionStorage.setItem(`draft ${name}`, JSON.stringify(['', draft]))"
        for name, draft in drafts.items():
            tab.evaluate(put, [name.replace("new", ""), draft])
        tab.goto(f"{running}/rules/visit?said={said}")
        return sorted(tab.evaluate("Object.keys(sessionStorage)"))

    text = urlencode({"as": "text", "text": '[[rule]]\n# Its name.\nid = "visit"\n'})
    assert kept("rule_off", visit="id=visit", new="id=visit") == ["draft ", "draft visit"]
    assert kept("rule_saved", new="id=other") == ["draft "]
    assert kept("rule_saved", visit="id=visit", new="id=visit") == []
    assert kept("rule_saved", new=text) == []
    assert tab.evaluate("location.search") == ""


def test_what_a_query_may_use_is_put_in_by_a_click(running: str, tab: Page) -> None:
    tab.goto(f"{running}/rules/new")
    assert tab.locator("#check-result .problem").count() == 0
    for kind, name in (("Sets", "@hun_sen"), ("Operators", "AND"), ("Operators", "title:")):
        tab.locator("details.parts:not([open]) summary", has_text=kind).click()
        tab.locator(".known").get_by_role("button", name=name, exact=True).click()
        tab.locator("details.parts[open] summary", has_text=kind).click()
    expect(tab.locator("#when")).to_have_value("@hun_sen AND title:")
