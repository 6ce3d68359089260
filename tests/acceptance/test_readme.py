"""The README's commands, run as they stand, from a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import NETWORK, SECONDS, clean_environment, wait_until
from warm_command import warm_command

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
METAFLOW = ROOT / "docs" / "metaflow.md"
STARTING = ROOT / "docs" / "starting.md"
OPERATING = ROOT / "docs" / "operating.md"
CHANGING = ROOT / "docs" / "changing.md"


def blocks(language: str, document: Path = README) -> list[str]:
    found = re.findall(r"```(\w*)\n(.*?)```", document.read_text(encoding="utf-8"), re.S)
    return [text for kind, text in found if kind == language]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A copy of what git has of the project, and an environment with a home of its own."""
    folder = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    env = {
        **clean_environment(tmp_path_factory.mktemp("home"), BROWSER="true %s"),
        **NETWORK,  # nox installs
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ["HOME"],  # with the package index's settings, and what has been fetched before
    }
    (folder / ".metaflow").mkdir()
    with warm_command() as command:
        yield folder, {**env, "PATH": f"{command}{os.pathsep}{env['PATH']}"}
    subprocess.run(["mfhera", "local", "stop"], cwd=folder, env=env, timeout=SECONDS, check=True)


def shell(command: str, place: tuple[Path, dict[str, str]]) -> str:
    folder, env = place
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def python(code: str, place: tuple[Path, dict[str, str]], elsewhere: Path) -> str:
    """Run code as a script of another folder: the copy's own packages would meet the installed ones."""
    script = elsewhere / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=place[0],
        env=place[1],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_command_shows_alpha_read_by_the_client(place: tuple[Path, dict[str, str]]) -> None:
    command = blocks("bash")[0]
    assert "nox -s demo" in command
    output = shell(command, place)
    for line in blocks("")[0].splitlines():
        assert line in output
    assert output.count("── ✓ start Succeeded") == 1
    assert "http://127.0.0.1:" in output.rstrip().splitlines()[-1]
    further = re.findall(r"^  (\. .*|mfhera .*)$", output, re.M)
    assert further[0] == ". .nox/demo/bin/activate"
    assert blocks("bash")[2].startswith(further[0])
    assert len(further) == 3
    assert "succeeded" in shell("\n".join(further), place)


def test_the_commands_of_using_it_run_as_written(place: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    commands = [line for line in blocks("bash")[2].splitlines() if line.startswith("mfhera ")]
    assert len(commands) == 4
    outputs = [shell(command, place) for command in commands]
    assert "Deployed ParameterFlow as parameterflow" in outputs[0]
    assert "succeeded" in outputs[1]
    assert "start Succeeded" in outputs[2]
    assert "Succeeded" in outputs[3]
    reading, notebook = blocks("python")
    reading += 'print(Flow("ParameterFlow").latest_run["start"].task.data.alpha)'
    assert python(reading, place, tmp_path).strip() == "0.5"
    python(notebook + "assert run.status == 'Succeeded'", place, tmp_path)


def test_the_other_commands_run_as_written(place: tuple[Path, dict[str, str]]) -> None:
    for block in blocks("bash")[3:]:
        if "ARGO_SERVER" in block:
            continue  # needs a cluster
        shell(block, place)
    assert (place[0] / "parameter_flow.yaml").read_text().startswith("apiVersion: ")


def test_what_one_knows_from_metaflow_runs_as_written(
    place: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    life, resumed = blocks("bash", METAFLOW)
    assert "succeeded" in shell(life, place)
    shell(resumed, place)
    deployer, notebook = blocks("python", METAFLOW)
    assert python(deployer, place, tmp_path).splitlines()[-1] == "Succeeded 0.5"
    assert python(notebook, place, tmp_path).splitlines()[-1] == "parameterflow Succeeded 0.25"


def test_what_starts_by_itself_runs_as_written(place: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    schedules, missed, finishes, events, exports = blocks("bash", STARTING)
    assert shell(schedules, place).count("Europe/Berlin") >= 4
    said = shell(missed, place)
    assert said.count("not started") == 4
    assert "4 of 4 runs have succeeded." in said
    shell(finishes, place)
    wait_until(lambda: '"Succeeded"' in shell("mfhera runs --name reportflow --json", place))
    reading = """
from metaflow import Flow, namespace

namespace(None)
print(Flow("ReportFlow").latest_run["end"].task.data.total)
"""
    assert python(reading, place, tmp_path).strip() == "600"
    assert "Published shelf.empty" in shell(events, place)
    assert "LoadFlow is fine" in shell(exports, place)
    assert (place[0] / "manifests" / "cronworkflow-loadflow.yaml").exists()


def test_what_is_done_to_runs_runs_as_written(place: tuple[Path, dict[str, str]]) -> None:
    begun, listed, logs, mended, again, held, tidied = blocks("bash", OPERATING)
    assert "share-1 failed" in shell(begun, place)
    assert "shareflow" in shell(listed, place)
    assert "share/share-1: ZeroDivisionError: division by zero" in shell(logs, place)
    assert "'Lyon': 0.0" in shell(mended, place)
    assert "succeeded" in shell(again, place)
    assert "Resumed" in shell(held, place)
    assert "its results stay in the datastore" in shell(tidied, place)


def test_a_change_of_production_and_the_way_back_run_as_written(place: tuple[Path, dict[str, str]]) -> None:
    changed, restored = blocks("bash", CHANGING)
    said = shell(changed, place)
    assert "- the schedule 0 * * * * (UTC)" in said
    assert "+ the schedule 0 0 * * * (UTC)" in said
    assert "There is something to deploy." in said
    assert "2 (live)" in said
    said = shell(restored, place)
    assert "Would roll back hourlyflow to version 1, as version 3." in said
    assert "3 (live)" in said
    assert "a rollback to 1: once an hour" in said
    assert "METAFLOW_HERA_HISTORY" in CHANGING.read_text("utf-8")


def test_the_second_command_is_the_one_that_ci_runs() -> None:
    command = blocks("bash")[1].strip()
    assert command.endswith(".venv/bin/nox -s tests")
    assert ".venv/bin/nox -s tests" in (ROOT / ".ci" / "run").read_text()


def test_documents_name_files_and_headings_that_exist() -> None:
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text("utf-8")):
            file = document.parent / target if target else document
            assert file.exists(), f"{document.name} links to {target}"
            if heading:
                titles = re.findall(r"^#+ (.*)$|<a id=\"(.*?)\">", file.read_text("utf-8"), re.M)
                names = [re.sub(r"[^\w -]", "", "".join(title)).lower().replace(" ", "-") for title in titles]
                assert heading in names, f"{document.name} links to {target}#{heading}"
