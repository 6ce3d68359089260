"""How many tasks of each foreach share a pod: what --splits-per-pod and @splits_per_pod ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.choices import checks
from metaflow_hera.choices.deployment import Choices
from metaflow_hera.errors import FlowError, OptionError, UnsupportedError
from metaflow_hera.graph.scopes import Foreach, Scope, Task, scopes
from metaflow_hera.graph.steps import FOREACH, Step
from metaflow_hera.metaflow_api.load.flows import LoadedFlow

FLAG = "--splits-per-pod"
NAME = "splits_per_pod"
"""The decorator, which is of the extension of Metaflow: it travels where this package does not."""


@dataclass(frozen=True)
class Splits:
    """How many tasks share a pod: by the step that opens a foreach, and by the step that is its body.

    `single` says of foreachs, by the steps that open them, why the number for all does not apply to them.
    `able` are the steps whose foreachs have a pod for each task and need not.
    """

    per_pod: Mapping[str, int]
    single: Mapping[str, str]
    able: Sequence[str]

    def notes(self) -> Iterator[str]:
        """Sentences on what the number for all foreachs does not apply to."""
        for step, why in self.single.items():
            yield f"The tasks of the foreach of step {step} have a pod each: {why}."

    def of(self, step: str) -> int:
        """How many tasks of a foreach share a pod, by the name of its step or of the one that opens it."""
        return self.per_pod.get(step, 1)

    def shares(self, step: Step) -> bool:
        """Whether a pod of the step runs several tasks; that of the step that opens the foreach does not."""
        return step.kind != FOREACH and self.of(step.name) > 1


def splits(flow: LoadedFlow, choices: Choices) -> Splits:
    """What a flow and the options ask for.

    Raises OptionError or FlowError for what names no foreach, UnsupportedError for a foreach whose tasks
    cannot share a pod.
    """
    asked = checks.splits(FLAG, choices.splits_per_pod)
    for_all = asked.pop(None, None)
    foreachs = {each.task.step.name: each for each in _foreachs(scopes(flow.graph))}
    decorated = _decorated(flow, foreachs)
    by_step = {**decorated, **{str(step): number for step, number in asked.items()}}
    for step in asked:
        if step not in foreachs:
            there = ", ".join(foreachs) or "none"
            raise OptionError(
                f"{FLAG} {step}={asked[step]}: no step {step} opens a foreach; those that do: {there}."
            )
    per_pod: dict[str, int] = {}
    single: dict[str, str] = {}
    for step, foreach in foreachs.items():
        number, why = by_step.get(step, for_all or 1), _why_single(foreach)
        if number == 1:
            continue
        if why is not None:
            if step in by_step:
                asks = FLAG if step in asked else f"@{NAME}"
                raise UnsupportedError(
                    f"The tasks of the foreach of step {step} cannot share a pod ({asks}): {why}. "
                    f"{_instead(foreach)}leave out {asks} of {step}, so that each has a pod of its own."
                )
            single[step] = why
            continue
        per_pod[step] = number
    if for_all is not None and for_all > 1 and all(_why_single(each) for each in foreachs.values()):
        raise OptionError(
            f"{FLAG} {for_all}: the flow has no foreach whose tasks can share a pod{_all(single)}."
        )
    for step in list(per_pod):
        body = first_step(foreachs[step])
        numbers = {each: by_step.get(each, for_all or 1) for each in foreachs if _same(foreachs, each, step)}
        if len(set(numbers.values())) > 1:
            raise UnsupportedError(
                f"The steps {' and '.join(numbers)} open foreachs of the same step {body}: "
                f"give them the same number ({FLAG})."
            )
        per_pod[body] = per_pod[step]
    able = [step for step, each in foreachs.items() if step not in per_pod and _why_single(each) is None]
    return Splits(per_pod, single, able)


def first_step(foreach: Foreach) -> str:
    """The name of the step that the tasks of a foreach begin with."""
    (step,) = foreach.task.step.out
    return step


def _foreachs(scope: Scope) -> Iterator[Foreach]:
    for member in scope.members:
        if isinstance(member, Foreach):
            yield member
            yield from _foreachs(member.body)


def _decorated(flow: LoadedFlow, foreachs: Mapping[str, Foreach]) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in flow.graph:
        for decorator in flow.step_decorators(step.name):
            if decorator.name != NAME:
                continue
            if step.name not in foreachs:
                raise FlowError(
                    f"@{NAME} of step {step.name}: the step opens no foreach, so move it to one that does."
                )
            text = str(decorator.attributes["number"])
            if not text.isdecimal() or int(text) < 1:
                raise FlowError(f"@{NAME} of step {step.name} has the number {text!r}: give 1 or more.")
            found[step.name] = int(text)
    return found


def _why_single(foreach: Foreach) -> str | None:
    """Why each task of a foreach needs a pod of its own; None if it does not."""
    match foreach.body.members:
        case (Task(body),) if body.parallel:
            return f"step {body.name} is @parallel, whose nodes run at the same time"
        case (Task(body),) if body.loops:
            return f"step {body.name} is a loop, whose iterations have a pod of their own"
        case (Task(),):
            return None
    names = dict.fromkeys(each.step.name for each in foreach.body.members if isinstance(each, Task))
    return f"its body has more than one step ({', '.join(names)})"


def _instead(foreach: Foreach) -> str:
    return "Make it one step, or " if len(foreach.body.members) > 1 else "So "


def _same(foreachs: Mapping[str, Foreach], one: str, other: str) -> bool:
    return foreachs[one].body is foreachs[other].body


def _all(single: Mapping[str, str]) -> str:
    return "".join(f"; step {step}: {why}" for step, why in single.items())
