"""History again: what other rules would have matched in the stored articles, and whom they would have alerted.

    texts in the order they came -match-> Match... -alert-> owed, or suppressed and why

The steps are those of `ingest`, with what was decided kept in memory instead of the store. Copies and updates are taken
as they were decided then.
"""

from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.alerts import About, Arrival, History, LastAlert, Level, Standing, alert, story_key
from worker.analysis import text
from worker.analysis.copies import Fingerprint, news
from worker.model import WEEKS, Match, NoveltyKind, Obligation, Occasion, Origin, Suppression, Verdict, Volume, Wave
from worker.pipeline.context import ActiveConfig
from worker.rules.match import Source, match
from worker.store.history import PastText

# Waves over again: what the store would know of each rule's volume, kept in memory while texts go by.


_WEEK = timedelta(days=7)


@dataclass(slots=True, kw_only=True)
class Waved:
    """A wave of a rule, and what would have been sent of it."""

    wave: Wave
    #: The most stories that its window held.
    most: int
    #: Articles for which an alert would have been sent, whatever the number of recipients.
    alerts: int = 0


def _at(one: Arrival) -> datetime:
    return one.at


@dataclass(slots=True)
class _Rule:
    """Everything known of one rule by now."""

    #: By time.
    arrivals: list[Arrival] = field(default_factory=list)
    #: When it matched first, whether that counted or not.
    first: datetime | None = None
    wave: Wave | None = None
    last_alerts: dict[str, LastAlert] = field(default_factory=dict)

    def between(self, after: datetime, until: datetime) -> Sequence[Arrival]:
        """The arrivals later than one moment and no later than the other."""
        return self.arrivals[bisect_right(self.arrivals, after, key=_at) : bisect_right(self.arrivals, until, key=_at)]


class Volumes:
    """The volumes of all rules that have one."""

    def __init__(self) -> None:
        self._rules: defaultdict[str, _Rule] = defaultdict(_Rule)
        self._count = 0
        #: By rule, in the order in which they began.
        self.waves: defaultdict[str, list[Waved]] = defaultdict(list)

    def level(self, rule_id: str, volume: Volume, now: datetime) -> Level:
        """Everything known before a text is decided, as `store.waves.level` has it."""
        rule = self._rules[rule_id]
        rule.first = min(rule.first or now, now)
        since = min(now, *(one.at for one in rule.last_alerts.values())) if rule.last_alerts else now
        return Level(
            arrivals=rule.arrivals[bisect_right(rule.arrivals, since - volume.per, key=_at) :],
            wave=rule.wave,
            last_alerts=rule.last_alerts,
            weeks=() if volume.times is None else self._weeks(rule, volume.per, now),
        )

    def _weeks(self, rule: _Rule, per: timedelta, now: datetime) -> tuple[int, ...]:
        past = (now - number * _WEEK for number in range(1, WEEKS + 1))
        ends = [end for end in past if rule.first is not None and end >= rule.first]
        return tuple(len({one.story for one in rule.between(end - per, end)}) for end in ends)

    def add(self, obligations: Sequence[Obligation], story: int, now: datetime) -> None:
        """Take in what was decided of a text."""
        self._count += 1
        for rule_id, found in {one.rule_id: one.measured for one in obligations if one.measured is not None}.items():
            rule = self._rules[rule_id]
            insort(rule.arrivals, Arrival(number=self._count, story=story, at=now), key=_at)
            if found.begins or found.ends:
                rule.wave, rule.last_alerts = found.wave, {}
            if found.wave is None:
                continue
            if found.begins:
                self.waves[rule_id].append(Waved(wave=found.wave, most=0))
            newest = self.waves[rule_id][-1]
            newest.most = max(newest.most, found.stories)
            sent = [
                one.recipient
                for one in obligations
                if one.rule_id == rule_id and one.verdict is Verdict.OWED and one.occasion != Occasion.ESCALATION
            ]
            newest.alerts += bool(sent)
            for recipient in sent:
                before = rule.last_alerts[recipient].alerts if recipient in rule.last_alerts else 0
                rule.last_alerts[recipient] = LastAlert(number=self._count, at=now, alerts=before + 1)


