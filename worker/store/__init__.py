"""The store: `database` opens it; each other file holds the needs of one subject, a function a need.

A caller opens a transaction (`store.read()`, `store.write()`, `store.ingest()`) and hands it to these functions, so
that what belongs together commits together. Values come out; rows never do.
"""

from worker.store.database import STAMP, Store, Tx, open_store, path_of
from worker.store.deferred import flush

__all__ = ["STAMP", "Store", "Tx", "flush", "open_store", "path_of"]
