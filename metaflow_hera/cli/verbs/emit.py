"""Publishing an event: `mfhera emit`."""

from __future__ import annotations

import json
from typing import Any

import click

from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import OptionError, quoted


@click.command(cls=Verb, examples=("mfhera emit data_ready --payload table=sales",))
@click.argument("event", metavar="NAME")
@click.option(
    "--payload", "payload", multiple=True, metavar="KEY=VALUE", help="Part of the payload; repeatable."
)
@click.option("--payload-json", metavar="JSON", help="The payload as a JSON object.")
@as_json
def emit(event: str, payload: tuple[str, ...], payload_json: str | None, as_json: bool) -> None:
    """Publish the event NAME for the flows that wait for it."""
    from metaflow_hera.argo.events import publish

    values = _payload(payload, payload_json)
    sent = publish(client_at(start=True), event, values)
    if as_json:
        about = {"name": event, "id": sent.id, "place": sent.place, "unheard_in": sent.unheard_in}
        click.echo(json_text(about))
    else:
        click.echo(f"Published {click.style(event, bold=True)} at {sent.place}.")
        if sent.unheard_in is not None:
            click.echo(f"No flow in the namespace {sent.unheard_in} waits for it: is the name right?")


def _payload(texts: tuple[str, ...], whole: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if whole is not None:
        try:
            values = json.loads(whole)
        except ValueError as error:
            raise OptionError(f"--payload-json is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise OptionError("--payload-json must be a JSON object, such as '{\"size\": 3}'.")
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise OptionError(f"--payload {quoted(text)} must be KEY=VALUE.")
        values[key] = value
    return values


command = emit
