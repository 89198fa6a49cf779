"""Decisions from the words alone: may a page's text stand for its entry?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.feeds.normalise.pages import FeedText, PageFound, alike, carries, judge, line_keys, own_lines, terms
from worker.model import PageReason

LINK = "https://a.example/2026/une-charte-de-la-peche-123456.html"
TITLE = "Une charte de la pêche signée à Vinh"
SUMMARY = "Les deux délégations se sont retrouvées mardi à la résidence du gouverneur."
STORY = (
    f"{SUMMARY}\n\nElles ont signé une charte, que les ports attendaient depuis trois ans.\n\n"
    "La presse n'a pas été admise à la cérémonie, qui a duré moins d'une heure."
)


def verdict(
    text: str,
    *,
    title: str = TITLE,
    own: str = SUMMARY,
    url: str = LINK,
    link: str = LINK,
    headings: tuple[str, ...] = (),
) -> PageReason | None:
    found = PageFound(url=url, text=text, headings=headings)
    return judge(FeedText(title=title, text=own, link=link), found).reason


@pytest.mark.parametrize(
    ("title", "own", "text", "reason"),
    [
        (TITLE, SUMMARY, STORY, None),
        (TITLE, "", STORY + " À Vinh, la pêche est tout.", None),
        ("", SUMMARY, STORY, None),
        ("Hanoï et Kep s'entendent", SUMMARY, STORY, None),
        ("« L’œuvre d’un an »", "", "L'oeuvre d'un an, dit-on au palais.", None),
        ("Les députés approuvent le budget", "", "Le député a voté : le budget est approuvé ce soir.", None),
        ("Pêche", "Brève.", "Un accord sur la pêche.", None),
        ("Visite", "Le souverain arrive demain à Luang Prabang pour des cérémonies.",
         "Acceptez les traceurs pour continuer votre visite du site, ou réglez vos choix.", PageReason.OTHER_TEXT),
        ("Vie privée : un accord européen", "Bruxelles adopte un texte que les associations attendaient.",
         "Nous respectons votre vie privée. Vous pouvez donner votre accord à nos partenaires, ou non.",
         PageReason.OTHER_TEXT),
        (TITLE, SUMMARY, "The two delegations met at the residence of the governor and signed a charter on fishing.",
         PageReason.OTHER_TEXT),
        ("柬埔寨新闻", "简讯", "柬埔寨参议院主席洪森周二在金边会见了来访的代表团。", None),
        ("柬埔寨参议院主席会见代表团", "双方就边境贸易交换了意见",
         "您访问的页面不存在或已被删除，请返回首页查找新闻内容。", PageReason.OTHER_TEXT),
        ("Thủ tướng thăm Campuchia", "Chuyến thăm kéo dài ba ngày.",
         "Thủ tướng thăm Campuchia từ ngày mai. Chuyến thăm kéo dài ba ngày.", None),
        ("Thủ tướng thăm Campuchia", "Chuyến thăm kéo dài ba ngày, theo thông tin của Bộ Ngoại giao.",
         "Trang bạn tìm kiếm không tồn tại. Vui lòng quay lại trang chủ hoặc tìm kiếm thông tin khác.",
         PageReason.OTHER_TEXT),
        ("កម្ពុជា បើកស្ពានថ្មី", "", "កម្ពុជា បើកស្ពានថ្មី នៅរាជធានីភ្នំពេញ ថ្ងៃនេះ។", None),
        ("Trần Thanh Mẫn reçu à Vientiane", "", "Trân Thanh Mân est reçu au palais de Vientiane.", None),
        (TITLE, STORY, f"{TITLE}. {SUMMARY} La suite est réservée.", PageReason.SHORTER),
        (TITLE, SUMMARY, "", PageReason.NO_TEXT),
    ],
    ids=["both", "the title", "the summary alone", "a title rewritten", "typography", "inflected", "one word",
         "one word by chance", "a wall on private life", "another language", "Chinese", "no such page in Chinese",
         "Vietnamese", "no such page in Vietnamese", "Khmer", "a Vietnamese name", "shorter", "no text"],
)  # fmt: skip
def test_whose_words_it_carries(title: str, own: str, text: str, reason: PageReason | None) -> None:
    """Title or summary, in whatever script; chance carries neither."""
    assert verdict(text, title=title, own=own) == reason


@pytest.mark.parametrize(
    ("link", "url", "reason"),
    [
        ("http://www.a.example/n/1", "https://a.example/n/1?utm_source=rss", None),
        (LINK, "https://a.example/amp/2026/une-charte-de-la-peche-123456.html", None),
        (LINK, "https://a.example/2026/autre-titre-123456.html", None),
        ("https://t.example/xY", LINK, None),
        (LINK, "https://a.example/", PageReason.REDIRECTED),
        (LINK, "https://a.example/fr/", PageReason.REDIRECTED),
        (LINK, "https://a.example/index.html", PageReason.REDIRECTED),
        ("https://a.example/", "https://a.example/fr", None),
    ],
    ids=["the same", "an edition", "another slug", "a short link", "the front page", "of a language", "by name",
         "an item that links to the front page"],
)  # fmt: skip
def test_redirects_to_the_article_and_to_the_front(link: str, url: str, reason: PageReason | None) -> None:
    """The article's own text under another address is taken, unless that is the front page."""
    assert verdict(STORY, link=link, url=url) == reason


