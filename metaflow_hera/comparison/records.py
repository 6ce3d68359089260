"""What differs, as plain data: what `mfhera diff` shows, and `Deployment.diff` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["added", "removed", "changed"]
HIDDEN = "(hidden)"
"""In place of a value that may be a secret."""


@dataclass(frozen=True)
class FieldChange:
    """A field that differs: what it was and what it will be, None where it is not there.

    What may be a secret, the value of an environment variable, is `(hidden)`.
    """

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class ObjectChange:
    """An object that differs.

    `fields` are those of a changed one. They are without what follows from the Parameters, the schedules, the
    events and the owner, which are told by themselves.
    """

    kind: str
    name: str
    action: Action
    fields: Sequence[FieldChange]


@dataclass(frozen=True)
class ParameterChange:
    """A Parameter of the flow that differs, in its `type`, its `default`, in `required` or in its `help`."""

    name: str
    action: Action
    fields: Sequence[FieldChange]


@dataclass(frozen=True)
class StartChange:
    """A schedule or an event that starts the flow, and did not, or no longer does."""

    kind: Literal["schedule", "event"]
    name: str
    action: Action


@dataclass(frozen=True)
class FileChange:
    """A file of the code package that differs; sizes are in bytes, None where there is no such file.

    `diff` is a unified diff of its lines, None for what is not text or too long to be shown. `inserted` and
    `deleted` count lines.
    """

    path: str
    action: Action
    old_size: int | None
    new_size: int | None
    inserted: int = 0
    deleted: int = 0
    diff: str | None = None


@dataclass(frozen=True)
class Difference:
    """What differs between two versions of a deployment; false where nothing does.

    `is_new` says that nothing is deployed yet. `about` has the owner, and whether the production token is
    another one; `software` the versions of Metaflow and of this package in the code package, `settings` what
    pods are told of the flow beside the manifest. `is_package_known` is false where one of the code packages
    cannot be read. `notes` are sentences on what is not compared.
    """

    name: str
    is_new: bool
    about: Sequence[FieldChange]
    parameters: Sequence[ParameterChange]
    starts: Sequence[StartChange]
    objects: Sequence[ObjectChange]
    software: Sequence[FieldChange]
    settings: Sequence[FieldChange]
    files: Sequence[FileChange]
    is_package_known: bool
    notes: Sequence[str]

    def __bool__(self) -> bool:
        return (
            not self.is_package_known
            or any((self.about, self.parameters, self.starts, self.objects))
            or any((self.software, self.settings, self.files))
        )


def difference_from_json(data: Mapping[str, Any]) -> Difference:
    """What differs, from the JSON of `mfhera diff --json`."""

    def fields(each: Mapping[str, Any]) -> tuple[FieldChange, ...]:
        return tuple(FieldChange(**field) for field in each["fields"])

    return Difference(
        name=data["name"],
        is_new=data["is_new"],
        about=tuple(FieldChange(**each) for each in data["about"]),
        parameters=tuple(ParameterChange(**{**each, "fields": fields(each)}) for each in data["parameters"]),
        starts=tuple(StartChange(**each) for each in data["starts"]),
        objects=tuple(ObjectChange(**{**each, "fields": fields(each)}) for each in data["objects"]),
        software=tuple(FieldChange(**each) for each in data["software"]),
        settings=tuple(FieldChange(**each) for each in data["settings"]),
        files=tuple(FileChange(**each) for each in data["files"]),
        is_package_known=data["is_package_known"],
        notes=tuple(data["notes"]),
    )
