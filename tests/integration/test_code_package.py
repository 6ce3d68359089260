"""What a deployment takes along: the working directory as it is at create, and what the flow asks for."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from harness import Mfhera, refused
from micromamba import link

FLOW = """
from pathlib import Path

from metaflow import FlowSpec, step


class PackedFlow(FlowSpec):
    @step
    def start(self):
        import helper
        import inner.deep

        files = (path for path in Path(".").rglob("*") if path.is_file())
        self.seen = sorted(str(path) for path in files if not str(path).startswith("."))
        data = Path("data.csv")
        self.words = helper.WORD, inner.deep.WORD, data.read_text() if data.exists() else ""
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PackedFlow()
"""
ADDING = """
from pathlib import Path

from metaflow import FlowMutator, FlowSpec, StepMutator, step
from metaflow.packaging_sys import ContentType


class OfTheFlow(FlowMutator):
    def add_to_package(self):
        yield "extra.bin", "added/by_flow.bin", ContentType.USER_CONTENT


class OfTheStep(StepMutator):
    def add_to_package(self):
        yield "extra.bin", "added/by_step.bin", ContentType.USER_CONTENT


@OfTheFlow
class AddingFlow(FlowSpec):
    @OfTheStep
    @step
    def start(self):
        self.added = [Path("added", name).read_bytes() for name in ("by_flow.bin", "by_step.bin")]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    AddingFlow()
"""


@pytest.fixture
def packed(mfhera: Mfhera) -> Mfhera:
    """A project with modules, data, links and what does not belong into a package."""
    folder = mfhera.folder
    (folder / "packed_flow.py").write_text(FLOW)
    (folder / "helper.py").write_text("WORD = 'one'")
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.py").write_text("WORD = 'deep'")
    (folder / "data.csv").write_text("a,b")
    (folder / "notes.txt").write_text("not packed")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "secret.py").write_text("")
    elsewhere = mfhera.home / f"elsewhere-{folder.parent.name}"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "linked.py").write_text("WORD = 'linked'")
    (folder / "link").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    return mfhera


def seen(mfhera: Mfhera, pathspec: str) -> tuple[list[str], tuple[str, ...]]:
    task = mfhera.read(pathspec)["start"]
    return eval(task["seen"]), eval(task["words"])


def test_modules_and_links_of_the_working_directory(packed: Mfhera) -> None:
    packed.ok("create", "packed_flow.py")
    files, words = seen(packed, packed.run()["pathspec"])
    assert {"helper.py", "inner/deep.py", "link/linked.py"} <= set(files)
    assert not any("hidden" in file or file.endswith((".txt", ".csv")) for file in files)
    assert words == ("one", "deep", "")


def test_suffixes(packed: Mfhera) -> None:
    packed.ok("create", "packed_flow.py", "--package-suffixes", ".csv,.txt")
    files, words = seen(packed, packed.run()["pathspec"])
    assert {"data.csv", "notes.txt", "helper.py"} <= set(files)
    assert words == ("one", "deep", "a,b")


def test_a_run_keeps_the_version_it_was_started_with(packed: Mfhera) -> None:
    packed.take("gate_flow.py")
    packed.ok("create", "gate_flow.py")
    gate = packed.folder / "gate"
    run = packed.json("trigger", "--param", f"gate={gate}", "--json")
    script = packed.folder / "gate_flow.py"
    packed.wait_until(lambda: Path(f"{gate}.waiting").exists())
    script.write_text(script.read_text().replace('VERSION = "one"', 'VERSION = "two"'))
    packed.ok("create", "gate_flow.py")
    gate.touch()
    packed.ok("status", run["run_id"], "--watch")
    assert packed.read(run["pathspec"])["end"]["ended_as"] == "'one'"
    assert packed.read(packed.run("--param", f"gate={gate}")["pathspec"])["end"]["ended_as"] == "'two'"


def test_what_mutators_add(packed: Mfhera) -> None:
    (packed.folder / "extra.bin").write_bytes(b"\x00")
    (packed.folder / "adding_flow.py").write_text(ADDING)
    packed.ok("create", "adding_flow.py")
    assert packed.read(packed.run()["pathspec"])["start"]["added"] == repr([b"\x00", b"\x00"])
    (packed.folder / "extra.bin").unlink()
    before = packed.stored()
    refused(packed("create", "adding_flow.py"), "extra.bin")
    assert packed.stored() == before


def test_a_package_that_metaflow_makes_itself(packed: Mfhera) -> None:
    """As for its own plugin: it has the extension without metaflow_hera, which no image need have."""
    script = packed.folder / "packed_flow.py"
    script.write_text(
        FLOW.replace("    @step\n    def start", "    @splits_per_pod(number=2)\n    @step\n    def start")
    )
    script.write_text(
        script.read_text().replace("import FlowSpec, step", "import FlowSpec, splits_per_pod, step")
    )
    packed.python("packed_flow.py", "package", "save", "package.tgz")
    with tarfile.open(packed.folder / "package.tgz") as package:
        package.extractall(packed.folder / "pod")
    (packed.folder / "image").mkdir()
    link(packed.folder / "image")
    command = [sys.executable, "-S", "packed_flow.py", "show"]
    env = {**packed.env, "PYTHONPATH": f".mf_code:{packed.folder / 'image'}"}
    done = subprocess.run(command, cwd=packed.folder / "pod", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Step start" in done.stdout


def test_a_large_package(packed: Mfhera) -> None:
    (packed.folder / "large.csv").write_bytes(bytes(range(256)) * 4 * 40_000)
    packed.ok("create", "packed_flow.py", "--package-suffixes", ".csv")
    files, _ = seen(packed, packed.run()["pathspec"])
    assert "large.csv" in files


@pytest.mark.parametrize("place", ["home", "deep/below/home"])
def test_the_home_of_the_embedded_argo_is_not_packed(own_mfhera: Mfhera, place: str) -> None:
    home = own_mfhera.folder / place
    mfhera = Mfhera(own_mfhera.home, own_mfhera.folder, {**own_mfhera.env, "METAFLOW_HERA_HOME": str(home)})
    (mfhera.folder / "packed_flow.py").write_text(FLOW.replace("inner.deep", "inner"))
    (mfhera.folder / "helper.py").write_text("WORD = 'one'")
    (mfhera.folder / "inner.py").write_text("WORD = 'two'")
    below = mfhera.folder / "deep" / "kept.py"
    below.parent.mkdir(exist_ok=True)
    below.touch()
    try:
        for _ in range(2):
            mfhera.ok("create", "packed_flow.py")
            files, _ = seen(mfhera, mfhera.run()["pathspec"])
            files = [file for file in files if "__pycache__" not in file]
            assert files == ["deep/kept.py", "helper.py", "inner.py", "packed_flow.py"]
        # Another one's home is none of the flow's code either.
        text = mfhera.ok("create", "packed_flow.py", "--only-json", env={"METAFLOW_HERA_HOME": None})
        with tarfile.open(code_of(text)) as tar:
            assert not any(name.startswith(place) for name in tar.getnames())
    finally:
        mfhera.stop()


def code_of(exported: str) -> str:
    """The code package of an export."""
    given = json.loads(exported)["spec"]["arguments"]["parameters"]
    return next(str(each["value"]) for each in given if each["name"] == "metaflow-code-package")


def test_the_same_folder_gives_the_same_package(packed: Mfhera) -> None:
    texts = [packed.ok("create", "packed_flow.py", "--only-json", "--new-token", "t") for _ in range(2)]
    assert texts[0] == texts[1]
    packed.ok("local", "start")
    texts += [packed.ok("create", "packed_flow.py", "--only-json", "--new-token", "t") for _ in range(2)]
    assert texts[0] == texts[2] == texts[3]
    assert [*Path(packed.env["METAFLOW_HERA_HOME"], "cache").glob("packed-*")]  # its modules are kept


WRITING = """
import sys
from pathlib import Path

