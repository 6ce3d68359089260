"""Writes whose answer does not come: what has become of them is looked up, and told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoDenied, ArgoError, ArgoNotFound, ArgoUnanswered, ArgoUnreachable

T = TypeVar("T")

PAUSES = (0.3, 2.0)
"""The seconds before each look: a server whose answer was cut off may still be at it."""
LEARNS = 5.0
"""The seconds in which Argo's server learns of a template that has just been created."""
GOING = (0.0, 0.1, 0.5, 2.0)
"""The seconds before each look whether an object has gone: Argo's server reads from a cache."""


def settled(write: Callable[[], T], look: Callable[[], T | None], what: str, see: str) -> T:
    """The result of a write. If its answer does not come, it is what `look` finds; None: it was not done.

    `what` says in a message what was wanted ("the run was stopped"), `see` which command shows it. Raises
    ArgoUnreachable if it was not done, ArgoUnanswered if that is unknown.
    """
    try:
        return write()
    except ArgoUnanswered as error:
        unanswered = error
    for pause in PAUSES:
        time.sleep(pause)
        try:
            found = look()
        except ArgoError:
            continue
        if found is not None:
            return found
        if pause == PAUSES[-1]:
            raise ArgoUnreachable(f"{unanswered}, and the change was not made: try again.") from unanswered
    raise unknown(unanswered, what, see) from unanswered


def learned(write: Callable[[], T], embedded: bool) -> T:
    """The result of a write for which Argo's server looks at a template that may be a moment old.

    It looks at copies of the templates, which follow what is created. The embedded Argo has none. Raises
    ArgoNotFound if the server does not come to know the template.
    """
    end = time.monotonic() + (0 if embedded else LEARNS)
    while True:
        try:
            return write()
        except ArgoNotFound:
            if time.monotonic() > end:
                raise
            time.sleep(PAUSES[0])


def unknown(unanswered: ArgoUnanswered, what: str, see: str) -> ArgoUnanswered:
    """The error of a write of which it is not known whether it was done."""
    return ArgoUnanswered(f"{unanswered}: it is unclear whether {what}; check with {see}.")


def deleted(delete: Callable[[], None], look: Callable[[], JSON | None], what: str, see: str) -> bool:
    """Delete an object and see that it goes; whether it was there. `look` returns the object, or None.

    One that Kubernetes is deleting counts as gone. Raises ArgoError if it is still there.
    """

    def gone() -> bool | None:
        found = look()
        return True if found is None or is_dying(found) else None

    def write() -> bool:
        try:
            delete()
        except ArgoNotFound:
            return False
        for pause in GOING:
            time.sleep(pause)
            try:
                if gone():
                    return True
            except (ArgoUnreachable, ArgoDenied):
                return True  # the server has said so, and cannot be asked any more
            except ArgoError as error:
                raise type(error)(
                    f"The server reported that {what} was deleted, but this could not be checked: {error}"
                ) from error
        raise ArgoError(
            f"The server reported that {what} was deleted, but it still exists: check with {see}."
        )

    return settled(write, gone, f"{what} is deleted", see)


def is_dying(item: JSON) -> bool:
    """Whether Kubernetes is deleting an object: it waits for somebody to do what a finalizer says."""
    return bool(item["metadata"].get("deletionTimestamp"))
