"""`mfhera`: the verbs, and how a command ends.

Neither this module nor those of the verbs import Metaflow, Hera or rich before a verb needs them, so
that help and completion are quick.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import traceback
from importlib import import_module

import click

from metaflow_hera import __version__
from metaflow_hera.cli.help import Suggesting
from metaflow_hera.display.visible import visible
from metaflow_hera.errors import MetaflowHeraError

GROUPS = {
    "Deploy": ("create", "diff", "list", "versions", "rollback", "lint", "delete"),
    "Run": (
        "trigger",
        "runs",
        "status",
        "open",
        "logs",
        "suspend",
        "resume",
        "stop",
        "terminate",
        "retry",
        "resubmit",
    ),
    "Schedules and events": ("schedule", "backfill", "emit"),
    "This machine": ("doctor", "local", "completion"),
}
"""The verbs, in the groups that help shows. Each has a module of its name in `cli.verbs`."""
VERBS = tuple(verb for verbs in GROUPS.values() for verb in verbs)

LONGEST = 200
"""Characters of a verb's first sentence, at most."""

HELP_INSTEAD: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What Click raises for a group of verbs without a verb. Before 8.2 it prints the help itself."""


class Verbs(Suggesting, click.Group):
    """The verbs, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of their groups."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"metaflow_hera.cli.verbs.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs in their groups, each with its first sentence."""
        for title, verbs in GROUPS.items():
            commands = [(verb, self.get_command(ctx, verb)) for verb in verbs]
            with formatter.section(title):
                # Whatever the width of the terminal: the formatter wraps what is long.
                formatter.write_dl(
                    [(verb, command.get_short_help_str(LONGEST)) for verb, command in commands if command]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that was typed. Fails for an unknown one, with suggestions."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from metaflow_hera.cli.suggestions import no_such_verb

            ctx.fail(no_such_verb(args, VERBS))
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mfhera")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def mfhera(debug: bool) -> None:
    """Run Metaflow flows on Argo Workflows.

    Flows go to an embedded Argo on this machine. With ARGO_SERVER set (host:port, with ARGO_TOKEN
    and ARGO_NAMESPACE) they go to that server.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process: 0 done, 1 the work failed, 2 refused, 130 interrupted."""
    if sys.platform == "win32":
        click.echo("mfhera: Metaflow does not run on Windows. Use mfhera in WSL, where it does.", err=True)
        sys.exit(2)
    arguments = sys.argv[1:] if arguments is None else arguments
    # Importing Hera creates hundreds of thousands of objects that all stay alive: searching them for
    # garbage again and again takes a tenth of a second.
    gc.set_threshold(100_000, 50, 100)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal cannot show becomes a question mark
    # Accepted anywhere: people add it to the end of a command that has just failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    code = run_command(arguments, debug)
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            sys.stdout.flush()
        os.dup2(2, 1)  # what a flow's script prints at the very end is no part of the answer
    sys.exit(code)


def run_command(arguments: list[str], debug: bool = False) -> int:
    """Run a command and return its exit code; what goes wrong is told on stderr."""
    try:
        color = False if os.environ.get("NO_COLOR") else None
        code = mfhera.main(arguments, prog_name="mfhera", standalone_mode=False, color=color)
        return code if isinstance(code, int) else 0
    except HELP_INSTEAD as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        error.show()
        return 2
    except MetaflowHeraError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"mfhera: {visible(str(error))}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, FileNotFoundError) and _folder_has_gone():
            click.echo("mfhera: The current folder no longer exists: change to another one.", err=True)
            return 2
        if (words := of_metaflows_configuration(error)) is not None:
            click.echo(f"mfhera: {words}", err=True)
            return 2
        kind = type(error).__name__
        click.echo(
            f"mfhera: {kind}: {visible(str(error))}. This is a bug in mfhera: --debug shows where.", err=True
        )
        return 1


def of_metaflows_configuration(error: BaseException) -> str | None:
    """What is wrong with Metaflow's configuration, if that raised an error; importing Metaflow reads it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if (
            frame.f_code.co_filename.endswith("metaflow_config_funcs.py")
            and frame.f_code.co_name == "init_config"
        ):
            from metaflow_hera.metaflow_api.light.configuration import wrong

            return wrong(str(frame.f_locals.get("path_to_config")), error)
    return None


def _folder_has_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


if __name__ == "__main__":
    main()
