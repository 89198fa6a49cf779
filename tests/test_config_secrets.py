"""No problem, no repr and no traceback shows what a configuration file keeps secret."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.configfile import CANARY, email, feed, load, target
from worker.config.shown import LONGEST, shown
from worker.errors import UserError

SECRETS = {
    "feed credentials": feed(url=f'"https://u:{CANARY}@h.example/"'),
    "feed parameter": feed(url=f'"https://h.example/?token={CANARY}"'),
    "feed header": feed(headers=f'{{ Authorization = "Bearer {CANARY}", name = "{CANARY}" }}'),
    "feed header table": feed() + f'[feed.headers]\nname = "{CANARY}"\n',
    "feed password": feed(username='"u"', password=f'"{CANARY}"'),
    "feed variable": feed(url='"https://h.example/${KEY}/rss"'),
    "smtp": email(f"smtp://u:{CANARY}@h.example"),
    "smtp variable": email("smtp://u:${KEY}@h.example"),
    "smtp file": email("smtp://u:${file:key.txt}@h.example"),
    "webhook": target(f'slack = {{ webhook = "https://h.example/services/{CANARY}" }}'),
    "token": target(f'slack = {{ token = "{CANARY}", channel = "c" }}'),
    "apprise": target(f'apprise = {{ url = "tgram://{CANARY}/1" }}'),
    "heartbeat": f'[watch]\nheartbeat_url = "https://h.example/{CANARY}"\n',
    "store": f'[store]\nurl = "postgresql+psycopg://u:{CANARY}@h/db"\n',
}

#: Ways to make a good file bad; some break its very lines.
SPOILED: dict[str, Callable[[str], str]] = {
    "a mistake elsewhere": lambda text: f"{text}\n[http]\nlisten = 3\n",
    "everything twice": lambda text: text + text,
    "last quote missing": lambda text: text[: text.rindex('"')],
    "no quotes": lambda text: text.replace('"', ""),
    "keys misspelt": lambda text: re.sub(r"(\w+) =", r"\1x =", text),
    "strings in lists": lambda text: re.sub(r'= ("[^"]*")', r"= [\1]", text),
    "long strings without end": lambda text: re.sub(r'= ("[^"]*)"', r'= ""\1', text),
    "lists without end": lambda text: text.replace("]", ""),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_no_error_shows_a_secret(tmp_path: Path, text: str, spoil: Callable[[str], str]) -> None:
    """Whatever is wrong with a file, neither the words, the source lines nor the traceback hold its secrets."""
    (tmp_path / "key.txt").write_text(CANARY)
    with pytest.raises(UserError) as raised:
        load(tmp_path, spoil(text), KEY=CANARY)
    assert CANARY not in str(raised.value)
    assert CANARY not in repr(raised.value.problems)
    assert CANARY not in repr(raised.value.__cause__)


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_no_repr_shows_a_secret_and_the_log_knows_it(tmp_path: Path, text: str) -> None:
    """`repr` masks, and each secret is among those that the log's filter blanks out."""
    (tmp_path / "key.txt").write_text(CANARY)
    made = load(tmp_path, text, KEY=CANARY)
    shown_ = [made, made.feeds, made.alerts, made.heartbeat_url, made.retention]
    assert CANARY not in repr(shown_)
    line = f"GET https://h.example/services/{CANARY} failed for u:{CANARY}"
    for secret in made.secrets:
        line = line.replace(secret, "***")
    assert CANARY not in line


def test_more_than_a_host_where_a_host_stands_is_a_secret(tmp_path: Path) -> None:
    """A reference that brings a path along is masked: it may be what opens the feed."""
    address = "h.example/private/9f8e7d6c5b4a/feed.xml"
    assert load(tmp_path, feed(url='"https://${WHERE}"'), WHERE=address).secrets == (address,)


def test_what_is_shown_by_design_is_no_secret(tmp_path: Path) -> None:
    """A reference in a name, an address or a path does not blank ordinary words out of every log."""
    text = feed(name='"${WORD}"') + '[rules]\nfolder = "${WORD}"\n[http]\nlisten = "${HOST}:80"\n'
    assert load(tmp_path, text, WORD="ordinary", HOST="localhost").secrets == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('every = "10s"  # often', 'every = "10s"  # often'),
        ('url = "https://h.example/a/b"', 'url = "https://h.example***"'),
        ('url = "https://u:p@h.example/"', 'url = "***"'),
        ('smtp = "smtp://u:${PASS}@h:587"', 'smtp = "***${PASS}***"'),
        ('log = { folder = "x" }', 'log = { folder = "x" }'),
        ('email = { to = ["a@b.example"], smtp = "smtp://u:p/@h" }', 'email = { to = ["a@b.example"], smtp = "***" }'),
        ('name = "x, password = b', 'name = "***"'),
        ('to = ["a@b.example, smtp = "smtp://u:p@h" }', 'to = "***"'),
        ('from = """v, smtp = """x', 'from = "***"'),
        ('password = "a, name = b"', 'password = "***"'),
        ("password = 'x", 'password = "***"'),
        ("password = x y", 'password = "***"***'),
        ('  "stray",', "***"),
        ("[[feed]] # one", "[[feed]] # one"),
        ('name = "x" # was password = "p"', 'name = "x" # was password = "***"'),
        ('headers = { A = "p", name = "p" }', 'headers = { A = "***", name = "***" }'),
        ('heders = { name = "p" }', 'heders = { name = "***" }'),
        ('A = "p", name = "p" }', 'A = "***"***'),
        ('from = "v@b.example, smtp://u:p@h"', 'from = "***"'),
        ('url = "https://u:p.example/"', 'url = "***"'),
    ],
)
def test_lines_are_shown_with_their_secrets_masked(line: str, expected: str) -> None:
    """Parts of a line that cannot be a secret stay readable."""
    assert shown(line) == expected


def test_a_long_line_is_cut() -> None:
    """A file of one line does not fill the screen."""
    assert len(shown("name = 'x'" + " " * 10 + "#" * 5000)) == LONGEST


@pytest.mark.timeout(60)
def test_masking_is_quick_on_hostile_lines() -> None:
    """Lines that look like lists without an end take no time to speak of."""
    for unit in ('"a"  ', '"a", ', "a = ", '"', "[", "a.", "\\"):
        shown("to = [" + unit * 1000)


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (email("smtp://${USER}:${KEY}@${HOST}:587"), ()),
        (email("smtps://${HOST}:465"), ()),
        (feed(url='"https://${HOST}/rss"'), ()),
        (feed(url='"https://${USER}@h.example/rss"'), ("desk@mail.example",)),
        (feed(url='"https://h.example/${USER}/rss"'), ("desk@mail.example",)),
        (target('apprise = { url = "tgram://${HOST}/1" }'), ("mail.example",)),
    ],
    ids=["mail", "mail host", "feed host", "feed user", "feed path", "apprise"],
)
def test_hosts_and_mail_users_are_no_secrets(tmp_path: Path, text: str, secrets: tuple[str, ...]) -> None:
    """Names that a person must read to find the mistake stay readable, though they came from the environment."""
    made = load(tmp_path, text, USER="desk@mail.example", HOST="mail.example", KEY=CANARY)
    assert set(secrets) <= set(made.secrets)
    if not secrets:
        assert not {"desk@mail.example", "mail.example"} & set(made.secrets)
