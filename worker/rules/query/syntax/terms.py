"""Terms, sets and regexes of a query."""

import difflib
import re
from collections.abc import Iterator

from worker.analysis.text import APOSTROPHES, LANGUAGES, fold, words
from worker.rules.query.nodes import How, Node, Param, Regex, SetRef, Term, Word
from worker.rules.query.regex import RegexError, compiled
from worker.rules.query.syntax.mistakes import suggestion
from worker.rules.query.tokens import CURLY, SET_NAME, UNSEEN, Kind, Reader, Token

MIN_PREFIX = 3
#: Characters that are not shown, for `strip`.
UNSHOWN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
#: `se` or `s'` before an infinitive asks for the verb with its pronoun.
_REFLEXIVE = re.compile(rf"(?:se[ \u00a0]+|s[{APOSTROPHES}])(?=\w+(?:er|ir|re)(?!\w))", re.IGNORECASE)


class Terms(Reader):
    """Reads what finds words by itself."""

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
        text = text.lstrip(UNSHOWN)
        mark = text[: len(text) - len(text.lstrip("="))]
        if mark not in ("", "=", "=="):
            raise self._error(place, f"{mark} is no mark of a term", "write =word or ==word")
        if start == inner and (curly := CURLY.search(text)):
            fix = 'write straight quotation marks: "'
            raise self._error(Token(Kind.WORD, curly[0], inner + curly.start()), f"{curly[0]} does not quote", fix)
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
            fix = suggestion(name.lower(), self._known.sets or ()) or "names have small letters, digits, _ and -"
            self._fault(token, f"{token.text} is no set's name", fix)
        elif self._known.sets is not None and name not in self._known.sets:
            near = difflib.get_close_matches(name, sorted({*self._known.params, *self._known.sets}), n=1, cutoff=0.6)
            fix = f"did you mean @{near[0]}?" if near else f"add [set.{name}], or name one that exists"
            what = "no set or parameter" if self._known.params else "no set"
            self._fault(token, f"{what} is called @{name}", fix)
        return SetRef(name)

    def _language(self, token: Token) -> str:
        code = token.text[:-1]
        if code not in LANGUAGES:
            fix = suggestion(code, LANGUAGES) or f"one of: {', '.join(LANGUAGES)}"
            self._fault(token, f"{code} is no language that articles are in", fix)
        return code

    # --- calls ---

    def _regex(self, token: Token) -> Node:
        pattern = token.text[1:-1]
        try:
            compiled(pattern)
        except RegexError as e:
            self._fault(token, f"not a valid regular expression (RE2): {e}", "see the RE2 syntax")
        if not pattern:
            self._fault(token, "an empty regular expression matches nothing", "write /.../ with something inside")
        return Regex(pattern)
