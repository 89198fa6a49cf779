"""Shapes of what the API takes: calls are checked by them, and described from them."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from worker.model import Judgement

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
#: One line, and text of several: a store holds no control characters.
_LINE, _TEXT = r"^[^\x00-\x1f\x7f]*$", r"^[^\x00-\x08\x0b-\x1f\x7f]*$"


def _moment(said: object) -> object:
    if isinstance(said, str):
        if not _RFC_3339.fullmatch(said):
            raise ValueError("must be a time with its zone, as 2026-01-31T08:00:00Z (RFC 3339)")
        return datetime.fromisoformat(said)
    return said


def _number(said: object) -> object:
    """A number as it stands in an address: digits alone."""
    if isinstance(said, str) and not re.fullmatch("[0-9]{1,9}", said):
        raise ValueError("must be a number")
    return said


def _truth(said: object) -> object:
    if isinstance(said, str) and said not in {"true", "false"}:
        raise ValueError("must be true or false")
    return said


def _whole(said: object) -> object:
    """A number of JSON: `5.0` is one, too (JSON Schema)."""
    return int(said) if isinstance(said, float) and said.is_integer() else said


Whole = Annotated[int, BeforeValidator(_whole)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Number = Annotated[int, Field(ge=1, le=999_999_999), BeforeValidator(_number)]
Line = Annotated[str, Field(max_length=200, pattern=_LINE)]
Limit = Annotated[int, Field(ge=1, le=200, description="At most so many."), BeforeValidator(_number)]
Cursor = Annotated[str, Field(max_length=200, pattern="^[A-Za-z0-9_-]*$", description="`next` of the part before.")]


class Nothing(BaseModel):
    """Takes no parameter."""

    model_config = ConfigDict(extra="forbid")


class Part(Nothing):
    """A part of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


class ArticlesAsked(Part):
    """Filters of articles; all must hold."""

    words: Line = Field("", description='All of them, in any order; `"two words"` only as they are.')
    since: Moment | None = Field(None, description="Published at or after.")
    until: Moment | None = Field(None, description="Published before.")
    outlet: Line = Field("", description="As `source` names it.")
    feed: Annotated[str, Field(max_length=3_000, pattern=_LINE)] = Field(
        "", description="Brought by the feed of this name or address."
    )
    tag: Line = Field("", description="Brought by a feed with this tag.")
    language: Line = Field("", description="BCP 47 primary tag.")
    rule: Line = Field("", description="Matched by the rule of this id.")
    story: Number | None = Field(None, description="Of this story.")


class WhyAsked(Nothing):
    """Parts of the explanation."""

    rule: Line = Field("", description="Only this rule, with its whole query.")
    target: Line = Field("", description="Only alerts to this target.")


class StoriesAsked(Part):
    """Filters of stories."""

    several: Annotated[bool, BeforeValidator(_truth)] = Field(
        default=False, description="Only those of more than one article."
    )


class AlertsAsked(Part):
    """Filters of the ledger's lines."""

    rule: Line = ""
    target: Line = ""


class Since(Nothing):
    """A time to count from; ninety days ago, if left out."""

    since: Moment | None = None


class RulesAsked(Part, Since):
    """A part of the rules, and a time to count from; ninety days ago, if left out."""


class LabelAsked(Nothing):
    """The rule that a label is for."""

    rule: str = Field(min_length=1, max_length=200, pattern=_LINE)


# Bodies.


class NewSilence(Nothing):
    """A silence of a rule, a story, a set or a feed, or of what is all of those that are given."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"anyOf": [{"required": [one]} for one in ("rule", "story", "set", "feed")]}
    )
    rule: str = Field("", min_length=1, max_length=200, pattern=_LINE)
    story: Whole = Field(0, ge=1, le=999_999_999)
    set: str = Field("", min_length=1, max_length=200, pattern=_LINE)
    feed: str = Field("", min_length=1, max_length=200, pattern=_LINE, description="Its name.")
    seconds: Whole = Field(ge=60, le=31_622_400, description="How long.")
    reason: str = Field("", max_length=1_000, pattern=_TEXT)

    @model_validator(mode="after")
    def _is_of_something(self) -> Self:
        """A silence of nothing in particular would be one of everything."""
        if not (self.rule or self.story or self.set or self.feed):
            raise ValueError("give a rule, a story, a set or a feed")
        return self


class NewLabel(Nothing):
    """A judgement of an article for a rule; the last one counts."""

    rule: str = Field(min_length=1, max_length=200, pattern=_LINE)
    judgement: Judgement


class NewNote(Nothing):
    """A note on an article."""

    text: str = Field(min_length=1, max_length=10_000, pattern=_TEXT)
