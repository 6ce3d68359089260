"""What counts as an answer of Argo's server: the object that was asked for, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from metaflow_hera.contract.objects import JSON

TEXTS_OF_STATUS = ("phase", "message", "progress", "startedAt", "finishedAt")
Check = Callable[[Any], bool]
"""Whether the JSON of an answer is what was asked for."""


def an_object(name: str, namespace: str, *, spec: bool = True) -> Check:
    """The object with a name; `spec` says whether its spec was asked for too."""

    def check(answer: Any) -> bool:
        return _is_object(answer, spec=spec) and _is_at(answer["metadata"], name, namespace)

    return check


def written(sent: JSON, namespace: str) -> Check:
    """An object as it was sent: what others add to it may be there too."""
    name, notes = sent["metadata"]["name"], sent["metadata"].get("annotations") or {}

    def check(answer: Any) -> bool:
        return (
            _is_object(answer)
            and _is_at(answer["metadata"], name, namespace)
            and notes.items() <= (answer["metadata"].get("annotations") or {}).items()
        )

    return check


def new_object(namespace: str, label: str, value: str) -> Check:
    """An object that the server has named, with the label by which it tells what it was made from."""

    def check(answer: Any) -> bool:
        return (
            _is_object(answer)
            and (answer["metadata"].get("labels") or {}).get(label) == value
            and _is_at(answer["metadata"], answer["metadata"]["name"], namespace)
        )

    return check


def objects(*, spec: bool = True) -> Check:
    """A list of objects; an empty one is null."""

    def check(answer: Any) -> bool:
        if not isinstance(answer, dict) or "items" not in answer:
            return False
        items = answer["items"]
        return isinstance(answer.get("metadata") or {}, dict) and (
            items is None or (isinstance(items, list) and all(_is_object(item, spec=spec) for item in items))
        )

    return check


def nothing(answer: Any) -> bool:
    """The answer to a deletion, and to an event."""
    return bool(answer == {})


def version(answer: Any) -> bool:
    """The version of the server."""
    return isinstance(answer, dict) and isinstance(answer.get("version"), str)


def _is_object(value: Any, *, spec: bool = True) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return False
    metadata, status = value["metadata"], value.get("status") or {}
    return (
        isinstance(metadata.get("name"), str)
        and bool(metadata["name"])
        and all(_is_texts(metadata.get(key)) for key in ("labels", "annotations"))
        and isinstance(value.get("spec") if spec else value.get("spec") or {}, dict)
        and isinstance(status, dict)
        and all(isinstance(status.get(key) or "", str) for key in TEXTS_OF_STATUS)
        and isinstance(status.get("nodes") or {}, dict)
        and all(isinstance(node, dict) for node in (status.get("nodes") or {}).values())
    )


def _is_texts(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values()))


def _is_at(metadata: JSON, name: str, namespace: str) -> bool:
    return (metadata["name"], metadata.get("namespace", namespace)) == (name, namespace)
