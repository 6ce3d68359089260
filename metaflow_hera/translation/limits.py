"""How much of a run Argo can keep, and how much of that a flow needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hera.workflows import WorkflowTemplate

from metaflow_hera.contract.kubernetes import ANNOTATIONS_LIMIT, bytes_of
from metaflow_hera.contract.manifest import GRAPH
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.graph.scopes import Foreach, Scope
from metaflow_hera.graph.steps import Step
from metaflow_hera.translation.splits import Splits

WORKFLOW_LIMIT = 1024 * 1024
"""The bytes of a workflow that Argo's controller stores: its template, and its nodes, which it compresses
when they would not fit otherwise (packer.go; MAX_WORKFLOW_SIZE). More needs nodes offloaded to a database."""
NODE_BYTES = 80
"""The bytes of a compressed node: 61 over 5,000 pods of a foreach, and room for longer names."""
ANNOTATIONS = ANNOTATIONS_LIMIT - 16 * 1024
"""The bytes of annotations that an object may begin with: Argo and others add theirs, which must fit too."""
LISTED = 200
"""The tasks of a DAG, and the templates of a flow, that Argo's complete CRDs accept, since version 4.0."""
WIDE = 1_000
"""Items of a foreach for which there should be room; hardly any flow has more (`run` takes 100)."""


@dataclass(frozen=True)
class Footprint:
    """What Argo has to keep of each run of a flow.

    `manifest` is in bytes, `nodes` counts those outside foreachs, and `items` says for each outermost
    foreach how many nodes an item adds (or a range of items, where tasks share a pod), with one item in each
    foreach inside. `could_share` names, in each of them, the steps of foreachs whose tasks could share a pod.
    `tasks` are those of the largest DAG.
    """

    manifest: int
    nodes: int
    items: dict[str, int]
    splits: Splits
    could_share: Mapping[str, Sequence[str]]
    tasks: int
    templates: int

    def sizes(self) -> dict[str, object]:
        """The sizes as data, for programs."""
        return {"manifest": self.manifest, "nodes": self.nodes, "items": dict(self.items)}

    def room(self, foreach: str) -> int:
        """How many items of a foreach fit, if there is no other."""
        pods = max(0, WORKFLOW_LIMIT - self.manifest - NODE_BYTES * self.nodes) // (
            NODE_BYTES * self.items[foreach]
        )
        return pods * self.splits.of(foreach)

    def warnings(self) -> Iterator[str]:
        """What the flow's author should know before a run reaches a limit."""
        yield from self.refusals()
        for foreach in self.items:
            if (room := self.room(foreach)) < WIDE:
                able = self.could_share[foreach]
                number = self.splits.of(foreach)
                each = f"for each {number}" if number > 1 else "each"
                share = f", or for more with --splits-per-pod {able[0]}=N" if able else ""
                yield (
                    f"Argo keeps {WORKFLOW_LIMIT // 1024:,} kB of a run: "
                    f"the foreach of step {foreach} has room for about {room:,} items "
                    f"({self.items[foreach]} nodes {each}){share}, "
                    "or more on a cluster that offloads node status."
                )

    def refusals(self) -> Iterator[str]:
        """What a cluster may refuse, though Argo itself can run it: the CRDs of a cluster may be reduced."""
        for found, what in ((self.tasks, "tasks in one DAG"), (self.templates, "templates")):
            if found > LISTED:
                yield (
                    f"The flow has {found:,} {what}, and Argo's complete CRDs, since version 4.0, accept "
                    f"{LISTED}: a cluster that has them refuses it. Split it into several flows."
                )


def footprint(
    template: WorkflowTemplate, flow: Scope, is_retried: Callable[[Step], bool], splits: Splits
) -> Footprint:
    """What Argo has to keep of a flow's runs. Raises UnsupportedError when it does not fit at all."""
    whole = template.to_dict()
    graph = whole["spec"]["workflowMetadata"]["annotations"].get(GRAPH)
    # A run has its template's spec, and the annotations that this gives to runs once more: the graph is long.
    manifest = sum(len(json.dumps(part, separators=(",", ":")).encode()) for part in (whole, graph))
    foreachs = [member for member in flow.members if isinstance(member, Foreach)]

    def has_two(step: Step) -> bool:
        """Whether Argo has a Retry node beside the pod of a step: of several tasks a pod always has one."""
        return is_retried(step) or splits.shares(step)

    items = {each.task.step.name: _nodes(each.body, has_two, inside=True) for each in foreachs}
    # A foreach has a node of its own and one for the TaskGroup of its items.
    nodes = _nodes(flow, has_two, inside=False) - sum(items.values())
    if manifest + NODE_BYTES * nodes > WORKFLOW_LIMIT:
        raise UnsupportedError(
            f"The flow is too large for Argo, which keeps {WORKFLOW_LIMIT // 1024:,} kB of a run: "
            f"its manifest has {manifest // 1024:,} kB "
            f"and its {nodes:,} nodes about {NODE_BYTES * nodes // 1024:,} kB. "
            "Split it into several flows."
        )
    could_share = {
        each.task.step.name: [
            name for name in (each.task.step.name, *_opening(each.body)) if name in splits.able
        ]
        for each in foreachs
    }
    templates = whole["spec"]["templates"]
    tasks = max(len(each["dag"]["tasks"]) for each in templates if "dag" in each)
    return Footprint(manifest, nodes, items, splits, could_share, tasks, len(templates))


def of_runs(annotations: Mapping[str, str], graph: str) -> dict[str, str]:
    """The annotations of a flow's runs, with the graph if Kubernetes accepts all of them together.

    With more, Argo could not store anything of a run, which would wait for ever.
    """
    whole = {**annotations, GRAPH: graph}
    return whole if bytes_of(whole) <= ANNOTATIONS else dict(annotations)


def check_annotations(annotations: Mapping[str, str]) -> None:
    """Raise UnsupportedError for annotations of a template that Kubernetes would refuse."""
    size = bytes_of(annotations)
    if size > ANNOTATIONS:
        largest = max(annotations, key=lambda key: len(annotations[key].encode()))
        raise UnsupportedError(
            f"The annotations of the deployment have {size // 1024:,} kB, and there is room for "
            f"{ANNOTATIONS // 1024:,} kB: Kubernetes accepts no more than {ANNOTATIONS_LIMIT // 1024:,} kB. "
            f"The largest is {largest}, with {len(annotations[largest].encode()) // 1024:,} kB."
        )


def _opening(scope: Scope) -> Iterator[str]:
    """The steps of a scope that open foreachs, whatever foreach they are in."""
    for member in scope.members:
        if isinstance(member, Foreach):
            yield member.task.step.name
            yield from _opening(member.body)


def _nodes(scope: Scope, is_retried: Callable[[Step], bool], *, inside: bool) -> int:
    """The nodes of a scope, with one item in each foreach; a body of one step has no DAG around it."""
    count = 0 if inside and len(scope.members) == 1 else 1
    for member in scope.members:
        if isinstance(member, Foreach):
            count += 2 + _nodes(member.body, is_retried, inside=True)
        else:
            count += 2 if is_retried(member.step) else 1
    return count
