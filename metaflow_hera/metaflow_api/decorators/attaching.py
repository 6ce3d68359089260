"""What a deployed step has besides what its author wrote, and what mutators see of it.

A mutator sees @kubernetes and @environment on each step that has none, as with Metaflow's own plugin, which
attaches them when it deploys; it can replace them, or act on them. It does not see `hera_internal`, which it
could remove. Metaflow's own way to attach decorators late runs the mutators once more, on what they have
left: one that replaces a decorator no longer finds the one that it has replaced. Here they start anew.
"""

from __future__ import annotations

from typing import Any

from metaflow import decorators
from metaflow._vendor import click
from metaflow.exception import MetaflowException
from metaflow.user_decorators.mutable_flow import MutableFlow
from metaflow.user_decorators.mutable_step import MutableStep

from metaflow_hera.metaflow_api.decorators.kubernetes import KubernetesDecorator

NAME = "hera_internal"
"""The decorator that ties a task to its pod (`decorators.internal`)."""
SHOWS = "shows"
"""Its attribute that says whether mutators act on what they are shown."""
SHOWN = (KubernetesDecorator.name, "environment")
"""What steps have for as long as mutators run."""

_init_step_decorators = decorators._init_step_decorators


def init_step_decorators(flow: Any, *given: Any, **named: Any) -> None:
    """Metaflow's function of that name: it runs the mutators and initialises the decorators of all steps."""
    markers = [deco for step in flow for deco in step.decorators if deco.name == NAME]
    # A variable of the pod would not say that this is its task, which may start other flows.
    is_task = bool(markers)
    if not is_task and not KubernetesDecorator.deploying and _asked() != "hera":
        _init_step_decorators(flow, *given, **named)
        return
    KubernetesDecorator.deploying = True
    for step in flow:
        step.decorators[:] = [deco for deco in step.decorators if deco.name != NAME]
        if any(deco.name == "batch" for deco in step.decorators):
            # It would ask for what no pod needs before it is refused.
            raise MetaflowException(
                f"@batch of step {step.name} is for AWS Batch: use @kubernetes or @resources in its place."
            )
    shows = _has_mutators(flow) and (not is_task or any(deco.attributes[SHOWS] for deco in markers))
    without = _names_after_mutators(flow) if shows else {}
    shown = [deco for step in flow if shows for deco in _show(step, without[step.name])]
    _init_step_decorators(flow, *given, **named)
    for step in flow:
        # In place: the graph has the same list.
        step.decorators[:] = [deco for deco in step.decorators if deco not in shown]
    changed = shows and without != {step.name: _names(step) for step in flow}
    decorators._attach_decorators(flow, [f"{NAME}:{SHOWS}=1" if changed else NAME])


def spec(flow: Any) -> str:
    """How the command line of a task attaches `hera_internal`, which all steps of the flow have."""
    marker = next(deco for step in flow for deco in step.decorators if deco.name == NAME)
    return f"{NAME}:{SHOWS}=1" if marker.attributes[SHOWS] else NAME


def _has_mutators(flow: Any) -> bool:
    # An older Metaflow does not tell of the flow's.
    return bool(getattr(flow, "_flow_mutators", ())) or any(step.config_decorators for step in flow)


def _names_after_mutators(flow: Any) -> dict[str, list[str]]:
    """The names of the decorators that each step has after the mutators. All is then as it was before."""
    cls = type(flow)
    before = [(step, list(step.decorators), list(step.wrappers)) for step in flow]
    for deco in getattr(flow, "_flow_mutators", ()):
        deco.mutate(MutableFlow(cls, **_inserting(deco)))
    for step in flow:
        for deco in step.config_decorators:
            if not getattr(deco, "_mutate_called", False):  # as it is with @conda_base
                deco.mutate(MutableStep(cls, step, **_inserting(deco)))
    found = {step.name: _names(step) for step in flow}
    for step, own, wrappers in before:
        step.decorators, step.wrappers = own, wrappers
    return found


def _inserting(mutator: Any) -> dict[str, Any]:
    return {
        "pre_mutate": False,
        "statically_defined": mutator.statically_defined,
        "inserted_by": [mutator.decorator_name, *(mutator.inserted_by or [])],
    }


def _names(step: Any) -> list[str]:
    return sorted(deco.name for deco in step.decorators)


def _show(step: Any, names: list[str]) -> list[Any]:
    """Attach what the step does not have even after the mutators, and return it."""
    before = len(step.decorators)
    decorators._attach_decorators_to_step(step, [name for name in SHOWN if name not in names])
    attached: list[Any] = step.decorators[before:]
    for deco in attached:
        deco.only_shown = True
    return attached


def _asked() -> str | None:
    """The command given to Metaflow's command line, which is invoked only later."""
    context = click.get_current_context(silent=True)
    root = None if context is None else context.find_root()
    return next(iter(getattr(root, "saved_args", None) or ()), None)


decorators._init_step_decorators = init_step_decorators
