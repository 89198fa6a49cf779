"""What happened and what happens when it happens again, beside each other: the same, more, less, or otherwise."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.model import Verdict
from worker.replay.past import Again
from worker.store.retold import MatchLine, OwedKey, OwedLine


class Kind(StrEnum):
    """How the replay differs."""

    #: Only the replay has it.
    MORE = "more"
    #: Only the ledger has it.
    LESS = "less"
    #: Both have it, in other words.
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: of a match, or, with a recipient, of an obligation."""

    kind: Kind
    rule: str
    #: Number in the live store; of an article that only the replay has, there.
    article: int
    title: str
    recipient: str = ""
    occasion: str = ""
    #: What the ledger says and what the replay says; empty: nothing.
    then: str = ""
    now: str = ""
    #: Its recipient is told more or less of the article: not only on another occasion.
    tells: bool = False


@dataclass(slots=True, kw_only=True)
class RuleSums:
    """One rule, then and now."""

    matches: Counter[str] = field(default_factory=Counter)
    #: Messages to recipients on articles: obligations that are owed.
    told: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Compared:
    """The whole comparison. Counters have `then`, `now`, and the words of `Kind`, and `same`."""

    rules: dict[str, RuleSums] = field(default_factory=dict)
    matches: Counter[str] = field(default_factory=Counter)
    obligations: Counter[str] = field(default_factory=Counter)
    #: `same`: byte for byte. `begun`: they differ, and were begun before the start.
    messages: Counter[str] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    #: (kind, message as it was, message as it is) of messages that differ, by key; the subject of each.
    resealed: list[tuple[Kind, str, str, str]] = field(default_factory=list)
    #: Matches of the ledger under another text of the rule than the one compared with, by rule.
    rewritten: Counter[str] = field(default_factory=Counter)
    #: Lines of the ledger on articles that could not be made again: they are not compared.
    not_compared: int = 0

    @property
    def same(self) -> bool:
        """Nothing differs."""
        return not (self.changes or self.resealed or self.rewritten)


def compare(done: Again) -> Compared:
    """Set what the replay said beside the ledger, line by line and byte by byte."""
    found = Compared()
    _matches(done, found)
    _obligations(done, found)
    _messages(done, found)
    return found


def _kind(then: object | None, now: object | None) -> Kind:
    if then is None:
        return Kind.MORE
    return Kind.LESS if now is None else Kind.OTHER


def _there(then: object | None, now: object | None) -> dict[str, int]:
    return {"then": int(then is not None), "now": int(now is not None)}


def _titles(done: Again) -> Mapping[int, str]:
    return done.now.titles | done.then.titles


def _sums(found: Compared, rule: str) -> RuleSums:
    return found.rules.setdefault(rule, RuleSums())


def _matches(done: Again, found: Compared) -> None:
    then, now, titles = done.then.matches, done.now.matches, _titles(done)
    for key in sorted(then.keys() | now.keys()):
        rule, article, _ = key
        if article in done.missing:
            found.not_compared += key in then
            continue
        was, is_ = then.get(key), now.get(key)
        sums = _sums(found, rule).matches
        for counts in (found.matches, sums):
            counts.update(_there(was, is_))
        if was is not None and is_ is not None and was.rule_hash != is_.rule_hash:
            found.rewritten[rule] += 1
        if _as_words(was) == _as_words(is_):
            found.matches["same"] += 1
            continue
        kind = _kind(was, is_)
        sums[kind] += 1
        found.matches[kind] += 1
        found.changes.append(
            Change(
                kind=kind,
                rule=rule,
                article=article,
                title=titles.get(article, ""),
                then=_as_words(was),
                now=_as_words(is_),
            )
        )


def _as_words(line: MatchLine | None) -> str:
    return "" if line is None else f"{line.severity} {line.spans}"


def _obligations(done: Again, found: Compared) -> None:
    then, now, titles = done.then.owed, done.now.owed, _titles(done)
    told_then, told_now = _told(then, done.missing), _told(now, done.missing)
    for pair in sorted(told_then.keys() | told_now.keys()):
        was_told, is_told = told_then[pair], told_now[pair]
        counts = {"then": was_told, "now": is_told, "more": is_told - was_told, "less": was_told - is_told}
        _sums(found, pair[0]).told.update({name: max(0, number) for name, number in counts.items()})
    for key in sorted(then.keys() | now.keys()):
        rule, article, recipient, occasion = key
        if article in done.missing:
            found.not_compared += key in then
            continue
        was, is_ = then.get(key), now.get(key)
        found.obligations.update(_there(was, is_))
        if was == is_:
            found.obligations["same"] += 1
            continue
        kind = _kind(was, is_)
        found.obligations[kind] += 1
        more = told_now[key[:3]] - told_then[key[:3]]
        change = Change(
            kind=kind,
            rule=rule,
            article=article,
            title=titles.get(article, ""),
            recipient=recipient,
            occasion=occasion,
            then=_verdict(was),
            now=_verdict(is_),
            tells=(more > 0 and _is_told(is_) > _is_told(was)) or (more < 0 and _is_told(is_) < _is_told(was)),
        )
        found.changes.append(change)


def _told(lines: Mapping[OwedKey, OwedLine], missing: Collection[int]) -> Counter[tuple[str, int, str]]:
    """How often each recipient is told of each article for each rule."""
    return Counter(key[:3] for key, line in lines.items() if _is_told(line) and key[1] not in missing)


def _is_told(line: OwedLine | None) -> bool:
    return line is not None and line.verdict == Verdict.OWED


def _verdict(line: OwedLine | None) -> str:
    if line is None:
        return ""
    said = " ".join(filter(None, (line.verdict, line.suppression)))
    return f"{said} ({line.why})" if line.why else said


def _messages(done: Again, found: Compared) -> None:
    then, now = done.then.messages, done.now.messages
    for key in sorted(then.keys() | now.keys()):
        was, is_ = then.get(key), now.get(key)
        if any(carried[1] in done.missing for line in (was, is_) if line for carried in line.carries):
            found.not_compared += was is not None
            continue
        found.messages.update(_there(was, is_))
        if was == is_:
            found.messages["same"] += 1
        elif key in done.begun_before:
            found.messages["begun"] += 1
        else:
            kind = _kind(was, is_)
            found.messages[kind] += 1
            found.resealed.append((kind, key, was.subject if was else "", is_.subject if is_ else ""))
