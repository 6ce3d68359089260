"""Making an earlier version of a deployment the live one again, manifest and code package as they were."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflow_hera.argo.client import ArgoClient, with_retries
from metaflow_hera.argo.deployments import Deployed, VersionKey, described, noted_version, version_of
from metaflow_hera.argo.objects import arguments_of, containers_of, is_cron_of, template_of
from metaflow_hera.argo.tokens import check_access
from metaflow_hera.choices.checks import of_kind
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.values import NOT_GIVEN
from metaflow_hera.errors import ArgoConflict, NotFoundError, UsageError
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.operations.belonging import check_belongs
from metaflow_hera.operations.history import ROLLBACK, Entry, History, history_of, numbered, seen
from metaflow_hera.operations.plan import Plan, Present, plan_deployment, sensor_of
from metaflow_hera.operations.present import existing_in, read_living
from metaflow_hera.operations.releasing import (
    Draft,
    Reason,
    Released,
    companions,
    complete,
    draft,
    prefix_of,
    release_in_turn,
)

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did, or (`dry`) would do.

    `version` is the number of the version that is live then, which has the manifest of the version `to`: the
    same one if all there was to do was to complete that. `plan` is what happens to each object.
    """

    deployment: str
    flow: str
    version: int
    to: int
    plan: Plan
    notes: Sequence[str] = ()

    @property
    def completed(self) -> bool:
        """Whether it only completed the version that is live."""
        return self.version == self.to


@dataclass(frozen=True)
class _Chosen:
    """What a deployment goes back to: an entry, and all that was read of what is live."""

    present: Present
    about: Deployed
    history: History
    live: VersionKey | None
    entry: Entry


def rollback(
    client: ArgoClient,
    name: str,
    to: int | None = None,
    *,
    authorize: str | None = None,
    message: str | None = None,
    flow: LoadedFlow | None = None,
    dry_run: bool = False,
) -> RolledBack:
    """Make the version `to` live again (None: the one before the live one); running runs go on with theirs.

    If `flow` is given, the deployment must be that flow's. The live version itself is completed, if it was
    deployed in part. Raises OptionError for what is no number or no text, NotFoundError if there is no such
    deployment or version, NotYoursError if it is not this user's, UsageError for a version that cannot be
    deployed again, ConfigurationError if the history cannot be read.
    """
    if to is not None:
        of_kind("--to", to, int)
    if message is not None:  # it stays in the history
        of_kind("--message", message, str)
    chosen = with_retries(lambda: _choose(client, name, to, authorize, flow))
    client.check_version()  # known by now: answers tell it
    number = chosen.entry.key.number
    if chosen.entry.key == chosen.live:
        return _completed(client, chosen, dry_run)
    drafts: list[Draft] = []

    def attempt() -> tuple[History, Draft]:
        # Looked at again if somebody else has deployed meanwhile; but it goes back to the same version.
        found = _choose(client, name, number, authorize, flow) if drafts else chosen
        reason = Reason(ROLLBACK, message, found.entry.git, to=number)
        drafts.append(draft(found.history, found.present, found.entry.objects, reason))
        return found.history, drafts[-1]

    if dry_run:
        attempt()
        return _rolled_back(chosen, drafts[-1])
    released = release_in_turn(client, attempt)
    return _rolled_back(chosen, drafts[-1], released)


def _rolled_back(chosen: _Chosen, made: Draft, released: Released | None = None) -> RolledBack:
    return RolledBack(
        deployment=chosen.about.name,
        flow=chosen.about.flow,
        version=made.entry.key.number,
        to=chosen.entry.key.number,
        plan=made.plan,
        notes=released.notes if released else (),
    )


def _completed(client: ArgoClient, chosen: _Chosen, dry_run: bool) -> RolledBack:
    number, name = chosen.entry.key.number, chosen.about.name
    plan = companions(plan_deployment(chosen.present, chosen.entry.objects))
    if not plan.writes:
        raise UsageError(f"{name} is at version {number}: name an earlier one with --to.")
    if not dry_run:
        plan = complete(client, chosen.entry)
    return RolledBack(name, chosen.about.flow, number, number, plan)


