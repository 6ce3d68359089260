"""What is read of a code package, and how it is fetched."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from metaflow_hera.metaflow_api.light import code_packages
from metaflow_hera.metaflow_api.light.code_packages import EXTENSIONS, METAFLOW, OURS, read_package
from metaflow_hera.metaflow_api.read import stored_files
from metaflow_hera.metaflow_api.read.stored_files import Unreadable, fetch
from metaflow_hera.operations.sides import NO_PACKAGE

USUAL = {
    ".mf_code/metaflow/__init__.py": "x = 1",
    ".mf_code/metaflow_hera/__init__.py": 'a = 1\n__version__ = "0.4.0"\n',
    ".mf_code/metaflow_extensions/hera/plugins/p.py": "",
    ".mf_code/metaflow_extensions/other/p.py": "",
    ".mf_code/shared_module/m.py": "of a user's own, from elsewhere",
    ".mf_meta/INFO": json.dumps({"metaflow_version": "2.19.3", "username": "ann"}),
    ".mf_meta/CONFIG": json.dumps({"c": {"a": 1}}),
    ".mf_meta/DIST_INFO": "{}",
    ".mf_meta/conda.manifest": "{}",
    ".mf_meta/metaflow_hera.json": json.dumps({"script": "flow.py"}),
    ".mf_meta/uv.lock": "locked",
    ".mf_install": "{}",
    "flow.py": "print()",
    "data/a.csv": "1,2",
}


def packed(files: dict[str, str | bytes], mode: int = 0o644) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    made.seek(0)
    return made


def test_a_users_own_files_are_told_from_all_others() -> None:
    found = read_package(packed(USUAL))
    assert sorted(found.files) == [
        ".mf_code/shared_module/m.py",
        ".mf_meta/uv.lock",
        "data/a.csv",
        "flow.py",
    ]
    assert found.files["flow.py"].content == b"print()"
    assert {name: len(files) for name, files in found.software.items()} == {
        METAFLOW: 1,
        OURS: 2,
        EXTENSIONS: 1,
    }
    assert found.versions == {METAFLOW: "2.19.3", OURS: "0.4.0"}
    assert (found.configs, found.settings) == ({"c": {"a": 1}}, {"script": "flow.py"})


def test_the_order_of_files_and_the_umask_make_no_difference() -> None:
    turned = dict(reversed(USUAL.items()))
    assert read_package(packed(USUAL)) == read_package(packed(turned, mode=0o664))
    assert read_package(packed(USUAL)) != read_package(packed(USUAL, mode=0o755))


def test_little_of_a_large_package_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_packages, "MOST", 3 << 20)
    large = 8 << 20
    files = {"large.csv": bytes(large), **{f"{number}.txt": b"x" * (1 << 20) for number in range(8)}}
    archive = packed(files)
    tracemalloc.start()
    found = read_package(archive)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6 << 20
    assert sum(each.content is not None for each in found.files.values()) == 3
    assert found.files["large.csv"].size == large
    # What is not kept is compared all the same.
    other = read_package(packed({**files, "large.csv": bytes(large - 1) + b"1"}))
    assert [name for name in files if found.files[name] != other.files[name]] == ["large.csv"]


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", packed(USUAL).getvalue()[:300]],
    ids=["empty", "no archive", "cut"],  # else of the bytes, of which gzip's have the time
)
def test_what_is_no_package_is_an_error_that_diff_knows(content: bytes) -> None:
    with pytest.raises(NO_PACKAGE):
        read_package(io.BytesIO(content))


def test_notes_that_cannot_be_read_are_none() -> None:
    found = read_package(packed({".mf_meta/INFO": "{", ".mf_meta/CONFIG": "[[", "a.py": ""}))
    assert (found.versions, found.configs) == ({}, None)
    assert read_package(packed({})).files == {}


def test_a_local_package_is_copied(tmp_path: Path) -> None:
    stored, target = tmp_path / "stored", tmp_path / "target"
    stored.write_bytes(b"x")
    fetch("local", str(stored), target, 1.0)
    assert target.read_bytes() == b"x"
    with pytest.raises(Unreadable, match="is no longer there"):
        fetch("local", str(tmp_path / "gone"), target, 1.0)
    with pytest.raises(Unreadable, match=r"cannot be read \(Is a directory\)"):
        fetch("local", str(tmp_path), target, 1.0)


def test_a_datastore_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "CODE", "import time; time.sleep(60)")
    with pytest.raises(Unreadable, match="was not read within 0 seconds"):
        fetch("s3", "s3://bucket/x", tmp_path / "target", 0.1)


def test_why_a_datastore_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "CODE", "import sys; sys.exit('KeyError: no credentials')")
    with pytest.raises(Unreadable, match=r"cannot be read \(KeyError: no credentials\)"):
        fetch("s3", "s3://bucket/x", tmp_path / "target", 60.0)
