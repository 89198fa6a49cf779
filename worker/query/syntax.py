"""From a query's text to nodes, with every mistake in its place."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from worker.query.nodes import (
    KEYWORDS,
    And,
    AtLeast,
    How,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Param,
    Pattern,
    Proximity,
    Reach,
    Regex,
    Scope,
    SetRef,
    Term,
    Unit,
    Within,
    Word,
    depth,
    filled,
    in_language,
    is_expression,
    needs_words,
    walk,
)
from worker.query.regex import RegexError, compiled
from worker.query.tokens import CURLY, SET_NAME, UNSEEN, Kind, Token, tokens
from worker.text import APOSTROPHES, LANGUAGES, fold, words

MAX_REACH = 100
MAX_DEPTH = 50
#: Levels of a query's tree: chains of proximities make it deep without parentheses.
MAX_LEVELS = 100
MIN_PREFIX = 3
#: Nodes of a query whose patterns are written out: patterns that use patterns grow fast.
MAX_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a query: the characters [start, end) it is about, and what was expected."""

    start: int
    end: int
    message: str
    mend: str = ""


class QueryError(ValueError):
    """A query cannot be read; `faults` in the order of the text, never empty."""

    def __init__(self, source: str, faults: Collection[Fault]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.start, fault.end)))
        super().__init__("; ".join(fault.message for fault in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a query may name. None: any set."""

    sets: Collection[str] | None = None
    patterns: Mapping[str, Pattern] = field(default_factory=dict)
    #: Parameters, where the query is a pattern's body.
    params: Collection[str] = ()
    #: Patterns that have mistakes of their own, or are being read: their names are known, and no more.
    unread: Collection[str] = ()


def parse(source: str, sets: Collection[str] | Known | None = None) -> Node:
    """The query in `source`; raises QueryError. Where `sets` is given, a set it does not name is a mistake.

    A call of a pattern is written out: it gives the pattern's body with the arguments in their places.

        query      = condition
        condition  = negation { "AND" negation } | primary { "OR" primary }     never both in one level
        negation   = [ "NOT" ] primary                                          NOT only beside AND
        primary    = scope | atleast | proximity
        scope      = ( "title:" | "lead:" | "body:" ) ( scope | atleast | operand )
        atleast    = "ATLEAST/" number operand
        proximity  = operand { operator operand }                               all alike, from the left
        operator   = ( "NEAR" | "BEFORE" | "NOT NEAR" ) "/" ( number | "s" | "p" | number "s" | number "p" )
                   | ( "NOT BEFORE" | "NOT AFTER" ) "/" number [ "s" | "p" ] | "WITHOUT" | "EXCEPT"
        operand    = [ language ":" ] "(" condition ")" | [ language ":" ] term | "@" name | "/" RE2 "/" | call
        term       = [ "=" | "==" ] ( word | '"' words '"' ) | word "*"
        call       = name "(" argument { "," argument } ")"                     no space before the parenthesis
        argument   = [ name "=" ] operand-or-proximity

    Operands of a proximity and of ATLEAST are expressions: no AND, NOT, scope or ATLEAST inside.
    """
    return _Parser(source, _known(sets)).query()


def parse_body(source: str, known: Known) -> Node:
    """The body of a pattern: as a query, with its parameters as sets; it need not ask for a word. Raises QueryError."""
    return _Parser(source, known).query(alone=False)


def calls(source: str) -> set[str]:
    """The names of the patterns that a text calls; any text is accepted."""
    return {token.text[:-1] for token in tokens(source) if token.kind is Kind.CALL}


def parse_term(source: str, sets: Collection[str] | Known | None = None) -> Node:
    """One item of a list of terms: as `term` above, but words in a row need no quotes. Raises QueryError."""
    return _Parser(source, _known(sets)).item()


def _known(sets: Collection[str] | Known | None) -> Known:
    return sets if isinstance(sets, Known) else Known(sets=sets)


def suggestion(name: str, known: Collection[str]) -> str:
    """`did you mean ...?` for the nearest of `known`, or nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


class _Parser:
    """One query being read: a method per production, one token ahead."""

    def __init__(self, source: str, known: Known) -> None:
        self._source = source
        self._known = known
        self._sets = known.sets
        self._tokens = tokens(source)
        self._next = 0
        self._depth = 0
        #: Mistakes after which the rest can still be read.
        self._faults: list[Fault] = []

    # --- productions, as in `parse` ---

    def query(self, *, alone: bool = True) -> Node:
        if not self._tokens:
            raise self._error(Token(Kind.END, "", 0), "the query is empty", "write at least one term")
        node = self._condition()
        if (token := self._peek()) is not None:
            raise self._unexpected(token)
        if depth(node) > MAX_LEVELS:
            raise self._error(self._tokens[0], f"the query has more than {MAX_LEVELS} levels", "make it simpler")
        if alone and not self._faults and not needs_words(node):
            self._fault(
                self._tokens[0], "the query can match without any of its words", "ask for a term that must be there"
            )
        return self._checked(node)

    def item(self) -> Node:
        text = self._source.strip().strip(_UNSHOWN)
        start = self._source.index(text)
        if language := _LANGUAGE.match(text):
            place = Token(Kind.LANGUAGE, language[0], start)
            return in_language(
                self._listed(text[language.end() :], start + language.end(), place), self._language(place)
            )
        return self._listed(text, start)

    def _listed(self, text: str, start: int, language: Token | None = None) -> Node:
        """An item from `start` on, behind its language."""
        if language is not None and '"' in text:
            self._next = 1
        if text.startswith(("@", "/")) or '"' in text:
            node = self._operand()
            if (token := self._peek()) is not None:
                raise self._error(token, "a list holds one term an item", "write it in `when`")
            return self._checked(node)
        for token in self._tokens:
            if token.kind is Kind.OPERATOR:
                self._fault(token, f"{token.text} in a list of terms", "write it in `when`")
        return self._checked(self._term(text, start, start))

    def _condition(self) -> Node:
        parts: list[Node] = []
        joiner = ""
        negations: list[Token] = []
        while True:
            token = self._peek()
            if token is not None and token.text == "NOT":
                self._next += 1
                negations.append(token)
                parts.append(Not(self._primary()))
            else:
                parts.append(self._primary())
            token = self._peek()
            if token is None or token.text not in ("AND", "OR"):
                break
            if joiner not in ("", token.text):
                raise self._error(token, "AND and OR stand in one level", "put parentheses round what belongs together")
            joiner = token.text
            self._next += 1
        if joiner != "AND":
            for token in negations:
                self._fault(token, "NOT stands only beside AND", "say what must be there, too: X AND NOT Y")
        if len(parts) == 1:
            return parts[0]
        return And(tuple(parts)) if joiner == "AND" else Or(tuple(parts))

    def _primary(self) -> Node:
        token = self._peek()
        if token is not None and (token.kind is Kind.SCOPE or token.text.startswith("ATLEAST")):
            node = self._restricted()
            if (following := self._peek()) is not None and self._starts_proximity(following):
                raise self._error(
                    following,
                    f"{token.text} holds of one operand only, and what it makes is no operand of {following.text}",
                    "put parentheses round the whole operand: title:(A NEAR/5 B)",
                )
            return node
        return self._proximity()

    def _restricted(self) -> Node:
        """`scope`, `atleast`, or the operand that follows them."""
        token = self._peek()
        if token is not None and token.kind is Kind.SCOPE:
            self._next += 1
            name = token.text[:-1]
            if name not in list(Scope):
                mend = suggestion(name.lower(), list(Scope)) or "expected title:, lead: or body:"
                self._fault(token, f"unknown part {token.text}", mend)
            self._enter(token, "parts")
            node = self._restricted()
            self._depth -= 1
            return InPart(Scope(name), node) if name in list(Scope) else node
        if token is not None and token.kind is Kind.OPERATOR and token.text.startswith("ATLEAST"):
            self._next += 1
            count = token.text.removeprefix("ATLEAST/")
            if not _is_number(count) or not 1 <= int(count) <= MAX_REACH:
                self._fault(token, f"ATLEAST needs a number from 1 to {MAX_REACH}", "write ATLEAST/2")
                count = "1"
            return AtLeast(int(count), self._expression(token.text))
        return self._operand()

    def _proximity(self) -> Node:
        start = self._peek()
        node = self._operand()
        while (token := self._peek()) is not None and self._starts_proximity(token):
            if start is not None and not is_expression(node):
                raise self._not_expression(start, token.text)
            operator, reach = self._operator()
            node = Proximity(operator, node, self._expression(operator.value), reach)
        return node

    def _starts_proximity(self, token: Token) -> bool:
        return token.kind is Kind.OPERATOR and token.text.partition("/")[0] in (
            "NEAR",
            "BEFORE",
            "AFTER",
            "WITHOUT",
            "EXCEPT",
            "NOT",
        )

    def _operator(self) -> tuple[Operator, Reach | None]:
        token = self._take("an operator")
        name, slash, reach = token.text.partition("/")
        if name == "NOT" and not slash:
            following = self._peek()
            if following is None or following.text.partition("/")[0] not in ("NEAR", "BEFORE", "AFTER"):
                raise self._error(token, "AND is missing before NOT", "write AND NOT, NOT NEAR/n or NOT BEFORE/n")
            self._next += 1
            token = Token(Kind.OPERATOR, self._source[token.start : following.end], token.start)
            name, slash, reach = following.text.partition("/")
            name = f"NOT {name}"
        if name == "AFTER":
            raise self._error(token, "AFTER stands only in NOT AFTER/n", "turn the operands round: B BEFORE/n A")
        operator = Operator(name)
        return operator, self._reach(operator, token, reach if slash else None)

    def _reach(self, operator: Operator, token: Token, reach: str | None) -> Reach | None:
        """What stands behind the slash; a mistake there does not stop the reading."""
        if operator is Operator.WITHOUT or operator is Operator.EXCEPT:
            if reach is not None:
                self._fault(token, f"{operator} takes no distance", f"write A {operator} B")
            return None
        units = [] if operator in (Operator.NOT_BEFORE, Operator.NOT_AFTER) else list(Unit)
        if reach in units:
            return Unit(reach)
        if reach is not None and reach[-1:] in list(Unit) and _is_number(reach[:-1]) and int(reach[:-1]) <= MAX_REACH:
            return Within(int(reach[:-1]), Unit(reach[-1]))
        if reach is not None and _is_number(reach) and int(reach) <= MAX_REACH:
            return int(reach)
        expected = f"a number of words from 0 to {MAX_REACH}" + (", s (sentence) or p (paragraph)" if units else "")
        self._fault(token, f"{operator} needs {expected} behind a slash", f"write {operator}/10")
        return 0

    def _expression(self, operator: str) -> Node:
        """An operand that yields spans."""
        start = self._peek()
        if start is not None and (start.kind is Kind.SCOPE or start.text.startswith(("NOT", "ATLEAST/"))):
            raise self._not_expression(start, operator)
        node = self._operand()
        if start is not None and not is_expression(node):
            raise self._not_expression(start, operator)
        return node

    def _operand(self) -> Node:
        token = self._take("a term")
        match token.kind:
            case Kind.OPEN:
                return self._bracketed(token)
            case Kind.QUOTED:
                mark = token.text[: token.text.index('"')]
                return self._term(mark + token.text[len(mark) + 1 : -1], token.start, token.start + 1)
            case Kind.WORD:
                return self._term(token.text, token.start, token.start)
            case Kind.SET:
                return self._set(token)
            case Kind.REGEX:
                return self._regex(token)
            case Kind.LANGUAGE:
                return self._in_language(token)
            case Kind.CALL:
                return self._call(token)
        if token.kind is Kind.STRAY:
            raise self._error(token, "this quotation mark is never closed", 'write "words in a row"')
        raise self._unexpected(token)

    def _bracketed(self, opening: Token) -> Node:
        self._enter(opening, "parentheses")
        node = self._condition()
        self._depth -= 1
        closing = self._peek()
        if closing is None:
            raise self._error(opening, "this parenthesis is never closed", "expected ) before the end")
        if closing.kind is not Kind.CLOSE:
            raise self._unexpected(closing)
        self._next += 1
        return node

    # --- terms ---

    def _term(self, text: str, start: int, inner: int) -> Node:
        """The term `text`, with its mark; `start` and `inner` are where it and its first letter are blamed."""
        place = Token(Kind.WORD, text, start)
        if unseen := UNSEEN.search(text):
            self._fault(
                Token(Kind.WORD, unseen[0], inner + unseen.start()),
                f"an invisible character (U+{ord(unseen[0]):04X}) stands in this word",
                "write the word anew, without it; or with a space, if it parts two words",
            )
        # What is not shown before a mark must not hide it.
        text = text.lstrip(_UNSHOWN)
        mark = text[: len(text) - len(text.lstrip("="))]
        if mark not in ("", "=", "=="):
            raise self._error(place, f"{mark} is no mark of a term", "write =word or ==word")
        if start == inner and (curly := CURLY.search(text)):
            mend = 'write straight quotation marks: "'
            raise self._error(Token(Kind.WORD, curly[0], inner + curly.start()), f"{curly[0]} does not quote", mend)
        plain = text[len(mark) :]
        found = tuple(self._words(plain, mark, place))
        if not found:
            raise self._error(place, "there is no word in this term", "write letters or digits")
        if "*" in re.sub(r"(?<=\w)\*(?!\w)", "", plain):
            self._fault(place, "a star stands only behind a word", "write visit*")
        return Term(found)

    def _words(self, plain: str, mark: str, place: Token) -> Iterator[Word]:
        ranges = words(plain)
        pronoun = _REFLEXIVE.match(plain)
        for first, last in ranges:
            if pronoun is not None and last <= pronoun.end():
                continue
            if pronoun is not None and first == pronoun.end() and not mark and plain[last : last + 1] != "*":
                yield Word(plain[first:last], How.REFLEXIVE)
            else:
                yield self._word(plain, first, last, mark, place)

    def _word(self, plain: str, first: int, last: int, mark: str, place: Token) -> Word:
        text = plain[first:last]
        if plain[last : last + 1] != "*":
            return Word(text, How(mark))
        if mark:
            self._fault(place, f"a star and {mark} do not go together", f"write {text}*")
        if len(fold(text)) < MIN_PREFIX:
            self._fault(place, f"at least {MIN_PREFIX} letters stand before a star", "write more of the word")
        return Word(text, How.PREFIX)

    def _set(self, token: Token) -> Node:
        name = token.text[1:]
        if name in self._known.params:
            return Param(name)
        if not SET_NAME.fullmatch(token.text):
            mend = suggestion(name.lower(), self._sets or ()) or "names have small letters, digits, _ and -"
            self._fault(token, f"{token.text} is no set's name", mend)
        elif self._sets is not None and name not in self._sets:
            near = difflib.get_close_matches(name, sorted({*self._known.params, *self._sets}), n=1, cutoff=0.6)
            mend = f"did you mean @{near[0]}?" if near else f"add [set.{name}], or name one that exists"
            what = "no set or parameter" if self._known.params else "no set"
            self._fault(token, f"{what} is called @{name}", mend)
        return SetRef(name)

    def _in_language(self, token: Token) -> Node:
        """The operand behind `fr:`."""
        code = self._language(token)
        start = self._peek()
        if start is None or start.kind not in (Kind.OPEN, Kind.WORD, Kind.QUOTED):
            raise self._error(
                token, f"{token.text} stands before a term or a parenthesis", "sets say their own language"
            )
        return in_language(self._operand(), code)

    def _language(self, token: Token) -> str:
        code = token.text[:-1]
        if code not in LANGUAGES:
            mend = suggestion(code, LANGUAGES) or f"one of: {', '.join(LANGUAGES)}"
            self._fault(token, f"{code} is no language that articles are in", mend)
        return code

    # --- calls ---

    def _call(self, token: Token) -> Node:
        """The body of the pattern that is called, with its arguments."""
        name = token.text[:-1]
        given, named = self._arguments(token)
        pattern = self._known.patterns.get(name)
        if pattern is None:
            if name not in self._known.unread:
                near = difflib.get_close_matches(name, sorted(self._known.patterns), n=1, cutoff=0.6)
                mend = (
                    f"did you mean {near[0]}?"
                    if near
                    else f"add [pattern.{name}], or put a space before the parenthesis"
                )
                self._fault(token, f"no pattern is called {name}", mend)
            return SetRef(name)
        arguments = self._bound(token, pattern, given, named)
        if len(arguments) < len(pattern.params):
            return pattern.body
        node = filled(pattern.body, arguments)
        if depth(node) > MAX_LEVELS or sum(1 for _ in walk(node)) > MAX_NODES:
            raise self._error(token, f"{name} at {pattern.place} becomes too large here", "make it simpler")
        return node

    def _bound(
        self, token: Token, pattern: Pattern, given: list[tuple[Token, Node]], named: dict[str, tuple[Token, Node]]
    ) -> dict[str, Node]:
        """The arguments by parameter; each that is missing or too many is a mistake."""
        called = f"{pattern.signature} at {pattern.place}"
        arguments = {name: node for name, (_, node) in zip(pattern.params, given, strict=False)}
        for place, _ in given[len(pattern.params) :]:
            self._fault(place, f"an argument too many for {called}", "take it away")
        for name, (place, node) in named.items():
            if name not in pattern.params:
                mend = suggestion(name, pattern.params) or f"one of: {', '.join(pattern.params)}"
                self._fault(place, f"{called} has no parameter `{name}`", mend)
            elif name in arguments:
                self._fault(place, f"`{name}` of {called} is given twice", "take one away")
            else:
                arguments[name] = node
        if missing := [name for name in pattern.params if name not in arguments]:
            self._fault(token, f"{called} needs `{'`, `'.join(missing)}`", f"write {missing[0]} = @some_set")
        return arguments

    def _arguments(self, token: Token) -> tuple[list[tuple[Token, Node]], dict[str, tuple[Token, Node]]]:
        """What stands between the call's parentheses: by position, and by name."""
        commas, closing = self._extent(token)
        given: list[tuple[Token, Node]] = []
        named: dict[str, tuple[Token, Node]] = {}
        for begin, end in zip([token.end, *(at + 1 for at in commas)], [*commas, closing], strict=True):
            text = self._source[begin:end]
            if not text.strip() and closing == end and not commas:
                break
            name = _NAMED.match(text)
            start = begin + (name.end() if name else 0)
            inner = _Parser(" " * start + self._source[start:end], self._known)
            place = Token(Kind.WORD, text.strip(), begin + len(text) - len(text.lstrip()))
            inner._depth = self._depth + 1
            try:
                node = inner.argument(place)
            except QueryError as e:
                raise QueryError(self._source, [*self._faults, *e.faults]) from None
            if name is None and named:
                self._fault(place, "an argument without a name behind one with a name", "write the named ones last")
            if name is not None and name[1] in named:
                self._fault(place, f"`{name[1]}` is given twice", "take one away")
            if name is not None:
                named[name[1]] = (place, node)
            else:
                given.append((place, node))
        return given, named

    def _extent(self, token: Token) -> tuple[list[int], int]:
        """Where the call's commas and its closing parenthesis stand; the next token is the one behind."""
        self._enter(token, "calls")
        self._depth -= 1
        level = 1
        commas: list[int] = []
        while (inner := self._peek()) is not None:
            self._next += 1
            if inner.kind in (Kind.OPEN, Kind.CALL):
                level += 1
            elif inner.kind is Kind.CLOSE:
                level -= 1
                if not level:
                    return commas, inner.start
            elif level == 1 and inner.kind not in (Kind.QUOTED, Kind.REGEX):
                commas += [inner.start + n for n, char in enumerate(inner.text) if char == ","]
        raise self._error(token, "this parenthesis is never closed", "expected ) before the end")

    def argument(self, place: Token) -> Node:
        """One argument of a call: an expression."""
        if not self._tokens:
            raise self._error(place, "an argument is missing here", "write a set, a term or places in parentheses")
        node = self._condition()
        if (token := self._peek()) is not None:
            raise self._unexpected(token)
        if not self._faults and not is_expression(node):
            raise self._error(
                place, "an argument yields places in the text; AND, NOT, title: and ATLEAST do not", "use OR and NEAR"
            )
        return self._checked(node)

    def _regex(self, token: Token) -> Node:
        pattern = token.text[1:-1]
        try:
            compiled(pattern)
        except RegexError as e:
            self._fault(token, f"not a valid regular expression (RE2): {e}", "see the RE2 syntax")
        if not pattern:
            self._fault(token, "an empty regular expression matches nothing", "write /.../ with something inside")
        return Regex(pattern)

    # --- tokens and mistakes ---

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

    def _fault(self, token: Token, message: str, mend: str) -> None:
        self._faults.append(Fault(token.start, token.end, message, mend))

    def _error(self, token: Token, message: str, mend: str) -> QueryError:
        self._fault(token, message, mend)
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
        name = token.text.upper()
        if name in KEYWORDS or name in ("ET", "OU", "SAUF", "PAS"):
            operator = {"ET": "AND", "OU": "OR", "SAUF": "NOT", "PAS": "NOT"}.get(name, name)
            return self._error(
                token, "an operator is expected here", f"operators are upper case: did you mean {operator}?"
            )
        near = _near_operator(token.text)
        if near:
            return self._error(token, f"{token.text} is no operator", f"did you mean {near}?")
        return self._error(token, "an operator is missing before this", 'write AND, OR or NEAR/n, or quote the "words"')

    def _checked(self, node: Node) -> Node:
        if self._faults:
            raise QueryError(self._source, self._faults)
        return node


#: `se` or `s'` before an infinitive asks for the verb with its pronoun.
_REFLEXIVE = re.compile(rf"(?:se[ \u00a0]+|s[{APOSTROPHES}])(?=\w+(?:er|ir|re)(?!\w))", re.IGNORECASE)
_LIKE_OPERATOR = re.compile(r"([A-Z]{3,8})(/[^\s()]*)?")


def _near_operator(text: str) -> str:
    """The operator that a word in capitals was meant to be, with what stands behind its slash."""
    found = _LIKE_OPERATOR.fullmatch(text)
    near = difflib.get_close_matches(found[1], sorted(KEYWORDS), n=1, cutoff=0.6) if found else []
    return near[0] + (found[2] or "") if found and near else ""


_NAMED = re.compile(r"\s*([a-z][a-z0-9_]*)\s*=(?!=)")
_LANGUAGE = re.compile(r"[a-z]{2,3}:(?=\S)")
#: Characters that are not shown, for `strip`.
_UNSHOWN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
