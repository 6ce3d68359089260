"""Which server each session was told of: a terminal's, or a script's."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.errors import MetaflowHeraError

if TYPE_CHECKING:
    from metaflow_hera.argo.target import Target

TOLD = "told.json"
"""The file in the home that notes which server each session was told of."""
SESSIONS = 50
"""How many sessions are noted."""


def is_news(target: Target) -> bool:
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
