"""What is refused at create, each by its name: nothing is left out silently."""

from __future__ import annotations

from collections.abc import Mapping

from metaflow_hera.errors import FlowError, UnsupportedError
from metaflow_hera.metaflow_api.compute import kubernetes_attributes, unusual_attributes
from metaflow_hera.metaflow_api.flows import LoadedFlow
from metaflow_hera.translate import schedules

FLOW_DECORATORS = frozenset({"project", "schedule"})
STEP_DECORATORS = frozenset(
    # These do their work inside the task, by Metaflow's own code, or are translated.
    [
        "retry",
        "catch",
        "timeout",
        "environment",
        "resources",
        "kubernetes",
        "card",
        "secrets",
        "hera_internal",
    ]
)
COMPUTE_ATTRIBUTES = frozenset(
    [
        "cpu",
        "memory",
        "disk",
        "gpu",
        "gpu_vendor",
        "image",
        "image_pull_policy",
        "service_account",
        "node_selector",
    ]
)


def check(flow: LoadedFlow) -> None:
    """Raise UnsupportedError, naming the first thing in the flow that is not supported."""
    if flow.environment != "local":
        raise UnsupportedError(f"--environment={flow.environment} is not supported yet.")
    if flow.datastore not in ("local", "s3"):
        raise UnsupportedError(f"--datastore={flow.datastore} is not supported yet; use local or s3.")
    if flow.has_configs:
        raise UnsupportedError("Config is not supported yet.")
    for decorator in flow.flow_decorators:
        if decorator.name not in FLOW_DECORATORS:
            raise UnsupportedError(f"@{decorator.name} is not supported yet.")
    schedules.check(flow)
    for step in flow.graph:
        if step.parallel:
            raise UnsupportedError(f"Step {step.name} uses num_parallel or @parallel: not supported yet.")
        for decorator in flow.step_decorators(step.name):
            if decorator.name not in STEP_DECORATORS:
                raise UnsupportedError(f"@{decorator.name} of step {step.name} is not supported yet.")
            if decorator.name == "environment":
                _check_variables(step.name, decorator.attributes["vars"])
        # These two raise before anything is stored.
        kubernetes_attributes(flow, step.name)
        flow.retries(step.name)
        for attribute in unusual_attributes(flow, step.name):
            if attribute not in COMPUTE_ATTRIBUTES:
                raise UnsupportedError(
                    f"@kubernetes({attribute}=...) of step {step.name} is not supported yet."
                )


def _check_variables(step: str, variables: object) -> None:
    names = list(variables) if isinstance(variables, Mapping) else [""]
    for name in names:
        if not isinstance(name, str) or not name or "=" in name:
            raise FlowError(
                f"@environment of step {step} is to have a mapping of names and values in vars; a name must "
                "not be empty or hold '='."
            )
