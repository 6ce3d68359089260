"""Rewrite what docs/reference shows of the code: `nox -s reference`, and `-- --check` compares.

Each page says by marks where a table goes; the rest of it is written by hand.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import click

from metaflow_hera import errors
from metaflow_hera.choices import variables
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.choices.metaflow import MetaflowOptions
from metaflow_hera.choices.option import Option, options_of
from metaflow_hera.choices.verbs import click_option
from metaflow_hera.cli.help import MetaflowOption, Verb
from metaflow_hera.cli.main import GROUPS, mfhera
from metaflow_hera.contract import environment, manifest

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
BEGIN, END = "<!-- {}: made by nox -s reference -->\n", "<!-- end -->\n"


def tables() -> dict[str, str]:
    """The tables, by their names in the marks around them."""
    return {
        "create": options(CreateOptions, placed=True),
        "metaflow": options(MetaflowOptions, placed=False),
        "verbs": verbs(),
        "variables of Argo": configuration(variables.OF_ARGO),
        "own variables": configuration(variables.OWN),
        "errors": error_classes(errors),
        "annotations": constants(manifest, manifest.METAFLOW_PREFIX, manifest.ARGO_PREFIX),
        "parameters": constants(manifest, "metaflow-", but=("metaflow-flow", *_KINDS)),
        "pod variables": constants(environment, "METAFLOW_HERA_", "EMBEDDED_ARGO_"),
    }


_KINDS = (manifest.A_FLOW, manifest.A_RUN, manifest.A_TASK, manifest.A_SENSOR)


def options(choices: type, placed: bool) -> str:
    """A row for each option of a deployment; with `placed`, also where its value comes from and goes to."""
    heads = ["option", "in Python", "type"]
    heads += ["default", "configuration", "in the manifest"] if placed else []
    return _table([*heads, "what it does"], [_option(each, placed) for each in options_of(choices)])


def _option(option: Option, placed: bool) -> list[str]:
    cells = [f"`{option.flags}`", f"`{option.name}`", f"`{option.type_name}`"]
    if placed:
        field = f"`{option.field}`" if option.field else option.place or "-"
        default = "-" if option.default in (None, ()) else f"`{option.default}`"
        cells += [default, f"`{option.key}`" if option.key else "-", field]
    return [*cells, click_option(option)[1]["help"]]


def verbs() -> str:
    """The help of every verb, in the groups that `mfhera --help` shows."""
    context = click.Context(mfhera, info_name="mfhera")
    parts = []
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n\n")
        for name in names:
            command = mfhera.get_command(context, name)
            assert command is not None
            parts += _verb(command, click.Context(command, context, name), 3)
    return "".join(parts).rstrip("\n") + "\n"


def _verb(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"{'#' * level} {context.command_path}\n\n`{usage}`\n\n"
    yield inspect.cleandoc(command.help or "").replace("\b\n", "").replace("<", "&lt;") + "\n\n"
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _verb(each, click.Context(each, context, name), level + 1)
        return
    shown = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    for title, is_metaflows in (("option", False), ("Metaflow's option", True)):
        rows = [
            [f"`{flags}`", text.strip()]
            for param in shown
            if isinstance(param, MetaflowOption) == is_metaflows
            and "--help" not in param.opts
            and (record := param.get_help_record(context))
            for flags, text in [record]
        ]
        if rows:
            yield _table((title, "what it does"), rows) + "\n"
    if isinstance(command, Verb):
        yield "```text\n" + "".join(f"{example}\n" for example in command.examples) + "```\n\n"


def configuration(found: Sequence[variables.Variable]) -> str:
    """A row for each variable that a person sets."""
    rows = [
        [f"`{each.name}`", each.help, each.default or "-", "yes" if each.configured else "-"]
        for each in found
    ]
    return _table(("variable", "what it says", "not set", "also in Metaflow's configuration"), rows)


def error_classes(module: ModuleType) -> str:
    """A row for each class of error, below the one that it is a kind of."""
    rows = []

    def add(kind: type, depth: int) -> None:
        place = "&nbsp;" * 4 * depth
        code = getattr(kind, "exit_code", 2)
        first = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        rows.append([f"{place}`{kind.__name__}`", str(code), first])
        for each in kind.__subclasses__():
            if each.__module__ == module.__name__ and each.__bases__[0] is kind:
                add(each, depth + 1)

    add(errors.MetaflowHeraError, 0)
    return _table(("error", "exit code", "when"), rows)


def constants(module: ModuleType, *prefixes: str, but: Sequence[str] = ()) -> str:
    """A row for each text that a module defines with one of these beginnings, with its docstring."""
    assert module.__file__ is not None
    body = ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
    rows = []
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            continue
        value = getattr(module, statement.targets[0].id)
        if not isinstance(value, str) or not value.startswith(prefixes) or value in (*prefixes, *but):
            continue
        assert isinstance(after, ast.Expr), f"{value} has no docstring"
        rows.append([f"`{value}`", inspect.cleandoc(ast.literal_eval(after.value)).replace("\n", " ")])
    return _table(("name", "what it holds"), rows)


def with_tables(text: str) -> str:
    """A page with its tables made anew."""
    for name, table in tables().items():
        before, begin, rest = text.partition(BEGIN.format(name))
        if begin:
            _, end, after = rest.partition(END)
            text = before + begin + "\n" + table + "\n" + end + after
    return text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def main(check: bool) -> None:
    """Write the pages, or tell which are not what the code says."""
    for page in sorted(FOLDER.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = with_tables(old)
        if new != old and check:
            sys.exit(f"{page.name} is not what the code says: nox -s reference")
        page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main("--check" in sys.argv)
