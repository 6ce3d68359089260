"""Which fields of Argo's objects the embedded Argo implements, which it may ignore, and why.

Every other field that Argo knows is refused by name, never ignored. A field that Argo does not know
either is dropped without a word, as Argo does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

JSON = dict[str, Any]

_PLACEMENT = "chooses or shapes a machine; a process runs on this one"
_IDENTITY = "an identity in the cluster; a process runs as the user"
_NETWORK = "the network of a pod; a process has that of this machine"
_IMAGE = "an image; a process runs with the interpreter that deployed it"
_CLEANING = "when pods and volumes go; here a pod's log stays with its run"
_METADATA = "labels of pods, and there are none"
_STREAMS = "how a container is attached to; a process writes to its log"
_TURNS = "which workflow a busy controller takes up first; here they take turns"
_LOGS = "where to archive logs; they are kept beside the run"
_DISK = "the medium of a volume; here it is a folder on this machine's disk"
_BUS = "where an event comes from; here all come from one place"
_SENSOR_POD = "the pod of a sensor; here the server does its work"
_ONCE = "how an event is delivered; here it is stored together with what it starts"
_SCHEDULER = "what a scheduler sets aside; here as many pods run at once as the machine has cores"

# The kinds of nested objects: "[X]" is a list of X.
_NESTED = Mapping[str, str]


class Shape(NamedTuple):
    """A type of object: fields that work, with the type of nested ones; fields without effect; others."""

    works: _NESTED
    ignored: Mapping[str, str]
    refused: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTAINER = Shape(
    {
        "args": "",
        "command": "",
        "env": "[env]",
        "image": "",
        "name": "",
        "resources": "resources",
        "terminationMessagePath": "",
        "volumeMounts": "[volumeMount]",
        "workingDir": "",
    },
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
    _words(
        "envFrom lifecycle livenessProbe readinessProbe restartPolicy restartPolicyRules startupProbe "
        "volumeDevices"
    ),
)

SHAPES: dict[str, Shape] = {
    "spec": Shape(
        {
            "activeDeadlineSeconds": "",
            "arguments": "arguments",
            "entrypoint": "",
            "onExit": "",
            "parallelism": "",
            "retryStrategy": "retryStrategy",
            "shutdown": "",
            "suspend": "",
            "templateDefaults": "template",
            "templates": "[template]",
            "ttlStrategy": "ttlStrategy",
            "workflowMetadata": "workflowMetadata",
            "workflowTemplateRef": "templateRef",
            "volumes": "[volume]",
        },
        {
            "affinity": _PLACEMENT,
            "archiveLogs": _LOGS,
            "automountServiceAccountToken": _IDENTITY,
            "dnsConfig": _NETWORK,
            "dnsPolicy": _NETWORK,
            "hostNetwork": _NETWORK,
            "imagePullSecrets": _IMAGE,
            "nodeSelector": _PLACEMENT,
            "podDisruptionBudget": _PLACEMENT,
            "podGC": _CLEANING,
            "podMetadata": _METADATA,
            "podPriorityClassName": _PLACEMENT,
            "podResources": _PLACEMENT,
            "priority": _TURNS,
            "schedulerName": _PLACEMENT,
            "securityContext": _IDENTITY,
            "serviceAccountName": _IDENTITY,
            "tolerations": _PLACEMENT,
            "volumeClaimGC": _CLEANING,
        },
        _words(
            "artifactGC artifactRepositoryRef executor executorPlugins hooks hostAliases metrics "
            "podSpecPatch resourceClaims synchronization volumeClaimTemplates"
        ),
    ),
    "template": Shape(
        {
            "activeDeadlineSeconds": "",
            "container": "container",
            "dag": "dag",
            "inputs": "inputs",
            "name": "",
            "outputs": "outputs",
            "parallelism": "",
            "retryStrategy": "retryStrategy",
            "script": "script",
            "steps": "[[step]]",
            "suspend": "suspend",
            "volumes": "[volume]",
        },
        {
            "affinity": _PLACEMENT,
            "annotations": _METADATA,
            "automountServiceAccountToken": _IDENTITY,
            "metadata": _METADATA,
            "nodeSelector": _PLACEMENT,
            "podResources": _PLACEMENT,
            "priorityClassName": _PLACEMENT,
            "schedulerName": _PLACEMENT,
            "securityContext": _IDENTITY,
            "serviceAccountName": _IDENTITY,
            "tolerations": _PLACEMENT,
        },
        _words(
            "archiveLocation containerSet daemon data executor failFast hostAliases http initContainers "
            "memoize metrics pendingTimeout plugin podSpecPatch resource resourceClaims sidecars "
            "synchronization timeout"
        ),
    ),
    "container": _CONTAINER,
    "script": _CONTAINER._replace(works={**_CONTAINER.works, "source": ""}),
    "resources": Shape({"limits": ""}, {"requests": _SCHEDULER}, _words("claims")),
    "volumeMount": Shape(
        {"mountPath": "", "name": ""},
        {"mountPropagation": _DISK},
        _words("readOnly recursiveReadOnly subPath subPathExpr"),
    ),
    "volume": Shape(
        {"emptyDir": "emptyDir", "name": ""},
        {},
        _words(
            "awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI ephemeral fc "
            "flexVolume flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs "
            "persistentVolumeClaim photonPersistentDisk portworxVolume projected quobyte rbd scaleIO secret "
            "storageos vsphereVolume"
        ),
    ),
    "emptyDir": Shape({}, {"medium": _DISK, "sizeLimit": _DISK}, frozenset()),
    "env": Shape({"name": "", "value": "", "valueFrom": "envSource"}, {}, frozenset()),
    "envSource": Shape(
        {"fieldRef": ""}, {}, _words("configMapKeyRef fileKeyRef resourceFieldRef secretKeyRef")
    ),
    "dag": Shape({"failFast": "", "target": "", "tasks": "[task]"}, {}, frozenset()),
    "task": Shape(
        {
            "arguments": "arguments",
            "continueOn": "continueOn",
            "dependencies": "",
            "depends": "",
            "name": "",
            "template": "",
            "when": "",
            "withItems": "",
            "withParam": "",
            "withSequence": "sequence",
        },
        {},
        _words("hooks inline onExit templateRef"),
    ),
    "step": Shape(
        {
            "arguments": "arguments",
            "continueOn": "continueOn",
            "name": "",
            "template": "",
            "when": "",
            "withItems": "",
            "withParam": "",
            "withSequence": "sequence",
        },
        {},
        _words("hooks inline onExit templateRef"),
    ),
    "continueOn": Shape({"error": "", "failed": ""}, {}, frozenset()),
    "sequence": Shape({"count": "", "end": "", "format": "", "start": ""}, {}, frozenset()),
    "suspend": Shape({"duration": ""}, {}, frozenset()),
    "arguments": Shape({"parameters": "[parameter]"}, {}, _words("artifacts")),
    "inputs": Shape({"parameters": "[parameter]"}, {}, _words("artifacts")),
    "outputs": Shape({"parameters": "[output]"}, {}, _words("artifacts result exitCode")),
    "parameter": Shape(
        {"default": "", "name": "", "value": "", "valueFrom": "valueFrom"},
        {"description": "words for people", "enum": "choices that a form offers"},
        _words("globalName"),
    ),
    "output": Shape(
        {"default": "", "name": "", "value": "", "valueFrom": "outputSource"},
        {"description": "words for people", "enum": "choices that a form offers"},
        _words("globalName"),
    ),
    "valueFrom": Shape(
        {"default": "", "parameter": "", "path": ""},
        {},
        _words("configMapKeyRef event expression jqFilter jsonPath supplied"),
    ),
    "outputSource": Shape(
        {"default": "", "expression": "", "parameter": "", "path": ""},
        {},
        _words("configMapKeyRef event jqFilter jsonPath supplied"),
    ),
    "retryStrategy": Shape(
        {"backoff": "backoff", "expression": "", "limit": "", "retryPolicy": ""},
        {"affinity": _PLACEMENT},
        frozenset(),
    ),
    "backoff": Shape({"cap": "", "duration": "", "factor": "", "maxDuration": ""}, {}, frozenset()),
    "ttlStrategy": Shape(
        {"secondsAfterCompletion": "", "secondsAfterFailure": "", "secondsAfterSuccess": ""}, {}, frozenset()
    ),
    "templateRef": Shape({"name": ""}, {}, _words("clusterScope")),
    "sensorSpec": Shape(
        {"dependencies": "[dependency]", "triggers": "[trigger]"},
        {
            "eventBusName": _BUS,
            "replicas": _SENSOR_POD,
            "revisionHistoryLimit": _SENSOR_POD,
            "template": _SENSOR_POD,
            "loggingFields": _SENSOR_POD,
        },
        _words("errorOnFailedRound"),
    ),
    "dependency": Shape(
        {"filters": "filters", "name": ""},
        {"eventName": _BUS, "eventSourceName": _BUS},
        _words("filtersLogicalOperator transform"),
    ),
    "filters": Shape(
        {
            "data": "[dataFilter]",
            "dataLogicalOperator": "",
            "exprLogicalOperator": "",
            "exprs": "[exprFilter]",
        },
        {},
        _words("context script time"),
    ),
    "dataFilter": Shape({"comparator": "", "path": "", "type": "", "value": ""}, {}, _words("template")),
    "exprFilter": Shape({"expr": "", "fields": "[field]"}, {}, frozenset()),
    "field": Shape({"name": "", "path": ""}, {}, frozenset()),
    "trigger": Shape(
        {"template": "triggerTemplate"},
        {"atLeastOnce": _ONCE, "retryStrategy": _ONCE},
        _words("dlqTrigger parameters policy rateLimit"),
    ),
    "triggerTemplate": Shape(
        {
            "argoWorkflow": "workflowTrigger",
            "conditions": "",
            "conditionsReset": "[reset]",
            "k8s": "workflowTrigger",
            "name": "",
        },
        {},
        _words(
            "awsLambda azureEventHubs azureServiceBus custom email http kafka log nats openFaas openWhisk "
            "pulsar slack"
        ),
    ),
    "reset": Shape({"byTime": "byTime"}, {}, frozenset()),
    "byTime": Shape({"cron": "", "timezone": ""}, {}, frozenset()),
    "workflowTrigger": Shape(
        {"operation": "", "parameters": "[triggerParameter]", "source": "source"},
        {},
        _words("args liveObject patchStrategy"),
    ),
    "source": Shape({"inline": "", "resource": ""}, {}, _words("configmap file git s3 url")),
    "triggerParameter": Shape({"dest": "", "operation": "", "src": "parameterSource"}, {}, frozenset()),
    "parameterSource": Shape(
        {"dataKey": "", "dataTemplate": "", "dependencyName": "", "value": ""},
        {},
        _words("contextKey contextTemplate useRawData"),
    ),
    "workflowMetadata": Shape({"annotations": "", "labels": ""}, {}, _words("labelsFrom")),
}

_EMPTY: tuple[Any, ...] = (None, "", False, [], {})


def is_empty(value: Any) -> bool:
    """Whether a value is what Go leaves out of JSON, and so says nothing."""
    return any(value is empty or (type(value) is type(empty) and value == empty) for empty in _EMPTY)


def not_implemented(value: Any, kind: str, path: str) -> Iterator[str]:
    """The paths of the fields of an object that the embedded Argo refuses."""
    if kind.startswith("["):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            name = f"[{index}]"
            if kind == "[template]" and isinstance(item, dict) and item.get("name"):
                name = "." + item["name"]
            yield from not_implemented(item, kind[1:-1], path + name)
        return
    if not kind or not isinstance(value, dict):
        return
    shape = SHAPES[kind]
    for field, item in value.items():
        # The source of a volume says by its name alone what it is.
        if is_empty(item) and (kind != "volume" or item is None):
            continue
        if field in shape.refused:
            yield f"{path}.{field}"
        elif field in shape.works:
            below = "templates" if kind == "spec" and field == "templates" else f"{path}.{field}"
            yield from not_implemented(item, shape.works[field], below)


class WrongType(ValueError):
    """A field that holds another kind of JSON value than Argo's type does."""


