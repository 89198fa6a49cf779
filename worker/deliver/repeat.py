"""The note on a message that may have arrived before, where the channel cannot tell a repeat by its key."""

from worker.model import Claimed

_WORDS = {"fr": "(peut-être déjà reçu)", "en": "(may repeat)"}


def remark(claimed: Claimed, language: str) -> str:
    """Words for the recipient, or nothing where no attempt before is in doubt. The sealed bytes stay as they are."""
    return _WORDS.get(language, _WORDS["en"]) if claimed.uncertain else ""
