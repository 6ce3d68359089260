"""Rewrite the tables of docs/options.md from the options in metaflow_hera.choices: `nox -s options`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.choices.metaflow import MetaflowOptions
from metaflow_hera.choices.option import Option, options_of
from metaflow_hera.choices.verbs import click_option

DOCUMENT = Path(__file__).parents[1] / "docs" / "options.md"
BEGIN, END = "<!-- {}: made by nox -s options -->\n", "<!-- end -->\n"


def tables() -> dict[str, str]:
    """The tables, by their names in the marks around them."""
    create = [
        (
            f"`{option.flags}`",
            f"`{option.name}`",
            f"`{option.type_name}`",
            _default(option),
            f"`{option.key}`" if option.key else "-",
            f"`{option.field}`" if option.field else option.place or "-",
            click_option(option)[1]["help"],
        )
        for option in options_of(CreateOptions)
    ]
    metaflow = [
        (f"`{option.flags}`", f"`{option.name}`", f"`{option.type_name}`", click_option(option)[1]["help"])
        for option in options_of(MetaflowOptions)
    ]
    heads = ("option", "in Python", "type", "default", "configuration", "in the manifest", "what it does")
    return {
        "create": _table(heads, create),
        "metaflow": _table(("option", "in Python", "type", "what it does"), metaflow),
    }


def with_tables(text: str) -> str:
    """The document with its tables rewritten."""
    for name, table in tables().items():
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END)
        text = before + begin + table + end + after
    return text


def _default(option: Option) -> str:
    return "-" if option.default in (None, ()) else f"`{option.default}`"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ["---"] * len(heads), *rows))


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
