"""The program's name and version."""

from importlib.metadata import version

from worker.config import Config


def user_agent(config: Config) -> str:
    """Who polls, and how to reach them: what RFC 9110 10.1.5 asks of robots."""
    contact = config.user_agent_contact
    return f"veille/{version('veille')}" + (f" (+{contact})" if contact else " (news watch; feed reader)")
