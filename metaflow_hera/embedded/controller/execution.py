"""What the parts of an operation share: nodes, templates, work that is due, and actions for the world."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from metaflow_hera.embedded.controller.dag_order import Plan, make_plan
from metaflow_hera.embedded.controller.ids import pod_name
from metaflow_hera.embedded.controller.lock_table import LockTable
from metaflow_hera.embedded.controller.messages import Action
from metaflow_hera.embedded.controller.mutexes import Mutexes
from metaflow_hera.embedded.controller.nodes import ACTIVE, NodeTable, fulfilled
from metaflow_hera.embedded.controller.parameters import Globals
from metaflow_hera.embedded.expressions.gojson import any_string, dumps
from metaflow_hera.embedded.expressions.variables import substitute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds

# maxStackDepth of Argo's controller (controller.go), and its words.
MAX_DEPTH = 100
TOO_DEEP = (
    "Maximum recursion depth exceeded. See "
    "https://argo-workflows.readthedocs.io/en/latest/scaling/#maximum-recursion-depth"
)

Path = tuple[int, ...]

# {{tasks.NAME.outputs.result}}, and the same in an expression, where a name may be in brackets.
_RESULT_REF = re.compile(r"(?:tasks|steps)(?:\.([-\w]+)|\[(?:'|\\\")([-\w]+)(?:'|\\\")\])\.outputs\.result\b")


class CallError(Exception):
    """A template that could not be executed; its node is an Error already.

    The message is the reason, to which the caller adds where it happened.
    """


class Owner(Protocol):
    """Something that started nodes and is told when they are over."""

    def ended(self, key: int, node: JSON) -> None:
        """The node started under `key` is fulfilled."""

    def go_on(self, call: Call) -> None:
        """Execute a call again: what it waited for is there."""


class Frame(Protocol):
    """A running node that starts others: a DAG, or the attempts of a retry."""

    path: Path
    call: Call
    node: JSON

    def step(self) -> None:
        """Do what can be done now."""

    def give_up(self, reason: str) -> None:
        """Fail: nothing of it is under way, and the workflow is to end."""


@dataclass(slots=True)
class Call:
    """A template to be executed at a place.

    `path` gives the place in the order in which Argo comes to it; `flag` is the nodeFlag.
    """

    name: str
    template: str
    arguments: Mapping[str, str]
    owner: Owner
    key: int
    path: Path
    depth: int = 1
    boundary: JSON | None = None
    task: str = ""
    on_exit: bool = False
    flag: JSON | None = None
    # Until when a pod may be active, in seconds since the epoch: a retry's backoff.maxDuration.
    deadline: float | None = None
    # What the caller's `tasks` are called.
    kind: str = "tasks"
    # The arguments of a task of a DAG as they are written, if it has no items.
    written: Mapping[str, str] | None = None

    def complaint(self, reason: str) -> str:
        """The message for the node of a call that could not be executed; for a step, the reason alone."""
        if self.boundary is None or self.kind == "steps":
            return reason
        return f"task '{self.name}' errored: {reason}"


@dataclass(slots=True)
class PodEntry:
    """A pod that was requested: whom to tell, and what its template says about its outputs."""

    owner: Owner
    key: int
    outputs: list[JSON] = field(default_factory=list)
    on_exit: bool = False


class Execution:
    """The state that frames work on. Everything in it can be rebuilt from the workflow object."""

    def __init__(
        self,
        workflow: JSON,
        execute: Execute,
        launch: Launch,
        estimates: Mapping[str, int],
        locks: LockTable,
    ) -> None:
        """`execute` and `launch` are those of `calls`, passed in because frames and calls need each other."""
        self.workflow = workflow
        self._execute = execute
        self._launch = launch
        status = workflow.setdefault("status", {})
        stored = status.get("storedWorkflowTemplateSpec")
        self.spec: JSON = stored or workflow["spec"]
        self.name: str = workflow["metadata"]["name"]
        # A spec that came from a template has no workflow of its own to name.
        self.scope = "local/" if stored else f"local/{self.name}"
        self.nodes = NodeTable(workflow, estimates)
        self.mutexes = Mutexes(workflow, self.nodes, locks)
        self.globals = Globals(workflow, self.spec)
        self.pods: dict[str, PodEntry] = {}
        self.suspended: dict[str, PodEntry] = {}
        # By the id of the node they stand for.
        self.frames: dict[str, Frame] = {}
        self.actions: list[Action] = []
        # How often the operation has been advanced.
        self.turn = 0
        self.parallelism: int | None = self.spec.get("parallelism")
        self._templates: dict[str, JSON] = {
            template["name"]: template for template in self.spec.get("templates") or ()
        }
        self._prepared: dict[str, JSON] = {}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._result_refs: dict[str, frozenset[str]] = {}
        self._dirty: list[tuple[int, Path, int]] = []
        self._queued: dict[int, Frame] = {}
        self._full: dict[Path, Frame] = {}
        self._watching: dict[int, tuple[Frame, int]] = {}
        # Calls that share the node of another one, by its id, and then by whom they tell.
        self._sharing: dict[str, dict[tuple[int, int], Call]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0

    @property
    def now(self) -> float:
        """Seconds since the epoch, as the caller of `advance` gave them."""
        return self.nodes.now

    @property
    def shutdown(self) -> str:
        """The strategy of a shutdown, "Stop" or "Terminate", or "" for none."""
        return str(self.workflow["spec"].get("shutdown") or "")

    @property
    def deadline(self) -> float | None:
        """When the workflow's activeDeadlineSeconds run out, in seconds since the epoch."""
        limit = self.spec.get("activeDeadlineSeconds")
        started = self.workflow["status"].get("startedAt")
        if limit is None or not started:
            return None
        return seconds(started) + float(limit)

    @property
    def held(self) -> bool:
        """Whether the workflow is suspended: nodes end, but none begins."""
        return bool(self.workflow["spec"].get("suspend")) and not self.shutdown

    def may_start(self, on_exit: bool) -> bool:
        """Whether a shutdown lets new pods start (ShutdownStrategy.ShouldExecute)."""
        return not self.shutdown or (self.shutdown == "Stop" and on_exit)

    def execute(self, call: Call) -> JSON | None:
        """Start a template at a place: see `calls.execute`."""
        return self._share(call) or self._execute(self, call)

    def launch(self, call: Call, template: JSON, node: JSON | None) -> JSON:
        """Start a filled template: see `calls.launch`."""
        return self._share(call) or self._launch(self, call, template, node)

    def _share(self, call: Call) -> JSON | None:
        """The node of another name with the same id as this call's: it then stands for both, as in Argo.

        Ids have 32 bits: of a hundred TaskGroups of 10,000 items about one has two that share a node.
        """
        node = self.nodes.find(call.name)
        if node is None or node["name"] == call.name:
            return None
        if not fulfilled(node):
            self._sharing.setdefault(node["id"], {})[id(call.owner), call.key] = call
        return node

    def tell(self, owner: Owner, key: int, node: JSON) -> None:
        """A node is over: give its locks back, tell the frame that started it and those that share it."""
        self.mutexes.release(node)
        owner.ended(key, node)
        for call in self._sharing.pop(node["id"], {}).values():
            call.owner.ended(call.key, node)

    # Templates.

    def template(self, name: str) -> JSON | None:
        """A template with the workflow's own values filled in and the defaults of all templates merged."""
        prepared = self._prepared.get(name)
        if prepared is None and name in self._templates:
            defaults = self.spec.get("templateDefaults") or {}
            merged = _merge(self._templates[name], {k: v for k, v in defaults.items() if k != "name"})
            prepared = self._prepared[name] = substitute(merged, self.globals.resolve)
        return prepared

    def result_refs(self, template: str) -> frozenset[str]:
        """The tasks or steps whose standard output a template refers to (hasOutputResultRef)."""
        if template not in self._result_refs:
            text = dumps(self._templates.get(template))
            found = (match.group(1) or match.group(2) for match in _RESULT_REF.finditer(text))
            self._result_refs[template] = frozenset(found)
        return self._result_refs[template]

    def refresh_labels(self) -> None:
        """Read the labels and annotations that the workflow has now."""
        if self.globals.read_labels(self.workflow["metadata"], self.spec):
            self._prepared.clear()

    def plan(self, template: JSON) -> Plan:
        """The plan of a filled DAG template."""
        target = template["dag"].get("target") or ""
        key = (template["name"], target)
        if key not in self._plans:
            self._plans[key] = make_plan(template["dag"]["tasks"], target)
        return self._plans[key]

    def pod_name(self, node_name: str, template: str) -> str:
        """The name of the pod of a node."""
        return pod_name(self.name, node_name, template)

    # Work that is due.

    def stir(self, frame: Frame) -> None:
        """Let a frame take its next step in this `run`: the deepest first, then in Argo's order."""
        if id(frame) not in self._queued:
            self._queued[id(frame)] = frame
            heapq.heappush(self._dirty, (-len(frame.path), frame.path, id(frame)))

    def watch(self, frame: Frame) -> None:
        """Step a frame again once another node is over, wherever it is.

        In Argo each operation looks at every running DAG. One that a retry has set back may wait for nodes
        outside of it: those that come after its last tasks.
        """
        self._watching[id(frame)] = (frame, self.nodes.fulfilled)

    def run(self) -> None:
        """Step frames until none has anything left to do."""
        while True:
            if not self._dirty:
                due = [frame for frame, seen in self._watching.values() if seen != self.nodes.fulfilled]
                for frame in due:
                    del self._watching[id(frame)]
                    self.stir(frame)
            if not self._dirty:
                if self.is_full():
                    return
                call = None if self.held else self.mutexes.next()
                if call is not None:
                    call.owner.go_on(call)
                    continue
                if not self._full:
                    return
                frame = self._full.pop(min(self._full))
                self.stir(frame)
            _, _, key = heapq.heappop(self._dirty)
            frame = self._queued.pop(key)
            if not self.is_left_behind(frame.call.boundary):
                frame.step()

    def is_left_behind(self, boundary: JSON | None) -> bool:
        """Whether a template around it is over, as after a stop, so that Argo no longer comes here."""
        while boundary is not None:
            if fulfilled(boundary):
                return True
            boundary = self.nodes.by_id.get(boundary.get("boundaryID", ""))
        return False

    def is_full(self) -> bool:
        """Whether the workflow has as many pods as its parallelism allows."""
        return self.parallelism is not None and self.nodes.active_pods >= self.parallelism

    def is_blocked(self, call: Call, node: JSON | None) -> bool:
        """Whether a limit keeps the node of a call from being created (checkParallelism)."""
        if node is not None and node["phase"] in ACTIVE:
            return False
        if self.is_full():
            return True
        if call.boundary is None:
            return False
        template = self.template(call.boundary["templateName"])
        limit = template.get("parallelism") if template else None
        return limit is not None and self.nodes.active_children[call.boundary["id"]] >= limit

    def wait_for_room(self, frame: Frame) -> None:
        """Stir a frame when the workflow's parallelism lets it continue."""
        self._full[frame.path] = frame

    def forget(self, frame: Frame, node: JSON) -> None:
        """The frame of a node is over."""
        self._full.pop(frame.path, None)
        self._watching.pop(id(frame), None)
        self.frames.pop(node["id"], None)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call `action` at a time."""
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, action))

    def ring(self) -> None:
        """Call what is due."""
        while self._timers and self._timers[0][0] <= self.now:
            heapq.heappop(self._timers)[2]()

    def next_time(self) -> float | None:
        """The next time that something is due."""
        return self._timers[0][0] if self._timers else None

    # Creating nodes.

    def create(
        self, call: Call, kind: str, phase: str, message: str = "", inputs: JSON | None = None
    ) -> JSON:
        """Create the node of a call that is executed."""
        return self._node(call, kind, phase, message, inputs, dict(call.flag) if call.flag else None)

    def create_unexecuted(self, call: Call, kind: str, phase: str, message: str = "") -> JSON:
        """Create the node of a task or step that is not executed itself: skipped, or a group of items."""
        return self._node(call, kind, phase, message, None, {})

    def _node(
        self, call: Call, kind: str, phase: str, message: str, inputs: JSON | None, flag: JSON | None
    ) -> JSON:
        return self.nodes.create(
            call.name,
            kind,
            phase,
            template=call.template,
            scope=self.scope,
            boundary=call.boundary,
            message=message,
            inputs=inputs,
            flag=flag,
        )


Execute = Callable[[Execution, Call], JSON | None]
Launch = Callable[[Execution, Call, JSON, JSON | None], JSON]


def arguments_of(task: JSON) -> dict[str, str]:
    """The values of a task's arguments by name."""
    values: dict[str, str] = {}
    for parameter in (task.get("arguments") or {}).get("parameters") or ():
        value = any_string(parameter.get("value"))
        if value is not None:
            values[parameter["name"]] = value
    return values


def inputs_of(template: JSON) -> JSON | None:
    """The inputs of a filled template as its node shows them."""
    parameters = (template.get("inputs") or {}).get("parameters")
    return {"parameters": parameters} if parameters else None


def _merge(value: JSON, defaults: JSON) -> JSON:
    """A value with defaults for what is missing, at every depth (a strategic merge without lists)."""
    if not defaults:
        return value
    merged = dict(value)
    for key, default in defaults.items():
        own = merged.get(key)
        if own is None:
            merged[key] = default
        elif isinstance(own, dict) and isinstance(default, dict):
            merged[key] = _merge(own, default)
    return merged
