"""Pods as processes of this machine.

A pod is a process group in a session of its own. In the home it has, in `pods/<workflow uid>/`:

    <pod name>/        its own folder: its working directory and its TMPDIR, empty at first, gone at its end
    <pod name>.state   a line with its process and when that was started, when it is over a line with its
                       exit code; made exclusively, so that a pod asked for twice around a crash runs once
    <pod name>.logs    its standard output and standard error, in the order of arrival
    <pod name>.out-*   its output parameters
    <pod name>.message its termination message
    <pod name>.vol-*   its volumes, while it runs

Their parent is the server's `keeper`, which outlives it and keeps their exit codes. After a restart the
server takes up those that an earlier keeper has, by their state files: a process is a pod's if it has the
pod's number and was started when the pod was.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

from metaflow_hera.embedded import keeper, memory
from metaflow_hera.embedded.containers import (
    NOT_FOUND,
    START_ERROR,
    CannotStart,
    Process,
    base_environment,
    process,
    write_files,
)
from metaflow_hera.embedded.controller.messages import PodEnded, PodRunning
from metaflow_hera.embedded.keeping import Keeping
from metaflow_hera.embedded.podfiles import (
    is_alive,
    read_message,
    read_outputs,
    read_state,
    remove_soon,
    shorten,
    signal_group,
)
from metaflow_hera.embedded.reader import PodRow
from metaflow_hera.embedded.store import Store

GRACE = 30.0
"""Seconds from SIGTERM to SIGKILL: Kubernetes' default terminationGracePeriodSeconds."""

POD_GROUP = "scheduling.x-k8s.io/pod-group"
"""The annotation of pods that only make sense together: once one of a group runs, all do, room or not. The
name is that of the label of Kubernetes' coscheduling plugin."""

POLL = 0.25
"""Seconds between looks at a pod that this server's keeper does not have, and at the memory of one with a
limit."""

LOG_LOOK = 5.0
"""Seconds between looks at how long the logs of running pods have become."""

CLAIM_GRACE = 5.0
"""Seconds that an earlier keeper may take to start a pod that it was asked for before its server ended."""

JSON = dict[str, Any]
PodEvent = tuple[str, PodRunning | PodEnded]


