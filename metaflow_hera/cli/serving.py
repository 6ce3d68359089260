"""The verbs about the embedded Argo: local start, stop, status, open."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from metaflow_hera.cli.options import as_json
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import LocalServerError
from metaflow_hera.times import local_time


@click.group()
def local() -> None:
    """The embedded Argo of this machine. create and trigger start it when they need it."""


@local.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen; by default where it did last.")
def start(port: int | None) -> None:
    """Start it, if it does not run already."""
    from metaflow_hera.embedded import local as server

    running = server.start(port=port)
    click.echo(f"The embedded Argo runs at {running.url} (process {running.pid}).")


@local.command()
def stop() -> None:
    """Stop it. Pods that run go on, and the next start takes them up."""
    from metaflow_hera.embedded import local as server

    click.echo("Stopped the embedded Argo." if server.stop() else "The embedded Argo did not run.")


@local.command()
@as_json
def status(as_json: bool) -> None:
    """Where it is and where its state lies. Exits with 1 if it does not run."""
    from metaflow_hera.embedded import local as server

    running = server.status()
    if running is None:
        if as_json:
            click.echo(json_text({"running": False, "home": server.home_folder()}))
        raise NotRunning("The embedded Argo does not run: mfhera local start starts it.")
    if as_json:
        click.echo(json_text({"running": True, **asdict(running), "events_url": running.events_url}))
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
        ("database", f"{running.database_bytes / 1e6:.1f} MB"),
        ("free disk", f"{running.free_bytes / 1e9:.1f} GB"),
    ):
        click.echo(f"{name:10}{value}")


@local.command("open")
@click.option("--print", "print_url", is_flag=True, help="Print an address that works once, for a minute.")
def open_command(print_url: bool) -> None:
    """Open its page in the browser; starts it, if it does not run already."""
    from metaflow_hera.embedded import local as server
    from metaflow_hera.embedded import opening

    running = server.ensure_running()
    if print_url:
        click.echo(opening.one_time_url(running))
    elif opening.open_page(running):
        click.echo(f"Opened {running.url} in the browser. If it shows nothing: mfhera local open --print")
    else:
        click.echo("There is no browser here. This address works once, within a minute:", err=True)
        click.echo(opening.one_time_url(running))


class NotRunning(LocalServerError):
    """Not a fault: the answer to the question."""

    exit_code = 1


COMMANDS = {"local": local}
