"""The command line: what each command prints for people and programs, its exit codes, and that errors are sentences."""

import json
import re
import sqlite3
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from desk import FEED, VISIT, Desk, feed
from rig import Item, Site, rss
from sinks import HttpSink, Reply

from worker import cli
from worker.model import ParsedEntry
from worker.runtime import logs

COMMANDS = {
    ("run",): (),
    ("poll",): ("--json",),
    ("check",): ("--json",),
    ("status",): ("--json",),
    ("articles",): ("--json", "--limit", "--containing"),
    ("search",): ("--json", "--limit", "--since", "--until", "--outlet", "--rule-language"),
    ("why",): ("--json", "--rule"),
    ("show",): ("--json", "--raw"),
    ("stories",): ("--json", "--limit", "--several"),
    ("stories", "list"): ("--json", "--limit", "--several"),
    ("stories", "split"): ("--json", "--by", "--note"),
    ("stories", "move"): ("--json", "--by", "--note"),
    ("stories", "merge"): ("--json", "--by", "--note"),
    ("review",): ("--json", "--send"),
    ("import",): ("--json",),
    ("feeds", "list"): ("--json",),
    ("feeds", "add"): ("--name", "--language", "--tag", "--pick", "--unchecked", "--json"),
    ("feeds", "import"): ("--json",),
    ("feeds", "export"): (),
    ("send-test",): ("--json",),
    ("preview",): ("--json", "--target", "--digest", "--html", "--png"),
    ("doctor",): ("--json",),
    ("backup",): ("--json",),
    ("restore",): ("--json",),
    ("quarantine",): ("--json",),
    ("quarantine", "show"): ("--json", "--raw"),
    ("quarantine", "retry"): ("--json", "--all"),
    ("rules", "check"): ("--json", "--rules"),
    ("rules", "test"): ("--json", "--rules", "--mutants"),
    ("rules", "backtest"): ("--json", "--rules", "--since"),
    ("rules", "diff"): ("--json", "--since"),
    ("rules", "stats"): ("--json", "--rules", "--since"),
    ("rules", "label"): ("--json",),
    ("eval", "rules"): ("--json", "--rules", "--without-weak"),
    ("eval", "copies"): ("--json", "--self", "--each-its-own-host"),
    ("eval", "stories"): ("--json", "--ignore"),
    ("health",): ("--json",),
}
#: They work on files and a store of their own.
_NO_CONFIG = [("eval", "copies"), ("eval", "stories")]
HOSTILE = "[red]Hun Sen[/red] \x1b[31m\x9b31m :bomb: [link=file:///etc]x[/link] \u202edrow\r\nSecond \\[bold]"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, feeds=["veille:sample"])


@pytest.fixture
def polled(tmp_path: Path, visits: bytes) -> Site:
    """A site with that store."""
    (tmp_path / "veille.db").write_bytes(visits)
    return Site(tmp_path, feeds=[FEED])


