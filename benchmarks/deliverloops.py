"""The bare loops that deliver.py stands beside, and a port that nobody listens at."""

import contextlib
import smtplib
import socket
from collections.abc import Sequence

import httpx


def smtplib_loop(port: int, messages: Sequence[bytes], *, keep: bool) -> int:
    """`smtplib`, as its documentation has it; `keep`: one connection for all."""
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(smtplib.SMTP("127.0.0.1", port)) if keep else None
        for content in messages:
            if kept is not None:
                kept.sendmail("veille@example.org", ["reader@example.org"], content)
            else:
                with smtplib.SMTP("127.0.0.1", port) as smtp:
                    smtp.sendmail("veille@example.org", ["reader@example.org"], content)
    return len(messages)


def httpx_loop(port: int, messages: Sequence[bytes]) -> int:
    """`httpx` with one client."""
    with httpx.Client() as client:
        for content in messages:
            answer = client.post(
                f"http://127.0.0.1:{port}/", content=content, headers={"Content-Type": "application/json"}
            )
            answer.raise_for_status()
    return len(messages)


def nobody() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
