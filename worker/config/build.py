"""From a file's tables to the values that the rest of Veille reads, with every check that spans two tables."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from worker import model
from worker.config import fields, notification_policy, schema
from worker.config.references import REFERENCE, USERINFO, References
from worker.config.shown import PLAIN, shown
from worker.config.toml import KeyPath, Toml
from worker.errors import Problem
from worker.model import Channel, Secret

#: What a channel bears where the configuration says no rate (docs.slack.dev/apis/web-api/rate-limits).
_PACES = {Channel.SLACK: timedelta(seconds=1)}
#: Shorter texts would blank out ordinary words of a log.
SHORTEST_SECRET = 4

_SECRET_PARAMETER = re.compile(
    r"(?:.*[-_.])?(?:key|pwd|pass|auth|sig|signature|session|sid)|.*(?:token|secret|password|passwd|apikey)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"([?&;])([^=&;#]+)=([^&;#]*)")
#: Headers that say how to answer, not who asks.
_OPEN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-type",
        "from",
        "origin",
        "referer",
        "user-agent",
    }
)


@dataclass(frozen=True, slots=True)
class Builder:
    """One reading of one file: what it says, and all that is wrong with it."""

    toml: Toml
    #: The data with references expanded.
    data: Mapping[str, Any]
    references: References
    #: Relative paths of the file are relative to it.
    folder: Path
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)
    _checked: dict[KeyPath, Any] = field(default_factory=dict, repr=False)

    def wrong(self, path: KeyPath, message: str, fix: str = "") -> None:
        """Records a problem, unless it only follows from a reference that failed."""
        if all(path != failed for failed, _, _ in self.references.failed):
            self._record(path, message, fix)

    def remark(self, path: KeyPath, message: str, fix: str) -> None:
        """Records what is allowed, and should be written otherwise."""
        self.remarks.append(self._problem(path, message, fix))

    def _record(self, path: KeyPath, message: str, fix: str) -> None:
        self.problems.append(self._problem(path, message, fix))

    def _problem(self, path: KeyPath, message: str, fix: str) -> Problem:
        return replace(self.toml.problem(path, message, fix), source=self.source(path))

    def source(self, path: KeyPath) -> str:
        """The line of `path`, masked."""
        line, _ = self.toml.place(path)
        return shown(self.toml.lines[line - 1], secret="headers" in path)

    # --- tables --------------------------------------------------------------------------------------------------

    def outline(self) -> None:
        """References that failed, unknown tables, and `[x]` written for `[[x]]` or the other way round."""
        for path, message, fix in self.references.failed:
            self._record(path, message, fix)
        known = [*schema.TABLES, *schema.LISTS]
        for name, value in self.toml.data.items():
            if name not in known:
                self.wrong((name,), f"unknown table or key `{name}`", fields.nearest(name, known))
            elif name in schema.TABLES and not isinstance(value, dict):
                self.wrong((name,), f"`{name}` is not a table", f"write [{name}], once")
            elif name in schema.LISTS and not _is_list_of_tables(value):
                self.wrong((name,), f"`{name}` is not a list of tables", f"write [[{name}]], with two brackets")

    def table(self, name: str) -> Any:
        """The table `[name]`; its defaults where it is absent or wrong."""
        raw = self.data.get(name)
        made = self._validated(schema.TABLES[name], raw, (name,)) if isinstance(raw, dict) else None
        return made or schema.TABLES[name]()

    def tables(self, name: str) -> Iterator[tuple[int, dict[str, Any], Any]]:
        """Each `[[name]]`: its index, its raw table, and the checked one, or None where it is wrong."""
        raw = self.data.get(name)
        if _is_list_of_tables(raw):
            for index, one in enumerate(raw or ()):
                yield index, one, self._validated(schema.LISTS[name], one, (name, index))

    def _validated(self, table: type[schema.Table], raw: dict[str, Any], path: KeyPath) -> Any:
        if path not in self._checked:
            made = schema.validate(table, raw)
            self._checked[path] = made if isinstance(made, schema.Table) else None
            for inner, message, fix in () if isinstance(made, schema.Table) else made:
                self.wrong((*path, *inner), message, fix)
        return self._checked[path]

    # --- feeds ---------------------------------------------------------------------------------------------------

    def feeds(self) -> tuple[model.Feed, ...]:
        """Every good `[[feed]]`."""
        feeds: list[model.Feed] = []
        urls: dict[str, int] = {}
        ids: dict[str, int] = {}
        for index, raw, table in self.tables("feed"):
            path: KeyPath = ("feed", index)
            line = self.toml.place(path)[0]
            self._headers(path, raw)
            if table is None:
                continue
            feed = self._feed(path, table)
            same = urls.setdefault(_comparable(feed.url.reveal()), line)
            if same != line:
                self.wrong((*path, "url"), f"this feed is already on line {same}", "remove one of the two")
            elif (same := ids.setdefault(feed.id, line)) != line:
                fix = "put each secret into an environment variable of its own: ${NAME}"
                self.wrong((*path, "url"), f"differs from the feed on line {same} only in a secret", fix)
            feeds.append(feed)
        return tuple(feeds)

    def _feed(self, path: KeyPath, table: schema.FeedTable) -> model.Feed:
        url = urlsplit(table.url)
        username, password = unquote(url.username or ""), unquote(url.password or "")
        if username and (table.username or table.password):
            self.wrong((*path, "url"), "credentials stand in the URL and beside it", "keep one of the two")
        username, password = username or table.username, password or table.password
        if password and not username and "username" not in table.model_fields_set:
            self.wrong((*path, "password"), "`password` stands without `username`", "add username = ...")
        if username and any(name.lower() == "authorization" for name in table.headers):
            self.wrong((*path, "headers"), "an Authorization header stands beside a user name", "keep one of the two")
        for parameter in _PARAMETER.finditer(table.url):
            if _SECRET_PARAMETER.fullmatch(parameter[2]):
                self.hide(parameter[3], unquote(parameter[3]))
        for name, value in table.headers.items():
            if name.lower() not in _OPEN_HEADERS:
                self.hide(value, *(word for word in value.split() if len(word) > 2 * SHORTEST_SECRET))
        self.hide(password, url.password or "")
        self.hide_password(table.proxy)
        identity = self._identity(self.toml.data["feed"][path[1]]["url"])
        return model.Feed(
            id=identity,
            url=Secret(urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))),
            name=table.name or _host(identity),
            **table.model_dump(include={"language", "tags", "every", "full_text", "alert_backlog"}),
            headers=tuple((name, Secret(value)) for name, value in table.headers.items()),
            username=username,
            password=Secret(password) if password else None,
            proxy=Secret(table.proxy) if table.proxy else None,
        )

    def _identity(self, written: str) -> str:
        """The URL as written, less its credentials and the values of parameters that name a secret."""

        def masked(parameter: re.Match[str]) -> str:
            secret = _SECRET_PARAMETER.fullmatch(parameter[2]) and not REFERENCE.fullmatch(parameter[3])
            return f"{parameter[1]}{parameter[2]}=***" if secret else parameter[0]

        return _PARAMETER.sub(masked, USERINFO.sub(r"\1", written.strip(), count=1))

    def _headers(self, path: KeyPath, raw: dict[str, Any]) -> None:
        headers = raw.get("headers")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            try:
                fields.header(name, value if isinstance(value, str) else "")
            except fields.Wrong as e:
                self.wrong((*path, "headers", name), f"`{name}` {e.message}", e.fix)

    # --- targets -------------------------------------------------------------------------------------------------

    def alerts(self, beside_store: Path) -> model.AlertPolicy:
        """Targets, groups, routes; without any `[[target]]`, a log in `beside_store`."""
        lines: dict[str, int] = {}
        targets = tuple(self._targets(lines))
        if not self.toml.data.get("target"):
            targets = (_log_target("log", beside_store),)
            lines["log"] = 0
        known = set(lines)
        groups = dict(self._groups(lines, known))
        routes = tuple(self._routes(known, groups))
        table = self.table("alerts")
        return model.AlertPolicy(
            targets=targets,
            routes=routes,
            groups=tuple(groups.items()),
            notification=self._notification(table, ("alerts",), known | set(groups)),
            max_age=table.max_age,
        )

    def _targets(self, lines: dict[str, int]) -> Iterator[model.Target]:
        for index, raw, table in self.tables("target"):
            path: KeyPath = ("target", index)
            self._claim_id(path, raw.get("id"), lines)
            channels = [str(one) for one in Channel if str(one) in raw]
            if not channels and self._plausible(raw):
                self.wrong(path, "the target says nowhere to send", f"add one of: {', '.join(map(str, Channel))}")
            if len(channels) > 1:
                self.wrong(path, f"the target has {' and '.join(channels)}", "make a target for each, and a [[group]]")
            slack_ok = self._slack_ok(path, raw.get("slack"))
            if table is not None and len(channels) == 1 and slack_ok:
                yield self._target(table, Channel(channels[0]), path)

    def _plausible(self, raw: dict[str, Any]) -> bool:
        """False if an unknown key was probably meant to be the channel, which is a problem of its own."""
        return not any(fields.nearest(key, map(str, Channel)).startswith("did") for key in raw)

    def _slack_ok(self, path: KeyPath, slack: object) -> bool:
        if not isinstance(slack, dict):
            return True
        fix = "write { webhook = ... }, or { token = ..., channel = ... }"
        if "webhook" in slack and ("token" in slack or "channel" in slack):
            self.wrong((*path, "slack"), "`slack` has a webhook and a token or channel", fix)
        elif "webhook" not in slack and not ("token" in slack and "channel" in slack):
            self.wrong((*path, "slack"), "`slack` needs a webhook, or a token with a channel", fix)
        else:
            return True
        return False

    def _target(self, table: schema.TargetTable, channel: Channel, path: KeyPath) -> model.Target:
        settings: model.EmailSettings | model.SlackSettings | model.AppriseSettings | model.LogSettings
        recipients: tuple[str, ...] = (f"{channel}:{table.id}",)
        if table.email is not None:
            self.hide_password(table.email.smtp)
            smtp = fields.smtp(table.email.smtp)
            settings = model.EmailSettings(to=table.email.to, sender=table.email.sender, **smtp)
            recipients = tuple(f"mailto:{one}" for one in settings.to)
        elif table.slack is not None:
            settings = self._slack(table.slack)
        elif table.apprise is not None:
            self.hide(table.apprise.url, *opaque_parts(table.apprise.url))
            settings = model.AppriseSettings(url=Secret(table.apprise.url))
        else:
            assert table.log is not None
            settings = model.LogSettings(folder=self.path(table.log.folder))
        return model.Target(
            **table.model_dump(include={"id", "language", "timezone"}),
            channel=channel,
            settings=settings,
            recipients=recipients,
            digest=model.DigestPolicy(**dict(table.digest)) if table.digest else None,
            quiet=notification_policy.quiet(table.quiet, path, self.wrong),
            throttle=model.Throttle(**dict(table.throttle)) if table.throttle else None,
            pace=table.rate if "rate" in table.model_fields_set else _PACES.get(channel),
        )

    def _slack(self, table: schema.SlackTable) -> model.SlackSettings:
        self.hide(table.token or "", table.webhook or "", *opaque_parts(table.webhook or ""))
        return model.SlackSettings(
            webhook=Secret(table.webhook) if table.webhook else None,
            token=Secret(table.token) if table.token else None,
            channel=table.channel or "",
            api=table.api.rstrip("/"),
        )

    def _groups(self, lines: dict[str, int], known: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for index, raw, table in self.tables("group"):
            path: KeyPath = ("group", index)
            self._claim_id(path, raw.get("id"), lines)
            for place, name in _names(raw.get("targets")):
                if name not in known:
                    fix = fields.nearest(name, known)
                    self.wrong((*path, "targets", place), f"`{name}` is no target", f"a group names targets; {fix}")
            # A wrong group is still known by its id, so that routes to it are not reported as well.
            yield str(raw.get("id", "")), table.targets if table else ()

    def _routes(self, known: set[str], groups: Mapping[str, tuple[str, ...]]) -> Iterator[model.Route]:
        for index, raw, table in self.tables("route"):
            for place, name in _names(raw.get("targets")):
                if name not in known and name not in groups:
                    fix = fields.nearest(name, known | set(groups))
                    self.wrong(("route", index, "targets", place), f"`{name}` is no target or group", fix)
            if table is not None:
                resolved = (one for name in table.targets for one in groups.get(name, (name,)))
                yield model.Route(
                    targets=tuple(dict.fromkeys(resolved)),
                    **table.model_dump(include={"rules", "severities", "tags", "languages"}),
                    feeds=frozenset(table.feeds),
                    notification=self._notification(table, ("route", index), known | set(groups)),
                )

    def _notification(
        self, table: schema.NotificationTable, path: KeyPath, known: Collection[str]
    ) -> model.NotificationPolicy:
        if (*path, "realert") in self.toml.places:
            self.remark(
                (*path, "realert"), "`realert` is the former name of `repeat_interval`", "write repeat_interval"
            )
        return notification_policy.policy_of(table, path, known, self.wrong)

    def _claim_id(self, path: KeyPath, name: object, lines: dict[str, int]) -> None:
        """Targets and groups share one list of ids, for routes and rules name either."""
        if isinstance(name, str):
            line = self.toml.place(path)[0]
            if lines.setdefault(name, line) != line:
                self.wrong((*path, "id"), f"`{name}` is already the id on line {lines[name]}", "give it another id")

    # --- the rest ------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """`name` as an absolute path."""
        return _absolute(self.folder / name)

    def store_url(self) -> str:
        """The store's URL, with an absolute path where it is a file."""
        url: str = self.table("store").url
        if not url.startswith("sqlite:"):
            self.hide_password(url)
            return url
        name, mark, options = url.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{self.path(name)}{mark}{options}"

    def engine(self, store_url: str) -> str:
        """The engine that shares out the work; that of a cluster needs PostgreSQL."""
        kind: str = self.table("engine").kind
        if kind == "cluster" and store_url.startswith("sqlite:"):
            message = "a cluster needs PostgreSQL, and this store is a SQLite file"
            self.wrong(
                ("engine", "kind"), message, 'write [store] url = "postgresql+psycopg://...", or kind = "embedded"'
            )
        return kind

    def hide(self, *texts: str) -> None:
        """Notes secrets for the log's redaction."""
        self.secrets.update(text for text in texts if len(text) >= SHORTEST_SECRET)

    def hide_password(self, url: str) -> None:
        """Notes the password of a URL."""
        try:
            password = urlsplit(url).password or ""
        except ValueError:
            password = ""
        self.hide(password, unquote(password))

    def hide_references(self) -> None:
        """Whatever a reference gave is a secret, unless it stands where Veille shows it by design."""
        for path, value in self.references.found:
            key = next((part for part in reversed(path) if isinstance(part, str)), "")
            if (key not in PLAIN or "headers" in path) and path[0] != "store":
                self.hide(value)


