"""Copies decided in batches: the answers are those of a store where each article comes alone."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk import examples
from hypothesis import given
from hypothesis import strategies as st
from rig import WORDS
from stored import NEW, article, url_of

from worker.feeds.normalise import Known
from worker.model import Novelty, NoveltyKind, Origin
from worker.pipeline.deciding import Comparing, Subject, subject
from worker.pipeline.imports import store_in_order, store_known
from worker.store import Store, Tx, articles, open_store

NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)
#: Of each event: the title that two outlets give it, and its text.
EVENTS = (
    (
        "Le phare de Poulo Condor rallumé",
        "Poulo Condor : un phare renaît",
        "Le phare de Poulo Condor a été rallumé lundi",
    ),
    ("Un ours adopté à Kampot", "Kampot recueille un ours", "Un ours brun trouvé à Kampot vit chez les pompiers"),
    (
        "Grève des passeurs du Bassac",
        "Le Bassac sans passeurs",
        "Les passeurs du Bassac ne traversent plus depuis l'aube",
    ),
    (
        "Le thé de Phongsaly couronné",
        "Phongsaly, roi du thé",
        "Un thé noir de Phongsaly a reçu le premier prix de Lyon",
    ),
)
MORE = "et les habitants s'en réjouissent, a dit le maire aux visiteurs venus des villages d'alentour."
STANDING = (
    "Radio Delta émet jour et nuit dans les neuf provinces du sud depuis la grande tour de Mytho.",
    "Toute reproduction demande l'accord écrit de la rédaction de cette maison de presse fort ancienne.",
)


def item(number: int, event: int, title: int, text: str, outlet: str, hours: int = 0) -> Known:
    """An item of an outlet."""
    return Known(
        id=f"n{number}",
        language="fr",
        published=NOW + timedelta(hours=hours),
        precision="",
        source=f"Outlet {outlet}",
        url=f"https://{outlet}.example/{number}",
        title=EVENTS[event][title],
        body=text,
    )


def own(event: int) -> str:
    return f"{EVENTS[event][2]}, {MORE}"


@st.composite
def streams(draw: st.DrawFn) -> list[Known]:
    """Items of few events in few outlets: own text, standing text or both, under either title."""
    made = []
    for number in range(draw(st.integers(min_value=2, max_value=14))):
        event, title = draw(st.integers(0, 3)), draw(st.integers(0, 1))
        parts = draw(st.sampled_from([(0,), (0,), (0, 1), (1,), (2,), (1, 0), (0, 2)]))
        text = "\n\n".join(own(event) if part == 0 else STANDING[part - 1] for part in parts)
        made.append(item(number, event, title, text, draw(st.sampled_from("ab")), draw(st.integers(0, 300))))
    return made


def stored(path: Path, stream: list[Known], size: int) -> list[tuple[str, int | None]]:
    """The verdict on each item, in batches of so many."""
    store = open_store(url_of(path), create=True)
    try:
        found: dict[str, tuple[str, int | None]] = {}
        for at in range(0, len(stream), size):
            done = store_known(store, stream[at : at + size], NOW)
            found |= {name: (novelty.kind, novelty.of) for name, (_, novelty) in done.items()}
        return [found[known.id] for known in stream]
    finally:
        store.close()


@examples(6)
@given(stream=streams(), size=st.integers(min_value=2, max_value=14))
def test_batches_are_decided_as_if_each_came_alone(
    tmp_path_factory: pytest.TempPathFactory, stream: list[Known], size: int
) -> None:
    """Also where a batch itself makes standing text of a line."""
    folder = tmp_path_factory.mktemp("lane")
    assert stored(folder / "batch.db", stream, size) == stored(folder / "alone.db", stream, 1)


def test_a_line_that_a_batch_itself_makes_standing_text(store: Store) -> None:
    """It proves nothing for the text after, though nothing else in the batch is like that one."""
    draw = random.Random(3)

    def sentence(length: int = 14) -> str:
        return " ".join(draw.sample(WORDS, length)).capitalize() + "."

    def read(title: str, *sentences: str) -> Subject:
        return subject(article(title, " ".join(sentences)))

    def put(tx: Tx, one: Subject, novelty: Novelty) -> None:
        articles.add(tx, one.article, one.fingerprint, novelty, origin=Origin.FEED, document=one.document, now=NOW)

    line, own, other = sentence(16), [sentence() for _ in range(8)], [sentence() for _ in range(30)]
    batch = [read("Une autre affaire", *other, line), read("Le pont rouge", *own[:7], line)]
    with store.ingest() as tx:
        put(tx, read("Le pont rouge", *own, line), NEW)
    with store.ingest() as tx:
        comparing = Comparing(batch)
        comparing.ask(tx)
        for at, one in enumerate(batch):
            _, novelty = comparing.compare(tx, at)
            put(tx, one, novelty)
    assert "standing text" in novelty.why


@examples(8)
@given(stream=streams())
def test_a_copy_shares_its_distinctive_text_with_an_original(
    tmp_path_factory: pytest.TempPathFactory, stream: list[Known]
) -> None:
    """Whatever is called a copy tells the event of an original that was stored before and is no copy itself.

    Standing text alone is a copy under its own title only; and the same words again are always one.
    """
    store = open_store(url_of(tmp_path_factory.mktemp("property") / "veille.db"), create=True)
    try:
        done = store_in_order(store, stream, NOW)
    finally:
        store.close()
    numbers = {number: at for at, (number, _) in enumerate(done)}
    for at, (known, (_, novelty)) in enumerate(zip(stream, done, strict=True)):
        if novelty.kind is not NoveltyKind.DUPLICATE:
            assert (known.title, known.body) not in {(one.title, one.body) for one in stream[:at]}
            continue
        assert novelty.of is not None
        original = numbers[novelty.of]
        assert original < at
        assert done[original][1].kind is NoveltyKind.NEW
        here, there = ({e for e in range(4) if own(e) in one.body} for one in (known, stream[original]))
        assert here <= there, novelty.why
        assert here or known.title == stream[original].title, novelty.why
