"""Property: a muted story keeps back no article that does not join it strongly, whatever comes in whatever order."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

from desk import Desk, email_target, examples, feed
from hypothesis import given
from hypothesis import strategies as st
from rig import Item
from test_story_alerts import A, B, C

from worker.model import NotificationPolicy
from worker.pipeline import answering
from worker.pipeline import deliver as job
from worker.store import ledger

#: Parts of sentences, of which texts are put together that share more or less.
WHO = ["Hun Sen", "Hun Sen, président du Sénat,", "Le président du Sénat Hun Sen"]
WHAT = [
    "est en visite au port de Kampot pour le quai des grumes",
    "est en visite au port de Kampot, où le quai des grumes s'effondre",
    "est en visite à Vientiane chez Thongloun Sisoulith",
    "est en visite à Vientiane pour le corridor ferroviaire",
    "est en visite à l'hôpital Calmette pour son nouveau scanner",
]
MORE = [
    "Les dockers de la société Sreng Marine attendent leur paie depuis mars.",
    "Thongloun Sisoulith a parlé du pont de Stung Treng.",
    "Le docteur Chheang Ra a montré le scanner aux infirmières.",
    "Il pleuvait.",
    "",
]
_texts = st.builds(lambda who, what, more: f"{who} {what}. {more}", *map(st.sampled_from, (WHO, WHAT, MORE)))
_steps = st.lists(st.tuples(st.sampled_from([A, B, C]), _texts, st.sampled_from([0, 5, 80])), min_size=3, max_size=8)


@examples(6)
@given(_steps, st.integers(0, 3), st.sampled_from([1.0, 2.0, 4.0]), st.booleans())
def test_a_mute_covers_strong_joins_alone(steps: list, muted: int, strong: float, follow_up: bool) -> None:
    """Each alert that is kept back as muted is of an article whose likeness to the story was strong, or of a copy."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Desk(
            Path(folder),
            feeds=[feed(url, name=name) for url, name in ((A, "Le Fil"), (B, "La Dépêche"), (C, "Le Courrier"))],
            targets=[replace(email_target("desk", "a@example.org"), timezone="UTC")],
            notification=NotificationPolicy(follow_up=("new-source", "development") if follow_up else ()),
        ) as desk,
        mock.patch.object(job, "send", desk.send),
        mock.patch("worker.analysis.stories.decision.STRONG", strong),
    ):
        asyncio.run(_publish(desk, steps, muted, strong))


async def _publish(desk: Desk, steps: list, muted: int, strong: float) -> None:
    shown: dict[str, list[Item]] = {A: [], B: [], C: []}
    for number, (url, text, hours) in enumerate(steps):
        minute = desk.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        shown[url].append(Item(f"v{number}", f"Hun Sen en visite, {number}", text, published=minute))
        desk.web.feed(url, shown[url])
        await desk.pass_()
        if number == muted:
            with desk.store.write() as tx:
                newest = desk.one("SELECT max(id) FROM article")
                answering.mute(tx, newest, desk.now, author="ana", lasting=timedelta(days=60))
        desk.later(hours=hours)
    with desk.store.read() as tx:
        assert ledger.audit(tx) == ()
    # By now: the muted story may have turned out to be an older one.
    story = desk.one("SELECT max(story_id) FROM silence") or 0
    number_of = {article: title.rpartition(" ")[2] for article, title in desk.rows("SELECT id, title FROM article")}
    gone = desk.rows(
        "SELECT o.article_id, t.story_id, t.score, a.of_id FROM obligation o JOIN article a ON a.id = o.article_id "
        "JOIN story_article t ON t.article_id = o.article_id WHERE o.suppression = 'muted-story'"
    )
    for article, place, score, of_id in gone:
        assert place == story, article
        # The first article of a story that turned out to be this one has no likeness of its own.
        founded = desk.one(
            f"SELECT count(*) FROM story WHERE merged_into = {story} AND title LIKE '%, {number_of[article]}'"
        )
        assert of_id is not None or score >= strong or founded, article
    pointing = desk.rows(
        "SELECT o.suppression FROM obligation o JOIN story_article t ON t.article_id = o.article_id "
        f"JOIN story s ON s.id = t.story_id WHERE s.perhaps_id = {story} AND o.suppression = 'muted-story'"
    )
    assert pointing == []