_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An article that a rule matches, and what would come of it."""

    past: PastText
    match: Match
    document: text.Document
    obligations: tuple[Obligation, ...]
    #: Of publication, in the reader's time zone.
    day: date


@dataclass(slots=True, kw_only=True)
class Replayed:
    """The matches and alerts that a set of rules gives over history."""

    texts: int = 0
    #: Rule id -> article id -> its first text that matches.
    hits: dict[str, dict[int, Hit]] = field(default_factory=dict)
    #: (day, target id) -> messages; rules that match one article share them.
    alerts: Counter[tuple[date, str]] = field(default_factory=Counter)
    #: What would have been owed: one for each rule, article and recipient.
    obligations: int = 0
    #: (recipient, what its delivery collects, when that is due): what is due together is one message.
    messages: set[tuple[str, str, datetime | None]] = field(default_factory=set)
    #: Why others would not have been sent.
    suppressed: Counter[str] = field(default_factory=Counter)
    #: By rule, of rules with a volume: their waves, in the order in which they began.
    waves: Mapping[str, Sequence[Waved]] = field(default_factory=dict)


def replay(
    past: Iterable[PastText],
    live: ActiveConfig,
    originals: Callable[[int], Sequence[Fingerprint]],
    step: Callable[[str], None] = lambda _: None,
) -> Replayed:
    """Run the rules and the policy of `live` over `past`; `originals` gives an article's fingerprints.

    What was known before the first poll is matched, since that is asked, but owes nothing.
    """
    again = Replayer(live, originals)
    for one in past:
        again.again(one)
        step(one.article.title)
    return again.done


class _Decided:
    """The decisions so far, as the store's ledger would hold them."""

    def __init__(self) -> None:
        self._of_article: defaultdict[int, set[_Pair]] = defaultdict(set)
        #: By original: its own and those of its copies, less backlog.
        self._of_text: defaultdict[int, set[_Pair]] = defaultdict(set)
        #: By story.
        self._standing: defaultdict[int, dict[_Pair, Standing]] = defaultdict(dict)
        self.volumes = Volumes()

    def history(self, one: PastText, own: frozenset[str], matches: Sequence[Match]) -> History:
        """The decisions before one text; silences and throttles are of their day and do not count."""
        of = one.novelty.of
        return History(
            decided=frozenset(self._of_article[one.article_id]),
            original=one.original,
            decided_for_original=frozenset() if of is None else frozenset(self._of_text[of]),
            news=own,
            backlog=one.backlog,
            standing=self._standing[one.story_id] if one.story_id is not None else {},
            levels={
                found.rule_id: self.volumes.level(found.rule_id, found.volume, one.article.first_seen)
                for found in matches
                if found.volume is not None
            },
        )

    def add(self, one: PastText, obligations: Sequence[Obligation]) -> None:
        self.volumes.add(obligations, story_key(one.story_id, one.article_id), one.article.first_seen)
        for owed in obligations:
            pair = (owed.rule_id, owed.recipient)
            self._of_article[one.article_id].add(pair)
            if owed.suppression is not Suppression.BACKLOG:
                self._of_text[one.novelty.of or one.article_id].add(pair)
            if owed.verdict is Verdict.OWED and owed.occasion != Occasion.ESCALATION and one.story_id is not None:
                was = self._standing[one.story_id].get(pair)
                sources = frozenset({one.article.source}) | (was.sources if was else frozenset())
                self._standing[one.story_id][pair] = Standing(last=one.article.first_seen, sources=sources)


class Replayer:
    """History, one text after the other, in the order they came."""

    def __init__(self, live: ActiveConfig, originals: Callable[[int], Sequence[Fingerprint]]) -> None:
        self._live, self._originals = live, originals
        self._decided = _Decided()
        self._zone = ZoneInfo(live.config.timezone)
        self.done = Replayed(hits={rule.id: {} for rule in live.ruleset.rules}, waves=self._decided.volumes.waves)

    def again(self, one: PastText, document: text.Document | None = None) -> None:
        """Match one text, and decide whom it would have alerted; `document`: its words, if they are known already."""
        self.done.texts += 1
        article = one.article
        feed = self._live.feed(one.feed)
        tags = feed.tags if feed else ()
        document = document or text.analyse(article.title, article.body, article.language)
        source = Source(feed=article.source, tags=tags, published=article.published, first_seen=article.first_seen)
        matches = match(document, self._live.ruleset, source)
        owed: tuple[Obligation, ...] = ()
        if matches and one.origin is Origin.FEED:
            own = self._news(one, document, matches)
            about = self._about(one, tags)
            before = self._decided.history(one, own, matches)
            owed = alert(matches, one.novelty, before, self._live.config.alerts, about)
            self._decided.add(one, owed)
        day = article.published.astimezone(self._zone).date()
        for found in matches:
            hit = Hit(
                past=one,
                match=found,
                document=document,
                obligations=tuple(o for o in owed if o.rule_id == found.rule_id),
                day=day,
            )
            self.done.hits[found.rule_id].setdefault(one.article_id, hit)
        due = [o for o in owed if o.verdict is Verdict.OWED]
        self.done.obligations += len(due)
        self.done.messages.update((o.recipient, o.collects, o.due) for o in due)
        alerted = {(o.target_id, o.recipient) for o in owed if o.verdict is Verdict.OWED}
        self.done.alerts.update((day, target_id) for target_id, _ in alerted)
        self.done.suppressed.update(str(o.suppression) for o in owed if o.suppression)

    def _about(self, one: PastText, tags: tuple[str, ...]) -> About:
        article = one.article
        return About(
            article_id=one.article_id,
            story_id=one.story_id,
            feed=article.source,
            tags=tags,
            language=article.language,
            source=article.source,
            published=article.published,
            first_seen=article.first_seen,
            now=article.first_seen,
        )

    def _news(self, one: PastText, document: text.Document, matches: Sequence[Match]) -> frozenset[str]:
        """The rules that a copy satisfies in words of its own."""
        if one.novelty.of is None or one.novelty.kind is not NoveltyKind.DUPLICATE:
            return frozenset()
        return news(document, matches, self._originals(one.novelty.of), one.novelty)
