"""The network: the only owner of httpx and h11, with the address guard and the limits."""

from worker.net.client import Client, Limits, NetFailure, Response
from worker.net.guard import Allow, is_public
from worker.net.retry import retry_after, seconds

__all__ = ["Allow", "Client", "Limits", "NetFailure", "Response", "is_public", "retry_after", "seconds"]
