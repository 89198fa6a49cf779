"""When a server wants to be asked again."""

from datetime import datetime
from email.utils import parsedate_to_datetime

#: Seconds; nothing a server says keeps us away for longer.
DAY = 86_400


def seconds(text: str) -> int | None:
    """A number of seconds as headers write it (RFC 9111 1.2.2), at most a day; None for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    # Python refuses to read thousands of digits.
    return DAY if len(text.lstrip("0")) > 6 else min(int(text[-7:]), DAY)


def retry_after(value: str, now: datetime) -> int | None:
    """Retry-After, seconds or a date (RFC 9110 10.2.3), in seconds from `now`: 0 to a day; None if unreadable."""
    if (wait := seconds(value)) is not None:
        return wait
    try:
        date = parsedate_to_datetime(value)
        # A date without a zone is a mistake; HTTP's dates are UTC.
        delta = (date if date.tzinfo else date.replace(tzinfo=now.tzinfo)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0, min(int(delta.total_seconds()), DAY))
