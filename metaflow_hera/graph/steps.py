"""The steps of a flow and the transitions between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from metaflow_hera.errors import FlowError

FOREACH = "foreach"
SPLIT = "split"
SWITCH = "split-switch"
JOIN = "join"


@dataclass(frozen=True)
class Step:
    """One step of a flow.

    `kind` is start, linear, split, foreach, split-switch, join or end. `out` names the steps it may go to.
    `parallel` says that it is @parallel: its tasks, called nodes, run at the same time.
    """

    name: str
    kind: str
    out: tuple[str, ...]
    parallel: bool = False

    @property
    def loops(self) -> bool:
        """Whether the step may choose itself: it then runs iteration after iteration."""
        return self.name in self.out


@dataclass(frozen=True)
class Branches:
    """A split, static or foreach, that is open around a step.

    `kind` is the split's, `roots` are the first steps of its branches: two splits that lead to the same
    steps are one here, since a switch may choose between them. `inside` are the roots of the branches that
    the step is in: one, or several where branches meet in a step that is not a join.
    """

    kind: str
    roots: tuple[str, ...]
    inside: tuple[str, ...]


class Graph:
    """The steps of a flow in an order in which each comes after all that lead to it.

    The only possible cycle is a switch that chooses itself; the transition of a step to itself does not
    count for that order.

    Raises FlowError if a step can be reached from inside different splits.
    """

    def __init__(self, start: str, end: str, steps: Mapping[str, Step]) -> None:
        self.start = start
        self.end = end
        self.into: dict[str, list[str]] = {name: [] for name in steps}
        """For each step those that may lead to it; a loop is not listed as leading to itself."""
        for step in steps.values():
            for target in step.out:
                if target != step.name:
                    self.into[target].append(step.name)
        self.steps = {name: steps[name] for name in self._ordered(steps)}
        self.around: dict[str, tuple[Branches, ...]] = {}
        """For each step the splits (not switches: they have no join) that are open around it."""
        for name in self.steps:
            self.around[name] = self._splits_around(name)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps.values())

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def bodies_around(self, name: str) -> tuple[str, ...]:
        """The foreach bodies that a step is in, outermost first, each by the name of its first step."""
        return tuple(split.roots[0] for split in self.around[name] if split.kind == FOREACH)

    def before(self, source: str, target: str) -> tuple[Branches, ...]:
        """The splits that are open on the way from one step to the next, including that of `source`."""
        step = self.steps[source]
        if step.kind in (FOREACH, SPLIT):
            # Sorted: another split may name the same steps in another order.
            return (*self.around[source], Branches(step.kind, tuple(sorted(step.out)), (target,)))
        return self.around[source]

    def ways_into(self, name: str) -> tuple[tuple[str, ...], ...]:
        """The steps that may lead to a step, in groups: it runs after one of each group.

        A join has a group for each branch of its split, any other step one; the first step has none.
        """
        joined = self.joined(name)
        if joined is None:
            return (tuple(self.into[name]),) if self.into[name] else ()
        return tuple(
            tuple(s for s in self.into[name] if root in self.before(s, name)[-1].inside)
            for root in joined.roots
        )

    def joined(self, name: str) -> Branches | None:
        """The split that a join step closes, with all branches that meet there; None for other steps."""
        return self._merged(name)[-1] if self.steps[name].kind == JOIN else None

    def to_json(self) -> str:
        """The graph as JSON text, the same for the same graph."""
        return json.dumps(
            {"start": self.start, "end": self.end, "steps": [asdict(step) for step in self]},
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """The graph that `to_json` wrote."""
        data = json.loads(text)
        steps = (Step(**{**step, "out": tuple(step["out"])}) for step in data["steps"])
        return cls(data["start"], data["end"], {step.name: step for step in steps})

    def _ordered(self, steps: Mapping[str, Step]) -> list[str]:
        waiting = {name: len(into) for name, into in self.into.items()}
        ready = [self.start]
        order = []
        while ready:
            name = ready.pop()
            order.append(name)
            for target in reversed(steps[name].out):
                if target != name:
                    waiting[target] -= 1
                    if not waiting[target]:
                        ready.append(target)
        return order

    def _splits_around(self, name: str) -> tuple[Branches, ...]:
        around = self._merged(name)
        return around[:-1] if self.steps[name].kind == JOIN else around

    def _merged(self, name: str) -> tuple[Branches, ...]:
        """The splits that are open before a step, whichever way leads there."""
        first, *others = [self.before(source, name) for source in self.into[name]] or [()]
        for other in others:
            if [split.roots for split in other] != [split.roots for split in first]:
                raise FlowError(
                    f"Step {name} can be reached from inside different splits or foreachs: "
                    "join each of them first."
                )
            first = tuple(
                replace(one, inside=tuple(dict.fromkeys([*one.inside, *two.inside])))
                for one, two in zip(first, other)
            )
        return first
