"""Lists of feeds come from OPML and go there, and a feed is added to a file that stays its owner's."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.configfile import CANARY, ROOT, feed, load
from worker import config
from worker.config import feeds
from worker.config.feeds import Listed, Reason, Refused
from worker.config.folder import LISTED_BYTES, read_file
from worker.errors import UserError
from worker.model import Feed, Secret


def opml(body: str) -> bytes:
    """An OPML document around `body`."""
    return f'<?xml version="1.0"?><opml version="1.0"><head/><body>{body}</body></opml>'.encode()


def test_opml_is_read_however_it_was_written() -> None:
    """Nested outlines, odd attribute cases, feed: URLs, repeats, folders, and what is no feed."""
    raw = opml(
        '<outline text="Folder"><outline text="Deep"><outline text="A" title="Title &#127;&#10; A" xmlUrl="https://a.example/f"/>'
        '</outline></outline><outline text="B &amp; é" xmlurl=" http://b.example/ "/><outline xmlURL="feed://c"/>'
        '<outline text="C" XMLURL="feed:https://c.example/"/><outline text="again" xmlUrl="https://a.example/f"/>'
        '<outline text="bad" xmlUrl="file:///etc/passwd"/><outline text="page" htmlUrl="https://d.example/"/>'
    )
    assert feeds.from_opml(raw).feeds == (
        Listed("https://a.example/f", "Title A", tags=("Folder", "Deep")),
        Listed("http://b.example/", "B & é"),
        Listed("https://c.example/", "C"),
    )


def test_opml_tells_languages_and_categories() -> None:
    """As OPML 2.0 has them: a list of names and of paths; a language that is none is left out."""
    raw = opml(
        '<outline xmlUrl="https://a.example/" language="fr-FR" category="/Asie/Laos/, presse,presse,"/>'
        '<outline text="Mékong"><outline xmlUrl="https://b.example/" language="unknown" category="Mékong"/></outline>'
        '<outline xmlUrl="https://c.example/"/>'
    )
    assert feeds.from_opml(raw).feeds == (
        Listed("https://a.example/", language="fr", tags=("Laos", "presse")),
        Listed("https://b.example/", tags=("Mékong",)),
        Listed("https://c.example/"),
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml>&x;</opml>', "declares a document type"),
        (b"<opml><body>", "not well-formed"),
        (b"", "not well-formed"),
        (b"<html/>", "not OPML"),
        (b'<?xml version="1.0" encoding="nonsense"?><opml/>', "not well-formed"),
        (b" " * ((32 << 20) + 1), "larger than"),
    ],
    ids=["doctype", "cut", "empty", "html", "encoding", "large"],
)
def test_what_is_no_opml_is_refused(raw: bytes, words: str) -> None:
    """Entities are refused before they are read."""
    with pytest.raises(UserError, match=words):
        feeds.from_opml(raw, "list.opml")


REFUSED = {
    "": Reason.NO_ADDRESS,
    "feed://a.example/rss": Reason.NOT_WEB,
    "file:///etc/passwd": Reason.NOT_WEB,
    "javascript:alert(1)": Reason.NOT_WEB,
    "a.example/rss": Reason.RELATIVE,
    "a.example:8080/rss": Reason.RELATIVE,
    "/rss": Reason.RELATIVE,
    "//a.example/rss": Reason.RELATIVE,
    "http://a.example/tin moi.rss": Reason.INVALID,
    "https://": Reason.INVALID,
    "https://a.example:port/": Reason.INVALID,
}


@pytest.mark.parametrize(("address", "reason"), REFUSED.items(), ids=lambda value: value or "none")
def test_what_opml_names_and_cannot_be_taken(address: str, reason: Reason) -> None:
    """Said with its line, title, address and reason; the others are taken."""
    raw = opml(
        f'\n<outline text="Dossier">\n<outline type="rss" TEXT="A" XMLURL="{address}"/></outline>'
        '<outline text="B" xmlUrl="https://b.example/"/><outline text="B" xmlUrl="https://b.example/"/>'
    )
    found = feeds.from_opml(raw)
    assert found.feeds == (Listed("https://b.example/", "B"),)
    assert found.repeated == 1
    assert found.refused == (Refused(3, "A", address, reason),)
    assert str(found.refused[0].problem("list.opml")).startswith(f'list.opml:3: "A": {reason}')


def test_thousands_of_feeds_are_read(tmp_path: Path) -> None:
    """A list beyond a mebibyte is taken whole, and the configuration that holds it is read."""
    path = tmp_path / "config.toml"
    path.write_text("")
    outlines = "".join(f'<outline text="{"x" * 30}" xmlUrl="https://h{n}.example/{"a" * 250}"/>' for n in range(4_000))
    (tmp_path / "list.opml").write_bytes(opml(outlines))
    raw = read_file(tmp_path / "list.opml", limit=LISTED_BYTES)
    assert len(feeds.from_opml(raw).feeds) == 4_000
    many = [Listed(f"https://h{n}.example/{'a' * 1_900}") for n in range(600)]
    assert len(feeds.add_all(path, many)) == 600
    assert len(load(tmp_path, path.read_text()).feeds) == 600


def test_deep_opml_is_read() -> None:
    """Depth costs nothing."""
    raw = opml("<outline>" * 50_000 + '<outline xmlUrl="https://a.example/"/>' + "</outline>" * 50_000)
    assert feeds.from_opml(raw).feeds == (Listed("https://a.example/"),)


def test_opml_goes_out_and_comes_back(tmp_path: Path) -> None:
    """Exported feeds are read again, without secrets, the sample, or characters that XML cannot hold."""
    text = (
        feed(url='"https://u:${KEY}@h.example/?a=1&b=<2>"', name="'''A \"<&>\" é'''", tags='["x", "y"]')
        + feed(url='"veille:sample"')
        + feed(url='"https://i.example/${KEY}"', name='"I"', language='"fr"')
    )
    raw = feeds.to_opml(load(tmp_path, text, KEY=CANARY).feeds)
    assert CANARY.encode() not in raw
    assert feeds.from_opml(raw).feeds == (
        Listed("https://h.example/?a=1&b=<2>", 'A "<&>" é', tags=("x", "y")),
        Listed("https://i.example/${KEY}", "I", "fr"),
    )


@given(st.lists(st.text(), max_size=4))
def test_any_name_goes_out_as_xml(names: list[str]) -> None:
    """Whatever a feed is called, the document is well-formed and lists it."""
    made = [Feed(id=f"https://h.example/{number}", url=Secret(""), name=name) for number, name in enumerate(names)]
    assert [one.url for one in feeds.from_opml(feeds.to_opml(made)).feeds] == [one.id for one in made]


LAYOUTS = {
    "empty": "",
    "no last newline": "[http]\nlisten = 'h:1'",
    "example": (ROOT / "config.example.toml").read_text(encoding="utf-8"),
    "comments": "# top\n[[feed]] # one\nurl = 'https://h.example/' # here\n\n# middle\n[http]\n# end\n",
    "sub-tables": "[[feed]]\nurl = 'https://h.example/'\n[feed.headers]\nX-A = 'b'\n[store]\n[[target]]\nid='a'\n",
    "scattered": "[[feed]]\nurl = 'https://a.example/'\n[http]\n[[feed]]\nurl = 'https://b.example/'\n[watch]\n",
    "windows": "[http]\r\n# a\r\n[[feed]]\r\nurl = 'https://h.example/'\r\n[watch]\r\n",
    "byte order mark": "\ufeff[http]\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_a_feed_is_added_and_the_file_stays_its_owners(tmp_path: Path, text: str) -> None:
    """The new feed is the last, every line that was there is still there in its order, and nothing else changed."""
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    before = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    feeds.add(path, "https://new.example/rss", 'Le "Nouveau"', language="fr", tags=["a", "b"])
    after = path.read_bytes().decode()
    new = {"url": "https://new.example/rss", "name": 'Le "Nouveau"', "language": "fr", "tags": ["a", "b"]}
    assert tomllib.loads(after.removeprefix("\ufeff").replace("\r\n", "\n")) == {
        **before,
        "feed": [*before.get("feed", []), new],
    }
    lines = iter(after.splitlines())
    assert all(line in lines for line in text.splitlines()), "a line is gone or moved"
    assert ("\r\n" in after) == ("\r\n" in text)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in after
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_feed_from_elsewhere_cannot_ask_for_our_secrets(tmp_path: Path) -> None:
    """A reference in an added URL or name is text, and stays text."""
    path = tmp_path / "config.toml"
    path.touch()
    feeds.add(path, "https://evil.example/?x=${SMTP_PASS}", "${SMTP_PASS} $5")
    (made,) = config.load(path, {"SMTP_PASS": CANARY}).feeds
    assert made.url.reveal() == "https://evil.example/?x=${SMTP_PASS}"
    assert made.name == "${SMTP_PASS} $5"


def test_a_known_feed_is_not_added_again(tmp_path: Path) -> None:
    """One alone is refused with its line; among many it is passed over, and so are repeats among them."""
    path = tmp_path / "config.toml"
    path.write_text("# top\n" + feed(url='"https://a.example/"'))
    with pytest.raises(UserError) as raised:
        feeds.add(path, "https://a.example/", "A")
    assert [(one.line, one.message) for one in raised.value.problems] == [(3, "this feed is already there")]
    many = [
        Listed("https://a.example/", "A"),
        Listed("https://b.example/", "B"),
        Listed("https://b.example/", "B"),
        Listed("veille:sample"),
    ]
    assert feeds.add_all(path, many) == ("https://b.example/", "veille:sample")
    assert [one.id for one in config.load(path, {}).feeds] == [
        "https://a.example/",
        "https://b.example/",
        "veille:sample",
    ]
    written = path.read_bytes()
    assert feeds.add_all(path, many) == ()
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("url", "name"),
    [("ftp://h.example/", ""), ("", ""), ("https://h.example/", "a\nb")],
    ids=["scheme", "empty", "name"],
)
def test_what_is_no_feed_is_not_added(tmp_path: Path, url: str, name: str) -> None:
    """A refusal leaves the file as it was."""
    path = tmp_path / "config.toml"
    path.write_text("# mine\n")
    with pytest.raises(UserError, match="cannot be added"):
        feeds.add(path, url, name)
    assert path.read_text() == "# mine\n"


def test_a_file_that_cannot_be_added_to_says_so(tmp_path: Path) -> None:
    """Feeds in one inline list are left to their owner."""
    path = tmp_path / "config.toml"
    path.write_text("feed = [{ url = 'https://h.example/' }]\n")
    with pytest.raises(UserError, match=r"write its feeds as \[\[feed\]\] tables"):
        feeds.add(path, "https://a.example/")
    assert path.read_text() == "feed = [{ url = 'https://h.example/' }]\n"


def test_a_linked_configuration_stays_a_link(tmp_path: Path) -> None:
    """The file behind the link is replaced, not the link."""
    (tmp_path / "real.toml").touch()
    (tmp_path / "config.toml").symlink_to("real.toml")
    feeds.add(tmp_path / "config.toml", "https://a.example/")
    assert (tmp_path / "config.toml").is_symlink()
    assert "a.example" in (tmp_path / "real.toml").read_text()
