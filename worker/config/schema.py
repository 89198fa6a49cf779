"""The tables of the file, key by key, as pydantic models: each checks its own values and nothing beyond them."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
)
from pydantic_core import ErrorDetails

from worker.config import fields, hours
from worker.config.fields import Wrong, nearest
from worker.model import Severity

Plain = Annotated[str, AfterValidator(fields.plain)]
Filled = Annotated[str, AfterValidator(fields.filled)]
Id = Annotated[str, AfterValidator(fields.identifier)]
Address = Annotated[str, AfterValidator(fields.address)]
WebUrl = Annotated[str, AfterValidator(fields.web_url)]
T = TypeVar("T")
#: Lists, as the model takes them. Not strict, for TOML knows neither tuples nor sets.
Items: TypeAlias = Annotated[tuple[T, ...], Strict(strict=False)]
Listed: TypeAlias = Annotated[Items[T], AfterValidator(fields.once)]
Some: TypeAlias = Annotated[Listed[T], AfterValidator(fields.some)]
AnyOf: TypeAlias = Annotated[frozenset[T], Strict(strict=False)]
#: None: for ever.
Lasting = Annotated[timedelta | None, BeforeValidator(fields.lasting_or_forever)]


#: What a follow-up may be.
KINDS = ("correction", "new-source", "development")


def _message_language(text: object) -> str:
    if text not in {"fr", "en"}:
        raise Wrong("is no language that messages are written in", 'write "fr" or "en"')
    return str(text)


class Table(BaseModel):
    """A table refuses unknown keys and coerces nothing: `"yes"` is no boolean, `1` no text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)


class StoreTable(Table):
    url: Annotated[str, AfterValidator(fields.store_url)] = "sqlite:///data/veille.db"


class EngineTable(Table):
    kind: Annotated[str, AfterValidator(fields.engine)] = "embedded"


class RulesTable(Table):
    folder: Filled = "rules"


class MessagesTable(Table):
    templates: Filled | None = None


class NetworkTable(Table):
    allow: Items[Annotated[str, AfterValidator(fields.allowed)]] = ()
    contact: Plain = ""
    proxy: Annotated[str, AfterValidator(fields.proxy_url)] = ""


class FeedTable(Table):
    url: Annotated[str, AfterValidator(fields.feed_url)]
    name: Plain = ""
    language: Annotated[str, AfterValidator(fields.language)] = ""
    tags: Listed[Filled] = ()
    every: Annotated[timedelta, BeforeValidator(fields.interval)] = timedelta(minutes=15)
    full_text: bool = False
    alert_backlog: bool = False
    headers: dict[str, str] = {}
    username: Plain = ""
    password: str = ""
    proxy: Annotated[str, AfterValidator(fields.proxy_or_direct)] = ""


class EmailTable(Table):
    to: Some[Address]
    sender: Annotated[str, AfterValidator(fields.sender), Field(alias="from")]
    smtp: Annotated[str, AfterValidator(fields.smtp_url)]


class SlackTable(Table):
    webhook: WebUrl | None = None
    token: Filled | None = None
    channel: Filled | None = None
    api: WebUrl = "https://slack.com/api"


class AppriseTable(Table):
    url: Annotated[str, AfterValidator(fields.apprise_url)]


class LogTable(Table):
    folder: Filled


def _kind(text: str) -> str:
    if text not in KINDS:
        raise Wrong("is no kind of follow-up", nearest(text, KINDS))
    return text


def _key(text: str) -> str:
    if text not in {"story", "article"}:
        raise Wrong("is neither story nor article", 'write "story" for one message a story, "article" for one each')
    return text


def _some(number: int) -> int:
    if number < 1:
        raise Wrong("is less than 1", "name at least one alert")
    return number


class EscalateTable(Table):
    targets: Some[Id] = Field(alias="to")
    after: Annotated[timedelta, BeforeValidator(fields.duration)]


class NotificationTable(Table):
    key: Annotated[str, AfterValidator(_key)] | None = None
    group_wait: Annotated[timedelta, BeforeValidator(fields.duration)] | None = None
    #: `realert` is its former name.
    repeat_interval: Annotated[timedelta, BeforeValidator(fields.duration)] | None = Field(
        default=None, validation_alias=AliasChoices("repeat_interval", "realert")
    )
    follow_up: Listed[Annotated[str, AfterValidator(_kind)]] | None = None
    escalate: EscalateTable | None = None


class AlertsTable(NotificationTable):
    max_age: Annotated[timedelta, BeforeValidator(fields.duration)] | None = None


class DigestTable(Table):
    at: Annotated[str, BeforeValidator(hours.cron)]
    but: AnyOf[Annotated[Severity, BeforeValidator(fields.severity)]] = frozenset({Severity.CRITICAL})


