"""What Argo has to keep of a run, and what is said of it at create."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exporting import at
from harness import linear_flow, message, refused
from shapes import flow_script

LONG = "\n".join(
    [
        "start foreach a0 = range(3)",
        *(f"a{number} linear a{number + 1}" for number in range(12)),
        "a12 split b c",
        "b foreach d = range(2)",
        "d linear e",
        "e join f",
        "c linear f",
        "f join g",
        "g join end",
        "end end",
    ]
)
"""A foreach whose items have many steps."""
SHORT = "\n".join(
    ["start foreach a = range(12)", "a linear b", "b linear c", "c join d", "d linear end", "end end"]
)


def test_a_foreach_that_leaves_little_room_is_told(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(flow_script("LongFlow", LONG))
    done = at(tmp_path)("create", "flow.py", "--only-json")
    assert done.returncode == 0
    # An item has a DAG, the tasks a0 to a12, b, c, e, f, and of the foreach inside a DAG, a group and d.
    assert "the foreach of step start has room for about" in message(done)
    assert "(21 nodes each), or for more with --splits-per-pod b=N" in message(done)


def test_tasks_that_share_a_pod_make_room(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(flow_script("LongFlow", LONG))
    done = at(tmp_path)("create", "flow.py", "--only-json", "--splits-per-pod", "b=10")
    # The range of d has a Retry node, so that a pod that is killed goes on.
    assert "(22 nodes each), or more on a cluster" in message(done)


@pytest.mark.parametrize("script", [linear_flow(20), flow_script("ShortFlow", SHORT)])
def test_nothing_is_said_of_a_flow_with_room(tmp_path: Path, script: str) -> None:
    (tmp_path / "flow.py").write_text(script)
    assert message(at(tmp_path)("create", "flow.py", "--only-json")) == ""


def test_500_steps_in_a_row_are_less_than_120_kb(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(linear_flow(500))
    done = at(tmp_path)("create", "flow.py", "--only-json")
    assert len(done.stdout.replace("\n", "").replace("  ", "")) < 120_000


def test_a_flow_that_is_too_large_for_argo_is_refused_with_the_figures(tmp_path: Path) -> None:
    text = linear_flow(2).replace("import FlowSpec", "import FlowSpec, environment", 1)
    text = text.replace("    @step", "    @environment(vars={'X': 'x' * 1_100_000})\n    @step", 1)
    (tmp_path / "flow.py").write_text(text)
    refused(at(tmp_path)("create", "flow.py", "--only-json"), "too large for Argo", "kB and its 3 nodes")


def test_a_graph_that_does_not_fit_into_annotations_is_left_out(tmp_path: Path) -> None:
    """With more than 256 KiB of them Kubernetes refuses all that Argo would write of the run."""
    kept = []
    for prefix in ("step_", "step_".ljust(200, "x")):
        (tmp_path / "flow.py").write_text(linear_flow(650).replace("step_", prefix))
        done = at(tmp_path)("create", "flow.py", "--only-json")
        annotations = json.loads(done.stdout)["spec"]["workflowMetadata"]["annotations"]
        assert sum(len(key) + len(value) for key, value in annotations.items()) < 256 * 1024
        kept.append("metaflow/dag" in annotations)
    assert kept == [True, False]


def test_annotations_that_kubernetes_would_refuse_are_refused_with_the_figures(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(linear_flow(2))
    done = at(tmp_path)("create", "flow.py", "--only-json", "--workflow-description", "x" * 130_000)
    assert done.returncode == 0
    text = linear_flow(2).replace("(FlowSpec):", '(FlowSpec):\n    """' + "é" * 130_000 + '"""', 1)
    (tmp_path / "flow.py").write_text(text)
    done = at(tmp_path)("create", "flow.py", "--only-json")
    refused(done, "annotations", "254 kB", "workflows.argoproj.io/description, with 253 kB")


def test_more_tasks_than_a_cluster_lists_are_told(tmp_path: Path) -> None:
    """Argo's complete CRDs, since 4.0, accept 200 tasks in a DAG."""
    said = []
    for steps in (200, 201):
        (tmp_path / "flow.py").write_text(linear_flow(steps))
        said.append(message(at(tmp_path)("create", "flow.py", "--only-json")))
    assert said[0] == ""
    assert "201 tasks in one DAG, and Argo's complete CRDs, since version 4.0, accept 200" in said[1]
