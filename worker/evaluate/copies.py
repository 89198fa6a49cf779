"""Measuring copies: articles stored in order, then texts of which it is known what they are copies of."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.evaluate.labels import Counts
from worker.feeds.normalise import Known, Unreadable, from_jsonl_line
from worker.model import Novelty, NoveltyKind
from worker.pipeline.imports import store_in_order
from worker.store import Store

#: Articles of one transaction; each is compared with all before it in any case.
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCopy:
    """A text, and what it should be found to be."""

    known: Known
    #: Id of the article that it was made from.
    of: str
    #: The edit that made it.
    kind: str
    #: A copy; else another article, of the same story or not.
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongCopy:
    """A text that was found to be something else."""

    id: str
    expected: str
    got: str
    #: The decision's own reason.
    why: str


@dataclass(slots=True, kw_only=True)
class CopyScore(Counts):
    """A measure of how well copies are recognised; a copy of another article than its own is wrong twice."""

    #: By kind of edit: texts, and those judged rightly.
    texts: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: list[WrongCopy] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPair:
    """Two articles of one file, the later of which was called a copy of the earlier."""

    id: str
    title: str
    of: str
    of_title: str
    #: Of the decision, as its reason.
    score: float
    why: str


def read_copy(line: str) -> LabelledCopy | Unreadable:
    """The text in a line with `of`, `kind` and `same`: true is a copy; false and "story" are another article."""
    known = from_jsonl_line(line, title_alone=True)
    if isinstance(known, Unreadable):
        return known
    fields = json.loads(line.removeprefix("\ufeff"))
    of, kind, same = fields.get("of"), fields.get("kind", ""), fields.get("same")
    if not isinstance(of, str) or not isinstance(kind, str) or same not in (True, False, "story"):
        return Unreadable.BAD_LABELS
    return LabelledCopy(known=known, of=of, kind=kind, same=same is True)


def read_article(line: str) -> Known | Unreadable:
    """The article in a line of a corpus: a title alone will do."""
    return from_jsonl_line(line, title_alone=True)


def evaluate_copies(
    store: Store,
    articles: Sequence[Known],
    copies: Sequence[LabelledCopy],
    now: datetime,
    step: Callable[[str], None] = lambda _: None,
) -> CopyScore:
    """Store all articles, then each copy, and see what it is taken for; `store` should be new.

    A copy is right if its original is the article it was made from, or what that article is itself a copy of.
    """
    numbers: dict[str, int] = {}
    names: dict[int, str] = {}  # of originals and all others alike

    def put(batch: Sequence[Known]) -> list[Novelty]:
        done = store_in_order(store, batch, now)
        for known, (article_id, novelty) in zip(batch, done, strict=True):
            numbers[known.id] = novelty.of or article_id
            names.setdefault(article_id, known.id)
            step(known.id)
        return [novelty for _, novelty in done]

    for first in range(0, len(articles), _BATCH):
        put(articles[first : first + _BATCH])
    score = CopyScore()
    for one in copies:
        (novelty,) = put([one.known])
        got = names[novelty.of] if novelty.of is not None and novelty.kind is NoveltyKind.DUPLICATE else None
        original = names[numbers[one.of]] if one.of in numbers else one.of
        _count(score, one, got, original if one.same else None, novelty.why)
    return score


def copies_among(
    store: Store,
    articles: Sequence[Known],
    now: datetime,
    *,
    each_its_own_host: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> list[FoundPair]:
    """Each article that is called a copy of one before it, in order; `store` should be new.

    With `each_its_own_host` every article has a feed and a host to itself, as a stream of many outlets has; else they
    are as the file says.
    """
    if each_its_own_host:
        articles = [_alone(known, at) for at, known in enumerate(articles)]
    stored: dict[int, Known] = {}
    pairs: list[FoundPair] = []
    for first in range(0, len(articles), _BATCH):
        batch = articles[first : first + _BATCH]
        for known, (article_id, novelty) in zip(batch, store_in_order(store, batch, now), strict=True):
            stored[article_id] = known
            step(known.id)
            if novelty.of is not None:
                of = stored[novelty.of]
                pair = FoundPair(
                    id=known.id, title=known.title, of=of.id, of_title=of.title, score=novelty.score, why=novelty.why
                )
                pairs.append(pair)
    return pairs


def _alone(known: Known, at: int) -> Known:
    return replace(known, source=f"{known.source} {at}".strip(), url=f"https://host{at}.invalid/{at}")


def _count(score: CopyScore, one: LabelledCopy, got: str | None, expected: str | None, why: str) -> None:
    """`got` and `expected` are ids of the original; None: no copy."""
    is_right = got == expected
    score.texts[one.kind] += 1
    score.right[one.kind] += is_right
    score.tp += one.same and is_right
    score.fn += one.same and not is_right
    score.fp += got is not None and not is_right
    if not is_right:
        said = ["no copy" if original is None else f"a copy of {original}" for original in (expected, got)]
        score.wrong.append(WrongCopy(id=one.known.id, expected=said[0], got=said[1], why=why))
