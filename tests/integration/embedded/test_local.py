"""The life of the server as its user sees it, also when things are not as they should be."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from metaflow_hera import __version__
from metaflow_hera.argo.target import resolve_target
from metaflow_hera.embedded.errors import ServerError, Unusable
from metaflow_hera.embedded.local import launch
from metaflow_hera.embedded.server import listen
from metaflow_hera.errors import LocalServerError


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state" / "home"
    yield folder
    launch.stop(folder)


def test_answers_on_a_kept_connection_are_not_held_back(tmp_path: Path) -> None:
    """asyncio sets TCP_NODELAY where a socket names its protocol; else each further answer waits."""
    with listen(tmp_path, None) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_start_status_stop(home: Path) -> None:
    assert launch.status(home) is None
    server = launch.start(home, __version__)
    for again in (
        launch.status(home),
        launch.start(home, __version__),
        launch.ensure_running(home, __version__),
    ):
        assert again is not None
        assert (again.pid, again.url, again.started) == (server.pid, server.url, server.started)
    assert (server.home, server.token_file) == (home, home / "token")
    assert server.database_bytes > 0
    assert launch.stop(home)
    assert launch.status(home) is None
    assert not launch.stop(home)


def test_it_comes_back_at_the_same_address_with_the_same_token(home: Path) -> None:
    first = launch.start(home, __version__)
    token = first.token
    launch.stop(home)
    second = launch.start(home, __version__)
    assert (second.url, second.token) == (first.url, token)
    assert second.pid != first.pid


def test_a_start_while_a_server_ends_waits_for_its_end(home: Path) -> None:
    for _ in range(3):
        old = launch.start(home, __version__)
        os.kill(old.pid, signal.SIGTERM)
        assert launch.start(home, __version__).pid != old.pid
        assert launch.status(home) is not None


def test_a_killed_server_is_known_to_be_gone(home: Path) -> None:
    first = launch.start(home, __version__)
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert launch.status(home) is None
    assert launch.ensure_running(home, __version__).pid != first.pid


def test_starters_in_a_race_get_one_server(home: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(lambda _: launch.ensure_running(home, __version__), range(4)))
    assert len({server.pid for server in servers}) == 1


@pytest.mark.parametrize("version", ["99.0", "somebody's own"])
def test_a_server_of_a_newer_version_is_used_and_goes_on(home: Path, version: str) -> None:
    first = launch.start(home, __version__)
    facts = json.loads((home / "server.json").read_text())
    (home / "server.json").write_text(json.dumps({**facts, "version": version}))
    assert launch.ensure_running(home, __version__).pid == first.pid


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("0.9.1", "0.10.0", True),
        ("0.10.0", "0.9.1", False),
        ("1.0", "1.0.0", False),
        ("1.0.dev3", "1.0", True),
        ("1.0", "1.0.dev3", False),
        ("1.0.dev3", "1.0.dev12", True),
        ("1.0rc1", "1.0", True),
        ("1.0+local", "1.0", False),
        ("?", "1.0", False),
        ("1.0", "?", False),
    ],
)
def test_which_version_is_older(one: str, other: str, older: bool) -> None:
    assert launch.is_older(one, other) == older


def test_a_server_of_an_older_version_is_replaced(home: Path) -> None:
    first = launch.start(home, __version__)
    facts = json.loads((home / "server.json").read_text())
    (home / "server.json").write_text(json.dumps({**facts, "version": "0.0.1"}))
    assert launch.ensure_running(home, __version__).pid != first.pid


def test_a_taken_port_is_told(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unusable, match=f"Port {port} .*cannot be used"):
            launch.start(home, __version__, port=port)
        # The port used last is only a wish.
        home.mkdir(parents=True, exist_ok=True)
        (home / "port").write_text(str(port))
        assert not launch.start(home, __version__).url.endswith(f":{port}")


def test_another_port_than_that_of_the_running_server_is_refused(home: Path) -> None:
    launch.start(home, __version__)
    with pytest.raises(ServerError, match="runs already"):
        launch.start(home, __version__, port=1)


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match="METAFLOW_HERA_HOME"):
        launch.start(tmp_path / "file" / "home", __version__)


def test_a_database_of_a_newer_version_is_left_alone(home: Path) -> None:
    home.mkdir(parents=True)
    with sqlite3.connect(home / "argo.db") as database:
        database.execute("PRAGMA user_version=999")
    with pytest.raises(Unusable, match="newer version"):
        launch.start(home, __version__)


def test_a_file_that_is_no_database_is_told(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "argo.db").write_bytes(b"no database at all, and long enough to be seen as such" * 100)
    with pytest.raises(Unusable, match="cannot be used as a database"):
        launch.start(home, __version__)


def test_a_wrong_limit_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_HERA_MAX_PODS", "many")
    with pytest.raises(Unusable, match="METAFLOW_HERA_MAX_PODS"):
        launch.start(home, __version__)


def test_it_is_light_to_import() -> None:
    heavy = (
        "starlette",
        "uvicorn",
        "hera",
        "metaflow",
        "sqlite3",
        "asyncio",
        "platformdirs",
        "metaflow_hera.embedded.engine",
    )
    code = (
        f"import sys, metaflow_hera.embedded.local.launch; print([m for m in {heavy!r} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_server_that_hangs_is_told_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds its lock and answers nothing: that is not the same as a server that does not run."""
    home = tmp_path / "argo"
    hung = launch.start(home, __version__)
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        assert launch.process(home) == hung.pid
        with pytest.raises(LocalServerError, match=rf"\(process {hung.pid}\) does not answer: .*local stop"):
            resolve_target(start=False, env={"METAFLOW_HERA_HOME": str(home)})
        monkeypatch.setattr(launch, "STOP_TIMEOUT", 0.2)
        assert launch.stop(home)
    finally:
        with suppress(ProcessLookupError):
            os.kill(hung.pid, signal.SIGKILL)
    assert launch.start(home, __version__).pid != hung.pid
    assert launch.stop(home)
