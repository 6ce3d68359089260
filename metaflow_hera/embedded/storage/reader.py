"""Reading what `store` keeps, from any thread."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from metaflow_hera.embedded.json_object import JSON

Resource = Literal["workflowtemplates", "cronworkflows", "sensors"]


def dump(value: Any) -> str:
    """JSON without spaces, as Go writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Head:
    """A workflow's row without its nodes and its spec; times are seconds since the epoch."""

    uid: str
    namespace: str
    name: str
    labels: JSON
    created: float
    finished: float | None
    metadata: str
    status: str


@dataclass(slots=True)
class PodRow:
    """A pod as stored. `state` is "pending" (not started yet), "running" or "ended".

    `pod` is what is needed to start it, as JSON, until it has ended. Times are seconds since the epoch;
    `deadline` is seconds from `started`. `killed` says why it is being ended: "asked" or
    "deadline"; `kill_at` is when SIGKILL follows.
    """

    uid: str
    node_id: str
    name: str
    folder: str
    state: str
    number: int
    pod: str | None = None
    pid: int | None = None
    started: float | None = None
    deadline: float | None = None
    kill_at: float | None = None
    killed: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that a sensor's trigger keeps for a dependency; `at` is in seconds since the epoch."""

    trigger: str
    dependency: str
    at: float
    event: JSON


@dataclass(frozen=True, slots=True)
class Received:
    """An event that came; `at` is in seconds since the epoch.

    `body` is the beginning of its JSON, `taken` says whether a sensor waited for it, `started` names the
    workflows that it started, some together with events that came before.
    """

    number: int
    at: float
    namespace: str
    body: str
    taken: bool
    started: list[str]


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the settings that all connections share."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


