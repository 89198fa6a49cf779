"""The console in a browser: every page can be used by everybody, in both themes, and its script does its part."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from consoles import browser, needs_browser, served
from playwright.sync_api import Browser

pytestmark = needs_browser
#: Each page once.
PAGES = (
    *("/", "/alerts", "/alerts/ledger", "/alerts/silences", "/alerts/deliveries/1", "/feeds"),
    *("/feeds/add", "/feeds/add?url=ftp://x", "/feeds/quarantine", "/nothing-here"),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("served")) as (_, found):
        yield found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_stands_in_anybody_s_way(chromium: Browser, address: str, theme: str) -> None:
    """WCAG as far as axe judges it; and no message of the browser's, as of a style that the policy refuses."""
    found: list[str] = []
    context = chromium.new_context(color_scheme=theme)
    page = context.new_page()
    page.on(
        "console",
        lambda said: found.append(f"{page.url}: {said.text}") if "the server responded" not in said.text else None,
    )
    axe = Axe()
    for path in PAGES:
        page.goto(address + path)
        broken = axe.run(page).response["violations"]
        found += [f"{path}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in broken]
    context.close()
    assert found == []


def test_no_page_is_wider_than_a_telephone(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    wide = []
    for path in PAGES:
        page.goto(address + path)
        if page.evaluate("document.documentElement.scrollWidth") > 360:
            wide.append(path)
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
