"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from metaflow_hera.choices.metaflow import MetaflowOptions
from metaflow_hera.choices.option import options_of
from metaflow_hera.choices.verbs import ClickOption, click_option
from metaflow_hera.cli.completing import (
    KNOWN,
    complete_deployment,
    complete_known,
    complete_parameter,
    complete_run,
)
from metaflow_hera.cli.help import MetaflowOption

Command = TypeVar("Command", bound=Callable[..., Any])

the_run = click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
"""A run; without it, the verb means the one last started from this folder."""

by_name = click.option(
    "--name",
    metavar="NAME",
    help="Name of the deployment; FLOW.py is then not needed.",
    shell_complete=complete_deployment,
)

as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for a program to read.")

COMPLETED = {"params": complete_parameter}
"""What completes the values of an option that both command lines have."""


def shared(options: Sequence[ClickOption]) -> Callable[[Command], Command]:
    """Give a command the options that it shares with `python flow.py hera`."""

    def give(command: Command) -> Command:
        for names, settings in reversed(options):
            command = click.option(*names, shell_complete=COMPLETED.get(names[-1]), **settings)(command)
        return command

    return give


_OF_THE_DEPLOYMENT = {"config", "config_value", "branch", "production"}
"""The options that decide which deployment a flow has."""


def metaflow_options(command: Command) -> Command:
    """Give a command Metaflow's options; it gets them as the list `top_level`, ready for Metaflow."""
    return _with_metaflow_options(command, {option.name for option in options_of(MetaflowOptions)})


def deployment_options(command: Command) -> Command:
    """Give Metaflow's options to a verb that only has to find a flow's deployment.

    It accepts all of them, so that the options of `create` can be repeated; help shows those that matter.
    """
    return _with_metaflow_options(command, _OF_THE_DEPLOYMENT)


def _with_metaflow_options(command: Command, shown: set[str]) -> Command:
    def collected(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        name = parameter.opts[0]
        top_level: list[str] = ctx.params.setdefault("top_level", [])
        if value is True:
            top_level.append(name)
        elif isinstance(value, tuple):
            for item in value:
                top_level += [name, *(item if isinstance(item, tuple) else (item,))]
        elif value:
            top_level += [name, value]

    for option in reversed(options_of(MetaflowOptions)):
        names, settings = click_option(option)
        given = click.option(
            *names,
            cls=MetaflowOption,
            expose_value=False,
            callback=collected,
            hidden=option.name not in shown,
            shell_complete=complete_known(option.name) if option.name in KNOWN else None,
            **settings,
        )
        command = given(command)
    return command