class Reader:
    """Reads, from any thread; each thread gets a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path)
        return connection

    def version(self) -> int:
        """The resourceVersion given out last."""
        value: int = self._db.execute("SELECT value FROM counter").fetchone()[0]
        return value

    def object(self, resource: Resource, namespace: str, name: str) -> JSON | None:
        """A workflow template or cron workflow, or None."""
        row = self._db.execute(
            "SELECT object FROM objects WHERE resource=? AND namespace=? AND name=? AND json_valid(object)",
            (resource, namespace, name),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def objects(self, resource: Resource, namespace: str) -> list[tuple[str, JSON, str]]:
        """Name, labels and JSON text of each object of a namespace ("" is all), by name."""
        rows = self._db.execute(
            "SELECT name, labels, object FROM objects WHERE resource=? AND (namespace=? OR ?='') "
            "AND json_valid(labels) AND json_valid(object) "
            "ORDER BY namespace, name",
            (resource, namespace, namespace),
        )
        return [(name, json.loads(labels), text) for name, labels, text in rows]

    def all_objects(self, resource: Resource, namespace: str = "") -> list[JSON]:
        """The objects of a kind, of all namespaces or of one."""
        return [json.loads(text) for _, _, text in self.objects(resource, namespace)]

    def cron_since(self, namespace: str, name: str) -> float | None:
        """The time up to which a cron workflow's schedule has been checked, in seconds since the epoch."""
        row = self._db.execute(
            "SELECT since FROM crons WHERE namespace=? AND name=?", (namespace, name)
        ).fetchone()
        return row[0] if row else None

    def arrived(self, namespace: str, sensor: str) -> list[Arrival]:
        """The events that a sensor keeps because it waits for others."""
        rows = self._db.execute(
            "SELECT trigger, dependency, at, event FROM arrived WHERE namespace=? AND sensor=? "
            "AND json_valid(event) ORDER BY at",
            (namespace, sensor),
        )
        return [
            Arrival(trigger, dependency, at, json.loads(event)) for trigger, dependency, at, event in rows
        ]

    def events(self) -> list[Received]:
        """The events that are kept, the latest first."""
        rows = self._db.execute(
            "SELECT number, at, namespace, body, taken, started FROM events WHERE json_valid(started) "
            "ORDER BY number DESC"
        )
        return [
            Received(number, at, namespace, body, bool(taken), json.loads(started))
            for number, at, namespace, body, taken, started in rows
        ]

    def last_event(self) -> int:
        """The number of the event that came last; 0 before the first."""
        value: int = self._db.execute("SELECT COALESCE(MAX(number), 0) FROM events").fetchone()[0]
        return value

    # A damaged row is as good as absent: it must not keep anybody from the others.
    _HEAD = (
        "SELECT uid, namespace, name, labels, created, finished, metadata, status FROM workflows "
        "WHERE json_valid(labels) AND json_valid(metadata) AND json_valid(status) "
    )

    def head(self, namespace: str, name: str) -> Head | None:
        """A workflow by name, without its nodes and its spec."""
        row = self._db.execute(self._HEAD + "AND namespace=? AND name=?", (namespace, name)).fetchone()
        return _head(row) if row else None

    def head_by_uid(self, uid: str) -> Head | None:
        """A workflow by uid, without its nodes and its spec."""
        row = self._db.execute(self._HEAD + "AND uid=?", (uid,)).fetchone()
        return _head(row) if row else None

    def heads(self, namespace: str) -> Iterator[Head]:
        """All workflows of a namespace ("" is all), in Argo's order: unfinished first, then the latest."""
        rows = self._db.execute(
            self._HEAD
            + "AND (namespace=? OR ?='') ORDER BY finished IS NOT NULL, finished DESC, created DESC",
            (namespace, namespace),
        )
        return map(_head, rows.fetchall())

    def labelled(self, namespace: str, label: str, value: str) -> list[Head]:
        """The workflows of a namespace with a label, without their nodes and specs."""
        rows = self._db.execute(
            self._HEAD + "AND namespace=? AND json_extract(labels, ?)=?", (namespace, f'$."{label}"', value)
        )
        return [_head(row) for row in rows]

    def unfinished(self) -> list[str]:
        """The uids of the unfinished workflows, oldest first."""
        rows = self._db.execute("SELECT uid FROM workflows WHERE finished IS NULL ORDER BY created")
        return [uid for (uid,) in rows]

    def uids(self) -> frozenset[str]:
        """The uids of all workflows."""
        return frozenset(uid for (uid,) in self._db.execute("SELECT uid FROM workflows"))

    def last_success(self, namespace: str, label: str, value: str) -> Head | None:
        """The workflow with a label that succeeded last."""
        row = self._db.execute(
            self._HEAD + "AND namespace=? AND json_extract(labels, ?)=? AND finished IS NOT NULL "
            "AND json_extract(status, '$.phase')='Succeeded' ORDER BY finished DESC LIMIT 1",
            (namespace, f'$."{label}"', value),
        ).fetchone()
        return _head(row) if row else None

    def spans(self, uid: str) -> list[tuple[str, str, str]]:
        """The name, the start and the end of each node of a workflow that is over."""
        return self._db.execute(
            "SELECT json_extract(node, '$.name'), json_extract(node, '$.startedAt'), "
            "json_extract(node, '$.finishedAt') FROM nodes "
            "WHERE uid=? AND json_extract(node, '$.finishedAt') IS NOT NULL",
            (uid,),
        ).fetchall()

    def ended(self) -> list[tuple[str, str, float, str | None]]:
        """Of each workflow that is over: uid, phase, when it ended, and its ttlStrategy as JSON."""
        return self._db.execute(
            "SELECT uid, json_extract(status, '$.phase'), finished, "
            "COALESCE(json_extract(stored, '$.storedWorkflowTemplateSpec.ttlStrategy'), "
            "json_extract(spec, '$.ttlStrategy')) "
            "FROM workflows JOIN specs USING (uid) WHERE finished IS NOT NULL "
            "AND json_valid(status) AND json_valid(spec) AND json_valid(stored)"
        ).fetchall()

    def beyond(self, workflows: int, nodes: int) -> list[str]:
        """The uids of the ended workflows beyond this many of the latest, or beyond this many nodes."""
        rows = self._db.execute(
            "SELECT uid, (SELECT COUNT(*) FROM nodes WHERE nodes.uid=workflows.uid) FROM workflows "
            "WHERE finished IS NOT NULL ORDER BY finished DESC, created DESC"
        )
        found, sum_of_nodes = [], 0
        for place, (uid, count) in enumerate(rows):
            sum_of_nodes += count
            if place and (place >= workflows or sum_of_nodes > nodes):
                found.append(uid)
        return found

    def workflow_text(self, head: Head, nodes: bool = True) -> list[str]:
        """A workflow's JSON in pieces, put together without parsing; `nodes=False` leaves its nodes out."""
        row = self._db.execute(
            "SELECT spec, stored FROM specs WHERE uid=? AND json_valid(spec) AND json_valid(stored)",
            (head.uid,),
        ).fetchone()
        spec, stored = row if row else ("{}", "{}")
        pieces = ['{"metadata":', head.metadata, ',"spec":', spec, ',"status":', head.status[:-1]]
        more = head.status != "{}"
        if stored != "{}":
            pieces += ["," if more else "", stored[1:-1]]
            more = True
        if nodes:
            rows = self._db.execute("SELECT id, node FROM nodes WHERE uid=?", (head.uid,)).fetchall()
            if rows:
                pieces.append(',"nodes":{' if more else '"nodes":{')
                pieces += (f'{"," if i else ""}"{key}":{node}' for i, (key, node) in enumerate(rows))
                pieces.append("}")
        pieces.append("}}")
        return pieces

    def workflow(self, head: Head, nodes: bool = True) -> JSON:
        """A workflow as Argo's JSON object."""
        found: JSON = json.loads("".join(self.workflow_text(head, nodes)))
        return found

    _POD = (
        "SELECT uid, node_id, name, folder, state, number, pod, pid, started, deadline, kill_at, killed "
        "FROM pods "
    )

    def pods(self, uid: str, name: str = "") -> list[PodRow]:
        """The pods of a workflow ("" is all of them) in the order of their starts."""
        rows = self._db.execute(
            self._POD + "WHERE uid=? AND (name=? OR ?='') ORDER BY started, number", (uid, name, name)
        )
        return [PodRow(*row) for row in rows]

    def pods_to_do(self) -> list[PodRow]:
        """The pods that have not ended, in the order in which they were requested."""
        return [PodRow(*row) for row in self._db.execute(self._POD + "WHERE state!='ended' ORDER BY number")]

    def pod(self, uid: str, node_id: str) -> PodRow | None:
        """One pod."""
        row = self._db.execute(self._POD + "WHERE uid=? AND node_id=?", (uid, node_id)).fetchone()
        return PodRow(*row) if row else None


def _head(row: tuple[Any, ...]) -> Head:
    uid, namespace, name, labels, created, finished, metadata, status = row
    return Head(uid, namespace, name, json.loads(labels), created, finished, metadata, status)
