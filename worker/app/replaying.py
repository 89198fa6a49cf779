"""`veille replay`: what was kept, run over again in a folder that is thrown away; the live store is only read."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from worker.app.clock import clock
from worker.app.load import open_for
from worker.app.names import user_agent
from worker.child import Children
from worker.net import Client
from worker.pipeline.edges import Edges
from worker.pipeline.live import Live
from worker.replay import Again, run_again
from worker.store import events, open_store
from worker.story import WINDOW


def many(live: Live, since: datetime) -> int:
    """The number of events a replay since then runs over again."""
    store = open_for(live.config, create=False)
    try:
        with store.read() as tx:
            return events.count(tx, since - WINDOW)
    finally:
        store.close()


async def again(live: Live, since: datetime, step: Callable[[str], None]) -> Again:
    """Run what happened since then over again under the rules of `live`; nothing is fetched, sent or stored.

    Raises StoreError.
    """
    store = open_for(live.config, create=False)
    client, children = Client(user_agent=user_agent(live.config)), Children()
    try:
        with tempfile.TemporaryDirectory(prefix="veille-replay-") as folder:
            thrown_away = open_store(f"sqlite:///{Path(folder) / 'replay.db'}", create=True)
            edges = Edges(
                store=thrown_away,
                client=client,
                children=children,
                senders=children,
                clock=clock,
                owner="replay",
                echo=lambda _: None,
                live=live,
            )
            try:
                return await run_again(store, edges, since, clock(), step=step)
            finally:
                thrown_away.close()
    finally:
        children.close()
        store.close()
        await client.aclose()
