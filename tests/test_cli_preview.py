"""`veille preview`: what a target would get, without sending it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, log_target
from rig import LOG_TARGET, Item, Site

TARGETS = (
    LOG_TARGET
    + """
[[target]]
id = "desk"
email = { to = ["a@example.org", "b@example.org"], from = "v@example.org", smtp = "smtp://127.0.0.1:9" }
[[target]]
id = "mekong"
slack = { webhook = "http://127.0.0.1:9/CANARY-TOKEN" }
language = "en"
[[target]]
id = "phone"
apprise = { url = "json://127.0.0.1:9/CANARY-TOKEN" }
"""
)
#: Stands in for Chromium: writes what it was asked for into the picture.
BROWSER = """#!/bin/sh
for word in "$@"; do
    case "$word" in
        --screenshot=*) picture="${word#--screenshot=}" ;;
        file://*) page="${word#file://}" ;;
    esac
done
printf 'drawn: ' > "$picture"
/bin/cat "$page" >> "$picture"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose store holds two articles that matched, a copy of one, and one that did not."""
    folder = tmp_path_factory.mktemp("preview")
    site = Site(folder, feeds=[FEED], targets=TARGETS)
    with Desk(folder, targets=[log_target(folder=folder / "alerts")]) as desk:
        items = [
            Item("1", "Hun Sen attendu à Hanoï", VISIT, "https://a.example/un"),
            Item("2", "Une bibliothèque", "La bibliothèque de la commune rouvre ses portes."),
            Item("3", "Hun Sen repart", "Après sa visite à Paksé, Hun Sen repart.", "https://a.example/trois"),
            Item("4", "Hun Sen attendu mardi à Hanoï", VISIT, "https://a.example/quatre"),
        ]
        desk.web.feed(FEED, items)
        asyncio.run(desk.pass_())
    return site


def counts(site: Site) -> list[int]:
    with sqlite3.connect(site.folder / "veille.db") as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("delivery", "attempt")]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param("log", ["> ", "Importance élevée · Une visite de Hun Sen", "https://a.example/un"], id="log"),
        pytest.param("desk", ["Lire l’article :\nhttps://a.example/un"], id="email"),
        pytest.param("mekong", ["*<https://a.example/un|Hun Sen attendu à Hanoï>*", "High severity"], id="slack"),
        pytest.param("phone", ["Mots trouvés : "], id="apprise"),
    ],
)
def test_preview(veille, site: Site, target: str, said: list[str]) -> None:
    """Subject and text as the channel has them; nothing is sent or written down, and no secret is shown."""
    before = counts(site)
    done = veille("preview", "Hun Sen attendu", "--target", target, site=site)
    assert done.code == 0
    assert done.out.startswith("[high] Une visite de Hun Sen: Hun Sen attendu à Hanoï\n\n")
    assert all(words in done.out for words in said)
    assert counts(site) == before
    assert "CANARY" not in done.out + done.err


def test_preview_of_a_digest(veille, site: Site) -> None:
    """The newest articles that matched, without the copy that nobody was alerted of."""
    done = veille("preview", "--digest", "--target", "desk", site=site)
    assert done.code == 0
    assert done.out.startswith("[Veille] Synthèse du ")
    assert " : 2 alertes\n" in done.out
    assert "Hun Sen repart" in done.out
    assert "bibliothèque" not in done.out


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("preview", "nosuch", "--target", "desk"), 1, "no article is 'nosuch'"),
        (("preview", "bibliothèque", "--target", "desk"), 1, "no rule matches the article: `veille why`"),
        (("preview", "1", "--target", "nosuch"), 78, "one of: log, desk, mekong, phone"),
        (("preview", "--target", "desk"), 2, "name an article, or ask for a --digest"),
        (("preview", "1", "--digest", "--target", "desk"), 2, "name an article, or ask for a --digest"),
        (("preview", "1"), 2, "--target"),
    ],
    ids=["no-article", "no-match", "no-target", "nothing", "both", "nobody"],
)
def test_preview_of_nothing(veille, site: Site, words: tuple[str, ...], code: int, complaint: str) -> None:
    """A sentence for each."""
    done = veille(*words, site=site)
    assert done.code == code
    assert complaint in done.err


def test_preview_by_a_rule_that_came_later(veille, site: Site, tmp_path: Path) -> None:
    """An article that nothing matched when it came is shown as the rules of today have it."""
    other = Site(
        tmp_path,
        feeds=[FEED],
        targets=TARGETS,
        rules='[[rule]]\nid = "books"\nname = "Livres"\nseverity = "low"\nwhen = "=bibliothèque"\n',
        store=f"sqlite:///{site.folder / 'veille.db'}",
    )
    done = veille("preview", "bibliothèque", "--target", "desk", site=other)
    assert done.out.startswith("[low] Livres: Une bibliothèque\n")


def test_preview_as_a_page_and_a_picture(veille, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTML of the mail, and what a Chromium on the PATH makes of it; of whichever name."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(BROWSER)
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))  # whatever browser there is besides
        page, picture = folder / "a.html", folder / "a.png"
        done = veille("preview", "1", "--target", "mekong", "--html", page, "--png", picture, site=site)
        assert done.code == 0
        assert f"the picture: {picture}" in done.out
        assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
        assert picture.read_text(encoding="utf-8") == "drawn: " + page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("script", "code", "complaint"),
    [
        (None, 1, "no Chromium is on the PATH (chromium, chromium-browser, google-chrome)"),
        ("#!/bin/sh\nexit 3\n", 69, "could not draw the page"),
        ("#!/bin/sh\n", 69, "could not draw the page"),
    ],
    ids=["none", "fails", "draws-nothing"],
)
def test_no_picture(
    veille, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, code: int, complaint: str
) -> None:
    """Without a browser that draws it, the text is shown all the same."""
    if script is not None:
        (tmp_path / "chromium").write_text(script)
        (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = veille("preview", "1", "--target", "desk", "--png", tmp_path / "a.png", site=site)
    assert (done.code, (tmp_path / "a.png").exists()) == (code, False)
    assert complaint in done.err
    assert "Hun Sen attendu à Hanoï" in done.out


def test_preview_with_own_templates(veille, site: Site, tmp_path: Path) -> None:
    """They are checked first, with file and line; then they make the page."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "alert.html").write_text("<p>{{ veiws }}</p>")
    other = Site(
        tmp_path,
        feeds=[FEED],
        targets=TARGETS,
        store=f"sqlite:///{site.folder / 'veille.db'}",
        more='[messages]\ntemplates = "own"\n',
    )
    for words in (("check",), ("preview", "1", "--target", "desk")):
        done = veille(*words, site=other)
        assert done.code == 78
        assert f"{own}/alert.html:1: 'veiws' is undefined\n    fix: did you mean views?" in done.err
    (own / "alert.html").write_text("<p>{{ views[0].title.text }}</p>")
    assert veille("check", site=other).code == 0
    assert veille("preview", "1", "--target", "desk", "--html", tmp_path / "a.html", site=other).code == 0
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "<p>Hun Sen attendu à Hanoï</p>"
    refused = veille("preview", "1", "--target", "desk", "--html", tmp_path / "none" / "a.html", site=other)
    assert (refused.code, "No such file" in " ".join(refused.err.split())) == (1, True)
