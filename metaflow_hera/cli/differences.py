"""How a difference between two versions is written to the terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.words import json_text
from metaflow_hera.display.visible import visible
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.comparison.records import Difference


@dataclass(frozen=True)
class View:
    """What is shown of a difference. Raises OptionError for options that cannot be used together."""

    stat: bool = False
    name_only: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        flags = (("--stat", self.stat), ("--name-only", self.name_only), ("--json", self.as_json))
        given = [flag for flag, is_given in flags if is_given]
        if len(given) > 1:
            raise OptionError(f"{given[0]} and {given[1]} cannot be used together: choose one.")


def show(found: Difference, view: View) -> int:
    """Write what differs, and return the exit code that tells whether anything does."""
    code = 1 if found else 0
    if view.as_json:
        click.echo(json_text({"differs": bool(found), **asdict(found)}))
        return code
    from rich.console import Console

    from metaflow_hera.display.differences import difference_lines, names, stat_lines

    if view.name_only:
        for name in names(found):
            click.echo(visible(name))
        for note in found.notes:
            click.echo(visible(note), err=True)
        return code
    console = Console(soft_wrap=True, highlight=False)
    for line in stat_lines(found) if view.stat else difference_lines(found):
        console.print(line)
    return code
