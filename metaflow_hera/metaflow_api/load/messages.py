"""Metaflow's messages, as this package tells them."""

from __future__ import annotations

from metaflow.exception import MetaflowException


def first_line(error: Exception) -> str:
    """What an error of a datastore's client says first; an identifier of the request, or XML, may follow."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def message_of(error: MetaflowException) -> str:
    """Metaflow's message for an error, on one line."""
    where = f" (line {error.line_no})" if error.line_no else ""
    message = str(error.message or error.headline)
    # A user's function failed: the last line of its traceback says why.
    before, trace, after = message.partition("Traceback (most recent call last):")
    if trace:
        message = f"{before} {after.strip().splitlines()[-1]}"
    text = " ".join(message.replace("*", "").split())
    return f"{text}{where}"
