"""Every error that the embedded Argo raises for its callers, in one tree.

    EmbeddedArgoError
    |- Unusable        a folder, a file, a port or a setting cannot be used as it is
    |- ServerError     the server could not be started, reached or stopped
    `- Refused         Argo, or the embedded Argo, refuses an object or a call

Each message is one or two sentences: what happened, and what to do about it. A `Refused` has Argo's message.
"""

from __future__ import annotations


class EmbeddedArgoError(Exception):
    """Base of all errors of the embedded Argo."""


class Unusable(EmbeddedArgoError):
    """A folder, a file, a port or a setting cannot be used as it is."""


class ServerError(EmbeddedArgoError):
    """The server could not be started, reached or stopped."""


class Refused(EmbeddedArgoError):
    """Argo, or the embedded Argo, refuses an object or a call."""