# --- help and usage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "options"), COMMANDS.items(), ids=[" ".join(words) for words in COMMANDS])
def test_help(veille, words: tuple[str, ...], options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command explains itself, its options and where its file is."""
    monkeypatch.setenv("COLUMNS", "200")
    done = veille(*words, "--help")
    assert done.code == 0
    for option in (*(() if words in _NO_CONFIG else ("--config",)), *options):
        assert option in done.out


def test_help_names_every_command(veille) -> None:
    """And no other."""
    out = veille("--help").out
    assert {words[0] for words in COMMANDS} <= set(re.findall(r"^\W*([a-z-]+) ", out, re.MULTILINE))


@pytest.mark.parametrize("words", [("nosuch",), ("why",), ("articles", "--limit", "0"), ("import",)], ids=" ".join)
def test_usage(veille, words: tuple[str, ...]) -> None:
    """A mistake in the command itself is exit code 2, as everywhere."""
    assert veille(*words).code == 2


# --- what cannot be done -------------------------------------------------------------------------------------------

READERS = [("status",), ("articles",), ("why", "1"), ("feeds", "list")]


@pytest.mark.parametrize(
    "words", [*READERS, ("run",), ("poll",), ("check",), ("send-test", "log"), ("feeds", "export")], ids=" ".join
)
def test_no_configuration(veille, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A sentence with the file, and what to do."""
    done = veille(*words, "--config", tmp_path / "nosuch.toml")
    assert done.code == 78
    assert "nosuch.toml: there is no such file" in done.err


def test_feeds_are_listed_before_they_are_polled(veille, site: Site) -> None:
    """Whoever has just added one wants to see it; no store is made for that."""
    (row,) = json.loads(veille("feeds", "list", "--json", site=site).out)
    assert (row["url"], row["last_polled"]) == ("veille:sample", None)
    assert not (site.folder / "veille.db").exists()


@pytest.mark.parametrize("words", [words for words in READERS if words[0] != "feeds"], ids=" ".join)
def test_no_store_yet(veille, site: Site, words: tuple[str, ...]) -> None:
    """Whoever looks on makes no store, and says who does."""
    done = veille(*words, site=site)
    assert done.code == 78
    assert "there is no store at" in done.err
    assert "veille run" in done.err
    assert not (site.folder / "veille.db").exists()


@pytest.mark.parametrize("words", [*READERS, ("poll",)], ids=" ".join)
def test_a_damaged_store(veille, site: Site, words: tuple[str, ...]) -> None:
    """S07: it is named, and left as it is."""
    (site.folder / "veille.db").write_bytes(b"This is no database at all. " * 200)
    before = (site.folder / "veille.db").read_bytes()
    done = veille(*words, site=site)
    assert done.code == 78
    assert done.err.startswith("veille: ")
    assert (site.folder / "veille.db").read_bytes() == before


@pytest.mark.parametrize("words", [("status",), ("poll",)], ids=" ".join)
def test_s11_postgresql_out_of_reach(veille, site: Site, words: tuple[str, ...]) -> None:
    """Try again later; the password is not in the sentence."""
    site.store = "postgresql+psycopg://veille:CANARY-9@127.0.0.1:9/veille"
    site.write()
    done = veille(*words, site=site)
    assert done.code in {75, 78}
    assert "127.0.0.1" in done.err
    assert "CANARY" not in done.err


def test_a_mistake_of_ours(veille, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said to be one, with its trace for the report, in which no secret stands."""
    logs.hide(["CANARY-55"])

    def broken(_: object) -> None:
        raise ZeroDivisionError("CANARY-55")

    monkeypatch.setattr(cli, "loaded", broken)
    monkeypatch.setattr(cli, "fail", _without_trace(cli.fail))
    done = veille("check", site=site)
    assert done.code == 70
    assert "mistake of Veille's own" in done.err
    assert "ZeroDivisionError: ***" in done.err
    assert "CANARY" not in done.err


def _without_trace(fail):
    return lambda message, code: fail(message.replace("Traceback", "Trace"), code)


# --- poll, check ---------------------------------------------------------------------------------------------------


def test_poll_json(veille, site: Site) -> None:
    """One object, every key, numbers only."""
    found = json.loads(veille("poll", "--json", site=site).out)
    assert set(found) == {"feeds", "entries", "articles", "matches", "deliveries"}
    assert set(found["feeds"]) == {"polled", "new", "not_modified", "failed", "waiting"}
    assert set(found["articles"]) == {"new", "update", "duplicate"}
    assert set(found["deliveries"]) == {"open", "sealed", "retry", "parked", "sent", "failed"}
    assert found["feeds"]["polled"] == 1
    assert found["entries"] == sum(found["articles"].values()) > 10


def test_poll_for_people(veille, site: Site) -> None:
    """The alert is printed, and a failing feed is named with its reason."""
    site.feeds = ["veille:sample", "http://127.0.0.1:9/feed"]
    site.write()
    done = veille("poll", site=site)
    assert done.code == 0
    assert "Hun Sen" in done.out
    assert re.search(r"failed +Fil 2: (blocked_address|connect_error)", done.out)


def test_check(veille, site: Site) -> None:
    """Feeds, rules and targets are counted; a target's fault is named with the target."""
    done = veille("check", site=site)
    assert done.code == 0
    assert "1 feed, 1 rule, 1 target" in done.out
    (site.folder / "alerts").write_text("in the way")
    done = veille("check", site=site)
    assert done.code == 78
    assert "target log: " in done.err


# --- status, articles, why -----------------------------------------------------------------------------------------


def test_status_json(veille, polled: Site) -> None:
    """Every part is there, also where there is nothing to say."""
    found = json.loads(veille("status", "--json", site=polled).out)
    assert found["worker"] is None
    assert found["entries"] == {"new": 0, "ready": 0, "done": 3, "quarantined": 0}
    assert found["articles"] == {"feed": 3, "duplicates": 1}
    assert found["deliveries"]["sent"] == 1
    assert found["ledger"] == found["quarantine"] == found["unsent"] == []
    assert found["parked_targets"] == {}
    (one,) = found["feeds"]
    assert (one["name"], one["entries"], one["result"], one["failures"]) == ("Fil 1", 3, "ok", 0)


def test_status_for_people(veille, polled: Site) -> None:
    """States that need a person are said in words."""
    with sqlite3.connect(polled.folder / "veille.db") as db:
        db.execute("UPDATE delivery SET state = 'parked', reason = 'no_service'")
        db.execute("INSERT INTO target (id, parked, failures, told) VALUES ('log', 'no_service', 0, false)")
        db.execute("UPDATE entry SET state = 'quarantined', error = '[red]bad' WHERE id = 2")
    out = veille("status", site=polled).out
    for words in ("no worker runs", "parked", "no_service", "put aside", "[red]bad", "Fil 1"):
        assert words in out


def test_articles(veille, polled: Site) -> None:
    """Newest first; by words of the title; at most so many."""
    found = json.loads(veille("articles", "--json", site=polled).out)
    assert [one["title"] for one in found] == [
        "Hun Sen attendu mardi à Hanoï",
        "Une bibliothèque",
        "Hun Sen attendu à Hanoï",
    ]
    assert found[0]["novelty"] == "duplicate"
    assert found[0]["duplicate_of"] == found[2]["id"]
    assert len(json.loads(veille("articles", "--json", "--limit", 1, site=polled).out)) == 1
    some = json.loads(veille("articles", "--json", "--containing", "BIBLIO", site=polled).out)
    assert [one["title"] for one in some] == ["Une bibliothèque"]
    assert "copy of 1" in veille("articles", site=polled).out


def test_search(veille, polled: Site) -> None:
    """By words of title or text, with their own limits of time and number; a day counts whole."""

    def titles(*words: str) -> list[str]:
        return [one["title"] for one in json.loads(veille("search", *words, "--json", site=polled).out)]

    assert titles("hun", "sen", "HANOI") == titles("hun sen hanoi")
    assert set(titles("pourparlers")) == {"Hun Sen attendu à Hanoï", "Hun Sen attendu mardi à Hanoï"}
    assert titles("commune portes") == ["Une bibliothèque"]
    assert titles("hun sen introuvable") == []
    assert len(titles("hun", "--limit", "1")) == 1
    assert titles("commune", "--until", "2026-02-06", "--since", "2026-02-06") == ["Une bibliothèque"]
    assert titles("commune", "--until", "2026-02-05") == titles("commune", "--since", "2026-02-07") == []
    assert "Une bibliothèque" in veille("search", "commune", site=polled).out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(("=commune", "NEAR/2", "=rouvre"), True, id="an operator"),
        pytest.param(("commune", "NEAR/0", "portes"), False, id="too far apart"),
        pytest.param(("title:commune",), False, id="a part"),
        pytest.param(("=bibliotheque", "--rule-language"), True, id="by choice"),
        pytest.param(("commune", "NEAR/0", "portes", "--words"), False, id="as words"),
        pytest.param(("commune", "--outlet", "Le Fil"), True, id="an outlet"),
        pytest.param(("commune", "--outlet", "Fil 9"), False, id="another outlet"),
        pytest.param(("commune", "--feed", "Fil 9"), False, id="another feed"),
        pytest.param(("commune", "--language", "en"), False, id="another language"),
        pytest.param(("commune", "--rule", "visit"), False, id="a rule"),
        pytest.param(("commune", "--story", "999"), False, id="a story"),
    ],
)
def test_search_in_the_rule_language_and_by_filters(veille, polled: Site, words: tuple[str, ...], found: bool) -> None:
    """As the page does; each article comes with the passages that answer."""
    rows = json.loads(veille("search", *words, "--json", site=polled).out)
    assert [one["title"] for one in rows] == (["Une bibliothèque"] if found else [])
    assert all(one["passages"] for one in rows)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("search", "!?"), 2, "holds no word"),
        (("search", "visite NEAR/5", "--rule-language"), 2, "^"),
        (("search", "x", "--story", "0x1"), 2, "no number"),
        (("articles", "--containing", "%"), 2, "holds no word"),
        (("search", "x", "--until", "soon"), 78, "--until: "),
        (("silence", "--rule", "visit", "--for", "3x"), 78, "--for: "),
        (("mute-story", "1", "--for", "3x"), 78, "--for: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_asked_wrongly_is_named(veille, polled: Site, words: tuple[str, ...], code: int, said: str) -> None:
    """By the option that holds it."""
    done = veille(*words, site=polled)
    assert done.code == code
    assert said in done.err


def test_an_article_of_the_archive_has_a_name(veille, site: Site) -> None:
    """Also where it has no title."""
    veille("poll", site=site)
    out = veille("articles", "--limit", "100", site=site).out
    assert "article 001 of the archive, without a title" in out
    assert "Tô Lâm" in veille("articles", "--containing", "to lam", site=site).out
    assert "article 001 of the archive, without a title" in veille("show", "001", site=site).out


def test_help_shows_brackets(veille) -> None:
    """Brackets in help texts, which rich would take for markup, are shown: a table of a rule."""
    assert "[[rule.test]]" in veille("rules", "test", "--help").out


@pytest.mark.parametrize(
    "asked",
    [
        "1",
        "attendu à Hanoï",
        "depuis HANOI attendu",
        "https://a.example/un?utm_source=x",
        "https://a.example/un",
        "http://a.example/un/",
    ],
)
def test_why_finds(veille, polled: Site, asked: str) -> None:
    """By number, by words of the title, by address in any of its forms."""
    found = json.loads(veille("why", asked, "--json", site=polled).out)
    assert found["title"] == "Hun Sen attendu à Hanoï"
    assert [m["rule"] for m in found["matches"]] == ["visit"]
    assert found["ledger"][0]["state"] == "sent"
    marked = [passage["text"][a:b] for m in found["matches"] for passage in m["passages"] for a, b in passage["marks"]]
    assert {"Hun", "visite"} <= {word for part in marked for word in part.split()}


def test_why_of_the_silent(veille, polled: Site) -> None:
    """A copy was not told because its original was; a rule that did not match is named."""
    copy = veille("why", "Hun Sen attendu mardi à Hanoï", site=polled).out
    assert ": it is a copy, and its original was decided" in " ".join(copy.split())
    other = json.loads(veille("why", "bibliothèque", "--json", site=polled).out)
    assert [one["rule"] for one in other["silent"]] == ["visit"]
    assert not other["silent"][0]["now"]


def test_why_names_the_nearest_rules_first(veille, polled: Site) -> None:
    """Three of those that missed, unless all are asked for; what people said of the article stands with it."""
    absent = [(f"absent-{n}", f"zorb{n}a AND zorb{n}b") for n in range(4)]
    near = ("near", "Sen NEAR/0s Hanoï")
    polled.rules += "".join(f'[[rule]]\nid = "{name}"\nwhen = "{when}"\n' for name, when in [*absent, near])
    polled.write()
    assert veille("rules", "label", "1", "near", "noise", site=polled).code == 0
    assert veille("ack", "1", "--by", "ana", site=polled).code == 0
    found = json.loads(veille("why", "1", "--json", site=polled).out)
    assert [one["rule"] for one in found["silent"]] == ["near", *(name for name, _ in absent)]
    assert (found["acknowledged"]["by"], [one["rule"] for one in found["labels"]]) == ("ana", ["near"])
    out = veille("why", "1", site=polled).out
    assert "near does not match" in out
    assert "2 more rules did not match: --all shows why" in out
    assert "acknowledged by ana at" in out
    assert "judged noise for near by" in out
    assert "absent-3 does not match" in veille("why", "1", "--all", site=polled).out


def test_why_says_first_which_article_it_is_of(veille, polled: Site) -> None:
    """The chosen article, and the others that fit the words, are named before anything else."""
    first = veille("why", "Hanoï", site=polled).out.splitlines()[0]
    assert first.startswith("of 2 articles that fit, this is ")


def test_why_after_a_change_of_rules(veille, polled: Site) -> None:
    """A rule that would match by now says that it was changed since."""
    polled.rules = polled.rules.replace('"visit"', '"visit-2"')
    polled.write()
    found = json.loads(veille("why", "1", "--json", site=polled).out)
    (silent,) = found["silent"]
    assert (silent["rule"], silent["now"]) == ("visit-2", True)
    assert "changed since" in silent["sentence"]


@pytest.mark.parametrize("asked", ["999", "nothing like it", "https://a.example/nowhere", "%", "_" * 40])
def test_why_of_nothing(veille, polled: Site, asked: str) -> None:
    """Exit code 1, and where to look."""
    done = veille("why", asked, site=polled)
    assert done.code == 1
    assert "veille articles" in done.err


# --- hostile texts -------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A store in which every text wants to be a command to the terminal."""
    import asyncio
    from dataclasses import replace

    from worker.pipeline import ingest

    site = Site(tmp_path, feeds=[FEED])
    site.config.write_text(site.config.read_text().replace('"Fil 1"', '"[bold]Fil[/bold]"'))
    real = ingest.entries.read

    def planted(tx, ids):
        parsed = ParsedEntry(guid="1", title=HOSTILE, summary=VISIT + HOSTILE, link="https://a.example/[red]")
        return tuple(replace(entry, parsed=parsed) for entry in real(tx, ids))

    monkeypatch.setattr(ingest.entries, "read", planted)
    monkeypatch.setattr(ingest.entries, "held", lambda _, batch: frozenset(entry.id for entry in batch))
    monkeypatch.setattr(ingest, "normalise", None, raising=False)
    with Desk(tmp_path, feeds=[feed(name="[bold]Fil[/bold]")]) as desk:
        desk.web.feed(FEED, [Item("1", "Titre", "Texte")])
        asyncio.run(desk.pass_())
        import sqlalchemy as sa

        with desk.store.write() as tx:
            tx.execute(sa.text("UPDATE article SET title = :t, source = :t, why = :t, name = :t"), {"t": HOSTILE})
            tx.execute(sa.text("UPDATE delivery SET reason = :t, state = 'failed', subject = :t"), {"t": HOSTILE})
            tx.execute(sa.text("UPDATE feed SET last_detail = :t, name = :t"), {"t": HOSTILE})
            tx.execute(sa.text("UPDATE attempt SET detail = :t"), {"t": HOSTILE})
            tx.execute(
                sa.text("INSERT INTO target (id, parked, failures, told) VALUES (:t, :t, 0, false)"), {"t": HOSTILE}
            )
    return site


@pytest.mark.parametrize("words", [("status",), ("articles",), ("why", "1"), ("feeds", "list")], ids=" ".join)
def test_p18_hostile_texts_are_inert(veille, hostile: Site, words: tuple[str, ...]) -> None:
    """No escape reaches the terminal, no markup is obeyed, nothing is turned around, and nothing crashes."""
    out = veille(*words, site=hostile).out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)
    assert "[red]Hun" in out
    assert ":bomb:" in out


