"""The mutexes of one workflow: what it and its nodes hold and wait for (sync_manager.go of Argo)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from metaflow_hera.embedded.controller.lock_table import Claimant, LockTable, Refusal
from metaflow_hera.embedded.controller.nodes import FULFILLED, NodeTable
from metaflow_hera.embedded.json_object import JSON

if TYPE_CHECKING:
    from metaflow_hera.embedded.controller.execution import Call

Locks = tuple[str, ...]


class BadLock(ValueError):
    """What is asked for is no lock; the message is Argo's."""


class _Queue:
    """The calls that wait for the same locks, in the order in which Argo comes to them."""

    __slots__ = ("calls", "heap", "shown")

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.heap: list[tuple[tuple[int, ...], str]] = []
        self.shown: Refusal | None = None

    def add(self, node_id: str, call: Call) -> None:
        if node_id not in self.calls:
            heapq.heappush(self.heap, (call.path, node_id))
        self.calls[node_id] = call

    def first(self) -> tuple[tuple[int, ...], str] | None:
        while self.heap and self.heap[0][1] not in self.calls:
            heapq.heappop(self.heap)
        return self.heap[0] if self.heap else None


class Mutexes:
    """What a workflow has of the table's locks. Its status is the record; the rest follows from that."""

    def __init__(self, workflow: JSON, nodes: NodeTable, table: LockTable) -> None:
        metadata = workflow["metadata"]
        self._namespace: str = metadata.get("namespace", "")
        priority = int(workflow["spec"].get("priority") or 0)
        self._who = Claimant(
            metadata.get("uid", ""),
            f"{self._namespace}/{metadata['name']}",
            (-priority, metadata.get("creationTimestamp") or ""),
        )
        self._status: JSON = workflow["status"]
        self._nodes = nodes
        self._table = table
        self._waiting: dict[str, Locks] = {}
        self._queues: dict[Locks, _Queue] = {}
        self._by_lock: dict[str, set[Locks]] = {}
        self._kept: dict[str, frozenset[str]] = {}
        self._look: set[str] = set()
        # What the status says, by lock.
        self._entries: dict[str, dict[str, JSON]] = {"holding": {}, "waiting": {}}
        self.changed = False
        """Whether the status says something else than when this was set to False."""
        self._restore()

    def _restore(self) -> None:
        mutex = (self._status.get("synchronization") or {}).get("mutex")
        if mutex is None:
            return
        for kind, entries in self._entries.items():
            entries |= {entry["mutex"]: entry for entry in mutex.get(kind) or ()}
        for entry in self._entries["holding"].values():
            self._table.restore(self._who, entry["mutex"], entry["holder"])
        for key, node in self._nodes.by_id.items():
            lock = waits_for(node)
            if lock and node["phase"] not in FULFILLED:
                self._table.wait(self._who, key, [lock])
        if self._status.get("phase") == "Pending":
            self._table.wait(self._who, "", self._entries["waiting"])

    # Locks.

    def names(self, synchronization: JSON) -> Locks:
        """The locks that a filled `synchronization` names. Raises BadLock."""
        mutexes = synchronization.get("mutexes") or []
        if any(one in mutexes[:index] for index, one in enumerate(mutexes)):
            raise BadLock("requested configuration is invalid: duplicate synchronization item found")
        return tuple(dict.fromkeys(self._name(mutex) for mutex in mutexes))

    def _name(self, mutex: JSON) -> str:
        namespace = mutex.get("namespace") or self._namespace
        name = f"{namespace}/Mutex/{mutex.get('name') or ''}"
        if not mutex.get("name"):
            why = "ResourceName is missing"
        elif "/" in namespace:
            why = f"unexpected kind: {namespace.split('/')[1]}"
        else:
            return name
        raise BadLock(f"bug: unable to decode lock ({name}) that was just encoded: Invalid lock key: {why}")

    def acquire(self, node_id: str, locks: Locks, kept: Iterable[str] = ()) -> Refusal | None:
        """Take the locks for a node, "" for the workflow itself, or wait for them and return why.

        `kept` are those that go back at the workflow's end only.
        """
        refusal = self._table.acquire(self._who, node_id, locks)
        if refusal is None:
            self._holds(node_id, locks)
            if kept:
                self._kept[node_id] = frozenset(kept)
        else:
            self._refused(locks)
        return refusal

    def stay(self, node: JSON, locks: Locks) -> Refusal:
        """Keep a node waiting, whoever holds the locks: what its workflow may not start gets none."""
        self._table.wait(self._who, node["id"], locks)
        self._look.update(locks)
        return Refusal(waits_for(node), node.get("message", ""))

    def release(self, node: JSON, whole: bool = False) -> None:
        """A node is over: give back what it holds, `whole` also what it otherwise keeps.

        Of a DAG that succeeded Argo sees the end at once, and reads no names again.
        """
        key: str = node["id"]
        self._leave(key)
        kept = self._kept.pop(key, frozenset())
        holder = self._who.holder(key)
        if kept and not whole and not (node["type"] == "DAG" and node["phase"] == "Succeeded"):
            mine = {lock for lock, entry in self._entries["holding"].items() if entry["holder"] == holder}
            self._give_back(holder, mine - kept)
        else:
            self._give_back(holder, None)

    def end(self) -> None:
        """The workflow is over: nothing of it holds or waits for anything (ReleaseAll)."""
        self._table.forget(self._who.uid)
        if self._status.pop("synchronization", None) is not None:
            self.changed = True
            for node in self._nodes.by_id.values():
                if waits_for(node):
                    self._nodes.wait(node, "", node.get("message", ""))

    def _give_back(self, holder: str, locks: Iterable[str] | None) -> None:
        released = self._table.release(self._who.uid, holder, locks)
        mutex = self._mutex() if released else {}
        for lock in released:
            mutex["holding"].remove(self._entries["holding"].pop(lock))
            self.changed = True
        if released and not mutex["holding"]:
            del mutex["holding"]

    # The status (MutexStatus in workflow_types.go).

    def _mutex(self) -> JSON:
        synchronization = self._status.setdefault("synchronization", {})
        mutex: JSON = synchronization.setdefault("mutex", {})
        return mutex

    def _holds(self, node_id: str, locks: Locks) -> None:
        holder = self._who.holder(node_id)
        for lock in locks:
            self._note("holding", lock, holder)

    def _refused(self, locks: Locks) -> None:
        """Note who holds each of the locks; what is noted stays when that is over, as in Argo."""
        for lock in locks:
            holder = self._table.holder(lock)
            if holder:
                self._note("waiting", lock, holder)

    def _note(self, kind: str, lock: str, holder: str) -> None:
        entry = self._entries[kind].get(lock)
        if entry is None:
            entry = self._entries[kind][lock] = {"mutex": lock, "holder": holder}
            self._mutex().setdefault(kind, []).append(entry)
        elif entry["holder"] != holder:
            entry["holder"] = holder
        else:
            return
        self.changed = True

    # Calls that wait.

    def add(self, node: JSON, call: Call, locks: Locks, refusal: Refusal) -> None:
        """A call has to wait, and so does its node."""
        key: str = node["id"]
        self._waiting[key] = locks
        self._queues.setdefault(locks, _Queue()).add(key, call)
        for lock in locks:
            self._by_lock.setdefault(lock, set()).add(locks)
        self._show(node, refusal)
        self._show_all(locks, refusal)

    def waiting(self) -> list[tuple[str, Call]]:
        """The calls that wait, by the ids of their nodes."""
        return [(key, self._queues[locks].calls[key]) for key, locks in self._waiting.items()]

    def hear(self) -> None:
        """Note which locks have changed hands."""
        self._look |= self._table.news(self._who.uid)

    def next(self) -> Call | None:
        """The first call, in Argo's order, that can go on: it has its locks now."""
        self.hear()
        while self._look:
            due = {locks for lock in self._look for locks in self._by_lock.get(lock, ())}
            for (_, key), locks in sorted((first, locks) for locks in due if (first := self._first(locks))):
                refusal = self.acquire(key, locks)
                if refusal is None:
                    call = self._queues[locks].calls[key]
                    self._leave(key)
                    return call
                self._show_all(locks, refusal)
            self._look.clear()
            self.hear()
        return None

    def _first(self, locks: Locks) -> tuple[tuple[int, ...], str] | None:
        return self._queues[locks].first()

    def _show(self, node: JSON, refusal: Refusal) -> None:
        if waits_for(node) != refusal.lock or node.get("message") != refusal.message:
            self._nodes.wait(node, refusal.lock, refusal.message)

    def _show_all(self, locks: Locks, refusal: Refusal) -> None:
        queue = self._queues[locks]
        if queue.shown != refusal:
            queue.shown = refusal
            for key in queue.calls:
                self._show(self._nodes.by_id[key], refusal)

    def _leave(self, node_id: str) -> None:
        """A call waits no more."""
        locks = self._waiting.pop(node_id, None)
        if locks is None:
            return
        queue = self._queues[locks]
        del queue.calls[node_id]
        if not queue.calls:
            del self._queues[locks]
            for lock in locks:
                self._by_lock[lock].discard(locks)
                if not self._by_lock[lock]:
                    del self._by_lock[lock]


def waits_for(node: JSON) -> str:
    """The lock that a node waits for, or ""."""
    return str((node.get("synchronizationStatus") or {}).get("waiting") or "")


def locks_without(names: Callable[[JSON], Locks], synchronization: JSON, locks: Locks) -> frozenset[str]:
    """Those of some locks that another reading of the same `synchronization` does not name."""
    try:
        return frozenset(locks).difference(names(synchronization))
    except BadLock:
        return frozenset(locks)
