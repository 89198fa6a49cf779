"""The tokens of a query."""

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum

from worker.rules.query.nodes import KEYWORDS, Call, Node
from worker.rules.query.syntax.mistakes import Fault, Known, QueryError


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


# One token ahead in a query's text, and what is said of a token that cannot stand there.


MAX_DEPTH = 50


class Reader:
    """A query's tokens, one ahead, and its mistakes so far."""

    def __init__(self, source: str, known: Known, depth: int = 0) -> None:
        self._source = source
        self._known = known
        self._tokens = tokens(source)
        self._next = 0
        self._depth = depth
        #: Mistakes after which the rest can still be read.
        self._faults: list[Fault] = []
        #: The calls of patterns, in the order written; one inside another's argument counts to that one.
        self.calls: list[Call] = []

    def _enter(self, token: Token, what: str) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(token, f"more than {MAX_DEPTH} {what} inside one another", "make it simpler")

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, expected: str) -> Token:
        token = self._peek()
        if token is None:
            end = len(self._source.rstrip())
            raise self._error(
                Token(Kind.END, "", end), f"the query ends where {expected} is expected", f"write {expected}"
            )
        self._next += 1
        return token

    def _fault(self, token: Token, message: str, fix: str) -> None:
        self._faults.append(Fault(token.start, token.end, message, fix))

    def _error(self, token: Token, message: str, fix: str) -> QueryError:
        self._fault(token, message, fix)
        return QueryError(self._source, self._faults)

    def _not_expression(self, token: Token, operator: str) -> QueryError:
        if token.kind is Kind.CALL and (pattern := self._known.patterns.get(token.text[:-1])):
            return self._error(
                token,
                f"{pattern.signature} at {pattern.place} holds of the article, and yields no place for {operator}",
                "say it outside with AND",
            )
        return self._error(
            token,
            f"an operand of {operator} yields places in the text; AND, NOT, title:, lead:, body: and ATLEAST do not",
            "use OR and NEAR inside, or say it outside with AND",
        )

    def _unexpected(self, token: Token) -> QueryError:
        if token.kind is Kind.CLOSE:
            return self._error(token, "this parenthesis closes nothing", "take it away, or open it before")
        if token.kind is Kind.OPERATOR:
            return self._error(
                token, f"{token.text} stands where a term is expected", "write a term before and behind it"
            )
        operator = _meant(token.text)
        name = token.text.partition("/")[0]
        if operator and (name.upper() != name or name in _FRENCH):
            return self._error(
                token, "an operator is expected here", f"operators are upper case: did you mean {operator}?"
            )
        if operator:
            return self._error(token, f"{token.text} is no operator", f"did you mean {operator}?")
        return self._error(token, "an operator is missing before this", 'write AND, OR or NEAR/n, or quote the "words"')

    def _checked(self, node: Node) -> Node:
        if self._faults:
            raise QueryError(self._source, self._faults)
        return node


_LIKE_OPERATOR = re.compile(r"([A-Za-z]{1,8})(?:/([^\s()]*)|-?([0-9]+[sp]?))?")
_FRENCH = {"ET": "AND", "OU": "OR", "SAUF": "NOT", "PAS": "NOT"}
#: Distances as other programs write them.
_ELSEWHERE = {"WITHIN": "NEAR", "ADJ": "NEAR", "W": "NEAR", "PRE": "BEFORE"}
#: Operators that a number follows.
_WITH_NUMBER = frozenset({"NEAR", "BEFORE", "AFTER", "ATLEAST"})


def _meant(text: str) -> str:
    """The operator that a word was meant to be, with its distance; empty: none."""
    found = _LIKE_OPERATOR.fullmatch(text)
    if found is None:
        return ""
    name, reach = found[1].upper(), found[2] or found[3] or ""
    operator = _FRENCH.get(name, name)
    if name == found[1] or reach:
        operator = _ELSEWHERE.get(name, operator)
    if operator not in KEYWORDS:
        near = difflib.get_close_matches(name, sorted(KEYWORDS), n=1, cutoff=0.6) if name == found[1] else []
        operator = near[0] if near else ""
    return f"{operator}/{reach}" if reach and operator in _WITH_NUMBER else operator
