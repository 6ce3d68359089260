"""What a forked call starts as `python ...` is forked from a warm process too, where one suits.

`subprocess` starts a stand-in then, which asks the warm process for the call. The call has the stand-in's
input and output and gets its signals. When one of them ends, the other does.

Servers and keepers start otherwise (`warm_sockets.Subprocess`): they are passed sockets, stay when their
starter ends, and tell their own process id.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from typing import Any

from warm_choice import choose
from warm_sockets import ENDS, LIKE_IT, WarmProcess, suiting

STAND_IN = f"""{LIKE_IT}
import json, socket, sys
path, *arguments = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as control:
    try:
        control.connect(path)
        ready = control.makefile().readline()
    except OSError:
        ready = ""
    if not ready:  # it has just ended
        start_cold(sys.executable, *arguments)
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [{ENDS!r}], [theirs.fileno(), 1, 2, 0])
    theirs.close()
    ours.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ), [0]]).encode() + b"\\n")
    end_like_it(ours.makefile())
"""
"""The program of the stand-in. Its arguments are the socket of the warm process, and those of the call."""
DEFAULTS = {
    "executable": None,
    "preexec_fn": None,
    "close_fds": True,
    "pass_fds": (),
    "shell": False,
    "user": None,
    "group": None,
    "extra_groups": None,
    "umask": -1,
}
"""Options of `subprocess.Popen` that a forked call cannot have otherwise."""


def start_children_warm(place: Path) -> None:
    """From now on, each `python ...` that this process starts is forked from a warm process, where one suits.

    `place` is the folder of the sockets.
    """
    begin = subprocess.Popen.__init__

    @wraps(begin)
    def started(process: Any, args: Any, *more: Any, **options: Any) -> None:
        warm = None
        if not more and all(options.get(name, default) == default for name, default in DEFAULTS.items()):
            with suppress(OSError):  # a folder that is not there, or may not be read
                warm = _chosen(place, args, options.get("cwd"), options.get("env"))
        if warm is None:
            begin(process, args, *more, **options)
            return
        try:
            begin(process, [args[0], "-ISc", STAND_IN, str(warm.path), *args[1:]], **options)
        finally:
            warm.close()
        process.args = args

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]


def _chosen(place: Path, command: Any, cwd: Any, env: Mapping[str, str] | None) -> WarmProcess | None:
    """The warm process for a command; None where that is not Python, or only a cold start is the same."""
    if not isinstance(command, list | tuple) or len(command) < 2 or command[0] != sys.executable:
        return None
    arguments = [os.fsdecode(each) for each in command[1:]]
    whole = os.environ if env is None else env
    return choose(arguments, Path(cwd or os.getcwd()), whole, partial(suiting, place))
