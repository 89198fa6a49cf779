"""Measuring: rules against labelled articles, and the rules' own tests against changes of the rules."""

from worker.evaluate.labels import Labelled, Score, Wrong, document_of, evaluate_rules, read_labelled, unknown_labels
from worker.evaluate.mutation import Mutation, mutate

__all__ = [
    "Labelled",
    "Mutation",
    "Score",
    "Wrong",
    "document_of",
    "evaluate_rules",
    "mutate",
    "read_labelled",
    "unknown_labels",
]
