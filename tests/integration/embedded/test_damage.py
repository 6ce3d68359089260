"""What somebody does to the home of a server, or to its connections, is told or survived."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness import SECONDS

from metaflow_hera import __version__
from metaflow_hera.embedded.errors import Unusable
from metaflow_hera.embedded.local import launch

from .conftest import Argo, pod_spec


def damage(argo: Argo, statement: str) -> None:
    """Stop the server, change its database, start it again."""
    argo.kill()
    with closing(sqlite3.connect(argo.home / "argo.db", timeout=SECONDS)) as db, db:
        db.execute(statement)
    argo.start()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workflows SET status='{' WHERE name='bad'",
        "UPDATE workflows SET labels='' WHERE name='bad'",
        "UPDATE specs SET spec='{' WHERE uid IN (SELECT uid FROM workflows WHERE name='bad')",
        "UPDATE specs SET spec='{\"ttlStrategy\":[1]}'",
        "UPDATE nodes SET node='{' WHERE uid IN (SELECT uid FROM workflows WHERE name='bad')",
        "INSERT INTO objects VALUES ('cronworkflows', 'argo', 'bad', 1, '{', '{')",
    ],
)
def test_a_damaged_row_keeps_nobody_from_the_others(own_argo: Argo, statement: str) -> None:
    for name in ("good", "bad"):
        own_argo.run(pod_spec("true"), name)
        own_argo.end(name)
    damage(own_argo, statement)
    names = {
        each["metadata"]["name"]
        for each in own_argo.call("GET", "/workflows/argo?fields=items.metadata")["items"]
    }
    assert "good" in names
    assert own_argo.call("GET", "/cron-workflows/argo")["items"] is None
    own_argo.run(pod_spec("true"), "next")
    assert own_argo.end("next")["status"]["phase"] == "Succeeded"


def test_an_unfinished_run_with_a_damaged_node_ends_alone(own_argo: Argo) -> None:
    own_argo.run({"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}, "bad")
    own_argo.until("bad", lambda workflow: workflow["status"].get("nodes"))
    damage(own_argo, "UPDATE nodes SET node='{'")
    (found,) = own_argo.call("GET", "/workflows/argo?fields=items.status.phase,items.status.message")["items"]
    assert found["status"]["phase"] == "Error"
    assert "a node in argo.db is damaged" in found["status"]["message"]


def test_a_database_without_its_tables_is_told_in_words(tmp_path: Path) -> None:
    launch.start(tmp_path / "home", __version__)
    launch.stop(tmp_path / "home")
    with closing(sqlite3.connect(tmp_path / "home" / "argo.db", timeout=SECONDS)) as db, db:
        db.execute("DROP TABLE counter")
    with pytest.raises(Unusable, match=r"argo\.db is damaged .*move it away"):
        launch.start(tmp_path / "home", __version__)


def test_a_server_ends_with_its_home(own_argo: Argo) -> None:
    shutil.rmtree(own_argo.home)
    own_argo.wait(lambda: _has_ended(own_argo.server.pid))
    own_argo.start()
    own_argo.run(pod_spec("true"), "new")
    assert own_argo.end("new")["status"]["phase"] == "Succeeded"


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux'")
def test_idle_connections_leave_room_for_others(own_argo: Argo) -> None:
    resource.prlimit(own_argo.server.pid, resource.RLIMIT_NOFILE, (256, 256))
    place = urlsplit(own_argo.server.url)
    idle = [socket.create_connection((place.hostname, place.port), SECONDS) for _ in range(400)]
    own_argo.run(pod_spec("true"), "beside")
    assert own_argo.end("beside")["status"]["phase"] == "Succeeded"
    for each in idle:
        each.close()
