"""Write `five.json` from a folder of article texts: `python -m worker.analysis.archive.generate FOLDER`.

The only module of this package that knows more than values: it runs when the archive changes, never in a worker.
"""

import json
import sys
from pathlib import Path

from worker.analysis import copies, stories, text
from worker.feeds import normalise

#: Articles whose file bears no date. The visit that 001 tells of ended on the day that 003 reports: 6 February 2026;
#: 001 itself says "6 février" and speaks of February 2025 as past and of 2026-2030 as the period that begins.
_DATES = {"001": "2026-02-06"}
_SOURCE = "VNA"
_LANGUAGE = "fr"


def generate(folder: Path) -> str:
    """The archive's data as JSON, a line per `.txt` file, which is named by what stands before the first `_`."""
    records = [_record(path) for path in sorted(folder.glob("*.txt"))]
    return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False, sort_keys=True) for each in records) + "\n]\n"


def _record(path: Path) -> dict[str, str]:
    name = path.stem.partition("_")[0]
    known = normalise.from_txt(path.read_text(encoding="utf-8"))
    document = text.analyse(known.title, known.body, _LANGUAGE)
    found = stories.bag(document)
    return {
        "id": name,
        "published": _date(known) or _DATES[name],
        "source": _SOURCE,
        "language": _LANGUAGE,
        "title": known.title,
        "fingerprint": copies.dump(copies.fingerprint(document)),
        "terms": stories.dump(stories.weighted(found, found.counted({}), 1)[0]),
    }


def _date(known: normalise.Known) -> str:
    """`2024-01` or `2026-02-06`, as precise as it is known; empty where it is not."""
    form = {"day": "%Y-%m-%d", "month": "%Y-%m"}.get(known.precision)
    return known.published.strftime(form) if known.published and form else ""


def main() -> int:
    """Write the data file beside this module."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: python -m worker.analysis.archive.generate FOLDER", file=sys.stderr)  # noqa: T201 - a command's usage
        return 64  # EX_USAGE
    Path(__file__).with_name("five.json").write_text(generate(Path(sys.argv[1])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
