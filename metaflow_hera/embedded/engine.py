"""The loop: what happened -> the controller -> the store -> the world.

One thread owns the store's writer, the pods and the workflows in progress. In each iteration it collects what
happened (pods that ended, calls of the API, timers), lets the controller advance the workflows concerned,
saves all of it in one transaction, and only then makes it visible: pods start, signals go out, callers get
their answers, watchers their events. A crash between the two leaves a state from which the next start
continues.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from metaflow_hera.embedded.controller import Operation
from metaflow_hera.embedded.controller.lock_table import LockTable
from metaflow_hera.embedded.controller.messages import Action, CreatePod, Event, PodRunning, Shutdown
from metaflow_hera.embedded.controller.operation import fail_workflow
from metaflow_hera.embedded.crons import Crons
from metaflow_hera.embedded.errors import Unusable
from metaflow_hera.embedded.events.sensors import Sensors
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds, timestamp
from metaflow_hera.embedded.labels import CRON_LABEL
from metaflow_hera.embedded.pods.containers import pod_of
from metaflow_hera.embedded.pods.files import remove_soon
from metaflow_hera.embedded.pods.pods import PodEvent, Pods
from metaflow_hera.embedded.pods.settings import PodSettings
from metaflow_hera.embedded.steady_clock import SteadyClock
from metaflow_hera.embedded.storage.estimates import estimates
from metaflow_hera.embedded.storage.reader import Head, PodRow, dump
from metaflow_hera.embedded.storage.retention import Retention
from metaflow_hera.embedded.storage.store import Store

T = TypeVar("T")
Clock = Callable[[], float]
Published = tuple[str, str, str]
"""A watch event's type ("ADDED", "MODIFIED", "DELETED"), the workflow's uid; its JSON if it is deleted."""

Answer = tuple[Future[Any], Any, BaseException | None]
"""The caller that waits, what its call returned, or what it raised."""

log = logging.getLogger(__name__)

MOST_SLEEP = 10.0
"""Seconds between checks of the clock while something is due: it may be set, and a machine may sleep."""
MOST_REST = 0.5
"""Seconds that the state of a busy workflow may lag behind its pods."""


@dataclass(slots=True)
class Running:
    """A workflow in progress."""

    operation: Operation
    created: float
    events: list[Event] = field(default_factory=list)
    wake_at: float | None = None
    rest_until: float = 0.0


class Engine:
    """Runs workflows until `stop`.

    Args:
        store: the writer; from `start` on it belongs to the loop's thread.
        home: where the pods' folders are.
        pods: how many there may be, and what they find.
        publish: called after each transaction, by the loop's thread, with what changed.
        submit: checks, stores and starts a workflow in a namespace; see `api.submission`.
        clock: seconds since the epoch, as this machine has them.

    `clock` of the engine itself never jumps while a workflow is in progress: what is measured, and noted in
    workflows, has this time. Schedules go by `wall`, the machine's clock.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        pods: PodSettings,
        publish: Callable[[list[Published]], None],
        submit: Callable[[Engine, str, JSON], JSON],
        clock: Clock = time.time,
    ) -> None:
        self.store = store
        self.home = home
        self.wall = clock
        self.clock = SteadyClock(clock)
        self._host = socket.gethostname()
        self._pods = Pods(home, store, pods)
        self._publish = publish
        self._submit = submit
        self.crons = Crons(store, self)
        self.sensors = Sensors(store, self)
        self._retention = Retention(store)
        self._locks = LockTable()
        self._running: dict[str, Running] = {}
        self._due: dict[str, None] = {}
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._news: list[Published] = []
        self._created: list[PodRow] = []
        self._removed: list[str] = []
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.failure: BaseException | None = None

    # From other threads.

    def start(self, on_failure: Callable[[], object] = lambda: None) -> None:
        """Continue what an earlier server left.

        The loop's thread calls `on_failure` if the loop itself fails (say, the disk is full): then nothing
        runs until a new start.
        """
        self._on_failure = on_failure
        with self.store.transaction():
            for uid in self.store.unfinished():
                head = self.store.head_by_uid(uid)
                if head is not None:
                    self._take_up(head)
            self.crons.load(self.wall())
            self._retention.load()
            self._remove_what_nobody_has()
            self._receive(self._pods.take_up(self.clock()))
            self.store.put_pods(self._pods.take_changed(self._due))
        self._thread.start()

    def stop(self) -> None:
        """Finish the iteration and stop; running pods continue, waiting ones start after the next `start`."""
        self._stopping = True
        self._wake()
        self._thread.join()
        self._pods.close()
        self.store.close()

    def call(self, change: Callable[[], T], timeout: float = 60.0) -> T:
        """Run `change` in the loop's thread and transaction; returns when that is committed.

        An exception of `change` undoes its part of the transaction and is raised here.
        """
        if self._stopping:
            raise RuntimeError("the server is stopping")
        future: Future[T] = Future()
        self._calls.append((change, future))
        self._wake()
        return future.result(timeout)

    # For the changes of `call`.

    def load(self, workflow: JSON) -> None:
        """Advance this unfinished workflow from now on."""
        uid = workflow["metadata"]["uid"]
        created = seconds(workflow["metadata"]["creationTimestamp"])
        try:
            operation = Operation(workflow, estimates(self.store, workflow), self._locks)
            self._running[uid] = Running(operation, created)
        except Exception as error:
            log.exception("workflow %s cannot be loaded", workflow["metadata"]["name"])
            self._fail(uid, workflow, created, error)
            return
        self._due[uid] = None

    def _take_up(self, head: Head) -> None:
        """Continue a workflow that an earlier server left, or end it if a row of it is damaged."""
        try:
            workflow = self.store.workflow(head)
            _mend_times(workflow, timestamp(self.clock()))
        except Exception as error:  # it may hold anything
            workflow = self.store.workflow(head, nodes=False)
            self._fail(head.uid, workflow, head.created, Unusable(f"a node in argo.db is damaged ({error})"))
            return
        self.load(workflow)

    def workflow(self, uid: str) -> JSON | None:
        """The object of a workflow in progress, to read only."""
        running = self._running.get(uid)
        return running.operation.workflow if running else None

    def create(self, namespace: str, workflow: JSON) -> JSON:
        """Check, store and start a workflow; returns it as stored, or raises an error that says why not."""
        with self.store.part():
            return self._submit(self, namespace, workflow)

    def terminate(self, uid: str) -> None:
        """End a workflow and its pods at once; one that has ended stays as it is."""
        workflow = self.workflow(uid)
        if workflow is not None:
            workflow["spec"]["shutdown"] = "Terminate"
            self.touch(uid)
            self.send(uid, Shutdown("Terminate"))

    def add(self, workflow: JSON) -> None:
        """A new workflow: store it and start it."""
        uid = workflow["metadata"]["uid"]
        self.store.put_spec(workflow)
        self.store.put_nodes(uid, ((workflow.get("status") or {}).get("nodes") or {}).items())
        self.store.put_workflow(workflow, seconds(workflow["metadata"]["creationTimestamp"]), None)
        self._news.append(("ADDED", uid, ""))
        self.load(workflow)

    def replace(self, workflow: JSON, old_nodes: Iterable[str]) -> None:
        """Continue an ended workflow from a state made for it (Argo's retry)."""
        uid = workflow["metadata"]["uid"]
        nodes: JSON = workflow["status"].get("nodes") or {}
        self.store.put_spec(workflow)
        self.store.put_nodes(uid, nodes.items(), set(old_nodes) - nodes.keys())
        self._save(workflow, seconds(workflow["metadata"]["creationTimestamp"]))
        self._tell_cron(workflow)
        self.load(workflow)

    def send(self, uid: str, event: Event) -> None:
        """Tell a workflow in progress that something happened."""
        running = self._running[uid]
        running.events.append(event)
        running.rest_until = 0.0  # what a person asks for is done in the transaction that saves it
        self._due[uid] = None

    def touch(self, uid: str) -> None:
        """The object of a workflow in progress was changed: store it, spec included."""
        running = self._running[uid]
        self.store.put_spec(running.operation.workflow)
        self._save(running.operation.workflow, running.created)

    def remove(self, uid: str) -> None:
        """Delete a workflow, and end its pods at once."""
        head = self.store.head_by_uid(uid)
        if head is None:
            return
        self._news.append(("DELETED", uid, "".join(self.store.workflow_text(head, nodes=False))))
        self._pods.forget(uid)
        self._running.pop(uid, None)
        self._due.pop(uid, None)
        self._release(uid)
        self.store.delete_workflow(uid)
        self._removed.append(uid)

    # The loop.

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._rest(self._timeout())
                self._iterate()
        except BaseException as error:  # the server ends with it: see server.py
            self.failure = error
            log.critical("the loop stopped", exc_info=True)
            self._on_failure()
        finally:
            self._stopping = True
            for _, future in self._calls:
                future.set_exception(RuntimeError("the server is stopping"))

    def _wake(self) -> None:
        """Wake the loop; any thread may call this."""
        with suppress(BlockingIOError):  # the loop has yet to read the earlier ones
            self._waker.send(b"!")

    def _rest(self, seconds: float | None) -> None:
        """Wait for news of pods, for other threads, or for this many seconds."""
        if seconds == 0:
            return
        poll = select.poll()
        for source in (self._woken, *self._pods.sources()):
            poll.register(source, select.POLLIN)
        poll.poll(None if seconds is None else 1000 * seconds)
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _timeout(self) -> float | None:
        if self._calls:
            return 0.0
        times = [self._ready_at(uid) for uid in self._due]
        times += [running.wake_at for running in self._running.values() if running.wake_at is not None]
        times += [at for at in (self._pods.wake_at(), self._retention.wake_at()) if at is not None]
        now = self.clock()
        pauses = [at - now for at in times]
        if (at := self.crons.wake_at()) is not None:
            pauses.append(at - self.wall())
        return min(MOST_SLEEP, max(0.0, min(pauses))) if pauses else None

    def _ready_at(self, uid: str) -> float:
        """When to advance a workflow that has events.

        Advancing and saving a wide workflow takes a while, and would be repeated for each pod that ends.
        While its pods wait for room, nothing is lost by collecting events for ten times as long as the last
        advance took; the cost per pod then stays the same.
        """
        running = self._running.get(uid)
        return running.rest_until if running is not None and self._pods.waiting(uid) else 0.0

    def _iterate(self) -> None:
        if not self._running:
            self.clock.set()
        now, wall = self.clock(), self.wall()
        answers: list[Answer] = []
        # Pods that were saved as waiting may start now; after a restart their claim shows which of them did.
        self._receive(self._pods.collect(now))
        self._receive(self._pods.start_ready(now))
        for uid, running in self._running.items():
            if running.wake_at is not None and running.wake_at <= now:
                self._due[uid] = None
        if (
            not self._calls
            and not self._pods.must_save()
            and not self.crons.is_due(wall)
            and ((at := self._retention.wake_at()) is None or at > now)
            and all(self._ready_at(uid) > now for uid in self._due)
        ):
            return
        try:
            with self.store.transaction():
                while self._calls:
                    answers.append(self._answer(*self._calls.popleft()))
                self.crons.fire_due(wall)
                ready = [uid for uid in self._due if self._ready_at(uid) <= now]
                for uid in ready:
                    del self._due[uid]
                    if uid in self._running:
                        self._advance(uid, self._running[uid], now)
                for uid in self._retention.due(now):
                    self.remove(uid)
                self.store.put_pods(self._pods.take_changed(self._due))
        except BaseException as error:  # nothing was committed: callers must not wait for an answer
            for future, _, _ in answers:
                future.set_exception(error)
            raise
        self._after_commit(answers, now)

    def _after_commit(self, answers: list[Answer], now: float) -> None:
        self._pods.carry_out()
        for row in self._created:
            self._pods.queue(row)
        self._created.clear()
        for uid in self._removed:
            remove_soon(f"{self.home}/pods/{uid}")
        self._removed.clear()
        self._receive(self._pods.start_ready(now))
        for future, value, error in answers:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        if self._news:
            news, self._news = self._news, []
            self._publish(news)

    def _receive(self, events: Iterable[PodEvent]) -> None:
        for uid, event in events:
            running = self._running.get(uid)
            if running is not None:
                running.events.append(event)
                self._due[uid] = None

    def _answer(self, change: Callable[[], Any], future: Future[Any]) -> Answer:
        try:
            with self.store.part():
                return future, change(), None
        except Exception as error:
            return future, None, error

    def _advance(self, uid: str, running: Running, now: float) -> None:
        events, running.events = running.events, []
        try:
            with self.store.part():
                self._step(uid, running, events, now)
        except Exception as error:
            log.exception("workflow %s", running.operation.workflow["metadata"]["name"])
            self._fail(uid, running.operation.workflow, running.created, error)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Advance those that wait for a lock that has changed hands."""
        for uid in self._locks.due():
            if uid in self._running:
                self._due[uid] = None

    def _release(self, uid: str) -> None:
        """A workflow is gone, and so is what it held."""
        self._locks.forget(uid)
        self._tell_waiting()

    def _step(self, uid: str, running: Running, events: list[Event], now: float) -> None:
        began = time.perf_counter()
        outcome = running.operation.advance(events, now)
        running.wake_at = outcome.wake_at
        workflow = running.operation.workflow
        # A pod that was over at once was never seen running.
        ran = {event.node_id for event in events if isinstance(event, PodRunning)}
        for node in outcome.nodes.values():
            if node["type"] == "Pod" and (node["phase"] == "Running" or node["id"] in ran):
                node.setdefault("hostNodeName", self._host)
        self.store.put_nodes(uid, outcome.nodes.items(), outcome.removed)
        self._act(uid, workflow, outcome.actions, now)
        if outcome.nodes or outcome.removed or outcome.workflow_changed:
            self._save(workflow, running.created)
        if running.operation.finished:
            del self._running[uid]
            self._tell_cron(workflow)
        running.rest_until = now + min(MOST_REST, 10 * (time.perf_counter() - began))

    def _remove_what_nobody_has(self) -> None:
        """Remove the folders of workflows that were deleted when the last server ended."""
        known = self.store.uids()
        for entry in os.scandir(self.home / "pods"):
            if entry.name not in known:
                remove_soon(entry.path)

    def _act(self, uid: str, workflow: JSON, actions: list[Action], now: float) -> None:
        rows = []
        for action in actions:
            if isinstance(action, CreatePod):
                pod = dump(pod_of(workflow, action))
                rows.append(
                    self._pods.new_row(uid, action.node_id, action.pod_name, pod, action.deadline_seconds)
                )
            else:
                event = self._pods.kill(uid, action.node_id, now)
                if event is not None:
                    self._receive([event])
        self.store.put_pods(rows)
        self._created += rows

    def _save(self, workflow: JSON, created: float) -> None:
        meta, status = workflow["metadata"], workflow["status"]
        meta["resourceVersion"] = str(self.store.next_version())
        meta["generation"] = meta.get("generation", 0) + 1
        finished = seconds(status["finishedAt"]) if status.get("finishedAt") else None
        self.store.put_workflow(workflow, created, finished)
        if finished is not None:
            self._retention.ended(workflow, finished)
        self._news.append(("MODIFIED", meta["uid"], ""))

    def _fail(self, uid: str, workflow: JSON, created: float, error: Exception) -> None:
        """A fault in the controller ends the workflow that caused it, and no other."""
        now = self.clock()
        changed = fail_workflow(workflow, error, now)
        self.store.put_nodes(uid, changed.items())
        self._created = [row for row in self._created if row.uid != uid]
        for row in self.store.pods(uid):
            if row.state != "ended":
                self._pods.kill(uid, row.node_id, now)
        self._running.pop(uid, None)
        self._release(uid)
        self._save(workflow, created)
        self._tell_cron(workflow)

    def _tell_cron(self, workflow: JSON) -> None:
        """A workflow that a cron workflow started has ended, or runs again."""
        if CRON_LABEL in (workflow["metadata"].get("labels") or {}):
            head = self.store.head_by_uid(workflow["metadata"]["uid"])
            if head is not None:
                self.crons.changed(head, workflow["status"].get("phase", ""))


def _mend_times(workflow: JSON, now: str) -> None:
    """Set back what lies in the future, since the machine's clock was wrong: what waits for it would hang."""
    status = workflow.get("status") or {}
    for part in (status, *(status.get("nodes") or {}).values()):
        for name in ("startedAt", "finishedAt"):
            if (part.get(name) or "") > now:
                part[name] = now
