"""`python flow.py hera VERB`, from an editable installation, from a wheel, and within a code package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness import NETWORK, SECONDS, TESTS, Mfhera, step_of

IN_A_POD = ("requests", "urllib3", "certifi", "idna", "charset_normalizer")
"""What Metaflow itself needs where nothing but its own code package is."""


def hera(mfhera: Mfhera, flow: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return mfhera.python(flow, "hera", *arguments, **options)  # type: ignore[arg-type]


def ok(mfhera: Mfhera, flow: str, *arguments: str) -> str:
    done = hera(mfhera, flow, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_whole_life(mfhera: Mfhera) -> None:
    mfhera.take("gate_flow.py")
    said = ok(mfhera, "gate_flow.py", "--name", "by-metaflow", "create", "--tag", "all", "--max-workers", "3")
    assert "Deployed GateFlow as by-metaflow, version 1." in said
    assert "python gate_flow.py hera trigger" in said
    gate = mfhera.folder / "gate"
    named = ("--name", "by-metaflow")
    start = ("trigger", "--gate", str(gate), "--tag", "mine", "--run-id-file", "id")
    said = ok(mfhera, "gate_flow.py", *named, *start)
    run_id = (mfhera.folder / "id").read_text()
    assert f"Started GateFlow/{run_id}." in said
    assert "Suspended" in ok(mfhera, "gate_flow.py", *named, "suspend", run_id)
    gate.touch()
    assert "Resumed" in ok(mfhera, "gate_flow.py", *named, "unsuspend", run_id)
    ok(mfhera, "gate_flow.py", *named, "status", run_id, "--watch")
    run = json.loads(ok(mfhera, "gate_flow.py", *named, "status", run_id, "--json"))
    assert run["state"] == "Succeeded"
    assert {"all", "mine"} <= set(mfhera.read(run["pathspec"])["end"]["tags"])
    # What has ended can be neither suspended nor ended.
    for verb in ("suspend", "terminate"):
        done = hera(mfhera, "gate_flow.py", *named, verb, run_id)
        assert done.returncode == 2
        assert "has ended as Succeeded" in done.stderr
    second = json.loads(ok(mfhera, "gate_flow.py", *named, "trigger", "--gate", "absent", "--json"))
    assert "Terminated" in ok(mfhera, "gate_flow.py", *named, "terminate", second["run_id"])
    listed = json.loads(ok(mfhera, "gate_flow.py", *named, "list-runs", "--json"))
    assert [each["run_id"] for each in listed] == [second["run_id"], run_id]
    assert "Deleted the workflow template by-metaflow." in ok(mfhera, "gate_flow.py", *named, "delete")
    done = hera(mfhera, "gate_flow.py", *named, "trigger", "--gate", "x")
    assert done.returncode == 2
    assert "There is no deployment by-metaflow" in done.stderr


def test_mfhera_has_the_same_verbs(mfhera: Mfhera) -> None:
    mfhera.take("gate_flow.py")
    mfhera.ok("create", "gate_flow.py")
    run = mfhera.json("trigger", "--param", "gate=g", "--tag", "t", "--json")["run_id"]
    assert "Suspended" in mfhera.ok("suspend", run)
    assert "Resumed" in mfhera.ok("resume", run)
    assert "Terminated" in mfhera.ok("terminate", run)
    done = mfhera("status", run, "--watch")
    assert "Failed" in done.stdout


def test_parameters_that_are_called_like_options(mfhera: Mfhera) -> None:
    mfhera.take("words_flow.py")
    ok(mfhera, "words_flow.py", "create")
    words = ("--watch", "x", "--wait", "5", "--json", "[]", "--Upper-Case", "Z", "--run-id-file", "id")
    ok(mfhera, "words_flow.py", "trigger", *words)
    run_id = (mfhera.folder / "id").read_text()
    mfhera.ok("status", run_id, "--watch")
    assert mfhera.read(f"WordsFlow/{run_id}")["end"]["seen"] == "('x', 5, '[]', 'Z')"


def test_options_of_metaflow_come_before(mfhera: Mfhera) -> None:
    mfhera.take("flaky_flow.py")
    done = mfhera.python(
        "flaky_flow.py", "--with", "retry:times=2,minutes_between_retries=0", "hera", "create", "--json"
    )
    assert done.returncode == 0, done.stderr
    run = json.loads(ok(mfhera, "flaky_flow.py", "trigger", "--wait", "--json"))
    assert step_of(run, "start")["attempts"] > 1


def test_kubernetes_needs_neither_the_package_nor_a_cloud(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    done = mfhera.python("linear_flow.py", "--with", "kubernetes:memory=512", "hera", "create", "--only-json")
    assert done.returncode == 0, done.stderr
    assert '"memory": "512M"' in done.stdout


def test_the_export_is_that_of_mfhera(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    options = ("--only-yaml", "--new-token", "t", "--workflow-title", "T", "--workflow-description", "D")
    written = ok(mfhera, "linear_flow.py", "create", *options)
    assert written == mfhera.ok("create", "linear_flow.py", *options)
    assert "workflows.argoproj.io/title: T\n" in written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "--max-workers", "0"], "--max-workers 0"),
        (["create", "--new-token", "a", "--generate-new-token"], "choose one"),
        (["create", "--new-token", "a b"], "not a valid token"),
        (["create", "--only-json", "--only-yaml"], "choose one"),
        (["create", "--tag", ""], "empty"),
        (["--name", "Not_A_Name", "create"], "Not_A_Name"),
        (["status", "argo-absent-1"], "argo-absent-1"),
        (["terminate", "argo-absent-1"], "argo-absent-1"),
        (["delete"], "There is no deployment"),
    ],
)
def test_bad_input_is_told_in_one_sentence(mfhera: Mfhera, arguments: list[str], words: str) -> None:
    mfhera.take("own_names_flow.py")
    mfhera.ok("local", "start")
    done = hera(mfhera, "own_names_flow.py", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("hera: ")]
    assert words in said
    assert "Traceback" not in done.stderr


def test_an_empty_tag_starts_no_run(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py")
    done = hera(mfhera, "linear_flow.py", "trigger", "--tag", "")
    assert done.returncode == 2, done.stdout + done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("hera: ")]
    assert "empty" in said


def test_a_run_of_another_flow_is_not_touched(mfhera: Mfhera) -> None:
    mfhera.take("gate_flow.py", "linear_flow.py")
    mfhera.ok("create", "gate_flow.py")
    run = mfhera.json("trigger", "--param", "gate=g", "--json")["run_id"]
    done = hera(mfhera, "linear_flow.py", "terminate", run)
    assert done.returncode == 2
    assert f"{run} is a run of GateFlow, not of LinearFlow" in done.stderr
    mfhera.ok("terminate", run)


def test_in_a_code_package_where_hera_is_not(mfhera: Mfhera, tmp_path: Path) -> None:
    mfhera.take("linear_flow.py")
    spec = json.loads(mfhera.ok("create", "linear_flow.py", "--only-json"))["spec"]
    arguments = {each["name"]: each.get("value") for each in spec["arguments"]["parameters"]}
    package, others = tmp_path / "package", tmp_path / "others"
    with tarfile.open(arguments["metaflow-code-package"]) as tar:
        tar.extractall(package)  # made by this test
    others.mkdir()
    for name in IN_A_POD:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (others / name).symlink_to(Path(spec.origin).parent)
    found = os.pathsep.join([str(package / ".mf_code"), str(others)])

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Without site-packages: what is there is Python and the code package.
        return subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=package,
            env={**mfhera.env, "PYTHONPATH": found, "METAFLOW_EXTRACTED_ROOT": str(package)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    shown = call("linear_flow.py", "hera", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "Deploy a new version of this flow" in shown.stdout
    refused = call("linear_flow.py", "hera", "create")
    assert refused.returncode == 2
    assert "pip install metaflow_hera" in refused.stderr
    code = "from metaflow import Deployer; print(type(Deployer('linear_flow.py').hera()).__name__)"
    assert call("-c", code).stdout == "HeraDeployer\n"


@pytest.mark.slow
def test_from_a_wheel(mfhera: Mfhera, tmp_path: Path) -> None:
    mfhera.take("linear_flow.py")
    wheels, venv = tmp_path / "wheels", tmp_path / "venv"
    python = str(venv / "bin" / "python")

    def uv(*arguments: str) -> None:
        command = [sys.executable, "-m", "uv", "--quiet", *arguments]
        subprocess.run(command, check=True, env={**os.environ, **NETWORK}, timeout=SECONDS)

    uv("build", "--wheel", "--out-dir", str(wheels), str(TESTS.parent))
    (wheel,) = wheels.glob("*.whl")
    uv("venv", "--python", sys.executable, str(venv))
    uv("pip", "install", "--python", python, str(wheel))

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [python, "linear_flow.py", "hera", *arguments],
            cwd=mfhera.folder,
            env=mfhera.env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("create")
    run = json.loads(call("trigger", "--wait", "--json"))
    assert sorted(mfhera.read(run["pathspec"])) == ["end", "middle", "start"]
