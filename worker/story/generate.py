"""Write `frequencies.json` from files of articles: `python -m worker.story.generate FILE.jsonl...`.

How common words are, before a store has counted any: without it a new store would take the news of its first hours for
one story. It is made from the labelled articles that the tests are measured with, and runs when those change.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from worker import normalise, text
from worker.story import bag, hashed


def generate(files: list[Path]) -> str:
    """The counts as JSON: how many articles, and in how many of them each hashed term stands."""
    counts: Counter[int] = Counter()
    articles = 0
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            known = normalise.from_jsonl_line(line, title_alone=True)
            if isinstance(known, normalise.Known):
                found = bag(text.analyse(known.title, known.body, known.language or "fr"))
                counts.update({hashed(term, is_name=term in found.names) for term in found.counts})
                articles += 1
    terms = {str(key): count for key, count in sorted(counts.items())}
    return json.dumps({"articles": articles, "terms": terms}, separators=(",", ":")) + "\n"


def main() -> int:
    """Write the data file beside this module."""
    if len(sys.argv) < 2:
        print("usage: python -m worker.story.generate FILE.jsonl...", file=sys.stderr)  # noqa: T201 - a usage
        return 64  # EX_USAGE
    made = generate([Path(name) for name in sys.argv[1:]])
    Path(__file__).with_name("frequencies.json").write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
