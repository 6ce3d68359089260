"""The process of the embedded Argo: `python -m metaflow_hera.embedded.server --home HOME --version VERSION`.

In its home it keeps `argo.db` (all state), `pods` (their folders), `token`, `server.json` (where it listens,
written once it does), `server.log` and `server.lock` (held while it runs, so that a home has one server).
SIGTERM ends it but not its pods: they continue, and the next server adopts them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import logging.handlers
import os
import secrets
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from metaflow_hera.embedded.api.events import open_path
from metaflow_hera.embedded.api.http import Services
from metaflow_hera.embedded.api.streams import Hub
from metaflow_hera.embedded.api.submission import submitted
from metaflow_hera.embedded.app import application
from metaflow_hera.embedded.engine import Clock, Engine
from metaflow_hera.embedded.errors import EmbeddedArgoError, Unusable
from metaflow_hera.embedded.local.cleaning import CACHE_DAYS, clear_cache
from metaflow_hera.embedded.pods.settings import PodSettings
from metaflow_hera.embedded.storage.reader import Reader
from metaflow_hera.embedded.storage.store import Store
from metaflow_hera.embedded.web.connection import Connection, raise_limit

LOG_BYTES = 2_000_000
LOCK_TRIES = 20
HOME_SECONDS = 2.0
"""How often to check that the home is still there."""

log = logging.getLogger("metaflow_hera.embedded")


def write_private(path: Path, text: str) -> None:
    """Write a file that only the user may read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def read_secret(home: Path, name: str) -> str:
    """A secret of this home, created once: its token, or the secret of the webhook for events."""
    path = home / name
    try:
        token = path.read_text(encoding="utf-8").strip()
        path.chmod(0o600)
    except FileNotFoundError:
        token = ""
    if not token:
        token = secrets.token_urlsafe(32)
        write_private(path, token)
    return token


def listen(home: Path, port: int | None) -> socket.socket:
    """A socket on 127.0.0.1: at `port`, else at the port used last, else at a free one."""
    wanted = [port] if port else []
    if not wanted:
        with contextlib.suppress(OSError, ValueError):
            wanted.append(int((home / "port").read_text()))
        wanted.append(0)
    for number in wanted:
        # With its protocol, or asyncio would not set TCP_NODELAY: an answer on a kept connection would wait.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", number))
        except OSError as error:
            sock.close()
            if number == wanted[-1]:
                raise Unusable(
                    f"Port {number} of 127.0.0.1 cannot be used ({error.strerror}): "
                    "choose another port, or name none to get a free one."
                ) from error
            continue
        sock.listen(128)
        write_private(home / "port", str(sock.getsockname()[1]))
        return sock
    raise AssertionError("unreachable")


def max_pods() -> int:
    """How many pods may run at once: METAFLOW_HERA_MAX_PODS, by default one per core."""
    text = os.environ.get("METAFLOW_HERA_MAX_PODS")
    if not text:
        return os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Unusable(f"METAFLOW_HERA_MAX_PODS must be a whole number, 1 or more, not {text!r}.")
    return int(text)


def hold_lock(home: Path) -> int | None:
    """The descriptor that holds the home's lock until this process ends; None if another server has it."""
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            time.sleep(0.01)  # a check whether a server runs holds it for a moment
    else:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


