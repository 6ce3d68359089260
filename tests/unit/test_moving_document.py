"""The page on moving from Metaflow's own plugin: it has a word on each command and option of that plugin."""

from __future__ import annotations

import re
from pathlib import Path

from metaflow.plugins.argo.argo_workflows_cli import argo_workflows

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "moving.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def options_on_page() -> dict[str, set[str]]:
    """The options that the page has a row for, by the commands that the row above them names."""
    found: dict[str, set[str]] = {}
    commands: list[str] = []
    for first in re.findall(r"^\| (.*?) \|", section("Options"), re.M):
        words = re.findall(r"`([^`]+)`", first)
        if first.startswith("**"):
            commands = words
        for command in commands:
            found.setdefault(command, set()).update(word.split()[0] for word in words if word[0] == "-")
    return found


def test_each_command_has_a_row() -> None:
    rows = re.findall(r"^\| `([\w-]+)", section("Commands"), re.M)
    assert {*argo_workflows.commands} <= {*rows}


def test_each_option_has_a_row() -> None:
    on_page = options_on_page()
    for name, command in argo_workflows.commands.items():
        options = {
            option
            for param in command.params
            if param.param_type_name == "option"
            for option in (*param.opts, *param.secondary_opts)
        }
        assert options <= on_page.get(name, set()), name
        assert on_page.get(name, set()) <= options, f"{name}: the plugin has no such option"
