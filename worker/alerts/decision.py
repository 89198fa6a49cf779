"""The verdicts: who gets what, on which occasion, and who does not, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from worker.alerts.history import About, History, Pair
from worker.alerts.plan import escalated, placed
from worker.alerts.routing import Addressee, expanded, recipients
from worker.alerts.volume import Level, measure, of_wave, story_key, thread_of_wave
from worker.model import (
    AlertPolicy,
    Match,
    Novelty,
    NoveltyKind,
    Obligation,
    Occasion,
    Origin,
    Suppression,
    Verdict,
    Volume,
)

#: What `follow_up` calls each occasion.
_KINDS = {
    Occasion.FOLLOW_UP: "new-source",
    Occasion.CORRECTION: "correction",
    Occasion.DEVELOPMENT: "development",
}
#: A text that goes on changing shows the time of day, or is written anew all day long: what comes later is sent
#: to nobody.
_MOST_REVISIONS = 6
#: What people asked not to hear; the article counts for its rule's volume all the same.
_ASKED_FOR = frozenset({Suppression.SILENCED, Suppression.MUTED_STORY})


def alert(
    matches: Sequence[Match], novelty: Novelty, history: History, policy: AlertPolicy, about: About
) -> tuple[Obligation, ...]:
    """Obligations of each match to each recipient: owed, or suppressed with a reason, and the deliveries for them.

    - The first article of a story that a rule matches is a `first`; later ones are a `follow-up` where their outlet
      sent nothing yet, else a `development`. Which of them are sent is for `follow_up` to say; the others wait for
      `repeat_interval`, or are suppressed.
    - What was decided for an article is decided once. A revision that matches what earlier texts did not is a
      `development`; one that corrects what a recipient was sent is a `correction`.
    - A copy is silent where its original was decided, and not where it brings news of its own.
    - A rule with a volume alerts on waves: see `alert.volume`.
    """
    deciding = _Deciding(novelty, history, policy, about)
    return tuple(found for match in matches for found in deciding.of(match))


def numbered(occasion: Occasion, revision: int) -> str:
    """The occasion of a revision: a later one than the second carries its number, as an article may have several."""
    return str(occasion) if revision <= 2 else f"{occasion}-{revision}"


class _Deciding:
    """One article's matches, one after the other."""

    def __init__(self, novelty: Novelty, history: History, policy: AlertPolicy, about: About) -> None:
        self._is_update = novelty.kind is NoveltyKind.UPDATE
        self._history, self._policy, self._about = history, policy, about
        self._recent = Counter(history.recent)

    def of(self, match: Match) -> Iterator[Obligation]:
        """The obligations of one match."""
        if match.volume is not None:
            yield from self._of_volume(match, match.volume)
            return
        for to in recipients(match, self._policy, self._about):
            occasion, name = self._occasion(match.rule_id, to)
            if occasion is None:
                continue
            made = self._obligation(match, to, occasion, name)
            yield made
            if occasion is Occasion.FIRST and made.verdict is Verdict.OWED and to.notification.escalation:
                yield from self._escalations(match, to, made)

    def _of_volume(self, match: Match, volume: Volume) -> Iterator[Obligation]:
        """The obligations of a rule that alerts on waves. An article counts once, at its first match, for everyone."""
        rule_id, about = match.rule_id, self._about
        if any(rule_id == decided for decided, _ in self._history.decided):
            return
        addressed = [(to, self._suppression((rule_id, to.recipient))) for to in recipients(match, self._policy, about)]
        level = self._history.levels.get(rule_id, Level())
        story = story_key(about.story_id, about.article_id)
        counts = any(kept is None or kept[0] in _ASKED_FOR for _, kept in addressed)
        measured = measure(volume, level, story=story, article_id=about.article_id, now=about.now) if counts else None
        for to, kept in addressed:
            occasion, (suppression, why) = str(Occasion.WAVE), kept or (None, "")
            if measured is not None and suppression is None:
                occasion, suppression = of_wave(measured, volume, level, to.recipient, story)
                why = measured.why
            made = Obligation(
                rule_id=rule_id,
                target_id=to.target.id,
                recipient=to.recipient,
                occasion=occasion,
                verdict=Verdict.SUPPRESSED if suppression else Verdict.OWED,
                suppression=suppression,
                why=why,
                measured=measured,
            )
            if measured is None or measured.wave is None or suppression:
                yield made
                continue
            made = self._placed(made, to, match, thread=thread_of_wave(rule_id, measured.wave))
            yield made
            if occasion == Occasion.WAVE and to.notification.escalation:
                yield from self._escalations(match, to, made)

    def _occasion(self, rule_id: str, to: Addressee) -> tuple[Occasion | None, str]:
        """The reason why the recipient is alerted, as a kind and as the ledger's word; None: it is decided already."""
        history, about = self._history, self._about
        pair = (rule_id, to.recipient)
        if pair in history.decided:
            is_correction = self._is_update and history.change is not None
            if not is_correction or pair not in history.notified_at:
                return None, ""
            return Occasion.CORRECTION, numbered(Occasion.CORRECTION, about.revision)
        if self._is_update and not history.page_only:
            return Occasion.DEVELOPMENT, str(Occasion.DEVELOPMENT)
        standing = history.standing.get(pair) if self._by_story(to) else None
        if standing is None:
            return Occasion.FIRST, str(Occasion.FIRST)
        kind = Occasion.DEVELOPMENT if about.source in standing.sources else Occasion.FOLLOW_UP
        return kind, str(kind)

    def _by_story(self, to: Addressee) -> bool:
        return to.notification.key == "story" and self._about.story_id is not None

    def _obligation(self, match: Match, to: Addressee, occasion: Occasion, name: str) -> Obligation:
        pair = (match.rule_id, to.recipient)
        suppression, why = self._suppression(pair) or self._too_often(occasion) or self._same_story(pair, to, occasion)
        made = Obligation(
            rule_id=match.rule_id,
            target_id=to.target.id,
            recipient=to.recipient,
            occasion=name,
            verdict=Verdict.SUPPRESSED if suppression else Verdict.OWED,
            suppression=suppression,
            why=why,
        )
        if suppression:
            return made
        last, interval = self._last_notified(pair, to), to.notification.repeat_interval
        is_left_out = last is not None and self._is_left_out(pair, to, occasion)
        # The last one may be of a clock that was ahead.
        again = min(last, self._about.now) + interval if interval and last is not None and is_left_out else None
        return self._placed(made, to, match, again=again)

    def _placed(
        self, made: Obligation, to: Addressee, match: Match, *, again: datetime | None = None, thread: str = ""
    ) -> Obligation:
        """The obligation with what carries it; it counts for the target's throttle."""
        throttle = to.target.throttle
        key = (match.rule_id, to.target.id)
        throttled = throttle is not None and self._recent[key] >= throttle.alerts
        self._recent[key] += 1
        return placed(made, to, match.severity, about=self._about, throttled=throttled, again=again, thread=thread)

    def _last_notified(self, pair: Pair, to: Addressee) -> datetime | None:
        """The moment of the recipient's last alert on the story, or on the article alone."""
        standing = self._history.standing.get(pair) if self._by_story(to) else None
        return standing.last if standing else self._history.notified_at.get(pair)

    def _too_often(self, occasion: Occasion) -> tuple[Suppression, str] | None:
        if occasion is not Occasion.CORRECTION or self._about.revision <= _MOST_REVISIONS:
            return None
        return Suppression.OFTEN_CORRECTED, f"text {self._about.revision} of its article"

    def _suppression(self, pair: Pair) -> tuple[Suppression, str] | None:
        history, about, policy = self._history, self._about, self._policy
        rule_id, recipient = pair
        if pair not in history.decided:
            if history.original is not None and rule_id not in history.news:
                if history.original is not Origin.FEED:
                    return Suppression.ARCHIVE, ""
                if pair in history.decided_for_original:
                    return Suppression.COPY, ""
            if history.backlog:
                return Suppression.BACKLOG, ""
            if policy.max_age is not None and about.first_seen - about.published > policy.max_age:
                return Suppression.OLD_NEWS, f"published {about.published:%Y-%m-%d}"
        for silence in history.silences:
            if silence.covers(rule_id, recipient, story_id=about.story_id, feed=about.feed, now=about.now):
                return silence.suppression, silence.why
        return None

    def _is_left_out(self, pair: Pair, to: Addressee, occasion: Occasion) -> bool:
        """Tells whether it is a follow-up of what was sent, of a kind that is not wanted."""
        is_follow_up = pair in self._history.notified_at or (self._by_story(to) and pair in self._history.standing)
        return is_follow_up and _KINDS.get(occasion, "") not in (to.notification.follow_up or ())

    def _same_story(self, pair: Pair, to: Addressee, occasion: Occasion) -> tuple[Suppression | None, str]:
        if not self._is_left_out(pair, to, occasion) or to.notification.repeat_interval is not None:
            return None, ""
        return Suppression.SAME_STORY, f"a {_KINDS[occasion]} of story {self._about.story_id}, not in follow_up"

    def _escalations(self, match: Match, to: Addressee, owed: Obligation) -> Iterator[Obligation]:
        escalation = to.notification.escalation
        assert escalation is not None
        for target in expanded(escalation.targets, self._policy):
            for recipient in target.recipients:
                if recipient != to.recipient:
                    yield escalated(
                        owed, target, recipient, match.severity, after=escalation.after, now=self._about.now
                    )
