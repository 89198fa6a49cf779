"""One pass of lemon24/reader over the same feeds; run by pipeline.py in reader's own environment.

    python reader_pass.py DATABASE < URLS (one a line; none: start-up only)

Prints `{"entries": n, "failed": n}`.
"""

import json
import sys

from reader import make_reader


def main() -> None:
    """Add the feeds that are not there yet, update all with ten workers, count."""
    reader = make_reader(sys.argv[1])
    known = {feed.url for feed in reader.get_feeds()}
    for url in sys.stdin.read().split():
        if url not in known:
            reader.add_feed(url)
    failed = sum(
        isinstance(result.value, Exception) for result in reader.update_feeds_iter(scheduled=False, workers=10)
    )
    print(json.dumps({"entries": reader.get_entry_counts().total, "failed": failed}))


main()
