"""What is meant by a verb or an option that there is not: mistyped, or known from another command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from metaflow_hera.cli.completing import KNOWN
from metaflow_hera.cli.flow_source import parameters_in

ELSEWHERE = {
    "unsuspend": "resume",
    "list-runs": "runs",
    "list-workflow-templates": "list",
    **dict.fromkeys(("submit", "run", "start", "execute", "launch"), "trigger"),
    **dict.fromkeys(("kill", "cancel", "abort"), "terminate"),
    **dict.fromkeys(("deploy", "init", "update", "apply", "register", "push"), "create"),
    **dict.fromkeys(("remove", "rm", "undeploy"), "delete"),
    **dict.fromkeys(("ui", "dashboard", "web", "browser"), "open"),
    **dict.fromkeys(("show", "get", "describe", "info", "inspect"), "status or list"),
    **dict.fromkeys(("server", "serve", "up"), "local start"),
    **dict.fromkeys(("login", "config", "configure"), "doctor"),
    **dict.fromkeys(("artifacts", "results", "download", "dump"), "python FLOW.py dump"),
    **dict.fromkeys(("argo-workflows", "hera"), "create or trigger"),
    "ls": "list",
    "ps": "runs",
    "watch": "status --watch",
    "check": "lint",
    "validate": "lint",
    "pause": "suspend",
    "restart": "retry or resubmit",
    "rerun": "resubmit",
    "down": "local stop",
    "help": "--help",
    "version": "--version or versions",
    "card": "python FLOW.py card",
    "tag": "python FLOW.py tag",
    "history": "versions",
    "undo": "rollback",
}
"""Names that Metaflow's, Argo's and other command lines have for a verb, and what does that here."""

OPTIONS = {
    "-v": "Did you mean --version?",
    "-V": "Did you mean --version?",
    "--max-num-splits": "A deployed flow has no such limit: leave it out.",
    "--step": "A step is named after its run: mfhera logs RUN STEP.",
}
"""Options of other command lines, and what to do about each."""

OWNERS = ("create", "trigger", "logs", "runs", "status")
"""The verbs whose options people give to another verb."""

CLOSE = 0.75
"""How much an unknown option must be like a known one for that to be named."""


def no_such_verb(arguments: Sequence[str], verbs: Sequence[str]) -> str:
    """What to say of arguments that begin with no verb."""
    word = arguments[0]
    if word.endswith(".py"):
        verb = next((each for each in arguments[1:] if each in verbs), "create")
        return f"No such command {word!r}. The verb comes first: mfhera {verb} {shlex.quote(word)}."
    near = [ELSEWHERE[word]] if word in ELSEWHERE else get_close_matches(word, verbs, n=2)
    return f"No such command {word!r}." + (f" Did you mean {' or '.join(near)}?" if near else "")


def no_such_option(
    error: click.NoSuchOption, command: click.Command, args: Sequence[str]
) -> click.NoSuchOption:
    """The error with what to do about it: `args` are what the command was given."""
    option = error.option_name
    owner = _owner(option, command)
    near = None if owner else get_close_matches(option, error.possibilities or (), cutoff=CLOSE)
    said = f"No such option {option!r}."
    hint = "" if near else _hint(option, command, args, owner)
    return click.NoSuchOption(option, f"{said} {hint}".rstrip(), near, error.ctx)


def _hint(option: str, command: click.Command, args: Sequence[str], owner: str | None) -> str:
    if option in OPTIONS:
        return OPTIONS[option]
    name = option.lstrip("-")
    if name in KNOWN["decorators"]:
        return f"A decorator is given as --with {name}."
    if isinstance(command, click.Group):
        return "The options of a verb come after it: mfhera VERB [OPTIONS]."
    given = shlex.quote(f"{name.replace('-', '_')}={_value(option, args)}")
    if any("--param" in param.opts for param in command.params):
        also = f"; {option} is an option of mfhera {owner}" if owner else ""
        return f"A Parameter is given as --param {given}{also}."
    if owner is not None:
        return f"It is an option of mfhera {owner}."
    scripts = [Path(each) for each in args if each.endswith(".py")]
    if any(name.replace("-", "_") in parameters_in(each) for each in scripts):
        return f"A Parameter is given to each run: mfhera trigger --param {given}."
    return ""


def _owner(option: str, command: click.Command) -> str | None:
    """The verb, but this one, that has an option."""
    from importlib import import_module

    for verb in OWNERS:
        other: click.Command = import_module(f"metaflow_hera.cli.verbs.{verb}").command
        if other is not command and any(option in param.opts for param in other.params):
            return verb
    return None


def _value(option: str, args: Sequence[str]) -> str:
    """The value that an option was given, or VALUE."""
    for place, each in enumerate(args):
        if each.startswith(f"{option}="):
            return each.partition("=")[2]
        if each == option and args[place + 1 :] and not args[place + 1].startswith("-"):
            return args[place + 1]
    return "VALUE"
