"""The tokens of a query."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of tokens; each is the name of its group in the pattern."""

    OPEN = "open"
    CLOSE = "close"
    #: A keyword, with what stands behind its slash.
    OPERATOR = "operator"
    #: `title:` and whatever else ends in a colon.
    SCOPE = "scope"
    REGEX = "regex"
    QUOTED = "quoted"
    SET = "set"
    #: `fr:`, before a term.
    LANGUAGE = "language"
    #: A pattern's name and the parenthesis behind it.
    CALL = "call"
    WORD = "word"
    #: A quotation mark that is never closed.
    STRAY = "stray"
    #: Where the text ends.
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query's text, and where it starts."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset of its end, exclusive."""
        return self.start + len(self.text)


def tokens(source: str) -> list[Token]:
    """All tokens of `source`; any text is accepted."""
    return [Token(Kind(m.lastgroup), m[0], m.start()) for m in _TOKEN.finditer(source) if m.lastgroup is not None]


_TOKEN = re.compile(
    r"""\s+
    |(?P<open>\()|(?P<close>\))
    |(?P<operator>(?:AND|OR|NOT|NEAR|BEFORE|AFTER|WITHOUT|EXCEPT|ATLEAST)(?![\w:*-])(?:/[^\s()"]*)?)
    |(?P<language>[a-z]{2,3}:(?=["(=@/\w]))
    |(?P<scope>[^\W\d_]+:(?=\S))
    |(?P<regex>/(?:\\.|[^/\\\n])*/(?=[\s),]|$))
    |(?P<quoted>={0,2}"[^"]*")
    |(?P<set>@[^\s()"]*)
    |(?P<call>[a-z][a-z0-9_-]*\()
    |(?P<word>[^\s()"]+)
    |(?P<stray>")""",
    re.VERBOSE,
)
#: Quotation marks that a word processor makes.
CURLY = re.compile("[“”„«»]")
SET_NAME = re.compile(r"@[a-z0-9][a-z0-9_-]*")
#: Zero widths in a word of letters: nobody sees whether they part it.
UNSEEN = re.compile(
    "(?<=[A-Za-z\u00c0-\u024f\u1e00-\u1eff])[\u200b-\u200d\u2060\ufeff](?=[A-Za-z\u00c0-\u024f\u1e00-\u1eff])"
)
