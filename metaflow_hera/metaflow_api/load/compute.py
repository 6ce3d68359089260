"""The pod that a step asks for: by @kubernetes, by @resources and by Metaflow's configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from metaflow import metaflow_config
from metaflow.exception import MetaflowException
from metaflow.plugins.aws.aws_utils import compute_resource_attributes
from metaflow.plugins.kubernetes.kube_utils import qos_requests_and_limits
from metaflow.plugins.kubernetes.kubernetes_decorator import SUPPORTED_KUBERNETES_QOS_CLASSES

from metaflow_hera.contract.kubernetes import KEY, is_label_value
from metaflow_hera.errors import ConfigurationError, FlowError, UnsupportedError
from metaflow_hera.metaflow_api.decorators.kubernetes import KubernetesDecorator
from metaflow_hera.metaflow_api.load.flows import LoadedFlow

SIZES = ("cpu", "memory", "disk")
KNOWN = frozenset({
    *SIZES, "annotations", "executable", "extended_resources", "gpu", "gpu_vendor", "image",
    "image_pull_policy", "image_pull_secrets", "labels", "namespace", "node_selector",
    "persistent_volume_claims", "port", "qos", "secrets", "security_context", "service_account",
    "shared_memory", "tmpfs_path", "tmpfs_size", "tmpfs_tempdir", "tolerations", "use_tmpfs",
    # Metaflow makes the first a part of node_selector; the second is how long @parallel tasks wait.
    "compute_pool", "hostname_resolution_timeout",
})  # fmt: skip
"""The attributes of @kubernetes that are translated."""
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


@dataclass(frozen=True)
class Compute:
    """A pod in the terms of Kubernetes.

    `requests` and `limits` map resources to quantities. `secrets` are those whose entries become environment
    variables. `persistent_volume_claims` maps claims to the paths to mount them at. `tmpfs_size` and
    `shared_memory` are in MiB, 0 where there is none; `tmpfs_tempdir` says that the tmpfs is where Metaflow
    puts its temporary files. `tolerations` and `security_context` are as the user wrote them. `own` holds the
    attributes of @kubernetes that the step itself gives; all others are of Metaflow's configuration.
    """

    image: str
    image_pull_policy: str | None
    image_pull_secrets: Sequence[str]
    executable: str | None
    service_account: str | None
    secrets: Sequence[str]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, Any]]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    tmpfs_path: str
    tmpfs_size: int
    tmpfs_tempdir: bool
    shared_memory: int
    persistent_volume_claims: Mapping[str, str]
    port: int | None
    security_context: Mapping[str, Any]
    own: Mapping[str, Any]

    def to_json(self) -> str:
        """The pod as JSON text, the same for the same pod."""
        return json.dumps({name.name: getattr(self, name.name) for name in fields(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Compute:
        """The pod that `to_json` wrote."""
        return cls(**json.loads(text))


def compute_of(flow: LoadedFlow, step: str) -> Compute:
    """The pod of a step, whether it carries @kubernetes or not.

    Raises FlowError for a value that is not valid, UnsupportedError for an unknown attribute,
    ConfigurationError if Metaflow's configuration is at fault.
    """
    decorators = flow.state.graph[step].decorators
    own, resources = _named(decorators, "kubernetes"), _named(decorators, "resources")
    if own is not None:
        # Metaflow has merged @resources into it (step_init).
        return _Reader(f"@kubernetes of step {step}", own.attributes, own.own).compute()
    if resources is None:
        return _usual_compute()
    usual = _usual()
    reader = _Reader(f"@resources of step {step}", resources.attributes)
    for name in resources.attributes:
        reader.number(name, or_none=True)
    defaults = {name: KubernetesDecorator.defaults[name] for name in SIZES}
    larger = compute_resource_attributes([resources], usual, defaults)
    return _Reader(reader.place, {**usual.attributes, **larger}).compute()


def asked_namespace(flow: LoadedFlow, step: str) -> str | None:
    """The Kubernetes namespace that a step's own @kubernetes names, or None."""
    kubernetes = _named(flow.state.graph[step].decorators, "kubernetes")
    return None if kubernetes is None else kubernetes.own.get("namespace") or None


def _named(decorators: Iterable[Any], name: str) -> Any:
    return next((deco for deco in decorators if deco.name == name), None)


@cache
def _usual() -> Any:
    """The decorator that a step without one would get: Metaflow's configuration."""
    usual = KubernetesDecorator()
    try:
        usual.external_init()
    except (MetaflowException, TypeError, ValueError) as error:
        reason = getattr(error, "message", None) or error
        raise ConfigurationError(
            f"A METAFLOW_KUBERNETES_... variable, or Metaflow's configuration file, cannot be used: {reason}"
        ) from error
    return usual


@cache
def _usual_compute() -> Compute:
    return _Reader("Metaflow's configuration for Kubernetes", _usual().attributes).compute()


