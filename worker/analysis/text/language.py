"""The language of a text."""

import threading
from functools import cache, lru_cache
from typing import Any

#: What an article may be in. Among all the world's languages a short text is soon taken for one that nobody watches.
LANGUAGES = ("fr", "en", "vi", "km", "lo", "th", "zh", "ja", "ko", "id", "ms", "es", "pt", "de", "it", "nl", "ru", "ar")
#: A lead over another language, in natural-log likelihood, that says nothing: names and one word give as much.
MIN_MARGIN = 4.0
_MOST = 20_000


def detect(title: str, text: str, claimed: str) -> str:
    """The BCP 47 primary tag of the language that title and text are in together.

    `claimed` is what the feed says of itself, the weakest witness, as publishing systems say en-US of everything: it
    decides only where there are no words, or where its language is about as likely as the likeliest.
    """
    claimed = claimed.partition("-")[0].lower()
    said = f"{title.strip()}. {text.strip()}"[:_MOST]
    if not any(char.isalpha() for char in said):
        return claimed
    ranked = {str(name): float(score) for name, score in _identifier().rank(said)}
    (best, score), (_, second) = list(ranked.items())[:2]
    if claimed and score - ranked.get(claimed, second) < MIN_MARGIN:
        return claimed
    return best


@cache
def _identifier() -> Any:
    """py3langid's model; loading takes about half a second and stays."""
    import py3langid

    py3langid.set_languages(list(LANGUAGES))
    return py3langid


# Stems, for counting words: what Snowball leaves of a folded word, whether a dictionary knows it or not.


#: Languages with a Snowball stemmer, by BCP 47 tag.
SNOWBALL = {"fr": "french", "en": "english", "es": "spanish", "pt": "portuguese", "it": "italian", "de": "german"}


@lru_cache(maxsize=1 << 16)
def stem(folded: str, language: str) -> str:
    """The stem of a folded word in that language (BCP 47 primary tag); of other languages, the word."""
    if language not in SNOWBALL:
        return folded
    return str(stemmer(language, threading.get_ident()).stemWord(folded))


@lru_cache(maxsize=64)
def stemmer(language: str, _thread: int) -> Any:
    """A stemmer of this thread's own: PyStemmer's objects are not shared between threads."""
    import Stemmer

    return Stemmer.Stemmer(SNOWBALL[language])
