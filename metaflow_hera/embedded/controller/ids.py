"""Ids of nodes and names of pods (NodeID in workflow_types.go, util.GeneratePodName of Argo)."""

from __future__ import annotations

_PREFIX_LENGTH = 253 - 10 - 1


def fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of a text."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def node_id(workflow: str, name: str) -> str:
    """The id of the node of this name; the root of the workflow has the workflow's name."""
    return workflow if name == workflow else f"{workflow}-{fnv1a(name)}"


def pod_name(workflow: str, name: str, template: str) -> str:
    """The name of the pod of a node, in the form that Argo has used since version 3.4 ("v2")."""
    if name == workflow:
        return workflow
    return f"{workflow}-{template}"[:_PREFIX_LENGTH] + f"-{fnv1a(name)}"
