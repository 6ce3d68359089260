"""What every verb writes: the server in use, notes on stderr, JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.cli.sessions import is_news

if TYPE_CHECKING:
    from metaflow_hera.argo.target import Target


def say_where(target: Target) -> None:
    """Say which server the command uses; on stderr, so that stdout holds the answer alone.

    A session, which is a terminal's or a script's, is told once, and again once it uses another server or the
    embedded Argo was started anew.
    """
    if not is_news(target):
        return
    hint = "; set ARGO_SERVER to use a cluster's" if target.embedded else ""
    verb = "Started" if target.just_started else "Using"
    click.echo(click.style(f"{verb} {target}{hint}.", dim=True), err=True)


def say_note(text: str) -> None:
    """Write a note on stderr, beside the answer."""
    click.echo(f"mfhera: {text}", err=True)


def json_text(value: Any, indent: int | None = 2) -> str:
    """JSON for a program to read; times in ISO 8601's form."""
    return json.dumps(value, indent=indent, default=_text, ensure_ascii=False)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
