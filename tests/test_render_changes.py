"""Changes of a correction."""

import sys
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.notify.render import changes

#: The function has the name of its module.
changes_module = sys.modules["worker.notify.render.changes"]

BEFORE = (
    "La visite durera deux jours. L'accord porte sur 1 200 tonnes de riz.\n\n"
    "« Nous signerons », a dit le ministre. Rien de neuf sur les tarifs. Le port est fermé."
)
#: Sentences that share no word, so that none becomes another.
SENTENCES = tuple(" ".join(f"{letter}{word}" for word in "abcde").capitalize() + "." for letter in "BCDFGHJKLM")


def shown(before: str, after: str) -> list[tuple[str, str]]:
    """Both sides of each change, the marked words in brackets."""
    sides = []
    for change in changes(before, after):
        pair = []
        for side in (change.before, change.after):
            marked = side.text
            for start, end in reversed(side.marks):
                marked = f"{marked[:start]}[{marked[start:end]}]{marked[end:]}"
            pair.append(marked)
        sides.append((pair[0], pair[1]))
    return sides


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "deux jours",
            "trois jours",
            [("La visite durera [deux] jours.", "La visite durera [trois] jours.")],
            id="a-word",
        ),
        pytest.param(
            "1 200 tonnes",
            "12 000 tonnes de",
            [("L'accord porte sur [1 200] tonnes de riz.", "L'accord porte sur [12 000] tonnes de [de] riz.")],
            id="a-number",
        ),
        pytest.param(
            "fermé",
            "fermé depuis lundi",
            [("Le port est fermé.", "Le port est fermé [depuis lundi].")],
            id="more-words",
        ),
        pytest.param(" Rien de neuf sur les tarifs.", "", [("Rien de neuf sur les tarifs.", "")], id="removed"),
        pytest.param(
            "Le port est",
            "Hanoï répondra mardi prochain. Le port est",
            [("", "Hanoï répondra mardi prochain.")],
            id="added",
        ),
        pytest.param(
            "Rien de neuf sur les tarifs",
            "Hanoï répondra mardi prochain",
            [("Rien de neuf sur les tarifs.", ""), ("", "Hanoï répondra mardi prochain.")],
            id="replaced",
        ),
        pytest.param(
            "200 tonnes",
            "200 % tonnes",
            [("L'accord porte sur 1 200 tonnes de riz.", "L'accord porte sur 1 200 [%] tonnes de riz.")],
            id="a-sign",
        ),
        pytest.param("L'accord porte sur", "L’accord porte sur", [], id="apostrophe"),
        pytest.param("1 200", "1\u202f200", [], id="space"),
        pytest.param("« Nous signerons », a dit", '"Nous signerons" a dit', [], id="quotes"),
        pytest.param("fermé.", "fermé…", [], id="stop"),
        pytest.param("le ministre", "le Ministre", [], id="capital"),
        pytest.param("jours. L'accord", "jours ; l'accord", [], id="two-sentences-in-one"),
        pytest.param("\n\n", " ", [], id="paragraphs"),
        pytest.param("", "", [], id="the-same"),
    ],
)
def test_changes(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    """Sentences side by side, what differs marked; how they are typed is no difference."""
    assert old in BEFORE
    assert shown(BEFORE, BEFORE.replace(old, new, 1) if old else BEFORE) == expected


def test_a_sentence_that_moved_is_no_change() -> None:
    """The same sentences in another order say the same."""
    assert shown(" ".join(SENTENCES), " ".join(reversed(SENTENCES))) == []


def test_five_at_most() -> None:
    """The first five, in reading order."""
    after = [sentence.replace("a ", "aa ", 1) for sentence in SENTENCES]
    assert [pair[1].replace("[", "").replace("]", "") for pair in shown(" ".join(SENTENCES), " ".join(after))] == after[
        :5
    ]


def test_scripts_without_spaces() -> None:
    """A cluster of letters is what differs there."""
    assert shown("总理周一访问河内。", "总理周二访问河内。") == [("总理周[一]访问河内。", "总理周[二]访问河内。")]
    assert shown("ទស្សនកិច្ច ២ ថ្ងៃ។", "ទស្សនកិច្ច ៣ ថ្ងៃ។") == [("ទស្សនកិច្ច [២] ថ្ងៃ។", "ទស្សនកិច្ច [៣] ថ្ងៃ។")]


@given(st.lists(st.sampled_from(SENTENCES), unique=True), st.lists(st.sampled_from(SENTENCES), unique=True))
def test_what_stands_on_one_side_alone(before: list[str], after: list[str]) -> None:
    """Of sentences that share nothing, exactly those are told that one text lacks, each on its own side."""
    gone = [one for one in before if one not in after]
    come = [one for one in after if one not in before]
    found = shown(" ".join(before), " ".join(after))
    assert len(found) == min(5, len(gone) + len(come))
    assert [one for one, _ in found if one] == gone[: sum(1 for one, _ in found if one)]
    assert [one for _, one in found if one] == come[: sum(1 for _, one in found if one)]


@given(st.text(st.sampled_from("ab é.\n!-5%李់"), max_size=80), st.text(st.sampled_from("ab é.\n!-5%李់"), max_size=80))
def test_marks_lie_inside(before: str, after: str) -> None:
    """Whatever the texts, each side is a sentence of its own text, its marks in order, apart and not empty."""
    assert changes(before, before) == ()
    for change in changes(before, after):
        for side, whole in ((change.before, before), (change.after, after)):
            assert side.text in whole
            context = [edge for mark in side.marks for edge in mark]
            assert context == sorted(context)
            assert all(0 <= start < end <= len(side.text) for start, end in side.marks)
        assert change.before.text or change.after.text


@pytest.mark.parametrize("sign", ["%", "% ", "\u20ac", "-1"])
def test_f25_a_sentence_of_signs(sign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sentence the first hundred words and signs are compared, however many there are."""
    longest: list[int] = []

    class Matcher(SequenceMatcher[str]):
        def __init__(self, junk: None, a: list[str], b: list[str], *, autojunk: bool) -> None:
            longest.append(max(len(a), len(b)))
            super().__init__(junk, a, b, autojunk=autojunk)

    monkeypatch.setattr(changes_module, "SequenceMatcher", Matcher)
    assert changes("Il a dit " + sign * 5_000, "Elle a dit " + sign * 5_000)
    assert max(longest) <= 200
