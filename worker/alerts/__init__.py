"""Decisions about alerts, each taken once: obligations with their verdicts, and the plan after each attempt.

    (Match..., Novelty, History, About) -alert-> Obligation(verdict, reason, what carries it and when)...
    Receipt -settle-> Settled

Pure: takes what was decided before and what the configuration says, returns values with reasons.
"""

from worker.alerts.decision import alert, numbered
from worker.alerts.history import About, History, Silenced, Standing
from worker.alerts.plan import DIGEST, ESCALATION, THREADS, held, thread_of
from worker.alerts.retries import (
    GIVE_UP,
    MAX_CRASHES,
    MAX_UNCERTAIN,
    MAX_UNCERTAIN_MAIL,
    PARKED_FOR,
    UNCERTAIN_PAUSE,
    Settled,
    settle,
)
from worker.alerts.routing import Addressee, recipients
from worker.alerts.volume import WAVE, Arrival, LastAlert, Level, measure, of_wave, story_key

__all__ = [
    "DIGEST",
    "ESCALATION",
    "GIVE_UP",
    "MAX_CRASHES",
    "MAX_UNCERTAIN",
    "MAX_UNCERTAIN_MAIL",
    "PARKED_FOR",
    "THREADS",
    "UNCERTAIN_PAUSE",
    "WAVE",
    "About",
    "Addressee",
    "Arrival",
    "History",
    "LastAlert",
    "Level",
    "Settled",
    "Silenced",
    "Standing",
    "alert",
    "held",
    "measure",
    "numbered",
    "of_wave",
    "recipients",
    "settle",
    "story_key",
    "thread_of",
]
