"""Metaflow's messages, as this package tells them."""

from __future__ import annotations

import re

from metaflow.exception import MetaflowException, MetaflowInternalError

QUALIFIED = re.compile(r"^[\w.]+\.(?=\w+: )")
"""The module of an exception, as it stands before its name at the end of a traceback."""


def reason_of(error: Exception) -> str:
    """Why a datastore's client failed, on one line: the first of what it says, which may go on in XML."""
    said = error.message if isinstance(error, MetaflowException) else error
    line = next(iter(str(said or "").strip().splitlines()), type(error).__name__)
    if isinstance(error, MetaflowException) and not isinstance(error, MetaflowInternalError):
        return f"{error.headline}: {line}"
    return line


def message_of(error: MetaflowException) -> str:
    """Metaflow's message for an error, on one line."""
    where = f" (line {error.line_no})" if error.line_no else ""
    message = str(error.message or error.headline)
    # A user's function failed: the last line of its traceback says why.
    before, trace, after = message.partition("Traceback (most recent call last):")
    if trace:
        last = after.strip().splitlines()[-1]
        message = f"{before} {re.sub(QUALIFIED, '', last)}"
    text = " ".join(message.replace("*", "").split())
    return f"{text}{where}"
