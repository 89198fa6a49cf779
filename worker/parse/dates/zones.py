"""Time zones as dates write them: offsets, abbreviations, names of the IANA database.

An abbreviation that several zones share has the meaning that RFC 2822 section 4.3 gives it, else that of the zone with
most speakers of the feeds' languages: `IST` is India's, `BST` Britain's, `CST` that of North America.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

#: Hours east of Greenwich -> abbreviations, folded.
_ABBREVIATIONS: Mapping[float, str] = {
    0: "z utc ut gmt wet",
    1: "cet met mez bst west wat hnec",
    2: "cest mest mesz eet sast cat haec",
    3: "eest msk eat trt",
    3.5: "irst",
    4: "gst samt",
    4.5: "aft irdt",
    5: "pkt uzt yekt mvt",
    5.5: "ist slst",
    5.75: "npt",
    6: "omst",
    6.5: "mmt",
    7: "ict wib krat",
    8: "sgt myt hkt pht phst wita irkt bnt awst",
    9: "jst kst wit yakt tlt",
    9.5: "acst",
    10: "aest vlat chst",
    10.5: "acdt",
    11: "aedt magt",
    12: "nzst fjt",
    13: "nzdt",
    -2: "brst",
    -2.5: "ndt",
    -3: "brt art uyt clst adt",
    -3.5: "nst",
    -4: "edt ast clt bot vet hae",
    -5: "est cdt cot pet hne",
    -6: "cst mdt",
    -7: "mst pdt",
    -8: "pst akdt",
    -9: "akst hdt",
    -10: "hst hast",
}
_BY_ABBREVIATION = {
    name: timezone(timedelta(hours=hours)) for hours, names in _ABBREVIATIONS.items() for name in names.split()
}
#: Half of the year one, half the other.
_BY_REGION = {
    "et": "America/New_York",
    "ct": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
}
_OFFSET = re.compile(r"(?:utc|gmt|ut|z)? ?([+-]) ?(\d{1,2})(?::?(\d{2})|:([03]))?(?::?00)?")
#: Minutes; no zone is farther from Greenwich.
_FARTHEST = 14 * 60
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock on a wall
_IANA = re.compile(r"[a-z]+/[a-z_]+(?:/[a-z_]+)?|etc/gmt[+-]\d{1,2}")


def is_zone(text: str) -> bool:
    """Tell whether a folded text is a zone."""
    return find(text, _SOME_DAY) is not None


def offset(text: str) -> tzinfo | None:
    """The zone of `+07`, `-0330`, `gmt+7` or `utc +07:00`; None for others, and for one that no place on earth has."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    # `+00:0` is what a limit on the length leaves of `+00:00`.
    rest = int(found[3] or 0) or 10 * int(found[4] or 0)
    minutes = int(found[2]) * 60 + rest
    if minutes > _FARTHEST or rest > 59:
        return None
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))


def find(text: str, local: datetime) -> tzinfo | None:
    """The zone that a folded text names, at that time of its clocks: an offset, an abbreviation, an IANA name.

    A letter that stands alone tells nothing, and is UTC (RFC 2822 section 4.3).
    """
    if (fixed := offset(text)) is not None:
        return fixed
    if text in _BY_ABBREVIATION:
        return _BY_ABBREVIATION[text]
    if len(text) == 1 and "a" <= text <= "y" and text != "j":
        return UTC
    name = _BY_REGION.get(text) or (_region(text) if _IANA.fullmatch(text) else "")
    try:
        zone = ZoneInfo(name) if name else None
    except (KeyError, OSError, ValueError):
        return None
    return None if zone is None else timezone(local.replace(tzinfo=zone).utcoffset() or timedelta())


def _region(text: str) -> str:
    """An IANA name with its capitals: `asia/ho_chi_minh` is `Asia/Ho_Chi_Minh`."""
    if text.startswith("etc/"):
        return "Etc/" + text[4:].upper()
    words = re.sub(r"[a-z]+", lambda word: word[0].capitalize(), text)
    return re.sub(r"_(Of|Es)_", lambda word: word[0].lower(), words)
