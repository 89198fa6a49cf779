"""Copies: whether an article is the text of an earlier one, nearly.

    Document -> fingerprint -> (store: candidates that share a band, standing lines) -> decide
        -> Novelty(NEW | DUPLICATE, of, why)

Candidates are found by a sample of word sequences; what they are is decided on all of them. No verdict rests on an
estimate.
"""

from worker.analysis.copies.decision import Candidate, compare_revision, decide, news
from worker.analysis.copies.lines import Line, key_of, lines
from worker.analysis.copies.pair import change
from worker.analysis.copies.signature import SCHEME, Fingerprint, dump, fingerprint, from_archive

__all__ = [
    "SCHEME",
    "Candidate",
    "Fingerprint",
    "Line",
    "change",
    "compare_revision",
    "decide",
    "dump",
    "fingerprint",
    "from_archive",
    "key_of",
    "lines",
    "news",
]
