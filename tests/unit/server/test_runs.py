"""Starting runs, finding them, and acting on them: whose they are, what is asked of Argo, what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from exports import export
from harness import step_of
from twin import Twin
from wrong import Front, says

from metaflow_hera.argo import client, deployments, following, runs, settling
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.run import Run
from metaflow_hera.argo.starting import Start, submitted
from metaflow_hera.contract.manifest import run_id
from metaflow_hera.errors import ArgoExpired, ArgoNotFound, NotFoundError, ParameterError, UsageError
from metaflow_hera.interface.api import Deployment
from metaflow_hera.operations import control
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.removal import remove

Become = Callable[[str], None]
WORKFLOWS = "api/v1/workflows/{namespace}"
WORKFLOW = "api/v1/workflows/{namespace}/{name}"
TEMPLATE = "api/v1/workflow-templates/{namespace}/{name}"
ABSENT = "argo-absentflow-x7k2p"
TOO_OLD = {
    "code": 3,
    "message": "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter.",
}
"""Kubernetes' words for a page that it no longer keeps, as Argo's server hands them on."""
ACTIONS = ("suspend", "resume", "stop", "terminate")


def started(twin: Twin, flow: str = "linear", **given: Any) -> Run:
    """A run that has just been started, of a flow that is deployed now."""
    about = create_from(export(flow), twin.client, None)
    return runs.start(twin.client, about, given)


def failed(twin: Twin) -> Run:
    """A run of two steps of which the first has failed."""
    run = started(twin)
    twin.finish(run.workflow, exit_code=1)
    return runs.get(twin.client, run.run_id)


def parameters_of(twin: Twin, run: Run) -> dict[str, str]:
    """The parameters that the pods of a run see."""
    stored = twin.workflow(run.workflow)["status"]["storedWorkflowTemplateSpec"]
    return {each["name"]: each["value"] for each in stored["arguments"]["parameters"]}


class TestStart:
    """`start`: Parameters and tags."""

    def test_a_run_is_pending_and_then_goes_step_by_step(self, twin: Twin) -> None:
        about = create_from(export("linear"), twin.client, None)
        twin.sent()
        run = runs.start(twin.client, about, {})
        assert twin.sent() == [f"POST {WORKFLOWS}/submit"]
        assert (run.phase, run.flow, run.pathspec) == ("Pending", "LinearFlow", f"LinearFlow/{run.run_id}")
        assert run.run_id.startswith("argo-linearflow-")
        for step in ("start", "middle", "end"):
            assert twin.waiting(run.workflow) == [step]
            twin.begin(run.workflow, step)
            assert step_of(shown(twin, run), step)["phase"] == "Running"
            twin.end(run.workflow, step)
            assert step_of(shown(twin, run), step)["phase"] == "Succeeded"
        after = runs.get(twin.client, run.run_id)
        assert after.succeeded
        assert after.verdict == f"{run.pathspec} ended as Succeeded."
        assert (after.owner, after.token, after.deployment) == ("tester", "token-0", "linearflow")

    def test_a_foreach_has_a_task_for_each_item(self, twin: Twin) -> None:
        run = started(twin, "foreach")
        (first,) = twin.waiting(run.workflow)
        twin.end(run.workflow, first, items="[0, 1, 2]")
        waiting = twin.waiting(run.workflow)
        assert len(waiting) == 3
        twin.end(run.workflow, waiting[0])
        twin.end(run.workflow, waiting[1], exit_code=1)
        work = next(step for step in shown(twin, run)["steps"] if step["tasks"] == 3)
        assert work["done"] == 2
        assert [failure["path"] for failure in work["failures"]] == ["-1"]
        twin.finish(run.workflow)
        after = runs.get(twin.client, run.run_id)
        assert after.phase == "Failed"
        assert f"(task {work['name']}-1) failed" in after.verdict
        assert f"mfhera logs {run.run_id} {work['name']}/{work['name']}-1" in after.verdict

    def test_parameters_and_tags_travel_as_arguments(self, twin: Twin) -> None:
        about = create_from(export("required"), twin.client, None)
        with pytest.raises(ParameterError, match=r"'alpha'.*--param alpha=VALUE"):
            runs.start(twin.client, about, {})
        run = runs.start(twin.client, about, {"alpha": "0.5"}, tags=["a", "{{b}}"])
        arguments = twin.workflow(run.workflow)["spec"]["arguments"]["parameters"]
        given = {each["name"]: each["value"] for each in arguments}
        assert given["alpha"] == "0.5"
        assert "{{" not in given["metaflow-run-tags"]  # which Argo would expand

    def test_an_older_deployment_takes_no_tags(self, twin: Twin) -> None:
        (template,) = export("linear", **{"{{workflow.parameters.metaflow-run-tags}}": "[]"})
        template["spec"]["arguments"]["parameters"] = [
            each
            for each in template["spec"]["arguments"]["parameters"]
            if each["name"] != "metaflow-run-tags"
        ]
        about = create_from([template], twin.client, None)
        with pytest.raises(
            UsageError, match="linearflow takes no tags, since an older version deployed it: deploy it again"
        ):
            runs.start(twin.client, about, {}, tags=["a"])


class TestFind:
    """`get`, `runs`, `follow`."""

    def test_a_run_is_found_by_any_of_its_names(self, twin: Twin) -> None:
        run = started(twin)
        for name in (run.workflow, run.run_id, run.pathspec):
            assert runs.get(twin.client, name).run_id == run.run_id
        with pytest.raises(UsageError, match=f"{run.run_id} is a run of LinearFlow, not of OtherFlow"):
            runs.get(twin.client, f"OtherFlow/{run.run_id}")
        with pytest.raises(ArgoNotFound, match=f"has no run {ABSENT}: mfhera runs lists"):
            runs.get(twin.client, ABSENT)
        with pytest.raises(ArgoNotFound, match=f"mfhera logs AbsentFlow/{ABSENT}"):
            runs.get(twin.client, f"AbsentFlow/{ABSENT}")

    @pytest.mark.parametrize("odd", ["LinearFlow/nosuch", "..", "argo-.", "a\nb", "argo-" + "x" * 300, ""])
    def test_what_is_no_run(self, twin: Twin, odd: str) -> None:
        for call in (
            lambda: runs.get(twin.client, odd),
            *(lambda action=action: control.act(twin.client, odd, action, None) for action in ACTIONS),
            lambda: control.retry(twin.client, odd, None),
            lambda: control.resubmit(twin.client, odd, None),
            lambda: control.delete(twin.client, odd, None),
        ):
            with pytest.raises(
                UsageError, match=r"is not a run: (give its id|did you mean LinearFlow/argo-nosuch\?)"
            ):
                call()
        assert twin.calls == []

    def test_the_runs_of_one_deployment_and_of_all(self, twin: Twin) -> None:
        one = started(twin)
        two = started(twin, "retry")
        # Of another tool, in the same namespace.
        (other,) = export("split")
        del other["spec"]["workflowMetadata"], other["metadata"]["labels"]
        twin.client.create_template(other)
        submitted(twin.client, Start("splitflow"))
        twin.sent()
        assert [run.run_id for run in runs.runs(twin.client, "linearflow")] == [one.run_id]
        assert {run.run_id for run in runs.runs(twin.client, None)} == {one.run_id, two.run_id}
        assert twin.sent() == [f"GET {WORKFLOWS}"]
        assert list(runs.runs(twin.client, "absent")) == []
        remove(twin.client, "linearflow", None)
        assert [run.run_id for run in runs.runs(twin.client, "linearflow")] == [one.run_id]

    @pytest.mark.parametrize("expired", [says(410, TOO_OLD), says(400, TOO_OLD)])
    def test_a_list_of_which_the_rest_has_expired_is_begun_again_once(
        self, twin: Twin, monkeypatch: pytest.MonkeyPatch, expired: Callable[[], Any]
    ) -> None:
        monkeypatch.setattr(client, "PAGE", 2)
        about = create_from(export("linear"), twin.client, None)
        started = {runs.start(twin.client, about, {}).run_id for _ in range(5)}
        front = Front(twin.transport)
        asked = ArgoClient(twin.client.target, front)
        front.reset(expired, at=1, once=True)
        assert sorted(run.run_id for run in runs.runs(asked, about.name)) == sorted(started)
        front.reset(expired, at=1)
        with pytest.raises(ArgoExpired, match="too old to display"):
            list(runs.runs(asked, about.name))
        assert len(front.calls) == 3

    def test_a_template_that_argos_server_does_not_know_yet_is_waited_for(
        self, twin: Twin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It keeps copies of them, which may be a moment late: seen on a real Argo 4.1.2."""
        about = create_from(export("linear"), twin.client, None)
        front = Front(twin.transport)
        asked = ArgoClient(replace(twin.client.target, embedded=False), front)
        monkeypatch.setattr(settling, "LEARNS", 60.0)
        asked.version()
        late = says(404, {"code": 5, "message": f'workflowtemplates.argoproj.io "{about.name}" not found'})
        front.reset(late, at=0, once=True)
        run = submitted(asked, Start(about.name))["metadata"]["name"]
        assert runs.get(twin.client, run_id(run)).phase == "Running"
        assert len(front.calls) == 2

    def test_so_it_is_for_the_cron_workflow_of_a_new_template(
        self, twin: Twin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Argo's server checks it with its template, and says the same with another number."""
        front = Front(twin.transport)
        asked = ArgoClient(replace(twin.client.target, embedded=False), front)
        monkeypatch.setattr(settling, "LEARNS", 60.0)
        name = create_from(export("schedule"), asked, None).name
        last_write = len(front.calls) - 1 - front.calls[::-1].index("POST")
        remove(twin.client, name, None)
        words = f'cannot validate Workflow: workflowtemplates.argoproj.io "{name}" not found'
        front.reset(says(400, {"code": 3, "message": words}), at=last_write, once=True)
        assert create_from(export("schedule"), asked, None).name == name
        assert [deployments.template_of(cron) for cron in twin.client.crons()] == [name]

    def test_a_run_is_followed_to_its_end(self, twin: Twin) -> None:
        run = started(twin)
        looks = []
        for look in following.follow(twin.client, run.run_id, steps=False, sleep=lambda _: go_on(twin, run)):
            looks.append(look.phase)
        assert looks == ["Running", "Running", "Running", "Succeeded"]

    def test_how_long_the_reader_takes_does_not_delay_the_next_look(self, twin: Twin) -> None:
        """`logs --follow` reads the log for hours between two looks."""
        run = started(twin)
        pauses: list[float] = []
        for _ in following.follow(twin.client, run.run_id, steps=False, sleep=pauses.append):
            time.sleep(0.5)
            twin.finish(run.workflow)
        assert len(pauses) == 1
        assert pauses[0] < 4 * 0.5


def go_on(twin: Twin, run: Run) -> None:
    """Let the pods end that wait."""
    twin.end(run.workflow, *twin.waiting(run.workflow))


def shown(twin: Twin, run: Run) -> Any:
    """The run as `status --json` shows it."""
    return runs.get(twin.client, run.run_id).as_json()


class TestAct:
    """Suspend, resume, stop, terminate."""

    def test_what_is_asked_of_argo(self, twin: Twin) -> None:
        for last in ("stop", "terminate"):
            run = started(twin)
            for action in ("suspend", "resume", last):
                twin.sent()
                control.act(twin.client, run.run_id, action, None)
                assert twin.sent() == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/{action}"]
            assert runs.get(twin.client, run.run_id).phase == "Failed"

    def test_a_suspended_run_starts_no_more_tasks(self, twin: Twin) -> None:
        run = started(twin)
        with pytest.raises(UsageError, match=f"{run.run_id} is not suspended: there is nothing to resume"):
            control.act(twin.client, run.run_id, "resume", None)
        control.act(twin.client, run.run_id, "suspend", None)
        assert shown(twin, run)["suspended"] is True
        assert control.act(twin.client, run.run_id, "suspend", None).suspended  # already
        twin.end(run.workflow, "start")
        assert step_of(shown(twin, run), "start")["phase"] == "Succeeded"
        assert step_of(shown(twin, run), "middle")["phase"] == "Waiting"
        assert twin.waiting(run.workflow) == []
        control.act(twin.client, run.run_id, "resume", None)
        assert shown(twin, run)["suspended"] is False
        twin.finish(run.workflow)
        assert shown(twin, run)["phase"] == "Succeeded"

    def test_stop_runs_the_exit_hooks_and_terminate_does_not(self, twin: Twin) -> None:
        for action in ("stop", "terminate"):
            run = started(twin, "hooked")
            control.act(twin.client, run.run_id, action, None)
            nodes = twin.workflow(run.workflow)["status"]["nodes"].values()
            assert any(".onExit" in node["name"] for node in nodes) == (action == "stop")

    @pytest.mark.parametrize("action", ACTIONS)
    def test_a_run_that_has_ended_is_left_alone(self, twin: Twin, action: str) -> None:
        run = started(twin)
        twin.finish(run.workflow)
        before = twin.stored()
        with pytest.raises(UsageError, match=f"has ended as Succeeded: there is nothing to {action}"):
            control.act(twin.client, run.run_id, action, None)
        with pytest.raises(ArgoNotFound, match=f"has no run {ABSENT}"):
            control.act(twin.client, ABSENT, action, None)
        assert twin.stored() == before

    @pytest.mark.parametrize("action", ["stop", "terminate", "suspend"])
    def test_a_run_that_ends_meanwhile(self, twin: Twin, action: str) -> None:
        """Argo refuses what comes too late; the user is told what has become of the run."""
        run = started(twin)
        client = Meanwhile(twin, lambda: twin.finish(run.workflow))
        with pytest.raises(UsageError, match=f"has ended as Succeeded: there is nothing to {action}"):
            control.act(client, run.run_id, action, None)


class Meanwhile(ArgoClient):
    """A client of somebody who is not alone: something happens between the first answer and what follows."""

    def __init__(self, twin: Twin, happens: Callable[[], object]) -> None:
        super().__init__(twin.client.target, twin.transport)
        self._happens: Callable[[], object] | None = happens

    def workflow(self, name: str, fields: str | None = None) -> dict[str, Any]:
        found = super().workflow(name, fields)
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return found


class TestAgain:
    """Retry and resubmit."""

    def test_a_retry_goes_on_from_where_it_failed(self, twin: Twin) -> None:
        run = started(twin)
        twin.end(run.workflow, "start")
        twin.end(run.workflow, "middle", exit_code=1)
        twin.sent()
        assert control.retry(twin.client, run.run_id, None).phase == "Failed"  # as it was
        assert twin.sent() == [f"GET {WORKFLOW}", f"PUT {WORKFLOW}/retry"]
        assert twin.waiting(run.workflow) == ["middle"]
        with pytest.raises(UsageError, match=f"has not ended: .*mfhera terminate {run.run_id}"):
            control.retry(twin.client, run.run_id, None)
        twin.finish(run.workflow)
        with pytest.raises(UsageError, match=f"has succeeded, .*mfhera resubmit {run.run_id}"):
            control.retry(twin.client, run.run_id, None)
        with pytest.raises(ArgoNotFound, match=f"has no run {ABSENT}"):
            control.retry(twin.client, ABSENT, None)

    def test_a_run_that_was_ended_by_hand_can_be_retried(self, twin: Twin) -> None:
        run = started(twin)
        control.act(twin.client, run.run_id, "terminate", None)
        control.retry(twin.client, run.run_id, None)
        twin.finish(run.workflow)
        assert runs.get(twin.client, run.run_id).succeeded

    def test_a_run_that_somebody_else_retries_meanwhile(self, twin: Twin) -> None:
        run = failed(twin)
        client = Meanwhile(twin, lambda: twin.client.retry(run.workflow))
        with pytest.raises(UsageError, match="is already running again, since somebody else has retried it"):
            control.retry(client, run.run_id, None)
        twin.finish(run.workflow, exit_code=1)
        assert runs.get(twin.client, run.run_id).phase == "Failed"

    def test_parameters_that_a_retry_has_lost_come_back(self, twin: Twin) -> None:
        """As after a retry with one parameter by hand, or by mfhera 0.4: Argo drops the template's others."""
        run = started(twin, "required", alpha="0.25")
        twin.finish(run.workflow, exit_code=1)
        before = parameters_of(twin, run)
        twin.client.retry(run.workflow, ["metaflow-code-package=another"])
        twin.finish(run.workflow, exit_code=1)
        assert parameters_of(twin, run) == {"metaflow-code-package": "another", "alpha": "0.25"}
        control.retry(twin.client, run.run_id, None)
        assert parameters_of(twin, run) == {**before, "metaflow-code-package": "another"}
        twin.finish(run.workflow, exit_code=1)
        twin.sent()
        control.retry(twin.client, run.run_id, None)
        assert parameters_of(twin, run) == {**before, "metaflow-code-package": "another"}
        assert f"GET {TEMPLATE}" not in twin.sent()  # nothing is lost any more

    def test_parameters_that_were_lost_with_the_deployment_too(self, twin: Twin) -> None:
        run = failed(twin)
        twin.client.retry(run.workflow, ["metaflow-code-package=another"])
        twin.finish(run.workflow, exit_code=1)
        remove(twin.client, "linearflow", None)
        with pytest.raises(NotFoundError, match="has lost its parameter metaflow-run-tags"):
            control.retry(twin.client, run.run_id, None)

    def test_a_new_run_has_the_parameters_of_the_old_one(self, twin: Twin) -> None:
        run = started(twin, "required", alpha="0.25")
        twin.sent()
        new = control.resubmit(twin.client, run.run_id, None)
        assert twin.sent() == [
            *(f"GET {WORKFLOW}", f"GET {TEMPLATE}"),
            *(f"GET {WORKFLOWS}", f"PUT {WORKFLOW}/resubmit"),
        ]
        assert new.run_id != run.run_id
        arguments = twin.workflow(new.workflow)["spec"]["arguments"]["parameters"]
        assert {"name": "alpha", "value": "0.25"} in arguments
        with pytest.raises(ArgoNotFound, match=f"has no run {ABSENT}"):
            control.resubmit(twin.client, ABSENT, None)

    def test_a_new_run_is_of_what_is_deployed_now(self, twin: Twin) -> None:
        """A retry with new code has given the old run another code package."""
        run = failed(twin)
        twin.client.retry(run.workflow, ["metaflow-code-package=another"])
        new = control.resubmit(twin.client, run.run_id, None)
        arguments = twin.workflow(new.workflow)["spec"]["arguments"]["parameters"]
        assert {"name": "metaflow-code-package", "value": "<metaflow-code-package>"} in arguments

    def test_nothing_is_resubmitted_of_what_is_gone_or_another_flows(self, twin: Twin) -> None:
        run = started(twin)
        remove(twin.client, "linearflow", None)
        with pytest.raises(
            UsageError, match=r"linearflow of .* has been deleted: .*mfhera create, then resubmit"
        ):
            control.resubmit(twin.client, run.run_id, None)
        create_from(export("linear", LinearFlow="Linear_Flow"), twin.client, None)
        with pytest.raises(UsageError, match="linearflow belongs to Linear_Flow, not to LinearFlow"):
            control.resubmit(twin.client, run.run_id, None)
        # A retry goes by what the run itself has kept.
        twin.finish(run.workflow, exit_code=1)
        control.retry(twin.client, run.run_id, None)
        twin.finish(run.workflow)
        assert runs.get(twin.client, run.run_id).succeeded

    def test_a_run_is_deleted_when_it_has_ended(self, twin: Twin) -> None:
        run = started(twin)
        with pytest.raises(UsageError, match=f"has not ended: .*mfhera terminate {run.run_id}"):
            control.delete(twin.client, run.run_id, None)
        twin.finish(run.workflow)
        twin.sent()
        assert control.delete(twin.client, run.run_id, None).run_id == run.run_id
        assert twin.sent() == [f"GET {WORKFLOW}", f"DELETE {WORKFLOW}"]
        assert list(runs.runs(twin.client, None)) == []
        assert deployments.find(twin.client, "linearflow") is not None
        with pytest.raises(ArgoNotFound, match=f"has no run {run.run_id}"):
            control.delete(twin.client, run.run_id, None)


def test_only_who_has_the_token_acts_on_a_run(twin: Twin, become: Become) -> None:
    waits, over = started(twin), failed(twin)
    before = twin.stored()
    calls: list[Callable[[str | None], object]] = [
        *(lambda t, a=action: control.act(twin.client, waits.run_id, a, t) for action in ACTIONS),
        lambda token: control.retry(twin.client, over.run_id, token),
        lambda token: control.resubmit(twin.client, over.run_id, token),
        lambda token: control.delete(twin.client, over.run_id, token),
    ]
    become("other")
    for call in calls:
        with pytest.raises(UsageError, match=r"was deployed by tester, and you do not .*--authorize TOKEN"):
            call(None)
        with pytest.raises(UsageError, match="wrong is not its production token"):
            call("wrong")
    assert twin.stored() == before
    control.act(twin.client, waits.run_id, "suspend", "token-0")
    assert shown(twin, waits)["suspended"] is True
    control.resubmit(twin.client, over.run_id, "production:token-0")


def test_runs_of_a_deployment_can_be_read_with_and_without_a_call(twin: Twin) -> None:
    run = started(twin)
    deployment = Deployment(twin.client, deployments.existing(twin.client, run.deployment))
    assert [each.id for each in deployment.runs] == [each.id for each in deployment.runs()] == [run.run_id]
    assert isinstance(deployment.runs, list)
