"""How answers look on a terminal."""

from worker.cli.show.article import articles, explained, stories, story, why
from worker.cli.show.aside import quarantine, quarantined
from worker.cli.show.measured import backtest, copies, diff, mutants, scores, stats, story_scores
from worker.cli.show.state import doctor, feeds, poll, status
from worker.cli.show.terminal import progress

__all__ = [
    "articles",
    "backtest",
    "copies",
    "diff",
    "doctor",
    "explained",
    "feeds",
    "mutants",
    "poll",
    "progress",
    "quarantine",
    "quarantined",
    "scores",
    "stats",
    "status",
    "stories",
    "story",
    "story_scores",
    "why",
]
