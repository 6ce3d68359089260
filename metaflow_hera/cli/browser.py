"""The page of the embedded Argo, and addresses of other servers, in the user's browser."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from metaflow_hera import __version__
from metaflow_hera.home import home_folder


def show_page(place: str = "", *, print_url: bool = False) -> None:
    """Open the page, or a place of it, or only print an address of it; see `opening.one_time_url`."""
    from metaflow_hera.embedded.local import launch as server
    from metaflow_hera.embedded.local import opening

    running = server.ensure_running(home_folder(), __version__)
    if print_url:
        click.echo(opening.one_time_url(running, place))
    elif opening.open_page(running, place):
        address = f"{running.url}/#/{place}" if place else running.url
        click.echo(f"Opened {address} in the browser. If it shows nothing: mfhera local open --print")
    else:
        port = urlsplit(running.url).port
        forward = f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
        click.echo(f"There is no browser here. For that of another machine, first: {forward}", err=True)
        click.echo("This address works once, within a minute:", err=True)
        click.echo(opening.one_time_url(running, place))


def open_address(address: str) -> bool:
    """Open an address of another server in the user's browser; returns whether there is one."""
    from metaflow_hera.embedded.local import opening

    browser = opening.a_browser()
    return browser is not None and browser.open(address)
