"""Words: folding, the one tokeniser, inflection and language.

Dedupe, match, explain and the console all read the same `Document`, so a word is the same thing everywhere.
The only owner of PyStemmer, simplemma and py3langid.
"""

from worker.text.document import Document, analyse
from worker.text.folding import fold
from worker.text.inflection import Family, family, is_listed
from worker.text.language import detect
from worker.text.stemming import stem
from worker.text.tokeniser import words

__all__ = ["Document", "Family", "analyse", "detect", "family", "fold", "is_listed", "stem", "words"]