def _names(value: object) -> list[tuple[int, str]]:
    """The ids in a list that may be wrong in other ways, with their places in it."""
    items = enumerate(value) if isinstance(value, list) else ()
    return [(place, name) for place, name in items if isinstance(name, str) and fields.ID.fullmatch(name)]


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _absolute(path: Path) -> Path:
    # Not `resolve`: a folder that is a symbolic link may be swapped while Veille runs.
    return Path.cwd() / path if not path.is_absolute() else path


def _log_target(name: str, folder: Path) -> model.Target:
    return model.Target(
        id=name,
        channel=Channel.LOG,
        settings=model.LogSettings(folder=folder),
        recipients=(f"log:{name}",),
    )


def _host(identity: str) -> str:
    """The name of a feed that has none: its host as written."""
    return re.sub(r"^[a-z]+://(?:www\.)?([^/?#]+).*", r"\1", identity, flags=re.IGNORECASE | re.DOTALL)


def _comparable(url: str) -> str:
    """Equal for URLs that name one resource (RFC 3986 6.2.2, 6.2.3)."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port and parts.port != {"http": 80, "https": 443}.get(parts.scheme) else ""
    netloc = f"{(parts.hostname or '').lower()}{port}"
    return urlunsplit(parts._replace(netloc=netloc, path=parts.path or "/", fragment=""))


def opaque_parts(url: str) -> Iterator[str]:
    """The parts of a URL that may be tokens: long, no host names, no plain words."""
    for part in re.split(r"[/:@?&=#]", url.partition("://")[2]):
        if len(part) >= 2 * SHORTEST_SECRET and "." not in part and not re.fullmatch(r"[a-z-]+", part):
            yield part
