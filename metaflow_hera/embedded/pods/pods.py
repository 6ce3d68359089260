"""Pods as processes of this machine.

A pod is a process group in a session of its own. In the home it has, in `pods/<workflow uid>/`:

    <pod name>/        its own folder: its working directory, empty at first, gone at its end
    <pod name>.state   a line with its process and when that was started, and at its end a line with its
                       exit code; created exclusively, so that a pod started twice around a crash runs once
    <pod name>.logs    its standard output and standard error, in the order of arrival
    <pod name>.out-*   its output parameters
    <pod name>.message its termination message
    <pod name>.progress  how far it is, if it tells
    <pod name>.vol-*   its volumes, while it runs

and in `tmp/` of the home a folder that its number names, its TMPDIR: see `temporary`.

Their parent is the server's `keeper`, which outlives it and keeps their exit codes. After a restart the
server adopts those that an earlier keeper has, by their state files: a process is a pod's if it has the
pod's number and was started when the pod was.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import socket

from metaflow_hera.embedded.controller.messages import PodEnded, PodProgress, PodRunning
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.locks import is_locked
from metaflow_hera.embedded.pods import keeper, memory
from metaflow_hera.embedded.pods.containers import (
    NOT_FOUND,
    START_ERROR,
    CannotStart,
    Process,
    base_environment,
    make_files,
    process,
    progress_file,
    remove_files,
)
from metaflow_hera.embedded.pods.files import (
    is_alive,
    read_message,
    read_outputs,
    read_progress,
    read_state,
    shorten,
    signal_group,
)
from metaflow_hera.embedded.pods.keeper_client import KeeperClient
from metaflow_hera.embedded.pods.pod import Pod, deadline_of
from metaflow_hera.embedded.pods.queue import PodQueue, group_of
from metaflow_hera.embedded.pods.settings import CACHE, PodSettings
from metaflow_hera.embedded.pods.temporary import TemporaryFolders
from metaflow_hera.embedded.storage.reader import PodRow
from metaflow_hera.embedded.storage.store import Store

GRACE = 30.0
"""Seconds from SIGTERM to SIGKILL: Kubernetes' default terminationGracePeriodSeconds."""

POLL = 0.25
"""Seconds between checks of a pod that this server's keeper does not have, and of the memory of one with a
limit."""

LOOK = 5.0
"""Seconds between looks at how long the logs of running pods have become, and at how far they are.

Argo's executor tells its controller of the progress each minute (ARGO_PROGRESS_PATCH_TICK_DURATION)."""

CLAIM_GRACE = 5.0
"""Seconds that an earlier keeper may take to start a pod that its server ordered before it ended."""

PodEvent = tuple[str, PodRunning | PodProgress | PodEnded]
Key = tuple[str, str]
"""The uid of a workflow and the id of a node."""


