"""Every other channel, through Apprise, in a child process that can be killed and whose network is guarded.

Apprise tells neither status codes nor waiting times, follows redirects and repeats requests by itself unless asked not
to, and logs tokens: so it sends once, silently, and only its plain success counts.
"""

import json
import logging
import warnings
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.feeds.child import ChildFailed, ChildReason, Children
from worker.model import AppriseSettings, Claimed, Outcome, Receipt
from worker.notify.senders.guard import Guard
from worker.notify.senders.receipt import receipt

if TYPE_CHECKING:
    from apprise import NotifyBase

_SECONDS = 30


class Answer(StrEnum):
    """The outcome of one call in the child."""

    SENT = "sent"
    FAILED = "Apprise could not send it; it does not say why"
    UNUSABLE = "Apprise does not understand this URL, or lacks what the service needs"
    BLOCKED = "the address is not public, and [network] allow does not name it"


_OUTCOMES = {
    Answer.SENT: Outcome.SENT,
    Answer.FAILED: Outcome.RETRY,
    Answer.UNUSABLE: Outcome.BROKEN,
    # A name server's passing mistake looks the same as a setting that is missing.
    Answer.BLOCKED: Outcome.RETRY,
}


async def send(
    claimed: Claimed, settings: AppriseSettings, children: Children, allow: Sequence[str], remark: str = ""
) -> Receipt:
    """One call of one service; `remark` stands above the text."""
    said = json.loads(claimed.message.content)
    body = f"{remark}\n\n{said['body']}" if remark else said["body"]
    answer = await children.run(notify, settings.url.reveal(), said["title"], body, tuple(allow), seconds=_SECONDS)
    if isinstance(answer, ChildFailed):
        # The detail may quote the URL, and says nothing that the reason does not.
        # Apprise catches what its services raise, so an exception means that nothing was sent.
        outcome = Outcome.RETRY if answer.reason is ChildReason.RAISED else Outcome.UNCERTAIN
        return receipt(outcome, f"Apprise did not finish: {answer.reason}", shared=True)
    # Whether it is the message or the service, Apprise does not say.
    return receipt(_OUTCOMES[answer], str(answer), shared=_OUTCOMES[answer] is Outcome.RETRY)


def check(settings: AppriseSettings) -> tuple[str, ...]:
    """Tells whether Apprise understands the URL."""
    return () if _service(settings.url.reveal()) is not None else (str(Answer.UNUSABLE),)


def notify(url: str, title: str, body: str, allow: tuple[str, ...]) -> Answer:
    """Send once. Runs in a child."""
    from apprise import Apprise, AppriseResultStatus

    service = _service(url)
    if service is None:
        return Answer.UNUSABLE
    call = Apprise(asset=service.asset)
    call.add(service)
    with Guard(allow) as guard:
        result = call.notify(body=body, title=title, body_format="text")
    if result.status == AppriseResultStatus.SUCCESS:
        return Answer.SENT
    return Answer.BLOCKED if guard.refused and not guard.opened else Answer.FAILED


def _service(url: str) -> "NotifyBase | None":
    """The one service that the URL names, set to send once and to stay where it is sent."""
    from apprise import Apprise, AppriseAsset, OverflowMode

    for name in ("apprise", "urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(
        async_mode=False,
        http_redirects=False,
        default_service_retry=0,
        interpret_emojis=False,
        interpret_escapes=False,
        storage_mode="memory",
        # The child's own deadline ends a call; Apprise's would leave its thread running.
        service_timeout=0,
        allow_templates=False,
    )
    with warnings.catch_warnings():
        # Its plug-ins, loaded by the first call, import what Python deprecates.
        warnings.simplefilter("ignore")
        service: NotifyBase | None = Apprise.instantiate(url, asset=asset)
    if service is None:
        return None
    # The URL's own parameters win over the asset; these would repeat a message, hide a failure or lose the end of it.
    service.redirects = False
    service.retry = 0
    service.optional = False
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.SPLIT
    return service
