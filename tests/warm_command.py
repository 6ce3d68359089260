"""A command `mfhera` for the shells that tests start: its processes start warm, see warm.py."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import warm
import warm_choice
from warm_sockets import LIKE_IT

SCRIPT = """#!{python} -IS
{like_it}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as talk:
    talk.connect({address!r})
    socket.send_fds(talk, [b"!"], [1, 2])
    talk.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    answers = talk.makefile()
    if answers.readline() == "warm\\n":
        end_like_it(answers)
start_cold({installed!r}, *sys.argv[1:])
"""
"""It asks the process of the tests for a warm start, and starts cold where that is refused."""


@contextmanager
def warm_command() -> Iterator[Path]:
    """A folder with the command, for PATH. It answers what `mfhera` does, but has /dev/null as stdin."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "bin")
        folder.mkdir()
        address = str(Path(place, "socket"))
        script = folder / "mfhera"
        text = SCRIPT.format(
            python=sys.executable, like_it=LIKE_IT, address=address, installed=warm_choice.INSTALLED
        )
        script.write_text(text)
        script.chmod(0o755)
        with socketserver.ThreadingUnixStreamServer(address, _Asked) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield folder
            server.shutdown()


class _Asked(socketserver.BaseRequestHandler):
    """A call that a shell makes."""

    def handle(self) -> None:
        """Start it and tell its process id and its exit code; nothing where it has to start cold."""
        _, (out, err), *_ = socket.recv_fds(self.request, 1, 2)
        with self.request.makefile("rb") as file:
            given, folder, env = json.loads(file.readline())
        started = warm.start([warm_choice.INSTALLED, *given], Path(folder), env, out, err)
        if started is None:
            os.close(out)
            os.close(err)
            return
        with started, started.makefile("rb") as answers:
            self.request.sendall(b"warm\n")
            for line in answers:
                self.request.sendall(line)
