"""Every mistake of a configuration file is told in its place, in words, and together with all others."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.configfile import email, feed, problems, target
from worker import config
from worker.config import fields
from worker.config.folder import LISTED_BYTES
from worker.errors import UserError

BAD = {
    "unknown table": ("[stor]\nurl = 'x'", [(1, "unknown table or key `stor`", "did you mean `store`?")]),
    "plural table": ("[[feeds]]\nurl = 'x'", [(1, "unknown table or key `feeds`", "did you mean `feed`?")]),
    "one bracket": ("[feed]\nurl = 'x'", [(1, "`feed` is not a list of tables", "write [[feed]], with two brackets")]),
    "two brackets": ("[[http]]", [(1, "`http` is not a table", "write [http], once")]),
    "no table": ("http = 3", [(1, "`http` is not a table", "write [http], once")]),
    "unknown engine": ('[engine]\nkind = "clster"', [(2, "`kind` is no engine", "did you mean `cluster`?")]),
    "a cluster on SQLite": ('[engine]\nkind = "cluster"', [(2, "a cluster needs PostgreSQL", "postgresql+psycopg://")]),
    "unknown key": (feed(evry='"15m"'), [(3, "unknown key `evry`", "did you mean `every`?")]),
    "unknown inner key": (
        target('log = { foldr = "x" }'),
        [(3, "`folder` is missing", "add a line: folder = ..."), (3, "unknown key `foldr`", "did you mean `folder`?")],
    ),
    "missing url": ("\n[[feed]]\nname = 'x'", [(2, "`url` is missing", "add a line: url = ...")]),
    "wrong types": (
        feed(full_text='"yes"', tags='"a"', name="3", headers='"x"', every="15"),
        [
            (3, "`full_text` is neither true nor false", "write true or false"),
            (4, "`tags` is not a list", "brackets"),
            (5, "`name` is not text", "quotes"),
            (6, "`headers` is not a table", "braces"),
            (7, "`every` is not a duration", '"15m"'),
        ],
    ),
    "feed scheme": (
        feed(url='"ftp://h.example/"'),
        [(2, "`url` must begin with https:// or http://", "veille:sample")],
    ),
    "feed without host": (feed(url='"https:///rss"'), [(2, "`url` names no host", "address of a feed")]),
    "feed port": (feed(url='"https://h.example:99999/"'), [(2, "host or port cannot be read", "")]),
    "feed with a space": (feed(url='"https://h.example/a b"'), [(2, "holds a space", "")]),
    "polled too often": (feed(every='"59s"'), [(3, "`every` is under one minute", '"1m"')]),
    "too long": (feed(every='"999999999w"'), [(3, "`every` is longer than a hundred years", "")]),
    "same feed twice": (
        feed() + feed(url='"HTTPS://H.EXAMPLE:443/rss#x"'),
        [(4, "this feed is already on line 1", "remove one")],
    ),
    "feeds that differ in a secret": (
        feed(url='"https://h.example/?token=a"') + feed(url='"https://h.example/?token=b"'),
        [(4, "differs from the feed on line 1 only in a secret", "environment variable")],
    ),
    "a country for a language": (feed(language='"vn"'), [(3, "is the code of a country: vn", 'language: "vi"')]),
    "a name for a language": (feed(language='"french"'), [(3, "`language` is not a language code", '"fr"')]),
    "header of our own": (feed(headers='{ Host = "x" }'), [(3, "`Host` is a header that Veille sets itself", "")]),
    "header injection": (feed(headers='{ X-A = "x\\r\\nB: c" }'), [(3, "`X-A` has a value with a line break", "")]),
    "header name": (feed(headers='{ "X A" = "x" }'), [(3, "`X A` is no header name", "")]),
    "password alone": (feed(password='"x"'), [(3, "`password` stands without `username`", "username")]),
    "credentials twice": (
        feed(url='"https://a:b@h.example/"', username='"a"', password='"b"'),
        [(2, "credentials stand in the URL and beside it", "keep one")],
    ),
    "target id": (target('log = { folder = "x" }', "Desk 1"), [(2, "`id` is not a usable id", "small letters")]),
    "id twice": (
        target('log = { folder = "x" }', "a") + '[[group]]\nid = "a"\ntargets = ["a"]\n',
        [(5, "`a` is already the id on line 1", "another id")],
    ),
    "no channel": (target(""), [(1, "the target says nowhere to send", "email, slack, apprise, log")]),
    "misspelt channel": (
        target('emial = { to = ["a@b.example"] }'),
        [(3, "unknown key `emial`", "did you mean `email`?")],
    ),
    "two channels": (
        target('log = { folder = "x" }\napprise = { url = "ntfy://h/t" }'),
        [(1, "the target has apprise and log", "a target for each")],
    ),
    "time zone": (target('log = { folder = "x" }\ntimezone = "Asia/Hanoi"'), [(4, "no time zone", "Asia/Ho_Chi_Minh")]),
    "time zone that is a path": (
        target('log = { folder = "x" }\ntimezone = "../../etc/passwd"'),
        [(4, "no time zone", "")],
    ),
    "rate": (
        target('log = { folder = "x" }\nrate = "0/m"'),
        [(4, "`rate` is no rate", '"30/m"')],
    ),
    "rate without a time": (
        target('log = { folder = "x" }\nrate = 30'),
        [(4, "`rate` is no rate", '"30/m"')],
    ),
    "message language": (
        target('log = { folder = "x" }\nlanguage = "vi"'),
        [(4, "`language` is no language", '"fr" or "en"')],
    ),
    "no recipient": (
        target('email = { to = [], from = "v@b.example", smtp = "smtp://h" }'),
        [(3, "`to` is empty", "name at least one")],
    ),
    "addresses": (
        target('email = { to = ["a@b.example, c@b.example", "a b", "é@b.example"], from = "V", smtp = "smtp://h" }'),
        [
            (3, "`to`: item 1 is no email address", "one address in each string"),
            (3, "`to`: item 2 is no email address", ""),
            (3, "`to`: item 3 is no email address", ""),
            (3, "`from` is no email address", ""),
        ],
    ),
    "address injection": (
        target('email = { to = ["a@b.example"], from = "V <v@b.example>\\r\\nBcc: x@y.example", smtp = "smtp://h" }'),
        [(3, "`from` holds a control character", "")],
    ),
    "smtp scheme": (email("https://h.example"), [(3, "`smtp` must begin with smtp://", "smtps://user")]),
    "smtp path": (email("smtp://h.example/x"), [(3, "`smtp` goes on after host and port", "%2F")]),
    "smtp user alone": (email("smtp://u@h.example"), [(3, "`smtp` has a user without a password", "")]),
    "slack half": (target('slack = { token = "xoxb-1" }'), [(3, "`slack` needs a webhook, or a token", "channel")]),
    "slack both": (
        target('slack = { webhook = "https://h.example/", token = "t", channel = "c" }'),
        [(3, "`slack` has a webhook and a token or channel", "")],
    ),
    "apprise that runs programs": (
        target('apprise = { url = "macosx://_/?sound=x" }'),
        [(3, "`url` names a service that runs programs or reads files", "log = { folder")],
    ),
    "apprise that reads a file": (
        target('apprise = { url = "discord://h/t?Template=/etc/passwd" }'),
        [(3, "`url` has the parameter `template`, which names a file", "leave it out")],
    ),
    "apprise with a key in a file": (
        target('apprise = { url = "mailto://h/?to=a@b.example&pgp%70ub=/k" }'),
        [(3, "`url` has the parameter `pgppub`, which names a file", "leave it out")],
    ),
    "apprise misspelt": (
        target('apprise = { url = "telgram://1/2" }'),
        [(3, "`url` begins with no scheme that Apprise knows", "")],
    ),
    "apprise nearly": (
        target('apprise = { url = "discrod://1/2" }'),
        [(3, "`url` begins with no scheme that Apprise knows", "did you mean `discord://`?")],
    ),
    "apprise twice": (
        target('apprise = { url = "ntfy://a/b, ntfy://c/d" }'),
        [(3, "`url` names several services", "a target for each")],
    ),
    "apprise": (target('apprise = { url = "nowhere" }'), [(3, "`url` is no Apprise URL", "scheme")]),
    "unknown names": (
        target('log = { folder = "x" }') + '[[route]]\ntargets = ["dsk"]\nseverities = ["hihg"]\n'
        '[[group]]\nid = "g"\ntargets = ["desk", "dek"]\n[operators]\ntarget = "deks"\n',
        [
            (5, "`dsk` is no target or group", "did you mean `desk`?"),
            (6, "`severities`: item 1 is no severity", "did you mean `high`?"),
            (9, "`dek` is no target", "did you mean `desk`?"),
            (11, "`deks` is no target", "did you mean `desk`?"),
        ],
    ),
    "a group in a group": (
        target('log = { folder = "x" }') + '[[group]]\nid = "g"\ntargets = ["desk"]\n'
        '[[group]]\nid = "h"\ntargets = ["g"]\n',
        [(9, "`g` is no target", "a group names targets")],
    ),
    "a route to nobody": ("[[route]]\ntargets = []", [(2, "`targets` is empty", "name at least one")]),
    "networks": (
        '[network]\nallow = ["10.1.0.1/16", "10.0.0.0/33", "host", "h:0", "http://h"]',
        [
            (2, "`allow`: item 1 is an address inside a network", "did you mean `10.1.0.0/16`?"),
            (2, "`allow`: item 2 is neither a network nor host:port", ""),
            (2, "`allow`: item 3 is neither a network nor host:port", ""),
            (2, "`allow`: item 4 has no port", ""),
            (2, "`allow`: item 5 is neither a network nor host:port", ""),
        ],
    ),
    "listen": ('[http]\nlisten = ":8080"', [(2, "`listen` is not host:port", "127.0.0.1:8080")]),
    "listen port": ('[http]\nlisten = "h:70000"', [(2, "`listen` has no port between 1 and 65535", "")]),
    "public url": ('[http]\npublic_url = "v.example"', [(2, "`public_url` must begin with https://", "")]),
    "raw for ever": (
        '[retention]\nraw = "forever"\narticles = "12h"',
        [(2, "`raw` is not a duration", ""), (3, "under one day", "")],
    ),
    "store in memory": ('[store]\nurl = "sqlite://"', [(2, "`url` names no file", "forget")]),
    "store scheme": ('[store]\nurl = "postgres://h/db"', [(2, "`url` is not a store that Veille knows", "psycopg")]),
    "variable": (
        feed(url='"https://h.example/${NOPE}"', every='"1s"'),
        [(2, "the environment variable NOPE is not set", "set NOPE"), (3, "`every` is under one minute", "")],
    ),
    "variable misspelt": (feed(name='"${SMPT_PASS}"'), [(3, "SMPT_PASS is not set", "did you mean `SMTP_PASS`?")]),
    "variable empty": (feed(name='"${EMPTY}"'), [(3, "the environment variable EMPTY is empty", "set EMPTY")]),
    "variable not UTF-8": (email("smtp://u:${LATIN}@h"), [(3, "the environment variable LATIN is not UTF-8", "UTF-8")]),
    "reference open": (feed(name='"${NOPE"'), [(3, "`${` is not closed", "$$")]),
    "reference odd": (feed(name='"${NO PE}"'), [(3, "`${...}` holds no name of a variable", "${NAME}")]),
    "secret file": (feed(name='"${file:nope.txt}"'), [(3, "the file nope.txt cannot be read: No such file", "")]),
    "syntax": ("[http]\nlisten = \n", [(2, "not valid TOML: Invalid value", "")]),
    "duplicate key": ("[http]\nlisten = 'h:1'\nlisten = 'h:1'\n", [(3, "not valid TOML: Cannot overwrite", "")]),
    "duplicate table": ("[http]\n[http]\n", [(2, "not valid TOML: Cannot declare", "")]),
    "cut short": ("[http]\nlisten = 'h:1", [(2, "not valid TOML", "")]),
    "bad date": ("a = 2026-13-45\n", [(1, "not valid TOML", "")]),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD)
def test_each_mistake_is_told_in_its_place(tmp_path: Path, text: str, expected: list[tuple[int, str, str]]) -> None:
    """Line, words and fix of every problem, and no other problem."""
    found = problems(tmp_path, text, SMTP_PASS="x", EMPTY="", LATIN="\udce9t\udce9")
    assert [line for line, _, _ in found] == [line for line, _, _ in expected]
    for (_, message, fix), (_, words, help_) in zip(found, expected, strict=True):
        assert words in message
        assert help_ in fix


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Mistakes of all kinds in one file come together, in the order of its lines."""
    names = ["unknown key", "time zone", "networks", "listen", "no channel", "variable"]
    found = problems(tmp_path, "\n".join(BAD[name][0] for name in names))
    told = [message for _, message, _ in found]
    for name in names:
        for _, words, _ in BAD[name][1]:
            assert any(words in message for message in told), words
    assert [line for line, _, _ in found] == sorted(line for line, _, _ in found)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"[http]\nlisten = '\xff'\n", "not UTF-8"),
        (b"a = \x00\n", "not valid TOML"),
        (b".".join([b"a"] * 3000) + b" = 1\n", "unknown table or key `a`"),
        (b"[[feed]]\n" + b".".join([b"a"] * 3000) + b" = 1\n", "`url` is missing"),
    ],
    ids=["nested", "invalid utf-8", "nul", "dotted", "dotted in a feed"],
)
def test_hostile_files_are_mistakes_like_any_other(tmp_path: Path, raw: bytes, words: str) -> None:
    """No input raises anything but UserError."""
    assert words in problems(tmp_path, raw)[0][1]


def test_a_file_without_end_is_a_mistake_like_any_other(tmp_path: Path) -> None:
    """It is refused by its bytes, before anything is read of it."""
    assert f"more than {LISTED_BYTES}" in problems(tmp_path, b"#" * (LISTED_BYTES + 1))[0][1]


@pytest.mark.parametrize("name", ["nowhere.toml", ".", "a\x00b"], ids=["vanished", "directory", "no name"])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str) -> None:
    """Vanished, a directory, or no name at all."""
    with pytest.raises(UserError) as raised:
        config.load(tmp_path / name, {})
    assert len(raised.value.problems) == 1


@given(st.text())
def test_any_value_is_accepted_or_told(text: str) -> None:
    """No value of any kind of field escapes as another exception."""
    for check in (
        fields.address,
        fields.allowed,
        fields.apprise_url,
        fields.duration,
        fields.feed_url,
        fields.identifier,
        fields.language,
        fields.listen,
        fields.public_url,
        fields.severity,
        fields.smtp_url,
        fields.store_url,
        fields.timezone,
        fields.web_url,
    ):
        with suppress(fields.Wrong):
            check(text)
