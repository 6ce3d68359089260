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
from pathlib import Path

import pytest
from harness import SECONDS

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
        source = folder / "source"
        runtime = source / ".mf_code" / "metaflow_hera" / "runtime"
        runtime.mkdir(parents=True)
        (runtime / "pod.py").write_text(runtime_text)
        for place in (runtime, runtime.parent):
            (place / "__init__.py").touch()
        (source / "flow.py").write_text("FLOW")
        with tarfile.open(package, "w:gz") as tar:
            for item in source.iterdir():
                tar.add(item, item.name)
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


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    """What the runtime in the package saw."""
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_neither_argo_nor_kubernetes_finds_anything_to_expand() -> None:
    text = bootstrap()
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
