"""What the page reads from the database: counts and pages, never all nodes of a run at once.

SQLite looks into the nodes' JSON itself, without holding up the other threads of the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.labels import TEMPLATE_LABEL
from metaflow_hera.embedded.storage.reader import Reader

TEXT = 2_000
"""Characters of a message, a label or a value that are sent to the page."""

FEW = 6
"""Nodes that are alike are told apart if they are not more."""

CONTAINERS = "('DAG', 'Steps', 'StepGroup')"
"""Types of nodes that contain others."""

PARTS = """
WITH parts AS (
    SELECT id,
        json_extract(node, '$.boundaryID') AS boundary,
        json_extract(node, '$.displayName') AS display,
        json_extract(node, '$.name') AS full,
        json_extract(node, '$.type') AS type,
        CASE
            -- Argo calls a task with retries Running while its attempt waits for room, or is to come.
            WHEN json_extract(node, '$.type') = 'Retry' AND json_extract(node, '$.phase') = 'Running'
            AND EXISTS (
                SELECT 1 FROM nodes AS attempts WHERE attempts.uid = nodes.uid
                AND attempts.id = json_extract(nodes.node, '$.children[#-1]')
                AND json_extract(attempts.node, '$.phase') IN ('Pending', 'Failed', 'Error')
            ) THEN 'Pending'
            ELSE COALESCE(json_extract(node, '$.phase'), 'Pending')
        END AS phase,
        json_extract(node, '$.nodeFlag.retried') AS attempt,
        -- When Argo made the node: its pod may wait for a place before it runs, which is noted here.
        CAST(strftime('%s', json_extract(node, '$.startedAt')) AS INTEGER) AS made,
        CASE WHEN ran.uid IS NOT NULL THEN CAST(ran.started AS INTEGER)
        WHEN COALESCE(json_extract(node, '$.phase'), 'Pending') = 'Pending' THEN NULL
        ELSE CAST(strftime('%s', json_extract(node, '$.startedAt')) AS INTEGER) END AS started,
        CAST(strftime('%s', json_extract(node, '$.finishedAt')) AS INTEGER) AS finished,
        node
    FROM nodes LEFT JOIN pods AS ran ON ran.uid = nodes.uid AND ran.node_id = nodes.id
    WHERE nodes.uid = ?
)
"""
NAME = "substr(display || '(', 1, instr(display || '(', '(') - 1)"
"""The name of a node's task: `work(2:b)` is made by the task `work`."""

IS_TASK = "attempt IS NULL AND type != 'TaskGroup'"
"""Leaves out attempts of a task, which its Retry node stands for, and a TaskGroup, which only holds tasks."""


IS_RANGE = """(type IN ('Pod', 'Retry') AND instr(node, '"name":"split-range"'))"""
"""May be pods of several tasks each: their input says so (`page.ranges`)."""


def spec_of(workflow: JSON) -> JSON:
    """What a workflow does: its spec together with that of the template it was started from."""
    spec: JSON = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or workflow["spec"]
    return spec


def inputs_of(node: JSON) -> dict[str, str | None]:
    """The values of a node's input parameters, by their names."""
    parameters = (node.get("inputs") or {}).get("parameters") or ()
    return {each["name"]: each.get("value") for each in parameters}


def attempts_of(node: JSON, find: Callable[[str], JSON | None]) -> list[JSON]:
    """The pods of a task in their order: those below a Retry node, or the one that the task is."""
    if node["type"] != "Retry":
        return [node] if node["type"] == "Pod" else []
    children = map(find, node.get("children") or ())
    return [child for child in children if child and (child.get("nodeFlag") or {}).get("retried")]


@dataclass(frozen=True, slots=True)
class Alike:
    """Nodes that differ only in their items: of one DAG, in one phase, with the same times.

    `made` is when they were created, `started` when they began to run, in seconds since the epoch. `is_task`
    is false for attempts, since the node of their task stands for them. `is_range` says that a node stands
    for several tasks. `names` are those of the nodes, if they are few.
    """

    boundary: str | None
    name: str
    type: str
    is_task: bool
    is_range: bool
    phase: str
    made: int | None
    started: int | None
    finished: int | None
    count: int
    names: str | None


