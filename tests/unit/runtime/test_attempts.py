"""Which attempt a pod makes, and the command it runs: Argo counts from 0 again when a run is retried."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from metaflow.datastore import FlowDataStore
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins.datastores.local_storage import LocalStorage
from metaflow.plugins.metadata_providers.local import LocalMetadataProvider

from metaflow_hera.graph.steps import Graph, Step
from metaflow_hera.graph.tasks import TaskKey
from metaflow_hera.metaflow_api.pod.metadata import register_stored
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings, Retries, StepSettings
from metaflow_hera.metaflow_api.pod.run_store import MAX_ATTEMPTS, RunStore
from metaflow_hera.runtime.arguments import init_arguments, step_arguments, take_parameters
from metaflow_hera.runtime.iterations import _made_before_the_retry
from metaflow_hera.runtime.task import PodTask

STEPS = [
    Step("start", "foreach", ("work",)),
    Step("work", "linear", ("join",)),
    Step("join", "join", ("end",)),
    Step("end", "end", ()),
]
SETTINGS = PodSettings(
    script="flow.py",
    datastore_root="root",
    graph=Graph("start", "end", {step.name: step for step in STEPS}),
    top_level=["--quiet"],
    metadata="local",
    steps={step.name: StepSettings(Retries(2, 2, 0), 60) for step in STEPS},
)

WORK = TaskKey("work", (0,))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A local datastore."""
    return RunStore("MyFlow", "local", str(tmp_path), "argo-x")


def task(step: str, path: str = "", retries: int = 0, **more: str) -> PodTask:
    """The task of a pod with that in its environment."""
    return PodTask.from_environment(
        {
            "METAFLOW_FLOW_NAME": "MyFlow",
            "METAFLOW_RUN_ID": "argo-x",
            "METAFLOW_STEP_NAME": step,
            "METAFLOW_HERA_PATH": path,
            "METAFLOW_HERA_RETRIES": str(retries),
            **more,
        }
    )


def attempt(folder: Path, number: int) -> None:
    """Note an attempt of work-0 as Metaflow does."""
    place = folder / "MyFlow" / "argo-x" / "work" / "work-0"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{number}.attempt.json").write_text(json.dumps({"time": 1}))


def finished(folder: Path, number: int, artifacts: dict[str, str]) -> None:
    """An attempt of work-0 that has stored its artifacts, as Metaflow does it."""
    flow = FlowDataStore("MyFlow", None, storage_impl=LocalStorage, ds_root=str(folder))
    made = flow.get_task_datastore("argo-x", "work", "work-0", attempt=number, mode="w")
    made.init_task()
    made.save_artifacts(artifacts.items())
    made.done()


def test_logs_are_stored_without_taking_them_into_memory(store: RunStore, tmp_path: Path) -> None:
    logs = {name: tmp_path / name for name in ("stdout", "stderr")}
    for name, path in logs.items():
        path.write_bytes(name.encode() * 5_000_000)
    store.save_logs(WORK, 1, logs)  # the first time Metaflow imports what it needs
    tracemalloc.start()
    store.save_logs(WORK, 1, logs)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    place = tmp_path / "MyFlow" / "argo-x" / "work" / "work-0"
    assert (place / "1.task_stdout.log").read_bytes() == logs["stdout"].read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["1.task_stderr.log", "1.task_stdout.log"]


def test_the_datastore_knows_the_attempts_before(store: RunStore, tmp_path: Path) -> None:
    assert store.attempts(WORK) == 0
    attempt(tmp_path, 0)
    assert store.attempts(WORK) == 1
    attempt(tmp_path, 2)  # 1 was killed before it began
    assert store.attempts(WORK) == 3
    attempt(tmp_path, MAX_ATTEMPTS - 1)
    assert store.attempts(WORK) == MAX_ATTEMPTS


@pytest.mark.parametrize("ended", [2, 4])
def test_an_attempt_that_was_never_marked_hides_no_later_one(
    store: RunStore, tmp_path: Path, ended: int
) -> None:
    """Metaflow's reader stops at a gap: it would read the first attempt here, which failed."""
    finished(tmp_path, 0, {"x": "of the failed attempt"})
    store.begin(WORK, ended)
    finished(tmp_path, ended, {"x": "of the attempt that succeeded"})
    assert store.attempts(WORK) == ended + 1
    assert (
        FlowDataStore("MyFlow", None, storage_impl=LocalStorage, ds_root=str(tmp_path)).get_task_datastore(
            "argo-x", "work", "work-0"
        )["x"]
        == "of the attempt that succeeded"
    )


