"""Slack: an incoming webhook, or the Web API's `chat.postMessage` with a bot token (docs.slack.dev)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

from worker import net
from worker.model import Claimed, FetchReason, Outcome, Receipt, SlackSettings
from worker.notify.senders.fixes import slack_fix
from worker.notify.senders.receipt import receipt

_SECONDS = 30
_JSON = ("content-type", "application/json; charset=utf-8")

#: Where Slack asks for patience, and does not say for how long.
_PATIENCE = timedelta(seconds=30)
_LIMITED = {"ratelimited", "rate_limited", "message_limit_exceeded"}
#: Of one message (docs.slack.dev/reference/block-kit/blocks).
_BLOCKS = 50
#: A `ts` has 17 characters.
_REF = 64

#: `error` words of chat.postMessage that come of load or of Slack's own faults.
_PASSING = {
    "ratelimited",
    "rate_limited",
    "message_limit_exceeded",
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "accesslimited",
}
#: Those that are about the message; every other one is about the token, the channel or the app.
_MESSAGE = {
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_too_long",
    "msg_blocks_too_long",
    "no_text",
    "invalid_arguments",
    "invalid_json",
    "json_not_object",
    "invalid_payload",
    "too_many_attachments",
    "metadata_too_large",
    "cannot_reply_to_message",
}


async def send(claimed: Claimed, settings: SlackSettings, client: net.Client, remark: str = "") -> Receipt:
    """One POST, redirects refused; `remark` stands below the text."""
    content = _with_remark(claimed.message.content, remark) if remark else claimed.message.content
    if settings.webhook is not None:
        url, headers = settings.webhook.reveal(), [_JSON]
    else:
        url = f"{settings.api.rstrip('/')}/chat.postMessage"
        token = settings.token.reveal() if settings.token else ""
        headers = [_JSON, ("authorization", f"Bearer {token}")]
        content = json.dumps(json.loads(content) | {"channel": settings.channel}).encode()
    answer = await client.request(
        "POST", url, headers=headers, content=content, limits=net.Limits(seconds=_SECONDS), redirects=False
    )
    after, ref = None, ""
    if isinstance(answer, net.NetFailure):
        outcome, detail = _judge_failure(answer), f"{answer.reason}: {answer.detail}"
    else:
        if settings.webhook is not None:
            outcome, detail = _judge_webhook(answer)
        else:
            outcome, detail, ref = _judge_api(answer)
        after = _patience(answer, detail) if outcome is Outcome.RETRY else None
    # What is not about the message is about the service, and holds for all that it is sent.
    shared = outcome in {Outcome.RETRY, Outcome.UNCERTAIN}
    fix = "" if outcome is Outcome.SENT else slack_fix(detail)
    secrets = [settings.webhook, settings.token]
    return receipt(outcome, detail, secrets=secrets, after=after, ref=ref[:_REF], shared=shared, fix=fix)


def _with_remark(content: bytes, remark: str) -> bytes:
    """The payload with words of our own at its end, in the notification too; a message that is full has none below."""
    payload = json.loads(content)
    payload["text"] = f"{payload.get('text', '')} {remark}".strip()
    blocks = payload.get("blocks", [])
    if blocks and len(blocks) < _BLOCKS:
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": remark}]})
    return json.dumps(payload, ensure_ascii=False).encode()


def _judge_failure(failure: net.NetFailure) -> Outcome:
    if failure.sent:
        return Outcome.UNCERTAIN
    return Outcome.BROKEN if failure.reason is FetchReason.BAD_URL else Outcome.RETRY


def _judge_webhook(answer: net.Response) -> tuple[Outcome, str]:
    words = _text(answer)
    if answer.status == 200:
        # A proxy's login page answers 200 as well; only Slack says `ok`.
        return (Outcome.SENT, "ok") if words.strip() == "ok" else (Outcome.RETRY, "200, but the answer is not Slack's")
    return _judge_status(answer.status), f"{answer.status} {words}"


def _judge_api(answer: net.Response) -> tuple[Outcome, str, str]:
    """The outcome, its words, and the `ts` of what was posted."""
    if answer.status != 200:
        return _judge_status(answer.status), f"{answer.status} {_text(answer)}", ""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("ok"), bool):
        return Outcome.RETRY, "200, but the answer is not Slack's", ""
    if said["ok"]:
        return Outcome.SENT, "ok", str(said.get("ts", ""))
    error = str(said.get("error", "unknown error"))
    if error in _PASSING:
        return Outcome.RETRY, error, ""
    return (Outcome.PERMANENT if error in _MESSAGE else Outcome.BROKEN), error, ""


def _judge_status(status: int) -> Outcome:
    if status in {400, 413}:
        return Outcome.PERMANENT
    if status in {401, 403, 404, 410}:
        return Outcome.BROKEN
    # 429 and 5xx pass; so may what a proxy on the way makes of the request (3xx, 407, 408 ...).
    return Outcome.RETRY


def _patience(answer: net.Response, detail: str) -> timedelta | None:
    """The pause that the service asks for; half a minute where it only says that it is asked too often."""
    limited = answer.status == 429 or detail in _LIMITED
    return _retry_after(answer.headers) or (_PATIENCE if limited else None)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """RFC 9110 10.2.3: seconds, or a date, which is read against the answer's own; at most a day."""
    said = headers.get("retry-after", "")
    try:
        wait = net.retry_after(said, parsedate_to_datetime(headers.get("date", "")))
    except (TypeError, ValueError):
        wait = net.seconds(said)
    return None if wait is None else timedelta(seconds=wait)


def _text(answer: net.Response) -> str:
    return answer.body[:200].decode(errors="replace")
