"""After an upgrade: the stories of the last days, judged again by today's scheme; nothing is sent.

begin: vectors, pointers and counts are forgotten -batch by batch, in the order they came-> each is placed anew
end: operators get one notice of the mutes, and of the alerts that were kept back and would not be now
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from worker.analysis import text
from worker.analysis.stories import SCHEME, WINDOW, StoryMember, decide
from worker.pipeline.answering import MUTED_FOR
from worker.pipeline.context import ActiveConfig
from worker.pipeline.notices import notify_operators, words
from worker.pipeline.redeciding import KEPT, rearrange
from worker.pipeline.reviewing import notice
from worker.pipeline.stories import Placed, Weighed, Weighing
from worker.store import Store, Tx, articles, silences, stories
from worker.store.articles import StoredArticle
from worker.store.stories import Judged

_log = structlog.get_logger()
#: Articles that are placed in one transaction: other workers wait for it.
_BATCH = 100


def rejudge(store: Store, live: ActiveConfig, clock: Callable[[], datetime]) -> None:
    """Judge stories again, if an older scheme did; what broke off in the middle goes on from there."""
    with store.read() as tx:
        found = stories.judged(tx)
    if found.number >= SCHEME and found.reached is None:
        return
    now = clock()
    _log.info("stories are judged again", scheme=SCHEME, since=now - KEPT)
    if found.number < SCHEME:
        with store.ingest() as tx:
            if stories.judged(tx).number < SCHEME:
                stories.begin_again(tx, SCHEME, now - KEPT - 2 * WINDOW)
                silences.give_end(tx, now + MUTED_FOR)
    while _judge_some(store, live, now):
        pass
    _end(store, live, now)


def _judge_some(store: Store, live: ActiveConfig, now: datetime) -> bool:
    """Place the next articles anew; False where there are none."""
    with store.read() as tx:
        before = stories.judged(tx)
        if before.reached is None:
            return False  # another worker was faster
        ids = stories.next_to_judge(tx, before.reached, now - KEPT, limit=_BATCH)
        found = [one for one in (articles.get(tx, number) for number in ids) if one is not None]
    if not ids:
        return False
    texts = [(one.article, text.analyse(one.article.title, one.article.body, one.article.language)) for one in found]
    with store.ingest() as tx:
        if stories.judged(tx) != before:
            return True
        _place_all(tx, live, found, Weighing(tx, texts), now)
        stories.note_judged(tx, Judged(number=SCHEME, reached=ids[-1]))
    return True


def _place_all(tx: Tx, live: ActiveConfig, found: Sequence[StoredArticle], weighing: Weighing, now: datetime) -> None:
    changed: set[int] = set()
    for at, one in enumerate(found):
        weighed = weighing.weigh(at)
        before = stories.story_of(tx, one.id)
        placed = _place(tx, one, weighed, before, now)
        if placed.opens:
            weighing.count(at)
        after = placed.story_id
        changed.update(story_id for story_id in (before, after) if before != after and story_id is not None)
    weighing.store(tx)
    there = {story_id: stories.live(tx, story_id) for story_id in changed}
    for story_id in {story_id for story_id in there.values() if story_id is not None}:
        stories.retitle(tx, story_id)
    rearrange(tx, live, sorted(changed | {story_id for story_id in there.values() if story_id is not None}), now)


def _place(tx: Tx, one: StoredArticle, weighed: Weighed, before: int | None, now: datetime) -> Placed:
    """Put an article into the story that it tells by now. What a hand has touched stays as it is."""
    article = one.article
    member = StoryMember(
        article_id=one.id, published=article.published, language=article.language, vector=weighed.vector
    )
    is_copy = one.of_id is not None
    if before is not None and stories.of_story(tx, before):
        if not is_copy:
            stories.renew(tx, member)
        return Placed(story_id=before)
    if one.of_id is not None:
        story_id = stories.add_copy(
            tx, one.id, one.of_id, published=article.published, language=article.language, before=before
        )
        return Placed(story_id=story_id)
    verdict = decide(member, weighed.words, stories.candidates(tx, member.vector, member.published, exclude=one.id))
    after = verdict.story_id
    if after is None and before is not None and not stories.is_taken(tx, before, now - KEPT, exclude=one.id):
        stories.put(tx, member, before, score=0, why=verdict.why)
        if verdict.group is not None:
            stories.part(tx, before)
            stories.point(tx, before, verdict)
            stories.unite(tx, (verdict.group, *verdict.grouped))
        return Placed(story_id=before, opens=True)
    stories.forget_place(tx, one.id)
    after = stories.add(tx, member, verdict, title=article.heading, now=now)
    if before not in (None, after) and stories.is_empty(tx, before):
        stories.merge(tx, before, after)
    return Placed(story_id=after, opens=verdict.story_id is None)


def _end(store: Store, live: ActiveConfig, now: datetime) -> None:
    """Say once what is to be looked at, in the transaction that says that all were judged."""
    with store.read() as tx:
        said = notice(tx, words(live), now)
    with store.ingest() as tx:
        if stories.judged(tx).reached is None:
            return
        stories.note_judged(tx, Judged(number=SCHEME))
        if said is not None:
            notify_operators(tx, live, *said, now=now)
