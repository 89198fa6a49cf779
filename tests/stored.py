"""Rows for the store's tests, each put in by the functions that the jobs use."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.alerts import About, History, alert
from worker.analysis.copies import Fingerprint, decide, fingerprint
from worker.analysis.text import analyse
from worker.feeds.identify import Sighting, SightingKind
from worker.feeds.normalise import Known
from worker.model import (
    AlertPolicy,
    Article,
    Channel,
    Claimed,
    Feed,
    FeedState,
    LogSettings,
    Match,
    Message,
    Novelty,
    NoveltyKind,
    Obligation,
    Origin,
    Outcome,
    ParsedEntry,
    Part,
    Receipt,
    Secret,
    Severity,
    Span,
    Suppression,
    Target,
    Verdict,
)
from worker.pipeline.imports import store_known
from worker.store import Store, articles, deliveries, entries, feeds, fingerprints, ledger

TESTS = Path(__file__).parent
NOW = datetime(2026, 2, 6, 8, 30, tzinfo=UTC)
LEASE = timedelta(minutes=5)
NEW = Novelty(kind=NoveltyKind.NEW, why="No earlier article has this text.")


def feed(url: str = "https://a.example/rss", name: str = "A") -> Feed:
    """A configured feed."""
    return Feed(id=url, url=Secret(url), name=name)


def target(name: str) -> Target:
    """A target that writes into a folder."""
    settings = LogSettings(folder=Path("alerts"))
    return Target(id=name, channel=Channel.LOG, settings=settings, recipients=(f"log:{name}",))


def state_of(store: Store, configured: Feed | None = None) -> FeedState:
    """A feed's state; the feed is made known if it is not."""
    configured = configured or feed()
    with store.write() as tx:
        feeds.ensure(tx, [configured], NOW)
        return feeds.states(tx, [configured.id])[0]


def sighting(
    name: str,
    text: str = "Un texte.",
    *,
    kind: SightingKind = SightingKind.NEW,
    entry_id: int | None = None,
    link: str = "",
    keys: Sequence[str] = (),
) -> Sighting:
    """An item that a feed shows under the guid `name`."""
    return Sighting(
        parsed=ParsedEntry(guid=name, link=link, title=name, summary=text),
        kind=kind,
        keys=tuple(keys) or (f"guid:{name}",),
        digest=f"digest of {text}",
        entry_id=entry_id,
    )


def publish(
    store: Store,
    *sightings: Sighting,
    backlog: bool = False,
    page_within: timedelta | None = None,
    now: datetime = NOW,
) -> list[int]:
    """Store what a document showed; returns the ids of the entries under its keys."""
    before = state_of(store)
    with store.write() as tx:
        sha = entries.keep_raw(tx, "\n".join(s.parsed.title for s in sightings).encode(), now)
        entries.record(tx, before.id, sightings, raw_sha256=sha, backlog=backlog, page_within=page_within, now=now)
        known = entries.known(tx, before.id, [s.keys[0] for s in sightings])
    return [known[s.keys[0]].entry_id or 0 for s in sightings]


def take(store: Store, now: datetime = NOW, limit: int = 50) -> tuple[int, ...]:
    """Take ready entries, as ingest does."""
    with store.write() as tx:
        entries.quarantine_poisoned(tx, now=now)
        return entries.take_ready(tx, now=now, lease=LEASE, limit=limit)


def article(title: str, body: str = "", *, url: str = "", published: datetime = NOW) -> Article:
    """An article of this morning."""
    return Article(
        title=title,
        body=body or f"{title}. Le corps du texte.",
        language="fr",
        published=published,
        first_seen=NOW,
        url=url,
        link=url,
        source="A",
    )


def mark(text: str) -> Fingerprint:
    """The fingerprint of a text that has no title."""
    return fingerprint(analyse("", text, "fr"))


