"""Versions of a deployment: what was deployed, which one is live, and going back to an earlier one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports import export, of_kind
from releases import create, objects_of, told
from twin import Twin
from versionless import without_version

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.deployments import version_of
from metaflow_hera.contract.environment import VERSION as VARIABLE
from metaflow_hera.errors import ConfigurationError, MetaflowHeraError, OptionError, UsageError
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.overview import overview
from metaflow_hera.operations.removal import remove
from metaflow_hera.operations.rollback import rollback
from metaflow_hera.operations.versions import versions_of

JSON = dict[str, Any]
Become = Callable[[str], None]
NAME = "schedulesflow"


def files(folder: Path, flow: str = "SchedulesFlow", name: str = NAME) -> list[Path]:
    """The files of a history, oldest first."""
    return sorted((folder / ".metaflow" / flow / "mfhera-versions" / name).iterdir())


def bare(item: JSON) -> JSON:
    """What was asked for in an object, without what says its version."""
    item = without_version(item)
    metadata = {key: item["metadata"].get(key) for key in ("labels", "annotations")}
    return {"metadata": metadata, "spec": item["spec"]}


def server(twin: Twin, name: str = NAME) -> list[JSON]:
    """The template and the cron workflows that the server has of a deployment."""
    return [twin.client.template(name), *deployments.crons_of(twin.client, name)]


def versions(twin: Twin, name: str = NAME) -> set[int | None]:
    """The versions that the objects of a deployment are of."""
    found = (version_of(item) for item in server(twin, name))
    return {each.number if each else None for each in found}


class TestVersions:
    """What is told of the versions of a deployment."""

    def test_each_create_is_a_version(self, twin: Twin, tmp_path: Path, become: Become) -> None:
        released = create(twin.client, tmp_path, objects_of(tmp_path, "schedules"), "the first")
        assert (released.version.number, released.notes) == (1, [])
        become("other")
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        found = versions_of(twin.client, NAME)
        assert told(found) == [(2, True, "create", None), (1, False, "create", None)]
        assert [(each.user, each.message) for each in found.versions] == [
            ("other", None),
            ("tester", "the first"),
        ]
        assert found.notes == []
        assert versions(twin) == {2}
        (listed,) = deployments.deployed(twin.client)
        assert (listed.version, listed.unfinished) == (2, None)
        # Manifests hold tokens.
        assert {oct(file.stat().st_mode & 0o777) for file in files(tmp_path)} == {"0o600"}
        assert "token-0" not in json.dumps([each.as_json() for each in found.versions])

    def test_a_run_is_of_the_version_that_was_live_when_it_started(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "linear", code))
            runs.start(twin.client, deployments.existing(twin.client, "linearflow"), {})
        found = list(runs.runs(twin.client, "linearflow"))
        assert sorted(run.version or 0 for run in found) == [1, 2]
        (of_first,) = runs.runs(twin.client, "linearflow", version=1)
        assert of_first.version == 1
        assert of_first.as_json(steps=False)["version"] == 1
        pods = twin.workflow(of_first.workflow)["status"]["storedWorkflowTemplateSpec"]["templates"]
        variables = [each for pod in pods for each in pod.get("container", {}).get("env", ())]
        assert {each["value"] for each in variables if each["name"] == VARIABLE} == {"1"}

    def test_what_others_have_deployed_is_recorded_when_it_is_replaced(
        self, twin: Twin, tmp_path: Path
    ) -> None:
        create_from(objects_of(tmp_path, "schedules", "old"), twin.client, None)
        old = [bare(item) for item in server(twin)]
        found = versions_of(twin.client, NAME)
        assert told(found) == [(None, True, "found", None)]
        (note,) = found.notes
        assert "an older mfhera, create --from or kubectl deployed it" in note
        assert "the next create or rollback records it" in note
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "new"))
        assert told(versions_of(twin.client, NAME)) == [(2, True, "create", None), (1, False, "found", None)]
        rollback(twin.client, NAME)
        assert [bare(item) for item in server(twin)] == old
        assert versions(twin) == {3}

    def test_an_export_over_a_version_has_none(self, twin: Twin, tmp_path: Path) -> None:
        # The history goes on, whichever address the server has for who deploys.
        create(twin.connect(embedded=False), tmp_path, objects_of(tmp_path, "schedules"))
        for code in ("two", "three"):
            create_from(objects_of(tmp_path, "schedules", code), twin.client, None)
        assert told(versions_of(twin.client, NAME)) == [
            *[(None, True, "found", None), (1, False, "create", None)],
        ]
        done = rollback(twin.client, NAME)
        assert (done.to, done.version) == (1, 3)
        assert told(versions_of(twin.client, NAME)) == [
            *[(3, True, "rollback", 1), (2, False, "found", None), (1, False, "create", None)],
        ]

    def test_what_kubectl_apply_keeps_of_a_version_says_nothing(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "linear"))
        applied = twin.client.template("linearflow")
        applied["spec"]["templates"] = objects_of(tmp_path, "linear", "two")[0]["spec"]["templates"]
        twin.client.update_template(applied)
        assert told(versions_of(twin.client, "linearflow")) == [
            *[(None, True, "found", None), (1, False, "create", None)],
        ]

    def test_numbers_go_on_after_a_deletion(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        remove(twin.client, NAME, None)
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "three"))
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [3, 2, 1]

    def test_another_server_with_the_same_datastore_has_its_own(
        self, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also one where nothing is deployed yet, and for a number that both have."""
        monkeypatch.setenv("METAFLOW_HERA_HISTORY", "2")
        other = twin.connect(namespace="other")
        theirs = [objects_of(tmp_path, "linear", code) for code in ("theirs", "theirs too")]
        for (template,) in theirs:
            template["metadata"]["namespace"] = "other"
        create(other, tmp_path, theirs[0])
        for code in ("one", "two", "three"):
            create(twin.client, tmp_path, objects_of(tmp_path, "linear", code))
        create(other, tmp_path, theirs[1])
        assert [each.number for each in versions_of(other, "linearflow").versions] == [2, 1]
        assert [each.number for each in versions_of(twin.client, "linearflow").versions] == [3, 2]
        assert rollback(other, "linearflow").to == 1
        assert rollback(twin.client, "linearflow").to == 2
        remove(other, "linearflow", None)
        assert create(other, tmp_path, theirs[0]).version.number == 4

    def test_a_run_that_is_resubmitted_is_of_the_live_version(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "linear"))
        first = runs.start(twin.client, deployments.existing(twin.client, "linearflow"), {})
        twin.finish(first.workflow)
        create(twin.client, tmp_path, objects_of(tmp_path, "linear", "two"))
        again = runs.resubmit(twin.client, runs.get(twin.client, first.run_id))
        assert runs.get(twin.client, again.run_id).version == 2

    def test_the_last_are_kept(self, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_HERA_HISTORY", "3")
        for code in ("one", "two", "three", "four", "five"):
            create(twin.client, tmp_path, objects_of(tmp_path, "linear", code))
        assert [each.number for each in versions_of(twin.client, "linearflow").versions] == [5, 4, 3]
        assert len(files(tmp_path, "LinearFlow", "linearflow")) == 3
        for wrong in ("0", "many"):
            monkeypatch.setenv("METAFLOW_HERA_HISTORY", wrong)
            before = twin.stored()
            with pytest.raises(ConfigurationError, match=r"METAFLOW_HERA_HISTORY.*give 1 or more"):
                create(twin.client, tmp_path, objects_of(tmp_path, "linear", "six"))
            assert twin.stored() == before

    def test_a_cron_workflow_keeps_what_argo_knows_of_it(self, twin: Twin, tmp_path: Path) -> None:
        """Argo's server replaces the whole object, with when it has last started something."""
        create(twin.client, tmp_path, objects_of(tmp_path, "schedule"))
        cron = twin.client.cron("scheduleflow")
        cron["status"]["lastScheduledTime"] = "2026-11-02T08:00:00Z"
        twin.client.update_cron(cron)
        before = len(twin.calls)
        create(twin.client, tmp_path, objects_of(tmp_path, "schedule", "two"))
        (sent,) = (
            json.loads(call.body)["cronWorkflow"]
            for call in twin.calls[before:]
            if call.method == "PUT" and "/cron-workflows/" in call.path
        )
        assert sent["status"]["lastScheduledTime"] == "2026-11-02T08:00:00Z"


class TestRollback:
    """An earlier version becomes the live one."""

    def test_all_is_as_it_was(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        before = [bare(item) for item in server(twin)]
        fewer = of_kind(objects_of(tmp_path, "schedules", "two"), "WorkflowTemplate")
        create(twin.client, tmp_path, fewer)
        assert len(server(twin)) == 1
        dry = rollback(twin.client, NAME, dry_run=True)
        assert [change.action for change in dry.plan.changes] == ["replace", "create", "create"]
        assert len(server(twin)) == 1
        assert len(files(tmp_path)) == 2
        done = rollback(twin.client, NAME, message="it was slow")
        assert (done.version, done.to, done.completed) == (3, 1, False)
        assert [bare(item) for item in server(twin)] == before
        assert versions(twin) == {3}
        found = versions_of(twin.client, NAME)
        assert told(found)[0] == (3, True, "rollback", 1)
        assert found.versions[0].words == "a rollback to 1: it was slow"
        # Again: the version before the live one is the second.
        assert rollback(twin.client, NAME).to == 2
        assert rollback(twin.client, NAME, 1).to == 1
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [5, 4, 3, 2, 1]

    def test_what_metaflows_plugin_deployed_comes_back(self, twin: Twin, tmp_path: Path) -> None:
        """Its cron workflow has the name of the template, and no labels and annotations."""
        name = "scheduleflow"
        template, cron = objects_of(tmp_path, "schedule", "old")
        cron["metadata"] = {key: cron["metadata"][key] for key in ("name", "namespace")}
        create_from([template, cron], twin.client, None)
        listed = {each.deployed.name: each for each in overview(twin.client)}[name]
        assert listed.next_start is not None
        create(twin.client, tmp_path, of_kind(objects_of(tmp_path, "schedule", "new"), "WorkflowTemplate"))
        assert deployments.crons_of(twin.client, name) == []
        rollback(twin.client, name)
        (again,) = overview(twin.client)
        assert (again.deployed.version, again.deployed.unfinished) == (3, None)
        assert again.next_start == listed.next_start

    def test_a_sensor_that_is_not_there_is_missed(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "event"))
        assert versions_of(twin.client, "eventflow").notes == []
        twin.client.delete_sensor("eventflow", "default")
        mend = "mfhera rollback --name eventflow --to 1 completes it."
        assert versions_of(twin.client, "eventflow").notes == [
            f"eventflow lacks the sensor eventflow of version 1: {mend}"
        ]
        assert rollback(twin.client, "eventflow", 1).completed
        assert versions_of(twin.client, "eventflow").notes == []

    def test_a_sensor_comes_back(self, twin: Twin, tmp_path: Path) -> None:
        objects = objects_of(tmp_path, "event")
        create(twin.client, tmp_path, objects)
        template = of_kind(objects_of(tmp_path, "event", "two"), "WorkflowTemplate")
        for note in ("metaflow/sensor_name", "metaflow/sensor_namespace"):
            template[0]["metadata"]["annotations"].pop(note)
        create(twin.client, tmp_path, template)
        assert [kind for kind, _, _ in twin.stored()] == ["workflow-templates"]
        rollback(twin.client, "eventflow")
        assert [kind for kind, _, _ in twin.stored()] == ["sensors", "workflow-templates"]
        assert (version_of(twin.client.sensor("eventflow", "default")) or (0, ""))[0] == 3

    @pytest.mark.parametrize(
        ("to", "words"),
        [
            (7, "schedulesflow has no version 7 in its history: mfhera versions --name schedulesflow"),
            (2, "at version 2"),
        ],
    )
    def test_no_such_version(self, twin: Twin, tmp_path: Path, to: int, words: str) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        refused(twin, words, to)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"to": "1"}, "--to '1' is not valid: give a whole number."),
            ({"to": True}, "--to True is not valid"),
            ({"message": 5}, "--message 5 is not valid: give a text."),
        ],
    )
    def test_what_is_no_number_or_no_text(
        self, twin: Twin, tmp_path: Path, given: dict[str, Any], words: str
    ) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        with pytest.raises(OptionError, match=words):
            rollback(twin.client, NAME, **given)
        assert len(files(tmp_path)) == 2

    def test_there_is_no_earlier_one(self, twin: Twin, tmp_path: Path) -> None:
        refused(twin, "no deployment schedulesflow")
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        refused(twin, "schedulesflow has no earlier version")

    def test_somebody_else_s(self, twin: Twin, tmp_path: Path, become: Become) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        become("other")
        refused(twin, "was deployed by tester.*--authorize")
        assert rollback(twin.client, NAME, authorize="token-0").to == 1
        assert versions_of(twin.client, NAME).versions[0].user == "other"

    def test_its_package_is_gone(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        next((tmp_path / ".metaflow" / "SchedulesFlow" / "data").glob("6f/*")).unlink()  # of "one"
        refused(twin, "Version 1 of schedulesflow cannot be live again, since its code package .* is not in")

    def test_its_interpreter_is_gone(self, twin: Twin, tmp_path: Path) -> None:
        """That of a virtual environment, for the pods of the embedded Argo."""
        objects = objects_of(tmp_path, "schedules")
        for part in objects[0]["spec"]["templates"]:
            if "container" in part:
                part["container"]["command"] = [str(tmp_path / "venv" / "bin" / "python")]
        create(twin.client, tmp_path, objects)
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        refused(twin, "venv/bin/python, which is not there any more")

    def test_its_token_was_another(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two", **{"token-0": "token-1"}))
        refused(twin, "another production token")

    def test_a_cron_workflow_of_others_gives_a_parameter_that_it_has_not(
        self, twin: Twin, tmp_path: Path
    ) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        (cron, _) = of_kind(export("schedules"), "CronWorkflow")
        cron["metadata"] |= {"name": "theirs", "labels": {}}
        cron["spec"]["workflowSpec"]["arguments"] = {"parameters": [{"name": "beta", "value": "1"}]}
        twin.client.create_cron(cron)
        refused(
            twin,
            "The cron workflow theirs gives the Parameter beta, which version 1 of schedulesflow does not",
        )
        twin.call("PUT", "cron-workflows/default/theirs/suspend")
        assert rollback(twin.client, NAME).to == 1

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "kind": "create"}'])
    def test_an_entry_cannot_be_read(self, twin: Twin, tmp_path: Path, content: str) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        (first, _) = files(tmp_path)
        first.write_text(content)
        with pytest.raises(
            ConfigurationError, match=f"{first}, an entry of the history of {NAME}, cannot be read"
        ):
            versions_of(twin.client, NAME)
        refused(twin, "cannot be read", error=ConfigurationError)
        # Deploying goes on.
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "three"))
        first.unlink()
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [3, 2]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("message", 5), ("user", []), ("objects", [{"kind": "WorkflowTemplate"}]), ("previous", 1)],
    )
    def test_an_entry_holds_something_else(
        self, twin: Twin, tmp_path: Path, field: str, value: object
    ) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        (first, _) = files(tmp_path)
        first.write_text(json.dumps(json.loads(first.read_text()) | {field: value}))
        refused(twin, f"{first}, an entry of .* cannot be read", error=ConfigurationError)
        with pytest.raises(ConfigurationError, match="cannot be read"):
            versions_of(twin.client, NAME)

    def test_it_is_lost(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        for file in files(tmp_path):
            file.unlink()
        assert versions_of(twin.client, NAME).notes == [
            "Version 2 of schedulesflow is not in the history: the next create or rollback records it."
        ]
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "three"))
        assert told(versions_of(twin.client, NAME)) == [
            *[(3, True, "create", None), (2, False, "found", None)],
        ]
        assert rollback(twin.client, NAME).version == 4

    def test_an_entry_of_another_deployment(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))
        (first, second) = files(tmp_path)
        first.write_bytes(second.read_bytes())
        refused(twin, "not what its name says", error=ConfigurationError)


def refused(
    twin: Twin, words: str, to: int | None = None, error: type[MetaflowHeraError] = UsageError
) -> None:
    """Demand that a rollback is refused in one or two sentences, and changes nothing."""
    before = twin.stored()
    with pytest.raises(error, match=words) as found:
        rollback(twin.client, NAME, to)
    assert "\n" not in str(found.value)
    assert twin.stored() == before
