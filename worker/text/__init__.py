"""Words: folding, the one tokeniser, inflection and language.

Dedupe, match, explain and the console all read the same `Document`, so a word is the same thing everywhere.
The only owner of PyStemmer, simplemma and py3langid.
"""

from worker.text.capitals import Names
from worker.text.document import Document, analyse
from worker.text.folding import APOSTROPHES, fold, plain
from worker.text.inflection import Family, family, is_listed, is_own_form, kin, stem_of_unknown
from worker.text.language import LANGUAGES, detect
from worker.text.reflexive import is_reflexive
from worker.text.stemming import stem
from worker.text.tokeniser import words

__all__ = [
    "APOSTROPHES",
    "LANGUAGES",
    "Document",
    "Family",
    "Names",
    "analyse",
    "detect",
    "family",
    "fold",
    "is_listed",
    "is_own_form",
    "is_reflexive",
    "kin",
    "plain",
    "stem",
    "stem_of_unknown",
    "words",
]
