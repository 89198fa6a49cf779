"""Sealed messages to their recipients: one attempt each, and a receipt whatever the other side does.

    Claimed -send-> Receipt(sent | retry | permanent | broken | uncertain)

What each outcome claims: `sent` was accepted; `retry` was not; `permanent` never will be; `broken` the target refuses
until someone changes its settings; `uncertain` may have been accepted, so that a further attempt may repeat it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from worker.feeds.child import Children
from worker.model import AppriseSettings, Claimed, EmailSettings, LogSettings, Receipt, SlackSettings, Target
from worker.notify.senders import email, log
from worker.notify.senders.receipt import remark

if TYPE_CHECKING:
    from worker.net import Client

__all__ = ["check", "send"]


async def send(
    claimed: Claimed,
    target: Target,
    *,
    client: "Client",
    children: Children,
    echo: Callable[[str], None],
    allow: Sequence[str] = (),
) -> Receipt:
    """One attempt, of at most 30 seconds; raises only when it is cancelled. Receipts hold no secret.

    `allow` names what Apprise may reach besides public addresses, as config's `[network] allow` does.
    """
    # Imported where they are used: they load the HTTP client, which whoever brings one has, and `check` seldom needs.
    match target.settings:
        case EmailSettings() as settings:
            return await email.send(claimed, settings)
        case SlackSettings() as settings:
            from worker.notify.senders import slack

            return await slack.send(claimed, settings, client, remark(claimed, target.language))
        case AppriseSettings() as settings:
            from worker.notify.senders import apprise

            return await apprise.send(claimed, settings, children, allow, remark(claimed, target.language))
        case LogSettings() as settings:
            return await log.send(claimed, settings, echo)


def check(target: Target) -> tuple[str, ...]:
    """Problems of a target that show without sending anything: sentences for people, without secrets."""
    match target.settings:
        case AppriseSettings() as settings:
            from worker.notify.senders import apprise

            return apprise.check(settings)
        case LogSettings() as settings:
            return log.check(settings)
        case _:
            return ()
