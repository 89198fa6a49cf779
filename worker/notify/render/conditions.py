"""Words to operators about conditions, in French and English: of feeds, rules, targets and the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from worker.alerts.self_watch import Condition, Kind
from worker.model import times
from worker.notify.render.sentences import again, said

#: Conditions whose lines are sentences.
_BY_LINE = frozenset({Kind.TARGET_PARKED, Kind.WORKER_FAULT, Kind.LEDGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wording:
    #: Subject and body of each kind; what stands in braces is named as the values of a condition are.
    kinds: Mapping[Kind, tuple[str, str]]
    #: `{since}`: in a subject.
    since: str
    #: Seconds and the name of a unit, the largest first.
    units: tuple[tuple[int, str], ...]


def subject(condition: Condition, language: str) -> str:
    """A condition in one sentence."""
    return _subject(condition.kind, condition.name, condition.last, condition.count, language)


def ended(kind: Kind, name: str, language: str) -> str:
    """A condition that is over, of which only its kind and its name are known."""
    return _subject(kind, name, None, 0, language)


def stored(words: str, kind: Kind, language: str) -> str:
    """The subject of a condition that is on, as it is stored in English, in this language."""
    if language == "en":
        return words
    here, there = _ENGLISH, _words(language)
    english, other = here.kinds[kind][0], there.kinds[kind][0]
    since = english.replace("{since}", here.since), other.replace("{since}", there.since)
    return again(words, [since, (english.replace("{since}", ""), other.replace("{since}", ""))])


def _subject(kind: Kind, name: str, last: datetime | None, count: int, language: str) -> str:
    words = _words(language)
    since = times.bare(last, times.DAY) if kind is Kind.RULE_QUIET else times.say(last)
    return words.kinds[kind][0].format(name=name, count=count, since=words.since.format(since=since) if since else "")


def body(condition: Condition, language: str) -> str:
    """The sentences behind a condition's subject; none where the past that it was judged by is forgotten."""
    words = _words(language).kinds[condition.kind][1]
    if "{span}" in words and condition.span is None:
        return ""
    between = "\n" if condition.kind in _BY_LINE else ", "
    return words.format(
        span="" if condition.span is None else say_span(condition.span, language),
        count=condition.count,
        of=condition.of,
        lines=between.join(said(line, language) for line in condition.lines),
    )


def say_span(span: timedelta, language: str) -> str:
    """A duration, rounded: `3 days`."""
    seconds, units = span.total_seconds(), _words(language).units
    size, name = next((unit for unit in units if seconds >= 2 * unit[0]), units[-1])
    return f"{seconds / size:.0f} {name}"


