"""The feed that ships: well-formed, the same for the same moment, and in the manner of an agency's."""

import io
import re
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest

from worker.feeds import sample

NOW = datetime(2026, 2, 6, 8, 30, 12, 345678, tzinfo=UTC)
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
ARTICLES = tomllib.loads(files("worker.feeds.sample").joinpath("articles.toml").read_text(encoding="utf-8"))["article"]


def items() -> list[ET.Element]:
    """The items of the feed, newest first."""
    return ET.fromstring(sample.document(NOW)).findall("channel/item")


def text(item: ET.Element) -> str:
    """The text that a reader of the item sees."""
    return re.sub(r"<[^>]+>", " ", item.findtext(CONTENT) or item.findtext("description") or "")


def entries() -> list[Any]:
    """The entries as a feed parser reads them."""
    parsed = feedparser.parse(io.BytesIO(sample.document(NOW)))
    assert not parsed.bozo
    assert parsed.version == "rss20"
    assert parsed.feed.language == "fr"
    return list(parsed.entries)


def test_the_same_moment_gives_the_same_bytes() -> None:
    """Also when it is told in another time zone; another moment gives others."""
    hanoi = NOW.astimezone(timezone(timedelta(hours=7)))
    assert sample.document(NOW) == sample.document(NOW) == sample.document(hanoi)
    assert sample.document(NOW) != sample.document(NOW + timedelta(minutes=1))


def test_entries_are_each_known_by_guid_and_link() -> None:
    """Guids and links are stable and unlike, and on a domain that nobody can own."""
    read = entries()
    assert len(read) == len(ARTICLES)
    assert len({one.id for one in read}) == len({one.link for one in read}) == len(read)
    assert all(re.fullmatch(r"veille-sample-\d{6}", one.id) for one in read)
    assert all(re.fullmatch(r"https://veille\.example/[a-z0-9-]+-post\d{6}\.html", one.link) for one in read)
    later = ET.fromstring(sample.document(NOW + timedelta(days=400))).findall("channel/item/guid")
    assert sorted(one.text or "" for one in later) == sorted(one.id for one in read)


def test_dates_go_from_minutes_to_three_days_ago() -> None:
    """Newest first, none in the future, each as far back as its article says."""
    ages = [NOW - datetime(*one.published_parsed[:6], tzinfo=UTC) for one in entries()]
    assert ages == sorted(ages)
    assert timedelta() < ages[0] < timedelta(minutes=30)
    assert timedelta(days=2) < ages[-1] < timedelta(days=3)
    expected = sorted(timedelta(minutes=article["minutes"]) for article in ARTICLES)
    # RFC 822 dates have no microseconds.
    assert [age - timedelta(microseconds=NOW.microsecond) for age in ages] == expected


@pytest.mark.parametrize("item", items(), ids=lambda item: str(item.findtext("guid")))
def test_each_article_is_an_article(item: ET.Element) -> None:
    """A title, several paragraphs, 80 to 250 words, and an agency's head or sign-off."""
    words = text(item).split()
    assert 80 <= len(words) <= 250
    assert 20 <= len(item.findtext("title") or "") <= 110
    body = text(item)
    assert re.search(r"^\s*[\w ô\-]+ \((?:VNA|AKP)\) - ", body) or "(Avec VNA)" in body
    assert re.search(r"- ?(?:VNA|AKP)\b|VNA/CVN|\(Avec VNA\)", body[-400:])


def test_the_manner_of_an_agency_feed() -> None:
    """Some items carry the whole text beside a summary, others a description alone; there are captions and links."""
    read = items()
    full = [one for one in read if one.find(CONTENT) is not None]
    assert 5 <= len(full) <= len(read) - 5
    assert all(len(one.findtext("description") or "") < len(one.findtext(CONTENT) or "") / 2 for one in full)
    bodies = "\n".join(text(one) for one in read)
    assert len(re.findall(r"(?:&gt;|>){2} ", bodies)) >= 2
    assert len(re.findall(r"Photo(?: d'archives)? : VNA", bodies)) >= 3
    assert {one.findtext("{http://purl.org/dc/elements/1.1/}creator") for one in read} == {
        "VNA",
        "AKP",
        "Le Fil du Mékong",
    }


@pytest.mark.parametrize(
    ("original", "copy"), [(410201, 410202), (410205, 410206)], ids=["near copy", "another outlet"]
)
def test_two_items_repeat_earlier_ones(original: int, copy: int) -> None:
    """A copy is later than its original and shares nearly all its words, under another title and head."""
    by_id = {article["id"]: article for article in ARTICLES}
    first, second = by_id[original], by_id[copy]
    assert first["minutes"] > second["minutes"]
    assert first["title"] != second["title"]
    runs = [
        {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
        for words in (article["text"].split() for article in (first, second))
    ]
    assert 0.75 < len(runs[0] & runs[1]) / len(runs[1]) < 1


def test_no_other_two_articles_share_a_sentence() -> None:
    """Articles that are no copies look like none."""
    copies = {410202, 410206}
    seen: dict[str, int] = {}
    for article in ARTICLES:
        if article["id"] not in copies:
            for sentence in re.split(r"(?<=[.!?])\s+", article["text"]):
                if len(sentence) > 30:
                    assert seen.setdefault(sentence, article["id"]) == article["id"]
