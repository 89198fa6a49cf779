"""Meaning of a changed text to somebody who read the former one."""

import re

from worker.dedupe import facts
from worker.dedupe.signature import Fingerprint
from worker.model import Occasion
from worker.text import Document

#: Agencies say so at the top: "(Corrigé)", "RECTIFICATIF", "Correction:".
_SAYS_SO = re.compile(r"\b(?:corrig\w*|rectifi\w*|erratum|correct(?:ed|s|ion)|refil\w*)\b")
_TOP = 40
#: A text that grows more than that is a summary whose page came.
_GROWTH = 2


def change(old: Fingerprint, new: Fingerprint, document: Document, *, has_page: bool) -> Occasion | None:
    """`correction` where a number, date or name was replaced, or the text says that it is corrected; else None.

    Copy-editing, sentences that were added and the page that comes after its summary correct nothing. `document` is the
    new text, `has_page` whether it was fetched from the article's page.
    """
    if has_page and new.words > _GROWTH * old.words:
        return None
    is_said = _SAYS_SO.search(" ".join(document.folded[:_TOP])) is not None
    contradicts = facts.contradiction(facts.load(new.facts), facts.load(old.facts)) is not None
    return Occasion.CORRECTION if is_said or contradicts else None
