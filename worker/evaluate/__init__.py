"""Measuring: rules, copies and stories against labelled articles, rules' own tests against changes of the rules."""

from worker.evaluate.copies import CopyScore, LabelledCopy, evaluate_copies, read_article, read_copy
from worker.evaluate.labels import Labelled, Score, Wrong, document_of, evaluate_rules, read_labelled, unknown_labels
from worker.evaluate.mutation import Mutation, mutate

__all__ = [
    "CopyScore",
    "Labelled",
    "LabelledCopy",
    "Mutation",
    "Score",
    "Wrong",
    "document_of",
    "evaluate_copies",
    "evaluate_rules",
    "mutate",
    "read_article",
    "read_copy",
    "read_labelled",
    "unknown_labels",
]