def test_a_lost_pod_of_a_loop_leaves_how_many_attempts_count(store: RunStore) -> None:
    """After a retry of the whole run: the attempts before it do not use up those of the next pod either."""
    loop, iteration = TaskKey("loop"), TaskKey("loop", (), 0)
    for number in range(2):
        store.begin(iteration, number)
    first = replace(task("loop"), key=iteration)
    assert _made_before_the_retry(first, store.attempts(iteration), store) == 2
    store.begin(iteration, 2)
    assert _made_before_the_retry(replace(first, argo_retries=1), 3, store) == 2
    store.begin(loop, 0)
    assert _made_before_the_retry(replace(first, key=loop, argo_retries=1), 1, store) == 0


def test_what_a_lost_pod_has_stored_is_registered_by_the_next(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metaflow stores a task first and registers its artifacts then, one by one in a local datastore."""
    monkeypatch.setattr(LocalStorage, "datastore_root", str(tmp_path))
    provider = LocalMetadataProvider(MetaflowEnvironment(None), SimpleNamespace(name="MyFlow"), None, None)
    provider.register_run_id("argo-x")
    provider.register_task_id("argo-x", WORK.step, WORK.task_id, 1)
    finished(tmp_path, 0, {"x": "of the failed attempt"})
    finished(tmp_path, 1, {"x": "1", "y": "2", "z": "3"})

    def registered() -> list[str]:
        place = ("MyFlow", "argo-x", WORK.step, WORK.task_id)
        return sorted(each["name"] for each in provider.get_object("task", "artifact", {}, None, *place))

    assert registered() == []
    for _ in range(2):
        register_stored("MyFlow", "local", "argo-x", WORK, store.stored(WORK), store.place)
        assert registered() == ["x", "y", "z"]


def test_nothing_is_done_in_an_empty_datastore(store: RunStore) -> None:
    assert not store.is_registered()
    assert store.ended([WORK]) == []
    assert store.last_iteration(TaskKey("loop")) is None


def test_the_command_of_a_task_in_a_foreach(store: RunStore, tmp_path: Path) -> None:
    arguments = step_arguments(task("work", "-3"), SETTINGS, store, 0, 0, tmp_path / "inputs")
    assert list(arguments) == [
        "--quiet",
        "step",
        "work",
        "--run-id=argo-x",
        "--task-id=work-3",
        "--retry-count=0",
        "--max-user-code-retries=2",
        f"--input-paths-filename={tmp_path / 'inputs'}",
        "--split-index=3",
    ]
    assert (tmp_path / "inputs").read_text() == "argo-x/start/start"


def test_attempts_of_an_earlier_retry_do_not_count_against_the_step(store: RunStore, tmp_path: Path) -> None:
    """Argo makes its second attempt, after two of an earlier retry of the whole run: it is number 3."""
    arguments = step_arguments(task("work", "-0", retries=1), SETTINGS, store, 3, 2, tmp_path / "inputs")
    assert "--retry-count=3" in arguments
    assert "--max-user-code-retries=4" in arguments


def test_tags_and_namespace_go_along(store: RunStore, tmp_path: Path) -> None:
    mine = task("work", "-0", METAFLOW_HERA_TAGS='["a b", "$c"]', METAFLOW_HERA_NAMESPACE="user:x")
    arguments = step_arguments(mine, SETTINGS, store, 0, 0, tmp_path / "inputs")
    assert [a for a in arguments if a.startswith("--tag")] == ["--tag=a b", "--tag=$c"]
    assert "--namespace=user:x" in arguments
    assert [a for a in init_arguments(mine, SETTINGS) if a.startswith("--tag")] == ["--tag=a b", "--tag=$c"]


def test_the_first_step_starts_from_the_parameters(store: RunStore, tmp_path: Path) -> None:
    step_arguments(task("start"), SETTINGS, store, 0, 0, tmp_path / "inputs")
    assert (tmp_path / "inputs").read_text() == "argo-x/_parameters/parameters"


def test_parameters_are_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_INIT_ALPHA", "0.5")
    monkeypatch.setenv("METAFLOW_INIT_TEXT", "base64:JChYKQ==")
    monkeypatch.setenv("METAFLOW_INIT_NOTHING", "null")
    assert take_parameters() == {"METAFLOW_INIT_ALPHA": "0.5", "METAFLOW_INIT_TEXT": "$(X)"}
    assert take_parameters() == {}


def test_settings_survive_their_way_in_the_code_package() -> None:
    again = PodSettings.from_json(SETTINGS.to_json())
    assert again.to_json() == SETTINGS.to_json()
