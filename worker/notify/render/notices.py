"""Words to operators about Veille itself, in French and English; those of conditions stand in `conditions`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from worker.model import Suppression
from worker.notify.render.sentences import said

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


_FRENCH = NoticeWording(
    language="fr",
    given_up="{target} : un message a été abandonné",
    not_sent="{target} : un message n’a pas été envoyé",
    closed="{target} : rien ne peut être envoyé",
    silent="{target} : rien n’est arrivé depuis {since}",
    works_again="{target} : les envois passent de nouveau",
    had_failed="Ils échouaient depuis {since}.",
    template=(
        "un modèle de message échoue",
        "{problem}\n\nLe modèle livré avec Veille est employé à sa place.",
    ),
    expired=("un message en attente a été abandonné", "{count} messages en attente ont été abandonnés"),
    not_fixed="Personne n’a rétabli leurs cibles en {days} jours. `veille status` les énumère.",
    hint="`veille status` énumère ce qui attend et ce qui a été abandonné.",
    moved=(
        "{name} : le flux a changé d’adresse",
        (
            "Les {count} derniers relevés ont tous été renvoyés, définitivement, vers\n{address}\n\n"
            "Remplacez son `url` par cette adresse{hidden}."
        ),
    ),
    values_hidden=" (les valeurs de sa requête ne sont pas montrées)",
    gone=(
        "{name} : le flux a disparu",
        (
            "Son serveur le dit supprimé définitivement (410). Il sera redemandé dans l’heure puis, s’il manque"
            " toujours, une fois par jour. Retirez-le, ou changez son `url`."
        ),
    ),
    failing=(
        "{name} : {count} relevés de suite ont échoué",
        "{reason} : {detail}\n\nIl sera encore redemandé, au moins toutes les heures.",
    ),
    answers_again=(
        "{name} : le flux répond de nouveau",
        "Il a échoué {count} fois de suite. Ce qui n’y a figuré qu’entre-temps n’a pas été vu.",
    ),
    clock_set=(
        "l’horloge a été avancée de {step}",
        (
            "Si c’est une erreur, remettez-la à l’heure. Rien n’est supprimé ni abandonné en raison de son âge tant que"
            " la nouvelle heure n’a pas tenu {days} jour ; un redémarrage de Veille la confirme aussitôt."
        ),
    ),
    died=("Veille ne tournait pas", "Elle s’est arrêtée sans le dire ; son dernier cycle date de {tick}."),
    taken_over=(
        "{name} : ce processus s’est arrêté sans le dire",
        "Son dernier cycle date de {tick}. Un autre a repris son travail.",
    ),
    files=MappingProxyType({"configuration": "configuration", "rules": "règles"}),
    files_and=" et ",
    refused=(
        "{what} : la version sur le disque est refusée",
        "{problems}\n\nCe qui était en vigueur le reste. `veille status` montre où en sont les choses.",
    ),
    accepted="{what} : la version sur le disque est de nouveau acceptée",
    in_force=("{count} règle est en vigueur.", "{count} règles sont en vigueur."),
    judged_again=(
        "les affaires ont été réexaminées",
        (
            "Cette version juge les affaires et les copies plus strictement. Ce qui est enregistré a été réexaminé"
            " ; rien n’a été envoyé."
        ),
    ),
    muted_stories="Affaires qui ne sont plus suivies :",
    muted="affaire {story}, {title} : jusqu’au {until}, par {author} ; `veille silence --end {number}` y met fin",
    muted_for_good="affaire {story}, {title} : pour toujours, par {author} ; `veille silence --end {number}` y met fin",
    kept_back="Alertes des 30 derniers jours qui ont été retenues et ne le seraient plus :",
    kept_back_hint="`veille review` les énumère de nouveau ; `veille review --send NUMÉRO...` envoie celles que vous"
    " choisissez.",
    suppressions=MappingProxyType(
        {
            Suppression.COPY: "copie",
            Suppression.MUTED_STORY: "affaire qui n’est plus suivie",
            Suppression.SAME_STORY: "affaire déjà signalée",
        }
    ),
    untitled="(sans titre)",
    forgotten="(oubliée)",
    began=" (depuis le {since})",
    and_more=("et {count} autre", "et {count} autres"),
    more=("{count} autre. ", "{count} autres. "),
    doctor="`veille doctor` montre ce qui ne va pas ; un message suivra quand ce sera terminé.",
    over="terminé : ",
    is_over="C’est terminé.",
    colon=" :",
)

_ENGLISH = NoticeWording(
    language="en",
    given_up="{target}: a message was given up",
    not_sent="{target}: a message was not sent",
    closed="{target}: nothing can be sent",
    silent="{target}: nothing has arrived since {since}",
    works_again="{target}: it works again",
    had_failed="It had failed since {since}.",
    template=(
        "a template fails",
        "{problem}\n\nThe template that ships with Veille is used for the message instead.",
    ),
    expired=("a parked message was given up", "{count} parked messages were given up"),
    not_fixed="Nobody fixed their targets within {days} days. `veille status` lists them.",
    hint="`veille status` lists what waits and what was given up.",
    moved=(
        "{name}: the feed has moved",
        "Each of the last {count} polls was sent on, for good, to\n{address}\n\nChange its url to that one{hidden}.",
    ),
    values_hidden=" (values of its query are not shown)",
    gone=(
        "{name}: the feed is gone",
        (
            "Its server says that it is gone for good (410). It is asked again within the hour, and if it is still"
            " gone, once a day. Remove it, or change its url."
        ),
    ),
    failing=(
        "{name}: {count} polls failed in a row",
        "{reason}: {detail}\n\nIt goes on being asked, every hour at least.",
    ),
    answers_again=(
        "{name}: the feed answers again",
        "It failed {count} times in a row. What stood in it only meanwhile was not seen.",
    ),
    clock_set=(
        "the clock was set forward by {step}",
        (
            "If that was wrong, set it right. Nothing is deleted or given up for its age until the new time has"
            " stood for {days} day; a restart of the worker confirms it at once."
        ),
    ),
    died=("the worker was not running", "It ended without saying so; its last tick was at {tick}."),
    taken_over=(
        "{name}: this worker ended without saying so",
        "Its last tick was at {tick}. Another one has taken over its work.",
    ),
    files=MappingProxyType({"configuration": "configuration", "rules": "rules"}),
    files_and=" and the ",
    refused=(
        "the {what} on disk cannot be used",
        "{problems}\n\nWhat was in force before stays in force. `veille status` shows how it stands.",
    ),
    accepted="the {what} on disk can be used again",
    in_force=("{count} rule in force now.", "{count} rules in force now."),
    judged_again=(
        "stories were judged again",
        "This version judges stories and copies more strictly. What is stored was judged again; nothing was sent.",
    ),
    muted_stories="Muted stories:",
    muted="story {story}, {title}: until {until}, by {author}; `veille silence --end {number}` ends it",
    muted_for_good="story {story}, {title}: for good, by {author}; `veille silence --end {number}` ends it",
    kept_back="Alerts of the last 30 days that were kept back, and would not be now:",
    kept_back_hint="`veille review` lists them again; `veille review --send NUMBER...` sends those you choose.",
    suppressions=MappingProxyType({}),
    untitled="(no title)",
    forgotten="(forgotten)",
    began=" (since {since})",
    and_more=("and {count} more", "and {count} more"),
    more=("{count} more. ", "{count} more. "),
    doctor="`veille doctor` shows what is wrong; a notice follows when it is over.",
    over="over: ",
    is_over="This is over.",
    colon=":",
)


def notice_wording(language: str) -> NoticeWording:
    """The words of `language`; French where it is neither French nor English, as for messages."""
    return _ENGLISH if language == "en" else _FRENCH
