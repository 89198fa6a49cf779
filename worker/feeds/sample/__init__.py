"""A feed that ships with Veille, so that a first run shows alerts without a network.

Its articles are invented, in the manner of a news agency's French desk; articles.toml holds their texts.
"""

import tomllib
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

_SITE = "https://veille.example"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_HANOI = timezone(timedelta(hours=7))


def document(now: datetime) -> bytes:
    """The feed as RSS 2.0, its items dated back from `now` (aware); the same bytes for the same `now`."""
    items = sorted(_articles(), key=lambda article: article["minutes"])
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<rss version="2.0" xmlns:content="{_CONTENT}" xmlns:dc="{_DC}">',
        "<channel>",
        _element("title", "Veille, fil d'exemple"),
        _element("link", f"{_SITE}/"),
        _element("description", "Dépêches inventées, livrées avec Veille pour l'essayer sans réseau"),
        _element("language", "fr"),
        *(_item(article, now) for article in items),
        "</channel>",
        "</rss>",
    ]
    return "\n".join(lines).encode()


@cache
def _articles() -> tuple[dict[str, Any], ...]:
    text = files(__name__).joinpath("articles.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["article"])


def _item(article: dict[str, Any], now: datetime) -> str:
    published = (now - timedelta(minutes=article["minutes"])).astimezone(_HANOI)
    paragraphs = [line.strip() for line in article["text"].split("\n") if line.strip()]
    html = "\n".join(f"<p>{escape(paragraph, _QUOTES)}</p>" for paragraph in paragraphs)
    summary = article.get("summary")
    parts = [
        _element("title", article["title"]),
        _element("link", f"{_SITE}/{article['slug']}-post{article['id']}.html"),
        f'<guid isPermaLink="false">veille-sample-{article["id"]}</guid>',
        _element("pubDate", format_datetime(published)),
        _element("dc:creator", article.get("source", "VNA")),
        # As in real feeds, some items carry the whole text beside a summary, others nothing but a description.
        _element("description", summary or html),
    ]
    if summary:
        parts.append(_element("content:encoded", html))
    return "\n".join(["<item>", *parts, "</item>"])


_QUOTES = {'"': "&quot;"}


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
