"""The pod that a step asks for, as fields of a container template.

They are those that Metaflow's own plugin sets (metaflow/plugins/argo/argo_workflows.py), with one
exception: it puts image pull secrets into a patch of the pod, since Argo's templates have no field for
them. The workflow has one, so all its pods get those of all steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

from metaflow_hera.contract import manifest
from metaflow_hera.errors import FlowError
from metaflow_hera.metaflow_api.load.compute import Compute

SYSTEM_KEYS = frozenset({manifest.KIND, manifest.PART_OF})
SYSTEM_PREFIXES = (manifest.METAFLOW_PREFIX, manifest.ARGO_PREFIX)
"""The keys of Metaflow's own labels and annotations, and of Argo's: they take precedence over the user's."""
SHARED_MEMORY = "/dev/shm"

Model = TypeVar("Model", bound=BaseModel)


def container_fields(compute: Compute) -> dict[str, Any]:
    """The arguments of Hera's Container for a pod, except its command and its environment.

    Raises FlowError for what Kubernetes would not accept.
    """
    volumes = _volumes(compute)
    paths = [volume.mount_path for volume in volumes]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise FlowError(f"two volumes have the same mount path {twice}.")
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
