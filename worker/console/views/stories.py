"""Stories: a line in a list, a time line, an article's place."""

from typing import Any

from worker.model import times
from worker.store import Tx, stories

Facts = dict[str, Any]

_CORRECTIONS = {
    "split": "article {article} was set apart from story {from_id} as story {to_id}",
    "merge": "story {from_id} was merged into story {to_id}",
    "move": "article {article} was moved from story {from_id} to story {to_id}",
}


def place(tx: Tx, article_id: int) -> Facts | None:
    """The story that an article tells, and why."""
    story_id = stories.story_of(tx, article_id)
    found = None if story_id is None else stories.get(tx, story_id)
    if found is None:
        return None
    mine = next(line for line in stories.lines(tx, found.id) if line.article_id == article_id)
    return {
        "id": found.id,
        "title": found.title,
        "articles": found.articles,
        "outlets": list(found.outlets),
        "score": mine.score,
        "why": mine.why,
        "perhaps": _perhaps(found),
        "hands": _corrections(tx, found.id),
    }


def _perhaps(found: stories.StoredStory) -> Facts | None:
    """The story that one perhaps is the same as, and what is missing for more."""
    other = found.perhaps
    if other is None:
        return None
    return {
        "story": other.story_id,
        "title": other.title or "(no title)",
        "outlet": other.source,
        "score": other.score,
        "why": other.why,
    }


def _corrections(tx: Tx, story_id: int) -> list[str]:
    """The decisions of people on a story, each in a sentence."""
    return [
        _CORRECTIONS[one.kind].format(article=one.article_id, from_id=one.from_id, to_id=one.to_id)
        + f" by {one.author} at {times.say(one.created)}"
        + (f": {one.note}" if one.note else "")
        for one in stories.of_story(tx, story_id)
    ]


def story(one: stories.StoredStory) -> Facts:
    """A story's line in a list."""
    return {
        "id": one.id,
        "title": one.title,
        "first_seen": times.known(one.first_seen, one.first_precision),
        "last_seen": times.known(one.last_seen, one.last_precision),
        "articles": one.articles,
        "outlets": list(one.outlets),
        "merged_into": one.merged_into,
        "perhaps": _perhaps(one),
    }


def timeline(tx: Tx, one: stories.StoredStory) -> Facts:
    """A story with its articles by time."""
    return story(one) | {
        "timeline": [
            {
                "article": line.article_id,
                "published": times.known(line.published, line.precision),
                "source": line.source,
                "title": line.title,
                "duplicate_of": line.of_id,
                "score": line.score,
                "why": line.why,
            }
            for line in stories.lines(tx, one.id)
        ],
        "pointing": [{"story": number, "title": title} for number, title in stories.pointing(tx, one.id)],
        "hands": _corrections(tx, one.id),
    }
