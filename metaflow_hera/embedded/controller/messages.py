"""What goes into the controller and what comes out of it: plain data, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from metaflow_hera.embedded.json_object import JSON

RESULT = "outputs.result"
"""The key of a pod's standard output among its outputs; no parameter can have this name."""


# Events: what happened outside since the last call.


@dataclass(frozen=True, slots=True)
class PodRunning:
    """The process of a pod was started."""

    node_id: str


@dataclass(frozen=True, slots=True)
class PodProgress:
    """A pod has told how far it is: `done` of `total` parts of its work, which is 1 or more."""

    node_id: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PodEnded:
    """The process of a pod is gone.

    `exit_code` is the shell's (128 + signal for a killed process), or None when the pod never
    ran or vanished: an Error then, with `message` saying why. `outputs` maps an output
    parameter's name to the content of its `valueFrom.path`; a file that does not exist is absent.
    `past_deadline` says that the pod was ended because it was active beyond its deadline, `by_itself` that a
    pod that was told to end did so: it left a word or an exit code of its own, and no signal ended it.
    """

    node_id: str
    exit_code: int | None
    outputs: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    past_deadline: bool = False
    by_itself: bool = False


@dataclass(frozen=True, slots=True)
class Shutdown:
    """`spec.shutdown` was set: "Stop" (exit handlers still run) or "Terminate"."""

    strategy: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """`spec.suspend` was set: start no new pods."""


@dataclass(frozen=True, slots=True)
class Resume:
    """`spec.suspend` was removed, and suspended nodes continue."""


Event = PodRunning | PodProgress | PodEnded | Shutdown | Suspend | Resume


# Actions: what the outside world is asked to do.


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Start the pod of a node.

    `template` is the container or script template with every variable replaced. `deadline_seconds` is
    how long the pod may be active, counted from its start, or None. `result` asks for its standard
    output, which PodEnded then has among the outputs as RESULT.
    """

    node_id: str
    pod_name: str
    template: JSON
    deadline_seconds: float | None
    result: bool = False


@dataclass(frozen=True, slots=True)
class KillPod:
    """End the pod of a node: SIGTERM, then SIGKILL after its grace period.

    A PodEnded reports its end, like any other.
    """

    node_id: str


Action = CreatePod | KillPod


@dataclass(slots=True)
class Advance:
    """The outcome of one call of the controller.

    `nodes` holds each node that was created or changed, by id, as Argo's JSON; `removed` the ids
    of nodes that are gone. `workflow_changed` says that the phase, message, labels, conditions or
    progress of the workflow itself changed. `wake_at` is the time (seconds since the epoch) at
    which to call again even if nothing happened (a backoff, a deadline), or None.
    """

    nodes: dict[str, JSON] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    actions: list[Action] = field(default_factory=list)
    workflow_changed: bool = False
    wake_at: float | None = None
