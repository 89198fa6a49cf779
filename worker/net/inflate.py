"""A response's body put together within limits, inflated as it comes."""

import codecs
import re
import zlib
from collections.abc import Iterator

#: 32 for "gzip or zlib, see the header", 15 for the largest window (zlib's manual, inflateInit2).
_GZIP_OR_ZLIB = 32 + 15
_GZIP_MAGIC = b"\x1f\x8b"
_STEP = 1 << 16
_PAUSE = 1 << 20
_NONE = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
#: Bytes that no text holds (WHATWG MIME Sniffing 4.2), and the beginnings of texts that hold them all the same.
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0\0\xfe\xff", b"<\0", b"\0<", b"\0\0\0<")
#: Bytes that are looked at: of a compressed text, every ninth or so is one of the above.
_LOOKED_AT = 4096


class TooLargeError(Exception):
    """The body is larger than was agreed."""


class BadCodingError(Exception):
    """The body is not coded as its headers say."""


class Inflater:
    """Takes a body chunk by chunk; raises TooLargeError as soon as `wire` or `decoded` bytes are exceeded.

    Never holds more than `decoded` bytes and one step, however well the body was compressed. `coding` is the value
    of Content-Encoding (RFC 9110 8.4): gzip once, or none. Any other name is one that servers write where nothing is
    coded (`utf-8`, `none`), or a coding that nobody asked for: the body is read where it is text, as browsers do, and
    a BadCodingError otherwise, as for what zlib cannot read or is cut short.
    """

    def __init__(self, coding: str, *, wire: int, decoded: int) -> None:
        names = [name for part in coding.split(",") if (name := part.strip().lower()) not in _NONE]
        is_gzip = len(names) == 1 and names[0] in _GZIP
        self._zip = zlib.decompressobj(_GZIP_OR_ZLIB) if is_gzip else None
        #: What is said of a body that is no text, where it must be one.
        self._refusal = f"Content-Encoding {coding.strip()[:40]!r} was not asked for" if names and not is_gzip else ""
        self._wire = self._wire_left = wire
        self._decoded = decoded
        self._body = bytearray()

    def feed(self, chunk: bytes) -> Iterator[None]:
        """Take the next bytes from the wire; pauses after each MiB that came of them, so that others have a turn."""
        self._wire_left -= len(chunk)
        if self._wire_left < 0:
            raise TooLargeError("the body is larger than the limit on the wire")
        if self._zip is None:
            self._keep(chunk)
            return
        try:
            yield from self._inflate(chunk)
        except zlib.error as e:
            raise BadCodingError("the body is not gzip, as its headers say") from e

    def _inflate(self, chunk: bytes) -> Iterator[None]:
        assert self._zip is not None
        since = len(self._body)
        while chunk:
            if len(self._body) - since >= _PAUSE:
                since = len(self._body)
                yield
            if self._zip.eof:
                # RFC 1952 2.2 lets members follow each other; what follows without being one is padding.
                if not chunk.startswith(_GZIP_MAGIC):
                    return
                self._zip = zlib.decompressobj(_GZIP_OR_ZLIB)
            self._keep(self._zip.decompress(chunk, _STEP))
            chunk = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail

    def _keep(self, plain: bytes) -> None:
        if len(self._body) + len(plain) > self._decoded:
            raise TooLargeError("the body is larger than the limit once inflated")
        self._body += plain

    def finish(self) -> bytes:
        """The whole body."""
        # Nothing at all is what servers send with a status that has no body.
        if self._zip is not None and not self._zip.eof and self._wire_left < self._wire:
            raise BadCodingError("the compressed body ends early")
        if self._refusal and not _is_text(bytes(self._body[:_LOOKED_AT])):
            raise BadCodingError(self._refusal)
        return bytes(self._body)


def _is_text(beginning: bytes) -> bool:
    return beginning.startswith(_WIDE) or _BINARY.search(beginning) is None
