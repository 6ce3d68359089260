"""What every verb writes: the server in use, notes on stderr, JSON."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.errors import MetaflowHeraError

if TYPE_CHECKING:
    from metaflow_hera.argo.target import Target


TOLD = "told.json"
"""The file in the home that notes which server each session was told of."""
SESSIONS = 50
"""How many sessions are noted."""


def say_where(target: Target) -> None:
    """Say which server the command uses; on stderr, so that stdout holds the answer alone.

    A session, which is a terminal's or a script's, is told once, and again once it uses another server or the
    embedded Argo was started anew.
    """
    if not _is_news(target):
        return
    hint = "; set ARGO_SERVER to use a cluster's" if target.embedded else ""
    verb = "Started" if target.just_started else "Using"
    click.echo(click.style(f"{verb} {target}{hint}.", dim=True), err=True)


def _is_news(target: Target) -> bool:
    """Whether this session has not been told of a server, or that is not known; it is noted as told."""
    from metaflow_hera.home import home_folder

    session, server = str(os.getsid(0)), f"{target} {target.started or ''}".strip()
    told: dict[str, str] = {}
    try:
        path = home_folder() / TOLD
        with suppress(OSError, *NOT_JSON, TypeError):
            told = dict(json.loads(path.read_text(encoding="utf-8")))
        if told.pop(session, None) == server:
            return False
        left = [*told.items()][-SESSIONS + 1 :]
        path.write_text(json.dumps(dict([*left, (session, server)])), encoding="utf-8")
    except (OSError, MetaflowHeraError):  # then it is told with every command
        pass
    return True


def say_note(text: str) -> None:
    """Write a note on stderr, beside the answer."""
    click.echo(f"mfhera: {text}", err=True)


def json_text(value: Any, indent: int | None = 2) -> str:
    """JSON for a program to read; times in ISO 8601's form."""
    return json.dumps(value, indent=indent, default=_text, ensure_ascii=False)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