class Pods:
    """Starts, watches and ends the pods of all workflows. Used by one thread, the loop's.

    The loop saves what `take_changed` returns, in the transaction in which it acts on the events, and
    only then calls `carry_out`: no signal is sent that a restart would not know of.
    """

    def __init__(self, home: Path, store: Store, settings: PodSettings) -> None:
        self._home = str(home / "pods")
        self._cache = str(home / CACHE)
        self._temporary = TemporaryFolders(home)
        self._store = store
        self._limit = settings.limit
        self._may_fork = settings.may_fork
        self._base = {**base_environment(os.environ), **settings.environment}
        self._waiting = PodQueue()
        self._running: dict[Key, Pod] = {}
        # The pods of this server's keeper, by the numbers that it knows them by.
        self._numbers: dict[int, Key] = {}
        self._groups_changed = False
        self._keeper = KeeperClient(home / "keeper.log")
        self._signals: list[Callable[[], None]] = []
        self._changed: dict[Key, PodRow] = {}
        self._full_until = 0.0
        self._next_poll = 0.0
        self._next_look = 0.0
        for folder in (self._cache, self._home):
            os.makedirs(folder, mode=0o700, exist_ok=True)

    # What the loop asks for.

    def sources(self) -> Sequence[socket]:
        """What to wait for beside `wake_at`: it becomes readable when `collect` has something to tell."""
        return self._keeper.sources()

    def close(self) -> None:
        """Leave the pods that run to their keeper."""
        self._keeper.close()

    def take_up(self, now: float) -> Iterator[PodEvent]:
        """After a start of the server: queue the pods that wait, adopt those that run."""
        self._temporary.keep({row.number for row in self._store.pods_to_do()})
        for row in self._store.pods_to_do():
            if row.state == "pending" and row.killed and not os.path.exists(self._state(row)):
                yield self._dropped(row, None)
            elif row.state == "running" or os.path.exists(self._state(row)):
                self._adopt(row, now)
                yield row.uid, PodRunning(row.node_id)  # the last server may not have reported this
            else:
                self.queue(row)

    def new_row(self, uid: str, node_id: str, name: str, pod: str, deadline: float | None) -> PodRow:
        """The row of a pod to start. One of that name that ran before a manual retry keeps its folder.

        If it still runs, although it was told to end, nobody waits for it any more: it is ended at once.
        """
        if (old := self._running.get((uid, node_id))) is not None:
            self._signals.append(self._signalling(old, signal.SIGKILL))
            self._signals.append(partial(self._clear, old.row, old.process))
            self._let_go((uid, node_id))
            self._changed.pop((uid, node_id), None)
        number = self._store.next_pod()
        earlier = self._store.pod(uid, node_id) is not None
        folder = f"{uid}/{name}~{number}" if earlier else f"{uid}/{name}"
        return PodRow(uid, node_id, name, folder, "pending", number, pod=pod, deadline=deadline)

    def queue(self, row: PodRow) -> None:
        """Start a stored pod when there is room: one workflow after the other, in order within each."""
        group = group_of(row)
        self._waiting.put(row.uid, row.node_id, group)
        self._groups_changed = self._groups_changed or group is not None

    def kill(self, uid: str, node_id: str, now: float, reason: str = "asked") -> PodEvent | None:
        """End a pod: one that waits is over at once, one that runs gets SIGTERM, later SIGKILL."""
        pod = self._running.get((uid, node_id))
        if pod is not None:
            if (row := pod.row).killed is None:
                row.killed, row.kill_at = reason, now + GRACE
                self._changed[uid, node_id] = row
                self._signals.append(self._signalling(pod, signal.SIGTERM))
            return None
        if not self._waiting.remove(uid, node_id):
            return None
        found = self._row(uid, node_id)
        return self._dropped(found, None) if found is not None else None

    def forget(self, uid: str) -> None:
        """A workflow is deleted: end its pods at once, and report nothing about them."""
        self._waiting.forget(uid)
        for key in [key for key in self._running if key[0] == uid]:
            pod = self._running[key]
            self._signals.append(self._signalling(pod, signal.SIGKILL))
            self._signals.append(partial(self._temporary.remove, pod.row.number))
            self._let_go(key)
        for key in [key for key in self._changed if key[0] == uid]:
            del self._changed[key]

    def waiting(self, uid: str) -> int:
        """How many pods of a workflow wait for room."""
        return self._waiting.count(uid)

    def must_save(self) -> bool:
        """Whether signals wait for their reason to be saved."""
        return bool(self._signals)

    def take_changed(self, unheard: Container[str]) -> list[PodRow]:
        """The rows to save with this transaction.

        The end of a pod is saved together with its effect on its workflow, never before, since it is reported
        only once. So pods of the workflows `unheard`, which have yet to be told, are held back.
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
        """When to call `collect` even if nothing happened, or None."""
        rows = [pod.row for pod in self._running.values()]
        times = [row.kill_at for row in rows if row.kill_at]
        times += filter(None, map(deadline_of, rows))
        if rows:
            times.append(self._next_look)
        if any(pod.adopted is not None or pod.memory_limit is not None for pod in self._running.values()):
            times.append(self._next_poll)
        if self._full_until:
            times.append(self._full_until)
        return min(times, default=None)

    def collect(self, now: float) -> Iterator[PodEvent]:
        """What happened to pods since the last call; ends those past their deadline or their grace period."""
        for answer in self._keeper.answers():
            key = self._numbers.get(answer["id"])
            if key is not None:
                yield from self._told(key, answer, now)
        if self._keeper.lost:
            self._keeper.lost = False
            for key in self._numbers.values():
                self._running[key].adopted = now
            self._numbers.clear()
        if now >= self._next_poll:
            self._next_poll = now + POLL
            for key in [key for key, pod in self._running.items() if pod.adopted is not None]:
                yield from self._look_at(key, now)
            self._hold_to_their_limits()
        if now >= self._next_look:
            self._next_look = now + LOOK
            for pod in self._running.values():
                shorten(f"{self._folder(pod.row)}.logs")
            yield from self._progressed()
        for (uid, node_id), pod in self._running.items():
            row = pod.row
            if row.kill_at is not None and now >= row.kill_at:
                row.kill_at = now + GRACE
                self._signals.append(self._signalling(pod, signal.SIGKILL))
            elif (end := deadline_of(row)) is not None and now >= end:
                self.kill(uid, node_id, now, reason="deadline")

    def start_ready(self, now: float) -> Iterator[PodEvent]:
        """Start waiting pods while there is room, one workflow after the other.

        The keeper gets twice as many as may run, so that it need not wait for the server between two.
        """
        adopted = len(self._running) - len(self._numbers)
        self._keeper.give_room(max(0, self._limit - adopted))
        if now >= self._full_until:
            self._full_until = 0.0
        while self._waiting and len(self._running) < 2 * self._limit and not self._full_until:
            yield from self._start_waiting(*self._waiting.take(), now)
        if self._groups_changed and not self._full_until:
            self._groups_changed = False
            yield from self._complete_groups(now)

    def _complete_groups(self, now: float) -> Iterator[PodEvent]:
        """Start the waiting pods of groups in which a pod runs: they wait for each other."""
        for uid, group in {
            (uid, pod.group)
            for (uid, _), pod in self._running.items()
            if pod.group is not None and pod.row.state == "running"
        }:
            for node_id in self._waiting.take_group(uid, group):
                yield from self._start_waiting(uid, node_id, now)
            for key, pod in self._running.items():
                if pod.row.state == "pending" and key[0] == uid and pod.group == group:
                    self._keeper.start_now(pod.row.number)

    # Starting, and what comes after.

    def _start_waiting(self, uid: str, node_id: str, now: float) -> Iterator[PodEvent]:
        row = self._row(uid, node_id)
        if row is not None and row.state == "pending":
            yield from self._start(row, now)

    def _row(self, uid: str, node_id: str) -> PodRow | None:
        """The row of a pod as it is now, saved or not."""
        return self._changed.get((uid, node_id)) or self._store.pod(uid, node_id)

    def _start(self, row: PodRow, now: float) -> Iterator[PodEvent]:
        """Have a pod started; `collect` reports that it runs, or cannot be started."""
        folder, what, group = self._folder(row), None, group_of(row)
        try:
            self._temporary.make(row.number)
            what = self._process(row)
            make_files(what, folder)
            if not self._may_fork:
                what = replace(what, own=None)
            self._keeper.start(row.number, folder, what)
        except Exception as fault:  # whatever a manifest holds ends its own pod, never the loop
            if isinstance(fault, OSError) and fault.errno in keeper.FULL:  # it waits until there is room
                self._full_until = now + keeper.FULL_SECONDS
                self._waiting.put_back(row.uid, row.node_id, group)
                self._groups_changed = self._groups_changed or group is not None
            else:
                yield self._not_started(row, what, CannotStart.because_of(fault))
            return
        key = (row.uid, row.node_id)
        self._numbers[row.number] = key
        self._running[key] = Pod(row, what, group)
        self._groups_changed = self._groups_changed or group is not None

    def _dropped(self, row: PodRow, what: Process | None) -> PodEvent:
        """A pod that was ended before it was started."""
        self._clear(row, what)
        self._ended(row)
        return row.uid, PodEnded(row.node_id, None, message="pod deleted")

    def _not_started(self, row: PodRow, what: Process | None, error: CannotStart) -> PodEvent:
        self._clear(row, what)
        self._ended(row)
        log_path = Path(f"{self._folder(row)}.logs")
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

    def _told(self, key: Key, answer: JSON, now: float) -> Iterator[PodEvent]:
        """What the keeper says of a pod."""
        pod = self._running[key]
        row = pod.row
        if "code" in answer:
            yield self._over(pod, answer["code"])
        elif "dropped" in answer:
            yield self._dropped(row, pod.process)
        elif "error" in answer:
            yield self._not_started(row, pod.process, CannotStart(answer["error"], START_ERROR))
        else:
            if "claimed" in answer:  # started twice around a crash: the earlier keeper has it
                del self._numbers[row.number]
                pod.adopted = now
                if row.killed:
                    self._signals.append(self._signalling(pod, signal.SIGTERM))
            else:
                row.pid = answer["pid"]
            row.state, row.started = "running", now
            self._changed[key] = row
            self._groups_changed = self._groups_changed or pod.group is not None
            yield row.uid, PodRunning(row.node_id)

    def _progressed(self) -> Iterator[PodEvent]:
        """What pods that run have told of their progress since the last look."""
        for pod in list(self._running.values()):
            told = read_progress(progress_file(self._folder(pod.row)))
            if told is not None and told != pod.progress:
                pod.progress = told
                yield pod.row.uid, PodProgress(pod.row.node_id, *told)

    def _hold_to_their_limits(self) -> None:
        """End the largest process of each pod above its memory limit, as Linux does within a container."""
        limited = [pod for pod in self._running.values() if pod.memory_limit is not None]
        groups = {pid: pod for pod in limited if (pid := self._pid(pod))}
        limits = {pid: pod.memory_limit for pid, pod in groups.items() if pod.memory_limit is not None}
        for pid, largest in memory.largest_above(limits) if limits else ():
            groups[pid].out_of_memory = True
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(largest, signal.SIGKILL)

    def _clear(self, row: PodRow, what: Process | None) -> None:
        """Remove what a container takes with it: its own folders and its volumes."""
        self._temporary.remove(row.number)
        remove_files(what, self._folder(row))

    def _adopt(self, row: PodRow, now: float) -> None:
        """Adopt a pod that an earlier server had started."""
        key = (row.uid, row.node_id)
        if row.started is None:
            row.started = os.stat(self._state(row)).st_mtime
        row.started = min(row.started, now)  # a time to come is of a clock that was wrong
        row.kill_at = None if row.kill_at is None else min(row.kill_at, now + GRACE)
        row.state = "running"
        what = None
        with contextlib.suppress(CannotStart):  # its program has been removed since; it then has no outputs
            what = self._process(row)
        pod = self._running[key] = Pod(row, what, group_of(row), adopted=now)
        self._changed[key] = row
        self._groups_changed = self._groups_changed or pod.group is not None
        if row.killed:
            self._signals.append(self._signalling(pod, signal.SIGTERM))

    def _look_at(self, key: Key, now: float) -> Iterator[PodEvent]:
        """Check whether a pod of an earlier keeper is over."""
        pod = self._running[key]
        row, path = pod.row, self._state(pod.row)
        state = read_state(path)
        if state.code is None and state.pid is None and now < (pod.adopted or 0.0) + CLAIM_GRACE:
            return  # its keeper may be about to start it
        if state.code is None and (is_alive(state) or is_locked(path)):
            return  # it runs, or its keeper has yet to write how it ended
        if state.pid is None and not os.path.exists(path):  # no keeper ever had it
            if row.killed:
                yield self._dropped(row, pod.process)
                return
            self._let_go(key)
            row.state, row.started = "pending", None
            self._changed[key] = row
            yield from self._start(row, now)
            return
        # Once more: its keeper may have written it between the two reads.
        yield self._over(pod, read_state(path).code)

    def _over(self, pod: Pod, code: int | None) -> PodEvent:
        row, what, message = pod.row, pod.process, ""
        if code is None:  # its keeper was killed as well: nothing of it may go on beside a retry
            state = read_state(self._state(row))
            if state.pid and keeper.began(state.pid) is None:  # so the number is nobody else's: its group is
                signal_group(state.pid, signal.SIGKILL)
            if row.killed:
                code = 128 + signal.SIGKILL
            else:
                message = "pod deleted"
        by_itself = code is not None and code not in (128 + signal.SIGTERM, 128 + signal.SIGKILL)
        outputs: dict[str, str] = {}
        try:
            outputs = read_outputs(self._folder(row), what.outputs if what else {})
        except ValueError as error:
            code, message = None, str(error)
        if code and what is not None:
            # Argo's words for a container that failed, see inferFailedReason in its operator.go.
            reason = "OOMKilled" if pod.out_of_memory else "Error"
            message = f"main: {reason} (exit code {code})"
            if left := read_message(what.message):
                message += f": {left}"
                by_itself = True
        shorten(f"{self._folder(row)}.logs")
        self._clear(row, what)
        self._ended(row)
        late = row.killed == "deadline"
        return row.uid, PodEnded(row.node_id, code, outputs, message, late, by_itself)

    def _process(self, row: PodRow) -> Process:
        folders = self._folder(row), self._temporary.path(row.number)
        return process(json.loads(row.pod or "{}"), *folders, self._base, self._cache)

    def _folder(self, row: PodRow) -> str:
        return f"{self._home}/{row.folder}"

    def _state(self, row: PodRow) -> str:
        return f"{self._folder(row)}.state"

    def _let_go(self, key: Key) -> None:
        """Stop looking after a pod."""
        pod = self._running.pop(key, None)
        if pod is not None:
            self._numbers.pop(pod.row.number, None)

    def _ended(self, row: PodRow) -> None:
        key = (row.uid, row.node_id)
        self._let_go(key)
        row.state, row.pod, row.pid, row.kill_at = "ended", None, None, None
        self._changed[key] = row

    def _pid(self, pod: Pod) -> int:
        """The process group of a pod, or 0."""
        if pod.adopted is None:
            return pod.row.pid or 0
        state = read_state(self._state(pod.row))
        return state.pid if state.pid and is_alive(state) else 0

    def _signalling(self, pod: Pod, which: int) -> Callable[[], None]:
        """What sends a signal to a pod; its keeper may know its process before it is known here."""
        if pod.row.number in self._numbers:
            return partial(self._keeper.signal, pod.row.number, which)
        return partial(signal_group, self._pid(pod), which)
