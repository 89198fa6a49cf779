"""The configuration: config.toml and the environment, read at start and again at SIGHUP.

    bytes -toml-> data -references-> expanded -schema-> tables -build-> Config

Every mistake of the file is found in one reading and raised in one UserError. No problem, no repr and no message
shows a secret. docs/config.md is the reference of every key.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from worker import model
from worker.analysis.text import LANGUAGES
from worker.config import fields, toml
from worker.config.folder import LISTED_BYTES, Look, look, read_file, read_rules, read_templates
from worker.config.references import References
from worker.config.shown import shown
from worker.errors import Problem, UserError
from worker.model import Secret

if TYPE_CHECKING:
    from worker.config.build import Builder
    from worker.rules import Rule

__all__ = [
    "Config",
    "Look",
    "Retention",
    "advise",
    "check_references",
    "load",
    "load_readable",
    "look",
    "read_rules",
    "store_url",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Times for which things are kept; None: for ever. Obligations that are not sent, and seen keys, stay anyway."""

    articles: timedelta | None = None
    #: Raw feed bodies.
    raw: timedelta = timedelta(days=30)
    #: Obligations that are settled, their deliveries and attempts.
    ledger: timedelta | None = None
    #: Changes that people made.
    audit: timedelta | None = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """A configuration file, checked; its paths are absolute."""

    path: Path
    #: For SQLAlchemy; may hold a password.
    store_url: str
    #: `embedded`, or `cluster`: workers on several machines share the work.
    engine: str = "embedded"
    rules_folder: Path
    #: Of messages, beside the shipped ones.
    templates: model.Templates = field(default_factory=model.Templates)
    #: Private networks and `host:port`s that may be reached.
    allow: tuple[str, ...] = ()
    feeds: tuple[model.Feed, ...] = ()
    alerts: model.AlertPolicy
    #: Id of the target that Veille tells about itself, or empty.
    operators: str = ""
    #: Host and port of the console; None: no console.
    listen: tuple[str, int] | None = None
    #: Where people reach the console, without a final slash, or empty.
    public_url: str = ""
    #: A header in which one of these proxies (networks) names the person it has signed in; empty: none does.
    user_header: str = ""
    trusted_proxies: tuple[str, ...] = ()
    #: Requested at every good tick, so that its absence raises an alarm elsewhere.
    heartbeat_url: Secret | None = None
    retention: Retention = Retention()
    #: An address or URL that the User-Agent gives to the servers we poll, or empty.
    user_agent_contact: str = ""
    #: URL of the HTTP proxy between us and feeds, pages, Slack and the heartbeat, if there is one.
    proxy: Secret | None = None
    #: The text of every secret, for the log's redaction.
    secrets: tuple[str, ...] = ()
    #: Line of each route, and the line itself.
    route_lines: tuple[tuple[int, str], ...] = ()
    #: What is read under its former name.
    remarks: tuple[Problem, ...] = ()

    @property
    def timezone(self) -> str:
        """The desk's zone: that of the operators' target, else of the first one (IANA name)."""
        desk = sorted(self.alerts.targets, key=lambda target: target.id != self.operators)
        return desk[0].timezone if desk else "UTC"

    def __repr__(self) -> str:
        """The file and its size: nothing that could hold a secret."""
        return f"Config(path={str(self.path)!r}, feeds={len(self.feeds)}, targets={len(self.alerts.targets)})"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in `path`; raises UserError with every problem of the file, in its order."""
    builder = _builder(_parse(path, _raw(path)), path, environ)
    config = _build(builder, path)
    if builder.problems:
        raise UserError(sorted(builder.problems, key=lambda problem: problem.line))
    return config


def store_url(path: Path, environ: Mapping[str, str]) -> str:
    """The store's URL alone, for health: a worker that refused a reload goes on beside a file with mistakes.

    Raises UserError with every problem of the file if the URL itself cannot be known.
    """
    return _read(path, environ).url()


def load_readable(path: Path, environ: Mapping[str, str]) -> tuple[Config, tuple[Problem, ...]]:
    """The configuration as far as it can be read, for what needs little more than the store; and every problem of it.

    What is wrong is left out. Raises UserError with every problem if the store's URL cannot be known.
    """
    read = _read(path, environ)
    read.url()
    builder = read.builder()
    config = _build(builder, path)
    return config, (*read.problems, *sorted(builder.problems, key=lambda problem: problem.line))


#: A line that says where the store is, or was cut off while it began to.
_STORE = re.compile(r"""\s*(?:\[{0,2}\s*["']?store\b|\[{1,2}\s*["']?(?:s(?:t(?:or?)?)?)?\s*$)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The readable part of a file."""

    path: Path
    environ: Mapping[str, str]
    parsed: toml.Toml
    #: Why the file is not TOML, and the lines that are left out for it; empty where it is.
    problems: tuple[Problem, ...] = ()
    left_out: tuple[str, ...] = ()

    def builder(self, only: str = "") -> "Builder":
        """The file's values, unchecked; of one table, if `only` names it."""
        return _builder(self.parsed, self.path, self.environ, only)

    def url(self) -> str:
        """The store's URL; raises UserError where it cannot be known: no command is to answer from another store."""
        builder = self.builder(only="store")
        url = builder.store_url()
        if self.problems and (any(map(_STORE.match, self.left_out)) or "\ufffd" in url):
            why = "; until then it is not known where the store is"
            raise UserError([replace(problem, fix=f"{problem.fix}{why}") for problem in self.problems])
        if builder.problems or builder.references.failed or not isinstance(builder.data.get("store", {}), dict):
            whole = self.builder()
            _build(whole, self.path)
            raise UserError([*self.problems, *sorted(whole.problems, key=lambda problem: problem.line)])
        return url


def _read(path: Path, environ: Mapping[str, str]) -> _Read:
    raw = _raw(path)
    try:
        return _Read(path=path, environ=environ, parsed=_parse(path, raw))
    except UserError as e:
        parsed, left_out = toml.parse_readable(str(path), raw, LISTED_BYTES)
        return _Read(path=path, environ=environ, parsed=parsed, problems=e.problems, left_out=left_out)


def check_references(config: Config, rules: Sequence["Rule"]) -> tuple[Problem, ...]:
    """Names that config or rules use and the other does not know: rules in routes; targets, feeds, tags in rules."""
    problems: list[Problem] = []
    ids = {rule.id for rule in rules}
    for number, route in enumerate(config.alerts.routes):
        line, source = config.route_lines[number] if number < len(config.route_lines) else (0, "")
        problems += (
            Problem(
                file=str(config.path),
                line=line,
                message=f"the route names the rule `{rule}`, which does not exist",
                fix=fields.nearest(rule, ids),
                source=source,
            )
            for rule in sorted(route.rules.difference(ids))
        )
    known = {target.id for target in config.alerts.targets} | {name for name, _ in config.alerts.groups}
    problems += (
        _at(
            rule,
            "target",
            target,
            message=f"the rule `{rule.id}` is sent to `{target}`, which is no target or group of {config.path.name}",
            fix=fields.nearest(target, known),
        )
        for rule in rules
        for target in rule.to
        if target not in known
    )
    return (*problems, *check_readings(config, rules))


def check_readings(config: Config, rules: Sequence["Rule"]) -> Iterator[Problem]:
    """Feeds, tags and languages that a rule asks for and no configured feed has: it would never read anything."""
    feeds = {feed.name for feed in config.feeds}
    tags = {tag for feed in config.feeds for tag in feed.tags}
    known = [("feed", feeds), ("tag", tags), ("language", set(LANGUAGES) | {feed.language for feed in config.feeds})]
    for rule in rules:
        for (what, there), asked in zip(known, (rule.feeds, rule.tags, rule.languages), strict=True):
            for name in sorted(asked - there):
                where = "that articles are written in" if what == "language" else f"of {config.path.name}"
                yield _at(
                    rule,
                    what,
                    name,
                    message=f"the rule `{rule.id}` reads the {what} `{name}`, which is none {where}",
                    fix=_named_like(name, there) if there else f"no {what} is configured",
                )


def advise(config: Config, rules: int = 1) -> tuple[Problem, ...]:
    """Remarks on settings that are allowed and probably not meant, with so many rules; nothing is refused for them."""
    return tuple(_remarks(config, rules))


def _remarks(config: Config, rules: int) -> Iterator[Problem]:
    def remark(message: str, fix: str, line: int = 0, source: str = "") -> Problem:
        return Problem(file=str(config.path), line=line, message=message, fix=fix, source=source)

    yield from config.remarks
    if not config.feeds:
        yield remark("there is no feed, so nothing will be found", "add a [[feed]], or run `veille feeds add URL`")
    if not rules:
        folder = config.rules_folder
        yield remark(f"there is no rule in {folder}, so no alert is sent", "add a *.toml file with a [[rule]]")
    tags = {tag for feed in config.feeds for tag in feed.tags}
    for number, route in enumerate(config.alerts.routes):
        line = config.route_lines[number][0] if number < len(config.route_lines) else 0
        for tag in sorted(route.tags - tags):
            yield remark(f"a route waits for the tag `{tag}`, which no feed carries", fields.nearest(tag, tags), line)
    beyond_log = any(target.channel is not model.Channel.LOG for target in config.alerts.targets)
    if beyond_log and not config.operators:
        yield remark("no notice is sent when Veille itself is in trouble", "name a target: [operators] target")


def _at(rule: "Rule", what: str, name: str, *, message: str, fix: str) -> Problem:
    """A problem with one of the names in a rule, with a caret under it."""
    place = rule.places.get((what, name), Problem(file=rule.file, line=rule.line, message=""))
    return replace(place, message=message, fix=fix)


def _named_like(name: str, there: Collection[str]) -> str:
    """A suggestion for `name` among names that have capitals of their own."""
    hint = fields.nearest(name, map(str.lower, there))
    near = next((one for one in there if hint == f"did you mean `{one.lower()}`?"), None)
    return fields.nearest("", there) if near is None else f"did you mean `{near}`?"


def _raw(path: Path) -> bytes:
    return read_file(path, "copy config.example.toml to it, or name another file with --config", limit=LISTED_BYTES)


def _parse(path: Path, raw: bytes) -> toml.Toml:
    try:
        return toml.parse(str(path), raw, LISTED_BYTES)
    except UserError as e:
        # From None: the cause would carry the very line that is masked here.
        raise UserError([_masked(problem, raw) for problem in e.problems]) from None


def _builder(parsed: toml.Toml, path: Path, environ: Mapping[str, str], only: str = "") -> "Builder":
    """The file's values, unchecked; of one table, if `only` names it."""
    # Here, because pydantic takes a fifth of a second that `--help` has no use for.
    from worker.config.build import Builder

    folder = Path.cwd() / path.parent
    references = References(environ, folder)
    data = {name: value for name, value in parsed.data.items() if only in ("", name)}
    return Builder(parsed, references.expand(data), references, folder)


def _build(builder: "Builder", path: Path) -> Config:
    from worker.config import notification_policy
    from worker.config.build import opaque_parts

    builder.outline()
    store_url = builder.store_url()
    network, http, kept = builder.table("network"), builder.table("http"), builder.table("retention")
    heartbeat = builder.table("watch").heartbeat_url
    builder.hide_password(network.proxy)
    builder.hide(heartbeat or "", *opaque_parts(heartbeat or ""))
    alerts = builder.alerts(_beside(store_url, builder.folder) / "alerts")
    operators = builder.table("operators").target or ""
    targets = {target.id for target in alerts.targets}
    if operators and operators not in targets | {raw.get("id") for _, raw, _ in builder.tables("target")}:
        builder.wrong(("operators", "target"), f"`{operators}` is no target", fields.nearest(operators, targets))
    feeds = builder.feeds()
    notification_policy.check_feeds(
        {at: route for at, _, route in builder.tables("route") if route}, feeds, builder.wrong
    )
    builder.hide_references()
    return Config(
        path=path,
        store_url=store_url,
        engine=builder.engine(store_url),
        rules_folder=builder.path(builder.table("rules").folder),
        templates=_templates(builder),
        allow=network.allow,
        feeds=feeds,
        alerts=alerts,
        operators=operators,
        listen=fields.host_port(http.listen) if http.listen else None,
        public_url=http.public_url,
        user_header=http.user_header,
        trusted_proxies=http.trusted_proxies,
        heartbeat_url=Secret(heartbeat) if heartbeat else None,
        retention=Retention(**dict(kept)),
        user_agent_contact=network.contact,
        proxy=Secret(network.proxy) if network.proxy else None,
        # Longest first, so that a secret inside another never leaves the rest of it behind.
        secrets=tuple(sorted(builder.secrets, key=lambda text: (-len(text), text))),
        route_lines=tuple(_route_lines(builder)),
        remarks=tuple(builder.remarks),
    )


def _templates(builder: "Builder") -> model.Templates:
    """The folder's own templates, unchecked: `render` says whether they can be used."""
    folder = builder.table("messages").templates
    if folder is None:
        return model.Templates()
    try:
        return read_templates(builder.path(folder))
    except UserError as e:
        builder.problems.extend(e.problems)
        return model.Templates()


def _route_lines(builder: "Builder") -> list[tuple[int, str]]:
    lines = []
    for index, _, table in builder.tables("route"):
        if table is not None:
            path = ("route", index, "rules")
            lines.append((builder.toml.place(path)[0], builder.source(path)))
    return lines


def _beside(store_url: str, folder: Path) -> Path:
    """The folder of a store that is a file; else that of the configuration."""
    file = store_url.removeprefix("sqlite:///").partition("?")[0]
    return Path(file).parent if file != store_url.partition("?")[0] else folder


def _masked(problem: Problem, raw: bytes) -> Problem:
    """A problem of a file that is not TOML; no caret is left where the line had to be masked."""
    above = raw.decode("utf-8", "replace").split("\n")[: max(problem.line - 1, 0)]
    table = next((line for line in reversed(above) if line.lstrip().startswith("[")), "")
    source = shown(problem.source, secret="headers" in table)
    return replace(problem, source=source, column=problem.column if source == problem.source.rstrip() else 0)
