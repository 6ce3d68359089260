"""Runs that only Argo's archive has, and nodes that are in its database.

The embedded Argo has neither. What a server with both answers is written here, by its sources: a workflow
that Kubernetes no longer has comes from the archive, marked, also in lists; what changes it goes there.
"""

from __future__ import annotations

from typing import Any

import pytest
from exports import export
from test_states import cluster
from twin import Twin
from wrong import says

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.run import Run
from metaflow_hera.contract.manifest import ARCHIVED, RESUBMITTED_FROM
from metaflow_hera.errors import ArgoError, ArgoNotFound, UsageError
from metaflow_hera.operations import control, logs
from metaflow_hera.operations.exports import create_from

WORKFLOWS, ARCHIVE = "/api/v1/workflows/default", "/api/v1/archived-workflows"


class Archive:
    """A server that has a run in its archive alone; `sent` are the bodies of what was sent to it."""

    def __init__(self, twin: Twin, exit_code: int = 1) -> None:
        about = create_from(export("linear"), twin.client, None)
        self.name = runs.start(twin.client, about, {}).workflow
        twin.finish(self.name, exit_code)
        self.kept: Any = twin.workflow(self.name)
        self.kept["metadata"]["labels"][ARCHIVED] = "Persisted"
        self.uid = self.kept["metadata"]["uid"]
        twin.call("DELETE", f"workflows/default/{self.name}")
        self.sent: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.client: ArgoClient = cluster(twin, self._answer, self.sent)

    @property
    def run(self) -> Run:
        """The run as it is."""
        return runs.get(self.client, self.name)

    def _answer(self, method: str, path: str, ask: Any) -> Any:
        self.asked.append((method, path))
        workflow, archived = f"{WORKFLOWS}/{self.name}", f"{ARCHIVE}/{self.uid}"
        if self.kept is None and path in (workflow, archived):
            return says(404, {"code": 5, "message": f'workflows.argoproj.io "{self.name}" not found'})
        if (method, path) == ("DELETE", archived):
            self.kept = None
            return {}
        if (method, path) == ("PUT", f"{archived}/retry"):
            del self.kept["metadata"]["labels"][ARCHIVED]
            self.kept["status"] |= {"phase": "", "nodes": {}}
            return self.kept
        if (method, path) == ("PUT", f"{workflow}/resubmit"):
            metadata = {"name": f"{self.name}-2", "labels": {RESUBMITTED_FROM: self.name}}
            return {**self.kept, "metadata": metadata, "status": {}}
        if method == "GET" and path in (WORKFLOWS, ARCHIVE):
            found = [] if self.kept is None else [self.kept]
            listed = [{**each, "status": {**each["status"], "nodes": None}} for each in found]
            return {"metadata": {}, "items": listed}
        if (method, path) == ("GET", workflow):
            return self.kept
        if path.startswith(workflow):  # Kubernetes has no such workflow
            return says(404, {"code": 5, "message": f'workflows.argoproj.io "{self.name}" not found'})
        return None


def test_what_only_the_archive_has_is_told(twin: Twin) -> None:
    archive = Archive(twin)
    run = archive.run
    assert (run.archived, run.phase, run.flow) == (True, "Failed", "LinearFlow")
    assert [(step.name, step.phase) for step in run.steps][:1] == [("start", "Failed")]
    assert run.as_json()["archived"] is True
    for archived in (False, True):
        (found,) = runs.runs(archive.client, "linearflow", archived=archived)
        assert (found.run_id, found.phase) == (run.run_id, "Failed")
    assert ("GET", ARCHIVE) in archive.asked


@pytest.mark.parametrize("field", ["phase", "message", "startedAt", "finishedAt"])
def test_what_is_no_run_is_not_taken_for_one(twin: Twin, field: str) -> None:
    archive = Archive(twin)
    for value in (True, 3, ["x"], {"a": 1}):
        archive.kept["status"][field] = value
        with pytest.raises(ArgoError, match="does not answer like Argo"):
            list(runs.runs(archive.client, None, archived=True))
    archive.kept["status"][field] = None
    assert len(list(runs.runs(archive.client, None, archived=True))) == 1


def test_its_logs_are_those_of_the_datastore(twin: Twin) -> None:
    archive = Archive(twin)
    wanted = logs.Wanted.parse(archive.run.run_id, None)
    assert list(logs.lines(archive.client, wanted)) == []  # nothing is stored, and no pod is asked
    assert list(logs.follow(archive.client, wanted)) == []
    assert not any(path.endswith("/log") for _, path in archive.asked)


def test_a_retry_gets_it_back(twin: Twin) -> None:
    archive = Archive(twin)
    control.retry(archive.client, archive.name, None)
    (body,) = archive.sent
    assert (body["uid"], body["namespace"]) == (archive.uid, "default")
    assert not archive.run.archived
    assert archive.run.phase == "Pending"


def test_a_resubmission_starts_a_new_run(twin: Twin) -> None:
    archive = Archive(twin, exit_code=0)
    assert control.resubmit(archive.client, archive.name, None).workflow == f"{archive.name}-2"
    with pytest.raises(UsageError, match="there is nothing to stop"):
        control.act(archive.client, archive.name, "stop", None)


def test_it_is_deleted_from_the_archive(twin: Twin) -> None:
    archive = Archive(twin)
    assert control.delete(archive.client, archive.name, None).archived
    assert ("DELETE", f"{ARCHIVE}/{archive.uid}") in archive.asked
    with pytest.raises(ArgoNotFound, match=f"no run argo-{archive.name}"):
        control.delete(archive.client, archive.name, None)


def test_a_run_that_goes_into_the_archive_is_not_gone_before_it_is(twin: Twin) -> None:
    """The workflow that Kubernetes has says so too, in another word."""
    about = create_from(export("linear"), twin.client, None)
    run = runs.start(twin.client, about, {})
    twin.finish(run.workflow)

    def stays(method: str, path: str, ask: Any) -> Any:
        if method == "DELETE":
            return {}
        if path.endswith(run.workflow):
            found = ask()
            found["metadata"]["labels"][ARCHIVED] = "Archived"
            return found
        return None

    with pytest.raises(ArgoError, match="was deleted, but it still exists"):
        control.delete(cluster(twin, stays), run.run_id, None)


def test_nodes_in_argos_database(twin: Twin) -> None:
    """Argo's server reads them for one workflow, and not where nobody asked for them."""
    about = create_from(export("linear"), twin.client, None)
    run = runs.start(twin.client, about, {})
    twin.end(run.workflow, "start")

    def offloaded(nodes: bool) -> ArgoClient:
        def answers(method: str, path: str, ask: Any) -> Any:
            if not path.startswith(f"{WORKFLOWS}/{run.workflow}"):
                return None
            found = ask()
            found.setdefault("status", {})["offloadNodeStatusVersion"] = "fnv:1"
            if not nodes:
                found["status"].pop("nodes", None)
            return found

        return cluster(twin, answers)

    assert runs.get(offloaded(True), run.run_id).steps[0].phase == "Succeeded"
    without = offloaded(False)
    assert runs.get(without, run.run_id, steps=False).phase == "Running"
    for look in (
        lambda: runs.get(without, run.run_id),
        lambda: list(logs.lines(without, logs.Wanted.parse(run.run_id, None))),
    ):
        with pytest.raises(ArgoError, match=f"does not tell the tasks of {run.workflow}.*persistence"):
            look()
    assert deployments.existing(without, "linearflow").flow == "LinearFlow"
