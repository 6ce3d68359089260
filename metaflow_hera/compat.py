"""Lets Metaflow and Hera run in one process."""

from __future__ import annotations

import typing

PATCHED = ("_check_generic", "_collect_type_vars", "_collect_parameters")


def mend_typing() -> None:
    """Repair `typing` so that Hera can be imported. Called before Hera is imported.

    Before Python 3.13 `typing_extensions` puts functions of its own into `typing`. Metaflow has a copy of it
    that does the same. If the copy is imported later, type variables of the real one that have defaults, as
    Hera's do, raise a TypeError ("without a default follows type parameter with a default").
    """
    for name in PATCHED:
        present = getattr(typing, name, None)
        if getattr(present, "__module__", "") == "metaflow._vendor.typing_extensions":
            import typing_extensions  # not before, since no verb that only asks a server needs it

            setattr(typing, name, getattr(typing_extensions, name))
