"""Remarks on settings that are allowed and probably not meant; `veille check` shows them, nothing is refused."""

from collections.abc import Iterator

from worker.config import Config
from worker.config.fields import nearest
from worker.errors import Problem
from worker.model import Channel


def advise(config: Config, rules: int = 1) -> tuple[Problem, ...]:
    """Remarks on a configuration that loads, with so many rules."""
    return tuple(_remarks(config, rules))


def _remarks(config: Config, rules: int) -> Iterator[Problem]:
    def remark(message: str, fix: str, line: int = 0, source: str = "") -> Problem:
        return Problem(file=str(config.path), line=line, message=message, fix=fix, source=source)

    if not config.feeds:
        yield remark("there is no feed, so nothing will be found", "add a [[feed]], or run `veille feeds add URL`")
    if not rules:
        folder = config.rules_folder
        yield remark(f"there is no rule in {folder}, so no alert is sent", "add a *.toml file with a [[rule]]")
    tags = {tag for feed in config.feeds for tag in feed.tags}
    for number, route in enumerate(config.alerts.routes):
        line = config.route_lines[number][0] if number < len(config.route_lines) else 0
        for tag in sorted(route.tags - tags):
            yield remark(f"a route waits for the tag `{tag}`, which no feed carries", nearest(tag, tags), line)
    beyond_log = any(target.channel is not Channel.LOG for target in config.alerts.targets)
    if beyond_log and not config.operators:
        yield remark("no notice is sent when Veille itself is in trouble", "name a target: [operators] target")