def _choose(
    client: ArgoClient, name: str, to: int | None, authorize: str | None, flow: LoadedFlow | None
) -> _Chosen:
    """What to go back to, as the server and the history are now, with all checks made."""
    present = read_living(client, name)
    about, template = existing_in(present)
    if flow is not None:
        check_belongs(about, flow)
    check_access(about, prefix_of(about), user(), authorize)
    history, live = history_of(about, template, client.target), version_of(template)
    chain = history.chain(noted_version(template)) if history else []
    entry = _entry(name, chain, live, to)
    assert history is not None
    if (sensor := sensor_of(entry.objects)) is not None:
        present = read_living(client, name, sensor)
        if existing_in(present)[1]["metadata"]["resourceVersion"] != template["metadata"]["resourceVersion"]:
            raise ArgoConflict(f"{name} was changed meanwhile: try again.")
    if entry.key != live:
        _check(entry, about, present, history, embedded=client.target.embedded)
    return _Chosen(present, about, history, live, entry)


def _entry(name: str, chain: Sequence[Entry], live: VersionKey | None, to: int | None) -> Entry:
    """The version to go back to, among those that were live. Raises NotFoundError if there is none."""
    if to is not None:
        return numbered(chain, name, to)
    earlier = [entry for entry in chain if entry.key != live]
    if not earlier:
        raise NotFoundError(f"{name} has no earlier version in its history: {seen(name)}.")
    return earlier[0]


def _check(entry: Entry, about: Deployed, present: Present, history: History, *, embedded: bool) -> None:
    """Raise UsageError for a version that would not run, or not where its runs are looked for."""
    name, number = about.name, entry.key.number
    if not history.has_package(entry):
        why = (
            f"its code package {entry.package} is not in the datastore any more"
            if entry.package
            else "it does not say where its code package is"
        )
        raise UsageError(
            f"Version {number} of {name} cannot be live again, since {why}: "
            "deploy that code again with mfhera create."
        )
    if entry.token != about.token:
        raise UsageError(
            f"Version {number} of {name} has another production token than the live version, so its runs "
            "would go to another namespace: deploy that code again with mfhera create."
        )
    if embedded and (absent := _absent_interpreter(entry.template)):
        raise UsageError(
            f"Version {number} of {name} cannot be live again, since its pods run with {absent}, which is "
            "not there any more: deploy that code again with mfhera create."
        )
    _check_others_crons(entry, present)


def _check_others_crons(entry: Entry, present: Present) -> None:
    """Raise UsageError if a version does not take the Parameters that somebody's cron workflow gives it."""
    name, number = present.name, entry.key.number
    takes, parameters = arguments_of(entry.template["spec"]), described(entry.template).parameters
    for cron in present.crons:
        if template_of(cron) != name or is_cron_of(cron, name) or cron["spec"].get("suspend"):
            continue
        gives = arguments_of(cron["spec"]["workflowSpec"])
        unknown = sorted(gives.keys() - takes.keys())
        lacking = [
            parameter
            for parameter, declared in parameters.items()
            if declared.get("is_required")
            and takes.get(parameter, NOT_GIVEN) == NOT_GIVEN
            and parameter not in gives
        ]
        if unknown or lacking:
            what = (
                f"gives the Parameter {unknown[0]}"
                if unknown
                else f"does not give the Parameter {lacking[0]}"
            )
            has = "does not have" if unknown else "needs"
            raise UsageError(
                f"The cron workflow {cron['metadata']['name']} {what}, which version {number} of {name} "
                f"{has}: change or suspend it first."
            )


def _absent_interpreter(template: JSON) -> str | None:
    """The Python of this machine that a pod of the embedded Argo would run with, if it is gone."""
    programs = ((each.get("command") or [""])[0] for each in containers_of(template))
    found = (program for program in programs if os.path.isabs(program))
    return next((path for path in found if not os.path.exists(path)), None)
