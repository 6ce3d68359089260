"""The steps of a flow and the transitions between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

FOREACH = "foreach"
SPLIT = "split"
SWITCH = "split-switch"
JOIN = "join"


@dataclass(frozen=True)
class Step:
    """One step of a flow.

    `kind` is Metaflow's node type: start, linear, split, foreach, split-switch, join or end;
    `out` names the steps it may go to, `parallel` says that the step runs as a gang (@parallel).
    """

    name: str
    kind: str
    out: tuple[str, ...]
    parallel: bool = False


class Graph:
    """The steps of a flow in an order in which each comes after all that lead to it.

    The one cycle Metaflow allows, a switch that chooses itself, is no exception to that order:
    the transition of a step to itself does not count.
    """

    def __init__(self, start: str, end: str, steps: Mapping[str, Step]) -> None:
        self.start = start
        self.end = end
        self.into: dict[str, list[str]] = {name: [] for name in steps}
        for step in steps.values():
            for target in step.out:
                self.into[target].append(step.name)
        self.steps = {name: steps[name] for name in self._ordered(steps)}
        self.splits: dict[str, tuple[str, ...]] = {}
        """For each step the splits (not switches: they have no join) that are open around it."""
        self._find_splits()

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps.values())

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def foreachs_around(self, name: str) -> tuple[str, ...]:
        """The foreach steps whose bodies a step is in, outermost first."""
        return tuple(split for split in self.splits[name] if self.steps[split].kind == FOREACH)

    def split_of_join(self, name: str) -> str:
        """The split step, static or foreach, that a join step closes."""
        return self._after(self.into[name][0])[-1]

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
        waiting = {name: sum(source != name for source in into) for name, into in self.into.items()}
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

    def _find_splits(self) -> None:
        for name, step in self.steps.items():
            sources = [source for source in self.into[name] if source != name]
            around = self._after(sources[0]) if sources else ()
            self.splits[name] = around[:-1] if step.kind == JOIN else around

    def _after(self, name: str) -> tuple[str, ...]:
        opens = self.steps[name].kind in (FOREACH, SPLIT)
        return (*self.splits[name], name) if opens else self.splits[name]
