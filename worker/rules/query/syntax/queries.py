"""Queries: a method per production of the language."""

import re
from collections.abc import Collection
from dataclasses import replace

from worker.analysis.text import LANGUAGES
from worker.rules.query.nodes import (
    And,
    AtLeast,
    Call,
    InPart,
    Node,
    Not,
    Operator,
    Or,
    Proximity,
    Reach,
    Scope,
    Unit,
    Within,
    depth,
    in_language,
    is_expression,
    needs_words,
)
from worker.rules.query.syntax.calls import MAX_LEVELS, CallReader
from worker.rules.query.syntax.mistakes import Known, suggestion
from worker.rules.query.syntax.terms import UNSHOWN
from worker.rules.query.tokens import Kind, Token, tokens

MAX_REACH = 100
_LANGUAGE = re.compile(r"[a-z]{2,3}:(?=\S)")


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


def parse_calls(source: str, known: Known, language: str = "") -> dict[Node, Call]:
    """The calls of patterns in a query that can be read, by what they stand for in a text of that language."""
    parser = _Parser(source, known)
    parser.query()
    called = (replace(call, language=call.language or language) for call in parser.calls)
    return {call.written_out(): call for call in called}


def parse_body(source: str, known: Known) -> Node:
    """The body of a pattern: as a query, with its parameters as sets; it need not ask for a word. Raises QueryError."""
    return _Parser(source, known).query(alone=False)


def calls(source: str) -> set[str]:
    """The names of the patterns that a text calls; any text is accepted."""
    return {token.text[:-1] for token in tokens(source) if token.kind is Kind.CALL}


def languages(source: str) -> list[tuple[int, str]]:
    """The places where a text says that terms are written for a language, and for which; any text is accepted."""
    return [(token.start, token.text[:-1]) for token in tokens(source) if token.kind is Kind.LANGUAGE]


#: Kinds of tokens that words, as people type them, do not have.
_SIGNS = frozenset({Kind.OPERATOR, Kind.SET, Kind.CALL, Kind.REGEX})


def is_rule_language(source: str) -> bool:
    """Tells whether a text bears signs of the language: an operator, a set, a part, a mark; any text is accepted."""
    return any(_is_sign(token) for token in tokens(source))


def _is_sign(token: Token) -> bool:
    if token.kind is Kind.SCOPE:
        return token.text[:-1] in set(Scope)
    if token.kind is Kind.LANGUAGE:
        return token.text[:-1] in LANGUAGES
    marked = token.kind in (Kind.WORD, Kind.QUOTED) and token.text.startswith("=")
    return token.kind in _SIGNS or marked or (token.kind is Kind.WORD and token.text.endswith("*"))


def parse_term(source: str, sets: Collection[str] | Known | None = None) -> Node:
    """One item of a list of terms: as `term` above, but words in a row need no quotes. Raises QueryError."""
    return _Parser(source, _known(sets)).item()


def _known(sets: Collection[str] | Known | None) -> Known:
    return sets if isinstance(sets, Known) else Known(sets=sets)


class _Parser(CallReader):
    """One query being read: a method per production, as in `parse`, one token ahead."""

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
        text = self._source.strip().strip(UNSHOWN)
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
                fix = suggestion(name.lower(), list(Scope)) or "expected title:, lead: or body:"
                self._fault(token, f"unknown part {token.text}", fix)
            self._enter(token, "parts")
            node = self._restricted()
            self._depth -= 1
            return InPart(Scope(name), node) if name in list(Scope) else node
        if token is not None and token.kind is Kind.OPERATOR and token.text.startswith("ATLEAST"):
            self._next += 1
            count = token.text.removeprefix("ATLEAST/")
            if not _is_number(count) or not 1 <= int(count) <= MAX_REACH:
                meant = self._reach_behind() or "2"
                self._fault(token, f"ATLEAST needs a number from 1 to {MAX_REACH}", f"write ATLEAST/{meant}")
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
        """The distance behind the slash; a mistake there does not stop the reading."""
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
        meant = "" if reach else self._reach_behind()
        self._fault(token, f"{operator} needs {expected} behind a slash", f"write {operator}/{meant or 10}")
        return 0

    def _reach_behind(self) -> str:
        """The distance that stands behind an operator with a space in place of the slash; it is read with it."""
        token = self._peek()
        if (
            token is None
            or not re.fullmatch(r"[0-9]{1,3}[sp]?", token.text)
            or int(token.text.rstrip("sp")) > MAX_REACH
        ):
            return ""
        self._next += 1
        return token.text

    def _expression(self, operator: str) -> Node:
        """An operand that yields spans."""
        start = self._peek()
        if start is not None and (start.kind is Kind.SCOPE or start.text.startswith(("NOT", "ATLEAST/"))):
            raise self._not_expression(start, operator)
        node = self._operand()
        if start is not None and not is_expression(node):
            raise self._not_expression(start, operator)
        return node

    def _operand(self) -> Node:  # noqa: PLR0911 - one return a kind of token
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

    def _in_language(self, token: Token) -> Node:
        """The operand behind `fr:`."""
        code = self._language(token)
        start = self._peek()
        if start is None or start.kind not in (Kind.OPEN, Kind.WORD, Kind.QUOTED):
            raise self._error(
                token, f"{token.text} stands before a term or a parenthesis", "sets say their own language"
            )
        before = len(self.calls)
        operand = self._operand()
        self.calls[before:] = [replace(call, language=call.language or code) for call in self.calls[before:]]
        return in_language(operand, code)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
