"""Which runs the page lists: those that fit what somebody looks for, the latest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.labels import TEMPLATE_LABEL, TITLE
from metaflow_hera.embedded.page.details import environment_of, tags_of
from metaflow_hera.embedded.page.parameters import given
from metaflow_hera.embedded.page.pathspecs import flow_of, run_id
from metaflow_hera.embedded.page.reading import TEXT, PageReader, spec_of
from metaflow_hera.embedded.storage.reader import Head

HOUR = 3600.0
MOST_HOURS = 24 * 366 * 100
SUSPENDED = "Suspended"
PHASES = {"Failed": ("Failed", "Error"), SUSPENDED: ("Running", "Pending")}
"""The phases of a state, where that is not called like its only one."""
GOING_ON = ("Running", "Pending", SUSPENDED)
TEXTS = 2_000
"""How many runs' texts are kept: more than the server keeps runs that have ended."""


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; what is empty or 0 does not count.

    Attributes:
        namespace, template: a deployment.
        words: each is somewhere in a run's id, flow, deployment, title, tags or parameters (`alpha=0.5`).
        state: as the page calls it.
        hours: how long ago it was created, at most.
    """

    namespace: str = ""
    template: str = ""
    words: tuple[str, ...] = ()
    state: str = ""
    hours: float = 0.0

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Wanted:
        """What a query asks for. Raises ValueError for hours that are no number."""
        hours = float(query.get("hours") or 0.0)
        if not 0 <= hours <= MOST_HOURS:
            raise ValueError("hours")
        words = tuple(query.get("q", "")[:TEXT].lower().split())
        return cls(
            query.get("namespace", ""), query.get("template", ""), words, query.get("state", ""), hours
        )


class Search:
    """Finds runs. It keeps the texts of those that it has looked through."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._texts: dict[tuple[str, int], str] = {}

    def runs(self, wanted: Wanted, now: float, limit: int) -> list[Head]:
        """The runs that fit, at most so many."""
        phases = PHASES.get(wanted.state, (wanted.state,) if wanted.state else ())
        since = now - HOUR * wanted.hours if wanted.hours else 0.0
        # What SQLite cannot tell is looked at one by one.
        most = -1 if wanted.words or wanted.state in GOING_ON else limit
        rows = self._reader.runs(wanted.namespace, wanted.template, phases, since, most)
        heads = ((self._reader.head_by_uid(uid), length) for uid, length in rows)
        fitting = (head for head, length in heads if head is not None and self._fits(head, length, wanted))
        return list(islice(fitting, limit))

    def _fits(self, head: Head, length: int, wanted: Wanted) -> bool:
        if wanted.state in GOING_ON:
            waits = head.finished is None and self._reader.waits(head.uid)
            if waits != (wanted.state == SUSPENDED):
                return False
        if not wanted.words:
            return True
        text = self._text(head, length)
        return all(word in text for word in wanted.words)

    def _text(self, head: Head, length: int) -> str:
        key = (head.uid, length)
        text = self._texts.get(key)
        if text is None:
            if len(self._texts) >= TEXTS:
                self._texts.clear()
            text = self._texts[key] = "\n".join(_texts(self._reader, head)).lower()
        return text


def _texts(reader: PageReader, head: Head) -> Iterator[str]:
    """What is looked through."""
    notes: JSON = json.loads(head.metadata).get("annotations") or {}
    yield run_id(head.name)
    yield head.labels.get(TEMPLATE_LABEL) or ""
    yield flow_of(head)
    yield str(notes.get(TITLE) or "")
    parameters = reader.arguments(head.uid)
    yield from tags_of(environment_of(spec_of(reader.workflow(head, nodes=False))), parameters)
    for each in given(parameters):
        yield f"{each['name']}={each['value']}"
