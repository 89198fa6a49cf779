"""Opens what `veille replay` needs: kept documents go into a temporary store, and the live one is only read."""

import tempfile
from datetime import datetime
from pathlib import Path

from worker.evaluate.replay import Rerun, Watch, rerun
from worker.feeds.child import Children
from worker.pipeline.context import ActiveConfig, JobContext
from worker.runtime.clock import clock
from worker.runtime.load import client_of, open_for
from worker.store import open_store


async def again(live: ActiveConfig, since: datetime, watch: Watch) -> Rerun:
    """Read the documents kept since then once more under `live`; nothing is fetched, sent or stored.

    Raises StoreError.
    """
    store = open_for(live.config, create=False)
    client, children = client_of(live.config), Children()
    try:
        with tempfile.TemporaryDirectory(prefix="veille-replay-") as folder:
            thrown_away = open_store(f"sqlite:///{Path(folder) / 'replay.db'}", create=True)
            context = JobContext(
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
                return await rerun(store, context, since, watch)
            finally:
                thrown_away.close()
    finally:
        children.close()
        store.close()
        await client.aclose()
