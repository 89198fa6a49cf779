"""Decides whether the text of an article's page may stand for the entry: a page enriches, it never replaces.

    (what the feed gave, what its page holds) -judge-> PageVerdict(text, or why it is not taken)

A page must carry the feed's own words, be no shorter than the feed's own text, and not have been reached by a redirect
to something else. Whether other entries of its host got the same is asked with `own_lines` once that is known.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.analysis.text import fold, words
from worker.analysis.text.folding import normal
from worker.model import PageReason
from worker.net import urls

#: Function words of French and English, folded, of three letters and more: they prove nothing of what a text is about.
_FUNCTION_WORDS = frozenset(
    """
    the and for with from that this are was were has have its not but you your our their his her who will can all more
    les des une dans pour par sur avec est sont qui que aux son ses cette ces plus pas nous vous votre vos nos notre
    leur leurs elle ils elles ont ete etre apres avant selon entre sans sous mais comme tout tous toute deux
    """.split()  # noqa: SIM905 - one word a line would fill the page
)
#: Thai, Lao, Khmer, Chinese, Japanese: no spaces, so that two characters in a row are compared.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]")
#: Letters of Vietnamese alone: its words are one syllable each, so that two in a row are compared.
_VIETNAMESE = re.compile(r"[ăđơưĂĐƠƯ\u1ea0-\u1ef9]")
#: So many of its words bear such a letter where a text is in it; else it only names somebody.
_MARKED = 0.4
_SHORTEST_WORD = 3
#: Inflected forms share that many letters; a word is compared by them if it has more.
_STEM = 5
#: Of the feed's own text so many terms at its beginning are looked for on the page.
_LEAD = 60
#: A summary of fewer terms is no witness against the page.
_FEW = 5
#: A text of so many terms is more than a summary: the page has to hold most of it.
_WHOLE_TEXT, _MOST_OF_IT = 20, 0.6
#: A paragraph of which so much stands on the page is there.
_HELD = 0.8
#: Lines of a page that are links to other articles: fewer are what stands below an article.
_LISTED, _LISTED_SHARE = 3, 0.25
#: Titles of others behind an article, and paragraphs from one to the next or to the end.
_FEWEST_TEASERS, _MOST_SAID = 2, 3
_MOST_LINES = 200
#: Names of front pages: `/`, `/fr`, `/index.html`, `/home`.
_FRONT = re.compile(
    r"/?(?:[a-z]{2}(?:[-_][a-z]{2})?)?/?(?:(?:index|default|home|accueil|trang-chu)(?:\.\w{2,5})?)?/?", re.IGNORECASE
)
_ID = re.compile(r"\d{4,}")
#: Numbers, and codes that hold digits, differ from one answer to the next: times, counters, request ids.
_CODE = re.compile(r"\w*\d\w*")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedText:
    """An article's text as the feed gives it."""

    title: str
    #: Plain text: its content, or its summary where that is longer.
    text: str
    #: The link as published.
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFound:
    """The content of an article's page; see `extract.Page`."""

    #: Where it was found, after redirects.
    url: str
    text: str
    headings: Sequence[str] = ()
    links: Collection[str] = ()
    teasers: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVerdict:
    """The decision whether a page's text is taken."""

    #: None: it is taken.
    reason: PageReason | None
    #: For people; empty where the reason says it all.
    detail: str = ""
    #: What the page holds.
    found: str = ""
    #: That, with what the feed says and the page does not, and without `teasers`; empty where it is not taken.
    text: str = ""
    #: Titles of other articles and what is said of them, behind the article; empty where it is not taken.
    teasers: str = ""


def judge(feed: FeedText, page: PageFound) -> PageVerdict:
    """Tells whether the page's text may stand for the entry."""
    if not page.text:
        return PageVerdict(reason=PageReason.NO_TEXT)
    evidence = _Evidence(feed, page)
    reason, detail = _refusal(feed, page, evidence)
    if reason is not None:
        return PageVerdict(reason=reason, detail=detail, found=page.text)
    own, teasers = _parted(page)
    return PageVerdict(reason=None, found=page.text, text=_with_feed(feed.text, own, evidence), teasers=teasers)


def carries(feed: FeedText, text: str) -> bool:
    """Tells whether a text carries the feed's own words, and is no shorter than what the feed itself gave."""
    found = PageFound(url=feed.link, text=text)
    return _Evidence(feed, found).is_carried() and _length(text) >= _length(feed.text)


