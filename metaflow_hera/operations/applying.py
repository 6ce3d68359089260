"""Carrying out a plan at a server: all of it or nothing."""

from __future__ import annotations

from contextlib import suppress

from metaflow_hera.argo.client import ArgoClient, with_retries
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoNotFound, ArgoUnreachable, UsageError
from metaflow_hera.operations.plan import CRON, TEMPLATE, VERSION, Plan, Step, plan_step
from metaflow_hera.operations.present import read_object


def apply(client: ArgoClient, plan: Plan) -> None:
    """Carry out a plan. If something is refused, everything is restored.

    Raises ArgoConflict if somebody else has written the template since it was read: then nothing is done,
    and a new plan is needed. Raises NameTakenError if something that starts another template has taken the
    name of an object in the meantime, ArgoError if the server refuses something or does not answer.
    """
    done: list[Step] = []
    for step in plan.changes:
        try:
            done.append(_carry_out(client, step, plan.deployment))
        except (ArgoError, UsageError) as error:
            if isinstance(error, ArgoUnreachable):
                done.append(step)  # the server may have done it anyway
            failure = _undo(client, Plan(plan.deployment, tuple(done)))
            if failure is None:
                raise
            raise type(error)(f"{error} What was done could not be undone: {failure}") from error


def remove(client: ArgoClient, plan: Plan) -> list[Step]:
    """Carry out a plan that deletes, and return the steps that found something to delete.

    What is deleted stays deleted if a later step is refused: calling this again deletes the rest.
    """
    return [step for step in plan.steps if _delete(client, step)]


def _carry_out(client: ArgoClient, step: Step, deployment: str) -> Step:
    """Do a step, and return it as it was done: others may have written the object since it was read."""
    try:
        _write(client, step)
        return step
    except ArgoConflict:
        if step.kind == TEMPLATE:  # whose it is now, and with which token, decides what to write
            raise

    def again() -> Step:
        assert step.wanted is not None  # a deletion asks for no version
        found = read_object(client, step.kind, step.name, step.namespace)
        now = plan_step(step.wanted, found, deployment)
        _write(client, now)
        return now

    try:
        return with_retries(again)
    except ArgoConflict as error:
        raise ArgoError(f"{error} Others keep changing the {step.kind} {step.name}: try again.") from error


def _undo(client: ArgoClient, plan: Plan) -> Exception | None:
    """Undo what was done, as far as the server lets it; returns the first error."""
    failure = None
    for step in plan.undo().steps:
        try:
            with_retries(lambda step=step: _restore(client, step))  # type: ignore[misc]
        except (ArgoError, ValueError) as error:  # ValueError: an object that Hera's models do not know
            failure = failure or error
    return failure


def _restore(client: ArgoClient, step: Step) -> None:
    """Do a step of an undo, whatever has become of the object."""
    if step.after is None:
        _delete(client, step)
        return
    found = read_object(client, step.kind, step.name, step.namespace)
    version = {} if found is None else {key: found["metadata"][key] for key in VERSION}
    after = {**step.after, "metadata": {**step.after["metadata"], **version}}
    _write(client, Step(step.kind, step.name, step.namespace, found, after, after))


def _write(client: ArgoClient, step: Step) -> None:
    if step.after is None:
        _delete(client, step)
        return
    create, update = {
        TEMPLATE: (client.create_template, client.update_template),
        CRON: (client.create_cron, client.update_cron),
    }.get(step.kind, (client.create_sensor, client.update_sensor))
    (create if step.before is None else update)(step.after)


def _delete(client: ArgoClient, step: Step) -> bool:
    """Delete an object, and say whether it was there."""
    with suppress(ArgoNotFound):
        if step.kind == TEMPLATE:
            client.delete_template(step.name)
        elif step.kind == CRON:
            client.delete_cron(step.name)
        else:
            client.delete_sensor(step.name, step.namespace)
        return True
    return False
