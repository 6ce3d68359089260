"""Heartbeats to a metadata service, kept by the process that outlives the task.

Metaflow starts a process of its own beside each task for them. Here it is a thread of the pod's parent,
which beats for the run as well: Metaflow's UI sees a run alive for as long as one of its tasks is.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace

from metaflow.metadata_provider.heartbeat import HeartBeatException, MetadataHeartBeat
from metaflow.metaflow_environment import MetaflowEnvironment
from metaflow.plugins import SIDECARS
from metaflow.plugins.metadata_providers.service import ServiceMetadataProvider

from metaflow_hera.graph.tasks import TaskKey

SECONDS = 10.0
"""Between two beats, unless the service says otherwise."""

FIRST = 1.0
"""Before the first beat: the service must have been told of the task."""


class Heartbeats:
    """The heartbeats of a task and of its run; none if the metadata provider is not the service."""

    def __init__(self, flow: str, provider: str, run_id: str, task: TaskKey) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._beats: list[MetadataHeartBeat] = []
        if provider != ServiceMetadataProvider.TYPE:
            return
        SIDECARS.pop("heartbeat", None)  # that of the task's own process
        metadata = ServiceMetadataProvider(MetaflowEnvironment(None), SimpleNamespace(name=flow), None, None)
        place = {"flow_id": flow, "run_number": run_id, "step_name": task.step, "task_id": task.task_id}
        for template in (metadata.url_task_template, metadata.url_run_template):
            beat = MetadataHeartBeat()
            beat.hb_url = template.format(**place)
            self._beats.append(beat)

    def start(self) -> None:
        """Start to beat. Call it only after the task's process was forked."""
        if self._beats:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop beating."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(SECONDS)

    def _run(self) -> None:
        seconds = FIRST
        while not self._stopped.wait(seconds):
            for beat in self._beats:
                try:
                    seconds = beat._heartbeat() or SECONDS
                except HeartBeatException:
                    seconds = SECONDS  # the service is away, or knows no heartbeats
