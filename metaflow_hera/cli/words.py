"""What is said to people: one place for lines on the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from metaflow_hera.argo.target import Target


def say_where(target: Target) -> None:
    """Say whom the command talks to; on stderr, so that stdout is the answer alone."""
    hint = "; set ARGO_SERVER to use a cluster's" if target.embedded else ""
    verb = "Started" if target.just_started else "Using"
    click.echo(click.style(f"{verb} {target}{hint}.", dim=True), err=True)


def json_text(value: Any) -> str:
    """JSON for a program to read; times in ISO format."""
    import json

    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


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
