"""Measuring: rules, copies and stories against labelled articles, rules' own tests against changes of the rules."""

from worker.evaluate.copies import (
    CopyScore,
    FoundPair,
    LabelledCopy,
    copies_among,
    evaluate_copies,
    read_article,
    read_copy,
)
from worker.evaluate.labels import (
    Labelled,
    Score,
    Wrong,
    document_of,
    evaluate_rules,
    read_labelled,
    relabelled,
    unknown_labels,
)
from worker.evaluate.mutation import Mutation, mutants, mutate
from worker.evaluate.stories import LabelledStory, StoryScore, evaluate_stories, read_headline, read_story
from worker.evaluate.survey import Firing, Survey, survey, to_label

__all__ = [
    "CopyScore",
    "Firing",
    "FoundPair",
    "Labelled",
    "LabelledCopy",
    "LabelledStory",
    "Mutation",
    "Score",
    "StoryScore",
    "Survey",
    "Wrong",
    "copies_among",
    "document_of",
    "evaluate_copies",
    "evaluate_rules",
    "evaluate_stories",
    "mutants",
    "mutate",
    "read_article",
    "read_copy",
    "read_headline",
    "read_labelled",
    "read_story",
    "relabelled",
    "survey",
    "to_label",
    "unknown_labels",
]
