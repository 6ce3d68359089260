"""The options of the verbs, as both command lines take them: `mfhera VERB` and `python flow.py hera VERB`.

Plain data, since the two are made with different copies of click.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow_hera.choices.choices import CreateOptions
from metaflow_hera.choices.table import Option, options_of

ClickOption = tuple[tuple[str, ...], Mapping[str, Any]]
"""The flags of an option (and the name of its value), and what click's `option` takes beside them."""


def click_option(option: Option) -> ClickOption:
    """An option of the table as click takes it."""
    settings: dict[str, Any] = {"help": option.help}
    if option.metavar is not None:
        settings["metavar"] = option.metavar
    if option.kind is bool and "/" in option.flags:
        settings["default"] = option.default
    elif option.kind is bool:
        settings["is_flag"] = True
    elif option.kind is int:
        settings["type"] = int
    if option.repeatable:
        settings["help"] = option.help.removesuffix(".") + "; repeatable."
        settings |= {"multiple": True, "nargs": 2 if option.kind is Mapping else 1}
    elif option.kind is not bool and option.default is not None:
        settings |= {"default": option.default, "show_default": True}
    return (option.flags, option.name), settings


_CREATE = {option.name: click_option(option) for option in options_of(CreateOptions)}
NAME: tuple[ClickOption, ...] = (_CREATE.pop("name"),)
"""The name of a deployment, which stands before the verb on a flow's own command line."""
CREATE: tuple[ClickOption, ...] = tuple(_CREATE.values())
"""All else that a deployment is made with."""

EXPORT: tuple[ClickOption, ...] = (
    (
        ("--only-json",),
        {"is_flag": True, "help": "Write what would be deployed as JSON; deploy nothing."},
    ),
    (("--only-yaml",), {"is_flag": True, "help": "The same as YAML, for kubectl apply."}),
    (("--only-python",), {"is_flag": True, "help": "The same as a script for Hera."}),
    (
        ("--output",),
        {"metavar": "FILE", "help": "Write that to a file; to a folder, one file for each object."},
    ),
    (
        ("--dry-run",),
        {"is_flag": True, "help": "Check what would be deployed, as lint does; deploy nothing."},
    ),
    (
        ("--real-token",),
        {"is_flag": True, "help": "Write the production token of what is deployed at the server."},
    ),
)
"""What makes `create` write its objects and deploy nothing."""

AUTHORIZE: tuple[ClickOption, ...] = (
    (("--authorize",), {"metavar": "TOKEN", "help": "The production token, if somebody else deployed it."}),
)

TRIGGER: tuple[ClickOption, ...] = (
    (("--tag", "tags"), {"multiple": True, "help": "Tag for all that the run makes; repeatable."}),
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the run's id there."}),
    (("--watch", "hera_watch"), {"is_flag": True, "help": "Show the run until it ends."}),
    (
        ("--wait", "hera_wait"),
        {"is_flag": True, "help": "Wait for the end of the run; exit with 1 if it fails."},
    ),
)
"""How a run is started. Names that Metaflow does not keep a Parameter from having begin with `hera_`."""

LOGS: tuple[ClickOption, ...] = (
    (("--follow", "-f"), {"is_flag": True, "help": "Go on with the lines that come, until the run ends."}),
    (("--stdout",), {"is_flag": True, "help": "Only stdout; of tasks that still run what is stored so far."}),
    (("--stderr",), {"is_flag": True, "help": "Only stderr; of tasks that still run what is stored so far."}),
    (("--attempt",), {"type": int, "metavar": "N", "help": "Only this attempt, counted from 0."}),
    (("--timestamps",), {"is_flag": True, "help": "The time before each line, as far as it is known."}),
    (("--tail",), {"type": int, "metavar": "N", "help": "Only the last N lines."}),
)
"""Which lines `logs` shows, and how."""

WATCH: tuple[ClickOption, ...] = (
    (("--watch",), {"is_flag": True, "help": "Show the run until it ends."}),
    (("--wait",), {"is_flag": True, "help": "Wait for the end of the run; exit with 1 if it fails."}),
)
"""What to do once a run goes on, or another one has started."""
RUN_ID_FILE: tuple[ClickOption, ...] = (
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the new run's id there."}),
)
