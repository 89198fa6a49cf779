"""Receipts: what the other side said, cut short and free of secrets."""

import base64
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import quote, unquote, urlsplit

from worker.model import Claimed, Outcome, Receipt, Secret

_DETAIL = 300
#: What is shorter stands in too many words to be taken for a secret.
_SHORTEST = 4


def receipt(
    outcome: Outcome,
    detail: str,
    *,
    secrets: Iterable[Secret | None] = (),
    after: timedelta | None = None,
    ref: str = "",
    shared: bool = False,
    fix: str = "",
) -> Receipt:
    """A receipt; wherever a server's words repeat a secret, or a telling part of one, they are masked.

    `fix` stands behind them: what a person can do about it.
    """
    for needle in _needles(secret.reveal() for secret in secrets if secret is not None):
        detail = detail.replace(needle, "***")
    printable = "".join(char if char.isprintable() else " " for char in detail)
    said = " ".join(printable.split())[:_DETAIL]
    return Receipt(outcome=outcome, detail=f"{said} (fix: {fix})" if fix else said, after=after, ref=ref, shared=shared)


def _needles(secrets: Iterable[str]) -> list[str]:
    """Each secret as it stands, quoted and in base64, and the parts of one that is a URL; the longest first."""
    found: set[str] = set()
    for secret in secrets:
        found |= {secret, quote(secret, safe=""), unquote(secret), base64.b64encode(secret.encode()).decode()}
        if "://" in secret:
            found |= _url_parts(secret)
    return sorted((needle for needle in found if len(needle) >= _SHORTEST), key=len, reverse=True)


def _url_parts(url: str) -> set[str]:
    """The secret parts of a URL: path, query, credentials; not its host, which people need to find the cause."""
    try:
        parts = urlsplit(url)
        texts = {parts.path, parts.query, parts.username or "", parts.password or "", *parts.path.split("/")}
    except ValueError:
        return set()
    texts |= {value for pair in parts.query.split("&") for value in pair.split("=")[1:]}
    # Shorter ones are words of every URL (`services`, `v1`) rather than secrets.
    return {form for text in texts if len(text) > 8 for form in (text, unquote(text))}


# The note on a message that may have arrived before, where the channel cannot tell a repeat by its key.


_WORDS = {"fr": "(peut-être déjà reçu)", "en": "(may repeat)"}


def remark(claimed: Claimed, language: str) -> str:
    """Words for the recipient, or nothing where no attempt before is in doubt. The sealed bytes stay as they are."""
    return _WORDS.get(language, _WORDS["en"]) if claimed.uncertain else ""