@pytest.mark.parametrize("words", [("status",), ("articles",), ("why", "1"), ("feeds", "list")], ids=" ".join)
def test_p18_json_is_inert_and_whole(veille, hostile: Site, words: tuple[str, ...]) -> None:
    """JSON keeps every character, those that a terminal obeys as numbers."""
    out = veille(*words, "--json", site=hostile).out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", out)
    found = json.loads(out)
    assert HOSTILE in _texts(found)


def _texts(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(_texts(one) for pair in value.items() for one in pair)
    return "\n".join(map(_texts, value)) if isinstance(value, list) else str(value)


# --- import --------------------------------------------------------------------------------------------------------


def test_import(veille, site: Site) -> None:
    """New, copies, and those that were imported before; beside each other in one go."""
    lines = [
        {
            "id": "k1",
            "lang": "fr",
            "title": "Un pont rouvre",
            "text": "Le pont de la commune rouvre lundi après deux ans.",
        },
        {
            "id": "k2",
            "lang": "fr",
            "title": "Le pont rouvre",
            "text": "Le pont de la commune rouvre lundi après deux ans.",
        },
        {"id": "k3", "lang": "fr", "text": "Un texte avec un séparateur de lignes\u2028au milieu, que JSON permet."},
    ]
    file = site.folder / "known.jsonl"
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n\n", encoding="utf-8")
    text = site.folder / "known.txt"
    text.write_text("date 2019-05\nUn autre texte, connu depuis longtemps, sur la récolte du riz.", encoding="utf-8")
    first = json.loads(veille("import", file, text, "--json", site=site).out)
    assert first == {"read": 4, "new": 3, "duplicate": 1, "known": 0}
    again = veille("import", file, text, site=site)
    assert again.code == 0
    assert "4 read: 0 new, 0 copies, 4 known before" in again.out
    dated = json.loads(veille("articles", "--json", "--containing", "", site=site).out)
    assert "2019-05" in [one["published"] for one in dated]


def test_import_of_more_than_a_configuration_may_hold(veille, site: Site) -> None:
    """Two megabytes are read to the last line."""
    file = site.folder / "many.jsonl"
    lines = (f'{{"id": "m{n}", "lang": "fr", "text": "Numéro {n}"}}' for n in range(30))
    file.write_text("".join(line + " " * 80_000 + "\n" for line in lines), encoding="utf-8")
    assert file.stat().st_size > 2_000_000
    assert json.loads(veille("import", file, "--json", site=site).out)["read"] == 30


def test_import_reports_every_bad_line(veille, site: Site) -> None:
    """Of every file, with its number; and nothing is stored."""
    good = '{"id": "g", "text": "Un texte."}'
    (site.folder / "a.jsonl").write_text(
        f'{good}\nnot json\n{good}\n[1]\n{{"id": "x"}}\n{{"text": "t", "published": "soon"}}\n'
    )
    (site.folder / "b.jsonl").write_bytes(b'{"text": "\xff"}\n')
    (site.folder / "c.csv").write_text("a,b\n")
    names = ["a.jsonl", "b.jsonl", "c.csv", "nosuch.jsonl"]
    done = veille("import", *(site.folder / name for name in names), site=site)
    assert done.code == 78
    for place in ("a.jsonl:2:", "a.jsonl:4:", "a.jsonl:5:", "a.jsonl:6:", "b.jsonl", "c.csv", "nosuch.jsonl"):
        assert place in done.err
    assert "a.jsonl:1:" not in done.err
    assert not (site.folder / "veille.db").exists()


# --- feeds ---------------------------------------------------------------------------------------------------------


def test_feeds_add_import_export(veille, site: Site, tmp_path: Path) -> None:
    """An added feed is in the file, which keeps its comments; exported feeds can be imported elsewhere."""
    site.config.write_text("# a comment of mine\n" + site.config.read_text())
    done = veille(
        "feeds",
        "add",
        "https://a.example/feed",
        "--name",
        "Le [Fil]",
        "--language",
        "fr",
        "--tag",
        "x",
        "--unchecked",
        site=site,
    )
    assert done.code == 0
    assert "# a comment of mine" in site.config.read_text()
    opml = veille("feeds", "export", site=site).out
    assert 'xmlUrl="https://a.example/feed"' in opml
    other = Site(tmp_path / "other", feeds=["veille:sample"])
    (other.folder / "feeds.opml").write_text(opml)
    assert "1 feed added" in veille("feeds", "import", other.folder / "feeds.opml", site=other).out
    assert "0 feeds added" in veille("feeds", "import", other.folder / "feeds.opml", site=other).out
    assert "https://a.example/feed" in other.config.read_text()
    assert veille("check", site=other).code == 0
    assert veille("feeds", "export", site=other).out == opml, "with its name, language and tags"


def page(*links: str, kind: str = "application/rss+xml") -> bytes:
    """A page that names these feeds."""
    head = "".join(f'<link rel="alternate" type="{kind}" href="{link}">' for link in links)
    return f"<!doctype html><html><head><title>Une page</title>{head}</head><body>Bonjour</body></html>".encode()


@pytest.mark.parametrize(
    ("served", "added", "found"),
    [
        ({"/": rss([])}, "/", 1),
        ({"/": page("/fil.xml"), "/fil.xml": rss([])}, "/fil.xml", 1),
        ({"/": page("/fil.xml")}, None, 0),
        ({"/": page("/fil.xml"), "/fil.xml": page("/b.xml")}, None, 0),
        ({"/": page("a.xml", "/b.xml")}, None, 2),
        ({"/": page(), "/rss.xml": rss([])}, "/rss.xml", 1),
        ({"/": page(kind="text/css")}, None, 0),
        ({"/": b"\x89PNG"}, None, 0),
        ({}, None, 0),
    ],
    ids=[
        "a feed",
        "a page of one",
        "one that is not there",
        "one that is a page",
        "a page of two",
        "a well-known place",
        "a page of none",
        "a picture",
        "nothing",
    ],
)
def test_feeds_are_found_where_a_page_names_them(
    veille, site: Site, feedserver, served: dict[str, bytes], added: str | None, found: int
) -> None:
    """One is added under the name it gives itself; of several none is, and nothing where there is none."""
    site.allow = [feedserver.place]
    site.write()
    before = site.config.read_text()
    for path, body in served.items():
        feedserver.serve(path, body)
    done = veille("feeds", "add", feedserver.url("/"), "--json", site=site)
    said = json.loads(done.out)
    assert (said["added"], len(said["found"])) == (added and feedserver.url(added), found)
    assert done.code == (0 if added else 1)
    assert bool(said["reason"]) is not bool(found)
    assert (site.config.read_text() != before) is bool(added)
    if added:
        assert f'url = "{feedserver.url(added)}"' in site.config.read_text()
    if found == 2:
        told = veille("feeds", "add", feedserver.url("/"), site=site)
        assert told.code in (1, 78)
        assert feedserver.url("/a.xml") in told.err
        assert feedserver.url("/b.xml") in told.err


def test_one_of_several_feeds_is_picked_by_its_number(veille, site: Site, feedserver) -> None:
    """The number is that of the list, from 1; the feed is added under the name that it gives itself."""
    site.allow = [feedserver.place]
    site.write()
    feedserver.serve("/", page("/a.xml", "/b.xml"))
    feedserver.serve("/b.xml", rss([]).replace(b"<channel>", b"<channel><title>Le fil B</title>", 1))
    told = veille("feeds", "add", feedserver.url("/"), site=site).err
    assert f"2 {feedserver.url('/b.xml')}" in told
    assert veille("feeds", "add", feedserver.url("/"), "--pick", "3", site=site).code == 1
    assert feedserver.url("/b.xml") not in site.config.read_text()
    assert veille("feeds", "add", feedserver.url("/"), "--pick", "2", site=site).code == 0
    assert f'url = "{feedserver.url("/b.xml")}"' in site.config.read_text()
    assert 'name = "Le fil B"' in site.config.read_text()


def test_no_feed_is_looked_for_where_nothing_may_be(veille, site: Site, feedserver) -> None:
    """The address guard stands here too; `--unchecked` adds the address and asks nobody."""
    feedserver.serve("/", rss([]))
    done = veille("feeds", "add", feedserver.url("/"), site=site)
    assert (done.code, feedserver.paths()) == (1, [])
    assert "blocked_address" in done.err
    assert veille("feeds", "add", feedserver.url("/"), "--unchecked", site=site).code == 0
    assert feedserver.paths() == []


@pytest.mark.parametrize("url", ["ftp://a.example/", "nonsense", "https://"])
def test_feeds_add_refuses(veille, site: Site, url: str) -> None:
    """An address that is no feed's does not get into the file."""
    before = site.config.read_text()
    done = veille("feeds", "add", url, site=site)
    assert done.code == 78
    assert site.config.read_text() == before


@pytest.mark.parametrize("content", [b"", b"<rss/>", b"<opml><body><outline", b"\x00\xff"], ids=repr)
def test_feeds_import_refuses(veille, site: Site, content: bytes) -> None:
    """A file that is no OPML is named."""
    file = site.folder / "x.opml"
    file.write_bytes(content)
    before = site.config.read_text()
    done = veille("feeds", "import", file, site=site)
    assert done.code == 78
    assert "x.opml" in done.err
    assert site.config.read_text() == before


def test_feeds_list(veille, polled: Site) -> None:
    """With what is known of them; one that was never polled too."""
    polled.feeds = [FEED, "https://b.example/feed"]
    polled.write()
    found = json.loads(veille("feeds", "list", "--json", site=polled).out)
    assert [(one["url"], one["result"], one["entries"]) for one in found] == [
        (FEED, "ok", 3),
        ("https://b.example/feed", "", 0),
    ]
    assert "not polled yet" in veille("feeds", "list", site=polled).out


# --- send-test, health ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "code", "outcome"), [(Reply(), 0, "sent"), (Reply(status=404, body=b"no_service"), 1, "broken")]
)
def test_send_test(veille, site: Site, reply: Reply, code: int, outcome: str) -> None:
    """The outcome by recipient; past the ledger and without a store; the URL is nowhere."""
    with HttpSink(reply) as slack:
        site.targets = f'[[target]]\nid = "mekong"\nslack = {{ webhook = "{slack.url}/services/T0/B0/CANARY-TOKEN" }}\n'
        site.allow = [f"127.0.0.1:{slack.port}"]
        site.write()
        done = veille("send-test", "mekong", "--json", site=site)
        assert len(slack.received) == 1
    assert done.code == code
    assert json.loads(done.out)["slack:mekong"]["outcome"] == outcome
    assert "CANARY" not in done.out + done.err
    assert not (site.folder / "veille.db").exists()


