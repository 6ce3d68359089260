"""The pod that a step asks for, as fields of a container template.

They are those that Metaflow's own plugin sets (metaflow/plugins/argo/argo_workflows.py), with one
exception: it puts image pull secrets into a patch of the pod, since Argo's templates have no field for
them. The workflow has one, so all its pods get those of all steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from hera.workflows import EmptyDirVolume, ExistingVolume, SecretEnvFrom
from hera.workflows.models import (
    ContainerPort,
    Quantity,
    ResourceRequirements,
    SecurityContext,
    Toleration,
)
from pydantic import BaseModel, ValidationError

from metaflow_hera.choices.checks import pairs
from metaflow_hera.choices.deployment import Choices
from metaflow_hera.contract import manifest
from metaflow_hera.errors import FlowError
from metaflow_hera.metaflow_api.load.compute import Compute
from metaflow_hera.translation.spec_fields import annotations_of, labels_of

SYSTEM_KEYS = frozenset({manifest.KIND, manifest.PART_OF})
SYSTEM_PREFIXES = (manifest.METAFLOW_PREFIX, manifest.ARGO_PREFIX)
"""The keys of Metaflow's own labels and annotations, and of Argo's: they take precedence over the user's."""
SHARED_MEMORY = "/dev/shm"
COMPUTE_POOL = "outerbounds.co/compute-pool"
"""The label of nodes that Metaflow makes of the attribute `compute_pool`."""

Model = TypeVar("Model", bound=BaseModel)


def container_fields(compute: Compute) -> dict[str, Any]:
    """The arguments of Hera's Container for a pod, except its command and its environment.

    Raises FlowError for what Kubernetes would not accept.
    """
    volumes = _volumes(compute)
    paths = [volume.mount_path for volume in volumes]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise FlowError(f"two volumes have the same mount path {twice}: give each its own.")
    security = compute.security_context
    return {
        "image": compute.image,
        "image_pull_policy": compute.image_pull_policy,
        "resources": ResourceRequirements(
            requests=_quantities(compute.requests), limits=_quantities(compute.limits) or None
        ),
        "service_account_name": compute.service_account,
        "node_selector": dict(compute.node_selector) or None,
        "tolerations": [_model(Toleration, "tolerations", each) for each in compute.tolerations] or None,
        "labels": _users_own(compute.labels) or None,
        "annotations": _users_own(compute.annotations),
        "ports": [ContainerPort(container_port=compute.port)] if compute.port else None,
        "env_from": [SecretEnvFrom(name=name) for name in compute.secrets] or None,
        "volumes": volumes or None,
        "security_context": _model(SecurityContext, "security_context", security) if security else None,
    }


def beside_options(compute: Compute, choices: Choices) -> Compute:
    """A pod without what an option of `create` decides.

    The step's own @kubernetes comes first, then the option, then Metaflow's configuration. In Argo the
    fields of a template come before those of the workflow, where the options are: so the template must not
    have what only the configuration says.
    """
    own = compute.own
    selector = compute.node_selector
    if choices.node_selectors and not own.get("node_selector"):
        pool = {COMPUTE_POOL: selector[COMPUTE_POOL]} if own.get("compute_pool") else {}
        selector = {**pairs("--node-selector", choices.node_selectors), **pool} if pool else {}
    return replace(
        compute,
        service_account=None
        if choices.service_account and not own.get("service_account")
        else compute.service_account,
        node_selector=selector,
        tolerations=() if choices.tolerations and not own.get("tolerations") else compute.tolerations,
        labels=_without(compute.labels, labels_of(choices), own.get("labels")),
        annotations=_without(compute.annotations, annotations_of(choices), own.get("annotations")),
        own={},
    )


def _without(
    texts: Mapping[str, str], by_option: Mapping[str, str], own: Mapping[str, str] | None
) -> dict[str, str]:
    return {key: text for key, text in texts.items() if key in (own or {}) or key not in by_option}


def image_pull_secrets(pods: Iterable[Compute], more: Iterable[str]) -> list[str] | None:
    """The image pull secrets of all pods of a workflow, and additional ones."""
    own = (name for compute in pods for name in compute.image_pull_secrets)
    return list(dict.fromkeys((*own, *more))) or None


def _volumes(compute: Compute) -> list[EmptyDirVolume | ExistingVolume]:
    found: list[EmptyDirVolume | ExistingVolume] = []
    if compute.tmpfs_path:
        found.append(_memory("tmpfs-ephemeral-volume", compute.tmpfs_path, compute.tmpfs_size))
    if compute.shared_memory:
        found.append(_memory("dhsm", SHARED_MEMORY, compute.shared_memory))
    # Not named after the claims: those may have names that volumes may not.
    for number, (claim, path) in enumerate(compute.persistent_volume_claims.items()):
        found.append(ExistingVolume(name=f"claim-{number}", claim_name=claim, mount_path=path))
    return found


def _memory(name: str, path: str, size: int) -> EmptyDirVolume:
    return EmptyDirVolume(name=name, mount_path=path, medium="Memory", size_limit=Quantity(root=f"{size}Mi"))


def _quantities(sizes: Mapping[str, str]) -> dict[str, Quantity]:
    return {name: Quantity(root=size) for name, size in sizes.items()}


def _users_own(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in texts.items()
        if key not in SYSTEM_KEYS and not key.startswith(SYSTEM_PREFIXES)
    }


def _model(model: type[Model], name: str, given: Mapping[str, Any]) -> Model:
    """The Kubernetes object that a user wrote as a dictionary, in Python's or in Kubernetes' spelling."""
    known = {word for key, field in model.model_fields.items() for word in (key, field.alias or key)}
    unknown = [key for key in given if key not in known]
    if unknown:
        raise FlowError(f"{name} has {unknown[0]!r}, which Kubernetes does not know.")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FlowError(f"{name} has {first['input']!r} for {where}: {first['msg']}.") from error
