"""C15: what this process cannot do condemns no entry: it waits, operators are told, and all is sent in the end."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk import FEED, VISIT, Desk, feed, log_target, scripted
from forked import NEW_INTERPRETER
from rig import Item
from structlog.testing import capture_logs

from worker.feeds import child
from worker.feeds.child import MEBIBYTE, ChildFailed, ChildReason, Children
from worker.model import Route
from worker.pipeline import deliver as deliver_job
from worker.pipeline import ingest as ingest_job
from worker.pipeline.reading import read
from worker.runtime.self_watch import SelfWatch
from worker.runtime.worker import Worker
from worker.store import quarantine

NEWS = [
    Item(f"g{n}", f"Hun Sen, journée {n}", f"{VISIT} Puis, le {n}, {word} de Kampot.")
    for n, word in enumerate(("une halte au marché", "un dîner au théâtre", "une promenade au port"), 1)
]


def raising(error: Exception) -> Callable[..., Any]:
    """A function that fails whatever it is given."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def missing_library(desk: Desk, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Children of their own kind find a library that cannot be imported."""
    (folder / "broken").mkdir()
    (folder / "broken" / "lxml.py").write_text("raise ImportError('libxml2.so.2: cannot open shared object file')\n")
    patch.setattr(sys, "path", [str(folder / "broken"), *sys.path])
    patch.setattr(child._Child, "_begin", NEW_INTERPRETER)
    desk.context.children = Children(size=1)


def little_memory(desk: Desk, patch: pytest.MonkeyPatch, _: Path) -> None:
    """Children of their own kind may use hardly more than an interpreter needs."""
    patch.setattr(child._Child, "_begin", NEW_INTERPRETER)
    desk.context.children = Children(size=1, memory=40 * MEBIBYTE)


def no_child(desk: Desk, _: pytest.MonkeyPatch, __: Path) -> None:
    """No child can be started."""
    gone = ChildFailed(reason=ChildReason.DIED, detail="no child could be started", any_job=True)
    desk.children.instead = lambda function, *_: gone if function is read else None


def failing(name: str, error: Exception) -> Callable[[Desk, pytest.MonkeyPatch, Path], None]:
    """A part of the job that fails whatever it is given."""
    return lambda _, patch, __: patch.setattr(ingest_job, name, raising(error))


FAULTS = [
    pytest.param(missing_library, id="library"),
    pytest.param(little_memory, id="memory-of-children"),
    pytest.param(no_child, id="no-child"),
    pytest.param(failing("subject", MemoryError("Unable to allocate 512 KiB for an array")), id="memory"),
    pytest.param(failing("place", MemoryError("Unable to allocate 8 MiB for an array")), id="memory-for-stories"),
    pytest.param(failing("match", ImportError("DLL load failed")), id="import"),
    pytest.param(failing("match", OSError(24, "Too many open files")), id="files"),
    pytest.param(failing("match", TypeError("'NoneType' object is not subscriptable")), id="bug-in-thought"),
    pytest.param(failing("place", TypeError("unhashable type: 'list'")), id="bug-in-stories"),
    pytest.param(failing("create_obligations", KeyError("first")), id="bug-in-commit"),
]


