"""From HTML to paragraphs of plain text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds import extract

PAGES = Path(__file__).parents[2] / "shared" / "data" / "pages"
URL = "https://news.example/a/1"
LINE = "La délégation a visité une école où les élèves apprennent le vietnamien depuis trois ans."


def text(fragment: str) -> str:
    (found,) = extract.texts([(fragment, URL)])
    return found.text


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One<div>Two</div>Three</div>", "One\n\nTwo\n\nThree"),
        ("One<br><br/>Two", "One\n\nTwo"),
        ("One<br>\n<br />\n<br>Two", "One\n\nTwo"),
        ("One<br>Two", "One\nTwo"),
        ("<p>Hun <b>S</b>en\n   arrive</p>", "Hun Sen arrive"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n\n3"),
        ("<p>Texte</p><script>var a = '<p>no</p>';</script><style>p{}</style>", "Texte"),
        ("<figure><img src='a'/><figcaption>Légende <b>x</b></figcaption></figure><p>Texte</p>", "Texte"),
        ("<p class='wp-caption-text'>Légende</p><p class='caption'>Légende</p><p>Texte</p>", "Texte"),
        ("<p class='recaptioned'>Texte</p>", "Texte"),
        ("<iframe src='x'/><p>Texte</p>", "Texte"),
        ("caf&eacute; &amp; th&#233; &lt;b&gt;", "café & thé <b>"),
        ("<p>&lt;b&gt; &amp;amp; &nbsp;fin</p>", "<b> &amp; fin"),
        ("Un.\nDeux.\n\nTrois.", "Un.\n\nDeux.\n\nTrois."),
        ("Un <b>mot</b>.\n\nDeux.", "Un mot.\n\nDeux."),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<p>un\x00\x0b&#1;\u00addeux</p>", "undeux"),
        ("<p>ouvert<p>encore <i>ouvert", "ouvert\n\nencore ouvert"),
        ("</div></p>fermé", "fermé"),
        ("<pre>un\n\ndeux</pre>", "un\n\ndeux"),
        ("", ""),
        ("<p> </p>", ""),
        ("<!-- rien -->", ""),
    ],
)
def test_texts(fragment: str, expected: str):
    """Blocks and two line breaks part paragraphs; what is not the article's text is left out."""
    assert text(fragment) == expected


@pytest.mark.parametrize(
    ("fragment", "captions"),
    [
        ("<figure><img src='a'/><figcaption>Légende <b>x</b></figcaption></figure><p>Texte</p>", ("Légende x",)),
        ("<p class='wp-caption-text'>Une</p><p>Texte</p><p class='caption'>Deux</p>", ("Une", "Deux")),
        ("<figure><figcaption>Jamais fermée", ("Jamais fermée",)),
        ("<figure><img src='a'/><figcaption> </figcaption></figure>", ()),
        ("<script>Rien</script><p>Texte</p>", ()),
    ],
    ids=["figcaption", "by class", "open", "blank", "no caption"],
)
def test_captions_stand_apart(fragment: str, captions: tuple[str, ...]):
    """They are no part of the text, and not lost."""
    (found,) = extract.texts([(fragment, URL)])
    assert found.captions == captions


@pytest.mark.parametrize(
    ("fragment", "links"),
    [
        ("<p>► <a href='/a'>Un accord</a></p>", {"► Un accord"}),
        ("<p><a href='/a'>► Un <b>accord</b></a></p>", {"► Un accord"}),
        ("<p>► <a href='/a'>Un accord</a> signé hier</p>", set()),
        ("<p>► Un accord</p>", set()),
        ("Texte<br>&gt;&gt; <a href='/a'>Un accord</a><br>Suite", {">> Un accord"}),
        ("<ul><li><a href='/a'>Un</a></li><li>Deux</li></ul>", {"Un"}),
        ("► Un accord", None),
    ],
    ids=["arrow outside", "arrow inside", "more words", "no link", "lines", "list", "plain text"],
)
def test_lines_that_are_links(fragment: str, links: set[str] | None):
    """One link and nothing else but signs; plain text cannot tell."""
    (found,) = extract.texts([(fragment, URL)])
    assert found.links == links


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0; url=/b", "https://news.example/b"),
        ("3;URL='https://x.example/c'", "https://x.example/c"),
        ("600; url=/b", ""),
        ("5", ""),
    ],
    ids=["relative", "quoted", "a page that is drawn anew", "itself"],
)
def test_a_page_that_sends_on(content: str, target: str):
    """A meta refresh within seconds is a redirect."""
    page = f'<html><head><meta http-equiv="Refresh" content="{content}"></head><body></body></html>'
    assert extract.page(page.encode(), URL).refresh == target


