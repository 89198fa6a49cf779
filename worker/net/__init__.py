"""The network: the only owner of httpx and httpcore, with the address guard and the limits."""

from worker.net.client import DIRECT, Client, Limits, NetFailure, Response, retry_after, seconds
from worker.net.guard import Allow, is_public

__all__ = ["DIRECT", "Allow", "Client", "Limits", "NetFailure", "Response", "is_public", "retry_after", "seconds"]