def test_after_a_redirect_more_must_be_proved() -> None:
    """Words that would do at the article's own address do not do at another, whose heading is another's."""
    text = "Les bateaux de Vinh : la charte de la pêche, un an après, vue par les deux délégations retrouvées."
    headings = ("Ce que disent les pêcheurs",)
    assert verdict(text, own="Elle est signée.", headings=headings) is None
    moved = verdict(text, own="Elle est signée.", headings=headings, url="https://a.example/b")
    assert moved == PageReason.REDIRECTED


def test_a_list_of_links_is_no_article() -> None:
    """Unless the page is headed as the article is."""
    lines = [TITLE, SUMMARY, "La récolte du poivre", "Elle est bonne.", "Un musée rouvre", "Il est grand."]
    page = PageFound(url=LINK, text="\n\n".join(lines), links={lines[0], lines[2], lines[4]})
    feed = FeedText(title=TITLE, text=SUMMARY, link=LINK)
    assert judge(feed, page).reason == PageReason.LISTING
    headed = PageFound(url=LINK, text=page.text, links=page.links, headings=(TITLE,))
    assert judge(feed, headed).reason is None


@pytest.mark.parametrize(
    ("behind", "cut"),
    [
        (["Titre A", "Dit de A.", "Titre B", "Dit de B."], 4),
        (["Titre A", "Titre B"], 2),
        (["Titre A", "Dit de A."], 0),
        (["Titre A", "Un.", "Deux.", "Trois.", "Titre B", "Dit."], 0),
        (["Titre A", "Titre B", "Un.", "Deux.", "Trois.", "Quatre."], 0),
    ],
    ids=["titles and summaries", "titles", "one", "far apart", "within the article"],
)
def test_titles_of_others_behind_the_article(behind: list[str], cut: int) -> None:
    """Two at least, in a row, up to the end: what follows a single one may be the article's."""
    page = PageFound(url=LINK, text="\n\n".join([STORY, *behind]), teasers={"Titre A", "Titre B"})
    found = judge(FeedText(title=TITLE, text=SUMMARY, link=LINK), page)
    kept = behind[: len(behind) - cut]
    assert found.text == "\n\n".join([STORY, *kept])
    assert found.teasers == "\n\n".join(behind[len(kept) :])


def test_what_the_page_lacks_is_put_before_it() -> None:
    """A standfirst that extraction leaves out still stands in the article."""
    feed = FeedText(title=TITLE, text="Le préfet salue un geste historique.", link=LINK)
    text = STORY + " À Vinh, la pêche est tout."
    found = judge(feed, PageFound(url=LINK, text=text, headings=(TITLE,)))
    assert found.text == f"{feed.text}\n\n{text}"
    assert judge(FeedText(title=TITLE, text=SUMMARY, link=LINK), PageFound(url=LINK, text=STORY)).text == STORY


def test_most_of_a_longer_text_must_be_there() -> None:
    """The beginning of the article and a long offer is longer than the feed's text, and less."""
    offer = " ".join(["La suite est réservée aux abonnés, un euro le premier mois."] * 9)
    own = f"{STORY}\n\nLe port a été bouclé par la police, et les écoles du quartier sont restées fermées."
    assert verdict(f"{TITLE}. {SUMMARY} {offer}", own=own) == PageReason.OTHER_TEXT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (TITLE, "UNE CHARTE DE LA PÊCHE, SIGNÉE À VINH !", True),
        (TITLE, "Une charte de la pêche", True),
        (TITLE, "Un musée rouvre à Vinh", False),
        ("", "", True),
        ("", TITLE, False),
    ],
    ids=["signs", "shorter", "another", "none", "one"],
)
def test_alike(one: str, other: str, same: bool) -> None:
    """Titles that may head one article."""
    assert alike(one, other) is same


def test_lines_are_known_without_their_numbers() -> None:
    """Times, counters and request ids differ from one answer to the next."""
    assert line_keys("Il est 10h45.\nRef 8af0c12") == line_keys("Il est 9h03.\nRef 77b1")
    assert line_keys("Il est tard.") != line_keys("Il est tôt.")
    rest, theirs = own_lines("un deux\ntrois quatre", line_keys("un deux"))
    assert rest == "trois quatre"
    assert theirs == pytest.approx(6 / 17)


def test_carries_needs_words_and_length() -> None:
    """The rest of a page must be enough by itself."""
    feed = FeedText(title=TITLE, text=SUMMARY, link=LINK)
    assert carries(feed, STORY)
    assert not carries(feed, TITLE)
    assert not carries(feed, "")


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=200))
def test_a_text_carries_itself(title: str, own: str, more: str) -> None:
    """Whatever the words: a page of the feed's own text, and more, at its own address is never another's."""
    feed = FeedText(title=title, text=own, link=LINK)
    found = judge(feed, PageFound(url=LINK, text=f"{title}\n\n{own}\n\n{more}"))
    assert found.reason is None or not (terms(title) or terms(own))
