"""What a forked call starts as `python ...` is forked from a warm process too, where one suits.

`subprocess` starts a stand-in then. The call that it asks for has its input and output, gets its signals, and
ends with it; it ends as that call does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from warm_choice import finds_the_same, kinds_for
from warm_sockets import WarmProcess, suiting

STAND_IN = """
import json, os, signal, socket, sys
path, *arguments = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as control:
    try:
        control.connect(path)
        ready = control.makefile().readline()
    except OSError:
        ready = ""
    if not ready:  # it has just ended
        os.execv(sys.executable, [sys.executable, *arguments])
    ours, theirs = socket.socketpair()
    socket.send_fds(control, [b"&"], [theirs.fileno(), 1, 2, 0])
    theirs.close()
    ours.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ), [0]]).encode() + b"\\n")
    answers = ours.makefile()
    pid = int(answers.readline())
    def pass_on(number, _):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = int(answers.readline())
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""The program of the stand-in. Its arguments are the socket of the warm process, and those of the call."""
OTHERWISE = {"executable", "pass_fds", "preexec_fn", "shell", "user", "group", "extra_groups", "umask"}
"""Options of a start that a forked call would not have."""


def start_children_warm(place: Path) -> None:
    """From now on this process starts what it can warm; `place` is the folder of the sockets."""
    begin = subprocess.Popen.__init__

    @wraps(begin)
    def started(process: Any, args: Any, *more: Any, **options: Any) -> None:
        warm = None
        if not more and not any(options.get(name) for name in OTHERWISE):
            warm = _suiting(place, args, options.get("cwd"), options.get("env"))
        if warm is None:
            begin(process, args, *more, **options)
            return
        begin(process, [args[0], "-ISc", STAND_IN, str(warm.path), *args[1:]], **options)
        process.args = args
        warm.close()

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]


def _suiting(place: Path, command: Any, cwd: Any, env: Mapping[str, str] | None) -> WarmProcess | None:
    """The warm process for a command; None where that is not Python, or only a cold start is the same."""
    if not isinstance(command, list | tuple) or len(command) < 2 or command[0] != sys.executable:
        return None
    arguments, folder = [os.fsdecode(each) for each in command[1:]], Path(cwd or os.getcwd())
    if not folder.is_dir():
        return None
    whole = os.environ if env is None else env
    for kind in kinds_for(arguments, folder, whole):
        found = suiting(place, kind, whole)
        if found is not None:
            if finds_the_same(found, arguments, folder):
                return found
            found.close()
    return None
