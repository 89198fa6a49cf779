"""Texts of invented French words, by Zipf's law, and what outlets make of them: copies, and what only looks alike.

A file for `veille import`:
`python benchmarks/dedupetexts.py 100000 > articles.jsonl`
"""

import json
import random
import re
import sys
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate

#: Beginnings of syllables, vowels, ends of words, the commonest words, places, months.
_LISTS = """
b c ch d f g j l m n p qu r s t v br cl cr dr fl gr pl pr tr

a e é i o ou u an en on in ai eu oi

r s t l ne re tion ment

le la de du des les un une et à en que qui dans pour par sur avec au aux son sa ses ce cette il elle

Attapeu Champassak Kampong Kratié Luang Namtha Pailin Pursat Ratanakiri Saravane Takéo Thakhek

janvier février mars avril mai juin juillet août septembre octobre novembre décembre
"""
_ONSETS, _VOWELS, _ENDS, _COMMON, _PLACES, _MONTHS = (part.split() for part in _LISTS.split("\n\n"))
_VOCABULARY = 20_000

#: When the first of many articles was published.
FIRST = datetime(2025, 7, 1, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An article's title and body; `of`: the name of the text that it was made of."""

    name: str
    title: str
    body: str
    of: str = ""


def _vocabulary() -> list[str]:
    draw, made = random.Random(3), dict.fromkeys(_COMMON)
    while len(made) < _VOCABULARY:
        syllables = "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) for _ in range(draw.randrange(1, 4)))
        made[syllables + draw.choice(("", "", *_ENDS))] = None
    return list(made)


_WORDS = _vocabulary()
#: Zipf's law: the nth word stands once where the first stands n times.
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))


#: Of seven letters and more: of shorter names, those that differ in a letter are other names (Iran and Irak).
_NAMES = [word for word in _WORDS[100:] if len(word) > 6]


def _name(draw: random.Random) -> str:
    return " ".join(draw.choice(_NAMES).capitalize() for _ in range(2))


def fresh(draw: random.Random, name: str) -> Text:
    """A report of about 300 words in fifteen sentences, with numbers, a date, places and two people."""
    people, place = [_name(draw), _name(draw)], draw.choice(_PLACES)
    sentences = []
    for number in range(15):
        words = draw.choices(_WORDS, cum_weights=_WEIGHTS, k=17)
        words[draw.randrange(17)] += f", {people[number % 2]},"
        if number % 3 == 0:
            words[draw.randrange(17)] += f" {draw.randrange(12, 900)}"
        if number % 4 == 1:
            words[draw.randrange(17)] += f" à {place}"
        if number == 2:
            words[5] += f" le {draw.randrange(1, 29)} {draw.choice(_MONTHS)}"
        sentences.append((" ".join(words) + ".").capitalize())
    title = " ".join(draw.choices(_WORDS, cum_weights=_WEIGHTS, k=6)).capitalize() + f" à {place}"
    # `capitalize` made the names small: they are written again as names.
    body = " ".join(sentences)
    for one in (*people, place, *_MONTHS):
        body = re.sub(re.escape(one), one, body, flags=re.IGNORECASE)
    return Text(name=name, title=title, body=body)


def _split(text: Text) -> list[str]:
    return re.split(r"(?<=\.) ", text.body)


def _dropped(draw: random.Random, text: Text) -> str:
    sentences = _split(text)
    for _ in range(2):
        del sentences[draw.randrange(len(sentences))]
    return " ".join(sentences)


def _reordered(draw: random.Random, text: Text) -> str:
    sentences = _split(text)
    sentences.insert(draw.randrange(2, 6), sentences.pop(draw.randrange(8, 12)))
    return " ".join(sentences)


def _people(text: Text) -> list[str]:
    return re.findall(r", (\S+ \S+),", text.body)[:2]


def _respelled(_: random.Random, text: Text) -> str:
    body = text.body
    for one in _people(text):
        body = body.replace(one, one[:-1] + ("e" if one[-1] != "e" else "a"))
    return body


