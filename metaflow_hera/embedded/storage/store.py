"""Everything the embedded Argo remembers, in one SQLite file.

One connection writes (the loop's, see `engine`); the HTTP API reads through connections of its own,
which in WAL mode neither wait for the writer nor hold it up. The writer groups all changes of one
iteration of the loop into one transaction (`Store.transaction`), so that what a client or a pod can observe
is always committed first. A crash of the server loses nothing; one of the machine may lose the last moments.

A workflow is divided by how often its parts change: `workflows` holds its small head (metadata and
status), `specs` what never changes after its creation or only at a person's request, `nodes` one row per
node. The JSON of a node is stored as it is sent, so that a workflow of ten thousand nodes is put together
by joining strings (`reader.Reader.workflow_text`), without parsing them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from metaflow_hera.embedded.errors import Unusable
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.storage.reader import Arrival, PodRow, Reader, Resource, connect, dump

# Each entry brings a database from the version of its index to the next one. Never edit an entry
# that was released: add one.
MIGRATIONS = [
    """
    CREATE TABLE counter (value INTEGER NOT NULL);
    INSERT INTO counter VALUES (0);
    CREATE TABLE objects (
        resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, labels TEXT NOT NULL, object TEXT NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    ) WITHOUT ROWID;
    CREATE TABLE workflows (
        uid TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        created REAL NOT NULL, finished REAL, labels TEXT NOT NULL, metadata TEXT NOT NULL,
        status TEXT NOT NULL,
        UNIQUE (namespace, name)
    );
    CREATE TABLE specs (uid TEXT PRIMARY KEY, spec TEXT NOT NULL, stored TEXT NOT NULL);
    CREATE TABLE nodes (
        uid TEXT NOT NULL, id TEXT NOT NULL, node TEXT NOT NULL, PRIMARY KEY (uid, id)
    ) WITHOUT ROWID;
    CREATE TABLE pods (
        uid TEXT NOT NULL, node_id TEXT NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL,
        state TEXT NOT NULL, number INTEGER NOT NULL, pod TEXT, pid INTEGER, started REAL,
        deadline REAL, kill_at REAL, killed TEXT,
        PRIMARY KEY (uid, node_id)
    );
    CREATE INDEX pods_to_do ON pods (number) WHERE state != 'ended';
    """,
    """
    CREATE TABLE crons (
        namespace TEXT NOT NULL, name TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (namespace, name)
    ) WITHOUT ROWID;
    CREATE TABLE arrived (
        namespace TEXT NOT NULL, sensor TEXT NOT NULL, trigger TEXT NOT NULL, dependency TEXT NOT NULL,
        at REAL NOT NULL, event TEXT NOT NULL, PRIMARY KEY (namespace, sensor, trigger, dependency)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE revisions (
        namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, at REAL NOT NULL,
        template TEXT NOT NULL, PRIMARY KEY (namespace, name, version)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE events (
        number INTEGER PRIMARY KEY, at REAL NOT NULL, namespace TEXT NOT NULL, body TEXT NOT NULL,
        taken INTEGER NOT NULL, started TEXT NOT NULL
    );
    CREATE INDEX events_taken ON events (taken, number);
    """,
]
VERSION = len(MIGRATIONS)

MOST_FREE = 64 * 1024 * 1024
"""Bytes of a database that may be unused, after runs were deleted, before a start makes the file smaller."""

REVISIONS = 100
"""How many revisions of a workflow template are kept, the latest."""

EVENTS = 200
"""How many events are kept, the latest: of those that a sensor waited for, and of the others."""
EVENT_TEXT = 10_000
"""Characters of an event that are kept."""

# What `specs.stored` holds: the parts of the status that are as large as the manifest.
STORED = ("storedTemplates", "storedWorkflowTemplateSpec")


def open_database(path: Path) -> None:
    """Create the database or bring it to this version.

    Raises:
        Unusable: it was written by a newer version, or is not a database.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise Unusable(
                f"{path} was written by a newer version of metaflow_hera (its schema is {found}, this "
                f"version knows {VERSION}): upgrade metaflow_hera, or set METAFLOW_HERA_HOME to another "
                "folder."
            )
        for number in range(found, VERSION):
            connection.executescript(
                f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version={number + 1}; COMMIT;"
            )
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if free * size > MOST_FREE and 2 * free > pages:
            connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise Unusable(
            f"{path} cannot be written ({error}): make room on its disk, or make its folder writable."
        ) from error
    except sqlite3.DatabaseError as error:
        raise Unusable(
            f"{path} cannot be used as a database ({error}): move it away, "
            "or set METAFLOW_HERA_HOME to another folder."
        ) from error
    finally:
        connection.close()


class Store(Reader):
    """The writer. All changes happen inside `transaction`, on one thread."""

    def __init__(self, path: Path) -> None:
        open_database(path)
        super().__init__(path)
        self._connection = connect(path)
        self._version = self.version()
        self._pods = int(self._db.execute("SELECT COALESCE(MAX(number), 0) FROM pods").fetchone()[0])

    @property
    def _db(self) -> sqlite3.Connection:
        return self._connection

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside it at its end; after an exception, nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        version, pods = self._version, self._pods
        try:
            yield
            if self._version != version:
                self._connection.execute("UPDATE counter SET value=?", (self._version,))
            self._connection.execute("COMMIT")
        except BaseException:
            self._version, self._pods = version, pods
            if self._connection.in_transaction:  # SQLite itself rolls it back when the disk is full
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of a transaction: an exception undoes this part only."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            raise
        finally:
            self._connection.execute("RELEASE part")

    def next_version(self) -> int:
        """A new resourceVersion."""
        self._version += 1
        return self._version

    def put_object(self, resource: Resource, obj: JSON) -> None:
        """Store an object of a kind that only the API changes under its namespace and name."""
        meta = obj["metadata"]
        self._connection.execute(
            "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?)",
            (
                resource, meta["namespace"], meta["name"], int(meta["resourceVersion"]),
                dump(meta.get("labels") or {}), dump(obj),
            ),
        )  # fmt: skip

    def delete_object(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete such an object."""
        self.next_version()
        self._connection.execute(
            "DELETE FROM objects WHERE resource=? AND namespace=? AND name=?", (resource, namespace, name)
        )

    def put_revision(self, template: JSON, at: float) -> None:
        """Keep a workflow template as it was stored at a time, beside what is stored later."""
        meta = template["metadata"]
        place = (meta["namespace"], meta["name"])
        self._connection.execute(
            "INSERT OR REPLACE INTO revisions VALUES (?,?,?,?,?)",
            (*place, int(meta["resourceVersion"]), at, dump(template)),
        )
        self._connection.execute(
            "DELETE FROM revisions WHERE namespace=? AND name=? AND version NOT IN (SELECT version FROM "
            "revisions WHERE namespace=? AND name=? ORDER BY version DESC LIMIT ?)",
            (*place, *place, REVISIONS),
        )

    def forget_revisions(self, namespace: str, name: str) -> None:
        """Delete what is kept of a workflow template."""
        self._connection.execute("DELETE FROM revisions WHERE namespace=? AND name=?", (namespace, name))

    def put_cron_since(self, namespace: str, name: str, since: float | None) -> None:
        """Note the time up to which a cron workflow's schedule has been checked; None deletes the note."""
        if since is None:
            self._connection.execute("DELETE FROM crons WHERE namespace=? AND name=?", (namespace, name))
        else:
            self._connection.execute("INSERT OR REPLACE INTO crons VALUES (?,?,?)", (namespace, name, since))

    def put_arrival(self, namespace: str, sensor: str, arrival: Arrival) -> None:
        """Keep an event for a trigger of a sensor, in place of an older one for the same dependency."""
        self._connection.execute(
            "INSERT OR REPLACE INTO arrived VALUES (?,?,?,?,?,?)",
            (namespace, sensor, arrival.trigger, arrival.dependency, arrival.at, dump(arrival.event)),
        )

    def put_event(self, namespace: str, body: JSON, at: float, taken: bool, started: list[str]) -> None:
        """Note an event that came: whether a sensor waited for it, and the workflows that it started."""
        self._connection.execute(
            "INSERT INTO events (at, namespace, body, taken, started) VALUES (?,?,?,?,?)",
            (at, namespace, dump(body)[:EVENT_TEXT], taken, dump(started)),
        )
        self._connection.execute(
            "DELETE FROM events WHERE taken=? AND number<="
            "(SELECT number FROM events WHERE taken=? ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (taken, taken, EVENTS),
        )

    def forget_arrivals(self, namespace: str, sensor: str, trigger: str | None = None) -> None:
        """Delete the events that a sensor keeps, or those of one of its triggers."""
        self._connection.execute(
            "DELETE FROM arrived WHERE namespace=? AND sensor=? AND (trigger=? OR ? IS NULL)",
            (namespace, sensor, trigger, trigger),
        )

    def put_workflow(self, workflow: JSON, created: float, finished: float | None) -> None:
        """Store a workflow's head; its nodes and its spec are stored by the calls for them."""
        meta, status = workflow["metadata"], workflow.get("status") or {}
        head = {key: value for key, value in status.items() if key not in STORED and key != "nodes"}
        self._connection.execute(
            "INSERT INTO workflows VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (uid) DO UPDATE SET "
            "version=excluded.version, finished=excluded.finished, labels=excluded.labels, "
            "metadata=excluded.metadata, status=excluded.status",
            (
                meta["uid"], meta["namespace"], meta["name"], int(meta["resourceVersion"]), created, finished,
                dump(meta.get("labels") or {}), dump(meta), dump(head),
            ),
        )  # fmt: skip

    def put_spec(self, workflow: JSON) -> None:
        """Store a workflow's spec and the parts of its status that are as large."""
        status = workflow.get("status") or {}
        stored = {key: status[key] for key in STORED if key in status}
        self._connection.execute(
            "INSERT OR REPLACE INTO specs VALUES (?,?,?)",
            (workflow["metadata"]["uid"], dump(workflow["spec"]), dump(stored)),
        )

    def put_nodes(self, uid: str, nodes: Iterable[tuple[str, JSON]], removed: Iterable[str] = ()) -> None:
        """Store the nodes that were created or changed, and delete those removed."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO nodes VALUES (?,?,?)", ((uid, key, dump(node)) for key, node in nodes)
        )
        self._connection.executemany(
            "DELETE FROM nodes WHERE uid=? AND id=?", ((uid, key) for key in removed)
        )

    def delete_workflow(self, uid: str) -> None:
        """Delete a workflow, its nodes and its pods."""
        self.next_version()
        for table in ("workflows", "specs", "nodes", "pods"):
            self._connection.execute(f"DELETE FROM {table} WHERE uid=?", (uid,))  # noqa: S608

    def next_pod(self) -> int:
        """The number of a new pod: they start in the order of their numbers."""
        self._pods += 1
        return self._pods

    def put_pods(self, pods: Iterable[PodRow]) -> None:
        """Store pods."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO pods VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    p.uid, p.node_id, p.name, p.folder, p.state, p.number, p.pod, p.pid, p.started,
                    p.deadline, p.kill_at, p.killed,
                )
                for p in pods
            ),
        )  # fmt: skip
