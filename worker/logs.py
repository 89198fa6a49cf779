"""The log: structured, to standard error, with every known secret masked and no character that a terminal obeys."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, WrappedLogger

#: A shorter text is no secret worth the name, and masking it would take the log apart.
_SHORTEST = 4
_secrets: set[str] = set()
#: What a terminal obeys (C0, DEL, C1), what turns a line around (Unicode's Bidi_Control) or breaks it, and what is no
#: character at all.
UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WHITE: Final = "\t\n\v\f\r\x85\u2028\u2029"
#: These write whole URLs, tokens and all, at DEBUG and INFO.
_TALKATIVE: Final = (
    "apprise",
    "urllib3",
    "httpx",
    "requests",
    "apscheduler",
    "trafilatura",
    "uvicorn",
    "mail.log",
)


def hide(secrets: Iterable[str]) -> None:
    """Mask these texts in all that is logged from now on, also as URLs, JSON and Python write them."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            in_json = json.dumps(secret, ensure_ascii=False)[1:-1]
            _secrets.update((secret, in_json, json.dumps(secret)[1:-1], repr(secret)[1:-1]))
            _secrets.update((quote(secret), quote(secret, safe="")))


def masked(text: str) -> str:
    """`text` without any known secret."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def inert(text: str, keep: str = "\n\t") -> str:
    """`text` with a harmless sign for each character that is `UNSAFE` and not in `keep`; its length stays."""
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else _sign(found[0]), text)


def _sign(char: str) -> str:
    if char in _WHITE:
        return " "
    # Unicode's pictures of control characters: U+241B for ESC.
    return chr(0x2400 + ord(char)) if char < " " else "\u2421" if char == "\x7f" else "\ufffd"


def configure(level: int = logging.INFO) -> None:
    """Colours on a terminal, JSON lines elsewhere; what libraries log comes out the same way."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    shown = structlog.dev.ConsoleRenderer() if _is_terminal() else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            shown,
            _mask_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
    )


class _Stderr:
    """Writes lines to standard error; a terminal or a pipe that is gone, or full, fails no job."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    log = debug = info = warn = warning = error = critical = fatal = exception = msg


class _Libraries(logging.Handler):
    """Hands the standard library's records on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's slip in its format must not become ours
            said = str(record.msg)
        log = structlog.get_logger()
        log.log(record.levelno, inert(said, keep=""), logger=record.name, exc_info=record.exc_info or None)


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # Before they are rendered: afterwards a secret may stand there in a form that nobody foresaw.
    return {key: _masked_value(value) for key, value in event.items()}


def _masked_value(value: Any) -> Any:
    match value:
        case str():
            return inert(masked(value))
        case Mapping():
            return {_masked_value(key): _masked_value(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked_value(one) for one in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return inert(masked(str(value)))


def _mask_line(_logger: WrappedLogger, _method: str, line: Any) -> str:
    return masked(str(line))
