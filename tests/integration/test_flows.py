"""Whole flows: create, trigger, pods, datastore, and back through Metaflow's Client API."""

from __future__ import annotations

import json
import shutil
from ast import literal_eval
from pathlib import Path
from typing import Any

import metaflow
import pytest
from harness import EXAMPLES, Mfhera, assert_same, at_once, run_by_metaflow, step_of
from recorded_flows import Record

TUTORIALS = Path(metaflow.__file__).parent / "tutorials"
GRAPHS = [
    "linear_flow.py",
    "split_flow.py",
    "foreach_flow.py",
    "mixed_flow.py",
    "names_flow.py",
    "own_names_flow.py",
    "single_flow.py",
]


def test_a_parameter_arrives_and_is_read_back(mfhera: Mfhera) -> None:
    mfhera = mfhera.cold  # as its user has it
    mfhera.take(EXAMPLES / "parameter_flow.py")
    mfhera.ok("create", "parameter_flow.py", "--with", "retry")
    run = mfhera.run("--param", "alpha=0.5")
    tasks = mfhera.read(run["pathspec"])
    assert {step: task["alpha"] for step, task in tasks.items()} == {"start": "0.5", "end": "0.5"}
    assert all(task["successful"] for task in tasks.values())
    logs = mfhera.python("parameter_flow.py", "logs", f"{run['run_id']}/start").stdout
    assert "alpha is 0.500000" in logs


def test_the_default_of_a_parameter_holds_where_none_is_given(mfhera: Mfhera) -> None:
    mfhera.take(EXAMPLES / "parameter_flow.py")
    mfhera.ok("create", "parameter_flow.py")
    assert mfhera.read(mfhera.run()["pathspec"])["end"]["alpha"] == "0.01"


@pytest.mark.parametrize("flow", GRAPHS)
def test_a_flow_makes_the_same_as_by_metaflow_itself(mfhera: Mfhera, record: Record, flow: str) -> None:
    mfhera.take(flow)
    mfhera.ok("create", flow)
    ours = mfhera.read(mfhera.run()["pathspec"])
    assert_same(record.by_metaflow(flow, mfhera, flow), ours, "by Metaflow", "by mfhera", flow)


def test_three_foreachs_inside_each_other(mfhera: Mfhera, record: Record) -> None:
    """Of different sizes, and with more tasks than run at once."""
    one, two, three = 2, 3, 4
    given = {"one": one, "two": two, "three": three}
    mfhera.take("deep_flow.py")
    mfhera.ok("create", "deep_flow.py")
    run = mfhera.run(*(f"--param={name}={value}" for name, value in given.items()))
    ours = mfhera.read(run["pathspec"])
    flow = "deep_flow.py"
    theirs = record.by_metaflow(flow, mfhera, flow, *(f"--{name}={value}" for name, value in given.items()))
    assert_same(theirs, ours, "by Metaflow", "by mfhera", flow)
    counts = {step["name"]: step["tasks"] for step in run["steps"]}
    assert counts == {
        "start": 1,
        "outer": one,
        "middle": one * two,
        "inner": one * two * three,
        "inner_join": one * two,
        "middle_join": one,
        "outer_join": 1,
        "end": 1,
    }
    assert [step["name"] for step in run["steps"]] == list(counts)


@pytest.mark.parametrize("limit", [2, 100])
def test_max_workers_is_how_many_tasks_of_a_foreach_run_at_once(mfhera: Mfhera, limit: int) -> None:
    mfhera.take("workers_flow.py")
    mfhera.ok("create", "workers_flow.py", "--max-workers", str(limit))
    run = mfhera.run()
    most = at_once(literal_eval(mfhera.read(run["pathspec"])["collect"]["spans"]))
    # Two pods at once are the least that shows that the limit, and nothing else, holds them back.
    assert most == 2 if limit == 2 else most > 2


VALUES = [
    'it\'s "quoted" `so`',
    "two\nlines\n",
    " spaces ",
    "$(HOME) $HOME ${HOME} $$ $$(HOME)",
    "{{workflow.name}} {{=1+1}} }}",
    "żółć 日本 🎈",
    "null",
    "base64:eA==",
    "--alpha=1",
    "a=b,c=d",
    "\\n \\",
    "1e-5",
]


