"""Explanations of a rule's match or miss, as plain objects and in sentences: for `why`, `rules` and `eval`."""

from typing import Any

from worker.analysis.text import Document
from worker.rules.match import Explanation, Silence
from worker.rules.query import Explained, Miss, decisive, distance, nearest
from worker.rules.query import Span as Words
from worker.rules.query.nodes import Calls, written
from worker.rules.query.wording import clipped, miss, operator, passage, quoted, seen

Facts = dict[str, Any]

#: Words of a pattern that are shown where it is not shown whole.
_DECISIVE = 5
_SILENCES = {
    Silence.LANGUAGE: "the article is in another language ({language}) than those it reads",
    Silence.FEED: "it does not read this feed",
    Silence.TAGS: "the feed has none of its tags",
    Silence.TOO_OLD: "the article was older than its max_age when it was first seen",
    Silence.EXCLUDED: "an exclusion keeps it out",
    Silence.QUERY: "its query does not hold",
    Silence.SCORE: "its score is too low",
}


def facts(explanation: Explanation, document: Document) -> Facts:
    """The whole tree, for programs and for `show`."""
    verdict = explanation.verdict
    score, calls = explanation.rule.score, explanation.rule.calls
    return {
        "rule": explanation.rule.id,
        "hash": explanation.rule.hash,
        "matches": not isinstance(verdict, Silence),
        "reason": str(verdict) if isinstance(verdict, Silence) else "",
        "sentence": sentence(explanation, document),
        "query": None if explanation.query is None else _tree(explanation.query, document, calls),
        "score": None
        if score is None
        else {
            "total": explanation.total,
            "threshold": score.threshold,
            "terms": [_tree(term.query, document, calls) | {"weight": term.weight} for term in explanation.score],
        },
        "exclusions": [_tree(found, document, {}) | {"exclusion": name} for name, found in explanation.exclusions],
    }


def farness(explanation: Explanation) -> float:
    """Measures how far a rule is from matching: near where an exclusion keeps a match out, far for another feed."""
    match explanation.verdict:
        case Silence.QUERY if explanation.query is not None:
            return distance(explanation.query)
        case Silence.SCORE if explanation.rule.score is not None:
            threshold = explanation.rule.score.threshold
            return (threshold - explanation.total) / max(threshold, 1)
        case Silence.EXCLUDED | Silence.TOO_OLD:
            return 0.1
        case Silence():
            return 100.0
    return 0.0


def sentence(explanation: Explanation, document: Document) -> str:
    """The reason why the rule matches or not, in one sentence; for a miss, what came nearest."""
    verdict = explanation.verdict
    if not isinstance(verdict, Silence):
        found = explanation.query.spans if explanation.query is not None else ()
        proofs = [*found, *(s for t in explanation.score if t.weight > 0 for s in t.query.spans)]
        return "it finds " + ", ".join(quoted(span, document) for span in proofs[:3])
    return "; ".join(reasons(explanation, document))


def reasons(explanation: Explanation, document: Document) -> list[str]:
    """The sentences on what kept a rule from matching, the nearest first; none where it matches."""
    verdict = explanation.verdict
    match verdict:
        case Silence.EXCLUDED:
            name, found_by = explanation.exclusions[0]
            return [f"the exclusion {name} keeps it out: {seen(found_by.spans, document)}"]
        case Silence.QUERY if explanation.query is not None:
            return [miss(leaf, document) for leaf in nearest(explanation.query)[:4]]
        case Silence.SCORE if explanation.rule.score is not None:
            held = " ".join(f"{t.weight:+d} {clipped(str(t.query.node))}" for t in explanation.score if t.query.held)
            reached = f"score {explanation.total} of {explanation.rule.score.threshold}"
            return [f"{reached}: {held or 'no term of it stands in the text'}"]
        case Silence():
            return [silence(verdict, document)]
    return []


def silence(verdict: Silence, document: Document) -> str:
    """The reason why a rule is silent, without a look at how near it came."""
    return _SILENCES[verdict].format(language=document.language)


def _tree(explained: Explained, document: Document, calls: Calls) -> Facts:
    """A node with all below it; of a call of a pattern, also the words that decide."""
    call = calls.get(explained.node) if calls else None
    rests_on = decisive(explained)[:_DECISIVE] if call is not None else ()
    return {
        "query": written(explained.node, calls),
        "call": "" if call is None else call.text,
        "rests_on": [_tree(leaf, document, {}) for leaf in rests_on],
        "operator": operator(explained.node),
        "holds": explained.held,
        "count": explained.count,
        "words": [_place(span, document) for span in explained.spans],
        "miss": str(explained.miss) if explained.miss else "",
        "by": explained.by,
        "near": [_place(span, document) for span in explained.near],
        "sentence": "" if explained.held or explained.miss is Miss.OPERAND else miss(explained, document),
        "parts": [_tree(part, document, calls) for part in explained.parts],
    }


def _place(span: Words, document: Document) -> Facts:
    """A span: its part, the offsets [start, end) of each word, and the passage from the first to the last."""
    return {
        "part": str(document.part(span[0])),
        "words": [[document.starts[word], document.ends[word]] for word in span],
        "text": passage(span, document),
    }