def own_lines(text: str, others: Collection[bytes]) -> tuple[str, float]:
    """The lines of a page that no other page had, and how much of its text the other lines are, from 0 to 1."""
    own = [line for line in text.split("\n") if line and line_key(line) not in others]
    whole = _length(text)
    return "\n".join(own), 1 - _length("".join(own)) / whole if whole else 0.0


def is_front(url: str) -> bool:
    """Tells whether an address is a site's front page."""
    parts = urlsplit(urls.canonical(url))
    return _FRONT.fullmatch(parts.path) is not None and not parts.query


def line_keys(text: str) -> tuple[bytes, ...]:
    """Returns what the lines of a page are recognised by, numbers and codes left out; each once, in order."""
    return tuple(dict.fromkeys(line_key(line) for line in text.split("\n")[:_MOST_LINES] if line))


def line_key(line: str) -> bytes:
    """Returns what a line is recognised by on another page."""
    plain = " ".join(_WORD.findall(_CODE.sub(" ", fold(line))))
    return hashlib.blake2b(plain.encode(errors="replace"), digest_size=8).digest()


def alike(title: str, other: str, *, least: float = 0.5) -> bool:
    """Tells whether two titles share so much that they may head one article."""
    one, two = terms(title), terms(other)
    return title == other or (bool(one and two) and min(_share(one, two), _share(two, one)) >= least)


def terms(text: str) -> tuple[str, ...]:
    """The terms by which texts are compared: its longer words, or pairs of syllables; each once."""
    text = normal("NFC", text)
    syllabic = _is_syllabic(text)
    found: dict[str, None] = {}
    before, end = "", -1
    for start, stop in words(text):
        word = fold(text[start:stop])
        if _SPACELESS.match(text, start):
            if end == start and before:
                found[before + word] = None
            before, end = word, stop
        elif syllabic:
            word = text[start:stop].casefold()
            if before:
                found[f"{before} {word}"] = None
            before, end = word, stop
        else:
            before = ""
            if (len(word) >= _SHORTEST_WORD and word not in _FUNCTION_WORDS) or word.isdecimal():
                found[word] = None
    return tuple(found) or ((before,) if before else ())


def _is_syllabic(text: str) -> bool:
    """Tells whether a text is Vietnamese, and not only names a Vietnamese."""
    if not _VIETNAMESE.search(text):
        return False
    found = _WORD.findall(text.casefold())
    marked = sum(_VIETNAMESE.search(word) is not None for word in found)
    return marked >= _MARKED * len(found) and _FUNCTION_WORDS.isdisjoint(found)


class _Terms:
    """The terms of a text, in which those of another are looked for."""

    def __init__(self, found: Collection[str]) -> None:
        self._whole = frozenset(found)
        self._stems = frozenset(term[:_STEM] for term in found if len(term) >= _STEM and " " not in term)

    def share(self, asked: Sequence[str]) -> float:
        """Tells how many of the terms asked for are there, from 0 to 1."""
        return sum(map(self._has, asked)) / len(asked) if asked else 0.0

    def _has(self, term: str) -> bool:
        return term in self._whole or (len(term) > _STEM and " " not in term and term[:_STEM] in self._stems)


def _share(asked: Sequence[str], there: Collection[str]) -> float:
    return _Terms(there).share(asked)


class _Evidence:
    """Tells how much of the feed's own words a page carries."""

    def __init__(self, feed: FeedText, page: PageFound) -> None:
        asked = page.text
        # Vietnamese without its marks elsewhere, or the reverse: what is compared must be of one kind.
        self.there = _Terms({*terms(asked), *_plain_terms(asked)})
        self.title = terms(feed.title)
        self.lead = terms(feed.text)[:_LEAD]
        self.of_title = self.there.share(self.title)
        self.of_lead = self.there.share(self.lead)
        self.heads = any(alike(feed.title, heading) for heading in page.headings) if feed.title else False
        self.is_headed_so = any(alike(feed.title, heading, least=0.6) for heading in page.headings)
        self.headed = bool(page.headings)
        self._many = len(terms(asked)) >= 20

    def is_carried(self) -> bool:
        """Tells whether the page is about what the feed's words are about."""
        few = len(self.lead) < _FEW
        if self.of_lead >= 0.6 and (not few or not self.title):
            return True
        if self.heads and self._many and (few or self.of_lead >= 0.2):
            return True
        if not self.title:
            return False
        if not few and self.of_title >= 0.4 and self.of_lead >= 0.45:
            return True
        if not few and self.of_lead < 0.35:
            return self.of_title >= 0.8 and len(self.title) >= 3
        is_spaceless = _SPACELESS.match(self.title[0]) is not None
        least = 0.5 if is_spaceless else 0.6 if len(self.title) >= 3 else 1.0
        return self.of_title >= least

    def is_certain(self) -> bool:
        """Tells whether it is certainly the article of the feed's words, though its address is another."""
        if len(self.lead) >= _FEW:
            return self.of_lead >= 0.75 or (self.of_lead >= 0.35 and self.is_headed_so)
        return self.is_headed_so or (not self.headed and self.of_title >= 0.75 and len(self.title) >= 3)


