"""Detects a document's encoding over all of its bytes, so that one damaged character does not decide for the rest."""

import codecs
import re
import unicodedata
from collections.abc import Iterator

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Which of the first four bytes are zero (1), without a byte order mark.
_ZEROS = {
    b"\0\1\1\1": "utf-32-le",
    b"\1\1\1\0": "utf-32-be",
    b"\0\1\0\1": "utf-16-le",
    b"\1\0\1\0": "utf-16-be",
}
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_META = re.compile(rb"<meta\b[^<>]*>", re.IGNORECASE)

#: As browsers read these labels (WHATWG Encoding Standard): the larger set, since servers claim the smaller one.
_READ_AS = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949",
    "shift_jis": "cp932", "big5": "big5hkscs", "iso8859-9": "cp1254", "tis-620": "cp874", "iso8859-11": "cp874",
}  # fmt: skip
#: Labels of that standard, and of Vietnamese encodings, that Python does not know.
_LABELS = {
    label: codec
    for codec, labels in {
        "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
        "cp1250": "x-cp1250", "cp1251": "x-cp1251", "cp1252": "x-cp1252 iso88591", "cp1253": "x-cp1253",
        "cp1254": "x-cp1254", "cp1258": "x-cp1258", "cp874": "windows-874 dos-874", "koi8-r": "koi koi8",
        "koi8-u": "koi8-ru", "mac-roman": "macintosh x-mac-roman mac csmacintosh",
        "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian", "iso8859-2": "iso88592", "iso8859-5": "iso88595",
        "iso8859-6": "iso-8859-6-e iso-8859-6-i", "iso8859-8": "iso-8859-8-i iso-8859-8-e logical visual",
        "gb18030": "gb-2312 gb-2312-80 chinese csgb2312 csiso58gb231280 iso-ir-58 x-gbk",
        "big5hkscs": "x-x-big5 cn-big5", "euc_jp": "x-euc-jp cseucpkdfmtjapanese", "cp932": "x-sjis windows-31j ms932",
        "cp949": "cseuckr csksc56011987 iso-ir-149 korean ks-c-5601-1987 ks-c-5601-1989 ksc-5601 windows-949",
        "viscii": "viscii csviscii x-viet-viscii viscii1.1-1",
        "tcvn3": "tcvn tcvn3 abc x-viet-tcvn x-viet-tcvn5712 tcvn-5712 tcvn5712 tcvn5712-1 tcvn5712-1:1993 tcvn-5712-1",
    }.items()
    for label in labels.split()
}  # fmt: skip
#: Their bytes from 0x80 (RFC 1456; TCVN 5712:1993), which Python has no codecs for.
_VIETNAMESE = {
    "viscii": "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯ"
    "ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ",
    "tcvn3": "ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ\u00a0ĂÂÊÔƠƯĐăâêôơưđẰ\u0300\u0309\u0303\u0301\u0323àảãáạẲằẳẵắẴ"
    "ẮẦẨẪẤỀặầẩẫấậèỂẻẽéẹềểễếệìỉỄẾỒĩíịòỔỏõóọồổỗốộờởỡớợùỖủũúụừửữứựỳỷỹýỵỐ",
}
#: Capitals of VISCII among the control characters.
_VISCII_CAPITALS = {0x02: "Ẳ", 0x05: "Ẵ", 0x06: "Ẫ", 0x14: "Ỷ", 0x19: "Ỹ", 0x1E: "Ỵ"}
#: Never the encoding of a document, and ways to smuggle markup past a reader of bytes (WHATWG refuses them too).
_REFUSED = frozenset({"utf-7", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "hz"})

#: Bytes of Windows-1252 that are well-formed UTF-8 by chance: an accented letter, then a no-break space and a quote.
_LATIN = re.compile(rb"(?<=[A-Za-z])(?:[\xe0-\xef][\xa0\xab\xbb\x85\x91-\x94]{2}|[\xc7-\xcb]\xa0)")
#: Of several bytes a character: text of another encoding is hardly ever well-formed in them.
_SEVERAL = frozenset({"gb18030", "big5hkscs", "euc_jp", "cp932", "cp949"})
_HIGH = bytes(range(0x80, 0x100))
_STRAY = re.compile("[\udc80-\udcff]+")
#: A character of UTF-8 that lost its end, or one that lost its beginning.
_CUT = re.compile(rb"[\xc0-\xff][\x80-\x9f\xa1-\xbf]+|[\x80-\x9f\xa1-\xaa\xac-\xba\xbc-\xbf]{2,3}")
#: So many well-formed characters for each damaged one make a document UTF-8, although another encoding is declared.
_NEARLY_ALL = 2
#: A declared encoding in which more than so much of what is not ASCII is wrong is not the document's.
_WRONG = 0.1


def decode(body: bytes, content_type: str = "") -> str:
    """The text of a document that a server sent as `content_type`, without byte order marks; never raises.

    A byte order mark decides (RFC 7303), then UTF-8 where nearly all of the document is UTF-8, which no other encoding
    looks like by chance; then the header, the XML declaration or `<meta charset>`; else it is Windows-1252.
    A byte that fits nowhere becomes U+FFFD or, amid UTF-8, a character of Windows-1252. Takes linear time.
    """
    text = _wide(body)
    if text is None:
        text = _narrow(body.removeprefix(codecs.BOM_UTF8), content_type)
    return text.lstrip("\ufeff")


