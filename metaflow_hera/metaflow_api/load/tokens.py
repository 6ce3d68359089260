"""Production tokens: kept where Metaflow keeps them, so that its own plugin sees the same ones."""

from __future__ import annotations

from metaflow.plugins.aws.step_functions.production_token import load_token, new_token, store_token


def known_token(prefix: str) -> str | None:
    """The token that this user has for a deployment, or None."""
    token = load_token(prefix)
    return None if token is None else str(token)


def fresh_token(prefix: str, previous: str | None = None) -> str | None:
    """The token that follows `previous`; None if the user chose that one."""
    token = new_token(prefix, previous)
    return None if token is None else str(token)


def remember_token(prefix: str, token: str) -> None:
    """Keep the token for this user."""
    store_token(prefix, token)
