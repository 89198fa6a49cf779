"""A response's body put together within limits, inflated as it comes."""

import zlib
from collections.abc import Iterator

#: 32 for "gzip or zlib, see the header", 15 for the largest window (zlib's manual, inflateInit2).
_GZIP_OR_ZLIB = 32 + 15
_GZIP_MAGIC = b"\x1f\x8b"
_STEP = 1 << 16
_PAUSE = 1 << 20


class TooLargeError(Exception):
    """The body is larger than was agreed."""


class BadCodingError(Exception):
    """The body is not coded as its headers say."""


class Inflater:
    """Takes a body chunk by chunk; raises TooLargeError as soon as `wire` or `decoded` bytes are exceeded.

    Never holds more than `decoded` bytes and one step, however well the body was compressed. `coding` is the value
    of Content-Encoding: gzip, or none (RFC 9110 8.4); BadCodingError on any other, on several, and on what zlib
    cannot read or is cut short.
    """

    def __init__(self, coding: str, *, wire: int, decoded: int) -> None:
        name = coding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip"}:
            raise BadCodingError(f"Content-Encoding {coding.strip()[:40]!r} was not asked for")
        self._zip = zlib.decompressobj(_GZIP_OR_ZLIB) if name.endswith("gzip") else None
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
        return bytes(self._body)
