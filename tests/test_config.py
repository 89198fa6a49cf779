"""Good configuration files and their meaning, references between config and rules, and the example."""

import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.configfile import CANARY, ROOT, email, feed, load, target
from worker import config
from worker.config import advise, fields, schema
from worker.errors import UserError
from worker.model import Channel, Feed, LogSettings, Secret, Severity, Templates
from worker.rules import compile_rules

EXAMPLE = (ROOT / "config.example.toml").read_text(encoding="utf-8")
EXAMPLE_ENV = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", EXAMPLE), CANARY) | {
    "SLACK_WEBHOOK": f"https://hooks.example/services/{CANARY}"
}


@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf", b"\n# nothing\n", b"[http]\n"], ids=repr)
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: bytes) -> None:
    """Nothing need be written: a store, a folder of rules and a log beside the store are there without it."""
    made = load(tmp_path, text)
    assert made.store_url == f"sqlite:///{tmp_path}/data/veille.db"
    assert made.rules_folder == tmp_path / "rules"
    assert (made.feeds, made.allow, made.operators, made.listen, made.public_url) == ((), (), "", None, "")
    assert (made.heartbeat_url, made.user_agent_contact, made.secrets) == (None, "", ())
    assert made.retention == config.Retention(articles=None, raw=timedelta(days=30), ledger=None)
    (log,) = made.alerts.targets
    assert (log.id, log.channel, log.recipients) == ("log", Channel.LOG, ("log:log",))
    assert log.settings == LogSettings(folder=tmp_path / "data/alerts")


def test_templates_are_read(tmp_path: Path) -> None:
    """Every file of the folder, whatever its name says; an editor's own are none."""
    folder = tmp_path / "own"
    folder.mkdir()
    assert load(tmp_path, '[messages]\ntemplates = "own"').templates == Templates(folder=str(folder))
    (folder / "notice.html").write_bytes("\ufeffé".encode())
    (folder / "alert.html").write_text("a", encoding="utf-8")
    (folder / ".alert.html.swp").write_bytes(b"\xff")
    made = load(tmp_path, '[messages]\ntemplates = "own"').templates
    assert made == Templates(folder=str(folder), sources=(("alert.html", "a"), ("notice.html", "é")))


def test_templates_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder that is not there, and a file that is no text, are mistakes of their own."""
    with pytest.raises(UserError, match=r"own: the folder of templates cannot be read: No such file") as raised:
        load(tmp_path, '[messages]\ntemplates = "own"')
    assert raised.value.problems[0].fix == "see [messages] templates"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "alert.html").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"own/alert\.html: is no UTF-8 text"):
        load(tmp_path, '[messages]\ntemplates = "own"')


def test_a_byte_order_mark_and_windows_lines_change_nothing(tmp_path: Path) -> None:
    """Editors on Windows write both."""
    text = feed(name='"A"') + "\n[retention]\nraw = '7d'\n"
    assert load(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == load(tmp_path, text)


def test_every_key_of_a_feed_is_read(tmp_path: Path) -> None:
    """A feed with all its keys."""
    text = """
