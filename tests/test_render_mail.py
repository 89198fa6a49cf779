"""The HTML of mails: only what the common clients show, by day and by night, and nothing that the text lacks."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from messages import ITEM, part, target, told

from worker.model import Alert, Answers, Change, Digest, Notice, Passage, Severity, Suppression

CHANGE = Change(
    before=Passage(text="Deux jours.", marks=((0, 4),)), after=Passage(text="Trois jours.", marks=((0, 5),))
)
ITEMS = tuple(
    replace(
        ITEM,
        article_id=number,
        severity=severity,
        occasion=occasion,
        title=Passage(text=f"Titre {number}", marks=((0, 5),)),
        passages=(Passage(text=f"Phrase {number} une.", marks=((0, 6),)), Passage(text=f"Phrase {number} deux.")),
        source=f"Source {number}",
        link=f"https://e.example/{number}?a=1&b=2",
        story_id=number % 4,
        outlets=(f"Autre {number}", "AKP"),
        old=number % 2 == 0,
        changes=(
            Change(before=Passage(text=f"Avant {number}."), after=Passage(text=f"Après {number}.", marks=((0, 5),))),
        ),
        answers=Answers(acknowledge=f"https://v.example/a{number}", noise=f"https://v.example/n{number}"),
    )
    for number, (severity, occasion) in enumerate(
        zip(Severity, ("first", "follow-up", "correction", "development", "escalation-1"), strict=True)
    )
)
MANY = tuple(replace(ITEMS[n % 5], article_id=n, story_id=n, title=Passage(text=f"Titre {n}")) for n in range(30))
CONTENTS = {
    "alert": Alert(items=ITEMS),
    "digest": Digest(items=ITEMS, held_back=((Suppression.COPY, 2),)),
    "long-digest": Digest(items=MANY),
    "notice": Notice(subject="Le flux est muet", body="Une ligne.\n\nUne autre."),
}

# What Gmail, Outlook and Apple Mail show: developers.google.com/workspace/gmail/design/css for Gmail;
# learn.microsoft.com/previous-versions/office/developer/office-2007/aa338201(v=msdn.10) for Outlook on Windows, whose
# engine is Word's; www.caniemail.com, feature by feature, for all three.
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body"),
    *("table", "tr", "td", "div", "p", "h1", "span", "strong", "a", "br"),
}
ATTRIBUTES = {
    "html": {"lang"},
    "meta": {"charset", "name", "content"},
    "table": {"role", "width", "cellpadding", "cellspacing", "border"},
    "td": {"align", "height", "bgcolor", "lang", "dir"},
    "h1": {"lang", "dir"},
    "span": {"lang", "dir"},
    "a": {"href"},
}
EVERYWHERE = {"class", "style"}
PROPERTIES = {
    *("background-color", "border", "border-left", "color", "display", "font-family", "font-size", "font-weight"),
    *("height", "line-height", "margin", "margin-top", "padding", "text-decoration", "width"),
    # Without them nothing is lost: Outlook on Windows shows square corners, takes the width from its own table, and
    # hides by `display`; only Apple's phones enlarge texts by themselves.
    *("border-radius", "max-width", "overflow", "max-height", "-webkit-text-size-adjust"),
}
#: Of the sheet for phones and for the night, which Gmail and Apple Mail read; Outlook keeps to the attributes.
SHEET = {
    *("background-color", "border-color", "border-left", "border-right", "border-radius", "color", "padding"),
    *("padding-left", "padding-right", "text-decoration", "color-scheme", "supported-color-schemes"),
}


class Page(HTMLParser):
    """Each start tag with its attributes and the classes round it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[tuple[str, dict[str, str]]]]] = []
        #: What stands in the body.
        self.texts: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.found.append((tag, named, list(self._open)))
        if tag not in {"meta", "br"}:
            self._open.append((tag, named))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if "head" not in [tag for tag, _ in self._open]:
            self.texts.append(data)


def html(name: str) -> str:
    return part(told(CONTENTS[name]), "html")


def declared(style: str) -> dict[str, str]:
    pairs = (one.split(":", 1) for one in style.split(";") if one.strip())
    return {name.strip(): value.strip() for name, value in pairs}


@pytest.mark.parametrize("name", CONTENTS)
def test_only_what_the_clients_show(name: str) -> None:
    """No element, attribute or property beside the lists; every element is closed."""
    page = Page(html(name))
    for tag, named, _ in page.found:
        assert tag in ELEMENTS
        assert set(named) <= ATTRIBUTES.get(tag, set()) | EVERYWHERE
        assert set(declared(named.get("style", ""))) <= PROPERTIES


