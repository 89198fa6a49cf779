"""Write `frequencies.json` from files of articles: `python -m worker.analysis.stories.generate FILE.jsonl...`.

How common words are, before a store has counted any: without it a new store would take the news of its first hours for
one story. Only figures ship: in how many of 140 articles of a language a term stands, by the term's hash.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from worker.analysis import text
from worker.analysis.stories import bag
from worker.feeds import normalise

#: The articles of each language that the counts stand for: a store's own soon weigh more.
_ARTICLES = 140
#: Less than that is not worth a line.
_LEAST = 0.7


def generate(files: Sequence[Path]) -> str:
    """The counts as JSON: how many articles, and in how many of them each hashed term stands."""
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    articles: Counter[str] = Counter()
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            known = normalise.from_jsonl_line(line, title_alone=True)
            if isinstance(known, normalise.Known):
                language = known.language or "fr"
                counts[language].update(bag(text.analyse(known.title, known.body, language)).columns.hashes.tolist())
                articles[language] += 1
    terms = {str(key): count for key, count in sorted(_scaled(counts, articles).items())}
    return json.dumps({"articles": _ARTICLES, "terms": terms}, separators=(",", ":")) + "\n"


def _scaled(counts: Mapping[str, Counter[int]], articles: Mapping[str, int]) -> dict[int, float]:
    """By term, in how many of 140 articles of the language in which it is commonest it stands."""
    scaled: dict[int, float] = {}
    for language, found in counts.items():
        for term, count in found.items():
            share = round(count * _ARTICLES / articles[language], 1)
            if share >= _LEAST and count > 1:
                scaled[term] = max(share, scaled.get(term, 0.0))
    return scaled


def main() -> int:
    """Write the data file beside this module."""
    if len(sys.argv) < 2:
        print("usage: python -m worker.analysis.stories.generate FILE.jsonl...", file=sys.stderr)  # noqa: T201 - a usage
        return 64  # EX_USAGE
    made = generate([Path(name) for name in sys.argv[1:]])
    Path(__file__).with_name("frequencies.json").write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
