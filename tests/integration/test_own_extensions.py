"""Extensions that their users write themselves: a decorator built on @parallel, and an environment.

Those of step and flow decorators in general are in test_decorators.py.
"""

from __future__ import annotations

import sys

import pytest
from harness import Mfhera, assert_same, flow_name, refused

PLUGINS = r'''
import os

from metaflow import current
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins.parallel_decorator import ParallelDecorator
from metaflow.unbounded_foreach import UBF_TASK


class LedDecorator(ParallelDecorator):
    """A @parallel step that its first node runs alone, as @metaflow_ray does."""

    name = "led"

    def setup_distributed_env(self, flow):
        current._update_env({"led_by": current.parallel.node_index})

    def task_decorate(self, step_func, flow, graph, retry_count, max_user_code_retries, ubf_context):
        given = (lambda: None) if ubf_context == UBF_TASK else step_func
        return super().task_decorate(given, flow, graph, retry_count, max_user_code_retries, ubf_context)


class MadeEnvironment(MetaflowEnvironment):
    """A Python of its own, which lines of bash make in the pod."""

    TYPE = "made"

    def bootstrap_commands(self, step_name, datastore_type):
        return [
            "echo making it for " + step_name,
            "mkdir -p made && echo 'exec " + os.environ["MADE_OF"] + " \"$@\"' > made/python",
            "chmod +x made/python",
            "export MADE_FOR=" + step_name,
        ]

    def executable(self, step_name, default=None):
        return "made/python"


class OddEnvironment(MetaflowEnvironment):
    """Starts tasks by a decorator of its own."""

    TYPE = "odd"

    def decospecs(self):
        return ("odd_internal",) + super().decospecs()


class OddDecorator(ParallelDecorator):
    name = "odd_internal"
    IS_PARALLEL = False

    def runtime_init(self, *rest):
        "Makes what a task needs, on the machine that starts the run."
'''
REGISTERED = """
STEP_DECORATORS_DESC = [("led", ".own.LedDecorator"), ("odd_internal", ".own.OddDecorator")]
ENVIRONMENTS_DESC = [("made", ".own.MadeEnvironment"), ("odd", ".own.OddEnvironment")]
"""
LED_FLOW = """
from metaflow import FlowSpec, current, led, step


class LedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.work, num_parallel=3)

    @led
    @step
    def work(self):
        self.leader, self.nodes = current.led_by, current.parallel.num_nodes
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [(getattr(each, "leader", None), getattr(each, "nodes", None)) for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LedFlow()
"""
MADE_FLOW = """
import os
import sys

from metaflow import FlowSpec, step


class MadeFlow(FlowSpec):
    @step
    def start(self):
        self.made_for = os.environ["MADE_FOR"]
        self.python = tuple(sys.version_info[:2])
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MadeFlow()
"""


@pytest.fixture
def extended(mfhera: Mfhera) -> Mfhera:
    """`mfhera` where an extension is installed."""
    root = mfhera.folder / "extension"
    plugins = root / "metaflow_extensions" / "own" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "own.py").write_text(PLUGINS)
    (plugins / "mfextinit_own.py").write_text(REGISTERED)
    (mfhera.folder / "led_flow.py").write_text(LED_FLOW)
    (mfhera.folder / "made_flow.py").write_text(MADE_FLOW)
    env = {**mfhera.env, "PYTHONPATH": str(root), "MADE_OF": sys.executable}
    return Mfhera(mfhera.home, mfhera.folder, env)


def test_a_decorator_built_on_parallel_runs_as_in_metaflow(extended: Mfhera) -> None:
    """Its other nodes need no self.next(), since they do not run the step."""
    extended.ok("create", "led_flow.py")
    ours = extended.read(extended.run()["pathspec"])
    done = extended.python("led_flow.py", "--quiet", "run", "--run-id-file", "id")
    assert done.returncode == 0, done.stderr
    name = flow_name(extended, "led_flow.py")
    theirs = extended.read(f"{name}/{(extended.folder / 'id').read_text()}")
    assert ours["join"]["found"] == "[(0, 3), (None, None), (None, None)]"
    assert_same(theirs, ours, "metaflow", "mfhera", "led_flow.py")


def test_an_environment_of_an_extension_is_made_in_the_pod(extended: Mfhera) -> None:
    extended.ok("create", "made_flow.py", "--environment=made")
    run = extended.run()
    assert extended.read(run["pathspec"])["start"]["made_for"] == "'start'"
    assert "making it for start" in extended.ok("logs", run["run_id"], "start")


def test_an_environment_that_starts_tasks_its_own_way_is_refused(extended: Mfhera) -> None:
    done = extended("create", "made_flow.py", "--environment=odd")
    refused(done, "--environment=odd", "@odd_internal", "extension")
