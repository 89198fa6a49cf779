"""The pictures of docs/console.md, from a worker that runs: `python tests/consoleshots.py docs/console`.

A picture for each page at 390 and 1,280 px, the narrow one dark; what they show is the sample feed.
"""

import sys
import tempfile
from pathlib import Path

from consoles import browser, served

ROOT = Path(__file__).parents[1]
#: Of a picture's file, the page that it shows.
PAGES = {
    "today": "/",
    "article": "/articles/7",
    "story": "/stories/6",
    "missed": "/missed",
    "search": "/search?q=hun+sen+NEAR/12+visite",
    "rules": "/rules",
    "workbench": "/rules/hun-sen-visit",
    "alerts": "/alerts",
    "ledger": "/alerts/ledger",
    "silences": "/alerts/silences",
    "feeds": "/feeds",
    "feed": "/feeds/add",
    "people": "/people",
}
#: Widths with their theme.
WIDTHS = {1280: "light", 390: "dark"}
#: Milliseconds in which a workbench has read what the sample has.
_SETTLED = 8_000


def make(folder: Path) -> None:
    """Write the pictures into the folder, as `NAME-WIDTH.jpg`."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.toml")))
    with tempfile.TemporaryDirectory() as site, served(Path(site), rules=rules) as (_, address), browser() as chromium:
        for width, theme in WIDTHS.items():
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, locale="en-GB", timezone_id="Asia/Bangkok"
            )
            page = context.new_page()
            page.set_default_timeout(120_000)
            for name, path in PAGES.items():
                page.goto(address + path)
                if name == "workbench":
                    page.wait_for_timeout(_SETTLED)
                page.screenshot(path=folder / f"{name}-{width}.jpg", type="jpeg", quality=70)
            context.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
