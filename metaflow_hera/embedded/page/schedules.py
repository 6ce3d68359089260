"""When a deployment starts by itself: its cron workflows with their next starts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from metaflow_hera.embedded.crons import RESOURCE, Clock
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.reading import PageReader

STARTS = 3
"""How many of the next starts are told."""


def schedules(reader: PageReader, namespace: str, template: str, now: float) -> list[JSON]:
    """The schedules of a deployment.

    Of each its name, its expressions, its `zone` ("" is this machine's), whether it is suspended, and the
    next `starts`, in seconds since the epoch.
    """
    found = []
    for cron in reader.all_objects(RESOURCE, namespace):
        spec = cron["spec"]
        if ((spec.get("workflowSpec") or {}).get("workflowTemplateRef") or {}).get("name") != template:
            continue
        suspended = bool(spec.get("suspend"))
        found.append(
            {
                "name": cron["metadata"]["name"],
                "expressions": spec.get("schedules") or [],
                "zone": spec.get("timezone") or "",
                "suspended": suspended,
                "starts": [] if suspended else list(islice(_starts(spec, now), STARTS)),
            }
        )
    return found


def _starts(spec: JSON, now: float) -> Iterator[float]:
    try:
        clock, at = Clock(spec, now), now
    except (ValueError, KeyError, OSError):  # say, a time zone that this machine no longer has
        return
    while (following := clock.next(at)) is not None:
        at = following
        yield at
