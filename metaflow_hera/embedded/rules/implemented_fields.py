"""Which fields of Argo's objects the embedded Argo implements, which it may ignore, and why.

Which fields there are, and their types, is Argo's to say: `argo_fields` is generated from its JSON schema.
Every other field that Argo knows is refused by name, never ignored. A field that Argo does not know
either is dropped silently, as Argo does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metaflow_hera.embedded.rules.argo_fields import FIELDS

_PLACEMENT = "chooses or shapes a machine; a process runs on this one"
_IDENTITY = "an identity in the cluster; a process runs as the user"
_NETWORK = "the network of a pod; a process has that of this machine"
_IMAGE = "an image; a process runs with the interpreter that deployed it"
_CLEANING = "when pods and volumes go; here a pod's log stays with its run"
_METADATA = "labels of pods, and there are none"
_METRICS = "what Prometheus collects of Argo's controller; nobody collects it here"
_STREAMS = "how a container is attached to; a process writes to its log"
_LOGS = "where to archive logs; they are kept beside the run"
_DISK = "the medium of a volume; here it is a folder on this machine's disk"
_BUS = "where an event comes from; here all come from one place"
_SENSOR_POD = "the pod of a sensor; here the server does its work"
_ONCE = "how an event is delivered; here it is stored together with what it starts"
_SCHEDULER = "what a scheduler sets aside; here as many pods run at once as the machine has cores"
_DESCRIPTION = "words for people"
_ENUM = "choices that a form offers"


class Shape(NamedTuple):
    """What is implemented of an Argo type: fields that work, and fields without effect with the reason.

    `nested` names the shape of a field whose type has several.
    """

    works: frozenset[str]
    ignored: Mapping[str, str]
    nested: Mapping[str, str]


def _shape(
    works: str, ignored: Mapping[str, str] | None = None, nested: Mapping[str, str] | None = None
) -> Shape:
    return Shape(frozenset(works.split()), ignored or {}, nested or {})


_CONTAINER = _shape(
    "args command env image name resources terminationMessagePath volumeMounts workingDir",
    {
        "imagePullPolicy": _IMAGE,
        "ports": _NETWORK,
        "resizePolicy": _PLACEMENT,
        "securityContext": _IDENTITY,
        "stdin": _STREAMS,
        "stdinOnce": _STREAMS,
        "terminationMessagePolicy": _STREAMS,
        "tty": _STREAMS,
    },
)
_PARAMETER = _shape("default name value valueFrom", {"description": _DESCRIPTION, "enum": _ENUM})

# By Argo's type. Where the place decides what is implemented of a type, the place follows after a slash.
SHAPES: dict[str, Shape] = {
    "WorkflowSpec": _shape(
        "activeDeadlineSeconds arguments entrypoint onExit parallelism priority retryStrategy shutdown "
        "suspend synchronization templateDefaults templates ttlStrategy volumes workflowMetadata "
        "workflowTemplateRef",
        {
            "affinity": _PLACEMENT,
            "archiveLogs": _LOGS,
            "automountServiceAccountToken": _IDENTITY,
            "dnsConfig": _NETWORK,
            "dnsPolicy": _NETWORK,
            "hostNetwork": _NETWORK,
            "imagePullSecrets": _IMAGE,
            "metrics": _METRICS,
            "nodeSelector": _PLACEMENT,
            "podDisruptionBudget": _PLACEMENT,
            "podGC": _CLEANING,
            "podMetadata": _METADATA,
            "podPriorityClassName": _PLACEMENT,
            "podResources": _PLACEMENT,
            "schedulerName": _PLACEMENT,
            "securityContext": _IDENTITY,
            "serviceAccountName": _IDENTITY,
            "tolerations": _PLACEMENT,
            "volumeClaimGC": _CLEANING,
        },
    ),
    "Template": _shape(
        "activeDeadlineSeconds container dag inputs name outputs parallelism retryStrategy script steps "
        "suspend synchronization volumes",
        {
            "affinity": _PLACEMENT,
            "annotations": _METADATA,
            "automountServiceAccountToken": _IDENTITY,
            "metadata": _METADATA,
            "metrics": _METRICS,
            "nodeSelector": _PLACEMENT,
            "podResources": _PLACEMENT,
            "priorityClassName": _PLACEMENT,
            "schedulerName": _PLACEMENT,
            "securityContext": _IDENTITY,
            "serviceAccountName": _IDENTITY,
            "tolerations": _PLACEMENT,
        },
    ),
    "Container": _CONTAINER,
    "ScriptTemplate": _CONTAINER._replace(works=_CONTAINER.works | {"source"}),
    "ResourceRequirements": _shape("limits", {"requests": _SCHEDULER}),
    "VolumeMount": _shape("mountPath name", {"mountPropagation": _DISK}),
    "Volume": _shape("emptyDir name"),
    "EmptyDirVolumeSource": _shape("", {"medium": _DISK, "sizeLimit": _DISK}),
    "EnvVar": _shape("name value valueFrom"),
    "EnvVarSource": _shape("fieldRef"),
    "DAGTemplate": _shape("failFast target tasks"),
    "DAGTask": _shape(
        "arguments continueOn dependencies depends name template when withItems withParam withSequence"
    ),
    "WorkflowStep": _shape("arguments continueOn name template when withItems withParam withSequence"),
    "ContinueOn": _shape("error failed"),
    "Sequence": _shape("count end format start"),
    "SuspendTemplate": _shape("duration"),
    "Synchronization": _shape("mutexes"),
    "Mutex": _shape("name namespace"),
    "Arguments": _shape("parameters"),
    "Inputs": _shape("parameters"),
    "Outputs": _shape("parameters", nested={"parameters": "[]Parameter/output"}),
    "Parameter": _PARAMETER,
    "Parameter/output": _PARAMETER._replace(nested={"valueFrom": "ValueFrom/output"}),
    "ValueFrom": _shape("default parameter path"),
    "ValueFrom/output": _shape("default expression parameter path supplied"),
    "RetryStrategy": _shape("backoff expression limit retryPolicy", {"affinity": _PLACEMENT}),
    "Backoff": _shape("cap duration factor maxDuration"),
    "TTLStrategy": _shape("secondsAfterCompletion secondsAfterFailure secondsAfterSuccess"),
    "WorkflowTemplateRef": _shape("name"),
    "WorkflowMetadata": _shape("annotations labels"),
    "events.SensorSpec": _shape(
        "dependencies triggers",
        {
            "eventBusName": _BUS,
            "loggingFields": _SENSOR_POD,
            "replicas": _SENSOR_POD,
            "revisionHistoryLimit": _SENSOR_POD,
            "template": _SENSOR_POD,
        },
    ),
    "events.EventDependency": _shape("filters name", {"eventName": _BUS, "eventSourceName": _BUS}),
    "events.EventDependencyFilter": _shape("data dataLogicalOperator exprLogicalOperator exprs"),
    "events.DataFilter": _shape("comparator path type value"),
    "events.ExprFilter": _shape("expr fields"),
    "events.PayloadField": _shape("name path"),
    "events.Trigger": _shape("template", {"atLeastOnce": _ONCE, "retryStrategy": _ONCE}),
    "events.TriggerTemplate": _shape("argoWorkflow conditions conditionsReset k8s name"),
    "events.ConditionsResetCriteria": _shape("byTime"),
    "events.ConditionsResetByTime": _shape("cron timezone"),
    "events.StandardK8STrigger": _shape("operation parameters source"),
    "events.ArgoWorkflowTrigger": _shape("operation parameters source"),
    "events.ArtifactLocation": _shape("inline resource"),
    "events.TriggerParameter": _shape("dest operation src"),
    "events.TriggerParameterSource": _shape("dataKey dataTemplate dependencyName value"),
}

WHY_NOT = {
    "semaphores": "a semaphore's limit is in a ConfigMap or a database, and it has neither; a mutex works",
    "database": "it has no database of locks; a mutex without this field works",
}
"""Why a field is refused, where its name alone does not say so: by the name."""

_EMPTY: tuple[Any, ...] = (None, "", False, [], {})
_ANY = "map[string]any"
"""What the schema calls a struct without fields of its own."""
# Structs that Go holds by their value, so that clients write them out although they say nothing.
_BY_VALUE = frozenset({"Arguments", "Inputs", "Outputs", "Metadata", "ObjectMeta", "ResourceRequirements"})


def argo_type(shape: str) -> str:
    """The Argo type that a shape describes."""
    return shape.partition("/")[0]


def is_empty(value: Any, kind: str) -> bool:
    """Whether a value of an Argo type is what Go leaves out of JSON, and so says nothing.

    An object without fields does say something where Argo has a pointer to one: `supplied: {}`.
    """
    name = kind.removeprefix("events.")
    if value == {} and (kind == _ANY or (name[:1].isupper() and name not in _BY_VALUE)):
        return False
    return any(value is empty or (type(value) is type(empty) and value == empty) for empty in _EMPTY)


def not_implemented(value: Any, kind: str, path: str) -> Iterator[str]:
    """The paths of the fields of a value that the embedded Argo refuses.

    `kind` is the name of a shape, or `[]` and that for a list.
    """
    if kind.startswith("[]"):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            name = f"[{index}]"
            if kind == "[]Template" and isinstance(item, dict) and item.get("name"):
                name = "." + item["name"]
            yield from not_implemented(item, kind[2:], path + name)
        return
    if kind not in SHAPES or not isinstance(value, dict):
        return
    shape, types = SHAPES[kind], FIELDS[argo_type(kind)]
    for field, item in value.items():
        if is_empty(item, types.get(field, "")):
            continue
        if field in shape.works:
            below = "templates" if kind == "WorkflowSpec" and field == "templates" else f"{path}.{field}"
            yield from not_implemented(item, shape.nested.get(field, types[field]), below)
        elif field in types and field not in shape.ignored:
            yield f"{path}.{field}"
