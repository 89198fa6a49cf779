"""The log: nothing that was declared secret is ever written, and writing never fails a job."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
import structlog

from worker.runtime import logs

TOKEN = 'CANARY-é"\\ /?=&'


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A log that knows one secret; afterwards as it was before."""
    monkeypatch.setattr(logs, "_secrets", set())
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure(logging.DEBUG)
    logs.hide([TOKEN])
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before


def failing(text: str = TOKEN) -> None:
    raise ValueError(f"no {text} here")


def with_trace() -> None:
    try:
        failing()
    except ValueError:
        structlog.get_logger().exception("it failed", why=TOKEN)


def with_library_trace() -> None:
    try:
        failing()
    except ValueError:
        logging.getLogger("a.library").exception("it said %s", TOKEN)


WAYS = {
    "message": lambda: structlog.get_logger().info(f"see {TOKEN}"),
    "value": lambda: structlog.get_logger().info("see", url=f"https://u:{TOKEN}@h/"),
    "key": lambda: structlog.get_logger().info("see", **{TOKEN: 1}),
    "nested": lambda: structlog.get_logger().info("see", what={"a": [{"b": (TOKEN, {TOKEN})}]}),
    "nested key": lambda: structlog.get_logger().info("see", what={TOKEN: 1}),
    "exception as value": lambda: structlog.get_logger().warning("see", error=ValueError(TOKEN)),
    "repr": lambda: structlog.get_logger().warning("see", error=repr(TOKEN)),
    "json": lambda: structlog.get_logger().warning("see", error=json.dumps({"a": TOKEN})),
    "quoted": lambda: structlog.get_logger().info("see", url="h/?t=CANARY-%C3%A9%22%5C%20%2F%3F%3D%26"),
    "quoted path": lambda: structlog.get_logger().info("see", url="h/CANARY-%C3%A9%22%5C%20/%3F%3D%26"),
    "trace": with_trace,
    "library": lambda: logging.getLogger("a.library").warning("see %s", TOKEN),
    "library trace": with_library_trace,
    "library arguments that do not fit": lambda: logs._Libraries().handle(
        logging.LogRecord("a.library", logging.WARNING, "", 1, f"%d {TOKEN}", ("x",), None)
    ),
}


@pytest.mark.parametrize("way", list(WAYS.values()), ids=list(WAYS))
def test_w05_no_way_out_for_a_secret(way, capsys: pytest.CaptureFixture[str]) -> None:
    """However it gets into a line, what is written shows stars, and is still one JSON object."""
    way()
    written = capsys.readouterr().err
    assert "CANARY" not in written
    assert "***" in written
    (line,) = written.splitlines()
    json.loads(line)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "JSON"])
@pytest.mark.parametrize("way", ["value", "key within", "event", "library", "trace"])
def test_w11_no_line_commands_a_terminal(
    way: str, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However a hostile text gets into a line, its controls are signs, and it begins no line of its own."""
    monkeypatch.setattr(logs, "_is_terminal", lambda: terminal)
    logs.configure()
    log, text = structlog.get_logger(), "a\x1b[5m\x9b5m\u202e\r\x07b"
    match way:
        case "value":
            log.warning("said", what=text, more="x\n2026 [error] forged")
        case "key within":
            log.warning("said", what={text: [text]})
        case "event":
            log.warning(text)
        case "library":
            logging.getLogger("library").warning("%s", text + "\n2026 [error] forged")
        case "trace":
            try:
                failing(text)
            except ValueError:
                log.exception("failed")
    written = capsys.readouterr().err
    own = re.sub(r"\x1b\[(?!5m)[0-9;]*m", "", written)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", own)
    assert "␛[5m" in own
    assert "\n2026" not in own


@pytest.mark.parametrize("way", list(WAYS.values()), ids=list(WAYS))
def test_w05_on_a_terminal(way, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same where colours are shown."""
    monkeypatch.setattr(logs, "_is_terminal", lambda: True)
    logs.configure(logging.DEBUG)
    way()
    written = capsys.readouterr().err
    assert "CANARY" not in written
    assert "***" in written


def test_longer_secrets_first() -> None:
    """A secret inside another leaves nothing of the longer one."""
    logs.hide(["swordfish", "swordfish-and-chips"])
    assert logs.masked("a swordfish-and-chips b swordfish c") == "a *** b *** c"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_no_secret_takes_the_log_apart(short: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret of a few characters is not masked: it would be everywhere."""
    logs.hide([short])
    structlog.get_logger().info("abcabc")
    assert json.loads(capsys.readouterr().err)["event"] == "abcabc"


class Gone(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("stream", [Gone(), io.StringIO()], ids=["broken pipe", "closed"])
def test_c13_a_stream_that_is_gone(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job fails because nobody listens."""
    if not isinstance(stream, Gone):
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    structlog.get_logger().error("into the void")
    logging.getLogger("a.library").error("into the void")
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    structlog.get_logger().error("into an ear")
    assert "into an ear" in heard.getvalue()


@pytest.mark.parametrize("name", ["httpx", "httpcore", "apprise", "urllib3", "apscheduler", "uvicorn"])
def test_talkative_libraries_are_told_to_be_quiet(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole URLs are what they write below WARNING."""
    logging.getLogger(name).info("GET https://hooks.example/secret")
    logging.getLogger(name).debug("GET https://hooks.example/secret")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("news", "newsletter of the news desk", "newsletter of the *** desk"),
        ("2026", "20261130 2026", "20261130 ***"),
        ("hunter22", "xhunter22x", "x***x"),
        ("pa$s", "xpa$sx", "x***x"),
    ],
    ids=["word", "year", "long", "signs"],
)
def test_a_short_secret_hides_no_other_word(secret: str, text: str, shown: str) -> None:
    """A secret that may be an ordinary word is masked where it stands alone."""
    logs.hide([secret])
    assert logs.masked(text) == shown


@pytest.mark.parametrize("secret", ["event", "level", "info", "2026", "feed"])
def test_a_secret_that_is_a_word_of_the_log(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line keeps its own names, level and time."""
    logs.hide([secret])
    structlog.get_logger().info("see", feed="x")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["feed"]) == ("see", "info", "x")
    assert line["timestamp"].startswith("20")
