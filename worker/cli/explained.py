"""Why a rule matches or not, as plain objects and in sentences: for `why`, `rules` and `eval`."""

from typing import Any

from worker.match import Explanation, Silence
from worker.model import Part
from worker.query import Explained, Miss, nearest
from worker.query import Span as Words
from worker.query.nodes import And, AtLeast, InPart, Node, Not, Or, Proximity, Term
from worker.text import Document

Facts = dict[str, Any]

#: A query is shown up to this many characters within a sentence.
_CLIPPED = 70

_SILENCES = {
    Silence.LANGUAGE: "the article is in another language ({language}) than those it reads",
    Silence.FEED: "it does not read this feed",
    Silence.TAGS: "the feed has none of its tags",
    Silence.TOO_OLD: "the article was older than its max_age when it was first seen",
}
_MISSES = {
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


def facts(explanation: Explanation, document: Document) -> Facts:
    """The whole tree, for programs and for `show`."""
    verdict = explanation.verdict
    score = explanation.rule.score
    return {
        "rule": explanation.rule.id,
        "hash": explanation.rule.hash,
        "matches": not isinstance(verdict, Silence),
        "reason": str(verdict) if isinstance(verdict, Silence) else "",
        "sentence": sentence(explanation, document),
        "query": None if explanation.query is None else _tree(explanation.query, document),
        "score": None
        if score is None
        else {
            "total": explanation.total,
            "threshold": score.threshold,
            "terms": [_tree(term.query, document) | {"weight": term.weight} for term in explanation.score],
        },
        "exclusions": [_tree(found, document) | {"exclusion": name} for name, found in explanation.exclusions],
    }


def sentence(explanation: Explanation, document: Document) -> str:
    """Why the rule matches or not, in one sentence; for a miss, what came nearest."""
    verdict = explanation.verdict
    if not isinstance(verdict, Silence):
        found = explanation.query.spans if explanation.query is not None else ()
        proofs = [*found, *(s for t in explanation.score if t.weight > 0 for s in t.query.spans)]
        return "it finds " + ", ".join(_quoted(span, document) for span in proofs[:3])
    match verdict:
        case Silence.EXCLUDED:
            name, found_by = explanation.exclusions[0]
            return f"the exclusion {name} keeps it out: " + _seen(found_by.spans, document)
        case Silence.QUERY if explanation.query is not None:
            return "; ".join(miss(leaf, document) for leaf in nearest(explanation.query)[:4])
        case Silence.SCORE if explanation.rule.score is not None:
            held = " ".join(f"{t.weight:+d} {_clipped(str(t.query.node))}" for t in explanation.score if t.query.held)
            reached = f"score {explanation.total} of {explanation.rule.score.threshold}"
            return f"{reached}: {held}" if held else f"{reached}: no term of it stands in the text"
    return _SILENCES[verdict].format(language=document.language)


def miss(explained: Explained, document: Document) -> str:
    """What one node that does not hold would have needed."""
    node, near = explained.node, explained.near
    if explained.miss is Miss.ABSENT or explained.miss is None:
        return _absent(explained)
    count = node.count if isinstance(node, AtLeast) else explained.by
    return _MISSES[explained.miss].format(
        name=_clipped(str(node.part if isinstance(node, Not) else node)),
        pair=" and ".join(_quoted(span, document) for span in near[:2]),
        seen=_seen(near, document),
        operator=_operator(node),
        by=f"{explained.by} word{'s' * (explained.by != 1)}",
        found=f"{count - explained.by} of {count}",
    )


def _absent(explained: Explained) -> str:
    name = _clipped(str(explained.node))
    match explained.node:
        case Or():
            return f"none of {name} stands in the text"
        case Term(words) if len(words) > 1:
            missing = [str(part.node) for part in explained.parts if not part.held]
            return f"{name} is absent (no {', '.join(missing)})"
    return f"{name} is absent"


def _operator(node: Node) -> str:
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


def _tree(explained: Explained, document: Document) -> Facts:
    return {
        "query": str(explained.node),
        "operator": _operator(explained.node),
        "holds": explained.held,
        "count": explained.count,
        "words": [_place(span, document) for span in explained.spans],
        "miss": str(explained.miss) if explained.miss else "",
        "by": explained.by,
        "near": [_place(span, document) for span in explained.near],
        "sentence": "" if explained.held or explained.miss is Miss.OPERAND else miss(explained, document),
        "parts": [_tree(part, document) for part in explained.parts],
    }


def _place(span: Words, document: Document) -> Facts:
    """A span: its part, the offsets [start, end) of each word, and the passage from the first to the last."""
    return {
        "part": str(document.part(span[0])),
        "words": [[document.starts[word], document.ends[word]] for word in span],
        "text": _passage(span, document),
    }


def _passage(span: Words, document: Document) -> str:
    part = document.part(span[0])
    text = document.title if part is Part.TITLE else document.body
    return " ".join(text[document.starts[span[0]] : document.ends[span[-1]]].split())


def _quoted(span: Words, document: Document) -> str:
    return f"“{_clipped(_passage(span, document))}”"


def _seen(spans: tuple[Words, ...], document: Document) -> str:
    return ", ".join(_quoted(span, document) for span in spans[:3])


def _clipped(text: str) -> str:
    return text if len(text) <= _CLIPPED else text[: _CLIPPED - 1].rstrip() + "…"
