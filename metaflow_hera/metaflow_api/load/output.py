"""What a user's code prints while it is loaded or asked for a value."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def to_stderr() -> Iterator[None]:
    """Send to stderr all that goes to stdout, by child processes too: stdout is for the command's answer."""
    try:
        answer = os.dup(1)
    except OSError:  # there is no stdout
        yield
        return
    if sys.stdout is not None:
        sys.stdout.flush()
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        os.dup2(answer, 1)
        os.close(answer)