def test_send_test_to_nobody(veille, site: Site) -> None:
    """The targets there are, are named."""
    done = veille("send-test", "nosuch", site=site)
    assert done.code == 78
    assert "no target 'nosuch'" in done.err
    assert "one of: log" in done.err


def test_health(veille, polled: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 while the tick is young, 1 when it is old or there never was one."""
    health = import_module("worker.cli.health")  # the package has a command of this name

    assert veille("health", site=polled).code == 1
    with sqlite3.connect(polled.folder / "veille.db") as db:
        values = ("o", "h", 7, "2026-02-06 08:00:00.000000", "2026-02-06 08:30:00.000000")
        db.execute("INSERT INTO heartbeat (id, owner, host, pid, started, tick) VALUES (1, ?, ?, ?, ?, ?)", values)
    for second, code in ((10, 0), (19, 0), (30, 1)):
        monkeypatch.setattr(health, "clock", lambda s=second: datetime(2026, 2, 6, 8, 30, s, tzinfo=UTC))
        assert veille("health", site=polled).code == code


def test_a_reader_that_leaves(polled: Site) -> None:
    """`veille articles | head -1` ends without complaint."""
    import subprocess

    command = [sys.executable, "-m", "worker", "articles", "--json", "--config", str(polled.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


GREAT = "9" * 30


@pytest.mark.parametrize(
    "words",
    [
        ("stories", GREAT),
        ("stories", "move", "1", GREAT),
        ("stories", "merge", GREAT, "1"),
        ("silence", "--story", GREAT),
        ("silence", "--end", GREAT),
        ("deliveries", "retry", "1", GREAT),
        ("quarantine", "retry", GREAT),
    ],
    ids=" ".join,
)
def test_a_number_that_no_store_gives(veille, polled: Site, words: tuple[str, ...]) -> None:
    """A sentence, whatever was meant."""
    done = veille(*words, site=polled)
    assert done.code == 2
    assert f"{GREAT!r} is no number that the store gives" in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize("command", [("silence", "--rule", "visit"), ("mute-story", "1")], ids=" ".join)
@pytest.mark.parametrize("lasting", ["0s", "0d", "3x", "999999999w"])
def test_no_length_of_time(veille, polled: Site, command: tuple[str, ...], lasting: str) -> None:
    """A length of no time is refused too, and nothing is silenced."""
    done = veille(*command, "--for", lasting, site=polled)
    assert done.code == 78
    assert f"--for: {lasting!r} is no length of time" in done.err
    assert json.loads(veille("silence", "--json", site=polled).out) == []


def test_a_day_begins_at_the_desks_midnight(veille, polled: Site) -> None:
    """The target's zone decides, and not UTC."""
    found = json.loads(veille("ledger", "--since", "2026-02-06", "--json", site=polled).out)
    assert found["since"] == "2026-02-05T17:00:00+00:00"


def test_stories_of_the_archive_are_called_as_its_articles_are(veille, site: Site) -> None:
    """By the number that the archive gives them, not by their outlet."""
    site.poll()
    articles = {one["id"]: one for one in json.loads(veille("articles", "--json", site=site).out)}
    stories = json.loads(veille("stories", "--json", site=site).out)
    untitled = {
        f"article {one['name']} of the archive, without a title" for one in articles.values() if not one["title"]
    }
    assert len(untitled) == 3
    assert len(untitled & {one["title"] for one in stories}) >= 2
    assert "VNA" not in {one["title"] for one in stories}
    assert "of the archive, without a title" in veille("stories", site=site).out