def _plain_terms(text: str) -> tuple[str, ...]:
    return terms(fold(text)) if _is_syllabic(text) else ()


def _refusal(feed: FeedText, page: PageFound, evidence: _Evidence) -> tuple[PageReason | None, str]:
    listed = _listed(page)
    moved = _moved(feed.link, page.url)
    is_it = moved != "front" and not listed and evidence.is_carried() and evidence.is_certain()
    if moved and not is_it:
        return PageReason.REDIRECTED, urls.masked(page.url, values=True)
    if listed and not evidence.heads:
        return PageReason.LISTING, f"{listed} links to other articles"
    if not evidence.is_carried():
        return PageReason.OTHER_TEXT, ""
    length, own = _length(page.text), _length(feed.text)
    if length < own:
        return PageReason.SHORTER, f"{length} characters, and {own} in the feed"
    whole = terms(feed.text)
    if len(whole) >= _WHOLE_TEXT and evidence.there.share(whole) < _MOST_OF_IT:
        return PageReason.OTHER_TEXT, "it lacks most of the feed's own text"
    return None, ""


def _moved(link: str, url: str) -> str:
    """Names what a redirect led to: `front`, `other`, or nothing where the address is the link's in other letters."""
    asked, got = urls.canonical(link), urls.canonical(url)
    if not got or asked == got:
        return ""
    if is_front(got) and not is_front(asked):
        return "front"
    one, two = urlsplit(asked), urlsplit(got)
    slug, other = (_slug(parts.path) for parts in (one, two))
    numbers = set(_ID.findall(one.path + one.query)) & set(_ID.findall(two.path + two.query))
    same_slug = len(slug) >= 3 and len(slug & other) >= 0.6 * len(slug)
    return (
        ""
        if same_slug or (numbers and one.netloc == two.netloc and _ID.search(one.path.rpartition("/")[2]))
        else "other"
    )


def _slug(path: str) -> frozenset[str]:
    return frozenset(_WORD.findall(path.rstrip("/").rpartition("/")[2].replace("_", "-").casefold()))


def _listed(page: PageFound) -> int:
    """Counts the lines that lead to other articles, where they are so many that the page is a list of them."""
    known = {_plain_line(line) for line in page.links}
    lines = [line for line in page.text.split("\n") if line]
    listed = sum(_plain_line(line) in known for line in lines)
    return listed if listed >= _LISTED and listed >= _LISTED_SHARE * len(lines) else 0


def _parted(page: PageFound) -> tuple[str, str]:
    """The article, and the titles of others behind it, each with little said of it; a single one is left."""
    known = {_plain_line(line) for line in page.teasers}
    lines = page.text.split("\n\n")
    at = [number for number, line in enumerate(lines) if number and _plain_line(line) in known]
    start = len(lines)
    for number in reversed(at):
        if start - number > _MOST_SAID:
            break
        start = number
    if len([number for number in at if number >= start]) < _FEWEST_TEASERS:
        return page.text, ""
    return "\n\n".join(lines[:start]), "\n\n".join(lines[start:])


def _plain_line(line: str) -> str:
    return " ".join(_WORD.findall(line.casefold()))


def _with_feed(own: str, text: str, evidence: _Evidence) -> str:
    """The page's text with those of the feed's own paragraphs that it does not hold.

    They go before it, as standfirsts do; those behind one that the page holds too go behind it.
    """
    before: list[str] = []
    after: list[str] = []
    missing = before
    for line in own.split("\n\n"):
        if (said := terms(line)) and evidence.there.share(said) < _HELD:
            missing.append(line)
        elif said:
            missing = after
    return "\n\n".join([*before, text, *after])


def _length(text: str) -> int:
    return len("".join(text.split()))
