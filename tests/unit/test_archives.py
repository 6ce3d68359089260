"""The archive of a code package, and what is kept of it for the next one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from metaflow_hera.metaflow_api.load import archives
from metaflow_hera.metaflow_api.load.archives import Member, archive

OTHERS = [Member(".mf_meta/INFO", b"{}"), Member("flow.py", b"print()")]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    """Files that were changed some time ago."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for number in range(2):
        (folder / f"m{number}.py").write_text(f"x = {number}\n" * 1000)
    (folder / "m1.py").chmod(0o755)
    (folder / "m2.py").symlink_to("m1.py")
    monkeypatch.setattr(archives, "SETTLED", -1.0)
    return [Member(f".mf_code/{file.name}", str(file)) for file in sorted(folder.iterdir())]


def content(made: bytes, mode: str = "r:gz") -> dict[str, tuple[bytes, int, int]]:
    """The files of an archive: what they hold, their permissions and their time."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(made), mode=mode) as tar:  # type: ignore[call-overload]
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            assert (member.uid, member.gid, member.uname) == (0, 0, "")
            found[member.name] = (file.read(), member.mode, member.mtime)
    return found


def kept(cache: Path) -> list[str]:
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_what_is_kept_changes_no_byte(
    modules: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, read = tmp_path / "cache", list[object]()

    def opened(file: object, *arguments: str) -> object:
        read.append(file)
        return open(file, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(archives, "open", opened, raising=False)
    first = archive(modules, OTHERS, cache)
    assert read == [each.source for each in modules]
    assert len(kept(cache)) == 1
    assert archive(modules, OTHERS, cache) == first
    assert len(read) == len(modules)  # none of them again
    assert archive(modules, OTHERS, None) == first


def test_whoever_reads_it_finds_all_files(modules: list[Member], tmp_path: Path) -> None:
    texts = {each.name: Path(str(each.source)).read_bytes() for each in modules}
    modes = dict(zip(texts, (0o644, 0o755, 0o755), strict=True))
    wanted = {name: (text, modes[name], archives.TIME) for name, text in texts.items()}
    wanted |= {each.name: (bytes(each.source), 0o644, archives.TIME) for each in OTHERS}  # type: ignore[arg-type]
    for _ in range(2):
        made = archive(modules, OTHERS, tmp_path / "cache")
        assert content(made) == content(made, "r|gz") == wanted
        (tmp_path / "made.tgz").write_bytes(made)
        tar = subprocess.run(
            ["tar", "-tzf", "made.tgz"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert (tar.stdout.split(), tar.stderr) == ([*wanted], "")


@pytest.mark.parametrize("change", ["content", "content of the same size and time", "mode", "name", "more"])
def test_another_module_is_another_archive(modules: list[Member], tmp_path: Path, change: str) -> None:
    before = archive(modules, OTHERS, tmp_path / "cache")
    file = Path(str(modules[0].source))
    old = file.stat()
    if change == "mode":
        file.chmod(0o600)
    elif change == "name":
        modules[0] = Member(".mf_code/other.py", str(file))
    elif change == "more":
        modules.append(Member(".mf_code/other.py", str(file)))
    elif change == "content":
        file.write_text("y = 1\n")
    else:
        while file.stat().st_ctime_ns == old.st_ctime_ns:  # the clock of a file system may tick slowly
            file.write_text("y = 0\n" * 1000)
            os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (old.st_size, old.st_mtime_ns)
    after = archive(modules, OTHERS, tmp_path / "cache")
    assert after != before
    assert after == archive(modules, OTHERS, None)


def test_it_ends_without_a_word(modules: list[Member], tmp_path: Path) -> None:
    """Python complains of what fails when an object goes: since 3.13, or as `python -X dev`."""
    code = (
        "import sys; from pathlib import Path; "
        "from metaflow_hera.metaflow_api.load.archives import Member, archive; "
        "modules = [Member(each, each) for each in sys.argv[2:]]; "
        "print([len(archive(modules, [Member('a', b'')], Path(sys.argv[1]))) > 0 for _ in range(2)])"
    )
    names = [str(each.source) for each in modules]
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", code, str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[True, True]\n", "")


def test_modules_that_are_worked_on_are_not_kept(
    modules: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "SETTLED", 1000.0)
    assert content(archive(modules, OTHERS, tmp_path / "cache"))
    assert kept(tmp_path / "cache") == []


def flipped(content: bytes, at: int) -> bytes:
    at %= len(content)
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"short",
        *(lambda whole, size=size: bytes(size) for size in (4, 16, 40, 4096)),
        lambda whole: whole[:-1],
        *(lambda whole, at=at: flipped(whole, at) for at in (0, 4, 8, 16, 30, -1)),
    ],
)
def test_what_is_damaged_is_made_again(
    modules: list[Member], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    cache = tmp_path / "cache"
    made = archive(modules, OTHERS, cache)
    file = cache / kept(cache)[0]
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert archive(modules, OTHERS, cache) == made
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_fails_nothing(modules: list[Member], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = archive(modules, OTHERS, None)
    for cache in (tmp_path / "file", tmp_path / "absent" / "cache"):
        assert archive(modules, OTHERS, cache) == made


def test_few_are_kept_for_this_user_alone(modules: list[Member], tmp_path: Path) -> None:
    cache, names = tmp_path / "cache", list[str]()
    for number in range(archives.KEPT + 2):
        file = Path(str(modules[0].source))
        file.write_text("x" * number)  # another size: the times of two changes may be the same
        before = kept(cache)
        archive(modules, OTHERS, cache)
        (new,) = set(kept(cache)) - set(before)
        os.utime(cache / new, (number, number))
        names.append(new)
    assert kept(cache) == sorted(names[-archives.KEPT :])
    assert archive(modules, OTHERS, None) == archive(modules, OTHERS, cache)
    assert {each.stat().st_mode & 0o777 for each in (cache, *cache.iterdir())} == {0o700, 0o600}


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive([Member(".mf_code/m.py", str(tmp_path / "m.py"))], OTHERS, tmp_path)
