"""Workflows that share a mutex: who has it, who is next, and what is left when one ends or is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twin import Twin

JSON = dict[str, Any]
LOCK = "default/Mutex/lock"
WAITS = f"Waiting for {LOCK} lock. Lock status: 0/1"
POD = {"name": "main", "container": {"image": "x", "command": ["true"]}}


def mutexes(*names: str) -> JSON:
    return {"synchronization": {"mutexes": [{"name": name} for name in names]}}


class Server(Twin):
    """A twin on whose clock a second goes by with each workflow."""

    def __init__(self, home: Path) -> None:
        self.ahead = 0.0
        super().__init__(home, lambda: time.time() + self.ahead)

    def start(self, *names: str, pod: JSON | None = None, namespace: str = "default", **spec: Any) -> None:
        """Start workflows of one pod, whose template has the mutex unless `pod` says otherwise."""
        template = {**POD, **(mutexes("lock") if pod is None else pod)}
        for name in names:
            self.ahead += 1
            body = {
                "metadata": {"name": name},
                "spec": {"entrypoint": "main", "templates": [template], **spec},
            }
            answer = self.raw("POST", f"workflows/{namespace}", {"workflow": body})
            assert answer.ok, answer.text

    def put(self, name: str, what: str) -> None:
        """Ask for something of a workflow."""
        assert self.raw("PUT", f"workflows/default/{name}/{what}", {}).ok
        self.look()

    def has(self, *names: str) -> str:
        """Which one of these workflows has begun a pod and not ended it; all others wait for the lock."""
        self.look()
        found = []
        for name in names:
            status = self.workflow(name)["status"]
            (node,) = status["nodes"].values()
            if node["phase"] in ("Pending", "Running"):
                if "synchronizationStatus" not in node:
                    found.append(name)
                else:
                    assert node["message"] == WAITS
        (one,) = found or [""]
        return one

    def finish_one(self, name: str) -> None:
        """End the pod of a workflow, well."""
        self.end(name, name)
        self.look()
        assert self.workflow(name)["status"]["phase"] == "Succeeded"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An embedded Argo with a clock of its own."""
    made = Server(tmp_path / "argo")
    yield made
    made.close()


def test_the_oldest_is_next(server: Server) -> None:
    names = ["a", "b", "c"]
    server.start(*names)
    for index, name in enumerate(names):
        assert server.has(*names) == name
        for later in names[index + 1 :]:
            holding = server.workflow(name)["status"]["synchronization"]["mutex"]["holding"]
            assert holding[0]["holder"].startswith(f"default/{name}/")
            waiting = server.workflow(later)["status"]["synchronization"]["mutex"]["waiting"]
            assert waiting == holding
        server.finish_one(name)
    assert server.has(*names) == ""


def test_the_highest_priority_is_next_and_takes_the_lock_from_nobody(server: Server) -> None:
    names = ["first", "low", "plain", "high"]
    for name, priority in zip(names, (0, -1, None, 7), strict=True):
        server.start(name, **({} if priority is None else {"priority": priority}))
    order = []
    while has := server.has(*names):
        order.append(has)
        server.finish_one(has)
    assert order == ["first", "high", "plain", "low"]


def test_a_lock_is_that_of_a_namespace(server: Server) -> None:
    server.start("a")
    server.start("b", namespace="other")
    server.start(
        "c",
        namespace="other",
        pod={"synchronization": {"mutexes": [{"name": "lock", "namespace": "default"}]}},
    )
    (b,) = server.ask("workflows/other/b")["status"]["nodes"].values()
    (c,) = server.ask("workflows/other/c")["status"]["nodes"].values()
    assert "synchronizationStatus" not in b
    assert c["synchronizationStatus"] == {"waiting": LOCK}
    server.finish_one("a")
    (c,) = server.ask("workflows/other/c")["status"]["nodes"].values()
    assert "synchronizationStatus" not in c


@pytest.mark.parametrize("what", ["terminate", "stop"])
def test_who_waits_can_be_ended_and_is_next_no_more(server: Server, what: str) -> None:
    server.start("a", "b", "c")
    server.put("b", what)
    strategy = what.capitalize()
    assert server.workflow("b")["status"]["message"] == f"Stopped with strategy '{strategy}'"
    assert server.has("a", "b", "c") == "a"
    server.finish_one("a")
    assert server.has("a", "b", "c") == "c"


def test_who_holds_and_is_terminated_gives_the_lock_back(server: Server) -> None:
    server.start("a", "b")
    server.put("a", "terminate")
    assert server.workflow("a")["status"]["phase"] == "Failed"
    assert server.has("a", "b") == "b"


def test_who_is_deleted_holds_and_waits_no_more(server: Server) -> None:
    server.start("a", "b", "c", "d")
    for name in ("c", "a"):
        assert server.raw("DELETE", f"workflows/default/{name}").ok
    assert server.has("b", "d") == "b"
    server.finish_one("b")
    assert server.has("b", "d") == "d"


