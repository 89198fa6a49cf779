"""The head of an HTTP answer (RFC 9112), as browsers read it where servers write it badly.

Programs in front of a server write errors and names with blanks among the headers, lengths that are none and status
lines of their own. Browsers pass over them; h11 refuses the whole answer. So each head is looked through before h11
reads it.
"""

import re

#: A head longer than that is handed on as it is: h11 refuses it.
_LONGEST = 100 << 10
_END = re.compile(rb"\n\r?\n")
#: A version, or a radio server's word, and a status; a reason may follow.
_STATUS = re.compile(rb"(?i:http(?:/([0-9]{1,3}(?:\.[0-9]{1,3})?))?|icy)[ \t]+([1-9][0-9]{2})(?![0-9])")
#: A name, the blanks that must not follow it, and a value (RFC 9110 5.1 and 5.5).
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(:[^\x00\r\v\f]*)")
_LENGTHS = re.compile(rb":[ \t]*[0-9]+[ \t]*(?:,[ \t]*[0-9]+[ \t]*)*")
_CHUNKED = re.compile(rb"(?i)[:,][ \t]*chunked[ \t]*(?:,|$)")


class Head:
    """Takes an answer's bytes as they come, and hands them on; its body is not touched."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._is_over = False
        #: Bytes that followed the head.
        self.after = 0

    def begin(self) -> None:
        """Another answer follows."""
        self._head.clear()
        self._is_over = False
        self.after = 0

    def fed(self, data: bytes) -> bytes:
        """The bytes that may be read by now; nothing of a head before its end."""
        if self._is_over:
            self.after += len(data)
            return data
        # The end may lie across two pieces.
        searched = max(0, len(self._head) - 2)
        self._head += data
        sound = b""
        while not self._is_over and (end := _END.search(self._head, searched)):
            head, searched = bytes(self._head[: end.end()]), 0
            del self._head[: end.end()]
            # Blank lines may stand before an answer (RFC 9112 2.2).
            if head.strip(b"\r\n"):
                head = _sound(head)
                sound += head
                self._is_over = head[9:10] != b"1" or head.startswith(b"HTTP/1.1 101")
        if self._is_over or not data or len(self._head) > _LONGEST:
            self._is_over = True
            self.after += len(self._head)
            sound += bytes(self._head)
            self._head.clear()
        return sound


def _sound(head: bytes) -> bytes:
    """A head with those of its lines that are headers; a folded line goes the way of the one it continues."""
    status, *lines = head.strip(b"\r\n").split(b"\n")
    kept = [_status(status.removesuffix(b"\r"))]
    is_kept = False
    for line in (line.removesuffix(b"\r") for line in lines):
        if line.startswith((b" ", b"\t")):
            if is_kept:
                kept.append(line)
            continue
        field = _FIELD.fullmatch(line)
        value = _value(field[1].lower(), field[2], kept) if field is not None else None
        is_kept = value is not None
        if field is not None and value is not None:
            kept.append(field[1] + value)
    return b"\r\n".join(kept) + b"\r\n\r\n"


def _status(line: bytes) -> bytes:
    """A status line without its reason; any version but 1.1 and later counts as 1.0."""
    found = _STATUS.match(line)
    if found is None:
        return line
    major, _, minor = (found[1] or b"1.0").partition(b".")
    is_later = (int(major), int(minor or 0)) >= (1, 1)
    return b"HTTP/1.%d %s" % (is_later, found[2])


def _value(name: bytes, value: bytes, before: list[bytes]) -> bytes | None:
    """A header's value behind its colon; None for one of framing that says nothing (RFC 9112 6)."""
    if name == b"content-length":
        return value if _LENGTHS.fullmatch(value) else None
    if name == b"transfer-encoding":
        is_said = any(line.lower() == b"transfer-encoding: chunked" for line in before)
        return b": chunked" if _CHUNKED.search(value) and not is_said else None
    return value
