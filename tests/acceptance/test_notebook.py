"""examples/notebook.ipynb, and notebooks that go wrong, by a real Jupyter kernel."""

from __future__ import annotations

import shutil
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from harness import EXAMPLES, SECONDS, Mfhera
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

FLOW = """
class CellFlow(FlowSpec):
    @step
    def start(self):
        self.value = VALUE
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def folder(mfhera: Mfhera) -> Iterator[Mfhera]:
    yield mfhera
    left = [path.name for path in mfhera.folder.iterdir() if path.suffix == ".py"]
    assert left == []  # the script of a cell's flow is gone


def execute(mfhera: Mfhera, notebook: Any) -> list[list[Any]]:
    """Run a notebook in the folder and return the outputs of its cells."""
    client = NotebookClient(
        notebook,
        timeout=int(SECONDS),
        kernel_name="python3",
        resources={"metadata": {"path": str(mfhera.folder)}},
    )
    client.execute(env=mfhera.env)
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def cells(*texts: str) -> Any:
    return new_notebook(cells=[new_code_cell(text) for text in texts])


def test_the_example(folder: Mfhera) -> None:
    shutil.copy(EXAMPLES / "notebook.ipynb", folder.folder)
    notebook = nbformat.read(folder.folder / "notebook.ipynb", as_version=4)
    *_, deployed, run, errors, logs, _, compared, nights, days, deleted = execute(folder, notebook)
    html = deployed[-1].data["text/html"]
    assert "NotebookFlow" in html
    assert "alpha: float = 0.1" in html
    assert "3/3" in run[0].data["text/html"]
    assert run[0].data["text/plain"].startswith("NotebookFlow/argo-notebookflow-")
    shops = ["Berlin", "Lyon", "Porto"]
    of_shops = literal_eval(errors[0].data["text/plain"])
    assert list(of_shops) == shops
    assert logs[0].text.splitlines() == [f"{shop}: {of_shops[shop]} pieces wrong" for shop in shops]
    assert [line.split()[0] for line in compared[0].text.splitlines()] == ["alpha", *shops]
    times = [f"2026-10-{day} 00:00+00:00 UTC" for day in (24, 25)]
    assert literal_eval(nights[-1].data["text/plain"]) == [(time, "Succeeded") for time in times]
    assert list(literal_eval(days[0].data["text/plain"])) == ["2026-10-24", "2026-10-25"]
    assert deleted == []


def test_what_a_flow_needs_of_other_cells(folder: Mfhera) -> None:
    notebook = cells(
        "from metaflow import FlowSpec, step\nimport os.path as paths",
        "VALUE = 1",
        "VALUE = {'of': [2, 3]}  # the last one counts\nother = len('never needed')",
        FLOW.replace("VALUE", "paths.basename('a/b'), VALUE, [each for each in VALUE]"),
        "%time None\nfrom metaflow_hera import deploy, translate",
        "run = deploy(CellFlow).trigger(tags=['x'])\nrun.wait()",
        "run.run['start'].task.data.value, 'x' in run.run.tags, run.status, run.is_running",
        "translate(CellFlow)",
        "print(run)",
    )
    outputs = execute(folder, notebook)
    (live,) = outputs[5]  # shown while it ran
    assert "✓ end </span>" in live.data["text/html"]
    assert "var(--jp-success-color1" in live.data["text/html"]
    short, folded = outputs[-2][0].data["text/html"].split("<details>")
    assert "CellFlow" in short
    assert "kind: WorkflowTemplate" in folded
    assert outputs[-3][0].data["text/plain"] == "(('b', {'of': [2, 3]}, ['of']), True, 'Succeeded', False)"
    assert "✓ start Succeeded" in outputs[-1][0].text


def test_a_value_that_a_cell_computes(folder: Mfhera) -> None:
    notebook = cells(
        "from metaflow import FlowSpec, step\nfrom metaflow_hera import deploy\nVALUE = len('abc')",
        FLOW,
        "deploy(CellFlow)",
    )
    with pytest.raises(CellExecutionError, match="CellFlow uses VALUE, which a cell computes") as error:
        execute(folder, notebook)
    assert error.value.ename == "FlowError"


def test_a_run_that_fails(folder: Mfhera) -> None:
    notebook = cells(
        "from metaflow import FlowSpec, step\nfrom metaflow_hera import deploy",
        FLOW.replace("VALUE", "1 / 0"),
        "run = deploy(CellFlow).trigger()\nrun.wait()",
    )
    with pytest.raises(CellExecutionError, match="ZeroDivisionError") as error:
        execute(folder, notebook)
    assert error.value.ename == "RunFailed"


def test_metaflows_own_deployer_of_notebooks(folder: Mfhera) -> None:
    notebook = cells(
        "from metaflow import FlowSpec, NBDeployer, step\n"
        + FLOW.replace("VALUE", "7")
        + "\ndeployer = NBDeployer(CellFlow, base_dir='.', show_output=False)\n"
        "run = deployer.hera().create().trigger()\n"
        "run.wait_for_completion(check_interval=0.2)\n"
        "value = run.status, run.run['start'].task.data.value\n"
        "deployer.cleanup()",
        "value",
    )
    assert execute(folder, notebook)[-1][0].data["text/plain"] == "('Succeeded', 7)"