def test_a_workflow_waits_as_a_whole(server: Server) -> None:
    server.start("a", "b", pod={}, **mutexes("lock"))
    status = server.workflow("b")["status"]
    assert (status["phase"], status["message"], status["startedAt"]) == ("Pending", WAITS, None)
    holder = {"mutex": LOCK, "holder": "default/a"}
    assert status["synchronization"] == {"mutex": {"waiting": [holder]}}
    assert server.workflow("a")["status"]["synchronization"] == {"mutex": {"holding": [holder]}}
    server.put("b", "stop")  # which Argo does not hear before it has the lock
    assert server.workflow("b")["status"]["phase"] == "Pending"
    server.finish_one("a")
    status = server.workflow("b")["status"]
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Stop'")


def test_a_workflow_that_waits_as_a_whole_can_be_terminated(server: Server) -> None:
    server.start("a", "b", "c", pod={}, **mutexes("lock"))
    server.put("b", "terminate")
    status = server.workflow("b")["status"]
    assert (status["phase"], status["message"]) == ("Failed", "Stopped with strategy 'Terminate'")
    server.finish_one("a")
    assert server.workflow("c")["status"]["phase"] == "Running"


def test_a_suspended_workflow_gets_its_lock_and_begins_nothing(server: Server) -> None:
    server.start("a", "b", pod={}, **mutexes("lock"))
    server.put("b", "suspend")
    server.finish_one("a")
    status = server.workflow("b")["status"]
    assert (status["phase"], status["message"], status.get("nodes")) == ("Pending", WAITS, None)
    assert status["synchronization"]["mutex"]["holding"] == [{"mutex": LOCK, "holder": "default/b"}]
    server.put("b", "resume")
    status = server.workflow("b")["status"]
    assert (status["phase"], status.get("message")) == ("Running", None)
    server.finish_one("b")


def test_a_suspended_workflow_that_has_its_lock_can_be_ended(server: Server) -> None:
    server.start("a", "b", pod={}, **mutexes("lock"))
    server.put("b", "suspend")
    server.finish_one("a")
    server.put("b", "terminate")
    assert server.workflow("b")["status"]["phase"] == "Failed"
    server.start("c", pod={}, **mutexes("lock"))
    server.finish_one("c")


def test_who_is_first_keeps_others_from_a_free_lock_until_it_has_all_of_its_own(server: Server) -> None:
    server.start("one", pod=mutexes("x"))
    server.start("both", pod=mutexes("x", "y"))
    server.start("other", pod=mutexes("y"))
    server.look()
    (other,) = server.workflow("other")["status"]["nodes"].values()
    assert other["message"] == "Waiting for default/Mutex/y lock. Lock status: 1/1"
    server.finish_one("one")
    (other,) = server.workflow("other")["status"]["nodes"].values()
    assert other["message"] == "Waiting for default/Mutex/y lock. Lock status: 0/1"
    server.finish_one("both")
    assert server.waiting("other") == ["other"]
    server.finish_one("other")


def test_a_retried_workflow_waits_again(server: Server) -> None:
    server.start("a", "b", pod={}, **mutexes("lock"))
    server.end("a", "a", exit_code=1)
    server.look()
    assert server.workflow("b")["status"]["phase"] == "Running"
    server.put("a", "retry")
    status = server.workflow("a")["status"]
    assert (status["phase"], status["message"], status.get("nodes")) == ("Pending", WAITS, None)
    server.finish_one("b")
    server.finish_one("a")


def test_a_lock_outlives_the_server(server: Server, tmp_path: Path) -> None:
    """What was stored when one held the lock and two waited says all, and so does what a kill left later."""
    names = ["a", "b", "c"]
    server.start("a")
    server.start("b", priority=-1)
    server.start("c")
    server.save(tmp_path / "kept")
    for _ in range(2):
        server.load(tmp_path / "kept")
        assert server.has(*names) == "a"
        server.finish_one("a")
        assert server.has(*names) == "c"
        server.finish_one("c")
        assert server.has(*names) == "b"


def test_a_workflow_lock_outlives_the_server(server: Server, tmp_path: Path) -> None:
    server.start("a", pod={}, **mutexes("lock"))
    server.start("b", pod={}, priority=-1, **mutexes("lock"))
    server.start("c", pod={}, **mutexes("lock"))
    server.save(tmp_path / "kept")
    server.load(tmp_path / "kept")
    server.look()
    phases = [server.workflow(name)["status"]["phase"] for name in "abc"]
    assert phases == ["Running", "Pending", "Pending"]
    server.finish_one("a")
    phases = [server.workflow(name)["status"]["phase"] for name in "abc"]
    assert phases == ["Succeeded", "Pending", "Running"]


@pytest.mark.parametrize("lock", [{}, mutexes("lock")])
def test_a_workflow_that_begins_suspended_stays_so_in_another_server(
    server: Server, tmp_path: Path, lock: JSON
) -> None:
    server.start("a", pod={}, suspend=True, **lock)
    server.save(tmp_path / "kept")
    server.load(tmp_path / "kept")
    server.look()
    status = server.workflow("a")["status"]
    assert (status["phase"], status.get("nodes")) == ("Running", None)
    server.put("a", "resume")
    server.finish_one("a")
