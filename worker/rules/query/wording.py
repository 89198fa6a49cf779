"""Wording of an explained query: which term is absent, which two stand too far apart."""

from worker.analysis.text import Document
from worker.model import Part
from worker.model.times import counted
from worker.rules.query.explain import Explained, Miss
from worker.rules.query.nodes import And, AtLeast, InPart, Node, Not, Or, Proximity, Term
from worker.rules.query.spans import Span

#: A query is shown up to this many characters within a sentence.
_CLIPPED = 70

_MISSES: dict[str, str] = {
    Miss.ABSENT: "{name} is absent",
    "none_of": "none of {name} stands in the text",
    "without": "{name} is absent (no {missing})",
    Miss.OTHER_LANGUAGE: "{name} is written for another language than the article's",
    Miss.NOT_IN_A_ROW: "the words of {name} stand, but not in a row",
    Miss.EXCEPTED: "{name} stands only within its exceptions: {seen}",
    Miss.OUT_OF_TIME: "{seen} is no {name} on the day of publication",
    Miss.OPERAND: "{name} does not hold",
    Miss.TOO_FAR: "{pair} stand {by} too far apart for {operator}",
    Miss.OTHER_SENTENCE: "{pair} stand in different sentences",
    Miss.OTHER_PARAGRAPH: "{pair} stand in different paragraphs",
    Miss.OTHER_PART: "{pair} do not stand in one part: title and body",
    Miss.WRONG_ORDER: "{pair} stand in the other order",
    Miss.SAME_WORDS: "both sides of {operator} found only the same words: {seen}",
    Miss.FORBIDDEN: "{pair}: {operator} forbids that",
    Miss.PRESENT: "{name} stands, and must not: {seen}",
    Miss.ELSEWHERE: "{name} holds elsewhere only: {seen}",
    Miss.TOO_FEW: "{name}: {found} stand",
}


def miss(explained: Explained, document: Document) -> str:
    """The sentence on what a node that does not hold would have needed."""
    node, kind = explained.node, str(explained.miss or Miss.ABSENT)
    if kind == Miss.ABSENT and isinstance(node, Or):
        kind = "none_of"
    elif kind == Miss.ABSENT and isinstance(node, Term) and len(node.words) > 1:
        kind = "without"
    near, count = explained.near[:3], node.count if isinstance(node, AtLeast) else explained.by
    return _MISSES[kind].format(
        name=clipped(str(node.part if isinstance(node, Not) else node)),
        missing=", ".join(str(part.node) for part in explained.parts if not part.held),
        pair=" and ".join(quoted(span, document) for span in near[:2]),
        seen=seen(near, document),
        operator=operator(node),
        by=counted(explained.by, "word"),
        found=f"{count - explained.by} of {count}",
    )


def operator(node: Node) -> str:
    """The operator of a node that has nodes below it, as the language writes it; empty for a term."""
    match node:
        case Proximity(operator=operator, reach=reach):
            return str(operator) if reach is None else f"{operator}/{reach}"
        case InPart(scope=scope):
            return f"{scope}:"
        case AtLeast(count=count):
            return f"ATLEAST/{count}"
        case And() | Or() | Not():
            return type(node).__name__.upper()
    return ""


def passage(span: Span, document: Document) -> str:
    """The published text from its first word to its last, in one line."""
    part = document.part(span[0])
    text = document.title if part is Part.TITLE else document.body
    return " ".join(text[document.starts[span[0]] : document.ends[span[-1]]].split())


def quoted(span: Span, document: Document) -> str:
    """Its passage in quotation marks, not too long."""
    return f"“{clipped(passage(span, document))}”"


def seen(spans: tuple[Span, ...], document: Document) -> str:
    """The first passages."""
    return ", ".join(quoted(span, document) for span in spans[:3])


def clipped(text: str) -> str:
    """A text that fits into a sentence."""
    return text if len(text) <= _CLIPPED else text[: _CLIPPED - 1].rstrip() + "…"