def _plain(_: random.Random, text: Text) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text.body) if not unicodedata.combining(c))


def _glued(draw: random.Random, text: Text) -> str:
    words = text.body.split(" ")
    for _ in range(5):
        at = draw.randrange(len(words) - 1)
        words[at : at + 2] = [words[at] + words[at + 1]]
    return " ".join(words)


def _copyedited(draw: random.Random, text: Text) -> str:
    words = text.body.split(" ")
    for at in draw.sample([n for n, word in enumerate(words) if word.islower() and word.isalpha()], len(words) // 35):
        words[at] = draw.choice(_WORDS[:2_000])
    return " ".join(words)


def _contained(draw: random.Random, text: Text) -> str:
    around = fresh(draw, "")
    return f"{around.body} {text.body} {fresh(draw, '').body}"


def _another_number(draw: random.Random, text: Text) -> str:
    (number, *_) = re.findall(r" (\d\d+)\b", text.body)
    return re.sub(rf" {number}\b", f" {int(number) + draw.randrange(2, 40)}", text.body)


def _another_date(draw: random.Random, text: Text) -> str:
    found = re.search(rf" le (\d+) ({'|'.join(_MONTHS)})", text.body)
    assert found is not None
    day = int(found[1]) % 28 + 1
    month = draw.choice([month for month in _MONTHS if month != found[2]])
    return text.body.replace(found[0], f" le {day} {month}")


def _another_person(draw: random.Random, text: Text) -> str:
    return text.body.replace(_people(text)[0], _name(draw))


def _another_place(draw: random.Random, text: Text) -> str:
    (old,) = {place for place in _PLACES if place in text.body}
    return text.body.replace(old, draw.choice([place for place in _PLACES if place != old]))


_EDITS: dict[str, Callable[[random.Random, Text], str]] = {
    "agency head": lambda _, text: f"PHNOM PENH, 3 mars (Agence du Fleuve) - {text.body}",
    "sign-off": lambda _, text: f"{text.body} - Agence du Fleuve/DT",
    "another title": lambda _, text: text.body,
    "two sentences dropped": _dropped,
    "a sentence elsewhere": _reordered,
    "names respelled": _respelled,
    "accents lost": _plain,
    "five pairs of words glued": _glued,
    "one word in 35 replaced": _copyedited,
    "the first two sentences": lambda _, text: " ".join(_split(text)[:2]),
    "inside a round-up": _contained,
    "another number": _another_number,
    "another date": _another_date,
    "another person": _another_person,
    "another place": _another_place,
}
#: Kind of edit -> whether what comes of it is a copy; else it is news.
KINDS = {kind: not kind.startswith("another ") or kind == "another title" for kind in _EDITS}


def edited(draw: random.Random, text: Text, kind: str) -> Text:
    """An outlet's version of a text; another title is about the text as well."""
    telling = [word for word in re.findall(r"\w+", text.body) if len(word) > 5]
    title = " ".join(draw.sample(telling, 6)).capitalize() if kind == "another title" else text.title
    return replace(text, name=f"{text.name} {kind}", title=title, body=_EDITS[kind](draw, text), of=text.name)


def lines(count: int) -> Iterator[str]:
    """So many articles as lines for `veille import`, an hour's twenty; one in twenty copies one of the last hundred."""
    draw, last = random.Random(17), deque[Text](maxlen=100)
    kinds = [kind for kind, is_copy in KINDS.items() if is_copy]
    for number in range(count):
        if last and number % 20 == 0:
            made = replace(edited(draw, draw.choice(last), draw.choice(kinds)), name=f"a{number}")
        else:
            made = fresh(draw, f"a{number}")
            last.append(made)
        published = FIRST + timedelta(minutes=3 * number)
        fields = {
            "id": made.name,
            "title": made.title,
            "text": made.body,
            "lang": "fr",
            "source": f"Journal {number % 40}",
            "published": published.isoformat(),
            "url": f"https://example.org/{number}",
        }
        yield json.dumps(fields)


if __name__ == "__main__":
    for line in lines(int(sys.argv[1])):
        print(line)
