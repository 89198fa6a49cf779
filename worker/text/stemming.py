"""Stems, for counting words: what Snowball leaves of a folded word, whether a dictionary knows it or not."""

import threading
from functools import lru_cache
from typing import Any

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
