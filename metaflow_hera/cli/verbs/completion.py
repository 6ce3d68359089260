"""Completion in a shell: `mfhera completion`."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from metaflow_hera.cli.help import Verb

SHELLS = ("bash", "zsh", "fish")
NO_SPACE = """    if [[ ${COMPREPLY[0]} == *= ]]; then
        compopt -o nospace
    fi

"""
"""For bash, which would write a space between a Parameter's name and its value."""


@click.command(
    cls=Verb,
    examples=(
        'eval "$(mfhera completion bash)"        # in ~/.bashrc',
        'eval "$(mfhera completion zsh)"         # in ~/.zshrc',
        "mfhera completion fish > ~/.config/fish/completions/mfhera.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def completion(shell: str | None) -> None:
    """Write the script that completes verbs and runs in SHELL.

    Without SHELL, it is for the shell that $SHELL names.
    """
    if shell is None:
        name = Path(os.environ.get("SHELL", "")).name
        shell = name if name in SHELLS else "bash"
    made = get_completion_class(shell)
    assert made is not None
    mfhera = click.get_current_context().find_root().command
    script = made(mfhera, {}, "mfhera", "_MFHERA_COMPLETE").source()
    if shell == "bash":
        script = script.replace("    return 0\n", NO_SPACE + "    return 0\n")
    click.echo(script)


command = completion