[[feed]]
url = "https://h.example/rss"
name = "L'Exemple"
language = "fr-FR"
tags = ["a", "b", "a"]
every = "1h30m"
full_text = true
alert_backlog = true
headers = { X-Client = "${KEY}" }
username = "bob"
password = "${PASS}"
"""
    (made,) = load(tmp_path, text, KEY="key-value", PASS="p w").feeds
    assert made == Feed(
        id="https://h.example/rss",
        url=Secret("https://h.example/rss"),
        name="L'Exemple",
        language="fr",
        tags=("a", "b"),
        every=timedelta(minutes=90),
        full_text=True,
        alert_backlog=True,
        headers=(("X-Client", Secret("key-value")),),
        username="bob",
        password=Secret("p w"),
    )


@pytest.mark.parametrize(
    ("written", "identity", "fetched", "username", "password"),
    [
        ("veille:sample", "veille:sample", "veille:sample", "", None),
        ("https://h.example/a?b=c", "https://h.example/a?b=c", "https://h.example/a?b=c", "", None),
        ("https://bob:p%40ss@h.example/a", "https://h.example/a", "https://h.example/a", "bob", "p@ss"),
        ("https://bob:${PASS}@h.example/a", "https://h.example/a", "https://h.example/a", "bob", "a/b@c:d%41#?"),
        ("https://${BOTH}@h.example/", "https://h.example/", "https://h.example/", "user", "a b"),
        ("https://h.example/?t=${PLAIN}", "https://h.example/?t=${PLAIN}", "https://h.example/?t=word", "", None),
        ("https://h.example/?a=1&token=x9&b=2", "https://h.example/?a=1&token=***&b=2", None, "", None),
        ("https://h.example/?access_key=x9#f", "https://h.example/?access_key=***#f", None, "", None),
        ("https://h.example/?keyword=x9", "https://h.example/?keyword=x9", None, "", None),
        ("${WHOLE}", "${WHOLE}", "https://h.example/w?k=v", "u", "pw@1"),
        ("https://h.example/$$x", "https://h.example/$$x", "https://h.example/$x", "", None),
    ],
)
def test_a_feed_is_known_by_its_url_without_secrets(
    tmp_path: Path, written: str, identity: str, fetched: str | None, username: str, password: str | None
) -> None:
    """The id is the URL as written, less what is secret; the URL fetched is whole, less the credentials."""
    environ = {"PASS": "a/b@c:d%41#?", "BOTH": "user:a b", "PLAIN": "word", "WHOLE": "https://u:pw%401@h.example/w?k=v"}
    (made,) = load(tmp_path, feed(url=f"'{written}'"), **environ).feeds
    assert (made.id, made.username) == (identity, username)
    assert made.url.reveal() == (written if fetched is None else fetched)
    assert made.password == (None if password is None else Secret(password))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://h.example", ("h.example", 25, "none", "", None)),
        ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, "none", "", None)),
        ("smtp://[::1]:1025", ("::1", 1025, "none", "", None)),
        ("smtp://h.example:587", ("h.example", 587, "starttls", "", None)),
        ("smtp://u:${PASS}@h.example", ("h.example", 587, "starttls", "u", "p@ss/w#1%41")),
        ("smtp://u%40d.example:a%2Fb@h.example:25", ("h.example", 25, "starttls", "u@d.example", "a/b")),
        ("smtp+starttls://h.example", ("h.example", 587, "starttls", "", None)),
        ("smtp+starttls://h.example:25", ("h.example", 25, "starttls", "", None)),
        ("smtps://u:${PASS}@h.example", ("h.example", 465, "smtps", "u", "p@ss/w#1%41")),
        ("smtps://u:${file:pass.txt}@h.example:2465", ("h.example", 2465, "smtps", "u", "from/a@file")),
    ],
)
def test_an_smtp_url_says_how_to_encrypt(tmp_path: Path, url: str, expected: tuple[object, ...]) -> None:
    """Credentials never go over a plain connection; a password of the environment is taken as it is."""
    (tmp_path / "pass.txt").write_text("from/a@file\n")
    (made,) = load(tmp_path, email(url), PASS="p@ss/w#1%41").alerts.targets
    smtp = made.settings
    password = smtp.password.reveal() if smtp.password else None
    assert (smtp.host, smtp.port, smtp.tls, smtp.username, password) == expected


def test_recipients_are_one_per_address_channel_or_url(tmp_path: Path) -> None:
    """Each channel gives its recipients; equal addresses are one."""
    text = (
        target(
            'email = { to = ["Desk <desk@B.example>", "desk@b.example", "x@b.example"],'
            ' from = "Veille <v@b.example>", smtp = "smtp://h" }'
        )
        + target('slack = { webhook = "https://hooks.example/x" }', "hook")
        + target('slack = { token = "xoxb-1234", channel = "#c" }', "bot")
        + target('apprise = { url = "ntfy://h/topic" }', "phone")
        + target('log = { folder = "out" }', "log")
    )
    made = load(tmp_path, text).alerts.targets
    assert [(one.channel, one.recipients) for one in made] == [
        ("email", ("mailto:desk@b.example", "mailto:x@b.example")),
        ("slack", ("slack:hook",)),
        ("slack", ("slack:bot",)),
        ("apprise", ("apprise:phone",)),
        ("log", ("log:log",)),
    ]
    assert made[0].settings.sender == "Veille <v@b.example>"
    assert made[4].settings.folder == tmp_path / "out"
    assert {(one.language, one.timezone) for one in made} == {("fr", "Asia/Ho_Chi_Minh")}


@pytest.mark.parametrize(
    ("channel", "rate", "pace"),
    [
        ('slack = { webhook = "https://hooks.example/x" }', "", 1),
        ('slack = { webhook = "https://hooks.example/x" }', 'rate = "unlimited"', None),
        ('slack = { webhook = "https://hooks.example/x" }', 'rate = "30/m"', 2),
        ('apprise = { url = "ntfy://h/topic" }', "", None),
        ('apprise = { url = "ntfy://h/topic" }', 'rate = "4/s"', 0.25),
        ('log = { folder = "x" }', 'rate = "100/h"', 36),
        ('log = { folder = "x" }', 'rate = "1/d"', 86_400),
    ],
)
def test_a_target_s_rate(tmp_path: Path, channel: str, rate: str, pace: float | None) -> None:
    """Messages are evenly spaced; Slack takes one a second unless told otherwise, others what comes."""
    (made,) = load(tmp_path, target(f"{channel}\n{rate}")).alerts.targets
    assert made.pace == (None if pace is None else timedelta(seconds=pace))


def test_routes_name_targets_and_groups_and_keep_their_order(tmp_path: Path) -> None:
    """Groups are resolved in place, each target once."""
    text = (
        target('log = { folder = "a" }', "a")
        + target('log = { folder = "b" }', "b")
        + '[[group]]\nid = "all"\ntargets = ["b", "a"]\n'
        + '[[route]]\ntargets = ["a", "all"]\nseverities = ["high", "critical"]\ntags = ["t"]\nrules = ["r"]\n'
        + '[[route]]\ntargets = ["b"]\n'
        + '[operators]\ntarget = "b"\n'
    )
    made = load(tmp_path, text)
    first, second = made.alerts.routes
    assert (first.targets, second.targets) == (("a", "b"), ("b",))
    assert first.severities == {Severity.HIGH, Severity.CRITICAL}
    assert (first.tags, first.rules) == ({"t"}, {"r"})
    assert made.alerts.groups == (("all", ("b", "a")),)
    assert made.operators == "b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///x.db", "sqlite:///{folder}/x.db"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("sqlite:///${PLACE}/x.db", "sqlite:////srv/x.db"),
        ("postgresql+psycopg://u:${PASS}@h/db", "postgresql+psycopg://u:p%40ss%2Fword@h/db"),
        ("postgresql+psycopg:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=/run/postgresql"),
    ],
)
def test_the_store_is_a_file_or_postgresql(tmp_path: Path, url: str, expected: str) -> None:
    """A relative file is relative to the configuration; a password is quoted as SQLAlchemy unquotes it."""
    made = load(tmp_path, f'[store]\nurl = "{url}"\n', PLACE="/srv", PASS="p@ss/word")
    assert made.store_url == expected.format(folder=tmp_path)
    assert ("p@ss/word" in made.secrets) == ("PASS" in url)
    assert "/srv" not in made.secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.0.0/16", "10.1.0.0/16"),
        ("192.168.1.4", "192.168.1.4/32"),
        ("FD00::/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("Intranet.example:8080", "intranet.example:8080"),
        ("[::1]:80", "[::1]:80"),
        ("127.0.0.1:8025", "127.0.0.1:8025"),
    ],
)
def test_networks_are_canonical(tmp_path: Path, text: str, expected: str) -> None:
    """A network that may be reached has one spelling."""
    assert load(tmp_path, f'[network]\nallow = ["{text}"]').allow == (expected,)


@pytest.mark.parametrize(
    ("text", "own", "general"),
    [
        ("", None, None),
        ('[network]\nproxy = "http://proxy.example:3128/"', None, "http://proxy.example:3128/"),
        (
            '[[feed]]\nurl = "https://a.example/"\nproxy = "http://u:${KEY}@10.0.0.1"',
            f"http://u:{CANARY}@10.0.0.1",
            None,
        ),
        ('[[feed]]\nurl = "https://a.example/"\nproxy = "direct"', "direct", None),
    ],
    ids=["none", "general", "of a feed", "none for a feed"],
)
def test_proxies(tmp_path: Path, text: str, own: str | None, general: str | None) -> None:
    """One for everything, one for a feed, or none for it; a password in it is a secret."""
    made = load(tmp_path, text, KEY=CANARY)
    found = made.feeds[0].proxy if made.feeds else None
    assert (found and found.reveal(), made.proxy and made.proxy.reveal()) == (own, general)
    assert (CANARY in made.secrets) == (CANARY in text.replace("${KEY}", CANARY))


def test_the_rest_of_the_keys(tmp_path: Path) -> None:
    """Console, heartbeat, retention, contact."""
    text = """