def add(
    store: Store,
    title: str,
    *,
    body: str = "",
    url: str = "",
    novelty: Novelty = NEW,
    origin: Origin = Origin.FEED,
    entry_id: int | None = None,
    now: datetime = NOW,
) -> int:
    """Store an article; returns its id."""
    one = article(title, body, url=url)
    with store.ingest() as tx:
        article_id, _ = articles.add(
            tx, one, mark(one.body), novelty, origin=origin, name=title, entry_id=entry_id, now=now
        )
        if entry_id is not None:
            entries.done(tx, {entry_id: article_id})
    return article_id


def match(rule: str = "visit", severity: Severity = Severity.HIGH) -> Match:
    """A rule that an article satisfies."""
    spans = (Span(part=Part.TITLE, words=((0, 3), (4, 6))), Span(part=Part.BODY, words=((2, 5),)))
    return Match(rule_id=rule, rule_name=f"Règle {rule}", rule_hash="f" * 64, severity=severity, spans=spans)


def owed(rule: str = "visit", recipient: str = "log:a", occasion: str = "first") -> Obligation:
    """An obligation that is to be sent."""
    return Obligation(
        rule_id=rule,
        target_id=recipient.partition(":")[2],
        recipient=recipient,
        occasion=occasion,
        verdict=Verdict.OWED,
    )


def suppressed(rule: str = "visit", recipient: str = "log:a", why: Suppression = Suppression.COPY) -> Obligation:
    """An obligation that is suppressed."""
    return Obligation(
        rule_id=rule,
        target_id=recipient.partition(":")[2],
        recipient=recipient,
        occasion="first",
        verdict=Verdict.SUPPRESSED,
        suppression=why,
    )


def create_obligations(
    store: Store, article_id: int, *obligations: Obligation, due: datetime = NOW, revision_id: int = 0
) -> int:
    """Let an article's text match the rules of `obligations` and owe them; returns how many deliveries opened."""
    with store.ingest() as tx:
        have = {m.rule_id for m in ledger.matches(tx, article_id)}
        rules = sorted({o.rule_id for o in obligations} - have)
        ids = ledger.add_matches(tx, article_id, revision_id or article_id, [match(rule) for rule in rules], NOW)
        for rule in have:
            ids[rule] = 1
        return ledger.add_obligations(tx, article_id, ids, obligations, due=due, now=NOW)


def open_one(store: Store, recipient: str = "log:a", *, due: datetime = NOW, title: str = "") -> int:
    """Store an article that is owed to one recipient; returns the delivery's id."""
    create_obligations(
        store, add(store, title or f"Article pour {recipient} dès {due:%d %H:%M}"), owed(recipient=recipient), due=due
    )
    with store.read() as tx:
        return max(line.id for line in deliveries.unsent(tx, limit=100_000))


def message(delivery_id: int) -> Message:
    """A sealed message."""
    return Message(content=f"octets {delivery_id}".encode(), message_id=f"<{delivery_id}@veille>", subject="Sujet")


def claim(store: Store, delivery_id: int, *, owner: str = "one", now: datetime = NOW) -> Claimed | None:
    """Claim a delivery as the job does: draft, seal if it is open, claim."""
    with store.read() as tx:
        draft = deliveries.draft(tx, delivery_id)
    sealed = message(delivery_id) if draft.state == "open" else None
    with store.write() as tx:
        return deliveries.claim(tx, draft, sealed, owner=owner, now=now, lease=LEASE)


def finish(
    store: Store,
    claimed: Claimed,
    outcome: Outcome,
    *,
    state: str,
    owner: str = "one",
    again_at: datetime = NOW,
    now: datetime = NOW,
) -> bool:
    """Write down what an attempt came to."""
    from worker.model import DeliveryState

    with store.write() as tx:
        return deliveries.finish(
            tx,
            claimed,
            Receipt(outcome=outcome, detail="250 ok"),
            owner=owner,
            state=DeliveryState(state),
            reason="because",
            again_at=again_at,
            now=now,
        )


def states(store: Store) -> dict[str, int]:
    """Deliveries counted by state, for each state that has any."""
    with store.read() as tx:
        return {state: n for state, n in deliveries.counts(tx).items() if n}


