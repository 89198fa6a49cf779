"""The client of a configuration, and the name it gives to servers."""

from importlib.metadata import version

from worker.config import Config
from worker.model import Secret
from worker.net import Client


def user_agent(config: Config) -> str:
    """Who polls, and how to reach them: what RFC 9110 10.1.5 asks of robots."""
    contact = config.user_agent_contact
    return f"veille/{version('veille')}" + (f" (+{contact})" if contact else " (news watch; feed reader)")


def network_of(config: Config) -> tuple[tuple[str, ...], str, Secret | None]:
    """What a client is made of; it is made anew where this has changed."""
    return config.allow, user_agent(config), config.proxy


def client_of(config: Config) -> Client:
    """A client that goes where the configuration allows, through its proxy."""
    allow, agent, proxy = network_of(config)
    return Client(allow=allow, user_agent=agent, proxy=proxy.reveal() if proxy else None)
