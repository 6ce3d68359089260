"""Carrying out a plan at a server: all of it or nothing."""

from __future__ import annotations

from contextlib import suppress

from metaflow_hera.argo.client import ArgoClient, with_retries
from metaflow_hera.contract.objects import TEMPLATE
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoNotFound, ArgoUnreachable, UsageError
from metaflow_hera.operations.kinds import KINDS
from metaflow_hera.operations.plan import VERSION, Change, Plan, plan_change
from metaflow_hera.operations.present import read_object


def apply(client: ArgoClient, plan: Plan) -> None:
    """Carry out a plan. If something is refused, everything is restored.

    Raises ArgoConflict if somebody else has written the template since it was read: then nothing is done,
    and a new plan is needed. Raises NameTakenError if something that starts another template has taken the
    name of an object in the meantime, ArgoError if the server refuses something or does not answer.
    """
    done: list[Change] = []
    for change in plan.writes:
        try:
            done.append(_carry_out(client, change, plan.deployment))
        except (ArgoError, UsageError) as error:
            if isinstance(error, ArgoUnreachable):
                done.append(change)  # the server may have done it anyway
            failure = _undo(client, Plan(plan.deployment, tuple(done)))
            if failure is None:
                raise
            raise type(error)(f"{error} What was done could not be undone: {failure}") from error


def remove(client: ArgoClient, plan: Plan) -> list[Change]:
    """Carry out a plan that deletes, and return the changes that found something to delete.

    What is deleted stays deleted if a later change is refused: calling this again deletes the rest.
    """
    return [change for change in plan.changes if _delete(client, change)]


def _carry_out(client: ArgoClient, change: Change, deployment: str) -> Change:
    """Do a change, and return it as it was done: others may have written the object since it was read."""
    try:
        _write(client, change)
        return change
    except ArgoConflict:
        if change.kind == TEMPLATE:  # whose it is now, and with which token, decides what to write
            raise

    def again() -> Change:
        assert change.wanted is not None  # a deletion asks for no version
        found = read_object(client, change.kind, change.name, change.namespace)
        now = plan_change(change.wanted, found, deployment)
        _write(client, now)
        return now

    try:
        return with_retries(again)
    except ArgoConflict as error:
        raise ArgoError(
            f"{error} Others keep changing the {change.kind} {change.name}: try again."
        ) from error


def _undo(client: ArgoClient, plan: Plan) -> Exception | None:
    """Undo what was done, as far as the server lets it; returns the first error."""
    failure = None
    for change in plan.undo().changes:
        try:
            with_retries(lambda change=change: _restore(client, change))  # type: ignore[misc]
        except (ArgoError, ValueError) as error:  # ValueError: an object that Hera's models do not know
            failure = failure or error
    return failure


def _restore(client: ArgoClient, change: Change) -> None:
    """Do a change of an undo, whatever has become of the object."""
    if change.after is None:
        _delete(client, change)
        return
    found = read_object(client, change.kind, change.name, change.namespace)
    version = {} if found is None else {key: found["metadata"][key] for key in VERSION}
    after = {**change.after, "metadata": {**change.after["metadata"], **version}}
    _write(client, Change(change.kind, change.name, change.namespace, found, after, after))


def _write(client: ArgoClient, change: Change) -> None:
    if change.after is None:
        _delete(client, change)
        return
    kind = KINDS[change.kind]
    (kind.create if change.before is None else kind.update)(client, change.after)


def _delete(client: ArgoClient, change: Change) -> bool:
    """Delete an object, and say whether it was there."""
    with suppress(ArgoNotFound):
        KINDS[change.kind].delete(client, change.name, change.namespace)
        return True
    return False