@pytest.mark.parametrize("way", ["options", "file"])
def test_values_arrive_as_typed(mfhera: Mfhera, way: str) -> None:
    names = [f"value_{number}" for number in range(len(VALUES))]
    lines = [f'    {name} = Parameter("{name}", default="")' for name in names]
    script = "\n".join(
        [
            "from metaflow import FlowSpec, JSONType, Parameter, step",
            "class TypedFlow(FlowSpec):",
            *lines,
            '    flag = Parameter("flag", default=False)',
            '    table = Parameter("table", type=JSONType, default="{}")',
            '    ratio = Parameter("ratio", default=0.1)',
            "    @step",
            "    def start(self):",
            "        self.next(self.end)",
            "    @step",
            "    def end(self):",
            "        pass",
            "if __name__ == '__main__':",
            "    TypedFlow()",
        ]
    )
    (mfhera.folder / "typed_flow.py").write_text(script)
    table = {"a": ["$(HOME)", '{{"x"}}', None, 1.5]}
    given: dict[str, Any] = dict(zip(names, VALUES, strict=True))
    mfhera.ok("create", "typed_flow.py", "--name", f"typed-by-{way}")
    if way == "options":
        texts = {**given, "flag": "yes", "table": json.dumps(table), "ratio": "1e-05"}
        run = mfhera.run(*(f"--param={name}={value}" for name, value in texts.items()))
    else:
        # Values of JSON's own types; an option goes before the file.
        values = {**given, "flag": True, "table": table, "ratio": 3}
        (mfhera.folder / "values.json").write_text(json.dumps(values))
        run = mfhera.run("--params-file", "values.json", "--param", "ratio=1e-05")
    end = mfhera.read(run["pathspec"])["end"]
    assert {name: end[name] for name in names} == {name: repr(value) for name, value in given.items()}
    assert (end["flag"], literal_eval(end["table"]), end["ratio"]) == ("True", table, "1e-05")


def test_parameters_of_all_types_keep_their_defaults(mfhera: Mfhera, record: Record) -> None:
    flow = "types_flow.py"
    mfhera.take(flow)
    mfhera.ok("create", flow)
    ours = mfhera.read(mfhera.run()["pathspec"])
    assert_same(record.by_metaflow(flow, mfhera, flow), ours, "by Metaflow", "by mfhera", flow)


def test_a_deploy_time_parameter_is_evaluated_once_at_create(mfhera: Mfhera) -> None:
    mfhera.take("deploy_time_flow.py")
    calls = mfhera.folder / "calls"
    calls.touch()
    mfhera.ok("create", "deploy_time_flow.py")
    for _ in range(2):
        run = mfhera.run()
        assert mfhera.read(run["pathspec"])["end"]["where"] == "'DeployTimeFlow by tester'"
    assert calls.read_text() == "where\n"


def test_a_step_that_fails_twice_succeeds_with_retries(mfhera: Mfhera) -> None:
    mfhera.take("flaky_flow.py")
    mfhera.ok("create", "flaky_flow.py", "--with", "retry:minutes_between_retries=0")
    run = mfhera.run()
    assert mfhera.read(run["pathspec"])["start"]["count"] == "2"
    assert (step_of(run, "start")["attempts"], step_of(run, "end")["attempts"]) == (3, 1)
    logs = mfhera.python("flaky_flow.py", "logs", f"{run['run_id']}/start").stdout
    assert "attempt 2" in logs


def test_metrics_leave_a_run_as_it_is(mfhera: Mfhera) -> None:
    """Argo says in the run's conditions which metric it could not emit, at any attempt."""
    mfhera.take("flaky_flow.py")
    mfhera.ok("create", "flaky_flow.py", "--metrics", "--with", "retry:minutes_between_retries=0")
    templates = mfhera.ask("workflow-templates", "flakyflow")["spec"]["templates"]
    assert [each["name"] for each in templates if "metrics" in each] == ["task-retry", "task"]
    run = mfhera.run()
    assert step_of(run, "start")["attempts"] == 3
    status = mfhera.ask("workflows", run["run_id"].removeprefix("argo-"))["status"]
    assert "MetricsError" not in [each["type"] for each in status.get("conditions", [])]


def test_a_failed_run_names_its_step_and_the_reason(mfhera: Mfhera) -> None:
    mfhera.take("failing_flow.py")
    mfhera.ok("create", "failing_flow.py", "--with", "retry:minutes_between_retries=0")
    done = mfhera("trigger", "--wait")
    assert done.returncode == 1
    assert "Step broken" in done.stderr
    assert "exit code 1" in done.stderr
    shown = mfhera.ok("status")
    assert "✗ broken" in shown
    assert "exit code 1" in shown
    run = mfhera.json("status", "--json")
    assert run["state"] == "Failed"
    assert step_of(run, "broken")["attempts"] == 1  # @retry(times=0) goes before --with retry
    assert step_of(run, "end")["tasks"] == 0
    logs = mfhera.python("failing_flow.py", "logs", f"{run['run_id']}/broken")
    assert "about to fail" in logs.stdout
    assert "broken on purpose" in logs.stdout + logs.stderr
    mfhera("retry", run["run_id"], "--wait")
    (failure,) = step_of(mfhera.json("status", "--json"), "broken")["failures"]
    assert failure["message"].endswith("ValueError: broken on purpose (attempt 2)")
    assert failure["attempts"] == 2  # as Metaflow counts: Argo has begun anew