def ingest_copy(store: Store, number: int) -> str:
    """Store one text, the same for every `number`, as ingest does; what it was found to be."""
    body = "Le barrage de la Nam Theun livre depuis hier soir du courant à trois provinces voisines du fleuve. " * 3
    one = article(f"Le barrage {number}", body)
    found = mark(body)
    with store.ingest() as tx:
        novelty = decide(found, published=NOW, candidates=fingerprints.candidates(tx, found, url="", exclude=None))
        article_id, revision_id = articles.add(tx, one, found, novelty, origin=Origin.FEED, now=NOW)
        ids = ledger.add_matches(tx, article_id, revision_id, [match()], NOW)
        history = History(
            decided=ledger.decided(tx, article_id),
            original=articles.origin(tx, novelty.of) if novelty.of else None,
            decided_for_original=ledger.decided_for_text(tx, novelty.of) if novelty.of else frozenset(),
        )
        about = About(article_id=article_id, now=NOW)
        obligations = alert([match()], novelty, history, AlertPolicy(targets=(target("a"),)), about)
        ledger.add_obligations(tx, article_id, ids, obligations, due=NOW, now=NOW)
    return str(novelty.kind)


#: Two accounts of each of three events, that share their names and no sentence.
EVENTS = (
    (
        (
            "Le pont de Neak Loeung, long de 2.215 mètres, a rouvert mercredi après les travaux de Chip Mong. "
            "Le gouverneur de Prey Veng, Chea Somethy, a salué le chantier devant les habitants venus "
            "nombreux sur la rive. "
            "Les camions de riz y passent de nouveau, et les bacs sont repartis vers le nord du pays."
        ),
        (
            "Prey Veng : les voitures roulent de nouveau sur le pont de Neak Loeung. Fermé depuis six mois, l'ouvrage "
            "de 2.215 mètres a été livré mercredi par Chip Mong. « Un soulagement », dit le gouverneur Chea "
            "Somethy, pour "
            "qui le chantier a coûté cher aux marchands de la rive."
        ),
    ),
    (
        (
            "Un incendie a détruit dans la nuit quarante étals du marché Binh Tay, à Cho Lon. Les pompiers de Nguyen "
            "Van Luat ont lutté cinq heures contre les flammes, parties d'un réchaud. Personne n'a été "
            "blessé, mais les "
            "marchands de tissu ont perdu leurs réserves de la saison."
        ),
        (
            "Au marché Binh Tay de Cho Lon, les marchands cherchent ce que l'incendie a laissé de quarante étals. Le "
            "colonel Nguyen Van Luat met en cause un réchaud oublié ; ses pompiers ont tenu les flammes loin des "
            "réserves de tissu voisines."
        ),
    ),
    (
        (
            "L'université de Savannakhet et l'école Sisouk de Thakhek ont signé vendredi un accord sur la formation de "
            "soixante infirmières. La rectrice Bounmy Phonsavath y voit de quoi ouvrir trois dispensaires dans les "
            "montagnes avant la saison des pluies."
        ),
        (
            "Soixante infirmières de plus en montagne : la rectrice Bounmy Phonsavath a signé avec l'école Sisouk de "
            "Thakhek un accord de formation, qui permettra à l'université de Savannakhet d'ouvrir trois dispensaires."
        ),
    ),
)


def ingest_events(store: Store, number: int) -> str:
    """Store both accounts of each event, in an order of this `number`'s own, two at once; all are the same texts."""
    texts = [(event, account, body) for event, bodies in enumerate(EVENTS) for account, body in enumerate(bodies)]
    texts = texts[number % len(texts) :] + texts[: number % len(texts)]
    for at in range(0, len(texts), 2):
        batch = [
            Known(
                id=f"{number}-{event}-{account}",
                language="fr",
                published=NOW,
                precision="",
                source=f"Journal {number}",
                url="",
                title="",
                body=f"Hanoï (VNA) - {body}" if number % 2 else body,
            )
            for event, account, body in texts[at : at + 2]
        ]
        store_known(store, batch, NOW)
    return "stored"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def python(code: str, *words: str) -> subprocess.Popen[str]:
    """Another process that runs `code` with the tests' modules at hand."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
