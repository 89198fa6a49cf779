"""The log, to standard error: lines for people, or JSON for programs.

Every known secret in it is masked, and no character is left that a terminal obeys.
"""

import atexit
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from worker.runtime.screen import Screen, inert

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

#: A shorter text is no secret worth the name, and masking it would take the log apart.
_SHORTEST = 4
#: What is shorter may be a word: `hunter` stands in `hunters`, and a name that is ours in every line of the log.
_LONG = 8
#: Ours, and free of secrets.
_OWN = frozenset({"level", "timestamp"})
_secrets: set[str] = set()
#: These write whole URLs, tokens and all, at DEBUG and INFO.
_TALKATIVE: Final = (
    "apprise",
    "urllib3",
    "httpx",
    "httpcore",
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


def masked(text: str, *, shortest: int = _SHORTEST) -> str:
    """`text` without any known secret of at least `shortest` characters.

    One that may be an ordinary word or a year is masked where it stands alone, not inside of other words.
    """
    for secret in sorted(_secrets, key=len, reverse=True):
        if len(secret) < shortest or secret not in text:
            continue
        if len(secret) < _LONG and secret.isalnum():
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        else:
            text = text.replace(secret, "***")
    return text


class Form(StrEnum):
    """The log's form."""

    TEXT = "text"
    JSON = "json"


def configure(level: int = logging.INFO, form: Form | None = None) -> Form:
    """Text for people where standard error is a terminal and `form` does not say otherwise, else JSON; returns which.

    What libraries log comes out the same way. Colours are left out where NO_COLOR is set (no-color.org) or the
    terminal is `dumb`.
    """
    # Commands that log nothing need `hide` alone.
    import structlog

    form = form or (Form.TEXT if _is_terminal() else Form.JSON)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or not _is_terminal()
    screen = Screen(lambda line: _Stderr().msg(masked(line, shortest=_LONG)), colours=not plain, width=_width)
    atexit.register(screen.flush)
    rendered: list[Processor] = [structlog.processors.JSONRenderer(ensure_ascii=False), _mask_line]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            *(rendered if form is Form.JSON else ()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr if form is Form.JSON else lambda *_: screen,
    )
    return form


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
        import structlog

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


def _width() -> int:
    """Columns of the terminal; 0 where standard error is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 0


def _mask(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
    # Before they are rendered: afterwards a secret may stand there in a form that nobody foresaw.
    return {masked(key, shortest=_LONG): value if key in _OWN else _masked_value(value) for key, value in event.items()}


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


def _mask_line(_logger: "WrappedLogger", _method: str, line: Any) -> str:
    return masked(str(line), shortest=_LONG)
