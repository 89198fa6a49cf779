"""Reflexive verbs of French: whether a verb stands with a pronoun that means its own subject (`il s'est rendu`)."""

import re

from worker.analysis.text.document import Document
from worker.analysis.text.folding import APOSTROPHES

#: Folded; `nous` and `vous` are subjects as often.
_PRONOUNS = frozenset({"se", "me", "te"})
_ELIDED = re.compile(rf"(?<!\w)[smtSMT][{APOSTROPHES}]\Z")
#: What may stand between a pronoun and its verb, folded: forms of `être`, adverbs beside those in -ment.
_BETWEEN = frozenset(
    """
    est sont suis sommes etes etait etais etaient sera seront serait seraient soit soient fut furent etre etant ete
    y en donc deja aussi bien ainsi ensuite enfin hier encore
    """.split()  # noqa: SIM905 - a list of these words would fill a screen
)
_MOST_BETWEEN = 4


def is_reflexive(document: Document, verb: int) -> bool:
    """Tells whether the verb that is the word with this index has a reflexive pronoun before it, in its sentence."""
    folded, sentences = document.folded, document.sentences
    text = document.text(document.part(verb))
    for place in range(verb, max(verb - _MOST_BETWEEN, 0) - 1, -1):
        if sentences[place] != sentences[verb]:
            return False
        if place < verb:
            if folded[place] in _PRONOUNS:
                return True
            if folded[place] not in _BETWEEN and not folded[place].endswith("ment"):
                return False
        start = document.starts[place]
        if _ELIDED.search(text[max(0, start - 3) : start]):
            return True
    return False