[rules]
folder = "/etc/veille/rules"
[network]
contact = "mailto:a@b.example"
[http]
listen = "[::1]:8080"
public_url = "https://v.example/watch/"
[watch]
heartbeat_url = "https://beat.example/${KEY}"
[retention]
articles = "2w"
raw = "7d"
ledger = "forever"
audit = "26w"
"""
    made = load(tmp_path, text, KEY=CANARY)
    assert (made.rules_folder, made.user_agent_contact) == (Path("/etc/veille/rules"), "mailto:a@b.example")
    assert (made.listen, made.public_url) == (("::1", 8080), "https://v.example/watch")
    assert made.heartbeat_url == Secret(f"https://beat.example/{CANARY}")
    weeks = timedelta(weeks=1)
    assert made.retention == config.Retention(articles=2 * weeks, raw=weeks, ledger=None, audit=26 * weeks)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("fd00::/8", "fd00::/8"),
        ("::/0", "::/0"),
    ],
)
def test_trusted_proxies_are_networks(tmp_path: Path, written: str, read: str) -> None:
    """An IPv4 network that is written as IPv6 is that IPv4 network."""
    made = load(tmp_path, f'[http]\nlisten = "[::]:8080"\nuser_header = "X-User"\ntrusted_proxies = ["{written}"]\n')
    assert made.trusted_proxies == (read,)


def test_relative_paths_follow_the_file_not_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named relatively gives absolute paths of its own folder."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/config.toml").write_text('[rules]\nfolder = "../rules"\n')
    monkeypatch.chdir(tmp_path)
    made = config.load(Path("etc/config.toml"), {})
    assert made.rules_folder == tmp_path / "etc/../rules"
    assert made.store_url == f"sqlite:///{tmp_path}/etc/data/veille.db"


@given(st.integers(1, 10**6), st.sampled_from("smhdw"))
def test_durations_are_what_they_say(number: int, unit: str) -> None:
    """A number and a unit, up to a century."""
    seconds = number * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    if seconds > 36_525 * 86_400:
        with pytest.raises(fields.Wrong, match="hundred years"):
            fields.duration(f"{number}{unit}")
    else:
        assert fields.duration(f"{number}{unit}") == timedelta(seconds=seconds)


# --- rules and config ------------------------------------------------------------------------------------------------


RULE = '[[rule]]\nid = "{}"\nwhen = "=visite"\nseverity = "high"\n{}\n'


def test_rules_and_config_must_name_each_other_rightly(tmp_path: Path) -> None:
    """Routes of unknown rules and rules to unknown targets are told; known ones are not."""
    made = load(
        tmp_path,
        target('log = { folder = "x" }')
        + '[[group]]\nid = "all"\ntargets = ["desk"]\n[[route]]\ntargets = ["all"]\nrules = ["bordr", "visit"]\n',
    )
    border, visit = RULE.format("border", 'alert.to = ["desk", "all"]'), RULE.format("visit", 'alert.to = ["dek"]')
    ruleset = compile_rules({"a.toml": border.encode(), "b.toml": f"# one\n\n{visit}".encode()})
    unknown = config.check_references(made, ruleset.rules)
    assert [(one.file, one.line, one.message, one.fix) for one in unknown] == [
        (str(made.path), 9, "the route names the rule `bordr`, which does not exist", "did you mean `border`?"),
        (
            "b.toml",
            7,
            "the rule `visit` is sent to `dek`, which is no target or group of config.toml",
            "did you mean `desk`?",
        ),
    ]
    known = {"a.toml": (RULE.format("bordr", "") + RULE.format("visit", "")).encode()}
    assert config.check_references(made, compile_rules(known).rules) == ()


@pytest.mark.parametrize(
    ("more", "message", "fix"),
    [
        ('feeds = ["Fill"]', "the rule `r` reads the feed `Fill`, which is none of config.toml", "did you mean `Fil`?"),
        ('tags = ["lao"]', "the rule `r` reads the tag `lao`, which is none of config.toml", "did you mean `laos`?"),
        (
            'languages = ["rf"]',
            "the rule `r` reads the language `rf`, which is none that articles are written in",
            "fr",
        ),
        ('feeds = ["Fil"]\ntags = ["laos"]\nlanguages = ["fr", "tl"]', "", ""),
    ],
    ids=["feed", "tag", "language", "known"],
)
def test_what_a_rule_reads_must_be_there(tmp_path: Path, more: str, message: str, fix: str) -> None:
    """A feed, tag or language that no article can have would keep a rule silent for ever."""
    made = load(tmp_path, feed(name='"Fil"', tags='["laos"]', language='"tl"') + target('log = { folder = "x" }'))
    ruleset = compile_rules({"a.toml": RULE.format("r", more).encode()})
    found = config.check_references(made, ruleset.rules)
    assert [one.message for one in found] == ([message] if message else [])
    assert all(fix in one.fix for one in found)
    assert all((one.line, one.source, one.column) == (5, more, more.index('"') + 1) for one in found)


def test_rules_are_the_toml_files_of_a_folder(tmp_path: Path) -> None:
    """Sorted by name; hidden and other files are left alone; links inside the folder are followed."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/linked.toml").write_bytes(b"c")
    for name, content in {"b.toml": b"b", "a.toml": b"\xff", ".a.toml": b"x", "notes.md": b"x"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "linked.toml").symlink_to("..data/linked.toml")
    (tmp_path / ".#b.toml").symlink_to("user@host.1234")
    assert list(config.read_rules(tmp_path).items()) == [("a.toml", b"\xff"), ("b.toml", b"b"), ("linked.toml", b"c")]


