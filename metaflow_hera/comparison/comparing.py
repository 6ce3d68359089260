"""What differs between two versions of a deployment."""

from __future__ import annotations

from metaflow_hera.comparison.files import file_changes, setting_changes, software_changes
from metaflow_hera.comparison.meaning import about_changes, parameter_changes, start_changes
from metaflow_hera.comparison.objects import object_changes
from metaflow_hera.comparison.records import Difference
from metaflow_hera.comparison.states import State


def compare(name: str, old: State, new: State) -> Difference:
    """What differs between two versions of the deployment of that name, or between none and its first."""
    packages = None if old.package is None or new.package is None else (old.package, new.package)
    return Difference(
        name=name,
        is_new=old.template is None,
        about=tuple(about_changes(old, new)),
        parameters=tuple(parameter_changes(old, new)),
        starts=tuple(start_changes(old, new)),
        objects=tuple(object_changes(old, new)),
        software=() if packages is None else tuple(software_changes(*packages)),
        settings=() if packages is None else tuple(setting_changes(*packages)),
        files=() if packages is None else tuple(file_changes(*packages)),
        is_package_known=packages is not None,
        notes=tuple(state.note for state in (old, new) if state.note is not None),
    )
