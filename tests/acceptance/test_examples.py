"""The examples: the commands of examples/README.md, as they stand, and what their runs leave."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from argo_schema import faults
from harness import EXAMPLES, NETWORK, TESTS, Mfhera

README = (EXAMPLES / "README.md").read_text("utf-8")
COMMANDS = {
    title: block.splitlines()
    for title, block in re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?```bash\n(.*?)```", README, re.M | re.S)
}
READING = """
import base64, re
from metaflow import Flow, namespace
from metaflow.cards import get_cards

namespace(None)


def card(step):
    (found,) = get_cards(step.task)
    return base64.b64decode(re.search('__MF_DATA__\\[.*?\\] *= *"(.*?)"', found.get())[1]).decode()


"""


@pytest.fixture
def examples(mfhera: Mfhera) -> Mfhera:
    """`mfhera` in a folder that holds a copy of the examples."""
    shutil.copytree(EXAMPLES, mfhera.folder, dirs_exist_ok=True)
    return mfhera


def carry_out(examples: Mfhera, title: str) -> list[str]:
    """Run the commands below a heading; what each answered."""
    words = [shlex.split(command) for command in COMMANDS[title]]
    assert all(name == "mfhera" for name, *_ in words)
    return [examples.ok(*arguments) for _, *arguments in words]


def said(examples: Mfhera, *run: str) -> str:
    """What the tasks of a run printed; by default of the run that was started last."""
    return examples.ok("logs", *run)


def read(examples: Mfhera, expression: str) -> str:
    """What Metaflow's Client API has."""
    done = examples.python("-c", f"{READING}print({expression})")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_steps(examples: Mfhera) -> None:
    carry_out(examples, "First steps")
    assert "The wettest month was 2015-12, with 285 mm of rain." in said(examples)


def test_models(examples: Mfhera) -> None:
    carry_out(examples, "Models")
    assert "The best of 3 rounds: " in said(examples)
    compared = "Flow('CompareFlow').latest_run"
    shown, printed = read(
        examples, f"card({compared}['compare']), {compared}['end'].task.stdout, sep='\\0'"
    ).split("\0")
    assert "# The best of 3 models is linear (C=1.0)" in shown
    assert "vega-lite" in shown
    assert "linear (C=1.0) is the best. What matters to it: proline, " in printed


def test_many_small_tasks(examples: Mfhera) -> None:
    carry_out(examples, "Many small tasks")
    assert "450 flowers in 30 files" in said(examples)
    run = examples.json("status", "--json")
    pods = [
        node
        for node in examples.ask("workflows", run["run_id"].removeprefix("argo-"))["status"]["nodes"].values()
        if node["type"] == "Pod"
    ]
    assert len(pods) == 6


def test_every_night(examples: Mfhera) -> None:
    *_, filled = carry_out(examples, "Every night")
    assert "2 of 2 runs have succeeded." in filled
    runs = "sorted(Flow('OrdersFlow'), key=lambda run: run.data.date)"
    first, second, *_ = read(examples, f"*[card(run['report']) for run in {runs}], sep='\\0'").split("\0")
    assert "# 2026-10-24: " in first
    assert "# 2026-10-25: " in second


def test_a_project_with_branches(examples: Mfhera) -> None:
    carry_out(examples, "A project with branches")
    name = "terrace.prod.forecastflow"
    examples.wait_until(lambda: bool(examples.phases(name)))
    (run,) = examples.phases(name)
    assert examples.end_of(run) == "Succeeded"
    trained = read(examples, "*[run.id for run in Flow('TrainFlow').runs('promoted', 'project_branch:prod')]")
    assert f"64 seats at 24.0 °C, by the model of run {trained.strip()}" in said(examples, run)


def test_events(examples: Mfhera) -> None:
    carry_out(examples, "Events")
    examples.wait_until(lambda: bool(examples.phases("retrainflow")))
    run, *_ = examples.phases("retrainflow")  # at the full hour there are two
    assert examples.end_of(run) == "Succeeded"
    assert re.search(r"attic is at 2\d\.\d °C usually \(sensor\.drifted\)", said(examples, run))


def test_packages(examples: Mfhera, tmp_path: Path) -> None:
    """Metaflow gets the packages from an index, and Python from micromamba, for which something stands in."""
    micromamba = tmp_path / "micromamba"
    micromamba.write_text(f"#!{sys.executable}\n{(TESTS / 'micromamba.py').read_text()}")
    micromamba.chmod(0o755)
    env = {**examples.env, **NETWORK, "METAFLOW_PATH_TO_MICROMAMBA": str(micromamba)}
    examples = replace(examples, env=env)
    carry_out(examples, "Packages")
    assert "MMXXVI by 4.2, MMXXVI by 5.1" in said(examples)


def test_on_a_cluster(examples: Mfhera) -> None:
    carry_out(examples, "On a cluster")
    (template,) = yaml.safe_load_all((examples.folder / "tune.yaml").read_text())
    assert faults(template) == []
    pods = [each["container"] for each in template["spec"]["templates"] if "container" in each]
    assert {each["image"] for each in pods} == {"example.com/tune:1"}
    assert all({"secretRef": {"name": "hub-token"}} in each["envFrom"] for each in pods)
    gpus = [each["resources"].get("limits", {}).get("nvidia.com/gpu") for each in pods]
    assert sorted(gpus, key=str) == ["1", None]


def test_all_examples_are_listed_and_all_commands_run() -> None:
    linked = set(re.findall(r"\]\(([^)]*)\)", README))
    assert [link for link in linked if not (EXAMPLES / link).exists()] == []
    flows = [path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*_flow.py")]
    assert [str(each) for each in flows if not linked & {str(each), str(each.parent)}] == []
    tests = Path(__file__).read_text("utf-8")
    assert [title for title in COMMANDS if f'carry_out(examples, "{title}")' not in tests] == []
