"""Fixtures for the tests that call `mfhera`: an embedded Argo for each worker, a folder for each test."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import any_argo
import pytest

# Here, and not in their folder: with several workers pytest itself loads no conftest but this one.
import random_flows
import recorded_flows
import warm
from harness import Mfhera, environment, leave_the_machine, share_modules
from random_flows import pytest_generate_tests
from recorded_flows import Record
from summaries import pytest_terminal_summary

__all__ = ["pytest_generate_tests", "pytest_terminal_summary"]

MEMORY = Path("/dev/shm")
"""Where Linux has files in memory: the tests write hundreds of thousands of small ones."""
ROOM = 6 << 30
"""Bytes that must be free there. The tests need three fifths of that."""
PREFIX = "mfhera-"
"""How the folder there is called, before the number of the process that has made it."""
FILES, FAILED = pytest.StashKey[Path](), pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of all the suite."""
    any_argo.pytest_addoption(parser)
    random_flows.pytest_addoption(parser)
    recorded_flows.pytest_addoption(parser)


def pytest_configure(config: pytest.Config) -> None:
    """What this machine says about Metaflow, Argo or AWS reaches no test, unless it is asked to."""
    any_argo.configure(config)
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        config.stash[FILES] = _folder_in_memory()
        os.environ["TMPDIR"] = str(config.stash[FILES])
        tempfile.tempdir = None  # which was that of before
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        os.environ[warm.SHARED] = str(warm.PLACE)  # its workers share the warm processes
    empty = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, empty, ignore_errors=True)
    leave_the_machine(empty)


def _has_room(folder: Path) -> bool:
    """Whether the tests may have their files there: it may be small, or have no programs, in a container."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize >= ROOM


def _folder_in_memory() -> Path:
    """A new folder for the files of these tests. What failed or broken-off ones have left there goes."""
    for old in MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", old.name.removeprefix(PREFIX)).exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = MEMORY / f"{PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o700)
    return folder


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Where the files of the tests are, if that is not where pytest has them."""
    return [f"files: {config.stash[FILES]}, which stay if a test fails"] if FILES in config.stash else []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note whether anybody needs the files."""
    if exitstatus:
        session.config.stash.setdefault(FAILED, True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing stays in memory, unless somebody wants to look at it."""
    if FILES in config.stash and FAILED not in config.stash:
        shutil.rmtree(config.stash[FILES], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The garbage collector need not look at thousands of tests again and again: they stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Who of several processes runs what, for `--dist loadgroup`; in the order of the collection."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from scheduling import ByFile  # with xdist, which not every session installs

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no process is left with one of them at the end."""
    any_argo.mark_items(items)
    items.sort(key=lambda item: "slow" not in item.keywords)


@pytest.fixture(scope="session")
def _worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mfhera]:
    home = tmp_path_factory.mktemp("home")
    command = Mfhera(home, home, environment(home))
    command.start()  # warm, whatever the first test does
    yield command
    command.stop()


@pytest.fixture
def mfhera(_worker: Mfhera, tmp_path: Path) -> Iterator[Mfhera]:
    """`mfhera` in a folder of the test's own. All tests of a worker share one embedded Argo.

    What is deployed there goes with the test: the versions of the next one's deployments begin with 1.
    """
    yield _worker.at(tmp_path / "project")
    _worker.forget_deployments()


@pytest.fixture(scope="session")
def record(pytestconfig: pytest.Config) -> Record:
    """What Metaflow itself makes of flows: as it was recorded, or by a run now."""
    return Record(pytestconfig)


@pytest.fixture
def own_mfhera(_worker: Mfhera, tmp_path: Path) -> Iterator[Mfhera]:
    """`mfhera` with an Argo that has nothing: an embedded one of the test's own, not started yet."""
    home = tmp_path / "home"
    share_modules(_worker.home, home)
    command = Mfhera(home, home, environment(home)).at(tmp_path / "project")
    if any_argo.real():
        command.stop()
    yield command
    command.stop()
