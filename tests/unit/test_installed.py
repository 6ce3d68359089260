"""What a code package leaves out of this package, and where a pod finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

import metaflow_hera
from metaflow_hera.installed import find_installed
from metaflow_hera.metaflow_api.decorators.internal import pod_files

Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a version of the package `parted` in a folder on the path. A part of 1.0 is imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))

    def make(folder: str, version: str) -> Path:
        package = tmp_path / folder / "parted"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f'"""A package."""\n\n__version__ = "{version}"\n')
        (package / "room.py").write_text(f"PLACE = {folder!r}\n")
        sys.path.append(str(tmp_path / folder))
        return package

    (make("code", "1.0") / "room.py").unlink()
    parted = import_module("parted")
    find_installed("parted", parted.__path__, parted.__version__)  # type: ignore[arg-type]
    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "parted"]:
        del sys.modules[name]


def test_the_rest_comes_from_the_installed_package_of_the_version(install: Install) -> None:
    install("older", "0.9")
    folder = install("same", "1.0")
    assert import_module("parted.room").PLACE == "same"
    assert import_module("parted").__path__[1:] == [str(folder)]
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'parted\.nothing'"):
        import_module("parted.nothing")


def test_another_version_is_not_mixed_with_it(install: Install) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"room is not in .* parted 1\.0 is not installed here$"):
        import_module("parted.room")
    install("older", "0.9")
    with pytest.raises(ModuleNotFoundError, match=r"parted 1\.0 is not installed here \(but 0\.9\)$"):
        import_module("parted.room")


@pytest.mark.parametrize(("version", "found"), [("1.0", True), ("1.1", False)])
def test_an_editable_install_has_a_version_too(install: Install, version: str, found: bool) -> None:
    folder = install("editable", version)
    sys.path.pop()

    class Finder:
        """As setuptools makes one: it finds the package and its modules, of whatever version."""

        @classmethod
        def find_spec(cls, name: str, path: object = None, target: object = None) -> object:
            if name == "parted":
                return spec_from_file_location(name, folder / "__init__.py")
            return PathFinder.find_spec(name, [str(folder)]) if name == "parted.room" else None

    sys.meta_path.append(Finder)  # type: ignore[arg-type]
    if found:
        assert import_module("parted.room").PLACE == "editable"
    else:
        with pytest.raises(ModuleNotFoundError, match=r"\(but 1\.1\)"):
            import_module("parted.room")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules of this package that travel, where a pod unpacks them."""
    folder = tmp_path_factory.mktemp("pod") / ".mf_code"
    for file, name, _ in list(pod_files("settings"))[:-1]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / name)
    return folder


@pytest.mark.parametrize(
    ("program", "asked"),
    [
        ("from metaflow_hera import deploy; print('imported', flush=True); deploy('flow.py')", "interface"),
        ("from metaflow_hera.cli.start import main", "cli"),  # as the command mfhera does
    ],
    ids=["package", "command"],
)
def test_a_pod_where_it_is_not_installed_says_so(code: Path, program: str, asked: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(code), "METAFLOW_HERA_PATH": ""}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env=env, cwd=code.parent, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ("imported\n" if asked == "interface" else "")
    said = done.stderr.splitlines()[-1]
    reason = f"metaflow_hera {metaflow_hera.__version__} is not installed here"
    assert f"metaflow_hera.{asked} is not in the code package, and {reason}" in said
    assert said.startswith("ImportError: metaflow_hera.deploy is not available in a pod: ") == (
        asked == "interface"
    )