class QuietTable(Table):
    since: Annotated[time, BeforeValidator(hours.hour), Field(alias="from")]
    until: Annotated[time, BeforeValidator(hours.hour), Field(alias="to")]
    days: AnyOf[Annotated[int, BeforeValidator(hours.day)]] = frozenset()


class ThrottleTable(Table):
    alerts: Annotated[int, AfterValidator(_some)]
    per: Annotated[timedelta, BeforeValidator(fields.duration)]


class TargetTable(Table):
    id: Id
    digest: DigestTable | None = None
    quiet: list[QuietTable] = []
    throttle: ThrottleTable | None = None
    language: Annotated[str, BeforeValidator(_message_language)] = "fr"
    timezone: Annotated[str, AfterValidator(fields.timezone)] = "Asia/Ho_Chi_Minh"
    #: None where it is `unlimited`; absent: the channel's own.
    rate: Annotated[timedelta | None, BeforeValidator(fields.pace)] = None
    email: EmailTable | None = None
    slack: SlackTable | None = None
    apprise: AppriseTable | None = None
    log: LogTable | None = None


class RouteTable(NotificationTable):
    targets: Some[Id]
    rules: AnyOf[Id] = frozenset()
    severities: AnyOf[Annotated[Severity, BeforeValidator(fields.severity)]] = frozenset()
    tags: AnyOf[Filled] = frozenset()
    feeds: Items[Filled] = ()
    languages: AnyOf[Annotated[str, AfterValidator(fields.language)]] = frozenset()


class GroupTable(Table):
    id: Id
    targets: Some[Id]


class OperatorsTable(Table):
    target: Id | None = None


class HttpTable(Table):
    listen: Annotated[str, AfterValidator(fields.listen)] | None = None
    public_url: Annotated[str, AfterValidator(fields.public_url)] = ""
    user_header: Annotated[str, AfterValidator(fields.header_name)] = ""
    trusted_proxies: Items[Annotated[str, AfterValidator(fields.network)]] = ()


class WatchTable(Table):
    heartbeat_url: WebUrl | None = None


class RetentionTable(Table):
    articles: Lasting = None
    raw: Annotated[timedelta, BeforeValidator(fields.lasting)] = timedelta(days=30)
    ledger: Lasting = None
    audit: Lasting = timedelta(days=365)


#: `[name]`: once at most.
TABLES: Mapping[str, type[Table]] = {
    "store": StoreTable,
    "engine": EngineTable,
    "rules": RulesTable,
    "messages": MessagesTable,
    "network": NetworkTable,
    "alerts": AlertsTable,
    "operators": OperatorsTable,
    "http": HttpTable,
    "watch": WatchTable,
    "retention": RetentionTable,
}
#: `[[name]]`: any number of times.
LISTS: Mapping[str, type[Table]] = {
    "feed": FeedTable,
    "target": TargetTable,
    "route": RouteTable,
    "group": GroupTable,
}

_EXPECTED = {
    "string_type": ("is not text", "put it in quotes"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "tuple_type": ("is not a list", 'write it in brackets: ["...", "..."]'),
    "frozen_set_type": ("is not a list", 'write it in brackets: ["...", "..."]'),
    "dict_type": ("is not a table", 'write it in braces: { name = "value" }'),
    "model_type": ("is not a table", 'write it in braces: { key = "value" }'),
}


def explain(model: type[Table], error: ErrorDetails) -> tuple[tuple[str | int, ...], str, str]:
    """A pydantic error in the user's words: (path below the table, message, fix); never the value."""
    path = error["loc"]
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    kind = error["type"]
    if kind == "extra_forbidden":
        return path, f"unknown key `{key}`", nearest(key, _keys(model, path[:-1]))
    if kind == "missing":
        return path, f"`{key}` is missing", f"add a line: {key} = ..."
    name = f"`{key}`: item {path[-1] + 1}" if path and isinstance(path[-1], int) else f"`{key}`"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        return path, f"{name} {cause.message}", cause.fix
    message, fix = _EXPECTED.get(kind, ("cannot be used", ""))
    return path, f"{name} {message}", fix


def validate(model: type[Table], raw: Mapping[str, Any]) -> Table | list[tuple[tuple[str | int, ...], str, str]]:
    """The table, or everything that is wrong with it as `explain` tells it."""
    try:
        return model.model_validate(raw)
    except ValidationError as e:
        return [explain(model, error) for error in e.errors(include_url=False, include_input=False)]


def _keys(model: type[Table], path: tuple[str | int, ...]) -> list[str]:
    """The keys of the table at `path` below `model`."""
    for part in path:
        named = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        inner = getattr(named.get(str(part)), "__args__", (named.get(str(part)),))
        model = next((one for one in inner if isinstance(one, type) and issubclass(one, Table)), model)
    return [field.alias or name for name, field in model.model_fields.items()]