def test_headings_and_links_of_a_page():
    """A page's heading, and those of its lines that lead elsewhere."""
    found = extract.page(f"<h1>Un <i>titre</i></h1><p>{LINE}</p><h2><a href='/x'>Ailleurs</a></h2>".encode(), URL)
    assert found.headings == ("Un titre",)
    assert found.links == {"Ailleurs"}


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [("gb18030", "text/html; charset=gb2312"), ("cp1252", "text/html; charset=ISO-8859-1"), ("cp1252", "text/html")],
)
def test_the_server_names_the_encoding(encoding: str, content_type: str):
    """A server's word counts if the bytes are not UTF-8 and the page says nothing."""
    line = "洪森在金边会见了来访的代表团，双方就边境贸易交换了意见。" if encoding == "gb18030" else LINE
    page = f"<html><body><article><p>{line}</p><p>{line}</p></article></body></html>"
    assert line in extract.page(page.encode(encoding), URL, content_type).text


def test_p23_a_damaged_page():
    """One cut character in a page of UTF-8 spoils no other, whatever its server says."""
    page = f"<html><body><article><p>{LINE}</p><p>{LINE}</p><p>Un mot coup@.</p></article></body></html>"
    found = extract.page(page.encode().replace(b"@", b"\xe1\xbb"), URL, "text/html; charset=ISO-8859-1").text
    assert found.startswith(LINE)


def test_what_needs_no_script_is_text():
    """Nobody runs scripts here, so what stands in their stead is shown."""
    assert text("<p>Un pont</p><noscript>et un <b>tunnel</b></noscript>") == "Un pont\n\net un tunnel"


def test_wrapped_lines_are_one_paragraph():
    """Lines of plain text that were broken at one width flow together again."""
    lines = ["La rencontre a porté sur la pêche, le riz et les routes", "que les deux provinces veulent rouvrir avant"]
    assert text("\n".join([*lines, "la fin de l'année."])) == " ".join([*lines, "la fin de l'année."])


def test_each_fragment_has_its_text():
    """The answer is as long as the question."""
    assert tuple(one.text for one in extract.texts([("<p>a</p>", ""), ("", ""), ("b", "")])) == ("a", "", "b")
    assert extract.texts([]) == ()


@pytest.mark.parametrize(
    "hostile",
    [
        "<div>" * 20_000 + "fond" + "</div>" * 20_000,
        "<table><tr><td>" * 5_000 + "fond",
        "<b>" * 50_000 + "fond",
        "<" * 200_000,
        "<!--" * 50_000,
        "<a " + "x='1' " * 50_000 + ">fond</a>",
        "<p>" * 20_000,
        "&" * 200_000,
    ],
    ids=["divs", "tables", "inline", "brackets", "comments", "attributes", "paragraphs", "ampersands"],
)
def test_hostile_trees(hostile: str):
    """No depth or number of tags raises, in a fragment or a page."""
    found = text(hostile)
    assert "fond" in found or "fond" not in hostile
    assert isinstance(extract.page(hostile.encode(), URL).text, str)


@given(st.text(alphabet=st.sampled_from("<>/&;#xpbr =\"'-!\n aé\x00\ud800"), max_size=200))
def test_random_markup_never_raises(fragment: str):
    """Whatever the markup, the text is paragraphs parted by one empty line, without controls."""
    found = text(fragment)
    assert found == found.strip()
    assert "\n\n\n" not in found
    assert "\x00" not in found
    found.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "utf-16"])
def test_page_encodings(encoding: str):
    """A page is decoded by its mark, its bytes or its declaration."""
    declared = "utf-8" if encoding.startswith("utf-8") else encoding
    body = "".join(f"<p>{LINE} {n}</p>" for n in range(8))
    page = (
        f"<html><head><meta charset='{declared}'><title>T</title></head><body><article>{body}</article></body></html>"
    )
    assert f"{LINE} 0\n\n{LINE} 1" in extract.page(page.encode(encoding), URL).text


@pytest.mark.parametrize(
    "page", [b"", b"\x00\xff" * 50, b"<html></html>", b"https://news.example/", b"\x89PNG"], ids=repr
)
def test_a_page_without_an_article(page: bytes):
    """Nothing found is an empty text."""
    assert extract.page(page, URL).text == ""


def test_a_short_article():
    """A page of two paragraphs gives them, without the menu around."""
    menu = "".join(f"<li><a href='/{n}'>Rubrique {n}</a></li>" for n in range(20))
    page = (
        f"<html><body><nav><ul>{menu}</ul></nav><article><h1>Titre</h1><p>{LINE}</p><p>{LINE} Fin.</p></article>"
        "<footer>Mentions légales</footer></body></html>"
    )
    found = extract.page(page.encode(), URL).text
    assert LINE in found
    assert "Rubrique" not in found
    assert "Mentions" not in found


@pytest.mark.skipif(not PAGES.is_dir(), reason="the shared data is not here")
def test_real_pages():
    """Of the marked passages of real pages, all but one that belong are found, and none that does not."""
    gold = json.loads((PAGES / "gold_segments.json").read_text())
    missing, noise = [], []
    for url, page in gold.items():
        found = " ".join(extract.page((PAGES / page["file"]).read_bytes(), url).text.split())
        missing += [segment for segment in page.get("with", []) if " ".join(segment.split()) not in found]
        noise += [segment for segment in page.get("without", []) if " ".join(segment.split()) in found]
    assert len(missing) <= 1
    assert noise == []
