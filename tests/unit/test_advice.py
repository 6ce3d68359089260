"""What is said of a script that is not there or cannot be loaded, and of a run in another spelling."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from metaflow import FlowSpec, step

from metaflow_hera.argo.run_names import flow_and_workflow
from metaflow_hera.cli.verbs.trigger import _is_newer
from metaflow_hera.errors import ConfigurationError, UsageError
from metaflow_hera.metaflow_api.light.scripts import absent
from metaflow_hera.metaflow_api.load.advice import about_the_flow, why_not_imported
from metaflow_hera.metaflow_api.load.datastores import check_credentials

FLOW = "from metaflow import FlowSpec\nclass TrainFlow(FlowSpec):\n    pass\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which has one flow in `train.py` and one more in `sub`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("train.py", "sub/my flow.py"):
        (tmp_path / name).write_text(FLOW)
    (tmp_path / "trains.txt").write_text("FlowSpec")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("trian.py", "There is no file trian.py: did you mean train.py?"),
        ("train", "did you mean train.py?"),
        ("TrainFlow", "did you mean train.py?"),
        ("sub/my_flow.py", "did you mean sub/my flow.py?"),
        ("other.py", "There is no file other.py: give the path of a flow's script, such as train.py."),
        ("nowhere/flow.py", "There is no file nowhere/flow.py: give the path of a flow's script."),
        (".", ". is a folder, and no file: give the path of a flow's script, such as train.py."),
        ("sub", "such as 'sub/my flow.py'."),
        ("alpha=0.5", "A Parameter's value is given as --param alpha=0.5."),
    ],
)
def test_a_file_that_is_not_there(here: Path, file: str, words: str) -> None:
    assert absent(file).endswith(words)


def loading(script: Path) -> str:
    """What is said of a script that cannot be loaded."""
    with pytest.raises(BaseException) as told:  # noqa: PT011
        exec(compile(script.read_bytes(), str(script), "exec"), {"__name__": "__main__"})
    return why_not_imported(script, told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = (", "SyntaxError: '(' was never closed (flow.py, line 1)."),
        ("\n\n{}['key']", "KeyError: 'key' (flow.py, line 3). `python flow.py check` shows the traceback."),
        ("import no_such_module", f"Install the package that has it into {sys.prefix}, or correct the name."),
        ("import json.no_such", "json is installed, but has no such module."),
        ("from metaflow import stepp", "Did you mean step"),
        ("from . import helper", "import the module by its name alone."),
        (
            "step",
            "NameError: name 'step' is not defined (flow.py, line 1). Add step to what the",
        ),
        ("import metaflow\nmetaflow.FlowSpec.run()", "FlowSpec() starts the flow"),
        ("import os\nos.environ['NO_SUCH']", "KeyError: 'NO_SUCH' (flow.py, line 2). Set this environment"),
        ("raise SystemExit", "SystemExit (flow.py, line 1). The script ends before it starts its flow"),
        ("import argparse\np = argparse.ArgumentParser()\np.error('x')", "make its own ones Parameters"),
        ("open('data.csv')", "and deploy with --package-suffixes .csv."),
    ],
)
def test_a_script_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "flow.py").write_text(text)
    if "open" not in text:
        monkeypatch.chdir(tmp_path)
    else:  # the file is beside the script, and not in the current folder
        monkeypatch.chdir(elsewhere)
        (tmp_path / "data.csv").touch()
    assert words in loading(tmp_path / "flow.py")


def test_a_module_that_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "common_code.py").touch()
    script = tmp_path / "sub" / "flow.py"
    script.write_text("import common_code")
    assert "common_code.py is above the flow's folder" in loading(script)
    (tmp_path / "flow.py").symlink_to(script)
    assert "The script is a link: give sub/flow.py" in loading(tmp_path / "flow.py")


class BeginnersFlow(FlowSpec):
    """A flow with a step, and a method that lacks its @step."""

    @step
    def start(self) -> None:
        self.next(self.train)

    def train(self) -> None: ...


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("Step start specifies a self.next() transition to an unknown step, train.", " Write @step above"),
        ("Step x specifies a self.next() transition to an unknown step, strat.", " Did you mean start?"),
        ("... a split started at step(s) a were joined. Add a join", " A join step takes the argument"),
        ("Unknown step decorator retri. The following", ". Did you mean retry?"),
        ("Unknown step decorator retry(times=3). The following", ". Attributes are written as --with retry:"),
        ("You tried to apply decorator 'timeout' on '10' which", " Its attributes have names: @timeout("),
        ("You tried to apply decorator 'retry' on 'start' which", ""),
        ("Something else.", ""),
    ],
)
def test_what_metaflow_says_of_a_flow(said: str, more: str) -> None:
    assert about_the_flow(said, BeginnersFlow).startswith(more)
    assert bool(about_the_flow(said, BeginnersFlow)) == bool(more)


@pytest.mark.parametrize(
    ("run", "meant"),
    [
        ("TrainFlow/argo-trainflow-x7k2p/start", "TrainFlow/argo-trainflow-x7k2p"),
        ("TrainFlow/trainflow-x7k2p", "TrainFlow/argo-trainflow-x7k2p"),
        ("ARGO-TRAINFLOW-X7K2P", "argo-trainflow-x7k2p"),
    ],
)
def test_a_run_in_another_spelling(run: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {meant}\\?"):
        flow_and_workflow(run)


def test_a_script_in_place_of_a_run() -> None:
    with pytest.raises(UsageError, match=r"or name one of those that mfhera runs flow\.py lists"):
        flow_and_workflow("flow.py")


def test_a_script_that_has_changed_since_it_was_deployed(tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.touch()
    os.utime(script, (1000, 1000))
    assert _is_newer(script, "1970-01-01T00:16:00Z")
    assert not _is_newer(script, "1970-01-01T00:17:00+00:00")
    assert not _is_newer(script, "yesterday")
    assert not _is_newer(script, None)


def test_s3_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    flow: Any = SimpleNamespace(datastore="s3", datastore_root="s3://bucket/folder")
    with pytest.raises(ConfigurationError, match="credentials for s3://bucket/folder: run aws configure"):
        check_credentials(flow)
    check_credentials(SimpleNamespace(datastore="local"))  # type: ignore[arg-type]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    check_credentials(flow)