class HttpServer(uvicorn.Server):
    """uvicorn's server; a signal ends the streams too, which would otherwise delay its end."""

    def __init__(self, config: uvicorn.Config, hub: Hub, facts: Path) -> None:
        super().__init__(config)
        self._hub = hub
        self._facts = facts
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT. uvicorn would raise a captured signal again, so it captures none."""
        self._facts.unlink(missing_ok=True)  # those who want a server now wait for the next one
        self._loop.call_soon_threadsafe(self.end)

    def end(self) -> None:
        """Accept no more requests, end the streams, finish the answers under way."""
        self._facts.unlink(missing_ok=True)
        self.should_exit = True
        self._hub.close()


@contextlib.contextmanager
def usable(database: Path) -> Iterator[None]:
    """Say in words that a database is damaged, if it is."""
    try:
        yield
    except (sqlite3.DatabaseError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.exception("%s", database)
        # Of what is around it: a full disk, another process. A table or a column that is missing is its own.
        if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
            raise Unusable(f"{database} cannot be used ({error}): is the disk full?") from error
        raise Unusable(
            f"{database} is damaged ({type(error).__name__}: {error}): move it away, "
            "or set METAFLOW_HERA_HOME to another folder."
        ) from error


async def end_without_home(home: Path, lock: int, end: Callable[[], None]) -> None:
    """End the server once somebody has removed its home: another one may be there by now."""
    while True:
        await asyncio.sleep(HOME_SECONDS)
        try:
            there = await asyncio.to_thread(os.stat, home / "server.lock")
            if os.path.samestat(there, os.fstat(lock)):
                continue
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a network's file system may be away
            continue
        log.error("the folder %s was removed: the server ends", home)
        end()
        return


async def serve(home: Path, version: str, port: int | None, clock: Clock, lock: int) -> int:
    """Run as a version until SIGTERM or SIGINT; returns the exit code. `lock` holds the home."""
    loop = asyncio.get_running_loop()
    token, webhook, limit = read_secret(home, "token"), read_secret(home, "webhook"), max_pods()
    sock = listen(home, port)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    pods = PodSettings(
        limit,
        environment={
            "EMBEDDED_ARGO_EVENTS_URL": f"{url}{open_path(webhook)}",
            "EMBEDDED_ARGO_HOME": str(home),
        },
        may_fork=not os.environ.get("METAFLOW_HERA_COLD_PODS"),
    )
    hub = Hub(loop)
    database = home / "argo.db"
    with usable(database):
        store = Store(database)
        if not store.unfinished():
            clear_cache(home, time.time() - CACHE_DAYS * 86400)
        engine = Engine(store, home, pods, hub.publish, submitted, clock)
    config = uvicorn.Config(
        application(Services(Reader(database), engine), hub, token, webhook, read_secret(home, "session")),
        http=Connection,
        ws="none",  # or a library for web sockets would be imported, where there is one
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = HttpServer(config, hub, home / "server.json")
    with usable(database):
        engine.start(on_failure=lambda: loop.call_soon_threadsafe(server.end))
    watching = asyncio.create_task(end_without_home(home, lock, server.end))
    facts = {
        "url": url,
        "pid": os.getpid(),
        "started": time.time(),
        "version": version,
        "home": str(home),
    }
    write_private(home / "server.json", json.dumps(facts))
    log.info("listening at %s, at most %d pods at once", url, limit)
    await server.serve([sock])
    watching.cancel()
    await asyncio.to_thread(engine.stop)
    log.info("stopped")
    if engine.failure is None:
        return 0
    print(
        f"{engine.failure} (in {home}). Nothing is lost: "
        "once the cause is removed, mfhera local start continues from there.",
        file=sys.stderr,
    )
    return 1


def main(arguments: list[str] | None = None, clock: Clock = time.time) -> int:
    """Run the server of a home, with a clock in seconds since the epoch; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m metaflow_hera.embedded.server", description="The embedded Argo."
    )
    parser.add_argument("--home", type=Path, required=True, help="the folder for its state")
    parser.add_argument("--version", required=True, help="the version it runs as, noted in server.json")
    parser.add_argument(
        "--port", type=int, help="the port on 127.0.0.1; default: the same as last time, or a free one"
    )
    options = parser.parse_args(arguments)
    home: Path = options.home.absolute()
    os.umask(0o077)
    raise_limit()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        lock = hold_lock(home)
        if lock is None:
            raise Unusable(f"Another server already runs for {home}: stop it first.")
        handler = logging.handlers.RotatingFileHandler(
            home / "server.log", maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        return asyncio.run(serve(home, options.version, options.port, clock, lock))
    except (EmbeddedArgoError, OSError) as error:
        log.error("%s", error)
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
