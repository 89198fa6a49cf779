"""The tables. Rows never leave `store`; times are aware UTC; a lease is a time until which one owner works on a row."""

import sqlalchemy as sa
from sqlmodel import SQLModel

from worker.store.tables.alerts import (
    NOTICE,
    AcknowledgementRow,
    AttemptRow,
    DeliveryRow,
    ObligationRow,
    SecretRow,
    SilenceRow,
    TargetRow,
    WaveRow,
)
from worker.store.tables.articles import (
    ArticleRow,
    BandRow,
    FingerprintRow,
    JudgementRow,
    LineRow,
    MatchRow,
    RevisionRow,
    StoryApartRow,
    StoryArticleRow,
    StoryHandRow,
    StoryKeyRow,
    StoryRow,
    TermRow,
)
from worker.store.tables.feeds import (
    DocumentRow,
    EntryRow,
    FeedRow,
    PageSeenRow,
    RawRow,
    SeenRow,
)
from worker.store.tables.worker import (
    ConditionRow,
    HeartbeatRow,
    InForceRow,
    SchemeRow,
)

__all__ = [
    "ACKNOWLEDGEMENT",
    "ARTICLE",
    "ATTEMPT",
    "BAND",
    "CONDITION",
    "DELIVERY",
    "DOCUMENT",
    "ENTRY",
    "FEED",
    "FINGERPRINT",
    "HEARTBEAT",
    "IN_FORCE",
    "JUDGEMENT",
    "LINE",
    "MATCH",
    "NOTICE",
    "OBLIGATION",
    "PAGE_SEEN",
    "RAW",
    "REVISION",
    "SCHEME",
    "SECRET",
    "SEEN",
    "SILENCE",
    "STORY",
    "STORY_APART",
    "STORY_ARTICLE",
    "STORY_HAND",
    "STORY_KEY",
    "TARGET",
    "TERM",
    "WAVE",
    "AcknowledgementRow",
    "ArticleRow",
    "AttemptRow",
    "BandRow",
    "ConditionRow",
    "DeliveryRow",
    "DocumentRow",
    "EntryRow",
    "FeedRow",
    "FingerprintRow",
    "HeartbeatRow",
    "InForceRow",
    "JudgementRow",
    "LineRow",
    "MatchRow",
    "ObligationRow",
    "PageSeenRow",
    "RawRow",
    "RevisionRow",
    "SchemeRow",
    "SecretRow",
    "SeenRow",
    "SilenceRow",
    "StoryApartRow",
    "StoryArticleRow",
    "StoryHandRow",
    "StoryKeyRow",
    "StoryRow",
    "TargetRow",
    "TermRow",
    "WaveRow",
]


def _table(row: type[SQLModel]) -> sa.Table:
    return row.__table__  # type: ignore[attr-defined,no-any-return]  # SQLModel gives it to each class with table=True


ACKNOWLEDGEMENT = _table(AcknowledgementRow)
ARTICLE = _table(ArticleRow)
ATTEMPT = _table(AttemptRow)
BAND = _table(BandRow)
CONDITION = _table(ConditionRow)
DELIVERY = _table(DeliveryRow)
DOCUMENT = _table(DocumentRow)
ENTRY = _table(EntryRow)
FEED = _table(FeedRow)
FINGERPRINT = _table(FingerprintRow)
HEARTBEAT = _table(HeartbeatRow)
IN_FORCE = _table(InForceRow)
JUDGEMENT = _table(JudgementRow)
LINE = _table(LineRow)
MATCH = _table(MatchRow)
OBLIGATION = _table(ObligationRow)
PAGE_SEEN = _table(PageSeenRow)
RAW = _table(RawRow)
REVISION = _table(RevisionRow)
SCHEME = _table(SchemeRow)
SECRET = _table(SecretRow)
SEEN = _table(SeenRow)
SILENCE = _table(SilenceRow)
STORY_APART = _table(StoryApartRow)
STORY_ARTICLE = _table(StoryArticleRow)
STORY_HAND = _table(StoryHandRow)
STORY_KEY = _table(StoryKeyRow)
STORY = _table(StoryRow)
TARGET = _table(TargetRow)
TERM = _table(TermRow)
WAVE = _table(WaveRow)
