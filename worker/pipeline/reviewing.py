"""Alerts that were kept back because of a copy or a story, and would not be by what is known now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.analysis import text
from worker.analysis.copies import Candidate, decide, fingerprint
from worker.model import NoveltyKind, Occasion, Suppression, times
from worker.notify.render import NoticeWording, notice_wording
from worker.pipeline.context import ActiveConfig
from worker.pipeline.redeciding import KEPT, send_after_all
from worker.store import Tx, articles, fingerprints, repeated, revisiting, silences, stories
from worker.store.revisiting import Decided

#: Of alerts, a notice lists as many.
_LISTED = 40

_REASONS = (Suppression.COPY, Suppression.MUTED_STORY, Suppression.SAME_STORY)


def reviewed(tx: Tx, now: datetime) -> tuple[Decided, ...]:
    """The alerts of the last 30 days that were kept back as copy, muted or same story, and would not be now."""
    found = revisiting.suppressed(tx, _REASONS, now - KEPT)
    asked = _Asked(tx)
    single = (one for one in found if not one.occasion.startswith(Occasion.WAVE))
    return tuple(one for one in single if one.revision == 1 and not asked.still(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The reviewed alerts that are to be sent."""

    sent: tuple[Decided, ...]
    #: Numbers that are none of theirs.
    unknown: tuple[int, ...]


def send(tx: Tx, live: ActiveConfig, ids: Sequence[int] | None, now: datetime) -> Sent:
    """Owe those of these numbers, all where there are none, and nothing where one is unknown; under the ingest lock."""
    known = {one.id: one for one in reviewed(tx, now)}
    chosen = sorted(known) if ids is None else list(dict.fromkeys(ids))
    unknown = tuple(number for number in chosen if number not in known)
    if unknown:
        return Sent(sent=(), unknown=unknown)
    for number in chosen:
        send_after_all(tx, live, known[number], now)
    return Sent(sent=tuple(known[number] for number in chosen), unknown=())


def line(one: Decided, said: NoticeWording | None = None) -> str:
    """One alert, for people; in English where nothing else is said."""
    said = said or notice_wording("en")
    title = one.title or said.untitled
    why = said.suppressions.get(one.suppression, one.suppression)
    whose = f"({one.rule_id}, {one.recipient})"
    return f"{one.id}  {times.bare(one.created, times.DAY)}  {why}  {one.source}{said.colon} {title}  {whose}"


def notice(tx: Tx, said: NoticeWording, now: datetime) -> tuple[str, str] | None:
    """A notice to operators once stories were judged again; None where there is nothing to look at."""
    muted = [one for one in silences.active(tx, now) if one.story_id is not None]
    alerts = reviewed(tx, now)
    if not muted and not alerts:
        return None
    subject, intro = said.judged_again
    parts = [intro]
    if muted:
        parts.append("\n".join([said.muted_stories, *(_mute(tx, one, said) for one in muted)]))
    if alerts:
        more = len(alerts) - _LISTED
        lines = [said.kept_back, *(line(one, said) for one in alerts[:_LISTED])]
        lines += [f"... {said.counted(said.and_more, more)}"] if more > 0 else []
        parts += ["\n".join(lines), said.kept_back_hint]
    return subject, "\n\n".join(parts)


def _mute(tx: Tx, one: silences.Silence, said: NoticeWording) -> str:
    story = stories.get(tx, one.story_id or 0)
    title = story.title if story else said.forgotten
    words = said.muted if one.until else said.muted_for_good
    return words.format(story=one.story_id, title=title, until=times.say(one.until), author=one.author, number=one.id)


class _Asked:
    """Tells whether what kept an alert back still does; each article and story is asked about once."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._copies: dict[int, bool] = {}
        self._notified: dict[int, set[tuple[str, str]]] = {}
        self._mutes = silences.of_stories(tx)

    def still(self, one: Decided) -> bool:
        match one.suppression:
            case Suppression.COPY:
                if one.article_id not in self._copies:
                    self._copies[one.article_id] = _is_copy(self._tx, one.article_id, one.of_id)
                return self._copies[one.article_id]
            case Suppression.MUTED_STORY:
                mine = [mute for mute in self._mutes if mute.story_id == one.story_id]
                return any(mute.recipient in ("", one.recipient) for mute in mine)
            case _:
                return one.story_id is not None and (one.rule_id, one.recipient) in self._of_story(one.story_id)

    def _of_story(self, story_id: int) -> set[tuple[str, str]]:
        if story_id not in self._notified:
            lines = revisiting.of_story(self._tx, story_id)
            self._notified[story_id] = {(one.rule_id, one.recipient) for one in lines if one.is_notified}
        return self._notified[story_id]


def _is_copy(tx: Tx, article_id: int, of_id: int | None) -> bool:
    """Tells whether an article is a copy of one that came before it, by what copies are recognised by now."""
    stored = articles.get(tx, article_id)
    if stored is None or not stored.revision:
        return True
    one = stored.article
    document = text.analyse(one.title, one.body, one.language)
    mine = fingerprint(document)
    near = [c for c in fingerprints.candidates(tx, mine, url=one.url, exclude=article_id) if c.article_id < article_id]
    original = None if of_id is None else articles.get(tx, of_id)
    if original is not None and original.revision:
        # Made anew: what is stored of it may be of a scheme that is compared with nothing any more.
        was = original.article
        same = Candidate(
            article_id=original.id,
            published=was.published,
            same_url=bool(one.url) and was.url == one.url,
            fingerprint=fingerprint(text.analyse(was.title, was.body, was.language)),
            title=was.title,
            sources=repeated.sources_of(was.source, was.url),
        )
        near = [*(c for c in near if c.article_id != of_id), same]
    sources = repeated.sources_of(one.source, one.url)
    standing = repeated.standing(tx, sources.union(*(c.sources for c in near)), mine.all_lines)
    novelty = decide(
        mine, document=document, published=one.published, candidates=tuple(near), standing=standing, sources=sources
    )
    return novelty.kind is NoveltyKind.DUPLICATE
