"""The rules of today on an article: those that stayed silent, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.analysis import text
from worker.console.views import explained
from worker.errors import Problem, UserError
from worker.model import Cut, CutKind, Match
from worker.pipeline.context import ActiveConfig
from worker.rules import RuleSet
from worker.rules.match import Explanation, Silence, Source, explain_rule, judge
from worker.rules.query import suggestion
from worker.store import Tx, entries
from worker.store import articles as stored
from worker.store.articles import StoredArticle

Facts = dict[str, Any]

#: Rules of which is said unasked how near they came; of the others, only what kept them silent.
EXPLAINED = 200


_CUT = {
    CutKind.HEAD: "an agency's head",
    CutKind.CAPTION: "a caption",
    CutKind.CREDIT: "a credit",
    CutKind.RELATED: "a link to another article",
    CutKind.SIGN_OFF: "a sign-off",
    CutKind.TAIL: "another article behind the sign-off",
    CutKind.TITLE: "the title, repeated",
}


class Uncut:
    """An article as it would be with what was cut from it, for rules whose words stand there."""

    def __init__(self, one: StoredArticle, cut: Sequence[Cut], rules: RuleSet, source: Source) -> None:
        self._article, self._cut, self._rules, self._source = one.article, cut, rules, source
        self._all: Mapping[str, Match | Silence] | None = None

    def where(self, rule_id: str) -> tuple[CutKind, ...]:
        """The kinds of part in which the words stand with which the rule would match; empty: it would not."""
        if self._all is None:
            self._all = self._judged(self._cut) if self._cut else {}
        if not isinstance(self._all.get(rule_id), Match):
            return ()
        kinds = dict.fromkeys(part.kind for part in self._cut)
        alone = [
            kind
            for kind in kinds
            if isinstance(self._judged([part for part in self._cut if part.kind is kind]).get(rule_id), Match)
        ]
        return tuple(alone or kinds)

    def _judged(self, parts: Sequence[Cut]) -> Mapping[str, Match | Silence]:
        body = "\n\n".join([self._article.body, *(part.text for part in parts)])
        return judge(text.analyse(self._article.title, body, self._article.language), self._rules, self._source)


class Now:
    """The verdicts of the live rules on an article's newest text."""

    def __init__(self, tx: Tx, live: ActiveConfig, one: StoredArticle) -> None:
        self._rules, self._one = live.ruleset, one
        self._document = text.analyse(one.article.title, one.article.body, one.article.language)
        entry = entries.of_article(tx, one.id)
        feed = live.feed(entry) if entry else None
        name, tags = (feed.name, feed.tags) if feed else ("", ())
        self._source = Source(feed=name, tags=tags, published=one.article.published, first_seen=one.article.first_seen)
        self._uncut = Uncut(one, stored.cut_of(tx, one.id, one.revision), self._rules, self._source)

    def explained(self, rule_id: str) -> Facts:
        """One rule's tree; raises UserError for an id that no rule has."""
        known = [rule.id for rule in self._rules.written]
        if rule_id not in known:
            fix = suggestion(rule_id, known) or "`veille rules stats` lists them"
            raise UserError([Problem(file="--rule", line=0, message=f"no rule has the id {rule_id!r}", fix=fix)])
        rules = self._rules.switched_on([rule_id])
        found = explained.facts(explain_rule(self._document, rules, self._source, rule_id), self._document)
        return found | {"text": self._one.revision > 0}

    def silent(self, matched: set[str], rule_id: str = "", *, explained: int = EXPLAINED) -> list[Facts]:
        """The rules that did not match when the article was stored, the nearest first; and whether they would now.

        `explained`: the number of rules of which is said how near they came.
        """
        if not self._one.revision:
            return []
        judged = judge(self._document, self._rules, self._source)
        silent = [name for name in judged if name not in matched and rule_id in ("", name)]
        return sorted(
            (self._one_silent(name, judged[name], near=number < explained) for number, name in enumerate(silent)),
            key=lambda one: one["distance"],
        )

    def _one_silent(self, name: str, found: Match | Silence, *, near: bool) -> Facts:
        explanation = explain_rule(self._document, self._rules, self._source, name) if near else None
        because = [] if isinstance(found, Match) else [explained.silence(found, self._document)]
        cut = () if isinstance(found, Match) or self._one.origin != "feed" else self._uncut.where(name)
        return {
            "rule": name,
            "now": isinstance(found, Match),
            "reason": str(found) if isinstance(found, Silence) else "",
            "distance": 1_000.0 if explanation is None else round(explained.farness(explanation), 4),
            "cut": [str(kind) for kind in cut],
            "because": because if explanation is None else explained.reasons(explanation, self._document),
            "sentence": self._sentence(name, found, explanation, cut),
        }

    def _sentence(
        self, name: str, found: Match | Silence, explanation: Explanation | None, cut: Sequence[CutKind]
    ) -> str:
        if self._one.origin != "feed":
            would = " (it would match)" if isinstance(found, Match) else ""
            return f"{name}: articles known before the first poll are not matched{would}."
        if isinstance(found, Match):
            return f"{name} matches now, but did not when the article came: the rule was changed since."
        if cut:
            where = " and ".join(_CUT[kind] for kind in cut)
            return (
                f"{name} does not match: its words stand in a part that was cut ({where}); `veille show --raw` has it."
            )
        if explanation is None:
            return f"{name} does not match: {found}."
        return f"{name} does not match: {explained.sentence(explanation, self._document)}."
