"""The embedded Argo: `mfhera local start`, `stop`, `status`, `clean` and `open`."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import click

from metaflow_hera import __version__
from metaflow_hera.cli.browser import show_page
from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.words import json_text
from metaflow_hera.display.times import local_time
from metaflow_hera.errors import OptionError, UsageError
from metaflow_hera.home import embedded_errors, home_folder


class LocalVerbs(click.Group):
    """The verbs of the embedded Argo; its errors become those of mfhera here."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb that was given."""
        with embedded_errors():
            return super().invoke(ctx)


@click.group(cls=LocalVerbs)
def local() -> None:
    """Start, stop and look after the embedded Argo.

    create and trigger start it when they need it.
    """


@local.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; by default the last one.")
def start(port: int | None) -> None:
    """Start it, unless it is running already."""
    from metaflow_hera.embedded.local import launch as server

    running = server.start(home_folder(), __version__, port)
    click.echo(f"The embedded Argo runs at {running.url} (process {running.pid}).")


@local.command()
def stop() -> None:
    """Stop it. Running pods go on, and the next start takes them over."""
    from metaflow_hera.embedded.local import launch as server

    stopped = server.stop(home_folder())
    click.echo("Stopped the embedded Argo." if stopped else "The embedded Argo was not running.")


@local.command()
@as_json
def status(as_json: bool) -> None:
    """Show its address, its folders and their sizes. Exits with 1 if it is not running."""
    from metaflow_hera.embedded.local import cleaning
    from metaflow_hera.embedded.local import launch as server

    running = server.status(home_folder())
    if running is None:
        if as_json:
            click.echo(json_text({"running": False, "home": home_folder()}))
        # The answer to the question, not a fault.
        hung = server.process(home_folder())
        words = (
            "The embedded Argo is not running: mfhera local start starts it."
            if hung is None
            else f"The embedded Argo (process {hung}) does not answer: mfhera local stop ends it."
        )
        click.echo(f"mfhera: {words}", err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        about = {
            "running": True,
            **asdict(running),
            "started": datetime.fromtimestamp(running.started, timezone.utc),
            "events_url": running.events_url,
            "parts": {name: asdict(part) for name, part in cleaning.parts(running.home).items()},
        }
        click.echo(json_text(about))
        return
    started = datetime.fromtimestamp(running.started).astimezone()
    for name, value in (
        ("url", running.url),
        ("process", running.pid),
        ("home", running.home),
        ("token", running.token_file),
        ("events", running.events_url or "-"),
        ("version", running.version),
        ("started", local_time(started)),
        *(
            (name, f"{megabytes(part.bytes):>10}  {part.path}")
            for name, part in cleaning.parts(running.home).items()
        ),
        ("free disk", f"{running.free_bytes / 1e9:.1f} GB"),
    ):
        click.echo(f"{name:11}{value}")


@local.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Only runs that ended longer ago.",
)
@click.option("--all", "everything", is_flag=True, help="Deployments and schedules too: all of its state.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def clean(older_than: float | None, everything: bool, yes: bool, as_json: bool) -> None:
    """Delete the runs that have ended, with their logs. Their results stay in the datastore."""
    from metaflow_hera.embedded.local import cleaning
    from metaflow_hera.embedded.local import launch as server

    if everything and older_than is not None:
        raise OptionError("--all deletes everything, so --older-than does not go with it.")
    if older_than is not None and not math.isfinite(older_than):
        raise OptionError(f"--older-than {older_than} is not a number of days: give one, such as 7 or 0.5.")
    if not yes and not sys.stdin.isatty():
        raise UsageError("mfhera local clean asks before it deletes, and nobody can answer here: add --yes.")
    running = server.ensure_running(home_folder(), __version__)
    if not yes:
        what = "everything, deployments too," if everything else "the runs that have ended"
        click.confirm(f"Delete {what} in {running.home}?", abort=True, err=True)
    done = (
        cleaning.remove_everything(running)
        if everything
        else cleaning.clean(running, (older_than or 0.0) * 86400)
    )
    if as_json:
        click.echo(json_text(asdict(done)))
        return
    click.echo(f"Deleted {done.runs} runs; freed {megabytes(done.bytes)} of the disk.")
    if everything:
        click.echo("Stopped the embedded Argo.")


def megabytes(count: int) -> str:
    """A number of bytes in words."""
    return f"{count / 1e6:.1f} MB"


@local.command("open")
@click.option("--print", "print_url", is_flag=True, help="Print an address that works once, within a minute.")
def open_command(print_url: bool) -> None:
    """Open its page in the browser. Starts it if it is not running."""
    show_page(print_url=print_url)


command = local
