"""The script that a pod starts with, as it is in the manifest."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import SECONDS
from metaflow.metaflow_environment import MetaflowEnvironment

from metaflow_hera.contract.datastores import DATASTORES, SHARED
from metaflow_hera.metaflow_api.load.archives import Member, archive
from metaflow_hera.translation.container_templates import bootstrap

RUNTIME = """
import json, os, sys

def main(said):
    print(json.dumps({
        "said": [line for _, line in said],
        "folder": os.getcwd(),
        "path": sys.path[:2],
        "odd": os.environ.get("ODD"),
        "files": sorted(os.listdir(".")),
    }))
    return 7
"""


def start(folder: Path, runtime_text: str = RUNTIME, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap in a folder, with a code package whose runtime tells what it sees."""
    package = Path(env.get("METAFLOW_CODE_URL", folder / "package.tar"))
    if not package.exists():
        runtime = folder / "source" / "metaflow_hera" / "runtime"
        runtime.mkdir(parents=True)
        (runtime / "pod.py").write_text(runtime_text)
        for place in (runtime, runtime.parent):
            (place / "__init__.py").touch()
        package.write_bytes(archive(modules(folder), [Member("flow.py", b"FLOW")], None))
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", bootstrap("local")],
        cwd=work,
        env={
            "PATH": os.environ["PATH"],
            "METAFLOW_CODE_URL": str(package),
            "METAFLOW_CODE_DS": "local",
            **env,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def modules(folder: Path) -> list[Member]:
    """The modules of the package in a folder, as they are named in it."""
    source = folder / "source"
    files = sorted(source.rglob("*.py"))
    return [Member(f".mf_code/{file.relative_to(source)}", str(file)) for file in files]


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What the runtime in the package saw."""
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("datastore", DATASTORES)
def test_neither_argo_nor_kubernetes_finds_anything_to_expand(datastore: str) -> None:
    text = bootstrap(datastore)
    assert "{{" not in text
    assert "}}" not in text
    assert "$" not in text
    ast.parse(text)


def test_it_goes_on_into_the_runtime_of_the_package(tmp_path: Path) -> None:
    done = start(tmp_path)
    assert done.returncode == 7, done.stderr
    seen = told(done)
    assert seen["said"] == done.stdout.splitlines()[:-1]
    assert "flow.py" in seen["files"]  # type: ignore[operator]
    assert seen["path"][0] == seen["folder"]  # type: ignore[index]


def test_encoded_variables_are_there_as_they_were_written(tmp_path: Path) -> None:
    encoded = base64.b64encode(json.dumps({"ODD": "$(HOME) {{x}} $$\n"}).encode()).decode()
    seen = told(start(tmp_path, METAFLOW_HERA_ENCODED=encoded))
    assert seen["odd"] == "$(HOME) {{x}} $$\n"


def test_pods_of_one_machine_share_the_unpacked_package_but_not_the_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, second = (start(tmp_path, EMBEDDED_ARGO_CACHE=str(cache)) for _ in range(2))
    assert "Code package downloaded." in first.stdout
    assert "Code package downloaded." not in second.stdout
    assert told(first)["folder"] != told(second)["folder"]
    assert "flow.py" in told(second)["files"]  # type: ignore[operator]
    assert sorted(each.name.partition("-")[0] for each in cache.iterdir()) == ["code", "modules"]


def test_packages_share_their_modules_if_these_are_the_same(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for number, runtime in enumerate((RUNTIME, RUNTIME, f"{RUNTIME}# later")):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = start(
            folder, runtime, EMBEDDED_ARGO_CACHE=str(cache), METAFLOW_CODE_URL=f"{folder}/one-{number}"
        )
        assert done.returncode == 7, done.stderr
    assert len([*cache.glob("code-*")]) == 3
    assert len([*cache.glob("modules-*")]) == 2


def test_a_package_that_does_not_say_where_its_modules_end_is_unpacked_whole(tmp_path: Path) -> None:
    """As an older version has made it, and `create --from-branch` deploys it again."""
    start(tmp_path)
    with tarfile.open(tmp_path / "older.tar", "w:gz") as tar:
        for name, source in modules(tmp_path):
            tar.add(source, name)
    for cache in ({}, {"EMBEDDED_ARGO_CACHE": str(tmp_path / "cache")}):
        done = start(tmp_path, METAFLOW_CODE_URL=str(tmp_path / "older.tar"), **cache)
        assert done.returncode == 7, done.stderr
    assert [each.name for each in (tmp_path / "cache").iterdir()] == ["code-older.tar"]


OWN = [Member(f"own_{number}.py", b"x = 1\n" * number) for number in range(9)]


@pytest.mark.parametrize("cached", [False, True])
def test_a_package_that_is_cut_short_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    """Wherever that is: no file is missing in silence."""
    program: dict[str, Any] = {"__name__": "the bootstrap"}
    exec(bootstrap("local").partition("\ngc.disable()")[0], program)
    program["said"] = []
    start(tmp_path)
    whole = archive(modules(tmp_path), OWN, None)
    package, cache = tmp_path / "package", tmp_path / "cache"
    for name, value in {"URL": str(package), "DS": "local"}.items():
        monkeypatch.setenv(f"METAFLOW_CODE_{name}", value)
    cache.mkdir()
    missing = []
    for length in range(len(whole)):
        package.write_bytes(whole[:length])
        folder = tmp_path / str(length)
        folder.mkdir()
        with suppress(EOFError, OSError, tarfile.TarError, zlib.error):
            program["unpack"](str(folder), str(cache) if cached else None)
            if not all((folder / name).exists() for name, _ in [*modules(tmp_path), *OWN]):
                missing.append(length)
    assert not missing
    assert len([*cache.iterdir()]) == cached  # the modules as they are when they are whole


def test_a_flow_with_files_among_the_modules_shares_none(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert start(tmp_path, EMBEDDED_ARGO_CACHE=str(cache)).returncode == 7
    own = Member(".mf_code/metaflow_hera/runtime/pod.py", RUNTIME.replace("7", "9").encode())
    (tmp_path / "own.tar").write_bytes(archive(modules(tmp_path), [own], None))
    env = {"EMBEDDED_ARGO_CACHE": str(cache)}
    assert start(tmp_path, METAFLOW_CODE_URL=str(tmp_path / "own.tar"), **env).returncode == 9
    assert start(tmp_path, **env).returncode == 7


def test_modules_that_were_removed_are_unpacked_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert start(tmp_path, EMBEDDED_ARGO_CACHE=str(cache)).returncode == 7
    (modules,) = cache.glob("modules-*")
    shutil.rmtree(modules)
    assert start(tmp_path, EMBEDDED_ARGO_CACHE=str(cache)).returncode == 7
    assert modules.is_dir()


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        ("def main(said):\n    raise ValueError('broken\\nand more')", "ValueError: broken"),
        (
            "import a_module_that_is_not_there",
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        ),
        ("def main(said):\n    raise SystemExit('no more attempts')", "no more attempts"),
    ],
)
def test_why_a_pod_ends_before_its_task_is_its_termination_message(
    tmp_path: Path, runtime: str, reason: str
) -> None:
    message = tmp_path / "message"
    done = start(tmp_path, runtime, METAFLOW_HERA_MESSAGE=str(message))
    assert done.returncode == 1
    assert message.read_text() == reason
    assert reason in done.stderr


def test_a_second_start_in_the_same_folder_works(tmp_path: Path) -> None:
    """As when Kubernetes starts a container of a pod again."""
    assert start(tmp_path).returncode == 7
    assert start(tmp_path).returncode == 7


PIP = """
import json, sys
print(json.dumps(sys.argv[1:]))
sys.exit(1)
"""


def bare(folder: Path, datastore: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap as in an image with Python alone, whose pip fails after it has said its arguments."""
    (folder / "pip.py").write_text(PIP)
    program = f"import time\ntime.sleep = lambda seconds: None\n{bootstrap(datastore)}"
    return subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=folder,
        env={"METAFLOW_CODE_URL": "a://b/c", "METAFLOW_CODE_DS": datastore, **env},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def asked_of_pip(done: subprocess.CompletedProcess[str]) -> list[set[str]]:
    """The arguments of each call of pip."""
    return [set(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("[")]


@pytest.mark.parametrize("datastore", SHARED)
def test_what_an_image_lacks_is_installed_as_by_metaflow_itself(datastore: str, tmp_path: Path) -> None:
    done = bare(tmp_path, datastore)
    command = MetaflowEnvironment(None)._get_install_dependencies_cmd(datastore)
    words = command.partition(" -m pip ")[2].removesuffix("; fi").split()
    # Metaflow fetches its package with a command of these, and the bootstrap without.
    assert asked_of_pip(done)[0] == {word for word in words if not word.endswith("-downloader")}
    last = done.stderr.splitlines()[-1]
    assert "could not be fetched: the image lacks" in last
    assert last.endswith("requests, and pip could not install that (exit code 1).")


def test_nothing_is_installed_where_metaflow_would_not(tmp_path: Path) -> None:
    done = bare(tmp_path, "azure", METAFLOW_SKIP_INSTALL_DEPENDENCIES="1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "The code package cannot be fetched: the image lacks azure-identity, azure-storage-blob, requests, "
        "and nothing may be installed."
    )
    assert "trying again" not in done.stdout


@pytest.mark.parametrize("datastore", SHARED)
def test_an_image_with_the_libraries_needs_no_pip(datastore: str, tmp_path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(bootstrap(datastore))) if isinstance(node, ast.Call)]
    needs = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "need")
    for package in needs.args:
        place = tmp_path.joinpath(*ast.literal_eval(package).split("-"))
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
    done = bare(tmp_path, datastore)
    assert done.returncode == 1  # nothing is in them
    assert "the image lacks" not in done.stderr
    assert not asked_of_pip(done)