_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "string"),
    "bool": (bool, "bool"),
    "int": (int, "int64"),
    "number": ((int, float, str), "IntOrString"),
    "strings": (list, "[]string"),
    "list": (list, "list"),
    "map": (dict, "map"),
}
# By the name of the field; one that is not here holds any JSON value.
_LEAVES: dict[str, str] = {
    field: kind
    for kind, fields in {
        "string": "name template when depends entrypoint onExit image source target expression retryPolicy "
        "withParam format workingDir terminationMessagePath mountPath shutdown path parameter duration cap "
        "maxDuration description generateName namespace resourceVersion",
        "bool": "failFast error failed",
        "int": "parallelism secondsAfterCompletion secondsAfterFailure secondsAfterSuccess",
        "number": "activeDeadlineSeconds limit factor count start end",
        "strings": "command args dependencies",
        "list": "withItems enum",
        "map": "labels annotations limits fieldRef metadata podMetadata",
    }.items()
    for field in fields.split()
}


def without_unknown(value: Any, kind: str, place: str = "") -> Any:
    """A copy of an object as Go would read it: without unknown fields and without null.

    Raises WrongType, which names the field.
    """
    if kind.startswith("["):
        _expect(value, "list", place)
        return [without_unknown(item, kind[1:-1], f"{place}[{index}]") for index, item in enumerate(value)]
    if kind not in SHAPES:
        check_leaf(value, place)
        return value
    if value is None:
        return {}
    _expect(value, "map", place)
    shape = SHAPES[kind]
    known: JSON = {}
    for field, item in value.items():
        path = f"{place}.{field}" if place else field
        if item is None and not (kind == "volume" and field in shape.works):
            continue
        if field in shape.works:
            known[field] = without_unknown(item, shape.works[field], path)
        elif field in shape.ignored or field in shape.refused:
            if _LEAVES.get(field) in ("list", "map"):
                check_leaf(item, path)
            known[field] = item
    return known


def check_leaf(value: Any, place: str) -> None:
    """Check a field that is no object of SHAPES. Raises WrongType."""
    kind = "bool" if place == "suspend" else _LEAVES.get(place.rpartition(".")[2])
    if kind is None:
        return
    _expect(value, kind, place)
    if kind == "strings":
        for index, item in enumerate(value):
            _expect(item, "string", f"{place}[{index}]")
    if kind == "map" and place.rpartition(".")[2] in ("labels", "annotations"):
        for key, item in value.items():
            _expect(item, "string", f"{place}.{key}")


def _expect(value: Any, kind: str, place: str) -> None:
    python, go = _TYPES[kind]
    fits = isinstance(value, python) and (kind == "bool" or not isinstance(value, bool))
    if not fits:
        names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
        found = names.get(type(value), "null")
        raise WrongType(f"json: cannot unmarshal {found} into Go struct field {place} of type {go}")
