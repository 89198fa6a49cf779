"""The stored articles: shipped as facts, and recognised when a feed carries them again."""

import itertools
import json
import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.analysis import archive
from worker.analysis.archive import generate
from worker.analysis.copies import SCHEME, Candidate, Fingerprint, decide, fingerprint, from_archive
from worker.analysis.text import analyse
from worker.feeds.normalise import clean, from_txt
from worker.model import NoveltyKind

SHARED = Path(__file__).parents[2] / "shared"
SEEDS = SHARED / "seeds"
WATCH = SHARED / "data" / "watch"
NOW = datetime(2026, 5, 4, tzinfo=UTC)
needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the shared data is not here")


def test_what_ships() -> None:
    """Five articles with their dates as precise as known, the titles of the two that have one, no text."""
    shipped = archive.load()
    assert [(each.id, each.published.date().isoformat(), each.precision) for each in shipped] == [
        ("000", "2025-07-01", "month"),
        ("001", "2026-02-06", "day"),
        ("002", "2024-01-01", "month"),
        ("003", "2026-02-06", "day"),
        ("004", "2023-11-01", "month"),
    ]
    assert {each.published.tzinfo for each in shipped} == {UTC}
    assert [each.id for each in shipped if each.title] == ["000", "003"]
    assert {(each.source, each.language) for each in shipped} == {("VNA", "fr")}


def test_the_fingerprints_are_of_this_release() -> None:
    """A change of scheme must come with new data."""
    fingerprints = [from_archive(each) for each in archive.load()]
    assert {each.scheme for each in fingerprints} == {SCHEME}
    assert all(each.words > 300 and each.bands and each.shingles for each in fingerprints)


def _known() -> list[Candidate]:
    return [
        Candidate(article_id=int(each.id), fingerprint=from_archive(each), published=each.published)
        for each in archive.load()
    ]


def _candidates(of: Fingerprint, known: list[Candidate]) -> list[Candidate]:
    """Candidates that an index of the bands would find."""
    return [each for each in known if not set(of.bands).isdisjoint(each.fingerprint.bands)]


def _sentences(text: str) -> list[str]:
    return re.findall(r"\S[^.;]*[.;]*", text)


def _plain(text: str) -> str:
    """Without accents, as some sites publish."""
    text = unicodedata.normalize("NFD", text).translate(str.maketrans("Đđ", "Dd"))
    return "".join(char for char in text if not unicodedata.combining(char))


EDITS = {
    "as-it-is": lambda text: text,
    "sign-off": lambda text: f"{text}\n\nAVI",
    "no-accents": _plain,
    "sign-off-and-no-accents": lambda text: f"{_plain(text)} -VNA",
    "agency-head": lambda text: f"Vientiane, 3 mai (KPL) - {text}",
    "unknown-head": lambda text: f"Vientiane, 3 mai. {text}",
    "truncated": lambda text: text[: int(len(text) * 0.6)] + "…",
    "summary": lambda text: " ".join(text.split()[:45]) + "…",
    "reordered": lambda text: " ".join(reversed(_sentences(text))),
    "third-sentence-dropped": lambda text: " ".join(s for at, s in enumerate(_sentences(text)) if at != 2),
    "in-a-round-up": lambda text: f"Un autre sujet occupe la journée à Luang Prabang, où le marché rouvre.\n\n{text}",
}


@needs_seeds
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("name", ["000", "001", "002", "003", "004"])
def test_each_is_recognised_again(name: str, edit: object) -> None:
    """Each of the five, edited as outlets do, is a duplicate of what ships."""
    (path,) = SEEDS.glob(f"{name}_*.txt")
    body = clean(edit(from_txt(path.read_text(encoding="utf-8")).body))
    made = fingerprint(analyse("Un titre que le site a choisi", body, "fr"))
    published = NOW if made.words >= 40 else next(each.published for each in _known() if each.article_id == int(name))
    novelty = decide(made, published=published, candidates=_candidates(made, _known()))
    assert (novelty.kind, novelty.of) == (NoveltyKind.DUPLICATE, int(name)), novelty.why


def test_no_two_are_copies() -> None:
    """The five are five."""
    for one, two in itertools.permutations(_known(), 2):
        assert decide(one.fingerprint, published=one.published, candidates=[two]).kind is NoveltyKind.NEW


@pytest.mark.skipif(not WATCH.is_dir(), reason="the shared data is not here")
def test_no_other_article_is_one_of_them() -> None:
    """Eighty articles on the same subjects are none of the five, index or no index."""
    for line in (WATCH / "articles.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        made = fingerprint(analyse(record["title"], clean(record["text"]), record["lang"]))
        novelty = decide(made, published=NOW, candidates=_known())
        assert novelty.kind is NoveltyKind.NEW, (record["id"], novelty.why)


@needs_seeds
def test_the_data_is_what_generate_writes() -> None:
    """The shipped file is that of the texts, to the byte."""
    assert Path(archive.__file__).with_name("five.json").read_text(encoding="utf-8") == generate.generate(SEEDS)


@needs_seeds
def test_no_text_ships() -> None:
    """No five words in a row of any body stand in the data."""
    data = " ".join(Path(archive.__file__).with_name("five.json").read_text(encoding="utf-8").casefold().split())
    titles = " ".join(each.title for each in archive.load()).casefold()
    for path in SEEDS.glob("*.txt"):
        words = from_txt(path.read_text(encoding="utf-8")).body.casefold().split()
        runs = {" ".join(words[at : at + 5]) for at in range(len(words) - 4)}
        assert not {run for run in runs if run in data and run not in titles}


@pytest.mark.parametrize("arguments", [[], ["no such folder"], [".", "."]], ids=["none", "missing", "two"])
def test_generate_wants_a_folder(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is a usage error and writes nothing."""
    monkeypatch.setattr("sys.argv", ["generate", *arguments])
    assert generate.main() == 64
    assert "usage" in capsys.readouterr().err
