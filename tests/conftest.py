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


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of all the suite."""
    any_argo.pytest_addoption(parser)
    random_flows.pytest_addoption(parser)
    recorded_flows.pytest_addoption(parser)


def pytest_configure(config: pytest.Config) -> None:
    """What this machine says about Metaflow, Argo or AWS reaches no test, unless it is asked to."""
    any_argo.configure(config)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        os.environ[warm.SHARED] = str(warm.PLACE)  # its workers share the warm processes
    empty = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, empty)
    leave_the_machine(empty)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The garbage collector need not look at thousands of tests again and again: they stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
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
