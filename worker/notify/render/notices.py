"""Words to operators about messages and targets, in French and English.

Those about feeds, rules and the machine stand in `alerts.self_watch`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

#: Of one message, and of `{count}`.
_Counted = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWording:
    """A notice's own words in one language; `{target}` is a target's id."""

    given_up: str
    not_sent: str
    #: Nothing more is sent to a target.
    closed: str
    #: `{since}`
    silent: str
    works_again: str
    #: `{since}`
    had_failed: str
    template: str
    #: `{problem}`
    shipped_instead: str
    expired: _Counted
    #: `{days}`
    not_mended: str
    #: Before what is over.
    over: str
    is_over: str
    hint: str
    #: By what a reason begins with.
    reasons: Mapping[str, str]
    colon: str

    def counted(self, forms: _Counted, count: int) -> str:
        """The form for so many."""
        return forms[count != 1].format(count=count)

    def reason(self, reason: str) -> str:
        """A ledger's reason, its first words in this language; what a server said stays as it is."""
        head, colon, rest = reason.partition(":")
        said = self.reasons.get(head)
        return reason if said is None else said + (f"{self.colon}{rest}" if colon else "")

    def failure(self, recipient: str, titles: Sequence[str], reason: str) -> str:
        """The message that failed: its recipient, what it was about, and why."""
        about = f"{self.colon} ".join(filter(None, (recipient, ", ".join(titles))))
        return f"{about}\n{self.reason(reason)}"


_FRENCH = NoticeWording(
    given_up="{target} : un message a été abandonné",
    not_sent="{target} : un message n’a pas été envoyé",
    closed="{target} : rien ne peut être envoyé",
    silent="{target} : rien n’est arrivé depuis {since}",
    works_again="{target} : les envois passent de nouveau",
    had_failed="Ils échouaient depuis {since}.",
    template="un modèle de message échoue",
    shipped_instead="{problem}\n\nLe modèle livré avec Veille est employé à sa place.",
    expired=("un message en attente a été abandonné", "{count} messages en attente ont été abandonnés"),
    not_mended="Personne n’a rétabli leurs cibles en {days} jours. `veille status` les énumère.",
    over="terminé : ",
    is_over="C’est terminé.",
    hint="`veille status` énumère ce qui attend et ce qui a été abandonné.",
    reasons=MappingProxyType(
        {
            "refused": "refusé",
            "uncertain": "issue incertaine",
            "expired": "délai dépassé",
            "poison": "mis à l’écart",
            "the message cannot be made": "le message ne peut pas être composé",
        }
    ),
    colon=" :",
)

_ENGLISH = NoticeWording(
    given_up="{target}: a message was given up",
    not_sent="{target}: a message was not sent",
    closed="{target}: nothing can be sent",
    silent="{target}: nothing has arrived since {since}",
    works_again="{target}: it works again",
    had_failed="It had failed since {since}.",
    template="a template fails",
    shipped_instead="{problem}\n\nThe template that ships with Veille is used for the message instead.",
    expired=("a parked message was given up", "{count} parked messages were given up"),
    not_mended="Nobody fixed their targets within {days} days. `veille status` lists them.",
    over="over: ",
    is_over="This is over.",
    hint="`veille status` lists what waits and what was given up.",
    reasons=MappingProxyType({}),
    colon=":",
)


def notice_wording(language: str) -> NoticeWording:
    """The words of `language`; French where it is neither French nor English, as for messages."""
    return _ENGLISH if language == "en" else _FRENCH
