"""From a document's bytes to its characters."""

import pytest

from worker.feeds.encoding import _VIETNAMESE, decode

FRENCH = "À Hué, l’été fut « très » doux : le maire a déclaré la fête ouverte, où l’élève chanta."
VIETNAMESE = "Thủ tướng thăm Huế, dự lễ khánh thành cầu mới ở phía nam thành phố, rồi trở về Hà Nội."
RUSSIAN = "Премьер приехал в Хюэ, чтобы открыть новый мост на юге города."
JAPANESE = "首相は新しい橋の開通式に出席した。"
LATIN = "text/xml; charset=ISO-8859-1"
DECLARED = '<?xml version="1.0" encoding="{}"?><t>{}</t>'
CHINESE = "总理出席了新桥的通车典礼。"


def page(text: str, label: str) -> str:
    return f'<?xml version="1.0" encoding="{label}"?><p>{text}</p><q>{text}</q>'


def encoded(text: str, encoding: str) -> bytes:
    """The text in an encoding, of which Python lacks the Vietnamese ones."""
    if (table := _VIETNAMESE.get(encoding)) is None:
        return text.encode(encoding)
    return bytes(ord(c) if c.isascii() else 0x80 + table.index(c) for c in text)


ENCODINGS = {
    "utf-8": (FRENCH, "utf-8"),
    "iso-8859-1": (FRENCH.replace("’", "'"), "latin-1"),
    "windows-1252": (FRENCH, "cp1252"),
    "windows-1251": (RUSSIAN, "cp1251"),
    "koi8-r": (RUSSIAN, "koi8-r"),
    "shift_jis": (JAPANESE, "cp932"),
    "gb2312": (CHINESE, "gb18030"),
    "utf-16": (VIETNAMESE, "utf-16"),
    "utf-16le": (VIETNAMESE, "utf-16-le"),
    "utf-32be": (VIETNAMESE, "utf-32-be"),
    "viscii": (VIETNAMESE, "viscii"),
    "tcvn3": (VIETNAMESE, "tcvn3"),
}


@pytest.mark.parametrize("label", ENCODINGS)
def test_encodings_by_name(label: str):
    """A label, a byte order mark or the zero bytes of a document's beginning name its encoding."""
    text, encoding = ENCODINGS[label]
    assert decode(encoded(page(text, label), encoding)) == page(text, label)


@pytest.mark.parametrize("label", ENCODINGS)
def test_p23_one_damaged_character(label: str):
    """One wrong byte, in the middle of a text, damages that character and nothing behind it."""
    text, encoding = ENCODINGS[label]
    sound = page(text, label)
    at = sound.index(text[8:12]) + 1
    before = encoded(sound[:at], encoding)
    behind = encoded(sound[at + 1 :], "utf-16-le" if encoding == "utf-16" else encoding)
    width = {"utf-16": 2, "utf-16-le": 2, "utf-32-be": 4}.get(encoding, 1)
    found = decode(before + b"\xff" * width + behind)
    assert found.startswith(sound[:at])
    assert found.endswith(sound[at + 1 :])
    assert len(found) <= len(sound) + 1


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_p23_a_byte_that_is_missing(encoding: str):
    """A lost byte does not shift the text behind it, also in units of two and four bytes."""
    body = page(VIETNAMESE, encoding).encode(encoding)
    at = body.index("</p>".encode(encoding)) - 9
    assert decode(body[:at] + body[at + 1 :]).endswith(f"</p><q>{VIETNAMESE}</q>")


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("<t>Un sénateur\u00a0»</t>".encode("latin-1"), "", "<t>Un sénateur\u00a0»</t>"),
        ("<t>« rusé\u00a0» et futé</t>".encode("latin-1"), "text/xml; charset=utf-8", "<t>« rusé\u00a0» et futé</t>"),
        ("<t>« rusé\u00a0» et futé</t>".encode("latin-1"), "text/xml", "<t>« rusé\u00a0» et futé</t>"),
        ("<t>Huế à Đông Hà é".encode() + b"\xe1\xbb</t>", LATIN, "<t>Huế à Đông Hà é\ufffd</t>"),
        ("<t>Huế à Đông Hà".encode() + b" d\x92ici</t>", "", "<t>Huế à Đông Hà d’ici</t>"),
        (b"\xef\xbb\xbf\xef\xbb\xbf<t>a</t>", "", "<t>a</t>"),
        (DECLARED.format("gb2312", "總理").encode("gb18030"), "", DECLARED.format("gb2312", "總理")),
        (DECLARED.format("koi8-r", "Хюэ").encode("koi8-r"), LATIN, DECLARED.format("koi8-r", "Хюэ")),
        ("<t>Hu\u00ea\u0301".encode("cp1258"), "text/xml; charset=windows-1258", "<t>Huế"),
        ("<t>総理".encode("iso-2022-jp"), "text/xml; charset=iso-2022-jp", "<t>総理"),
    ],
    ids=["a guillemet", "called UTF-8", "undeclared", "a cut character", "a stray byte", "two marks", "the larger set",
         "a server's default", "tone marks", "escapes"],
)  # fmt: skip
def test_what_is_judged_over_all_of_it(body: bytes, content_type: str, expected: str):
    """UTF-8 where nearly all of it is that; else what is declared, by the document before a server's default."""
    assert decode(body, content_type) == expected


@pytest.mark.parametrize(
    "tag", ["<meta charset=windows-1251>", '<META http-equiv="Content-Type" content="text/html; charset=windows-1251">']
)
def test_a_charset_stands_anywhere_in_a_page(tag: str):
    """It is found behind a long head, and not in comments and scripts."""
    head = "<!-- <meta charset=koi8-r> --><script>'<meta charset=koi8-r>'</script>" + " " * 9_000
    assert RUSSIAN in decode(f"<html><head>{head}{tag}</head>{RUSSIAN}".encode("cp1251"))


def test_p23_mixed_bytes_are_read_in_pieces_of_any_length():
    """Two megabytes of UTF-8 and Windows-1252, line by line: each is what it was."""
    lines = [FRENCH.encode(), VIETNAMESE.encode(), FRENCH.replace("\u00a0", " ").encode("cp1252")] * 7_000
    found = decode(b"\n".join(lines), "text/xml; charset=utf-8").split("\n")
    assert set(found[::3]) == set(found[2::3]) == {FRENCH}
    assert set(found[1::3]) == {VIETNAMESE}
