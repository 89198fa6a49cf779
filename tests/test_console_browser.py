"""The console in a browser: every page can be used by everybody, in both themes, and its script does its part."""

import re
from collections.abc import Iterator

import pytest
from consoles import broken, browser, needs_browser, served
from consoleshots import PAGES as SHOWN
from consoleshots import ROOT, WIDTHS
from playwright.sync_api import Browser, Locator, Page, expect
from rig import wait_for

pytestmark = needs_browser
expect.set_options(timeout=120_000)
#: Each page once.
PAGES = (
    *("/", "/?only=matched", "/missed", "/articles/7", "/stories/6", "/search?q=hun+sen", "/search?q=hun+NEAR/3+sen"),
    *("/rules", "/rules/visit", "/rules/visit?as=text", "/rules/new", "/alerts", "/alerts/ledger"),
    *("/alerts/silences", "/alerts/deliveries/1", "/feeds"),
    *("/feeds/add", "/feeds/add?url=ftp://x", "/feeds/quarantine", "/people", "/account", "/sign-in", "/nothing-here"),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("served")) as (_, found):
        yield found


def test_nothing_stands_in_anybody_s_way(chromium: Browser, address: str) -> None:
    """WCAG as far as axe judges it; and no message of the browser's, as of a style that the policy refuses."""
    found: list[str] = []
    context = chromium.new_context()
    page = context.new_page()
    page.on(
        "console",
        lambda said: found.append(f"{page.url}: {said.text}") if "the server responded" not in said.text else None,
    )
    for path in PAGES:
        page.goto(address + path)
        found += broken(page)
    context.close()
    assert found == []


#: Whatever holds more than it shows across, but for what is quoted as it is.
SCROLLED = """() => [...document.querySelectorAll("body, body *:not(pre, pre *, input, textarea, svg *)")]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX != "visible")
    .map(one => one.outerHTML.slice(0, 100))"""


def test_no_page_is_wider_than_a_telephone(chromium: Browser, address: str) -> None:
    """Nor is any table, so that nothing on it is read by moving it to and fro."""
    context = chromium.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    wide = []
    for path in PAGES:
        page.goto(address + path)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
        wide += [f"{path}: {one}" for one in page.evaluate(SCROLLED)]
    context.close()
    assert wide == []


def test_times_are_the_reader_s(chromium: Browser, address: str) -> None:
    context = chromium.new_context(timezone_id="Pacific/Auckland", locale="en")
    page = context.new_page()
    page.goto(address)
    page.goto(address)
    shown = page.locator("time").first.get_attribute("datetime") or ""
    context.close()
    assert shown.endswith(("+13:00", "+12:00"))


def test_an_analyst_s_hour(chromium: Browser, address: str) -> None:
    """From what came in today to a rule of one's own in force, two labels, a silence and a story handed over."""
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(120_000)
    # What came in, and why a copy of it was not sent.
    page.goto(address)
    page.get_by_role("link", name="Hun Sen attendu à Hanoï pour une visite de trois jours").first.click()
    expect(page.locator("h1")).to_contain_text("Hun Sen attendu à Hanoï")
    page.get_by_role("link", name="Hun Sen attendu à Hanoï pour une visite de travail").first.click()
    expect(page.locator("main")).to_contain_text("copy")
    # A search without accents becomes a rule; its mistake is marked, and corrected.
    page.get_by_role("searchbox").first.fill("frontiere kilometres")
    page.keyboard.press("Enter")
    expect(page.locator(".title").first).to_contain_text("kilomètres")
    page.get_by_role("link", name="Make this a rule").click()
    page.get_by_label("Id", exact=True).fill("kilometres")
    page.get_by_label("Name", exact=True).fill("Kilomètres")
    page.locator("#when").fill("frontière NAER/9 kilomètres")
    expect(page.locator("#check-result .pointed")).to_contain_text("^")
    page.locator("#when").fill("frontière NEAR/9 kilomètres")
    expect(page.locator("#check-result .pointed")).to_have_count(0)
    expect(page.locator("#history-result")).to_contain_text("match")
    page.get_by_role("button", name="See the change").click()
    expect(page.locator(".diff .more").first).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#state")).to_have_attribute("data-state", "in_force")
    # Two alerts are labelled.
    for said, shown in (("relevant", "judged relevant by desk"), ("noise", "judged not relevant by desk")):
        page.goto(f"{address}/alerts/ledger?outcome=sent")
        page.locator("tbody a[href^='/articles/']").first.click()
        page.locator(f"button[value={said}]").first.click()
        expect(page.locator("main")).to_contain_text(shown)
    # The story is handed over, and its rule silenced for a while.
    page.get_by_label("To", exact=True).fill("Linh")
    page.get_by_label("With a note").fill("call the ministry")
    page.get_by_role("button", name="Hand over").click()
    expect(page.locator("main")).to_contain_text("Linh")
    page.goto(f"{address}/alerts/silences")
    page.locator("select[name=rule]").select_option("visit")
    page.get_by_label("What for").fill("known for today")
    page.get_by_role("button", name="Silence it").click()
    expect(page.locator(".rows")).to_contain_text("known for today")
    context.close()


