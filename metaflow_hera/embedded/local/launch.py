"""The embedded Argo as its user sees it: start it, stop it, ask for its status.

Light on purpose, since the server is another process: it imports little beyond the standard library.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaflow_hera.embedded.errors import ServerError, Unusable
from metaflow_hera.embedded.local.folder import make_home, unusable
from metaflow_hera.embedded.locks import is_locked

START_TIMEOUT = 20.0
STOP_TIMEOUT = 15.0
KILL_TIMEOUT = 5.0

LEAST_FREE = 1_000_000
"""With fewer free bytes than this, a full disk is taken as the reason that a server does not start."""


@dataclass(frozen=True)
class LocalServer:
    """A running server.

    Attributes:
        url: where it listens, without a slash at the end.
        pid: its process.
        home: the folder of its state.
        version: what it was started as, see `start`.
        token_file: holds the token that every call needs.
        started: when, in seconds since the epoch.
        database_bytes: the size of its database.
        free_bytes: what is left on the disk of its home.
    """

    url: str
    pid: int
    home: Path
    version: str
    token_file: Path
    started: float
    database_bytes: int
    free_bytes: int

    @property
    def token(self) -> str:
        """The token to call it with."""
        return self.token_file.read_text(encoding="utf-8").strip()

    @property
    def events_url(self) -> str | None:
        """Where Metaflow's ArgoEvent can publish events; it holds a secret, so that no token is needed.

        None if the server is of an older version.
        """
        try:
            secret = (self.home / "webhook").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return f"{self.url}/webhook/{secret}/default"


def status(home: Path) -> LocalServer | None:
    """The server of a home if one runs and answers, else None.

    Raises:
        Unusable: the folder belongs to another user.
    """
    home = home.absolute()
    try:
        if home.stat().st_uid != os.getuid():
            # The owner of the folder could name a server of their own in it, and would get every manifest.
            raise unusable(home, "it belongs to another user")
        facts = json.loads((home / "server.json").read_text(encoding="utf-8"))
        server = _server(home, facts)
    except PermissionError as error:
        raise Unusable(
            f"{error.filename} cannot be read ({error.strerror}): does it belong to another user?"
        ) from error
    except (OSError, ValueError, KeyError):
        return None
    # A server that was told to end removes server.json before it answers again.
    return server if _answers(server) and (home / "server.json").exists() else None


def ensure_running(home: Path, version: str) -> LocalServer:
    """The server of a home; started if there is none, replaced if it is of an older version.

    One of a newer version is used as it is: it serves all who share the home, and its API is Argo's. The
    older version could not even take its place, since it does not know the newer database.

    Raises as `start` and `stop` do.
    """
    server = status(home)
    if server is not None and is_older(server.version, version):
        stop(home)
        server = None
    return server or start(home, version)


def is_older(one: str, other: str) -> bool:
    """Whether a version comes before another. What is no version comes before none."""
    first, second = _order(one), _order(other)
    return first is not None and second is not None and first < second


def _order(version: str) -> tuple[list[int], bool, list[int]] | None:
    """By the release, then what leads to it (dev, a, b, rc) before it."""
    match = re.match(r"(\d+(?:\.\d+)*)((?:\.?dev|a|b|rc)\d*)?", version)
    if match is None:
        return None
    release = [int(number) for number in match[1].split(".")]
    while release and release[-1] == 0:
        release.pop()
    return release, match[2] is None, [int(number) for number in re.findall(r"\d+", match[2] or "")]


def start(home: Path, version: str, port: int | None = None) -> LocalServer:
    """Start the server of a home; a server that already runs is returned as it is.

    Args:
        home: its folder.
        version: what to start it as: the version of the program that the caller belongs to.
        port: where to listen, by default the same port as the last time, or a free one.

    Raises:
        Unusable: the folder or the port cannot be used.
        ServerError: it does not start; the message says why, or where its log is.
    """
    home = home.absolute()
    ending = time.monotonic() + STOP_TIMEOUT
    while (running := status(home)) is None and _is_locked(home) and time.monotonic() < ending:
        time.sleep(0.02)  # a server is about to end, or another process was faster
    if running is not None:
        return _at_port(running, port)
    make_home(home)
    command = [sys.executable, "-m", "metaflow_hera.embedded.server"]
    command += ["--home", str(home), "--version", version]
    if port is not None:
        command += ["--port", str(port)]
    package_folder = str(Path(__file__).resolve().parents[3])
    paths = [package_folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    with open(home / "start.log", "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        code = process.poll()
        running = status(home)
        if running is not None and (running.pid == process.pid or code is not None):
            return _at_port(running, port)  # ours, or that of another process that was faster
        if code is not None and not _is_locked(home):
            said = (home / "start.log").read_text(encoding="utf-8", errors="replace").strip()
            disk = os.statvfs(home)
            if disk.f_bavail * disk.f_frsize < LEAST_FREE:  # its message may not have fit
                reason = "its disk is full. Nothing is lost: make room, then start it again."
            else:
                reason = said.splitlines()[-1] if said else f"it ended with code {code}."
            kind = Unusable if code == 2 else ServerError
            raise kind(f"The embedded Argo does not start: {reason} Its log is {home / 'server.log'}.")
        time.sleep(0.02)
    raise ServerError(
        f"The embedded Argo did not answer within {START_TIMEOUT:.0f} s: see {home / 'server.log'}, "
        "end it with mfhera local stop, then try again."
    )


def process(home: Path) -> int | None:
    """The process of the server of a home, also of one that does not answer; None if there is none."""
    return _lock_holder(home.absolute())


def stop(home: Path) -> bool:
    """Stop the server of a home; its pods go on. Returns whether there was one.

    One that does not end when it is told to is killed: all that it has confirmed is stored.

    Raises:
        Unusable: the folder cannot be used.
        ServerError: it does not end.
    """
    home = home.absolute()
    pid = _lock_holder(home)
    if pid is None:
        try:
            (home / "server.json").unlink()  # stale: its server was killed
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise unusable(home, error.strerror or str(error)) from error
        return False
    for number, seconds in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, KILL_TIMEOUT)):
        os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _is_locked(home):
                return True
            time.sleep(0.02)
    raise ServerError(
        f"The embedded Argo (process {pid}) does not end, though it was killed: its disk may hang. "
        f"See {home / 'server.log'}."
    )


def _server(home: Path, facts: dict[str, Any]) -> LocalServer:
    database = home / "argo.db"
    disk = os.statvfs(home)
    return LocalServer(
        url=str(facts["url"]),
        pid=int(facts["pid"]),
        home=home,
        version=str(facts["version"]),
        token_file=home / "token",
        started=float(facts["started"]),
        database_bytes=database.stat().st_size if database.exists() else 0,
        free_bytes=disk.f_bavail * disk.f_frsize,
    )


def _answers(server: LocalServer) -> bool:
    """Whether this server still runs: it holds the lock, and its port accepts the token."""
    if not _is_locked(server.home):
        return False
    try:
        token = server.token
    except OSError:
        return False
    request = urllib.request.Request(
        f"{server.url}/api/v1/version", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with direct().open(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def direct() -> urllib.request.OpenerDirector:
    """An opener for a server of this machine, which never uses a proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _at_port(server: LocalServer, port: int | None) -> LocalServer:
    if port is not None and not server.url.endswith(f":{port}"):
        raise ServerError(f"The embedded Argo runs already at {server.url}: stop it to change its port.")
    return server


def _is_locked(home: Path) -> bool:
    return is_locked(home / "server.lock")


def _lock_holder(home: Path) -> int | None:
    """The process that holds the lock: it writes its number into it."""
    if not _is_locked(home):
        return None
    try:
        return int((home / "server.lock").read_text())
    except (OSError, ValueError):
        return None