class Pods:
    """Starts, watches and ends the pods of all workflows. Used by one thread, the loop's.

    The loop saves what `take_changed` returns, in the transaction in which it acts on the events, and
    only then calls `carry_out`: no signal is sent that a restart would not know of.
    """

    def __init__(self, home: Path, store: Store, limit: int, environment: Mapping[str, str]) -> None:
        self._home = str(home / "pods")
        self._cache = str(home / "cache")
        self._store = store
        self._limit = limit
        self._base = {**base_environment(os.environ), **environment}
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()
        self._running: dict[tuple[str, str], PodRow] = {}
        self._processes: dict[tuple[str, str], Process] = {}
        self._limits: dict[tuple[str, str], int] = {}
        self._out_of_memory: set[tuple[str, str]] = set()
        self._groups: dict[tuple[str, str], str] = {}
        self._groups_changed = False
        self._adopted: dict[tuple[str, str], float] = {}
        self._keeping = Keeping(home / "keeper.log")
        self._numbers: dict[int, tuple[str, str]] = {}
        self._signals: list[Callable[[], None]] = []
        self._changed: dict[tuple[str, str], PodRow] = {}
        self._next_poll = 0.0
        self._next_measure = 0.0
        self._next_look = 0.0
        for folder in (self._cache, self._home):
            os.makedirs(folder, mode=0o700, exist_ok=True)

    # What the loop asks for.

    def sources(self) -> Sequence[socket]:
        """What to wait for beside `wake_at`: it becomes readable when `collect` has something to tell."""
        return self._keeping.sources()

    def close(self) -> None:
        """Leave the pods that run to their keeper."""
        self._keeping.close()

    def take_up(self, now: float) -> Iterator[PodEvent]:
        """After a start of the server: queue the pods that wait, adopt those that run."""
        for row in self._store.pods_to_do():
            if row.state == "pending" and row.killed and not os.path.exists(self._state(row)):
                yield self._dropped(row)
            elif row.state == "running" or os.path.exists(self._state(row)):
                self._adopt(row, now)
                yield row.uid, PodRunning(row.node_id)  # the last server may not have come to say so
            else:
                self.queue(row.uid, row.node_id)

    def new_row(self, uid: str, node_id: str, name: str, pod: str, deadline: float | None) -> PodRow:
        """The row of a pod to start. One of that name that ran before a manual retry keeps its folder."""
        number = self._store.next_pod()
        earlier = self._store.pod(uid, node_id) is not None
        folder = f"{uid}/{name}~{number}" if earlier else f"{uid}/{name}"
        return PodRow(uid, node_id, name, folder, "pending", number, pod=pod, deadline=deadline)

    def queue(self, uid: str, node_id: str) -> None:
        """Start a stored pod when there is room: in turn with other workflows, in order within its own."""
        self._waiting.setdefault(uid, deque()).append(node_id)
        self._groups_changed = bool(self._groups)

    def kill(self, uid: str, node_id: str, now: float, reason: str = "asked") -> PodEvent | None:
        """End a pod: one that waits is over at once, one that runs gets SIGTERM, later SIGKILL."""
        row = self._running.get((uid, node_id))
        if row is not None:
            if row.killed is None:
                row.killed, row.kill_at = reason, now + GRACE
                self._changed[uid, node_id] = row
                self._signals.append(self._signalling(row, signal.SIGTERM))
            return None
        queue = self._waiting.get(uid)
        found = self._store.pod(uid, node_id)
        if queue is None or node_id not in queue or found is None:
            return None
        queue.remove(node_id)
        return self._dropped(found)

    def forget(self, uid: str) -> None:
        """A workflow is deleted: end its pods at once, and report nothing of them."""
        self._waiting.pop(uid, None)
        for key in [key for key in self._running if key[0] == uid]:
            row = self._running[key]
            self._signals.append(self._signalling(row, signal.SIGKILL))
            del self._running[key]
            self._numbers.pop(row.number, None)
            self._adopted.pop(key, None)
            self._limits.pop(key, None)
            self._groups.pop(key, None)
            self._processes.pop(key, None)
        for key in [key for key in self._changed if key[0] == uid]:
            del self._changed[key]

    def waiting(self, uid: str) -> int:
        """How many pods of a workflow wait for room."""
        return len(self._waiting.get(uid, ()))

    def must_save(self) -> bool:
        """Whether signals wait for their reason to be saved."""
        return bool(self._signals)

    def take_changed(self, unheard: Container[str]) -> list[PodRow]:
        """The rows to save with this turn.

        The end of a pod is saved together with what its workflow makes of it, never before: it is not told
        twice. So those of the workflows `unheard`, which have yet to be told, are kept back.
        """
        now = {
            key: row for key, row in self._changed.items() if row.state != "ended" or row.uid not in unheard
        }
        for key in now:
            del self._changed[key]
        return list(now.values())

    def carry_out(self) -> None:
        """Send the signals that are decided and saved."""
        signals, self._signals = self._signals, []
        for send in signals:
            send()

    def wake_at(self) -> float | None:
        """When to call `collect` though nothing happened, or None."""
        times = [row.kill_at for row in self._running.values() if row.kill_at]
        times += [
            row.started + row.deadline
            for row in self._running.values()
            if row.deadline is not None and row.started is not None and not row.killed
        ]
        if self._adopted:
            times.append(self._next_poll)
        if self._running:
            times.append(self._next_look)
        if self._limits:
            times.append(self._next_measure)
        return min(times, default=None)

    def collect(self, now: float) -> Iterator[PodEvent]:
        """What became of pods since the last call; ends those past their deadline or their grace."""
        for answer in self._keeping.answers():
            key = self._numbers.get(answer["id"])
            if key is not None:
                yield from self._told(key, self._running[key], answer, now)
        if self._keeping.lost:
            self._keeping.lost = False
            for key in self._numbers.values():
                self._adopted[key] = now
            self._numbers.clear()
        if self._adopted and now >= self._next_poll:
            self._next_poll = now + POLL
            for key in list(self._adopted):
                yield from self._look_at(key, self._running[key], now)
        if self._running and now >= self._next_look:
            self._next_look = now + LOG_LOOK
            for row in self._running.values():
                shorten(f"{self._home}/{row.folder}.logs")
        if self._limits and now >= self._next_measure:
            self._next_measure = now + POLL
            self._hold_to_their_limits()
        for (uid, node_id), row in self._running.items():
            if row.kill_at is not None and now >= row.kill_at:
                row.kill_at = now + GRACE
                self._signals.append(self._signalling(row, signal.SIGKILL))
            elif _is_late(row, now) and not row.killed:
                self.kill(uid, node_id, now, reason="deadline")

    def start_ready(self) -> Iterator[PodEvent]:
        """Start waiting pods while there is room, one workflow after the other.

        The keeper gets as many again as may run, so that it need not wait for the server between two.
        """
        self._keeping.give_room(max(0, self._limit - len(self._adopted)))
        while self._waiting and len(self._running) < 2 * self._limit:
            uid, queue = self._waiting.popitem(last=False)
            if not queue:
                continue
            node_id = queue.popleft()
            if queue:
                self._waiting[uid] = queue
            row = self._store.pod(uid, node_id)
            if row is not None and row.state == "pending":
                yield from self._start(row)
        if self._groups_changed:
            self._groups_changed = False
            yield from self._complete_groups()

    def _complete_groups(self) -> Iterator[PodEvent]:
        """Start those that wait of groups of which a pod runs: they wait for each other."""
        for uid, group in {
            (uid, group)
            for (uid, node_id), group in self._groups.items()
            if self._running[uid, node_id].state == "running"
        }:
            for node_id in list(self._waiting.get(uid, ())):
                row = self._store.pod(uid, node_id)
                if row is not None and _group(json.loads(row.pod or "{}")) == group:
                    self._waiting[uid].remove(node_id)
                    yield from self._start(row)
            for key, row in self._running.items():
                if row.state == "pending" and key[0] == uid and self._groups.get(key) == group:
                    self._keeping.start_now(row.number)

    # Starting, and what comes after.

    def _start(self, row: PodRow) -> Iterator[PodEvent]:
        """Have a pod started; that it runs, or cannot be started, is told by `collect`."""
        folder = f"{self._home}/{row.folder}"
        try:
            pod = json.loads(row.pod or "{}")
            what = process(pod, folder, self._base, self._cache)
            write_files(what)
            self._keeping.start(row.number, folder, what)
        except Exception as fault:  # whatever a manifest holds ends its own pod, never the loop
            yield self._not_started(row, fault if isinstance(fault, CannotStart) else _as_start_error(fault))
            return
        key = (row.uid, row.node_id)
        self._running[key] = row
        self._numbers[row.number] = key
        self._note(key, pod, what)

    def _dropped(self, row: PodRow) -> PodEvent:
        """A pod that was ended before it was started."""
        self._ended(row)
        return row.uid, PodEnded(row.node_id, None, message="pod deleted")

    def _not_started(self, row: PodRow, error: CannotStart) -> PodEvent:
        self._ended(row)
        log_path = Path(f"{self._home}/{row.folder}.logs")
        with contextlib.suppress(OSError):
            log_path.parent.mkdir(mode=0o700, exist_ok=True)
            with log_path.open("a", encoding="utf-8") as log:
                log.write(f"Error: {error}\n")
        text = str(error)
        # Argo's words for a container that failed, see inferFailedReason in its operator.go.
        if error.exit_code is not None:
            reason = "Error" if error.exit_code == NOT_FOUND else "StartError"
            text = f"main: {reason} (exit code {error.exit_code}): {text}"
        return row.uid, PodEnded(row.node_id, error.exit_code, message=text)

    def _told(self, key: tuple[str, str], row: PodRow, answer: JSON, now: float) -> Iterator[PodEvent]:
        """What the keeper says of a pod."""
        if "code" in answer:
            yield self._over(key, row, answer["code"])
        elif "dropped" in answer:
            yield self._dropped(row)
        elif "error" in answer:
            self._clear(row, self._processes.pop(key, None))
            yield self._not_started(row, CannotStart(answer["error"], START_ERROR))
        else:
            if "claimed" in answer:  # started twice around a crash: the keeper before has it
                del self._numbers[row.number]
                self._adopted[key] = now
                if row.killed:
                    self._signals.append(self._signalling(row, signal.SIGTERM))
            else:
                row.pid = answer["pid"]
            row.state, row.started = "running", now
            self._changed[key] = row
            self._groups_changed = self._groups_changed or key in self._groups
            yield row.uid, PodRunning(row.node_id)

    def _note(self, key: tuple[str, str], pod: dict[str, Any], what: Process) -> None:
        """Remember what has to be done with a pod that runs."""
        self._processes[key] = what
        if (group := _group(pod)) is not None:
            self._groups[key] = group
            self._groups_changed = True
        if what.memory_limit is not None and memory.CAN_TELL:
            self._limits[key] = what.memory_limit

    def _hold_to_their_limits(self) -> None:
        """End the largest process of each pod above its memory limit, as Linux does within a container."""
        groups = {self._pid(self._running[key]): key for key in self._limits}
        limits = {group: self._limits[key] for group, key in groups.items() if group}
        for group, largest in memory.largest_above(limits):
            self._out_of_memory.add(groups[group])
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(largest, signal.SIGKILL)

    def _clear(self, row: PodRow, what: Process | None) -> None:
        """Remove what a container takes with it: its own folder and its volumes."""
        for folder in (f"{self._home}/{row.folder}", *(what.volumes if what is not None else ())):
            remove_soon(Path(folder))

    def _adopt(self, row: PodRow, now: float) -> None:
        """Take up a pod that an earlier server had started."""
        folder = f"{self._home}/{row.folder}"
        key = (row.uid, row.node_id)
        if row.started is None:
            row.started = os.stat(self._state(row)).st_mtime
        row.state = "running"
        self._running[key] = self._changed[key] = row
        self._adopted[key] = now
        pod = json.loads(row.pod or "{}")
        with contextlib.suppress(CannotStart):  # its program is gone meanwhile; it has no outputs then
            self._note(key, pod, process(pod, folder, self._base, self._cache))
        if row.killed:
            self._signals.append(self._signalling(row, signal.SIGTERM))

    def _look_at(self, key: tuple[str, str], row: PodRow, now: float) -> Iterator[PodEvent]:
        path = self._state(row)
        state = read_state(path)
        if state.code is None and state.pid is None and now < self._adopted[key] + CLAIM_GRACE:
            return  # its keeper may still be on its way to it
        if state.code is None and is_alive(state):
            return
        if state.pid is None and not os.path.exists(path):  # no keeper ever had it
            if row.killed:
                yield self._dropped(row)
                return
            del self._adopted[key], self._running[key]
            self._processes.pop(key, None)
            row.state, row.started = "pending", None
            self._changed[key] = row
            yield from self._start(row)
            return
        # Once more: it may have ended between the two looks.
        yield self._over(key, row, read_state(path).code)

    def _over(self, key: tuple[str, str], row: PodRow, code: int | None) -> PodEvent:
        message = ""
        if code is None:  # its keeper was killed as well: nothing of it may go on beside a retry
            state = read_state(self._state(row))
            if state.pid and keeper.began(state.pid) is None:  # so the number is nobody else's: its group is
                signal_group(state.pid, signal.SIGKILL)
            if row.killed:
                code = 128 + signal.SIGKILL
            else:
                message = "pod deleted"
        outputs: dict[str, str] = {}
        what = self._processes.pop(key, None)
        try:
            outputs = read_outputs(f"{self._home}/{row.folder}", what.outputs if what else {})
        except ValueError as error:
            code, message = None, str(error)
        if code and what is not None:
            # Argo's words for a container that failed, see inferFailedReason in its operator.go.
            reason = "OOMKilled" if key in self._out_of_memory else "Error"
            message = f"main: {reason} (exit code {code})"
            if left := read_message(what.message):
                message += f": {left}"
        shorten(f"{self._home}/{row.folder}.logs")
        self._clear(row, what)
        late = row.killed == "deadline"
        self._ended(row)
        return row.uid, PodEnded(row.node_id, code, outputs=outputs, message=message, past_deadline=late)

    def _state(self, row: PodRow) -> str:
        return f"{self._home}/{row.folder}.state"

    def _ended(self, row: PodRow) -> None:
        key = (row.uid, row.node_id)
        self._running.pop(key, None)
        self._numbers.pop(row.number, None)
        self._adopted.pop(key, None)
        self._processes.pop(key, None)
        self._limits.pop(key, None)
        self._out_of_memory.discard(key)
        self._groups.pop(key, None)
        row.state, row.pod, row.pid, row.kill_at = "ended", None, None, None
        self._changed[key] = row

    def _pid(self, row: PodRow) -> int:
        """The process group of a pod, or 0."""
        if (row.uid, row.node_id) not in self._adopted:
            return row.pid or 0
        state = read_state(self._state(row))
        return state.pid if state.pid and is_alive(state) else 0

    def _signalling(self, row: PodRow, which: int) -> Callable[[], None]:
        """What sends a signal to a pod; its keeper may know its process before it is known here."""
        if row.number in self._numbers:
            return partial(self._keeping.signal, row.number, which)
        return partial(signal_group, self._pid(row), which)


def _is_late(row: PodRow, now: float) -> bool:
    return row.deadline is not None and row.started is not None and now >= row.started + row.deadline


def _group(pod: dict[str, Any]) -> str | None:
    found = (pod.get("annotations") or {}).get(POD_GROUP)
    return None if found is None else str(found)


def _as_start_error(fault: Exception) -> CannotStart:
    """A fault on the way to a process, as Kubernetes reports one."""
    if isinstance(fault, OSError):
        return CannotStart(fault.strerror or str(fault), START_ERROR)
    return CannotStart(f"{type(fault).__name__}: {fault}", START_ERROR)
