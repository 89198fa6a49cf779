"""Words to operators: whole in one language, each kind of condition and reason among them."""

import re
from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from worker.alerts.self_watch import Condition, Kind
from worker.notify.render import conditions, filled, notice_wording
from worker.notify.render.sentences import said
from worker.notify.senders.apprise import Answer
from worker.notify.senders.fixes import SLACK_FIXES, SmtpFix

LAST = datetime(2026, 2, 3, 8, 30, tzinfo=UTC)
#: Words that stand in no French sentence.
ENGLISH = re.compile(r"\b(?:the|is|are|of|not|cannot|was|its|since|days|hours|over|more|than|which|and)\b")
VALUES = {"name": "VNA", "last": LAST, "span": timedelta(hours=30), "count": 7, "of": 9, "lines": ("x", "y")}


@pytest.mark.parametrize("kind", Kind)
def test_a_condition_stands_in_french(kind: Kind) -> None:
    """Subject, body and end, of every kind."""
    one = Condition(kind=kind, **VALUES)
    words = [conditions.subject(one, "fr"), conditions.body(one, "fr"), conditions.ended(kind, "VNA", "fr")]
    assert not ENGLISH.search("\n".join(words))
    assert words[0] != conditions.subject(one, "en")


SENTENCES = [
    pytest.param(
        Kind.FEED_SILENT, "fr", "VNA : rien de nouveau depuis le 2026-02-03 08:30 UTC", "de 30 heures.", id="fr"
    ),
    pytest.param(Kind.FEED_SILENT, "en", "VNA: nothing new since 2026-02-03 08:30 UTC", "30 hours of late.", id="en"),
    pytest.param(Kind.RULE_QUIET, "fr", "règle VNA : aucun article depuis le 2026-02-03", "de 30 heures.", id="a day"),
    pytest.param(Kind.DNS_DOWN, "fr", "le serveur de noms ne répond pas", "7 sur 9 (x, y)", id="names"),
    pytest.param(Kind.WORKER_FAULT, "fr", "VNA : le travail est bloqué", "x\ny\n", id="lines"),
]


@pytest.mark.parametrize(("kind", "language", "subject", "part"), SENTENCES)
def test_a_condition_carries_its_values(kind: Kind, language: str, subject: str, part: str) -> None:
    """Those that its kind has words for."""
    one = Condition(kind=kind, **VALUES)
    assert conditions.subject(one, language) == subject
    assert part in conditions.body(one, language)


def test_a_silence_whose_past_is_forgotten_is_compared_with_nothing() -> None:
    """Its subject says all that is known."""
    assert conditions.body(Condition(kind=Kind.FEED_SILENT, name="VNA", last=LAST), "fr") == ""


@pytest.mark.parametrize("name", ["moved", "gone", "failing", "answers_again", "clock_set", "died", "taken_over"])
def test_both_languages_fill_in_the_same_values(name: str) -> None:
    """Each names what the other names, so that neither fails where the other does not."""
    french, english = (getattr(notice_wording(language), name) for language in ("fr", "en"))
    named = [{key for _, key, _, _ in Formatter().parse("".join(words)) if key} for words in (french, english)]
    assert named[0] == named[1]
    words = "".join(filled(french, **dict.fromkeys(named[0], "v")))
    assert "{" not in words
    assert not ENGLISH.search(words)


OWN_WORDS = [*SmtpFix, *SLACK_FIXES.values(), *(one for one in Answer if one is not Answer.SENT)]


@pytest.mark.parametrize("english", OWN_WORDS)
def test_every_fix_has_its_french(english: str) -> None:
    """A fix that is added to `senders.fixes` is added here as well."""
    values = {"host": "mail.example.org", "port": 25, "user": "the account"}
    french = said(f"535 no (fix: {english.format_map(values)})", "fr")
    assert not ENGLISH.search(french), french


REASONS = [
    pytest.param("refused: 550 no such user", "refusé\u00a0: 550 no such user", id="what a server said stays"),
    pytest.param("may have arrived", "may have arrived", id="unknown to the table"),
    pytest.param(
        "uncertain: tried 2 times, may have arrived: m.example did not answer within 60 s",
        "issue incertaine\u00a0: 2 tentatives, peut-être arrivé\u00a0: m.example n’a pas répondu en 60 s",
        id="of several parts",
    ),
    pytest.param(
        "3 sealed deliveries without their bytes", "envois scellés sans leur contenu\u00a0: 3", id="of the ledger"
    ),
]


@pytest.mark.parametrize(("reason", "french"), REASONS)
def test_a_reason_in_french(reason: str, french: str) -> None:
    """Part by part; English stays what it is."""
    assert said(reason, "fr") == french
    assert said(reason, "en") == reason
