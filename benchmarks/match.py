"""Rules matched per second, by Veille and by others, on articles of 420 words and one core.

    # The others are no dependencies of the project:
    # pip install hyperscan ahocorasick-rs regex spacy
    python benchmarks/match.py [--articles 200] [--rules 10,100,1000,10000,100000] [--only NAME,...] [--json]

Each line is measured in a process of its own: the processor time of the fastest of several rounds over all articles,
after one that warms up. Veille tells the spans that prove each match; the others tell which rules hold. All are given
the same words (terms are written `=word`) and must give the same answers; `veille-inflected` asks for the same words
in any form. A peer stops where it falls under one article a second. What tokenising costs is measured apart, and shown
added. The rules are compiled from TOML by Veille alone; `start` is that and the index, or the others' automata.
"""

import argparse
import gc
import hashlib
import importlib.util
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import matchpeers
from matchload import WORDS, Load, Rule

from worker.analysis.text import Document, analyse
from worker.rules import compile_rules
from worker.rules.match import Source, match

OURS, INFLECTED = "veille", "veille-inflected"
#: Peers and the modules that they need.
PEERS = {"ahocorasick-rs": "ahocorasick_rs", "hyperscan": "hyperscan", "spacy": "spacy", "regex": "regex", "re": "re"}
RULES_A_FILE = 5_000
#: Processor seconds that the rounds of one line may take, and the most rounds.
BUDGET, ROUNDS = 6.0, 7
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def veille(rules: Sequence[Rule], mark: str) -> Callable[[Document], set[str]]:
    """Veille itself, from TOML."""
    files = {}
    for start in range(0, len(rules), RULES_A_FILE):
        tables = (
            f"[[rule]]\nid = '{r.id}'\nwhen = '''{r.when(mark)}'''\n" for r in rules[start : start + RULES_A_FILE]
        )
        files[f"{start}.toml"] = "".join(tables).encode()
    ruleset = compile_rules(files)
    source = Source(published=DAY, first_seen=DAY)
    match(analyse("", "", "fr"), ruleset, source)
    return lambda document: {found.rule_id for found in match(document, ruleset, source)}


def peer(name: str, rules: Sequence[Rule]) -> Callable[[Document], set[str]]:
    """Another's matcher, given the words of the document."""
    if name in ("re", "regex"):
        make = matchpeers.per_rule(__import__(name))
    else:
        make = {"ahocorasick-rs": matchpeers.ahocorasick, "hyperscan": matchpeers.hyperscan, "spacy": matchpeers.spacy}[
            name
        ]
    matcher = make(rules)
    return lambda document: matcher(document.folded)


def measure(name: str, count: int, articles: int) -> dict[str, object]:
    """One line of one size, in this process."""
    load = Load()
    texts = load.articles(articles)
    rules = list(load.rules(count))
    documents = [analyse("", text, "fr") for text in texts]
    tokenising = fastest(lambda: [analyse("", text, "fr") for text in texts], 3) / articles
    del load
    gc.collect()
    before = resident()
    began = time.process_time()
    matcher = veille(rules, "=" if name == OURS else "") if name in (OURS, INFLECTED) else peer(name, rules)
    start = time.process_time() - began
    gc.collect()
    memory = resident() - before
    gc.freeze()
    answers, warm = [], time.process_time()
    for document in documents:
        answers.append(sorted(matcher(document)))
        if time.process_time() - warm > BUDGET:
            break
    measured = documents[: len(answers)]
    taken = time.process_time() - warm
    rounds = max(0, min(ROUNDS, int(BUDGET / taken)))
    seconds = fastest(lambda: [matcher(document) for document in measured], rounds) if rounds else taken
    return {
        "name": name,
        "rules": count,
        "matching": seconds / len(measured),
        "tokenising": tokenising,
        "start": start,
        "megabytes": memory,
        "answers": [hashlib.sha256(" ".join(answer).encode()).hexdigest() for answer in answers],
        "matches": sum(map(len, answers)) / len(answers),
    }


def fastest(work: Callable[[], object], rounds: int) -> float:
    """Processor seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def resident() -> float:
    """Megabytes in memory now; where that is not told, the most there ever were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def apart(name: str, count: int, articles: int) -> dict[str, object]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, "--rules", str(count), "--articles", str(articles)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} with {count} rules:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def run(names: Sequence[str], sizes: Sequence[int], articles: int) -> list[dict[str, object]]:
    """All lines; every peer's answers must be Veille's."""
    results = []
    slow: set[str] = set()
    for count in sizes:
        expected: list[str] | None = None
        for name in names:
            if name in slow:
                continue
            result = apart(name, count, articles)
            answers = result.pop("answers")
            if name == OURS:
                expected = answers
            elif name != INFLECTED and expected is not None and answers != expected[: len(answers)]:
                sys.exit(f"{name} with {count} rules does not answer as Veille does")
            results.append(result)
            print(line(result), flush=True)
            if result["matching"] > 1:
                slow.add(name)
    return results


def line(result: dict[str, object]) -> str:
    """One result as text."""
    matching, tokenising = result["matching"], result["tokenising"]
    return (
        f"{result['rules']:>7} {result['name']:18}{1 / matching:10.1f}{1 / (matching + tokenising):10.1f}"
        f"{1e6 * matching:12.0f}{1e6 * tokenising:8.0f}"
        f"{result['start']:9.2f}{result['megabytes']:8.0f}{result['matches']:9.2f}"
    )


def growth(results: Sequence[dict[str, object]]) -> list[str]:
    """The cost of matching by the number of rules, alone and with tokenising."""
    lines = []
    for name in (OURS, INFLECTED):
        costs = {r["rules"]: (r["matching"], r["matching"] + r["tokenising"]) for r in results if r["name"] == name}
        for few, many in ((10, 10_000), (10_000, 100_000)):
            if few in costs and many in costs:
                alone, together = (costs[many][n] / costs[few][n] for n in (0, 1))
                lines.append(f"{name}, {few} to {many} rules: {alone:.1f} times, with tokenising {together:.1f} times")
    return lines


def main() -> None:
    """Measure one line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=200)
    parser.add_argument("--rules", default="10,100,1000,10000,100000")
    parser.add_argument("--only", default=",".join([OURS, INFLECTED, *PEERS]))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, int(options.rules), options.articles)))
        return
    names = []
    for name in options.only.split(","):
        if importlib.util.find_spec(PEERS.get(name, "worker")) is None:
            print(f"{name}: missing (pip install {name})")
        else:
            names.append(name)
    print(f"{options.articles} articles of {WORDS} words, Python {platform.python_version()}, {platform.machine()}")
    print(
        f"{'':26}{'matched/s':>10}{'with tok.':>10}{'us/article':>12}{'tok.':>8}{'start s':>9}{'MB':>8}{'matches':>9}"
    )
    results = run(names, [int(size) for size in options.rules.split(",")], options.articles)
    print("\n".join(growth(results)))
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
