"""Words: folding, the one tokeniser, inflection and language.

Dedupe, match, explain and the console all read the same `Document`, so a word is the same thing everywhere.
The only owner of PyStemmer, simplemma and py3langid.
"""

from worker.analysis.text.document import Document, Remembered, analyse, once, words
from worker.analysis.text.folding import APOSTROPHES, fold, plain
from worker.analysis.text.inflection import Family, family, is_listed, is_own_form, kin, stem_of_unknown
from worker.analysis.text.language import LANGUAGES, detect, stem
from worker.analysis.text.reflexive import is_reflexive
from worker.analysis.text.vocabulary import Names

__all__ = [
    "APOSTROPHES",
    "LANGUAGES",
    "Document",
    "Family",
    "Names",
    "Remembered",
    "analyse",
    "detect",
    "family",
    "fold",
    "is_listed",
    "is_own_form",
    "is_reflexive",
    "kin",
    "once",
    "plain",
    "stem",
    "stem_of_unknown",
    "words",
]