@pytest.mark.parametrize("break_it", FAULTS)
async def test_c15_a_fault_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Desk, pytest.MonkeyPatch, Path], None]
) -> None:
    """Entries wait through more tries than an entry has, nothing is quarantined, health is bad; then all is sent."""
    targets, routes = [log_target(), log_target("ops", language="en")], [Route(targets=("log",))]
    with scripted(monkeypatch, Desk(tmp_path, targets=targets, routes=routes, operators="ops")) as desk:
        desk.web.feed(FEED, NEWS)
        worker, sight = Worker(desk.context, tmp_path / "config.toml"), SelfWatch(desk.context)
        worker._beat(desk.now)
        await desk.poll()
        own = desk.context.children
        with monkeypatch.context() as patch:
            break_it(desk, patch, tmp_path)
            for _ in range(8):
                await ingest_what_is_ready(desk)
                desk.later(seconds=31)
            if desk.context.children is not own:
                desk.context.children.close()
                desk.context.children = own
        assert desk.rows("SELECT DISTINCT state FROM entry") == [("ready",)]
        with desk.store.read() as tx:
            assert quarantine.put_aside(tx, limit=9) == ()
            assert quarantine.unread(tx, limit=9) == ()
        assert not worker._is_alive()
        assert "cannot do its work" in worker._unready()
        sight.look(0.0, desk.now, everything=False)
        assert not sight.well
        assert desk.rows("SELECT kind FROM condition") == [("worker_fault",)]
        desk.children.instead = lambda *_: None
        await desk.pass_()
        assert desk.told.count("log:log") == len(NEWS)
        assert desk.told.count("log:ops") == 1
        sight.look(60.0, desk.now, everything=False)
        assert sight.well
        assert desk.context.faults == {}


async def ingest_what_is_ready(desk: Desk) -> None:
    """As the engine does, until nothing is ready."""
    from test_pipeline_ingest import ingest_all

    await ingest_all(desk)


@pytest.mark.parametrize("reason", [ChildReason.DIED, ChildReason.MEMORY])
async def test_c15_documents_that_cannot_be_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: ChildReason
) -> None:
    """A feed is not to blame where no document can be read: it does not fail, and its document is not put aside."""
    with scripted(monkeypatch, Desk(tmp_path, feeds=[feed()])) as desk:
        desk.web.feed(FEED, NEWS, ETag='"1"')
        desk.children.instead = desk.children.failing(reason)
        for _ in range(3):
            await desk.poll()
            desk.later(hours=1)
        assert desk.rows("SELECT failures, etag FROM feed") == [(0, "")]
        assert desk.one("SELECT count(*) FROM document") == 0
        assert desk.context.faults == {"poll": "as the test says"}
        desk.children.instead = lambda *_: None
        await desk.pass_()
        assert len(desk.told) == len(NEWS)
        assert desk.context.faults == {}


async def test_c15_messages_that_cannot_be_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No message is parked for it: each waits a minute without an attempt, and is sent when they can be made again."""
    with scripted(monkeypatch, Desk(tmp_path)) as desk:
        desk.web.feed(FEED, NEWS)
        with monkeypatch.context() as patch:
            patch.setattr(deliver_job, "seal", raising(ImportError("jinja2")))
            await desk.pass_()
            assert desk.rows("SELECT DISTINCT state, attempts FROM delivery") == [("open", 0)]
            assert desk.context.faults == {"deliver": "ImportError: jinja2"}
        desk.later(seconds=61)
        await desk.pass_()
        assert len(desk.told) == len(NEWS)
        assert desk.context.faults == {}


async def test_c15_an_entry_that_alone_fails_is_put_aside(desk_of_three: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, by itself and in company, while the others become articles: that one is to blame."""
    desk, real = desk_of_three, ingest_job.match

    def picky(document: Any, *args: Any) -> Any:
        if document.title == NEWS[1].title:
            raise ZeroDivisionError("as the test says")
        return real(document, *args)

    monkeypatch.setattr(ingest_job, "match", picky)
    await desk.poll()
    for _ in range(6):
        await ingest_what_is_ready(desk)
        desk.later(seconds=31)
    states = desk.rows("SELECT state, count(*) FROM entry GROUP BY 1 ORDER BY 1")
    assert states == [("done", 2), ("quarantined", 1)]
    assert desk.context.faults == {}


@pytest.fixture(autouse=True)
def captured() -> Iterator[None]:
    """No trace is drawn: with all its values that takes longer than the work."""
    with capture_logs():
        yield


@pytest.fixture
def desk_of_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with scripted(monkeypatch, Desk(tmp_path, feeds=[replace(feed(), name="Le Fil")])) as made:
        made.web.feed(FEED, NEWS)
        yield made