from metaflow import FlowSpec, Parameter, step


def written(context):
    Path(sys.argv[0]).with_name("written.py").write_text("WORD = 'written at create'")
    return "x"


class WritingFlow(FlowSpec):
    text = Parameter("text", default=written)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WritingFlow()
"""


def test_what_a_function_for_a_default_writes_is_packed(mfhera: Mfhera) -> None:
    (mfhera.folder / "writing_flow.py").write_text(WRITING)
    mfhera.ok("create", "writing_flow.py", "--only-json")
    stored = (mfhera.folder / ".metaflow" / "WritingFlow" / "data").glob("*/*")
    (package,) = [path for path in stored if not path.name.endswith("_meta")]
    with tarfile.open(package) as tar:
        packed = tar.getnames()
    assert "written.py" in packed


def test_a_refused_flow_leaves_no_half_made_package(mfhera: Mfhera, tmp_path: Path) -> None:
    mfhera.take("linear_flow.py")
    left = tmp_path / "temporary"
    left.mkdir()
    done = mfhera.cold("create", "linear_flow.py", "--name", "Not-Valid", env={"TMPDIR": str(left)})
    refused(done, "Not-Valid")
    assert [each for each in left.iterdir() if each.name.startswith("mfhera-")] == []
    assert not (mfhera.folder / ".metaflow" / "LinearFlow" / "data").exists()


def test_tasks_register_the_commit_that_was_deployed(mfhera: Mfhera) -> None:
    mfhera.take("single_flow.py")
    git = ("git", "-c", "user.name=tester", "-c", "user.email=tester@example.com")
    for words in (("init", "-q"), ("add", "single_flow.py"), ("commit", "-q", "-m", "a commit")):
        subprocess.run([*git, *words], cwd=mfhera.folder, check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], cwd=mfhera.folder, capture_output=True, check=True)
    mfhera.ok("create", "single_flow.py")
    run = mfhera.run()
    reading = "import sys, metaflow; metaflow.namespace(None); run = metaflow.Run(sys.argv[1]); "
    done = mfhera.python("-c", reading + "print([*run][0].task.metadata_dict)", run["pathspec"])
    assert head.stdout.decode().strip() in done.stdout, done.stdout + done.stderr
