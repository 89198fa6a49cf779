"""The desk: what pages and API work with, made once by `runtime`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from worker.model import Feed, ParsedEntry
from worker.pipeline.context import ActiveConfig
from worker.pipeline.discover import Found, Tried
from worker.store import Store
from worker.store.upkeep import Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The store, the configuration in force, and what only the running worker can do."""

    store: Store
    #: In force at this moment: a reload replaces it.
    live: Callable[[], ActiveConfig]
    #: Aware UTC.
    clock: Callable[[], datetime]
    #: `config.toml`.
    path: Path
    is_alive: Callable[[Heartbeat], bool]
    #: Lets the worker read its configuration and rules again.
    reload: Callable[[], None]
    #: The feeds at an address, asked for by the worker's own client; may raise TimeoutError.
    discover: Callable[[str], Found]
    #: The first entries of a feed as articles, with what the rules in force say of them; may raise TimeoutError.
    try_rules: Callable[[Sequence[ParsedEntry], Feed], Sequence[Tried]]

    @property
    def is_open(self) -> bool:
        """True where nobody has to sign in: only this machine reaches the port, and no proxy leads others to it."""
        config = self.live().config
        return config.listen is not None and _is_loopback(config.listen[0]) and not config.public_url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
