"""The Compose files: what they start is what the command line, the image and the configuration know."""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml
from rig import LOG_TARGET
from typer.testing import CliRunner

from worker.cli import app
from worker.model import Role
from worker.runtime import run
from worker.runtime.load import load_config

ROOT = Path(__file__).parents[1]
FILES = ["compose.yaml", "compose.cluster.yaml"]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
#: A table and its line, as the comments of a file write them for the user's config.toml.
ASKED = re.compile(r"^ *#   (\[\w+\]) +(\w+ += .+)$", re.MULTILINE)


def services(file: str) -> dict[str, dict[str, Any]]:
    """The services that run Veille."""
    parsed = yaml.safe_load((ROOT / "deploy" / file).read_text(encoding="utf-8"))
    return {name: one for name, one in parsed["services"].items() if one["image"] == "veille"}


@pytest.mark.parametrize("file", FILES)
def test_every_service_starts_a_worker(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With options that the command line knows; together they have every role."""
    started: list[Collection[Role]] = []

    async def begin(_path: Path, _echo: object, _form: object, roles: Collection[Role]) -> None:
        started.append(roles)

    monkeypatch.setattr(run, "run", begin)
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", IMAGE, re.MULTILINE)
    (default,) = re.findall(r"^CMD (.+)$", IMAGE, re.MULTILINE)
    assert json.loads(entry) == ["veille"]
    for one in services(file).values():
        answer = CliRunner().invoke(app, one.get("command", json.loads(default)), catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
    assert len(started) == len(services(file))
    assert {role for roles in started for role in roles} == set(Role)


@pytest.mark.parametrize("file", FILES)
def test_what_a_service_names_is_there(file: str) -> None:
    """The services that it waits for, the volumes, and the build's folder."""
    parsed = yaml.safe_load((ROOT / "deploy" / file).read_text(encoding="utf-8"))
    for name, one in parsed["services"].items():
        assert set(one.get("depends_on", ())) <= parsed["services"].keys() - {name}
        named = {volume.split(":")[0] for volume in one.get("volumes", ())}
        assert {volume for volume in named if volume[0] not in "./"} <= parsed["volumes"].keys()
        assert "build" not in one or (ROOT / "deploy" / one["build"] / "Dockerfile").is_file()


@pytest.mark.parametrize("file", FILES)
def test_secrets_are_those_that_a_configuration_names(file: str) -> None:
    """One that nothing reads would be a word of before."""
    written = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    written += (ROOT / "deploy" / file).read_text(encoding="utf-8")
    for one in services(file).values():
        for name in one["environment"]:
            assert f"${{{name}}}" in written, f"no configuration names ${{{name}}}"


def test_the_configuration_that_the_cluster_asks_for_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its store is the file's database, with a password that every service has; its console the port that is shared."""
    text = (ROOT / "deploy" / "compose.cluster.yaml").read_text(encoding="utf-8")
    lines = [f"{table}\n{line}" for table, line in ASKED.findall(text)]
    config = tmp_path / "config.toml"
    config.write_text("\n".join([*lines, LOG_TARGET]), encoding="utf-8")
    found = services("compose.cluster.yaml")
    database = yaml.safe_load(text)["services"]["database"]["environment"]
    for name in set.intersection(*(set(one["environment"]) for one in found.values())):
        monkeypatch.setenv(name, f"value-of-{name}")
    conf = load_config(config)
    user = database["POSTGRES_USER"]
    assert conf.engine == "cluster"
    assert (
        conf.store_url == f"postgresql+psycopg://{user}:value-of-DATABASE_PASSWORD@database/{database['POSTGRES_DB']}"
    )
    assert conf.listen is not None
    assert {port.rpartition(":")[2] for one in found.values() for port in one.get("ports", ())} == {str(conf.listen[1])}
