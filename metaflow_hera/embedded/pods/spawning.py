"""Starting a process as every pod is started: in a session of its own, with default signals and no input."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

SPARED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that do not end the keeper, whoever sends them: it ends with its work."""


def spawn(argv: list[str], env: Mapping[str, str], log: int) -> int:
    """Start a process in the current folder that writes to `log`; returns its number, its group's too."""
    return os.posix_spawn(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(*SPARED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ),
    )


def open_log(folder: str) -> int:
    """The log of a pod, to append to."""
    return os.open(f"{folder}.logs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
