"""Production tokens: kept where Metaflow keeps them, so that its own plugin sees the same ones."""

from __future__ import annotations

import json
import os

from metaflow.plugins.aws.step_functions.production_token import new_token

from metaflow_hera.contract.environment import TOKEN_HOME
from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.light.tokens import kept, token_file
from metaflow_hera.private_files import save_private


def fresh_token(prefix: str, previous: str | None = None) -> str | None:
    """The token that follows `previous`; None if the user chose that one."""
    token = new_token(prefix, previous)
    return None if token is None else str(token)


def remember_token(prefix: str, token: str) -> None:
    """Keep the token for this user, so that whoever reads the file meanwhile sees the old one or the new.

    Raises ConfigurationError if the file that holds it cannot be read or written.
    """
    path, config = token_file(prefix), kept(prefix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_private(path, json.dumps({**config, "production_token": token}).encode())
    except OSError as error:
        raise ConfigurationError(
            f"{path}, which keeps production tokens, cannot be written: {error.strerror}."
        ) from error


def token_home() -> str | None:
    """The folder that keeps the tokens of this user, if the environment names one; else it is below HOME."""
    given = os.environ.get(TOKEN_HOME) or os.environ.get("METAFLOW_HOME")
    return os.path.abspath(os.path.expanduser(given)) if given else None
