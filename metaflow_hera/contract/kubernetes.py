"""The rules of Kubernetes and of Argo for names."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""The name of a namespace (a label by RFC 1123)."""
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""The name of an object (RFC 1123), whatever its length."""
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""The value of a label."""
KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""The key of a label or an annotation."""
PARAMETER_NAME = re.compile(r"[-a-zA-Z0-9_]+")
"""The name of a parameter (Argo's own rule)."""
MESSAGE_LIMIT = 4096
"""The bytes of a termination message that Kubernetes keeps."""
ANNOTATIONS_LIMIT = 256 * 1024
"""The bytes of all annotations of an object, keys and values, that Kubernetes accepts."""

_NAME_LENGTH = 253 - 10 - 1
"""The length to which Argo cuts the names of workflow and template, to append a hash."""


def is_label_value(text: str) -> bool:
    """Whether Kubernetes accepts the text as the value of a label."""
    return LABEL_VALUE.fullmatch(text) is not None


def bytes_of(annotations: Mapping[str, str]) -> int:
    """What Kubernetes counts towards the limit of an object's annotations."""
    return sum(len(text.encode()) for pair in annotations.items() for text in pair)


def pod_name(workflow: str, node: str, template: str) -> str:
    """The name that Argo gives to the pod of a node, since version 3.4 (workflow/util/pod_name.go)."""
    if node == workflow:
        return workflow
    return f"{workflow}-{template}"[:_NAME_LENGTH] + f"-{_fnv1a(node)}"


def _fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of a text."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
