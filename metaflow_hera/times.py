"""Times and durations as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta


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
    """A time in the user's zone."""
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
