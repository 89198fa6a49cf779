"""Inflection, against a table of pairs that was written from the language and not from what the code answers.

`tests/data/inflection.tsv`: language, term as an analyst writes it, word in a text, `same` or `other`, and why. What
it holds to: inflection joins and derivation parts; a term that is a headword stands for itself, any other for its
headwords; where two words fold to the same letters the pair is `same`; where a rare form folds as a word of nearly
every article, it is `other`.
"""

import csv
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.analysis import text

TABLE = Path(__file__).parent / "data" / "inflection.tsv"

#: Where the code is known to be wrong: to part these, it would have to know names.
KNOWN_WRONG = {
    ("fr", "venir", "vienne"): "the dictionary knows the city, and gives it the letters",
    ("fr", "Siphandone", "Siphandon"): "no dictionary knows the name, and an -e is a feminine",
    ("fr", "Anouvong", "anouvongs"): "no dictionary knows the name, and an -s is a plural",
}


def _table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def _is_same(language: str, term: str, written: str) -> bool:
    """True if a term finds what is written, word by word, as a query's term of several words does."""
    words, found = ([s[start:end] for start, end in text.words(s)] for s in (term, written))
    return len(words) == len(found) and all(
        text.fold(other) in text.family(word, language) for word, other in zip(words, found, strict=True)
    )


def test_the_table():
    """Every pair is judged as the table says, but for those known to be wrong; each wrong one is shown."""
    wrong = {
        (row["language"], row["term"], row["word"]): f"{row['verdict']}: {row['why']}"
        for row in _table()
        if _is_same(row["language"], row["term"], row["word"]) != (row["verdict"] == "same")
    }
    assert {key: wrong[key] for key in wrong.keys() - KNOWN_WRONG} == {}
    assert wrong.keys() == KNOWN_WRONG.keys(), "some that were wrong are right by now: take them off the list"


def test_the_table_is_large_and_argued():
    """Enough pairs of each language and verdict, each pair once, none without a reason."""
    rows = _table()
    assert Counter(row["verdict"] for row in rows).keys() == {"same", "other"}
    assert all(all(value and value == value.strip() for value in row.values()) for row in rows)
    languages = Counter(row["language"] for row in rows)
    assert languages["fr"] >= 320
    assert languages["en"] >= 80
    traps = Counter(row["language"] for row in rows if row["verdict"] == "other")
    assert traps["fr"] >= 160
    assert traps["en"] >= 40
    pairs = Counter((row["language"], row["term"], row["word"]) for row in rows)
    assert [pair for pair, count in pairs.items() if count > 1] == []


def _letters(written: str) -> str:
    """Folded apart from the code: small letters without marks."""
    marked = written.lower().replace("œ", "oe").replace("đ", "d")
    return "".join(char for char in unicodedata.normalize("NFD", marked) if not unicodedata.combining(char))


def test_what_folds_alike_is_the_same():
    """The table never asks to part what the folded letters cannot part."""
    alike = [row for row in _table() if _letters(row["term"]) == _letters(row["word"])]
    assert len(alike) >= 40
    assert [row for row in alike if row["verdict"] == "other"] == []


