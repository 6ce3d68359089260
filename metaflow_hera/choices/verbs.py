"""The options that both command lines have: `mfhera VERB` and `python flow.py hera VERB`.

Plain data, since the two use different copies of click.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.choices.option import Option, options_of

ClickOption = tuple[tuple[str, ...], Mapping[str, Any]]
"""The flags of an option (and the name of its value), and what click's `option` takes besides them."""


def click_option(option: Option) -> ClickOption:
    """An option of the table in the form that click takes."""
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
"""The name of a deployment, which comes before the verb on a flow's own command line."""
CREATE: tuple[ClickOption, ...] = tuple(_CREATE.values())
"""All other options of a deployment."""

EXPORT: tuple[ClickOption, ...] = (
    (
        ("--only-json",),
        {"is_flag": True, "help": "Write what would be deployed as JSON; deploy nothing."},
    ),
    (("--only-yaml",), {"is_flag": True, "help": "The same as YAML, for kubectl apply."}),
    (("--only-python",), {"is_flag": True, "help": "The same as a Python script that uses Hera."}),
    (
        ("--output",),
        {"metavar": "FILE", "help": "Write the output to a file; in a folder, one file for each object."},
    ),
    (
        ("--dry-run",),
        {"is_flag": True, "help": "Check what would be deployed, as lint does; deploy nothing."},
    ),
    (
        ("--real-token",),
        {"is_flag": True, "help": "Write the production token of the deployment at the server."},
    ),
)
"""Options that make `create` write its objects and deploy nothing."""

AUTHORIZE: tuple[ClickOption, ...] = (
    (("--authorize",), {"metavar": "TOKEN", "help": "The production token, if somebody else deployed it."}),
)

ROLLBACK: tuple[ClickOption, ...] = (
    (
        ("--to",),
        {"type": int, "metavar": "N", "help": "Go back to version N; by default the one before."},
    ),
    (("--message",), {"metavar": "TEXT", "help": "A note on why, which mfhera versions shows."}),
    (("--dry-run",), {"is_flag": True, "help": "Show what would change; change nothing."}),
)
"""What to go back to, and how."""

TRIGGER: tuple[ClickOption, ...] = (
    (("--tag", "tags"), {"multiple": True, "help": "Tag of the run and its tasks; repeatable."}),
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the run's id to this file."}),
    (("--watch", "hera_watch"), {"is_flag": True, "help": "Show the run until it ends."}),
    (
        ("--wait", "hera_wait"),
        {"is_flag": True, "help": "Wait until the run ends; exit with 1 if it fails."},
    ),
)
"""How a run is started. Names that Metaflow would allow for a Parameter begin with `hera_`."""

BACKFILL: tuple[ClickOption, ...] = (
    (
        ("--from", "begin"),
        {
            "metavar": "T",
            "required": True,
            "help": "The first time: a date, or a date with a time. Without a zone, it is in the schedule's.",
        },
    ),
    (
        ("--to", "end"),
        {"metavar": "T", "help": "The last time; a date includes the whole day. By default now."},
    ),
    (
        ("--cron",),
        {
            "metavar": "EXPR",
            "help": "Take the times of this cron expression, not of the schedules.",
        },
    ),
    (
        ("--parallel",),
        {
            "type": int,
            "default": 1,
            "show_default": True,
            "metavar": "N",
            "help": "How many of these runs may run at once.",
        },
    ),
    (("--newest-first",), {"is_flag": True, "help": "Start with the latest time."}),
    (
        ("--param", "-p", "params"),
        {
            "multiple": True,
            "metavar": "NAME=VALUE",
            "help": "Value of a Parameter; repeatable. {{date}}, {{datetime}} and {{next}} are the scheduled "
            "time and the one after it, in the schedule's zone.",
        },
    ),
    (("--dry-run",), {"is_flag": True, "help": "Show the times and their runs; start none."}),
    (("--yes",), {"is_flag": True, "help": "Start more than 1000 runs without asking."}),
)
"""For which times runs are started, and how."""

LINT: tuple[ClickOption, ...] = (
    (
        ("--argo-version",),
        {"metavar": "V", "help": "The version of Argo it is to go to, such as 3.6.19; else the server's."},
    ),
)
"""What a flow is checked for."""

DIFF: tuple[ClickOption, ...] = (
    (("--stat",), {"is_flag": True, "help": "Show only how much of each object and file differs."}),
    (("--name-only",), {"is_flag": True, "help": "Show only the names of objects and files that differ."}),
    (
        ("--from", "source"),
        {"metavar": "FILE", "help": "Compare with an export, a file or a folder, instead of the server."},
    ),
    (
        ("--version",),
        {"type": int, "metavar": "N", "help": "Compare with version N, not the live one."},
    ),
)
"""What a flow is compared with, and what is shown of it."""

LOGS: tuple[ClickOption, ...] = (
    (("--follow", "-f"), {"is_flag": True, "help": "Keep showing new lines until the run ends."}),
    (("--stdout",), {"is_flag": True, "help": "Only stdout; of running tasks, what is stored so far."}),
    (("--stderr",), {"is_flag": True, "help": "Only stderr; of running tasks, what is stored so far."}),
    (("--attempt",), {"type": int, "metavar": "N", "help": "Only this attempt, counted from 0."}),
    (("--timestamps",), {"is_flag": True, "help": "Show the time before each line, where it is known."}),
    (("--tail",), {"type": int, "metavar": "N", "help": "Only the last N lines."}),
    (
        ("--all-lines",),
        {"is_flag": True, "help": "Also what Argo's executor and the task's pod wrote of themselves."},
    ),
)
"""Which lines `logs` shows, and how."""

WATCH: tuple[ClickOption, ...] = (
    (("--watch",), {"is_flag": True, "help": "Show the run until it ends."}),
    (("--wait",), {"is_flag": True, "help": "Wait until the run ends; exit with 1 if it fails."}),
)
"""What to do once a run continues, or a new one has started."""
RUN_ID_FILE: tuple[ClickOption, ...] = (
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the new run's id to this file."}),
)