def test_catch_goes_on_after_the_last_attempt(mfhera: Mfhera) -> None:
    mfhera.take("catch_flow.py")
    mfhera.ok("create", "catch_flow.py")
    run = mfhera.run()
    said = mfhera.read(run["pathspec"])["end"]["said"]
    assert "caught at once" in said
    assert "caught after a retry" in said
    # One retry of the step's own code, and one more attempt for @catch in case that is killed.
    assert step_of(run, "again")["attempts"] == 2
    assert step_of(run, "start")["attempts"] == 1


def test_a_killed_step_fails_the_run_and_its_logs_are_kept(mfhera: Mfhera) -> None:
    mfhera.take("killed_flow.py")
    mfhera.ok("create", "killed_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    run = json.loads(done.stdout)
    assert (done.returncode, run["state"]) == (1, "Failed")
    logs = mfhera.python("killed_flow.py", "logs", f"{run['run_id']}/start")
    assert "the last words" in logs.stdout
    assert "SIGKILL" in logs.stdout + logs.stderr
    shown = mfhera.ok("status", run["run_id"])
    assert "✗ start" in shown


@pytest.mark.parametrize(
    ("folder", "script", "artifacts"),
    [
        pytest.param("00-helloworld", "helloworld.py", [], id="helloworld"),
        pytest.param("01-playlist", "playlist.py", ["playlist"], id="playlist"),
        pytest.param("02-statistics", "stats.py", ["genre_stats"], id="statistics"),
    ],
)
def test_metaflow_tutorials_run_unchanged(
    mfhera: Mfhera, folder: str, script: str, artifacts: list[str]
) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.ipynb")
    shutil.copytree(TUTORIALS / folder, mfhera.folder, ignore=ignore, dirs_exist_ok=True)
    mfhera.ok("create", script)
    ours = mfhera.read(mfhera.run()["pathspec"])
    theirs = run_by_metaflow(mfhera, script)
    assert sorted(ours) == sorted(theirs)
    for name in artifacts:
        # These tutorials shuffle, and loop over sets: the order differs from run to run.
        one, other = (literal_eval(tasks["end"][name]) for tasks in (ours, theirs))
        assert sorted(one) == sorted(other)
        if isinstance(one, dict):
            assert one == other


@pytest.mark.same_machine
def test_a_running_run_keeps_the_code_it_began_with(mfhera: Mfhera) -> None:
    mfhera.take("gate_flow.py")
    script, gate = mfhera.folder / "gate_flow.py", mfhera.folder / "gate"
    mfhera.ok("create", "gate_flow.py")
    run = mfhera.json("trigger", "--json", "--param", f"gate={gate}")
    mfhera.wait_until(Path(f"{gate}.waiting").exists)
    script.write_text(script.read_text().replace('VERSION = "one"', 'VERSION = "two"'))
    mfhera.ok("create", "gate_flow.py")
    gate.touch()
    mfhera.ok("status", run["run_id"], "--watch")
    end = mfhera.read(run["pathspec"])["end"]
    assert (end["begun_as"], end["ended_as"]) == ("'one'", "'one'")
    end = mfhera.read(mfhera.run("--param", f"gate={gate}")["pathspec"])["end"]
    assert (end["begun_as"], end["ended_as"]) == ("'two'", "'two'")


def test_the_newest_version_of_a_flow_counts_wherever_it_came_from(mfhera: Mfhera) -> None:
    """Two folders with the same flow share its one deployment, as two checkouts do."""
    here, there = mfhera.at(mfhera.folder / "here"), mfhera.at(mfhera.folder / "there")
    for place in (here, there):
        place.take("split_flow.py")
        place.ok("create", "split_flow.py")
    script = here.folder / "split_flow.py"
    script.write_text(script.read_text().replace('"left"', '"links"'))
    here.ok("create", "split_flow.py")
    run = there.run()
    assert here.read(run["pathspec"])["end"]["all"] == "['links', 'right']"
    assert [d["name"] for d in here.json("list", "--json") if d["flow"] == "SplitFlow"] == ["splitflow"]


def test_trigger_takes_the_flow_last_deployed_from_the_folder(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py", "foreach_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "first-of-folder")
    mfhera.ok("create", "foreach_flow.py", "--name", "second-of-folder")
    assert mfhera.run()["flow"] == "ForeachFlow"
    run = mfhera.json("trigger", "--json", "linear_flow.py", "--name", "first-of-folder")
    assert run["flow"] == "LinearFlow"


def test_the_life_of_a_deployment(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    created = mfhera.json("create", "linear_flow.py", "--name", "whole-life", "--json")
    assert created["name"] == "whole-life"
    listed = {deployment["name"]: deployment for deployment in mfhera.json("list", "--json")}
    assert listed["whole-life"]["flow"] == "LinearFlow"
    assert listed["whole-life"]["owner"] == "tester"
    assert created["namespace"] == f"production:{listed['whole-life']['token']}"
    assert "whole-life" in mfhera.ok("list")
    assert mfhera.json("runs", "--json") == []

    first = mfhera.run("--run-id-file", "id")
    assert (mfhera.folder / "id").read_text() == first["run_id"]
    second = mfhera.json("trigger", "--json")
    mfhera.ok("status", second["run_id"], "--watch")
    runs = mfhera.json("runs", "--json")
    assert {run["run_id"]: run["state"] for run in runs} == {
        first["run_id"]: "Succeeded",
        second["run_id"]: "Succeeded",
    }
    assert first["run_id"] in mfhera.ok("runs")
    for form in (first["run_id"], first["pathspec"], first["workflow"]):
        assert mfhera.json("status", form, "--json")["run_id"] == first["run_id"]

    mfhera.ok("delete", "--name", "whole-life")
    assert "whole-life" not in mfhera.ok("list")
    # Runs and their results stay.
    assert mfhera.json("status", first["run_id"], "--json")["state"] == "Succeeded"
    assert mfhera.read(first["pathspec"])["end"]["total"] == "2"


def test_a_watched_run_is_told_step_by_step(mfhera: Mfhera) -> None:
    mfhera.take("foreach_flow.py")
    mfhera.ok("create", "foreach_flow.py", "--name", "watched")
    lines = mfhera.ok("trigger", "--watch").splitlines()
    for line in ("start: Succeeded", "work: Succeeded 3/3", "collect: Succeeded", "end: Succeeded"):
        assert any(line in found for found in lines), lines


def test_tags_are_on_all_that_a_run_makes(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    created = mfhera.json(
        "create", "linear_flow.py", "--name", "tagged", "--tag", "a:b", "--tag", "ü {{x}}", "--json"
    )
    run = mfhera.run()
    tasks = mfhera.read(run["pathspec"])
    for task in tasks.values():
        assert {"a:b", "ü {{x}}", created["namespace"]} <= set(task["tags"])


def test_a_scheduled_flow_is_listed_with_its_schedule_until_deleted(mfhera: Mfhera) -> None:
    mfhera.take("schedule_flow.py")
    mfhera.ok("create", "schedule_flow.py")
    listed = {deployment["name"]: deployment for deployment in mfhera.json("list", "--json")}
    assert listed["scheduleflow"]["schedules"] == ["0 10 * * MON-FRI"]
    said = mfhera.ok("delete", "schedule_flow.py")
    assert "cron workflow" in said
    assert "workflow template" in said


def test_somebody_else_needs_the_token_to_deploy(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    create = ("create", "linear_flow.py", "--name", "owned")
    created = mfhera.json(*create, "--json")
    token = created["namespace"].removeprefix("production:")
    other = {"METAFLOW_USER": "other", "METAFLOW_HOME": str(mfhera.home / "other")}
    done = mfhera(*create, env=other)
    assert done.returncode == 2
    assert "was deployed by tester" in done.stderr
    listed = {deployment["name"]: deployment for deployment in mfhera.json("list", "--json")}
    assert listed["owned"]["owner"] == "tester"
    mfhera.ok(*create, "--authorize", token, env=other)
    mfhera.ok(*create, env=other)  # known from then on


def test_values_up_to_what_a_pod_can_be_given_arrive(mfhera: Mfhera) -> None:
    mfhera.take("types_flow.py")
    mfhera.ok("create", "types_flow.py")
    longest = "x" * (131_072 - len("METAFLOW_INIT_TEXT=") - 1)
    values = {"text": longest, "table": {"nul": "a\0b"}}
    (mfhera.folder / "values.json").write_text(json.dumps(values))
    start = mfhera.read(mfhera.run("--params-file", "values.json")["pathspec"])["start"]
    assert {name: literal_eval(start[name]) for name in values} == values
