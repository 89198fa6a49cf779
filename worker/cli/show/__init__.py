"""Answers as they are drawn on a terminal."""

from worker.cli.show.article import articles, explained, stories, story, text_of, why
from worker.cli.show.measured import backtest, copies, copies_among, diff, mutants, scores, stats, story_scores, survey
from worker.cli.show.replayed import replay
from worker.cli.show.state import deliveries, doctor, feeds, ledger, poll, quarantine, quarantined, status
from worker.cli.show.terminal import progress

__all__ = [
    "articles",
    "backtest",
    "copies",
    "copies_among",
    "deliveries",
    "diff",
    "doctor",
    "explained",
    "feeds",
    "ledger",
    "mutants",
    "poll",
    "progress",
    "quarantine",
    "quarantined",
    "replay",
    "scores",
    "stats",
    "status",
    "stories",
    "story",
    "story_scores",
    "survey",
    "text_of",
    "why",
]
