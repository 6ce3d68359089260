"""Production tokens: kept where Metaflow keeps them, so that its own plugin sees the same ones."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from metaflow.plugins.aws.step_functions import production_token
from metaflow.plugins.aws.step_functions.production_token import load_token, new_token

from metaflow_hera.contract.environment import TOKEN_HOME
from metaflow_hera.errors import ConfigurationError

T = TypeVar("T")

LOOKS, PAUSE = 20, 0.05
"""How often a file is read again, and after how many seconds: Metaflow empties it before it writes."""


def known_token(prefix: str) -> str | None:
    """The token that this user has for a deployment, or None.

    Raises ConfigurationError if the file that holds it cannot be read.
    """
    token = _readable(prefix, lambda: load_token(prefix))
    return None if token is None else str(token)


def fresh_token(prefix: str, previous: str | None = None) -> str | None:
    """The token that follows `previous`; None if the user chose that one."""
    token = new_token(prefix, previous)
    return None if token is None else str(token)


def remember_token(prefix: str, token: str) -> None:
    """Keep the token for this user, so that whoever reads the file meanwhile sees the old one or the new.

    Raises ConfigurationError if the file that holds it cannot be read or written.
    """
    path = _path(prefix)
    config = _readable(prefix, lambda: dict(production_token._load_config(str(path))))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({**config, "production_token": token}, file)
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}, which keeps production tokens, cannot be written: {error.strerror}."
        ) from error


def token_home() -> str | None:
    """The folder that keeps the tokens of this user, if the environment names one; else it is below HOME."""
    given = os.environ.get(TOKEN_HOME) or os.environ.get("METAFLOW_HOME")
    return os.path.abspath(os.path.expanduser(given)) if given else None


def _path(prefix: str) -> Path:
    return Path(production_token._path(prefix))


def _readable(prefix: str, read: Callable[[], T]) -> T:
    for look in range(LOOKS):
        try:
            return read()
        except (ValueError, TypeError, AttributeError, OSError) as error:
            if look == LOOKS - 1 or isinstance(error, OSError):
                raise ConfigurationError(
                    f"{_path(prefix)}, in which Metaflow keeps a production token, cannot be read ({error}): "
                    "delete it, then give the token with --authorize."
                ) from error
        time.sleep(PAUSE)
    raise AssertionError("unreachable")
