"""Check a built sdist and wheel: that they hold every file and nothing else, and the changelog's version.

    python scripts/check_release.py dist/*

Exits 1 and names each fault.
"""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("metaflow_hera", "metaflow_extensions")
DATA = ("py.typed", "*.html", "*.css", "*.js", "*.svg", "*.yaml", "Dockerfile")
BESIDE = ("README.md", "LICENSE", "pyproject.toml")
"""What an sdist holds besides the packages."""


def main(arguments: list[str]) -> int:
    """Check the files of these names."""
    faults = [fault for name in arguments for fault in _faults(Path(name))]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def _faults(path: Path) -> Iterator[str]:
    version = newest_version()
    if path.suffix == ".whl":
        names = set(zipfile.ZipFile(path).namelist())
        expected, name = package_files(), f"metaflow_hera-{version}-py3-none-any.whl"
        own = {name for name in names if ".dist-info/" not in name}
        if not any(name.endswith("/licenses/LICENSE") for name in names):
            yield f"{path.name}: LICENSE is missing"
    else:
        with tarfile.open(path) as tar:
            own = {name.partition("/")[2] for name in tar.getnames() if not tar.getmember(name).isdir()}
        expected, name = package_files() | set(BESIDE), f"metaflow_hera-{version}.tar.gz"
        own = {name for name in own if name in expected or not _made_by_setuptools(name)}
    if path.name != name:
        yield f"{path.name}: by CHANGELOG.md its name should be {name}"
    for missing in sorted(expected - own):
        yield f"{path.name}: {missing} is missing"
    for strange in sorted(own - expected):
        yield f"{path.name}: {strange} does not belong there"


def newest_version() -> str:
    """The first version in the changelog, after the unreleased part."""
    found = re.search(
        r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    if found is None:
        raise SystemExit("CHANGELOG.md names no version")
    return found[1]


def package_files() -> set[str]:
    """The files of the packages that a user needs."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for pattern in ("*.py", *DATA)
        for path in (ROOT / package).rglob(pattern)
    }


def _made_by_setuptools(name: str) -> bool:
    return name in ("PKG-INFO", "setup.cfg") or name.startswith("metaflow_hera.egg-info/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
