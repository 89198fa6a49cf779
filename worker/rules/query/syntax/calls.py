"""Calls of patterns: each is written out where it stands."""

import difflib
import re

from worker.rules.query.nodes import Call, Node, Pattern, SetRef, depth, is_expression, walk
from worker.rules.query.syntax.mistakes import QueryError, suggestion
from worker.rules.query.syntax.terms import Terms
from worker.rules.query.tokens import Kind, Token

#: Levels of a query's tree: chains of proximities make it deep without parentheses.
MAX_LEVELS = 100
#: Nodes of a query whose patterns are written out: patterns that use patterns grow fast.
MAX_NODES = 20_000
_NAMED = re.compile(r"\s*([a-z][a-z0-9_]*)\s*=(?!=)")


class CallReader(Terms):
    """Reads a call and its arguments."""

    def _condition(self) -> Node:
        """Returns what may stand between parentheses."""
        raise NotImplementedError

    def _call(self, token: Token) -> Node:
        """The body of the pattern that is called, with its arguments."""
        name = token.text[:-1]
        commas, closing = self._extent(token)
        given, named = self._arguments(token, commas, closing)
        pattern = self._known.patterns.get(name)
        if pattern is None:
            if name not in self._known.unread:
                near = difflib.get_close_matches(name, sorted(self._known.patterns), n=1, cutoff=0.6)
                fix = (
                    f"did you mean {near[0]}?"
                    if near
                    else f"add [pattern.{name}], or put a space before the parenthesis"
                )
                self._fault(token, f"no pattern is called {name}", fix)
            return SetRef(name)
        arguments = self._bound(token, pattern, given, named)
        if len(arguments) < len(pattern.params):
            return pattern.body
        call = Call(text=self._source[token.start : closing + 1], pattern=pattern, arguments=arguments)
        self.calls.append(call)
        node = call.written_out()
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
                fix = suggestion(name, pattern.params) or f"one of: {', '.join(pattern.params)}"
                self._fault(place, f"{called} has no parameter `{name}`", fix)
            elif name in arguments:
                self._fault(place, f"`{name}` of {called} is given twice", "take one away")
            else:
                arguments[name] = node
        if missing := [name for name in pattern.params if name not in arguments]:
            self._fault(token, f"{called} needs `{'`, `'.join(missing)}`", f"write {missing[0]} = @some_set")
        return arguments

    def _arguments(
        self, token: Token, commas: list[int], closing: int
    ) -> tuple[list[tuple[Token, Node]], dict[str, tuple[Token, Node]]]:
        """Return the arguments between the call's parentheses: by position, and by name."""
        given: list[tuple[Token, Node]] = []
        named: dict[str, tuple[Token, Node]] = {}
        for begin, end in zip([token.end, *(at + 1 for at in commas)], [*commas, closing], strict=True):
            text = self._source[begin:end]
            if not text.strip() and closing == end and not commas:
                break
            name = _NAMED.match(text)
            start = begin + (name.end() if name else 0)
            inner = type(self)(" " * start + self._source[start:end], self._known, self._depth + 1)
            place = Token(Kind.WORD, text.strip(), begin + len(text) - len(text.lstrip()))
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
        """The places where the call's commas and its closing parenthesis stand; the next token is the one behind."""
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
