"""The events that the server took lately, as the page lists them."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from metaflow_hera.embedded.json_object import JSON, NOT_JSON
from metaflow_hera.embedded.page.reading import TEXT, PageReader
from metaflow_hera.embedded.storage.reader import Received

_BEGINS = re.compile(r'\{(?:"payload":\{)?"name":("(?:[^"\\]|\\.)*")')
"""How an event of Metaflow's begins: of a large one no more than the beginning is kept."""
BODY = 500
"""Characters of an event's body that are sent to the page."""


def received(reader: PageReader) -> list[JSON]:
    """The events, the latest first: a name for each, its body, and the runs that it started."""
    return [_shown(each) for each in reader.events()]


def _shown(event: Received) -> JSON:
    return {
        "number": event.number,
        "at": event.at,
        "name": _name(event.body)[:TEXT],
        "body": event.body[:BODY],
        "taken": event.taken,
        "started": event.started,
    }


def _name(body: str) -> str:
    """The name in the payload of an event, where Metaflow has it; "" without one."""
    with suppress(*NOT_JSON, AttributeError, TypeError):
        found = json.loads(body)
        return str((found.get("payload") or {}).get("name") or found.get("name") or "")
    with suppress(*NOT_JSON):
        begins = _BEGINS.match(body)
        return str(json.loads(begins[1])) if begins else ""
    return ""