_FRENCH = _Wording(
    kinds=MappingProxyType(
        {
            Kind.FEED_FAILS: ("{name} : {count} relevés ont échoué", ""),
            Kind.FEED_SILENT: (
                "{name} : rien de nouveau{since}",
                "Il répond, mais n’apporte rien. Ces derniers temps, il n’était jamais resté muet plus de {span}.",
            ),
            Kind.FEED_GAP: (
                "{name} : des articles ont pu passer inaperçus",
                (
                    "Son dernier document ne contenait que du nouveau : d’autres articles ont pu y paraître et en"
                    " disparaître entre deux relevés. Relevez-le plus souvent."
                ),
            ),
            Kind.FEED_PAGES: (
                "{name} : les pages de ses articles sont inutilisables",
                "Ses articles s’en tiennent au texte du flux. `veille status` compte les pages écartées, par motif.",
            ),
            Kind.FEED_DATES: (
                "{name} : des dates sont illisibles",
                (
                    "Dans son dernier document : {count}, par exemple {lines}. Ses articles comptent comme datés du"
                    " moment où ils ont été vus : d’anciens passent pour nouveaux, et `max_age` ne les arrête pas."
                ),
            ),
            Kind.DNS_DOWN: (
                "le serveur de noms ne répond pas",
                "Flux qui ne peuvent être relevés : {count} sur {of} ({lines}). Leurs échecs ne sont pas comptés.",
            ),
            Kind.RULE_QUIET: (
                "règle {name} : aucun article{since}",
                "Les semaines d’avant, elle n’était jamais restée muette plus de {span}.",
            ),
            Kind.RULE_SPIKES: (
                "règle {name} : bien plus d’articles que jamais",
                "En un jour : {count} ; le jour le plus chargé des deux semaines d’avant : {of}.",
            ),
            Kind.TICK_MISSED: (
                "{name} : un cycle est venu en retard",
                "La plus longue pause entre deux cycles a duré {span} : la machine dormait, ou elle est trop chargée.",
            ),
            Kind.TARGET_PARKED: ("{name} : rien ne peut être envoyé", "{lines}"),
            Kind.DISK_LOW: (
                "le disque de la base est presque plein",
                "Il reste {count} Mo. Une fois le disque plein, plus rien n’est enregistré tant que la place manque.",
            ),
            Kind.STORE_BUSY: (
                "{name} : la base est occupée",
                "Transactions qui ont attendu en vain : {count}. Un autre programme écrit longtemps dans la base.",
            ),
            Kind.LOG_LARGE: (
                "le journal de la base grossit",
                "Il a {count} Mo. Un programme lit la base depuis longtemps, ce qui empêche de le vider.",
            ),
            Kind.LEDGER: ("le registre des alertes ne tombe pas juste", "{lines}"),
            Kind.WORKER_FAULT: (
                "{name} : le travail est bloqué",
                "{lines}\nRien n’est abandonné pour autant : tout attend, et reprendra une fois la cause écartée.",
            ),
        }
    ),
    since=" depuis le {since}",
    units=((86_400, "jours"), (3_600, "heures"), (60, "minutes"), (1, "secondes")),
)

_ENGLISH = _Wording(
    kinds=MappingProxyType(
        {
            Kind.FEED_FAILS: ("{name}: {count} polls failed", ""),
            Kind.FEED_SILENT: (
                "{name}: nothing new{since}",
                "It answers, but brings nothing. It was never silent for longer than {span} of late.",
            ),
            Kind.FEED_GAP: (
                "{name}: items may have passed unseen",
                "Its last document held new items only, so that others may have come and gone: poll it more often.",
            ),
            Kind.FEED_PAGES: (
                "{name}: the pages of its articles cannot be used",
                "Its articles go by what the feed itself says. `veille status` counts why their pages are not taken.",
            ),
            Kind.FEED_DATES: (
                "{name}: dates cannot be read",
                (
                    "In its last document: {count}, such as {lines}. Its articles count as of when they were first"
                    " seen, so that old ones are taken for new: `max_age` does not hold."
                ),
            ),
            Kind.DNS_DOWN: (
                "the name server does not answer",
                "Feeds that cannot be polled: {count} of {of} ({lines}). Their failures are not counted.",
            ),
            Kind.RULE_QUIET: (
                "rule {name}: no match{since}",
                "It was never quiet for longer than {span} in the weeks before.",
            ),
            Kind.RULE_SPIKES: (
                "rule {name}: many more matches than ever",
                "In a day: {count}; on the busiest day of the two weeks before: {of}.",
            ),
            Kind.TICK_MISSED: (
                "{name}: the tick came late",
                "The longest pause between two ticks was {span}: the machine slept, or is too busy.",
            ),
            Kind.TARGET_PARKED: ("{name}: nothing can be sent", "{lines}"),
            Kind.DISK_LOW: (
                "the store's disk is nearly full",
                "{count} MB are left. When it is full, nothing new is stored until there is room.",
            ),
            Kind.STORE_BUSY: (
                "{name}: the store is busy",
                "Transactions that waited in vain: {count}. Another process writes to the store for long.",
            ),
            Kind.LOG_LARGE: (
                "the store's log grows",
                "It has {count} MB. Some process has been reading the store for long, and keeps it.",
            ),
            Kind.LEDGER: ("the ledger does not add up", "{lines}"),
            Kind.WORKER_FAULT: (
                "{name}: it cannot do its work",
                "{lines}\nNothing is given up for it: all of it waits, and goes on when that is put right.",
            ),
        }
    ),
    since=" since {since}",
    units=((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")),
)


def _words(language: str) -> _Wording:
    return _ENGLISH if language == "en" else _FRENCH
