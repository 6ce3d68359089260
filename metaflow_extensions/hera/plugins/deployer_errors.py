"""What the command of a deployer printed before it failed."""

from __future__ import annotations

from contextlib import contextmanager
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from metaflow.runner.utils import make_process_error_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metaflow.runner.subprocess_manager import SubprocessManager


@contextmanager
def whole_message(processes: SubprocessManager) -> Iterator[None]:
    """Let the error of a command that failed hold all that the command printed.

    Metaflow reads that while its threads may still be writing it down, or have yet to create the files for
    it.
    """
    try:
        yield
    except (RuntimeError, FileNotFoundError) as error:
        cause = error.__context__
        if not isinstance(cause, CalledProcessError):
            raise
        failed = next(one for one in processes.commands.values() if one.command == cause.cmd)
        failed.sync_wait()
        raise RuntimeError(make_process_error_message(failed)) from cause
