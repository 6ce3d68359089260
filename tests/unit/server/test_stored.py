"""A server that is started again: what one stored workflow does to it is that workflow's trouble alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from twin import Twin

POD = {"name": "main", "container": {"image": "x", "command": ["true"]}}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, str, str]:
    """The home of a server that has ended, and two workflows in it that have not."""
    twin = Twin(tmp_path / "argo")
    names = []
    for name in ("good", "bad"):
        workflow = {"metadata": {"name": name}, "spec": {"entrypoint": "main", "templates": [POD]}}
        names.append(twin.raw("POST", "workflows/default", {"workflow": workflow}).json()["metadata"]["uid"])
    twin.close()
    return tmp_path / "argo", names[0], names[1]


def damage(home: Path, statement: str, uid: str) -> None:
    with sqlite3.connect(home / "argo.db") as connection:
        connection.execute(statement, (uid,))


def test_a_workflow_that_fails_the_controller_is_an_error_that_names_it(two: tuple[Path, str, str]) -> None:
    home, _, bad = two
    damage(home, "UPDATE nodes SET node='{}' WHERE uid=?", bad)
    twin = Twin(home)
    twin.look()
    status = twin.workflow("bad")["status"]
    assert status["phase"] == "Error"
    assert status["message"].startswith("the embedded Argo failed at workflow bad: KeyError")
    twin.finish("good")
    assert twin.workflow("good")["status"]["phase"] == "Succeeded"
    twin.call("DELETE", "workflows/default/bad")
    twin.close()


def test_a_workflow_that_cannot_be_read_does_not_stop_the_others(two: tuple[Path, str, str]) -> None:
    home, _, bad = two
    damage(home, "UPDATE specs SET spec='{' WHERE uid=?", bad)
    twin = Twin(home)
    twin.finish("good")
    assert twin.workflow("good")["status"]["phase"] == "Succeeded"
    twin.call("DELETE", "workflows/default/bad")
    twin.close()


def test_a_stored_number_that_is_none_does_not_stop_the_server(two: tuple[Path, str, str]) -> None:
    home, good, _ = two
    strategy = f'{{"secondsAfterCompletion":1{"0" * 400}}}'
    spec = f'{{"entrypoint":"main","templates":[],"ttlStrategy":{strategy}}}'
    damage(home, f"UPDATE specs SET spec='{spec}' WHERE uid=?", good)  # noqa: S608
    for _ in range(2):  # it ends at the first start, and has ended at the second
        twin = Twin(home)
        twin.look()
        assert twin.workflow("good")["status"]["phase"] == "Error"
        twin.close()