class _Reader:
    """Reads the attributes of a decorator. Raises FlowError, naming `place`, for impossible values."""

    def __init__(
        self, place: str, attributes: Mapping[str, Any], own: Mapping[str, Any] | None = None
    ) -> None:
        self.place = place
        self._own = own or {}
        self._attributes = {**dict.fromkeys(KNOWN), **attributes}  # an older Metaflow knows fewer

    def compute(self) -> Compute:
        """The whole pod."""
        for name, value in self._attributes.items():
            if name not in KNOWN and value != KubernetesDecorator.defaults.get(name):
                raise UnsupportedError(f"{self.place}: the attribute {name} is not supported yet.")
            if "{{" in json.dumps(value, default=str):
                raise self._wrong(name, "contains '{{', which Argo would read as a variable of its own")
        requests, limits = self._resources()
        tmpfs = bool(self._attributes["use_tmpfs"] or self._attributes["tmpfs_size"])
        return Compute(
            image=self._text("image") or "",
            image_pull_policy=self._text("image_pull_policy", PULL_POLICIES),
            image_pull_secrets=self._texts("image_pull_secrets"),
            executable=self._text("executable"),
            service_account=self._text("service_account"),
            secrets=list(dict.fromkeys([*self._texts("secrets"), *_configured_secrets()])),
            requests=requests,
            limits=limits,
            node_selector=self._mapping("node_selector"),
            tolerations=self._tolerations(),
            labels=self._labels(),
            annotations=self._keyed("annotations"),
            tmpfs_path=self._path("tmpfs_path", self._text("tmpfs_path") or "") if tmpfs else "",
            tmpfs_size=self._whole("tmpfs_size") or 0,
            tmpfs_tempdir=tmpfs and bool(self._attributes["tmpfs_tempdir"]),
            shared_memory=self._whole("shared_memory") or 0,
            persistent_volume_claims=self._claims(),
            port=self._port(),
            security_context=self._dict("security_context"),
            own=self._own,
        )

    def number(self, name: str, *, or_none: bool = False) -> Decimal | None:
        """A number, written in any way: greater than 0 for a size that every pod has, else 0 or greater."""
        value = self._attributes.get(name)
        if value is None and or_none:
            return None
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal(-1)
        if not number.is_finite() or number < 0 or (number == 0 and name in SIZES):
            raise self._wrong(name, f"is {value!r}, not a number greater than 0")
        return number

    def _resources(self) -> tuple[dict[str, str], dict[str, str]]:
        """Requests and limits, as Metaflow's own plugins set them."""
        qos = str(self._attributes["qos"] or "burstable")
        if qos.lower() not in map(str.lower, SUPPORTED_KUBERNETES_QOS_CLASSES):
            raise self._wrong("qos", f"is {qos!r}, not one of {', '.join(SUPPORTED_KUBERNETES_QOS_CLASSES)}")
        sizes = (_plain(self.number(name)) for name in SIZES)
        requests, limits = qos_requests_and_limits(qos, *sizes)
        extended = self._mapping("extended_resources")
        gpus = self._whole("gpu")
        vendor = str(self._attributes["gpu_vendor"]).lower()
        if vendor not in ("amd", "nvidia"):
            raise self._wrong("gpu_vendor", f"is {vendor!r}, neither amd nor nvidia")
        cards = {} if gpus is None else {f"{vendor}.com/gpu": str(gpus)}
        return {**requests, **extended}, {**limits, **extended, **cards}

    def _whole(self, name: str) -> int | None:
        value = self._attributes[name]
        number = None if value in (None, "") else self.number(name)
        if number is not None and number != int(number):
            raise self._wrong(name, f"is {value!r}, not a whole number")
        return None if number is None else int(number)

    def _port(self) -> int | None:
        port = self._whole("port") or None
        if port is not None and port > 65535:
            raise self._wrong("port", f"is {port}, more than 65535")
        return port

    def _text(self, name: str, choices: Sequence[str] = ()) -> str | None:
        value = self._attributes[name]
        if value in (None, ""):
            return None
        if not isinstance(value, str):
            raise self._wrong(name, f"is {value!r}, not a text")
        if choices and value not in choices:
            raise self._wrong(name, f"is {value!r}, not one of {', '.join(choices)}")
        return value

    def _texts(self, name: str) -> list[str]:
        value = self._attributes[name] or []
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, Sequence) or not all(isinstance(each, str) and each for each in found):
            raise self._wrong(name, f"is {value!r}, not a list of names")
        return list(found)

    def _dict(self, name: str) -> dict[str, Any]:
        value = self._attributes[name] or {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self._wrong(name, f"is {value!r}, not a dictionary")
        return dict(value)

    def _mapping(self, name: str) -> dict[str, str]:
        return {key: "" if value is None else str(value) for key, value in self._dict(name).items()}

    def _keyed(self, name: str) -> dict[str, str]:
        found = self._mapping(name)
        for key in found:
            if not KEY.fullmatch(key):
                raise self._wrong(name, f"has the key {key!r}, which Kubernetes does not accept")
        return found

    def _labels(self) -> dict[str, str]:
        found = self._keyed("labels")
        for value in found.values():
            if not is_label_value(value):
                raise self._wrong(
                    "labels",
                    f"has the value {value!r}: Kubernetes takes at most 63 letters, digits, '-', '_' and '.'",
                )
        return found

    def _tolerations(self) -> list[dict[str, Any]]:
        value = self._attributes["tolerations"] or []
        if not isinstance(value, Sequence) or not all(isinstance(each, Mapping) for each in value):
            raise self._wrong("tolerations", f"is {value!r}, not a list of dictionaries")
        return [dict(each) for each in value]

    def _claims(self) -> dict[str, str]:
        name = "persistent_volume_claims"
        return {claim: self._path(name, path) for claim, path in self._mapping(name).items()}

    def _path(self, name: str, path: str) -> str:
        if not path.startswith("/") or not path.strip("/") or ":" in path:
            raise self._wrong(name, f"has the path {path!r}: a volume needs an absolute one, without ':'")
        return path

    def _wrong(self, name: str, what: str) -> FlowError:
        return FlowError(f"{self.place}: {name} {what}.")


def _configured_secrets() -> list[str]:
    names = f"{metaflow_config.KUBERNETES_SECRETS},{metaflow_config.ARGO_WORKFLOWS_KUBERNETES_SECRETS}"
    return [name.strip() for name in names.split(",") if name.strip()]


def _plain(number: Decimal | None) -> str:
    """As a person writes it: 2 rather than 2.0."""
    return format((number or Decimal(0)).normalize(), "f")