@dataclass(frozen=True, slots=True)
class Container:
    """A node that contains others; `inputs` are the values of its parameters, as text."""

    id: str
    boundary: str | None
    display: str
    phase: str
    inputs: dict[str, str]

    @property
    def name(self) -> str:
        """The name of its task."""
        return self.display.partition("(")[0]


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as a list of them needs it."""

    id: str
    boundary: str | None
    display: str
    phase: str


@dataclass(frozen=True, slots=True)
class RangeRow:
    """A node whose pods run several tasks; `pods` are those of a Retry node in their order, or itself."""

    boundary: str | None
    display: str
    phase: str
    node: JSON
    pods: list[JSON]


class PageReader(Reader):
    """Reads, from any thread."""

    def alike(self, uid: str) -> list[Alike]:
        """The nodes of a workflow but its TaskGroups, those that are alike counted as one."""
        kept = "boundary, name, type, is_task, is_range, phase, made, started, finished"
        rows = self._db.execute(
            f"{PARTS} SELECT boundary, {NAME} AS name, type, attempt IS NULL AS is_task, "  # noqa: S608
            f"{IS_RANGE} AS is_range, phase, made, started, finished, COUNT(*), "
            f"CASE WHEN COUNT(*) <= {FEW} THEN group_concat(full, char(10)) END "
            f"FROM parts WHERE type != 'TaskGroup' GROUP BY {kept} ORDER BY made",
            (uid,),
        )
        return [Alike(*row) for row in rows]

    def outputs(self, uid: str, *names: str) -> list[tuple[str | None, str, str, str, int]]:
        """The values that tasks of a workflow gave as these outputs, of tasks that have the first of them.

        Of each the boundary, the name of the task, the name of the output, its value, the number of tasks.
        """
        wanted = ", ".join("?" * len(names))
        return self._db.execute(
            f"{PARTS} SELECT boundary, {NAME} AS name, json_extract(value, '$.name') AS output, "  # noqa: S608
            "json_extract(value, '$.value') AS given, COUNT(*) "
            "FROM parts, json_each(node, '$.outputs.parameters') WHERE attempt IS NULL AND instr(node, ?) "
            f"AND output IN ({wanted}) AND given != '' GROUP BY boundary, name, output, given",
            (uid, f'"name":"{names[0]}"', *names),
        ).fetchall()

    def ranges(self, uid: str) -> list[RangeRow]:
        """The nodes of a workflow whose pods may run several tasks each."""
        rows = self._db.execute(
            f"{PARTS} SELECT id, boundary, display, phase, attempt, node FROM parts "  # noqa: S608
            f"WHERE {IS_RANGE}",
            (uid,),
        ).fetchall()
        nodes = {row[0]: json.loads(row[-1]) for row in rows}
        return [
            RangeRow(boundary, display, phase, nodes[id], attempts_of(nodes[id], nodes.get))
            for id, boundary, display, phase, attempt, _ in rows
            if attempt is None
        ]

    def containers(self, uid: str) -> list[Container]:
        """The nodes of a workflow that contain others."""
        rows = self._db.execute(
            f"{PARTS} SELECT id, boundary, display, phase, json_extract(node, '$.inputs.parameters') "  # noqa: S608
            f"FROM parts WHERE type IN {CONTAINERS}",
            (uid,),
        )
        return [
            Container(
                id,
                boundary,
                display,
                phase,
                {p["name"]: p.get("value") or "" for p in json.loads(inputs or "[]")},
            )
            for id, boundary, display, phase, inputs in rows
        ]

    def tasks(self, uid: str, name: str) -> list[TaskRow]:
        """The tasks of a workflow that come from a task of this name in any template."""
        rows = self._db.execute(
            f"{PARTS} SELECT id, boundary, display, phase FROM parts WHERE {IS_TASK} AND {NAME} = ?",  # noqa: S608
            (uid, name),
        )
        return [TaskRow(*row) for row in rows]

    def failed(self, uid: str, limit: int) -> list[JSON]:
        """The first nodes that failed by themselves, and not because of a node inside them."""
        rows = self._db.execute(
            f"{PARTS} SELECT node FROM parts WHERE {IS_TASK} AND type NOT IN {CONTAINERS} "  # noqa: S608
            "AND phase IN ('Failed', 'Error') ORDER BY finished, id LIMIT ?",
            (uid, limit),
        )
        return [json.loads(node) for (node,) in rows]

    def node(self, uid: str, id: str) -> JSON | None:
        """One node."""
        row = self._db.execute("SELECT node FROM nodes WHERE uid=? AND id=?", (uid, id)).fetchone()
        return json.loads(row[0]) if row else None

    def times(self, uid: str, pod: str) -> tuple[int, int | None]:
        """When a pod was made, and when it began to run, in seconds since the epoch; None if it has not."""
        row = self._db.execute(f"{PARTS} SELECT made, started FROM parts WHERE id=?", (uid, pod)).fetchone()  # noqa: S608
        return row or (0, None)

    def waits(self, uid: str) -> bool:
        """Whether a workflow is suspended, or a node of it waits for somebody to resume it."""
        row = self._db.execute(
            "SELECT json_extract(spec, '$.suspend') FROM specs WHERE uid=?", (uid,)
        ).fetchone()
        if row and row[0]:
            return True
        found = self._db.execute(
            "SELECT 1 FROM nodes WHERE uid=? AND instr(node, ?) "  # much quicker than parsing each node
            "AND json_extract(node, '$.phase')='Running' LIMIT 1",
            (uid, '"type":"Suspend"'),
        )
        return found.fetchone() is not None

    def arguments(self, uid: str) -> list[JSON]:
        """The parameters of a workflow: those of its template, then its own, which take precedence."""
        row = self._db.execute(
            "SELECT json_extract(stored, '$.storedWorkflowTemplateSpec.arguments.parameters'), "
            "json_extract(spec, '$.arguments.parameters') FROM specs WHERE uid=?",
            (uid,),
        ).fetchone()
        return [each for text in row or () for each in json.loads(text or "[]")]

    def runs(
        self, namespace: str, template: str, phases: Sequence[str], since: float, limit: int
    ) -> list[tuple[str, int]]:
        """The workflows created last, since a time: uid and the length of the spec, which a change changes.

        Of all namespaces (""), templates ("") and phases (none), or of these; at most `limit`, or all (-1).
        """
        return self._db.execute(
            "SELECT workflows.uid, COALESCE(length(spec), 0) FROM workflows LEFT JOIN specs USING (uid) "
            "WHERE created>=:since AND (namespace=:namespace OR :namespace='') "
            "AND (:template='' OR "
            "CASE WHEN json_valid(labels) THEN json_extract(labels, :label) END=:template) "
            "AND (:phases='[]' OR COALESCE(CASE WHEN json_valid(status) "
            "THEN json_extract(status, '$.phase') END, 'Pending') IN (SELECT value FROM json_each(:phases))) "
            "ORDER BY created DESC, workflows.rowid DESC LIMIT :limit",
            {
                "namespace": namespace,
                "template": template,
                "label": f'$."{TEMPLATE_LABEL}"',
                "phases": json.dumps(list(phases)),
                "since": since,
                "limit": limit,
            },
        ).fetchall()

    def revisions(self, namespace: str, name: str, *notes: str) -> list[tuple[Any, ...]]:
        """The revisions of a workflow template that are kept, the latest first.

        Of each its number, when it was stored (seconds since the epoch), and the annotations that
        `notes` names.
        """
        found = "".join(", json_extract(template, '$.metadata.annotations.\"' || ? || '\"')" for _ in notes)
        return self._db.execute(
            f"SELECT version, at{found} FROM revisions "  # noqa: S608
            "WHERE namespace=? AND name=? AND json_valid(template) ORDER BY version DESC",
            (*notes, namespace, name),
        ).fetchall()

    def revision(self, namespace: str, name: str, version: int) -> JSON | None:
        """One of them, as it was stored."""
        row = self._db.execute(
            "SELECT template FROM revisions "
            "WHERE namespace=? AND name=? AND version=? AND json_valid(template)",
            (namespace, name, version),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def deployed(self) -> list[tuple[str, str, int]]:
        """Namespace, name and version of each workflow template: what tells whether they changed."""
        return self._db.execute(
            "SELECT namespace, name, version FROM objects WHERE resource='workflowtemplates' "
            "ORDER BY namespace, name"
        ).fetchall()
