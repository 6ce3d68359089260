"""The documentation: what its pages tell to do is done, in order, and says what they say.

In a page a block of `bash` is run. Where a block of `text` follows, what it shows is in the output, line
for line; `...` stands for anything. A block that begins with a comment with a file's name is that file;
another one of `python` is run. What needs a cluster is a block of `sh`: of it only the verbs and options are
checked.
"""

from __future__ import annotations

import fnmatch
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from harness import NETWORK, SECONDS, Mfhera
from warm_command import warm_command

from metaflow_hera.cli.main import mfhera as command_line

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "guides").glob("*.md"))]
FILE = re.compile(r"# ([\w/.-]+\.\w+)\n")
COMMAND = re.compile(r"(?:^|[|;&]\s*)(mfhera [^|;&#\n]*)", re.M)
CONTINUED = re.compile(r"\\\n\s*")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page: what each is, and its text."""
    found = re.findall(r"^```([\w{}-]*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
    return [(kind, text) for kind, text in found]


@pytest.fixture(scope="session")
def warm() -> Iterator[Path]:
    """Where a `mfhera` is that starts warm."""
    with warm_command() as folder:
        yield folder


def run(arguments: Sequence[str], mfhera: Mfhera, warm: Path) -> str:
    """Run a program in the page's folder, as a reader would; what it wrote."""
    path = os.pathsep.join([str(warm), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        arguments,
        cwd=mfhera.folder,
        env={**mfhera.env, **NETWORK, "PATH": path, "BROWSER": "true %s", "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{arguments[-1]}\n{done.stdout}"
    return done.stdout


def shows(said: str, text: str) -> None:
    """Demand the lines of a text in what was said, in their order."""
    lines = iter([line.rstrip() for line in said.splitlines()])
    for wanted in (line.rstrip() for line in text.splitlines()):
        if wanted in ("", "..."):
            continue
        pattern = wanted.replace("[", "[[]").replace("...", "*")
        assert any(fnmatch.fnmatchcase(line, pattern) for line in lines), f"{wanted}\nis not in\n{said}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, own_mfhera: Mfhera, warm: Path) -> None:
    mfhera, said = own_mfhera, ""
    for kind, text in blocks(page):
        file = FILE.match(text)
        if kind == "text":
            shows(said, text)
        elif file:
            path = mfhera.folder / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif kind == "bash":
            said = run(["sh", "-ec", text], mfhera, warm)
        elif kind == "python":
            (mfhera.folder / "script.py").write_text(text, encoding="utf-8")
            said = run([sys.executable, "script.py"], mfhera, warm)


def commands() -> list[tuple[Path, str]]:
    """Each call of `mfhera` in the blocks of the documents."""
    return [
        (page, line)
        for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
        for kind, text in blocks(page)
        if kind in ("bash", "sh", "")
        for line in COMMAND.findall(CONTINUED.sub(" ", text))
    ]


def test_every_verb_and_option_that_is_shown_exists() -> None:
    found = commands()
    assert len(found) > 50
    for page, line in found:
        _, *words = shlex.split(line)
        command: click.Command = command_line
        context = click.Context(command, info_name="mfhera")
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            verb = words.pop(0)
            known = command.get_command(context, verb)
            assert known is not None, f"{page.name}: {line}"
            command = known
        options = {
            name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)
        }
        for word in words:
            if re.fullmatch(r"--?[a-z][\w-]*", word.partition("=")[0]):
                assert word.partition("=")[0] in options | {"--debug"}, f"{page.name}: {line}: {word}"


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^([\w/-]+)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.M))
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or name in listed, f"index.md does not list {name}"


def test_the_reference_is_what_the_code_says() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "reference.py"))
    for page in (DOCS / "reference").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert script["with_tables"](text) == text, f"{page.name}: nox -s reference writes it anew"
