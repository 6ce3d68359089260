"""Times and durations as people read them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from metaflow_hera.argo.objects import parse_time


def took(duration: timedelta | None) -> str:
    """A duration as people read it: 3s, 2m05s, 1h07m."""
    if duration is None:
        return "-"
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"


def local_time(moment: datetime | None) -> str:
    """A time in the user's zone, with the zone."""
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def noted_time(text: str | None) -> str:
    """A time that an annotation notes, in the user's zone; any other text stays as it is."""
    try:
        return local_time(parse_time(text))
    except (ValueError, OverflowError):
        return str(text)


UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def time_since(text: str, now: datetime) -> datetime | None:
    """The time that a text means: how long before `now` (`30m`, `2h`, `3d`, `1w`), or a date (and time).

    A date without a zone is one of `now`'s zone. None for other texts.
    """
    try:
        if ago := re.fullmatch(r"([0-9]+)([smhdw])", text.strip()):
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
