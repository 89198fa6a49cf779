"""The tables. Rows never leave `store`; times are aware UTC; a lease is a time until which one owner works on a row."""

from worker.store.tables.alerts import (
    NOTICE,
    AcknowledgementRow,
    AttemptRow,
    DeliveryRow,
    ObligationRow,
    SecretRow,
    SilenceRow,
    TargetRow,
)
from worker.store.tables.articles import (
    ArticleRow,
    BandRow,
    FingerprintRow,
    JudgementRow,
    MatchRow,
    RevisionRow,
    StoryArticleRow,
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
    EventRow,
    HeartbeatRow,
    InForceRow,
)

__all__ = [
    "NOTICE",
    "AcknowledgementRow",
    "ArticleRow",
    "AttemptRow",
    "BandRow",
    "ConditionRow",
    "DeliveryRow",
    "DocumentRow",
    "EntryRow",
    "EventRow",
    "FeedRow",
    "FingerprintRow",
    "HeartbeatRow",
    "InForceRow",
    "JudgementRow",
    "MatchRow",
    "ObligationRow",
    "PageSeenRow",
    "RawRow",
    "RevisionRow",
    "SecretRow",
    "SeenRow",
    "SilenceRow",
    "StoryArticleRow",
    "StoryKeyRow",
    "StoryRow",
    "TargetRow",
    "TermRow",
]
