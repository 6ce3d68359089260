"""The pod that Metaflow's @kubernetes and @resources ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from metaflow.exception import MetaflowException
from metaflow.plugins.aws.aws_utils import compute_resource_attributes
from metaflow.plugins.kubernetes.kubernetes_decorator import KubernetesDecorator

from metaflow_hera.errors import FlowError
from metaflow_hera.metaflow_api.flows import LoadedFlow


def kubernetes_attributes(flow: LoadedFlow, step: str) -> Mapping[str, Any]:
    """The attributes of @kubernetes for a step, whether it carries that decorator or not.

    Sizes are strings: `cpu` in cores, `memory` and `disk` in MB, as @kubernetes documents them.
    Raises FlowError where @resources and @kubernetes contradict each other, or a size is no number.
    """
    decorators = flow.state.graph[step].decorators
    own = _own(decorators)
    compute = own if own is not None else _default()
    defaults = {name: KubernetesDecorator.defaults[name] for name in ("cpu", "memory", "disk", "gpu")}
    try:
        return {**compute.attributes, **compute_resource_attributes(decorators, compute, defaults)}
    except (MetaflowException, ValueError) as error:
        raise FlowError(f"The resources of step {step} are not clear: {error}") from error


def unusual_attributes(flow: LoadedFlow, step: str) -> Mapping[str, Any]:
    """The attributes of a step's own @kubernetes that differ from what a step without one gets."""
    own = _own(flow.state.graph[step].decorators)
    usual = _default().attributes
    return {} if own is None else {k: v for k, v in own.attributes.items() if v != usual.get(k)}


def _own(decorators: Iterable[Any]) -> Any:
    return next((deco for deco in decorators if deco.name == KubernetesDecorator.name), None)


@cache
def _default() -> Any:
    compute = KubernetesDecorator()
    compute.external_init()
    return compute
