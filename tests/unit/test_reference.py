"""What docs/reference shows of the code follows from it: an entry more is a row more in a table."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from harness import TESTS
from metaflow import metaflow_config

import metaflow_hera
from metaflow_hera import errors
from metaflow_hera.choices import variables
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.choices.option import options_of
from metaflow_hera.cli.main import mfhera
from metaflow_hera.contract import environment

PACKAGE = Path(metaflow_hera.__file__).parent
SCRIPT = TESTS.parent / "scripts" / "reference.py"
OURS = re.compile(r"(METAFLOW_HERA|ARGO|EMBEDDED_ARGO)_[A-Z_]*[A-Z]")


def tables() -> dict[str, str]:
    return dict(runpy.run_path(str(SCRIPT))["tables"]())


def test_another_variable_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = variables.Variable("METAFLOW_HERA_MADE_UP", "A made-up variable.", "`3`", configured=True)
    monkeypatch.setattr(variables, "OWN", (*variables.OWN, made_up))
    assert "| `METAFLOW_HERA_MADE_UP` | A made-up variable. | `3` | yes |\n" in tables()["own variables"]


def test_another_error_is_a_row() -> None:
    class MadeUpError(errors.ArgoConflict):
        """A made-up error.

        More of it.
        """

    MadeUpError.__module__ = errors.__name__
    try:
        (row,) = [line for line in tables()["errors"].splitlines() if "MadeUpError" in line]
    finally:
        del MadeUpError
    assert row.endswith("`MadeUpError` | 2 | A made-up error. |")


def test_another_option_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a verb; tests/integration/test_new_option.py adds one of a deployment."""
    command = mfhera.get_command(click.Context(mfhera), "logs")
    assert command is not None
    made_up = click.Option(["--made-up"], help="A made-up option.")
    monkeypatch.setattr(command, "params", [*command.params, made_up])
    assert "| `--made-up TEXT` | A made-up option. |" in tables()["verbs"]


def strings(file: Path) -> Iterator[str]:
    """The texts in a module, but for docstrings and messages."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "own_setting":
            yield from (f"METAFLOW_HERA_{each.value}" for each in node.args if isinstance(each, ast.Constant))


def test_every_variable_that_the_code_reads_is_in_a_table() -> None:
    known = {each.name for each in (*variables.OF_ARGO, *variables.OWN)}
    known |= {option.key for option in options_of(CreateOptions) if option.key}
    known |= {value for value in vars(environment).values() if isinstance(value, str)}
    known |= {"METAFLOW_HERA_LOADING"}  # from one process of a command to the next
    found = {text for file in PACKAGE.rglob("*.py") for text in strings(file) if OURS.fullmatch(text)}
    read = {name for name in found if not hasattr(metaflow_config, name)}  # Metaflow's documents have those
    assert "METAFLOW_HERA_MAX_PODS" in read
    assert read - known == set()


def test_every_variable_of_a_person_is_read() -> None:
    read = {text for file in PACKAGE.rglob("*.py") if file.name != "variables.py" for text in strings(file)}
    assert {each.name for each in (*variables.OF_ARGO, *variables.OWN)} - read == set()
