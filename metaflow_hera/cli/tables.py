"""Tables: complete where their output is piped, and no wider than the terminal elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import click

from metaflow_hera.display.states import COLOURS
from metaflow_hera.display.visible import visible

GAP = "  "
NARROWEST = 16
"""A column that folds is at least so wide, or others are left out."""


@dataclass(frozen=True)
class Table:
    """Rows under a head.

    On a terminal that is too narrow, the columns named in `optional` are left out, the first of them first,
    and the column `folding` goes on in further lines. A state, with what a comma adds to it, has its colour.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    optional: Sequence[str] = ()
    folding: str | None = None

    def show(self, empty: str) -> None:
        """Write it; if it has no rows, write the sentence `empty`."""
        if not self.rows:
            click.echo(empty)
            return
        rows = [[visible(" ".join(cell.splitlines())) for cell in row] for row in self.rows]
        widths = {name: max(len(name), *(len(row[at]) for row in rows)) for at, name in enumerate(self.head)}
        left_out = self._fit(widths, shutil.get_terminal_size().columns) if sys.stdout.isatty() else []
        for row in (self.head, *rows):
            cells = {name: cell for name, cell in zip(self.head, row, strict=True) if name in widths}
            for line in _lines(cells, widths):
                click.echo(line)
        if left_out:
            words = f"For a wider terminal: {', '.join(left_out)}."
            click.echo(click.style(words, dim=True), err=True)

    def _fit(self, widths: dict[str, int], room: int) -> list[str]:
        """Take columns out, and fold one, until the rest fits; returns the names of those taken out."""
        left_out = []
        for name in (*self.optional, None):
            over = sum(widths.values()) + len(GAP) * (len(widths) - 1) - room
            folds = self.folding if self.folding in widths else None
            if over > 0 and folds and widths[folds] - over >= min(widths[folds], NARROWEST):
                widths[folds] -= over
            elif over > 0 and name is not None:
                del widths[name]
                left_out.append(name)
        return left_out


def _lines(cells: dict[str, str], widths: dict[str, int]) -> list[str]:
    """A row: a line, or several if a cell is wider than its column."""
    parts = {
        name: textwrap.wrap(cell, widths[name]) if len(cell) > widths[name] else [cell]
        for name, cell in cells.items()
    }
    return [
        GAP.join(
            _coloured(part[at] if at < len(part) else "", widths[name]) for name, part in parts.items()
        ).rstrip()
        for at in range(max(map(len, parts.values())))
    ]


def _coloured(cell: str, width: int) -> str:
    colour = COLOURS.get(cell.partition(",")[0])
    return click.style(cell, fg=colour) + " " * (width - len(cell)) if colour else cell.ljust(width)


def folded(text: str, indent: str) -> str:
    """A line as it is; on a terminal that is too narrow it goes on in further lines, each indented."""
    room = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or len(text) <= room:
        return text
    begin = len(text) - len(text.lstrip())
    lines = textwrap.wrap(
        text[begin:], max(NARROWEST, room), initial_indent=text[:begin], subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(lines)
