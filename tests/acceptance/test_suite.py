"""The suite itself: it is green wherever it is started, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SECONDS, wait_until, without_the_machine

ROOT = Path(__file__).parents[2]
SLICE = [
    "tests/integration/test_flows.py::test_a_flow_makes_the_same_as_by_metaflow_itself[single_flow.py]",
    "tests/integration/test_ownership.py::test_a_branch_is_not_another_ones",
    "tests/integration/test_bad_input.py::TestServers::test_the_server_denies",
    "tests/integration/test_bad_input.py::TestSurroundings::test_no_home_at_all",
    "tests/integration/test_warm.py::test_a_configuration_file_counts",
    "tests/integration/embedded/test_local.py::test_start_status_stop",
    "tests/unit/test_target.py",
    "tests/unit/test_tokens.py",
    "tests/unit/translation/test_golden.py::test_a_flow_becomes_what_it_became_before[pod]",
    "tests/unit/runtime/test_bootstrap.py",
]
"""Tests of each kind: of the command, of a run, of the embedded Argo, and in this process."""
HOSTILE = {
    "METAFLOW_USER": "someone else",
    "METAFLOW_PROFILE": "absent",
    "METAFLOW_DEFAULT_DATASTORE": "s3",
    "METAFLOW_DEFAULT_METADATA": "service",
    "METAFLOW_SERVICE_URL": "http://127.0.0.1:9",
    "METAFLOW_DATASTORE_SYSROOT_LOCAL": "/nonexistent",
    "METAFLOW_KUBERNETES_NAMESPACE": "theirs",
    "METAFLOW_KUBERNETES_LABELS": "theirs=yes",
    "METAFLOW_DECOSPECS": "retry",
    "METAFLOW_DEFAULT_DECOSPECS": "retry",
    "METAFLOW_HERA_HOME": "/nonexistent",
    "METAFLOW_HERA_MAX_PODS": "0",
    "METAFLOW_HERA_TTL_AFTER_SUCCESS": "soon",
    "ARGO_SERVER": "127.0.0.1:9",
    "ARGO_TOKEN": "Bearer theirs",
    "ARGO_NAMESPACE": "theirs",
    "ARGO_CA_CERT": "/nonexistent",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_PROFILE": "absent",
    "AWS_DEFAULT_REGION": "nowhere",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AZURE_CLIENT_ID": "theirs",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
    "EMBEDDED_ARGO_LOG": "/nonexistent",
    "PYTHONPATH": "/nonexistent",
    "PYTHONWARNINGS": "ignore",
    "PYTHONHASHSEED": "7",
    "PYTHONDONTWRITEBYTECODE": "1",
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
}
CONFIGURATION = {"METAFLOW_KUBERNETES_NAMESPACE": "configured", "METAFLOW_DEFAULT_DATASTORE": "azure"}


def files(folder: Path) -> dict[str, str | None]:
    """All that is in a folder."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in folder.rglob("*")
    }


def processes(mark: str) -> list[str]:
    """The command lines of processes that name something."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if mark in text:
            found.append(text)
    return found


@pytest.mark.slow
def test_it_is_green_where_everything_around_it_is_hostile(tmp_path: Path) -> None:
    around = tmp_path / "around"
    clone = around / "clone"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "metaflow_*")
    shutil.copytree(ROOT, clone, ignore=ignored)
    for name in (".ci", "metaflow_hera", "metaflow_extensions"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (around / ".metaflow", around / "home" / ".metaflowconfig"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(CONFIGURATION))
    before = [files(around / name) for name in (".metaflow", "home")]
    # By its script: with -m the copy's own package would meet the installed one.
    pytest_script = Path(sys.executable).with_name("pytest")
    done = subprocess.run(
        [pytest_script, "-q", "--basetemp", around / "tmp", *SLICE],
        cwd=clone,
        env={**without_the_machine(os.environ), **HOSTILE, "HOME": str(around / "home")},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert [files(around / name) for name in (".metaflow", "home")] == before
    assert not list(clone.rglob(".metaflow"))
    wait_until(lambda: processes(str(around)) == [])  # those that it forks calls from end after it
