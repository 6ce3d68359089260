"""Which flow of a script is deployed: the one that the script starts. And what is printed meanwhile."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from harness import Mfhera

FLOWS = """
import os

from metaflow import FlowSpec, Parameter, exit_hook, step


def tell(run):
    with open("TOLD", "w") as file:
        file.write(run.pathspec)


class TrainFlow(FlowSpec):
    word = Parameter("word", default=lambda context: os.environ.get("WORD", "none"))

    @step
    def start(self):
        self.by = type(self).__name__, os.environ.get("WORD")
        self.next(self.end)

    @step
    def end(self):
        pass


class TunedFlow(TrainFlow):
    pass


@exit_hook(on_success=[tell])
class OtherFlow(TrainFlow):
    pass
"""
STARTS = """
if __name__ == "__main__":
    os.environ["WORD"] = "set before the start"
    {flow}()
"""
IMPORTS = "import os\n\nfrom flows.training import {flow}\n"
PYTHON = """
import json, sys
from metaflow_hera import translate
path, name = sys.argv[1:]
sys.path.insert(0, ".")
flows = __import__("training_flows")
found = [translate(path), translate(getattr(flows, name))]
print(json.dumps([each.annotations["metaflow/flow_name"] for each in found]))
"""


def flow_of(text: str) -> str:
    return str(json.loads(text)["metadata"]["annotations"]["metaflow/flow_name"])


@pytest.mark.parametrize("flow", ["TrainFlow", "TunedFlow", "OtherFlow"])
def test_what_the_script_starts_is_deployed(mfhera: Mfhera, flow: str) -> None:
    script = mfhera.folder / "training_flows.py"
    script.write_text(FLOWS + STARTS.format(flow=flow))
    assert flow_of(mfhera.ok("create", script.name, "--only-json")) == flow
    done = mfhera.python(script.name, "hera", "create", "--only-json")
    assert flow_of(done.stdout) == flow, done.stderr
    (mfhera.folder / "call.py").write_text(PYTHON)
    done = mfhera.python("call.py", script.name, "TunedFlow")
    assert json.loads(done.stdout) == [flow, "TunedFlow"], done.stderr


def test_a_script_that_prepares_and_starts_an_imported_flow(mfhera: Mfhera) -> None:
    package = mfhera.folder / "flows"
    package.mkdir()
    (package / "__init__.py").touch()
    told = mfhera.folder / "told"
    (package / "training.py").write_text(FLOWS.replace("TOLD", str(told)))
    text = IMPORTS.format(flow="OtherFlow") + STARTS.format(flow="OtherFlow")
    (mfhera.folder / "main.py").write_text(text)
    mfhera.ok("create", "main.py")
    run = mfhera.run()
    start = mfhera.read(run["pathspec"])["start"]
    assert start["by"] == "('OtherFlow', 'set before the start')"
    assert start["word"] == "'set before the start'"
    assert told.read_text() == run["pathspec"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "talkative_flow.py", "--only-json"),
        ("create", "talkative_flow.py", "--dry-run", "--json"),
        ("lint", "talkative_flow.py", "--json"),
        ("create", "talkative_flow.py", "--json"),
        ("trigger", "talkative_flow.py", "--json"),
    ],
)
def test_stdout_holds_the_answer_alone(mfhera: Mfhera, arguments: tuple[str, ...]) -> None:
    mfhera.take("talkative_flow.py")
    if arguments[0] == "trigger":
        mfhera.ok("create", "talkative_flow.py")
    done = mfhera.cold(*arguments)
    assert json.loads(done.stdout), done.stderr
    words = {
        "loading models...",
        "from a child process",
        "by another name",
        "starting",
        "mutating",
        "goodbye",
    }
    if arguments[0] == "create":
        words |= {"computing a default", "from another child process", "INFO:root:by a logger"}
    if "--dry-run" not in arguments and arguments[0] == "create":
        words.add("packing")
    assert words <= set(done.stderr.splitlines())


def test_create_says_where_local_results_are_if_that_is_not_here(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    assert "Results are stored in" not in mfhera.ok("create", "linear_flow.py", "--name", "kept")
    inner = mfhera.folder / "inner"
    inner.mkdir()
    said = replace(mfhera, folder=inner).ok("create", "../linear_flow.py", "--name", "kept")
    assert f"Results are stored in {mfhera.folder / '.metaflow'}." in said