class Keys:
    """Hands that know the keyboard alone."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def to(self, target: Locator) -> None:
        expect(target).to_be_attached()
        for _ in range(400):
            if target.evaluate("one => one === document.activeElement"):
                return
            self._page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {target}")

    def press(self, target: Locator) -> None:
        self.to(target)
        self._page.keyboard.press("Enter")

    def fill(self, target: Locator, text: str) -> None:
        self.to(target)
        self._page.keyboard.press("Control+a")
        self._page.keyboard.insert_text(text)

    def choose(self, target: Locator, text: str) -> None:
        self.to(target)
        self._page.keyboard.press("Home")
        for _ in range(100):
            if target.evaluate("one => one.selectedOptions[0].text") == text:
                return
            self._page.keyboard.press("ArrowDown")
        raise AssertionError(f"{text} cannot be chosen")


class Mouse:
    """Hands that point."""

    def __init__(self, _page: Page) -> None:
        self.press, self.fill, self.choose = Locator.click, Locator.fill, Locator.select_option


@pytest.mark.parametrize(
    ("hands", "script"), [pytest.param(Keys, True, id="keyboard"), pytest.param(Mouse, False, id="no-script")]
)
def test_the_same_hour_otherwise(chromium: Browser, address: str, hands: type[Keys | Mouse], script: bool) -> None:
    """From a search to a rule of one's own, a label, a silence and a hand-over: with keys alone, and without script."""
    context = chromium.new_context(locale="en-GB", java_script_enabled=script)
    page = context.new_page()
    page.set_default_timeout(120_000)
    hand = hands(page)
    name = f"hour-{'keys' if script else 'plain'}"
    page.goto(address)
    # A search becomes a rule; its mistake has its caret, and is corrected.
    hand.fill(page.get_by_role("searchbox"), "hun sen hanoi")
    page.keyboard.press("Enter")
    hand.press(page.get_by_role("link", name="Make this a rule"))
    hand.fill(page.get_by_label("Id", exact=True), name)
    query = page.locator("#when")
    hand.fill(query, "@hun_senn NEAR/12 (=visite OR =boulevard)")
    if not script:
        hand.press(page.get_by_role("button", name="Try it"))
    expect(page.locator("#check-result .pointed")).to_contain_text("^^^^^^^^^")
    if script:
        page.keyboard.press("F8")
        page.keyboard.insert_text("@hun_sen")
    else:
        hand.fill(query, "@hun_sen NEAR/12 (=visite OR =boulevard)")
        hand.press(page.get_by_role("button", name="Try it"))
    expect(page.locator("#check-result .pointed")).to_have_count(0)
    expect(page.locator("#history-result")).to_contain_text("articles match")
    expect(page.locator("#history-result mark").first).to_be_attached()
    hand.press(page.get_by_role("button", name="See the change"))
    expect(page.locator(".diff .more").first).to_contain_text("[[rule]]")
    hand.press(page.get_by_role("button", name="Save"))
    expect(page.locator("h1")).to_have_text(name)
    if not script:
        wait_for(lambda: page.reload() and page.locator("#state[data-state=in_force]").count())
    expect(page.locator("#state")).to_have_attribute("data-state", "in_force")
    # An alert is judged, its rule silenced, and its story handed over.
    page.goto(f"{address}/alerts/ledger?outcome=sent")
    hand.press(page.locator("tbody a[href^='/articles/']").first)
    hand.press(page.locator("button[value=noise]").first)
    expect(page.locator("main")).to_contain_text("judged not relevant by desk")
    hand.fill(page.get_by_label("To", exact=True), f"Linh {name}")
    hand.press(page.get_by_role("button", name="Hand over"))
    expect(page.locator("main")).to_contain_text(f"Linh {name}")
    page.goto(f"{address}/alerts/silences")
    hand.choose(page.locator("select[name=rule]"), name)
    hand.fill(page.get_by_label("What for"), "known for today")
    hand.press(page.get_by_role("button", name="Silence it"))
    page.wait_for_url("**/alerts/silences?said=*")
    page.goto(f"{address}/rules/{name}")
    expect(page.locator("main .waiting", has_text="silenced until")).to_contain_text("known for today")
    context.close()


def test_the_manual_shows_each_page_at_both_widths() -> None:
    """As `tests/consoleshots.py` makes the pictures."""
    manual = ROOT / "docs" / "console.md"
    named = {f"console/{name}-{width}.jpg" for name in SHOWN for width in WIDTHS}
    assert set(re.findall(r"\]\((console/[^)]+)\)", manual.read_text(encoding="utf-8"))) == named
    assert {f"console/{path.name}" for path in (ROOT / "docs" / "console").iterdir()} == named
