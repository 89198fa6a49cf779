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
from worker.store.tables.people import (
    ApiTokenRow,
    AuditRow,
    HandOverRow,
    NoteRow,
    PersonRow,
    SessionRow,
    VisitRow,
)
from worker.store.tables.worker import (
    ConditionRow,
    HeartbeatRow,
    InForceRow,
    SchemeRow,
)

__all__ = [
    "ACKNOWLEDGEMENT",
    "API_TOKEN",
    "ARTICLE",
    "ATTEMPT",
    "AUDIT",
    "BAND",
    "CONDITION",
    "DELIVERY",
    "DOCUMENT",
    "ENTRY",
    "FEED",
    "FINGERPRINT",
    "HAND_OVER",
    "HEARTBEAT",
    "IN_FORCE",
    "JUDGEMENT",
    "LINE",
    "MATCH",
    "NOTE",
    "NOTICE",
    "OBLIGATION",
    "PAGE_SEEN",
    "PERSON",
    "RAW",
    "REVISION",
    "SCHEME",
    "SECRET",
    "SEEN",
    "SESSION",
    "SILENCE",
    "STORY",
    "STORY_APART",
    "STORY_ARTICLE",
    "STORY_HAND",
    "TARGET",
    "TERM",
    "VISIT",
    "WAVE",
    "AcknowledgementRow",
    "ApiTokenRow",
    "ArticleRow",
    "AttemptRow",
    "AuditRow",
    "BandRow",
    "ConditionRow",
    "DeliveryRow",
    "DocumentRow",
    "EntryRow",
    "FeedRow",
    "FingerprintRow",
    "HandOverRow",
    "HeartbeatRow",
    "InForceRow",
    "JudgementRow",
    "LineRow",
    "MatchRow",
    "NoteRow",
    "ObligationRow",
    "PageSeenRow",
    "PersonRow",
    "RawRow",
    "RevisionRow",
    "SchemeRow",
    "SecretRow",
    "SeenRow",
    "SessionRow",
    "SilenceRow",
    "StoryApartRow",
    "StoryArticleRow",
    "StoryHandRow",
    "StoryKeyRow",
    "StoryRow",
    "TargetRow",
    "TermRow",
    "VisitRow",
    "WaveRow",
]


def _table(row: type[SQLModel]) -> sa.Table:
    return row.__table__  # type: ignore[attr-defined,no-any-return]  # SQLModel gives it to each class with table=True


ACKNOWLEDGEMENT = _table(AcknowledgementRow)
API_TOKEN = _table(ApiTokenRow)
ARTICLE = _table(ArticleRow)
ATTEMPT = _table(AttemptRow)
AUDIT = _table(AuditRow)
BAND = _table(BandRow)
CONDITION = _table(ConditionRow)
DELIVERY = _table(DeliveryRow)
DOCUMENT = _table(DocumentRow)
ENTRY = _table(EntryRow)
FEED = _table(FeedRow)
FINGERPRINT = _table(FingerprintRow)
HAND_OVER = _table(HandOverRow)
HEARTBEAT = _table(HeartbeatRow)
IN_FORCE = _table(InForceRow)
JUDGEMENT = _table(JudgementRow)
LINE = _table(LineRow)
MATCH = _table(MatchRow)
NOTE = _table(NoteRow)
OBLIGATION = _table(ObligationRow)
PAGE_SEEN = _table(PageSeenRow)
PERSON = _table(PersonRow)
RAW = _table(RawRow)
REVISION = _table(RevisionRow)
SCHEME = _table(SchemeRow)
SECRET = _table(SecretRow)
SEEN = _table(SeenRow)
SESSION = _table(SessionRow)
SILENCE = _table(SilenceRow)
STORY = _table(StoryRow)
STORY_APART = _table(StoryApartRow)
STORY_ARTICLE = _table(StoryArticleRow)
STORY_HAND = _table(StoryHandRow)
TARGET = _table(TargetRow)
TERM = _table(TermRow)
VISIT = _table(VisitRow)
WAVE = _table(WaveRow)
