"""Production tokens where Metaflow keeps them for a user."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from metaflow_hera.contract.environment import TOKEN_HOME
from metaflow_hera.errors import ConfigurationError

LOOKS, PAUSE = 20, 0.05
"""How often a file is read again, and after how many seconds: Metaflow empties it before it writes."""


def known_token(prefix: str) -> str | None:
    """The token that this user has for a deployment, or None.

    Raises ConfigurationError if the file that holds it cannot be read.
    """
    token = kept(prefix).get("production_token")
    return None if token is None else str(token)


def kept(prefix: str) -> dict[str, object]:
    """What the file of a deployment holds. Raises ConfigurationError if it cannot be read."""
    path = token_file(prefix)
    for look in range(LOOKS):
        if not os.path.exists(path):
            return {}
        try:
            with path.open() as file:
                return dict(json.load(file))
        except (ValueError, TypeError, OSError) as error:
            if look == LOOKS - 1 or isinstance(error, OSError):
                raise ConfigurationError(
                    f"{path}, in which Metaflow keeps a production token, cannot be read ({error}): "
                    "delete it, then give the token with --authorize."
                ) from error
        time.sleep(PAUSE)
    raise AssertionError("unreachable")


def token_file(prefix: str) -> Path:
    """The file that keeps the token of a deployment."""
    home = os.environ.get(TOKEN_HOME) or os.environ.get("METAFLOW_HOME", "~/.metaflowconfig")
    return Path(os.path.expanduser(f"{home}/{prefix}"))
