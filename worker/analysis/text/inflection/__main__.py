"""Make the tables of the languages that news comes in, for whoever installs Veille where it cannot write later."""

from worker.analysis.text.inflection.dictionary import lexicon

for language in ("fr", "en"):
    lexicon(language)
