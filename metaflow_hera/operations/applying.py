"""Carrying out a plan at a server: all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_hera.argo.client import ArgoClient, with_retries
from metaflow_hera.argo.settling import deleted, is_dying, settled
from metaflow_hera.contract.manifest import DEPLOYMENT_TIMESTAMP, INSTANCE, VERSION_ID
from metaflow_hera.contract.objects import JSON, SENSOR, TEMPLATE
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoUnanswered, UsageError
from metaflow_hera.operations.kinds import KINDS
from metaflow_hera.operations.plan import VERSION, Change, Plan, plan_change
from metaflow_hera.operations.present import read_living_object, read_object


def apply(client: ArgoClient, plan: Plan) -> Sequence[Change]:
    """Carry out a plan. If something is refused, everything is restored; the message tells what was not.

    Returns the changes as they were done: another one than the plan's where somebody else had written the
    object since it was read.

    Raises ArgoConflict if somebody else has written the template since it was read: then nothing is done,
    and a new plan is needed. Raises NameTakenError if something that starts another template has taken the
    name of an object in the meantime, UsageError if what a sensor starts would be seen by no controller,
    ArgoError if the server refuses something or does not answer.
    """
    done: list[Change] = []
    for change in plan.writes:
        try:
            carried_out, answer = _carry_out(client, change, plan.deployment)
            done.append(carried_out)
            _check_instance(plan, carried_out, answer)
        except (ArgoError, UsageError) as error:
            if isinstance(error, ArgoUnanswered):
                done.append(change)  # the server may have done it anyway
            if not done:
                raise
            left = _undo(client, Plan(plan.deployment, tuple(done)))
            raise type(error)(f"{_sentence(error)} {_told(plan.deployment, left)}") from error
    return done


def _told(deployment: str, left: Sequence[tuple[Change, Exception]]) -> str:
    """What has become of a deployment that was broken off, in words."""
    if not left:
        return f"All changes were rolled back: {deployment} is as it was before."
    names = ", ".join(f"the {KINDS[change.kind].words} {change.name}" for change, _ in left)
    return (
        f"The changes could not be rolled back: {_sentence(left[0][1])} So {names} may already be the new "
        f"version. Fix the cause, then deploy {deployment} again."
    )


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith((".", "?", "!")) else f"{text}."


def remove(client: ArgoClient, plan: Plan) -> list[Change]:
    """Carry out a plan that deletes, and return the changes that found something to delete.

    What is deleted stays deleted if a later change is refused: calling this again deletes the rest.
    """
    done: list[Change] = []
    for change in plan.changes:
        try:
            if _delete(client, change):
                done.append(change)
        except ArgoError as error:
            if not done:
                raise
            names = ", ".join(f"the {KINDS[each.kind].words} {each.name}" for each in done)
            raise type(error)(f"{_sentence(error)} Already deleted: {names}.") from error
    return done


def _check_instance(plan: Plan, change: Change, answer: JSON | None) -> None:
    """Raise UsageError if the server has another instance id than the workflows that a sensor makes.

    Argo's server gives its own to all that goes through it, and a sensor's workflows do not.
    """
    has_sensor = any(each.kind == SENSOR and each.after is not None for each in plan.changes)
    if change.kind != TEMPLATE or change.after is None or answer is None or not has_sensor:
        return
    given, its = (_labels(item).get(INSTANCE) for item in (change.after, answer))
    if given != its:
        now = f"is of the instance id {its}" if its else "has no instance id"
        mend = f"set ARGO_INSTANCEID={its}" if its else "unset ARGO_INSTANCEID"
        raise UsageError(
            f"Argo's server {now}, so its controller would not see what the sensor starts: {mend}."
        )


def _labels(item: JSON) -> JSON:
    return item["metadata"].get("labels") or {}


def _carry_out(client: ArgoClient, change: Change, deployment: str) -> tuple[Change, JSON | None]:
    """Do a change, and return it as it was done, with the server's answer.

    Others may have written the object since it was read.
    """
    try:
        return change, _write(client, change)
    except ArgoConflict:
        if change.kind == TEMPLATE:  # whose it is now, and with which token, decides what to write
            raise

    def again() -> tuple[Change, JSON | None]:
        assert change.wanted is not None  # a deletion asks for no version
        found = read_living_object(client, change.kind, change.name, change.namespace)
        now = plan_change(change.wanted, found, deployment)
        return now, _write(client, now)

    try:
        return with_retries(again)
    except ArgoConflict as error:
        raise ArgoError(
            f"{error} Others keep changing the {change.kind} {change.name}: try again."
        ) from error


def _undo(client: ArgoClient, plan: Plan) -> list[tuple[Change, Exception]]:
    """Undo what was done, as far as the server lets it; returns what could not be undone, and why."""
    left: list[tuple[Change, Exception]] = []
    for change in plan.undo().changes:
        try:
            with_retries(lambda change=change: _restore(client, change))  # type: ignore[misc]
        except (ArgoError, ValueError) as error:  # ValueError: an object that Hera's models do not know
            left.append((change, error))
    return left


def _restore(client: ArgoClient, change: Change) -> None:
    """Do a change of an undo, whatever has become of the object.

    But a template is left alone that somebody else has deployed since.
    """
    found = None
    if change.after is not None or change.kind == TEMPLATE:
        found = read_object(client, change.kind, change.name, change.namespace)
    if change.kind == TEMPLATE and found is not None and _marks(found) != _marks(change.before):
        return
    if change.after is None:
        _delete(client, change)
        return
    version = {} if found is None else {key: found["metadata"][key] for key in VERSION}
    after = {**change.after, "metadata": {**change.after["metadata"], **version}}
    _write(client, Change(change.kind, change.name, change.namespace, found, after, after))


def _marks(template: JSON | None) -> list[str | None]:
    """What two versions of a template never have alike."""
    notes = ((template or {}).get("metadata") or {}).get("annotations") or {}
    return [notes.get(name) for name in (VERSION_ID, DEPLOYMENT_TIMESTAMP)]


def _write(client: ArgoClient, change: Change) -> JSON | None:
    """Do a change, and return the object that the server has made of it.

    Raises ArgoConflict if Kubernetes is deleting what was written.
    """
    after = change.after
    if after is None:
        _delete(client, change)
        return None
    kind = KINDS[change.kind]

    def write() -> JSON:
        return (kind.create if change.before is None else kind.update)(client, after)

    def look() -> JSON | None:
        found = read_object(client, change.kind, change.name, change.namespace)
        return found if found is not None and _is_written(found, change.before, after) else None

    what = f"the {kind.words} {change.name}"
    made = settled(write, look, f"the new version of {what} was written", "mfhera list")
    if is_dying(made):
        raise ArgoConflict(f"{client.target} is deleting {what}: try again when it has gone.")
    return made


def _is_written(found: JSON, before: JSON | None, after: JSON) -> bool:
    """Whether an object is what was written, and no longer what was there before."""
    now, was, wanted = found["metadata"], (before or {}).get("metadata") or {}, after["metadata"]
    return now.get("resourceVersion") != was.get("resourceVersion", "") and all(
        (wanted.get(key) or {}).items() <= (now.get(key) or {}).items() for key in ("labels", "annotations")
    )


def _delete(client: ArgoClient, change: Change) -> bool:
    """Delete an object, and say whether it was there."""
    kind = KINDS[change.kind]
    was = (change.before or {}).get("metadata", {}).get("uid")

    def look() -> JSON | None:
        found = read_object(client, change.kind, change.name, change.namespace)
        made_anew = found is not None and was is not None and found["metadata"]["uid"] != was
        return None if made_anew else found

    return deleted(
        lambda: kind.delete(client, change.name, change.namespace),
        look,
        f"the {kind.words} {change.name}",
        "mfhera list",
    )
