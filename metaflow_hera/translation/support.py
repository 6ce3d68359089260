"""What `create` refuses, each thing by its name: nothing is left out silently."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metaflow_hera.contract.datastores import DATASTORES
from metaflow_hera.errors import FlowError, OptionError, UnsupportedError
from metaflow_hera.metaflow_api.load.compute import asked_namespace, compute_of
from metaflow_hera.metaflow_api.load.datastores import check_datastore
from metaflow_hera.metaflow_api.load.exit_hooks import exit_hooks
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation import events, schedules
from metaflow_hera.translation.compute import container_fields

FLOW_DECORATORS = frozenset(
    {"project", "schedule", "trigger", "trigger_on_finish", "exit_hook", "conda_base", "pypi_base"}
)
STEP_DECORATORS = frozenset(
    # These do their work inside the task, by Metaflow's own code, or are translated.
    [
        "retry",
        "catch",
        "timeout",
        "environment",
        "resources",
        "kubernetes",
        "parallel",
        "card",
        "secrets",
        "conda",
        "pypi",
        "splits_per_pod",
        "hera_internal",
        "unbounded_test_foreach_internal",  # does nothing where there is no unbounded foreach
    ]
)
SHARE_IN_CLOUD = frozenset({"torchrun", "metaflow_ray"})
"""Decorators of extensions whose nodes find each other in the datastore, which must be one of a cloud."""


def check(flow: LoadedFlow) -> None:
    """Raise UnsupportedError, naming the first thing in the flow that is not supported."""
    if flow.datastore not in DATASTORES:
        raise UnsupportedError(
            f"--datastore={flow.datastore} is not supported: pods can use {', '.join(DATASTORES)}."
        )
    check_datastore(flow)
    for decorator in flow.flow_decorators:
        if decorator.name not in FLOW_DECORATORS and not decorator.within_task:
            raise UnsupportedError(f"@{decorator.name} is not supported yet.")
    schedules.check(flow)
    events.events(flow)
    exit_hooks(flow)
    for step in flow.graph:
        for decorator in flow.step_decorators(step.name):
            if decorator.name not in STEP_DECORATORS and not decorator.within_task:
                raise _unsupported(flow, step.name, decorator.name)
            if decorator.name in SHARE_IN_CLOUD and flow.datastore == "local":
                raise UnsupportedError(
                    f"@{decorator.name} of step {step.name} takes no local datastore: its nodes find each "
                    "other in one of a cloud. Deploy with --datastore=s3, azure or gs."
                )
            if decorator.name == "environment":
                _check_variables(step.name, decorator.attributes["vars"])
        # These two raise before anything is stored.
        _check_compute(flow, step.name)
        flow.retries(step.name)


def check_token(flow: LoadedFlow, token: str) -> None:
    """Raise OptionError if a token that the user chose is not valid."""
    if flow.project:
        raise OptionError(
            "--new-token does not go with @project, whose tokens share a prefix: use --generate-new-token."
        )
    if not re.fullmatch(r"[\w.:@+-]+", token):
        raise OptionError(
            f"--new-token {token!r} is not a valid token: use only letters, digits and . : @ + - _, "
            "since it is also the name of a namespace."
        )


def check_place(flow: LoadedFlow, namespace: str) -> None:
    """Raise UnsupportedError for a step that asks for another Kubernetes namespace than its workflow's."""
    for step in flow.graph:
        asked = asked_namespace(flow, step.name)
        if asked is not None and asked != namespace:
            raise UnsupportedError(
                f"@kubernetes of step {step.name} names the namespace {asked}, "
                f"but all pods run in that of the workflow, {namespace}: "
                f"remove it there, or deploy with ARGO_NAMESPACE={asked}."
            )


def check_local(flow: LoadedFlow) -> None:
    """Raise UnsupportedError for what a pod can have only on a cluster."""
    for step in flow.graph:
        compute = compute_of(flow, step.name)
        for what, names in (
            ("Kubernetes secrets", compute.secrets),
            ("persistent volumes", compute.persistent_volume_claims),
        ):
            if names:
                raise UnsupportedError(
                    f"Step {step.name} needs {what} of a cluster ({', '.join(names)}), "
                    "and the embedded Argo has none: set ARGO_SERVER, "
                    "or remove them from @kubernetes or Metaflow's configuration."
                )


def local_notes(flow: LoadedFlow) -> list[str]:
    """A sentence on what a step asks for and no process of this machine has, if there is any."""
    pods = {step.name: compute_of(flow, step.name) for step in flow.graph}
    asked = {
        "image": [step for step, compute in pods.items() if compute.own.get("image")],
        "gpu": [step for step, compute in pods.items() if any("/gpu" in name for name in compute.limits)],
    }
    words = [f"{name} ({', '.join(steps)})" for name, steps in asked.items() if steps]
    if not words:
        return []
    return [
        "The embedded Argo runs pods as processes of this machine: what steps say of "
        f"{' and '.join(words)} has no effect there."
    ]


def _unsupported(flow: LoadedFlow, step: str, decorator: str) -> UnsupportedError:
    if decorator in flow.environment_decorators:
        return UnsupportedError(
            f"--environment={flow.environment} is that of an extension which starts tasks in its own way "
            f"(@{decorator}), and is not supported yet: use --environment=uv, or an image with the packages."
        )
    return UnsupportedError(f"@{decorator} of step {step} is not supported yet.")


def _check_compute(flow: LoadedFlow, step: str) -> None:
    compute = compute_of(flow, step)
    try:
        container_fields(compute)
    except FlowError as error:
        raise FlowError(f"@kubernetes of step {step}: {error}") from error


def _check_variables(step: str, variables: object) -> None:
    names = list(variables) if isinstance(variables, Mapping) else [""]
    for name in names:
        if not isinstance(name, str) or not name or "=" in name:
            raise FlowError(
                f"@environment of step {step} must have a mapping of names to values in vars; "
                "a name must not be empty or contain '='."
            )
