"""The first thing that `mfhera` imports: until all else is imported, Ctrl-C ends it without a traceback."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130
"""The exit code, as a shell has it for a command that was interrupted."""


def main() -> None:
    """Run a command and end the process."""
    from metaflow_hera.cli.main import main as run

    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _end(*_: object) -> None:
    os._exit(INTERRUPTED)


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started it has it ignored
    signal.signal(signal.SIGINT, _end)
