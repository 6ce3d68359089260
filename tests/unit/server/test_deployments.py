"""Deploying, replacing and deleting at a server: whose a deployment is, and what comes and goes with it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import export, of_kind
from twin import Twin

from metaflow_hera.argo import client, deployments, last, runs
from metaflow_hera.argo.run import Run, as_run
from metaflow_hera.argo.schedules import Schedule, firings, schedules_of
from metaflow_hera.contract.manifest import TEMPLATE_LABEL, USER_KEYS
from metaflow_hera.errors import ArgoError, UsageError
from metaflow_hera.home import home_folder
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.overview import overview
from metaflow_hera.operations.removal import remove
from metaflow_hera.translation import writing

Become = Callable[[str], None]
TEMPLATE = "api/v1/workflow-templates/{namespace}/{name}"
CRON = "api/v1/cron-workflows/{namespace}/{name}"

OF_TWO = """
kind: WorkflowTemplate
metadata: {name: a, annotations: {metaflow/owner: o, metaflow/flow_name: F}}
spec: {}
---
kind: CronWorkflow
metadata: {name: b}
spec: {schedules: ["* * * * *"], workflowSpec: {workflowTemplateRef: {name: a}}}
"""


def names(twin: Twin) -> list[tuple[str, str]]:
    """Kind and name of all that is there."""
    return [(kind, name) for kind, name, _ in twin.stored()]


def run_of(deployment: str) -> Run:
    """A run that has just been started."""
    name, labels = f"{deployment}-x7k2p", {TEMPLATE_LABEL: deployment}
    return as_run({"metadata": {"name": name, "labels": labels}})


class TestWhose:
    """Who may deploy a new version, and delete it."""

    def test_two_people_fight_over_a_flow(self, twin: Twin, become: Become) -> None:
        create_from(export("linear"), twin.client, None)
        before = twin.stored()
        become("other")
        theirs = export("linear", tester="other")
        for refused in (
            lambda: create_from(theirs, twin.client, None),
            lambda: remove(twin.client, "linearflow", None),
        ):
            with pytest.raises(
                UsageError, match=r"was deployed by tester, and you do not .*--authorize TOKEN"
            ):
                refused()
        with pytest.raises(UsageError, match="wrong is not its production token"):
            create_from(theirs, twin.client, "wrong")
        assert twin.stored() == before
        # With the token it goes, and from then on without.
        create_from(theirs, twin.client, "production:token-0")
        create_from(theirs, twin.client, None)
        assert [each.owner for each in deployments.deployed(twin.client)] == ["other"]
        become("tester")  # the first one has the token, too
        create_from(export("linear"), twin.client, None)
        become("other")
        assert remove(twin.client, "linearflow", None) == ["workflow template linearflow"]
        assert twin.stored() == []

    def test_an_export_with_another_token_begins_no_namespace_unseen(self, twin: Twin) -> None:
        create_from(export("linear"), twin.client, None)
        with pytest.raises(UsageError, match=r"another one: .*--real-token"):
            create_from(export("linear", **{"token-0": "token-1"}), twin.client, None)

    def test_a_deployment_belongs_to_one_flow(self, twin: Twin) -> None:
        create_from(export("linear"), twin.client, None)
        before = twin.stored()
        with pytest.raises(
            UsageError, match=r"linearflow belongs to LinearFlow, not to Linear_Flow: .*--name"
        ):
            create_from(export("linear", LinearFlow="Linear_Flow"), twin.client, None)
        assert twin.stored() == before

    def test_what_was_not_deployed_from_a_flow_is_left_alone(self, twin: Twin) -> None:
        (template,) = export("linear")
        del template["metadata"]["annotations"]
        twin.client.create_template(template)
        for call in (
            lambda: create_from(export("linear"), twin.client, None),
            lambda: remove(twin.client, "linearflow", None),
        ):
            with pytest.raises(UsageError, match="linearflow was not deployed from a flow"):
                call()
        assert list(deployments.deployed(twin.client)) == []

    def test_what_starts_another_template_is_left_alone(self, twin: Twin) -> None:
        (cron, _) = of_kind(export("schedules"), "CronWorkflow")
        cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] = "linearflow"
        create_from(export("linear"), twin.client, None)
        twin.client.create_cron(cron)
        before = twin.stored()
        with pytest.raises(
            UsageError, match="There is already a CronWorkflow schedulesflow, which starts linearflow"
        ):
            create_from(export("schedules"), twin.client, None)
        assert twin.stored() == before

    def test_what_is_deleted_must_be_there(self, twin: Twin) -> None:
        with pytest.raises(UsageError, match="no deployment absent: mfhera list"):
            remove(twin.client, "absent", None)

    def test_it_is_the_last_one_from_this_folder(self, twin: Twin) -> None:
        assert last.recall() is None
        create_from(export("linear"), twin.client, None)
        note = last.recall()
        assert note is not None
        assert (note.name, note.flow) == ("linearflow", "LinearFlow")
        assert note.is_at(twin.client.target)
        assert not note.is_at(twin.connect(embedded=False).target)

    def test_a_run_is_the_last_one_from_its_folder_whichever_flow_s(
        self, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = twin.client.target
        other = last.noted("retryflow", "RetryFlow", target)
        create_from(export("linear"), twin.client, None)
        assert last.recall_run() is None
        last.remember_run(run_of("retryflow"), target, other)
        note = last.recall_run()
        assert note is not None
        assert note.run_id == "argo-retryflow-x7k2p"
        assert note.is_at(target)
        assert not note.is_at(twin.connect(embedded=False).target)
        # Its flow is the one to start next, until another one is deployed.
        assert last.recall() == other
        create_from(export("linear"), twin.client, None)
        assert (last.recall() or other).name == "linearflow"
        assert last.recall_run() == note
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert last.recall_run() is None

    def test_a_run_is_the_last_one_of_its_deployment_whatever_was_started_after_it(self, twin: Twin) -> None:
        for deployment in ("retryflow", "linearflow"):
            last.remember_run(run_of(deployment), twin.client.target)
        for deployment in ("retryflow", "linearflow"):
            note = last.recall_run(deployment)
            assert note is not None
            assert note.run_id == run_of(deployment).run_id
        assert last.recall_run() == last.recall_run("linearflow")
        assert last.recall_run("gateflow") is None

    def test_a_run_goes_on_if_it_cannot_be_noted(
        self, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "file" / "below"))
        (said,) = last.remember_run(run_of("retryflow"), twin.client.target)
        assert said.startswith("Which run was started from this folder could not be noted (")
        assert said.endswith("): name the run from now on.")
        assert last.recall_run() is None

    def test_what_cannot_be_noted_is_deployed_all_the_same(self, twin: Twin) -> None:
        (home_folder() / last.DEPLOYMENTS).mkdir(parents=True)
        said: list[str] = []
        about = create_from(export("linear"), twin.client, None, said.append)
        assert said == [
            "What was deployed from this folder could not be noted (Is a directory): "
            "name the flow from now on."
        ]
        assert ("workflow-templates", about.name) in names(twin)


class TestParts:
    """Cron workflows and sensors beside the template."""

    def test_schedules_come_and_go(self, twin: Twin) -> None:
        objects = export("schedules")
        create_from(objects, twin.client, None)
        assert [each.expression for each in schedules_of(twin.client, "schedulesflow")] == [
            *("0 6 * * *", "0 * * * *", "30 9 * * 1-5"),
        ]
        (listed,) = deployments.deployed(twin.client)
        assert len(listed.schedules) == 3
        crons = [name for kind, name in names(twin) if kind == "cron-workflows"]
        assert crons == [item["metadata"]["name"] for item in of_kind(objects, "CronWorkflow")]
        create_from([item for item in objects if item["metadata"]["name"] != crons[1]], twin.client, None)
        assert [name for kind, name in names(twin) if kind == "cron-workflows"] == crons[:1]
        create_from(of_kind(objects, "WorkflowTemplate"), twin.client, None)
        assert names(twin) == [("workflow-templates", "schedulesflow")]
        create_from(objects, twin.client, None)
        twin.sent()
        assert remove(twin.client, "schedulesflow", None) == [
            *(f"cron workflow {name}" for name in crons),
            "workflow template schedulesflow",
        ]
        assert {f"DELETE {TEMPLATE}", f"DELETE {CRON}"} <= set(twin.sent())
        assert twin.stored() == []

    def test_a_schedule_that_somebody_has_suspended_stays_so(self, twin: Twin) -> None:
        create_from(export("schedule"), twin.client, None)
        twin.call("PUT", "cron-workflows/default/scheduleflow/suspend")
        create_from(export("schedule"), twin.client, None)
        (schedule,) = schedules_of(twin.client, "scheduleflow")
        assert schedule == Schedule("0 10 * * MON-FRI", "Europe/Helsinki", suspended=True)
        assert firings([schedule], 3) == []
        twin.call("PUT", "cron-workflows/default/scheduleflow/resume")
        create_from(export("schedule"), twin.client, None)
        (schedule,) = schedules_of(twin.client, "scheduleflow")
        times = [firing.in_zone for firing in firings([schedule], 3)]
        assert len(times) == 3
        assert all(time.endswith(" 10:00 Europe/Helsinki") for time in times)

    def test_the_list_tells_the_last_run_and_the_next_start(self, twin: Twin) -> None:
        create_from(export("linear"), twin.client, None)
        create_from(export("schedule"), twin.client, None)
        create_from(export("schedules"), twin.client, None)
        about = deployments.existing(twin.client, "linearflow")
        ended = runs.start(twin.client, about, {})
        twin.finish(ended.workflow, exit_code=1)
        twin.transport.calls.clear()
        found = {each.deployed.name: each for each in overview(twin.client)}
        assert [call.path.split("/")[3] for call in twin.calls] == [
            *("cron-workflows", "workflow-templates", "workflows"),
        ]
        assert list(found) == ["linearflow", "scheduleflow", "schedulesflow"]
        linear = found["linearflow"]
        assert linear.last_run is not None
        assert (linear.last_run.run_id, linear.last_run.phase) == (ended.run_id, "Failed")
        assert linear.next_start is None
        assert found["scheduleflow"].last_run is None
        expected = firings(schedules_of(twin.client, "schedulesflow"), 1)[0].time
        assert found["schedulesflow"].next_start == expected
        assert found["schedulesflow"].as_json()["next_start"] == expected
        twin.call("PUT", "cron-workflows/default/scheduleflow/suspend")
        assert {each.deployed.name: each.next_start for each in overview(twin.client)}["scheduleflow"] is None

    def test_the_list_asks_for_no_more_runs_than_it_needs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "PAGE", 1)
        seconds = itertools.count(1_800_000_000)
        twin = Twin(tmp_path / "ticking", clock=lambda: float(next(seconds)))
        for flow in ("linear", "retry"):
            about = create_from(export(flow), twin.client, None)
            for _ in range(3 if flow == "linear" else 1):
                twin.finish(runs.start(twin.client, about, {}).workflow)

        def asked() -> int:
            twin.transport.calls.clear()
            found = {each.deployed.name: each.last_run is not None for each in overview(twin.client)}
            assert found["retryflow"]
            return len([call for call in twin.calls if "/workflows/" in call.path])

        assert asked() == 2, "the last of retryflow, then that of linearflow"
        create_from(export("split"), twin.client, None)
        assert asked() == 4, "all runs: splitflow has none"
        monkeypatch.setattr(runs, "RECENT", 2)
        assert asked() == 2
        twin.close()

    def test_a_sensor_comes_and_goes(self, twin: Twin) -> None:
        objects = export("event")
        create_from(objects, twin.client, None)
        assert ("sensors", "eventflow") in names(twin)
        create_from(objects, twin.client, None)
        template = of_kind(objects, "WorkflowTemplate")
        for note in ("metaflow/sensor_name", "metaflow/sensor_namespace"):
            template[0]["metadata"]["annotations"].pop(note, None)
        create_from(template, twin.client, None)
        assert names(twin) == [("workflow-templates", "eventflow")]

    def test_delete_removes_what_older_versions_have_left(self, twin: Twin) -> None:
        """A version was deployed half: its template tells nothing of the sensor."""
        create_from(export("schedules"), twin.client, None)
        (sensor,) = of_kind(export("event"), "Sensor")
        sensor["metadata"]["name"] = "schedulesflow"
        trigger = sensor["spec"]["triggers"][0]["template"]
        source = (trigger.get("k8s") or trigger["argoWorkflow"])["source"]
        source["inline"] = source["inline"].replace("eventflow", "schedulesflow")
        twin.client.create_sensor(sensor)
        removed = remove(twin.client, "schedulesflow", None)
        assert [each.split(" schedulesflow")[0] for each in removed] == [
            *("cron workflow", "cron workflow", "sensor", "workflow template"),
        ]
        assert twin.stored() == []

    def test_what_is_refused_leaves_nothing_of_a_new_deployment(self, twin: Twin) -> None:
        objects = export("schedules")
        objects[-1]["spec"]["schedules"] = ["not a schedule"]
        with pytest.raises(ArgoError, match="not a schedule"):
            create_from(objects, twin.client, None)
        assert twin.stored() == []

    def test_what_is_refused_leaves_the_version_before(self, twin: Twin) -> None:
        create_from(export("schedules"), twin.client, None)
        there = names(twin)
        objects = export("schedules")
        objects[-1]["spec"]["schedules"] = ["not a schedule"]
        with pytest.raises(ArgoError, match="not a schedule"):
            create_from(objects, twin.client, None)
        assert names(twin) == there

    def test_labels_of_others_stay_and_those_of_a_version_go_with_it(self, twin: Twin) -> None:
        name = "hookedflow"
        (first,) = export("hooked")
        first["metadata"]["annotations"] |= {USER_KEYS: "note,team", "note": "x"}
        create_from([first], twin.client, None)
        template = twin.client.template(name)
        assert template["metadata"]["annotations"]["note"] == "x"
        assert template["metadata"]["labels"]["team"] == "blue"
        template["metadata"]["labels"]["cost-centre"] = "seven"
        template["metadata"]["annotations"]["example.com/note"] = "theirs"
        twin.client.update_template(template)
        (second,) = export("hooked")
        del second["metadata"]["labels"]["team"]
        del second["metadata"]["annotations"][USER_KEYS]
        create_from([second], twin.client, None)
        metadata = twin.client.template(name)["metadata"]
        assert "team" not in metadata["labels"]
        assert "note" not in metadata["annotations"]
        assert metadata["labels"]["cost-centre"] == "seven"
        assert metadata["annotations"]["example.com/note"] == "theirs"

    def test_what_is_listed_is_asked_for_as_argo_describes_it(self, twin: Twin) -> None:
        create_from(export("schedule"), twin.client, None)
        twin.sent()
        assert [each.flow for each in deployments.deployed(twin.client)] == ["ScheduleFlow"]
        listed = ["GET api/v1/cron-workflows/{namespace}", "GET api/v1/workflow-templates/{namespace}"]
        assert twin.sent() == listed
        schedules_of(twin.client, "scheduleflow")
        assert twin.sent() == listed[:1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "neither YAML nor JSON"),
        ("kind: Pod", "Pod.*WorkflowTemplate"),
        ("- 1", "something"),
        ("kind: [x]", "which is not one of WorkflowTemplate"),
        ("kind: WorkflowTemplate\nmetadata: {}\nspec: {}", "without a name"),
        ("", "one workflow template.* 0"),
        ("kind: WorkflowTemplate\nmetadata: {name: a}\nspec: {templates: 3}", "templates"),
        ("kind: WorkflowTemplate\nmetadata: {name: a}\nspec: {}", "not deployed from a flow"),
        (OF_TWO, "CronWorkflow b does not belong to the deployment a"),
    ],
)
def test_files_that_hold_no_deployment(twin: Twin, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create_from(writing.read(text), twin.client, None)
    assert twin.stored() == []