def test_a_folder_of_rules_is_not_left(tmp_path: Path) -> None:
    """W04: links out of it, dangling and circular ones, folders and pipes are told together, and none is opened."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (tmp_path / "secret.toml").write_text(CANARY)
    (folder / "out.toml").symlink_to("../secret.toml")
    (folder / "gone.toml").symlink_to("nowhere")
    (folder / "loop.toml").symlink_to("loop.toml")
    (folder / "sub.toml").mkdir()
    os.mkfifo(folder / "pipe.toml")
    with pytest.raises(UserError) as raised:
        config.read_rules(folder)
    assert {Path(one.file).name: one.message for one in raised.value.problems} | {"loop.toml": ""} == {
        "gone.toml": "is a link to a file that does not exist",
        "loop.toml": "",
        "out.toml": "is a link that leaves the folder",
        "pipe.toml": "is no regular file",
        "sub.toml": "is a folder",
    }


@pytest.mark.parametrize("name", ["nowhere", "file.toml", "a\x00b"])
def test_a_missing_folder_of_rules_is_a_problem(tmp_path: Path, name: str) -> None:
    """Absent, a file, or no name at all."""
    (tmp_path / "file.toml").touch()
    with pytest.raises(UserError, match="cannot be read"):
        config.read_rules(tmp_path / name)


def test_advice_is_given_on_what_was_hardly_meant(tmp_path: Path) -> None:
    """No feed, a tag that none carries, nobody told of trouble: remarks, not errors."""
    text = target('apprise = { url = "ntfy://h/t" }') + '[[route]]\ntargets = ["desk"]\ntags = ["laos"]\n'
    remarks = advise(load(tmp_path, text))
    assert [one.message for one in remarks] == [
        "there is no feed, so nothing will be found",
        "a route waits for the tag `laos`, which no feed carries",
        "no notice is sent when Veille itself is in trouble",
    ]
    good = text + feed(tags='["laos"]') + '[operators]\ntarget = "desk"\n'
    assert advise(load(tmp_path, good)) == ()
    (remark,) = advise(load(tmp_path, good), rules=0)
    assert "there is no rule in" in remark.message


def test_a_key_is_read_under_its_former_name(tmp_path: Path) -> None:
    """With a remark at its place; a table that has it under both names is refused."""
    good = target('apprise = { url = "ntfy://h/t" }') + feed() + '[operators]\ntarget = "desk"\n'
    made = load(tmp_path, f'{good}[alerts]\nrealert = "6h"\n')
    assert made.alerts.notification.repeat_interval == timedelta(hours=6)
    assert [(one.line, one.source, one.fix) for one in advise(made)] == [
        (good.count("\n") + 2, 'realert = "***"', "write repeat_interval")
    ]
    with pytest.raises(UserError, match="unknown key `realert`"):
        load(tmp_path, f'{good}[[route]]\ntargets = ["desk"]\nrealert = "6h"\nrepeat_interval = "1h"\n')


# --- the example and the reference -----------------------------------------------------------------------------------


def test_the_example_runs_as_it_stands() -> None:
    """It loads without any variable, begins with the sample, tells the log, and draws no remark."""
    made = config.load(ROOT / "config.example.toml", {})
    assert made.feeds[0].id == "veille:sample"
    assert [one.alert_backlog for one in made.feeds] == [True] + [False] * (len(made.feeds) - 1)
    assert all(one.language and one.tags for one in made.feeds)
    assert [one.channel for one in made.alerts.targets] == [Channel.LOG]
    assert advise(made) == ()
    assert (ROOT / "rules").is_dir()


def switched_on(text: str) -> str:
    """The example with every setting switched on."""
    return re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)


def test_every_setting_of_the_example_can_be_switched_on(tmp_path: Path) -> None:
    """All commented settings together are a good configuration, and so is each alternative."""
    text = switched_on(EXAMPLE)
    (tmp_path / "templates").mkdir()
    made = load(tmp_path, text, **EXAMPLE_ENV)
    assert {one.channel for one in made.alerts.targets} == set(Channel)
    assert len(made.alerts.routes) == 2
    assert advise(made) == ()
    alternatives = re.findall(r"^(\w+) = .*\n# or: (\1 = .*)$", text, flags=re.MULTILINE)
    assert alternatives
    for _, line in alternatives:
        key = line.partition(" ")[0]
        other = re.sub(rf"^{key} = .*\n# or: {re.escape(line)}$", lambda _: line, text, flags=re.MULTILINE)  # noqa: B023
        assert load(tmp_path, other, **EXAMPLE_ENV).store_url.startswith("postgresql+psycopg://")


def inner(annotation: object) -> type[schema.Table] | None:
    """The table that a key holds, if it holds one."""
    below = [annotation, *get_args(annotation)]
    return next((one for one in below if isinstance(one, type) and issubclass(one, schema.Table)), None)


def keys() -> list[str]:
    """Every key there is, as `table.key` and, of inline tables, `table.key.key`."""
    found = []
    for name, table in {**schema.TABLES, **schema.LISTS}.items():
        for field, info in table.model_fields.items():
            key = f"{name}.{info.alias or field}"
            below = inner(info.annotation)
            found += [f"{key}.{one.alias or last}" for last, one in below.model_fields.items()] if below else [key]
    return found


@pytest.mark.parametrize("key", keys())
def test_every_key_is_explained(key: str) -> None:
    """Each key has a row of its own in the reference, and is set in the example or switched on there."""
    table, *path = key.split(".")
    sections = (ROOT / "docs/config.md").read_text(encoding="utf-8").split("\n## ")
    (section,) = [text for text in sections if text.startswith((f"`[{table}]`", f"`[[{table}]]`"))]
    for title in path[:-1]:
        (section,) = [text for text in section.split("\n### ") if text.startswith(f"`{title} = ")]
    assert f"| `{path[-1]}` |" in section
    example = tomllib.loads(switched_on(EXAMPLE))
    if key == "target.slack.api":
        return  # Of use to tests and proxies alone; the reference says so.
    tables = example[table] if isinstance(example[table], list) else [example[table]]
    for part in path:
        found = [one[part] for one in tables if part in one]
        tables = [one for value in found for one in (value if isinstance(value, list) and value else [value])]
    assert tables, f"the example nowhere sets {key}"
