"""What a shell is told when its user presses the tab key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SECONDS, Mfhera

from metaflow_hera.translation.support import STEP_DECORATORS


def completed(mfhera: Mfhera, *words: str, **env: str) -> list[str]:
    """What the last of the words may become."""
    output = mfhera.ok(
        env={
            **env,
            "_MFHERA_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["mfhera", *words]),
            "COMP_CWORD": str(len(words)),
        }
    )
    return [line.partition(",")[2] for line in output.splitlines() if line]


def test_verbs_and_options(mfhera: Mfhera) -> None:
    assert completed(mfhera, "re") == ["resume", "retry", "resubmit"]
    assert "--with-new-code" in completed(mfhera, "retry", "--with")


def test_scripts_that_have_a_flow(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py", "split_flow.py")
    inner = mfhera.folder / "line"
    inner.mkdir()
    shutil.copy(mfhera.folder / "split_flow.py", inner)
    (mfhera.folder / "linked.py").write_text("print('no flow')")
    (mfhera.folder / "line.txt").write_text("FlowSpec")
    (mfhera.folder / ".hidden.py").write_text("FlowSpec")
    (mfhera.folder / "-x.py").write_text("FlowSpec")
    assert completed(mfhera, "create", "li") == ["line", "linear_flow.py"]
    assert completed(mfhera, "create", "line/") == ["line/split_flow.py"]
    assert completed(mfhera, "trigger", "") == ["./-x.py", "line", "linear_flow.py", "split_flow.py"]
    assert completed(mfhera, "create", f"{inner}/s") == [f"{inner}/split_flow.py"]
    assert completed(mfhera, "create", "absent/x") == []


def test_runs_and_deployments(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "completed")
    run = mfhera.run("--name", "completed")["run_id"]
    for words in (("logs", run[:-2]), ("status", "argo-completed-"), ("delete", "--run", "argo-completed-")):
        assert completed(mfhera, *words) == [run]
    assert completed(mfhera, "delete", "--name", "complet") == ["completed"]


def test_parameters_of_a_script_and_of_a_deployment(mfhera: Mfhera) -> None:
    mfhera.take("types_flow.py", "linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "without")
    mfhera.ok("create", "types_flow.py", "--name", "typed")
    for before in (("types_flow.py",), ("--name", "typed"), ()):
        assert "number=" in completed(mfhera, "trigger", *before, "--param", "")
        assert "number=" in completed(mfhera, "backfill", *before, "--param", "")
        assert completed(mfhera, "trigger", *before, "-p", "numb") == ["number="]
        assert completed(mfhera, "trigger", *before, "--param", "flag=t") == ["flag=true"]
        assert completed(mfhera, "trigger", *before, "--param", "number=") == []
    assert completed(mfhera, "trigger", "--name", "without", "--param", "") == []
    for absent in (("absent.py",), ("--name", "absent")):
        assert completed(mfhera, "trigger", *absent, "--param", "") == []


def test_steps_of_a_run(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "steps")
    run = mfhera.run("--name", "steps")["run_id"]
    assert completed(mfhera, "logs", run, "") == ["end", "middle", "start"]
    assert completed(mfhera, "logs", f"LinearFlow/{run}", "mi") == ["middle"]
    assert completed(mfhera, "logs", "argo-absent-x7k2p", "") == []


def test_values_of_metaflows_options(mfhera: Mfhera) -> None:
    assert completed(mfhera, "create", "--datastore", "") == ["local", "s3", "azure", "gs"]
    assert completed(mfhera, "create", "--with", "re") == ["resources", "retry"]
    for_people = STEP_DECORATORS - {
        "parallel",
        "hera_internal",
        "unbounded_test_foreach_internal",
        "splits_per_pod",
    }
    assert set(completed(mfhera, "create", "--with", "")) == for_people


@pytest.mark.parametrize("env", [{}, {"ARGO_SERVER": "127.0.0.1:9"}, {"ARGO_SERVER": "://"}])
def test_without_a_server_nothing_is_completed(own_mfhera: Mfhera, env: dict[str, str]) -> None:
    assert completed(own_mfhera, "logs", "argo-", **env) == []


def test_bash_takes_the_script(mfhera: Mfhera, tmp_path: Path) -> None:
    mfhera.take("linear_flow.py")
    command = tmp_path / "bin" / "mfhera"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m metaflow_hera.cli.main "$@"\n')
    command.chmod(0o755)
    script = """
eval "$(mfhera completion bash)"
COMP_WORDS=(mfhera create lin) COMP_CWORD=2
_mfhera_completion mfhera
echo "${COMPREPLY[@]}"
compopt() { echo "compopt $1 $2"; }
COMP_WORDS=(mfhera trigger types_flow.py --param numb) COMP_CWORD=4 COMPREPLY=()
_mfhera_completion mfhera
echo "${COMPREPLY[@]}"
"""
    mfhera.take("types_flow.py")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=mfhera.folder,
        env={**mfhera.env, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout.splitlines() == ["linear_flow.py", "compopt -o nospace", "number="], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(mfhera: Mfhera, shell: str) -> None:
    script = mfhera.ok("completion", shell)
    assert f"_MFHERA_COMPLETE={shell}_complete" in script
    assert mfhera.ok("completion", env={"SHELL": f"/bin/{shell}"}) == script


def test_completion_imports_nothing_that_is_slow(mfhera: Mfhera) -> None:
    code = """
import sys
from metaflow_hera.cli.main import mfhera
try:
    mfhera.main([], prog_name="mfhera", standalone_mode=False)
finally:
    slow = {"metaflow", "hera", "rich", "requests", "pydantic"} & set(sys.modules)
    print("slow:", *sorted(slow))
"""
    for words in (
        "mfhera re",
        "mfhera logs argo-",
        "mfhera create x",
        "mfhera trigger --param x",
        "mfhera logs x y",
    ):
        env = {"_MFHERA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = mfhera.cold.python("-c", code, env=env)
        assert done.stdout.splitlines()[-1].strip() == "slow:", done.stdout + done.stderr


def test_a_verb_that_is_not_there(mfhera: Mfhera) -> None:
    for verb, hint in (
        ("statsu", "Did you mean status"),
        ("unsuspend", "Did you mean resume?"),
        ("xyz", "'xyz'."),
    ):
        done = mfhera(verb, "argo-x")
        assert done.returncode == 2
        assert hint in done.stderr