@pytest.mark.parametrize("name", CONTENTS)
def test_the_sheet_is_small_and_plain(name: str) -> None:
    """Gmail drops a sheet of more than 16 kB, and one that it cannot read."""
    (sheet,) = re.findall(r"<style>(.*?)</style>", html(name), re.DOTALL)
    assert len(sheet) < 8_000
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"@media \([a-z-]+: [a-z0-9]+\) \{", "", sheet))
    assert len(rules) > 10
    for selector, body in rules:
        assert re.fullmatch(r"[\s}]*(:root|a|(\.[a-z-]+( a)?(, )?)+)\s*", selector), selector
        assert set(declared(body)) <= SHEET
    assert set(re.findall(r"@media (\([^)]*\))", sheet)) == {"(max-width: 620px)", "(prefers-color-scheme: dark)"}


@pytest.mark.parametrize("name", CONTENTS)
def test_600_pixels(name: str) -> None:
    """Wide clients show 600 pixels, Outlook through a table of its own; narrow ones what they have."""
    page = html(name)
    assert page.count('width="600" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:600px;"') == 1
    assert page.count('<!--[if mso]><table role="presentation" width="600"') == 1
    widths = [named["width"] for tag, named, _ in Page(page).found if tag == "table"]
    assert set(widths) <= {"100%", "600"}


def night(name: str) -> dict[str, dict[str, str]]:
    """Styles of each class at night, by the sheet."""
    (sheet,) = re.findall(r"\(prefers-color-scheme: dark\) \{(.*?)\n  \}", html(name), re.DOTALL)
    return {
        selector.strip(): declared(body.replace("!important", ""))
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet)
        for selector in selectors.split(",")
    }


@pytest.mark.parametrize("name", CONTENTS)
def test_every_colour_has_its_night(name: str) -> None:
    """Whatever has a colour of its own has a class, or stands in one, that gives it another at night."""
    rules = night(name)
    for tag, named, parents in Page(html(name)).found:
        style = declared(named.get("style", ""))
        own = [f".{one}" for one in named.get("class", "").split()]
        around = [f".{one} a" for _, parent in parents for one in parent.get("class", "").split() if tag == "a"]
        for property_name in {"color", "background-color"} & set(style):
            if "page" not in named.get("class", ""):
                assert any(property_name in rules.get(one, {}) for one in own + around), (tag, named)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def grounds(page: Page) -> Iterator[tuple[str, str, list[str]]]:
    """Each text colour by day with the ground that it stands on, and the classes from the inside out."""
    for tag, named, parents in page.found:
        chain = [(tag, named), *reversed(parents)]
        style = declared(named.get("style", ""))
        if "color" in style or named.get("class", "").startswith("m-"):
            colours = [declared(one.get("style", "")) for _, one in chain]
            text = next(one["color"] for one in colours if "color" in one)
            ground = next(one["background-color"] for one in colours if "background-color" in one)
            yield text, ground, [one.get("class", "") for _, one in chain]


@pytest.mark.parametrize("name", CONTENTS)
def test_contrast_by_day(name: str) -> None:
    """Every text stands out from its ground, marks too (WCAG 2.2, 1.4.3: 4.5 to 1)."""
    found = list(grounds(Page(html(name))))
    assert found
    for text, ground, classes in found:
        assert contrast(text, ground) >= 4.5, (text, ground, classes)


@pytest.mark.parametrize("name", CONTENTS)
def test_contrast_by_night(name: str) -> None:
    """So it does at night, by the colours that the sheet gives its classes."""
    rules = night(name)
    for _, _, classes in grounds(Page(html(name))):
        chain = [[f".{one}" for one in names.split()] for names in classes]

        def first(property_name: str, chain: list[list[str]] = chain) -> str:
            return next(
                rules[one][property_name] for names in chain for one in names if property_name in rules.get(one, {})
            )

        assert contrast(first("color"), first("background-color")) >= 4.5, classes


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", CONTENTS)
def test_the_plain_part_is_complete(name: str, language: str) -> None:
    """Every text of the page, and every link, stands in the text as well."""
    message = told(CONTENTS[name], to=target(language=language))
    page = Page(part(message, "html"))
    said = " ".join(part(message, "plain").replace("*", "").split())
    links = {named["href"] for tag, named, _ in page.found if tag == "a"}
    assert links <= set(re.findall(r"https?://\S+", said))
    shown = {" ".join(text.split()).strip(" :→·") for text in page.texts} - {""}
    missing = {text for text in shown if text not in said}
    # Why somebody gets it stands with each article; a notice's subject in its header.
    assert {text for text in missing if not text.startswith(("Vous recevez", "Veille sent"))} == (
        {message.subject} if name == "notice" else set()
    )
