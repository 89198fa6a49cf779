"""Words to operators about Veille itself, in French and English; those of conditions stand in `conditions`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from worker.notify.render.sentences import said
from worker.notify.render.wording import words_of

#: Of one thing, and of `{count}`.
_Counted = tuple[str, str]
#: Subject and body.
Words = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWording:
    """A notice's own words in one language; what stands in braces is named as its values are."""

    language: str
    given_up: str
    not_sent: str
    #: Nothing more is sent to a target.
    closed: str
    silent: str
    works_again: str
    had_failed: str
    template: Words
    expired: _Counted
    #: Behind the messages that expired.
    not_fixed: str
    hint: str
    #: A feed that moved, with what stands behind an address that is not shown whole; one that is gone, that fails,
    #: that answers again.
    moved: Words
    values_hidden: str
    gone: Words
    failing: Words
    answers_again: Words
    clock_set: Words
    #: One that died, as the next one says it, and as others on its store do.
    died: Words
    taken_over: Words
    #: Files that were refused, by what they are, and that are good again.
    files: Mapping[str, str]
    files_and: str
    refused: Words
    accepted: str
    in_force: _Counted
    judged_again: Words
    muted_stories: str
    muted: str
    muted_for_good: str
    kept_back: str
    kept_back_hint: str
    suppressions: Mapping[str, str]
    untitled: str
    forgotten: str
    #: Behind a condition, `{since}`.
    began: str
    and_more: _Counted
    more: _Counted
    doctor: str
    #: Before what is over.
    over: str
    is_over: str
    colon: str

    def counted(self, forms: _Counted, count: int) -> str:
        """The form for so many."""
        return forms[count != 1].format(count=count)

    def reason(self, reason: str) -> str:
        """A reason of the ledger in this language."""
        return said(reason, self.language)

    def failure(self, recipient: str, titles: Sequence[str], reason: str) -> str:
        """The message that failed: its recipient, what it was about, and why."""
        about = f"{self.colon} ".join(filter(None, (recipient, ", ".join(titles))))
        return f"{about}\n{self.reason(reason)}"


def filled(words: Words, **values: object) -> Words:
    """A notice's words with its values."""
    subject, body = words
    return subject.format(**values), body.format(**values)


@cache
def notice_wording(language: str) -> NoticeWording:
    """The words of `language`; French where it is neither French nor English, as for messages."""
    return words_of(NoticeWording, "notice", language)
