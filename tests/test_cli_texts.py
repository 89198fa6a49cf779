"""`veille show`: an article as rules read it, what was cut from it, and what came of its page."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, feed, log_target
from rig import Item, Site

LEAD = "Une délégation de la province a visité lundi le marché flottant."
TAIL = f"Hun Sen attendu au palais\n\n{VISIT}"
LINK = "https://a.example/marche"
HOSTILE = "Le \x1b[31m marché [red]rouge[/red]"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with an article behind whose sign-off another follows, and one whose page is a wall."""
    folder, configured = tmp_path_factory.mktemp("polled"), feed(full_text=True, name="Fil 1")
    with Desk(folder, feeds=[configured], targets=[log_target(folder=folder / "alerts")]) as desk:
        desk.web.answer(LINK, b"<html><body><h1>Choisissez</h1><p>Acceptez les traceurs de ce site.</p></body></html>")
        items = [
            Item("1", "Le marché flottant", f"Hanoï (VNA) - {LEAD} -VNA\n\n{TAIL}"),
            Item("2", HOSTILE, "Il rouvre à l'aube, près de la grande mosquée.", LINK),
        ]
        desk.web.feed(FEED, items)
        asyncio.run(desk.pass_())
    return (folder / "veille.db").read_bytes()


@pytest.fixture
def polled(tmp_path: Path, stored: bytes) -> Site:
    """A site with that store."""
    (tmp_path / "veille.db").write_bytes(stored)
    return Site(tmp_path, feeds=[FEED])


def test_show(veille, polled: Site) -> None:
    """Title and text; of what was cut, nothing unasked."""
    out = veille("show", "flottant", site=polled).out
    assert "Le marché flottant" in out
    assert LEAD in out
    assert "VNA" not in out
    assert "palais" not in out


def test_show_raw(veille, polled: Site) -> None:
    """Each part with what it is."""
    found = json.loads(veille("show", "flottant", "--raw", "--json", site=polled).out)
    assert found["body"] == LEAD
    assert [(part["kind"], part["text"]) for part in found["cut"]] == [
        ("head", "Hanoï (VNA) -"),
        ("sign_off", "-VNA"),
        ("tail", TAIL.replace("\n\n", "\n")),
    ]
    assert "cut, tail: Hun Sen attendu au palais" in veille("show", "flottant", "--raw", site=polled).out


def test_show_what_came_of_the_page(veille, polled: Site) -> None:
    """The reason why the text is the feed's own, until when; `why` says the same, and `status` counts it."""
    page = json.loads(veille("show", LINK, "--json", site=polled).out)["page"]
    assert (page["taken"], page["reason"]) == (False, "other_text")
    for command in ("show", "why"):
        out = " ".join(veille(command, LINK, site=polled).out.split())
        assert "The text is the feed's own: its page does not carry what the feed says" in out
        assert "asked for again at 2026-02-06 15:40 UTC+07" in out
    assert json.loads(veille("show", "flottant", "--json", site=polled).out)["page"] is None


def test_status_counts_pages(veille, polled: Site) -> None:
    """By feed, of the last week, with the reasons."""
    with sqlite3.connect(polled.folder / "veille.db") as db:
        db.execute("UPDATE entry SET first_seen = datetime('now')")
        db.execute("UPDATE entry SET page_text = 'x' WHERE id = 1")
    (row,) = json.loads(veille("status", "--json", site=polled).out)["feeds"]
    assert row["pages"] == {"other_text": 1, "taken": 1}
    assert "pages of Fil 1 in the last week: 1 other_text, 1 taken" in veille("status", site=polled).out


def test_show_harmless(veille, polled: Site) -> None:
    """W11: no text of a feed commands the terminal."""
    out = veille("show", LINK, "--raw", site=polled).out
    assert "\x1b" not in out
    assert "[red]rouge[/red]" in out
    assert "nothing was cut" in out


def test_why_says_that_the_words_were_cut(veille, polled: Site) -> None:
    """The rule did not match, and why that is no mistake of its own."""
    (silent,) = json.loads(veille("why", "flottant", "--json", site=polled).out)["silent"]
    assert not silent["now"]
    assert "stand in a part that was cut (another article behind the sign-off)" in silent["sentence"]
    (other,) = json.loads(veille("why", LINK, "--json", site=polled).out)["silent"]
    assert "cut" not in other["sentence"]


def test_show_nothing(veille, polled: Site) -> None:
    """Exit code 1, and where to look."""
    done = veille("show", "nothing like it", site=polled)
    assert done.code == 1
    assert "veille articles" in done.err


def test_show_of_words_that_fit_several(veille, polled: Site) -> None:
    """The newest is shown, and the others are named, as `why` does."""
    found = json.loads(veille("show", "marché", "--json", site=polled).out)
    assert len(found["others"]) == 1


def test_an_account_without_a_name_is_a_number(veille, polled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's user is: what is done there is still written down with its author."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert veille("ack", "1", site=polled).code == 0
    assert f"uid {os.getuid()}" in veille("why", "1", site=polled).out
