"""Compiled statements, shared by the engines of a process: half of a short test goes into compiling them anew."""

from typing import Any

import sqlalchemy as sa

_create_engine = sa.create_engine
_engines: dict[tuple[str, object], sa.Engine] = {}


def share_statements() -> None:
    """From now on `create_engine` gives what it makes the dialect and the compiled statements of the first such one."""
    sa.create_engine = _sharing


def _sharing(url: str | sa.URL, **more: Any) -> sa.Engine:
    """`create_engine`, with the dialect and the compiled statements of the first such engine that was connected."""
    engine = _create_engine(url, **more)
    kind = engine.url.drivername, more.get("isolation_level")
    first = _engines.get(kind)
    if first is None or getattr(first.dialect, "server_version_info", None) is None:
        _engines[kind] = engine
    else:
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine
