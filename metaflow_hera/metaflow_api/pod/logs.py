"""Metaflow's format of a log line."""

from __future__ import annotations

from datetime import datetime

from metaflow.mflog import TASK_LOG_SOURCE, update_delay
from metaflow.mflog.mflog import decorate

__all__ = ["decorated_line", "update_delay"]


def decorated_line(line: bytes, now: datetime) -> bytes:
    """A line of a task as it is stored; `now` is in UTC, without a time zone."""
    return bytes(decorate(TASK_LOG_SOURCE, line, now=now))