#: Present, imperfect, future, conditional and participles, as a grammar prints them; each model that news needs.
CONJUGATIONS = {
    "présenter": "présente présentons présentez présentait présentaient présentera présenteront présenterait",
    "négocier": "négocie négocions négociez négociait négociaient négociera négocieront négociant négociées",
    "diriger": "dirige dirigeons dirigez dirigeait dirigeaient dirigera dirigeront dirigerait dirigeant dirigées",
    "déployer": "déploie déployons déploient déployait déploiera déploieront déploierait déployant déployées",
    "réunir": "réunit réunissons réunissent réunissait réunira réuniront réunirait réunissant réunies réunisse",
    "tenir": "tient tenez tiennent tenait tenaient tiendra tiendront tiendrait tenant tenues tienne",
    "recevoir": "reçoit recevons reçoivent recevait recevra recevront recevrait recevant reçues reçoive",
    "couvrir": "couvre couvrons couvrent couvrait couvrira couvriront couvrirait couvrant couvertes",
    "accueillir": "accueille accueillons accueillent accueillait accueillera accueilleront accueillerait accueillies",
    "courir": "court courons courent courait courra courront courrait courant courues coure",
    "servir": "sert servons servent servait servira serviront servirait servant servies",
    "prendre": "prend prenons prennent prenait prendra prendront prendrait prenant prises prenne",
    "rendre": "rend rendons rendent rendait rendra rendront rendrait rendant rendues rende",
    "mettre": "met mettons mettent mettait mettra mettront mettrait mettant mises mette",
    "faire": "fait faisons faites font faisait fera feront ferait faisant faites fasse fassent",
    "dire": "dit disons dites disent disait dira diront dirait disant dite dise",
    "conclure": "conclut concluons concluent concluait conclura concluront conclurait concluant conclues",
    "produire": "produit produisons produisent produisait produira produiront produirait produisant produites",
    "inscrire": "inscrit inscrivons inscrivent inscrivait inscrira inscriront inscrirait inscrivant inscrites",
    "joindre": "joint joignons joignent joignait joindra joindront joindrait joignant jointes joigne",
    "reconnaître": "reconnaît reconnaissent reconnaissait reconnaîtra reconnaîtront reconnaissant reconnues",
    "suivre": "suit suivons suivent suivait suivra suivront suivrait suivant suivies suive",
    "pouvoir": "peut pouvons peuvent pouvait pourra pourront pourrait pouvant pu puisse puissent",
    "devoir": "doit devons doivent devait devra devront devrait due dues doive",
    "vouloir": "veut voulons veulent voulait voudra voudront voudrait voulant voulues veuille",
    "savoir": "sait savons savent savait saura sauront saurait sachant sues sache",
    "voir": "voit voyons voient voyait verra verront verrait voyant vues",
    "aller": "va allons vont allait ira iront irait allant allées aille",
}


@pytest.mark.parametrize("verb", CONJUGATIONS)
def test_conjugations(verb):
    """The forms of a whole verb are one family, from the infinitive."""
    kin = text.family(verb, "fr")
    assert [form for form in CONJUGATIONS[verb].split() if text.fold(form) not in kin] == []


@pytest.mark.parametrize(
    ("term", "has", "lacks"),
    [
        ("signé", {"signer", "signent", "signées"}, {"signature"}),
        ("SIGNÉS", {"signer", "signent"}, {"signature"}),
        ("signe\u0301", {"signer"}, {"signature"}),
        ("signe", {"signes"}, {"signer", "signent"}),
        ("traité", {"traites"}, {"traiter", "traitent"}),
    ],
)
def test_an_accent_in_a_term(term, has, lacks):
    """A participle written with its accent stands for its verb; a noun, or a copy without accents, for itself."""
    kin = text.family(term, "fr")
    assert {form for form in has if text.fold(form) not in kin} == set()
    assert {form for form in lacks if text.fold(form) in kin} == set()


WORDS = st.one_of(
    st.sampled_from(sorted({row["word"] for row in _table()} | {row["term"] for row in _table()})),
    st.text(st.sampled_from("abceéèilnorstuœç"), min_size=1, max_size=9),
)
LANGUAGES = st.sampled_from(["fr", "en", "vi", "km", "xx"])


@given(WORDS, LANGUAGES)
def test_a_family_is_folded_and_holds_its_word(word, language):
    """Forms are compared with folded words, so all are folded, and a word is always found as it is written."""
    kin = text.family(word, language)
    assert text.fold(word) == kin.word
    assert kin.word in kin.forms
    assert {form for form in kin.forms if text.fold(form) != form} == set()
    assert all(form in kin for form in kin.forms)


@given(WORDS)
def test_a_language_without_a_dictionary_does_not_inflect(word):
    """Vietnamese, Khmer and unknown languages fold, and no more."""
    assert text.family(word, "vi").forms == {text.fold(word)}
    assert text.family(word, "vi").stem == ""
