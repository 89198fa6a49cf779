"""The head of an HTTP answer (RFC 9112), without the lines that are no header.

Programs in front of a server write errors and names with blanks among the headers. Browsers pass over such a line; h11
refuses the whole answer. So each head is looked through before h11 reads it.
"""

import re

#: A head longer than that is handed on as it is: h11 refuses it.
_LONGEST = 100 << 10
_END = re.compile(rb"\n\r?\n")
#: A name, the blanks that must not follow it, and a value (RFC 9110 5.1 and 5.5).
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(:[^\x00\r\v\f]*)")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)")


class Head:
    """Takes an answer's bytes as they come, and hands them on; its body is not touched."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._is_over = False

    def begin(self) -> None:
        """Another answer follows."""
        self._head.clear()
        self._is_over = False

    def fed(self, data: bytes) -> bytes:
        """The bytes that may be read by now; nothing of a head before its end."""
        if self._is_over:
            return data
        # The end may lie across two pieces.
        searched = max(0, len(self._head) - 2)
        self._head += data
        sound = b""
        while not self._is_over and (end := _END.search(self._head, searched)):
            head, searched = bytes(self._head[: end.end()]), 0
            del self._head[: end.end()]
            sound += _sound(head)
            self._is_over = _INTERIM.match(head) is None
        is_no_head = not data or len(self._head) > _LONGEST or self._head[:1] < b"!"
        if self._is_over or is_no_head:
            self._is_over = True
            sound += bytes(self._head)
            self._head.clear()
        return sound


def _sound(head: bytes) -> bytes:
    """A head with those of its lines that are headers; a folded line goes the way of the one it continues."""
    status, *lines = head.removesuffix(b"\n").removesuffix(b"\r").removesuffix(b"\n").split(b"\n")
    kept = [status.removesuffix(b"\r")]
    is_kept = False
    for line in (line.removesuffix(b"\r") for line in lines):
        if line.startswith((b" ", b"\t")):
            if is_kept:
                kept.append(line)
            continue
        field = _FIELD.fullmatch(line)
        is_kept = field is not None
        if field is not None:
            kept.append(field[1] + field[2])
    return b"\r\n".join(kept) + b"\r\n\r\n"
