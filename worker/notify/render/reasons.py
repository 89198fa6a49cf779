"""Reasons for which a message was not sent, in the language of whoever reads the notice.

The ledger keeps them in English, as screens and logs show them. What a server or the system said stays as it is.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

#: English and French; what stands in braces is taken over.
FRENCH: Mapping[str, str] = MappingProxyType(
    {
        # Of the ledger.
        "no target reaches this recipient any more": "plus aucune cible n’atteint ce destinataire",
        "its attempts never came back": "ses tentatives ne sont jamais revenues",
        "tried {count} times, may have arrived: ": "{count} tentatives, peut-être arrivé : ",
        "{count} owed obligations without a delivery": "alertes dues sans envoi : {count}",
        "{count} obligations in another recipient's delivery": "alertes dans l’envoi d’un autre destinataire : {count}",
        "{count} suppressed obligations without a reason": "alertes retenues sans motif : {count}",
        "{count} deliveries called sent without an attempt that was": (
            "envois « faits » sans tentative réussie : {count}"
        ),
        "{count} deliveries in a state that does not exist": "envois dans un état qui n’existe pas : {count}",
        "{count} sealed deliveries without their bytes": "envois scellés sans leur contenu : {count}",
        # Of the senders.
        "{host} did not answer within {seconds} s": "{host} n’a pas répondu en {seconds} s",
        "{host} offers no login that we know": "{host} n’offre aucune authentification connue",
        "200, but the answer is not Slack's": "200, mais la réponse n’est pas celle de Slack",
        "Apprise could not send it; it does not say why": "Apprise n’a pas pu l’envoyer, sans dire pourquoi",
        "Apprise did not finish": "Apprise n’a pas terminé",
        "Apprise does not understand this URL, or lacks what the service needs": (
            "Apprise ne comprend pas cette URL, ou il manque ce dont le service a besoin"
        ),
        "the address is not public, and [network] allow does not name it": (
            "l’adresse n’est pas publique, et [network] allow ne la nomme pas"
        ),
        # Fixes, as `senders.fixes` has them.
        "(fix: ": "(remède : ",
        "nothing listens on port {port} of {host}: 587 takes smtp://, 465 takes smtps://; is it one of these?": (
            "rien n’écoute sur le port {port} de {host} : 587 attend smtp://, 465 attend smtps:// ; est-ce l’un d’eux ?"
        ),
        "no name server knows {host}: check the host in `smtp`, and the network": (
            "aucun serveur de noms ne connaît {host} : vérifiez le nom dans `smtp`, et le réseau"
        ),
        "port {port} of {host} may be filtered: try 587 with smtp://, or 465 with smtps://": (
            "le port {port} de {host} est peut-être filtré : essayez 587 avec smtp://, ou 465 avec smtps://"
        ),
        "port {port} of {host} expects TLS from the first byte: write smtps://": (
            "le port {port} de {host} attend TLS dès le premier octet : écrivez smtps://"
        ),
        "port {port} of {host} does not begin with TLS: write smtp://, which encrypts by STARTTLS": (
            "le port {port} de {host} ne commence pas par TLS : écrivez smtp://, qui chiffre par STARTTLS"
        ),
        "{host} offers no encryption on port {port}: try smtps:// with 465; only localhost may go without": (
            "{host} n’offre aucun chiffrement sur le port {port} : essayez smtps:// avec 465 ; seul"
            " localhost s’en dispense"
        ),
        "use the name that the certificate of {host} bears, or have the certificate renewed": (
            "employez le nom que porte le certificat de {host}, ou faites renouveler ce certificat"
        ),
        "{host} wants encryption before the login: write smtp://...:587 or smtps://...:465": (
            "{host} veut un chiffrement avant l’authentification : écrivez smtp://...:587 ou smtps://...:465"
        ),
        "{host} wants a login: write": "{host} veut une authentification : écrivez",
        "check user and password of {user}; an account with two steps needs an app password": (
            "vérifiez le nom et le mot de passe de {user} ; un compte à deux étapes veut un mot de passe d’application"
        ),
        "check user and password of the account; an account with two steps needs an app password": (
            "vérifiez le nom et le mot de passe du compte ; un compte à deux étapes veut un mot de passe d’application"
        ),
        "{host} offers no login on port {port}: try 587 with smtp://, or leave user and password out": (
            "{host} n’offre aucune authentification sur le port {port} : essayez 587 avec smtp://, ou omettez nom et"
            " mot de passe"
        ),
        "{host} does not let this `from` send: write an address that belongs to the account": (
            "{host} refuse ce `from` : écrivez une adresse qui appartient au compte"
        ),
        "check the address in `to`": "vérifiez l’adresse dans `to`",
        "invite the bot: write /invite @ITS-NAME in the channel": "invitez le robot : /invite @SON-NOM dans le canal",
        "check `channel`: its id (C...) stands in its details; a private one must invite the bot": (
            "vérifiez `channel` : son identifiant (C...) figure dans ses détails ; un canal privé doit inviter le robot"
        ),
        "unarchive the channel, or name another": "désarchivez le canal, ou nommez-en un autre",
        "unarchive the channel, or make a webhook for another": (
            "désarchivez le canal, ou créez un webhook pour un autre"
        ),
        "check the token: a bot's begins with xoxb- and stands under OAuth & Permissions of the app": (
            "vérifiez le jeton : celui d’un robot commence par xoxb-, sous OAuth & Permissions de l’application"
        ),
        "give the bot's token (xoxb-...), not a user's or an app's": (
            "donnez le jeton du robot (xoxb-...), et non celui d’une personne ou d’une application"
        ),
        "give the bot's token (xoxb-...)": "donnez le jeton du robot (xoxb-...)",
        "the bot was removed: install the app again and give its new token": (
            "le robot a été retiré : réinstallez l’application et donnez son nouveau jeton"
        ),
        "install the app again and give its new token": "réinstallez l’application et donnez son nouveau jeton",
        "give a token that does not expire, or a new one": "donnez un jeton qui n’expire pas, ou un nouveau",
        "give the app the scope chat:write and install it again": (
            "donnez à l’application la portée chat:write et réinstallez-la"
        ),
        "the workspace's settings keep apps from posting there: ask its owner": (
            "les réglages de l’espace interdisent aux applications d’y publier : demandez à son propriétaire"
        ),
        "the workspace's settings forbid it: ask its owner": (
            "les réglages de l’espace l’interdisent : demandez à son propriétaire"
        ),
        "the webhook was removed: make a new one and give its address": (
            "le webhook a été retiré : créez-en un autre et donnez son adresse"
        ),
        "the webhook's workspace is gone: make a new one and give its address": (
            "l’espace du webhook n’existe plus : créez-en un autre et donnez son adresse"
        ),
        "the webhook was switched off: make a new one and give its address": (
            "le webhook a été désactivé : créez-en un autre et donnez son adresse"
        ),
        "the webhook's address is not whole: copy it again": "l’adresse du webhook est incomplète : recopiez-la",
        "the webhook's maker has left: make a new one and give its address": (
            "l’auteur du webhook est parti : créez-en un autre et donnez son adresse"
        ),
    }
)


#: Of the first words of a ledger's reason, before a colon.
_HEADS = MappingProxyType(
    {
        "refused": "refusé",
        "uncertain": "issue incertaine",
        "expired": "délai dépassé",
        "poison": "mis à l’écart",
        "the message cannot be made": "le message ne peut pas être composé",
    }
)


def said(reason: str, language: str) -> str:
    """The reason, with what Veille itself says of it in this language."""
    if language == "en":
        return reason
    head, colon, rest = reason.partition(":")
    if head in _HEADS:
        reason = _HEADS[head] + (f" :{rest}" if colon else "")
    for english, french in _patterns():
        reason = english.sub(french, reason)
    return reason


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    escaped, named = re.compile(r"\\\{(\w+)\\\}"), re.compile(r"\{(\w+)\}")
    return tuple(
        (re.compile(escaped.sub(r"(?P<\1>\\S+?)", re.escape(english))), named.sub(r"\\g<\1>", french))
        for english, french in FRENCH.items()
    )