# --- UTF-16 and UTF-32 -------------------------------------------------------------------------------------------


def _wide(body: bytes) -> str | None:
    """The text of UTF-16 or UTF-32; None where the bytes are neither."""
    encoding = next((name for mark, name in _BOMS if body.startswith(mark)), "") or _units(body[:4])
    if not encoding:
        return None
    width = 4 if "32" in encoding else 2
    ascii_unit, zeros = rb"[\t\n\r -~]", rb"\x00" * (width - 1)
    unit = ascii_unit + zeros if encoding.endswith("le") else zeros + ascii_unit
    pieces, start = [], 0
    # A byte too many or too few would shift all that follows: each run of ASCII says where its units begin.
    for run in re.finditer(rb"(?:%s){3,}" % unit, body):
        if (run.start() - start) % width:
            pieces.append(body[start : run.start()].decode(encoding, "replace"))
            start = run.start()
    return "".join((*pieces, body[start:].decode(encoding, "replace")))


def _units(start: bytes) -> str:
    """The encoding that shows in the zero bytes beside a document's first characters, which are ASCII; or nothing."""
    return _ZEROS.get(bytes(byte == 0 for byte in start), "")


# --- all others --------------------------------------------------------------------------------------------------


def _narrow(body: bytes, content_type: str) -> str:
    said = [codec for label in _declared(body, content_type) if (codec := _codec(label))]
    if body.isascii():
        return _decoded(body, next((codec for codec in said if codec.startswith("iso2022")), "ascii"))
    others = [codec for codec in said if not codec.startswith("utf")]
    text = body.decode("utf-8", "surrogateescape")
    damaged = len(_STRAY.findall(text))
    if damaged and (read := next(filter(None, (_whole(body, codec) for codec in others)), "")):
        return read
    by_chance = len(_LATIN.findall(body))
    sound = len(body.decode("utf-8", "ignore")) - len(body.translate(None, _HIGH)) - by_chance
    if sound >= (_NEARLY_ALL if damaged and others else 1) * (damaged + by_chance):
        return _mixed(text)
    if others[0:1] == ["cp1252"]:  # which servers say of everything
        others = [*others[1:], "cp1252"]
    read, codec = next(filter(None, (_fitting(body, codec) for codec in others)), ("", "cp1252"))
    if codec == "cp1252" and sound > damaged // 2:
        return _mixed(text)
    return read or _decoded(body, codec)


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    """The labels of the HTTP header, and of the document itself."""
    if (said := _CHARSET.search(content_type)) is not None:
        yield said[1]
    if (declared := _DECLARED.match(body)) is not None:
        yield declared[1].decode()
    elif b"<meta" in body or b"<META" in body:
        for tag in _META.findall(_shown(body)):
            if (meta := _CHARSET.search(tag.decode("latin-1"))) is not None:
                yield meta[1]
                return


def _shown(page: bytes) -> bytes:
    """A page without comments and scripts, which may speak of an encoding; what is never closed stays."""
    for opening, closing in ((rb"<!--", rb"-->"), (rb"<script\b", rb"</script")):
        pieces, start = [], 0
        for begin in re.finditer(opening, page, re.IGNORECASE):
            if begin.start() < start:
                continue
            end = re.compile(closing, re.IGNORECASE).search(page, begin.end())
            if end is None:
                break
            pieces.append(page[start : begin.start()])
            start = end.end()
        page = b"".join((*pieces, page[start:]))
    return page


def _codec(label: str) -> str:
    """The codec that is meant by a label; empty where it is unknown, unfit or of wider units."""
    label = label.lower().replace("_", "-")
    if (known := _LABELS.get(label)) is not None:
        return known
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    # A declaration that could be read as ASCII denies an encoding of wider units.
    return "" if name in _REFUSED or name.startswith(("utf-16", "utf-32")) else _READ_AS.get(name, name)


def _decoded(body: bytes, codec: str) -> str:
    if (high := _VIETNAMESE.get(codec)) is not None:
        table = {code: high[code - 0x80] for code in range(0x80, 0x100)}
        text = body.decode("latin-1").translate(table | (_VISCII_CAPITALS if codec == "viscii" else {}))
    else:
        try:
            text = body.decode(codec, "replace")
        except (LookupError, ValueError):  # a codec of something else than text, such as base64
            return ""
    # These put tone marks behind the letter.
    return unicodedata.normalize("NFC", text) if codec in {"cp1258", "tcvn3"} else text


def _whole(body: bytes, codec: str) -> str:
    """The text in an encoding of several bytes a character, if nothing is wrong with it."""
    if codec not in _SEVERAL:
        return ""
    try:
        return body.decode(codec)
    except ValueError:
        return ""


def _fitting(body: bytes, codec: str) -> tuple[str, str] | None:
    """The text in an encoding, and that, unless too much is wrong with it."""
    text = _decoded(body, codec)
    wide = len(text) - len(text.encode("ascii", "ignore"))
    return (text, codec) if text.count("\ufffd") <= max(1, _WRONG * wide) and text else None


def _mixed(text: str) -> str:
    """UTF-8 in which each run of bytes that does not belong is what it most likely was."""
    return _STRAY.sub(_likely, text)


def _likely(stray: re.Match[str]) -> str:
    found = stray[0].encode("ascii", "surrogateescape")
    return "\ufffd" if _CUT.fullmatch(found) else found.decode("cp1252", "replace")
