"""Tables of dictionaries that are kept beside the byte code: believed only if they are what would be made now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from worker.analysis.text.inflection import dictionary
from worker.analysis.text.inflection.dictionary import Lexicon

ENTRIES = [("visites", "visite"), ("signé", "signer"), ("signe", "signe"), ("visite", "visiter"), ("œufs", "œuf")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one language's tables."""
    monkeypatch.setattr(dictionary, "_place", lambda language: tmp_path / "cache" / f"{language}.bin")
    return tmp_path / "cache" / "fr.bin"


def asked(known: Lexicon) -> list[object]:
    """All that can be asked of these entries."""
    words = ["visite", "visites", "visiter", "signe", "signer", "oeuf", "oeufs", "nothing", ""]
    return [
        *((known.headwords(word), known.forms(word), known.is_headword(word)) for word in words),
        known.verb_of("signé"),
        known.verb_of("visité"),
    ]


def test_what_was_kept_answers_as_what_was_made(place: Path) -> None:
    """Every question has the same answer."""
    made = Lexicon.of(ENTRIES)
    dictionary.keep("fr", made.parts())
    kept = dictionary.read("fr")
    assert kept is not None
    assert asked(Lexicon.from_parts(kept)) == asked(made)
    assert made.headwords("visite") == ["visite", "visiter"]
    assert made.forms("oeuf") == {"oeuf", "oeufs"}
    assert (made.is_headword("visites"), made.is_headword("visite"), made.verb_of("signé")) == (False, True, "signer")
    assert [path.name for path in place.parent.iterdir()] == ["fr.bin"], "nothing is left beside it"


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept[:0],
        lambda kept: kept[:-1],
        lambda kept: kept[:70] + bytes([kept[70] ^ 1]) + kept[71:],
        lambda kept: bytes([kept[0] ^ 1]) + kept[1:],
    ],
    ids=["empty", "truncated", "a bit", "another's"],
)
def test_what_does_not_fit_is_not_read(place: Path, damage: Callable[[bytes], bytes]) -> None:
    """Nor is it in the way of what replaces it."""
    parts = Lexicon.of(ENTRIES).parts()
    dictionary.keep("fr", parts)
    whole = place.read_bytes()
    place.write_bytes(damage(whole))
    assert dictionary.read("fr") is None
    dictionary.keep("fr", parts)
    assert place.read_bytes() == whole


def test_where_nothing_can_be_written_nothing_is_kept(place: Path) -> None:
    """A read-only installation works, and makes them at each start."""
    place.parent.write_text("in the way")
    dictionary.keep("fr", Lexicon.of(ENTRIES).parts())
    assert dictionary.read("fr") is None
    assert place.parent.read_text() == "in the way"
