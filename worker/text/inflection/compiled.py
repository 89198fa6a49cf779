"""The dictionaries' tables as Python keeps byte code: beside it, made at first use, believed only if they fit.

Two languages take seconds of CPU to make and milliseconds to read. Where nothing can be written, they are made at each
start; `python -m worker.text.inflection` makes those of French and English for an image.
"""

import hashlib
import marshal
import os
import sys
from contextlib import suppress
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import cast
from unicodedata import unidata_version

#: Starts and blob of the table of headwords and of that of forms, and the verbs.
Parts = tuple[tuple[bytes, bytes], tuple[bytes, bytes], dict[str, str]]
_DIGEST = 32


def read(language: str) -> Parts | None:
    """The tables that were kept for a language; None where there are none, or others than would be made now."""
    try:
        kept = _place(language).read_bytes()
    except OSError:
        return None
    key, digest, payload = kept[:_DIGEST], kept[_DIGEST : 2 * _DIGEST], kept[2 * _DIGEST :]
    if key != _key() or digest != hashlib.sha256(payload).digest():
        return None
    return cast("Parts", marshal.loads(payload))  # noqa: S302 - as far to be trusted as the byte code it lies beside


def keep(language: str, parts: Parts) -> None:
    """Keep the tables of a language, if anything may be written there."""
    place = _place(language)
    payload = marshal.dumps(parts)
    written = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        try:
            written.write_bytes(_key() + hashlib.sha256(payload).digest() + payload)
            written.replace(place)
        finally:
            written.unlink(missing_ok=True)


def _place(language: str) -> Path:
    return Path(util.cache_from_source(__file__)).with_name(f"lexicon-{language}.bin")


@cache
def _key() -> bytes:
    """The versions on which the tables depend: dictionaries, this Python, the code that folds and completes."""
    here = Path(__file__).parent
    sources = (here / "dictionary.py", here / "english.py", here.parent / "folding.py")
    versions = f"{metadata.version('simplemma')} {sys.implementation.cache_tag} {sys.byteorder} {unidata_version}"
    return hashlib.sha256(b"\0".join([versions.encode(), *(one.read_bytes() for one in sources)])).digest()
