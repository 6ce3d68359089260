"""Making objects the live version of a deployment: noted in its history, then written to the server.

The template is the commit point. What a version has beside it follows; whoever comes last, or finds that it
was left in part, writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from metaflow_hera import __version__
from metaflow_hera.argo import last
from metaflow_hera.argo.client import WRITE_ATTEMPTS, ArgoClient, with_retries
from metaflow_hera.argo.deployments import Deployed, VersionKey, described, noted_version, version_of
from metaflow_hera.argo.packages import package_url
from metaflow_hera.choices.checks import at_least
from metaflow_hera.contract.objects import JSON, TEMPLATE
from metaflow_hera.errors import ArgoConflict, ConfigurationError, MetaflowHeraError, OptionError
from metaflow_hera.home import make_home
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.metaflow_api.load.config import own_setting
from metaflow_hera.metaflow_api.load.tokens import remember_token
from metaflow_hera.metaflow_api.versions import installed_metaflow
from metaflow_hera.operations import applying
from metaflow_hera.operations.git_state import GitState
from metaflow_hera.operations.history import CREATE, FOUND, Entry, History, new_id
from metaflow_hera.operations.plan import Change, Plan, Present, belonging, plan_deployment, sensor_of
from metaflow_hera.operations.present import read_living, read_object
from metaflow_hera.operations.stamps import stamped
from metaflow_hera.translation.names import token_prefix

KEPT = 100
"""How many versions a history keeps where METAFLOW_HERA_HISTORY does not say it."""
SETTING = "METAFLOW_HERA_HISTORY"


@dataclass(frozen=True)
class Reason:
    """Why there is a new version; see `Entry`."""

    kind: str = CREATE
    message: str | None = None
    git: GitState | None = None
    to: int | None = None
    origin: tuple[str, int | None] | None = None


@dataclass(frozen=True)
class Released:
    """A version that was deployed; `notes` are sentences on what others did meanwhile and what went wrong."""

    version: VersionKey
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Draft:
    """A new version before it is deployed: its entry, its plan, and what the entry follows.

    `found` is an entry for what is live, where there is none yet.
    """

    entry: Entry
    plan: Plan
    found: Entry | None


def kept() -> int:
    """How many versions a history keeps. Raises ConfigurationError for a setting that is no such number."""
    text = own_setting("HISTORY")
    if text is None:
        return KEPT
    try:
        return int(at_least(1)(SETTING, int(text)))
    except OptionError as error:
        raise ConfigurationError(str(error)) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{SETTING} is {text!r}, not a number of versions: give 1 or more."
        ) from error


def draft(history: History, present: Present, wanted: Sequence[JSON], reason: Reason) -> Draft:
    """The version that objects become if they are deployed onto what a server has now."""
    previous, found = _before(history, present)
    version = VersionKey(previous.number + 1 if previous else 1, new_id())
    time = now()
    objects = stamped(wanted, version, time)
    (template,) = (item for item in objects if item["kind"] == TEMPLATE)
    about = described(template)
    entry = Entry(
        key=version,
        previous=previous,
        deployment=about.name,
        flow=about.flow,
        kind=reason.kind,
        created_at=time,
        user=user(),
        token=about.token,
        package=package_url(template),
        objects=objects,
        to=reason.to,
        origin=reason.origin,
        message=reason.message,
        git=reason.git,
        metaflow=installed_metaflow(),
        metaflow_hera=__version__,
    )
    return Draft(entry, plan_deployment(present, objects), found)


def release(client: ArgoClient, history: History, made: Draft) -> Released:
    """Deploy a draft, and note it on this machine as the last deployment.

    Raises ArgoConflict if somebody else has written the template since it was read, ConfigurationError if the
    history cannot be written; then nothing was deployed. Raises what `applying.apply` does.
    """
    most = kept()
    entry = made.entry
    if made.found is not None:
        history.add(made.found)
    history.add(entry)
    about = described(entry.template)
    try:
        done, unnoted = deploy(client, made.plan, about.flow, prefix_of(about), about.token)
    except Exception as error:
        with suppress(MetaflowHeraError):  # the first error counts
            _after_failure(client, history, entry, error)
        raise
    notes = [*unnoted, *_settled(client, history, entry, made.plan, done)]
    try:
        history.trim(entry.key, most)
    except ConfigurationError as error:  # it has been deployed all the same
        notes.append(f"Old versions could not be deleted from the history: {error}")
    return Released(entry.key, notes)


def deploy(
    client: ArgoClient, plan: Plan, flow: str, prefix: str, token: str
) -> tuple[Sequence[Change], Sequence[str]]:
    """Carry out the plan of a flow's deployment, and note it on this machine as the last one, with its token.

    Returns what was changed, and what to say if it could not be noted. Raises what `applying.apply` does.
    """
    # What is kept on this machine goes first: a folder that cannot be written leaves nothing half done.
    remember_token(prefix, token)
    make_home()
    done = applying.apply(client, plan)
    return done, last.remember(last.noted(plan.deployment, flow, client.target))


def release_in_turn(client: ArgoClient, attempt: Callable[[], tuple[History, Draft]]) -> Released:
    """Release what `attempt` drafts for what it reads, anew if somebody else deploys at this moment."""
    tried: list[Entry] = []

    def once() -> Released:
        history, made = attempt()
        tried.append(made.entry)
        released = release(client, history, made)
        expected, replaced = tried[0].previous, made.entry.previous
        if expected == replaced or replaced is None:
            return released
        other = history.entry(replaced)
        who = f" by {other.user}" if other else ""
        note = (
            f"{made.entry.deployment} was deployed{who} meanwhile, as version {replaced.number}: "
            f"this is version {released.version.number}, and replaced it."
        )
        return replace(released, notes=[note, *released.notes])

    return with_retries(once)


def complete(client: ArgoClient, entry: Entry) -> Plan:
    """Write what is missing of a version beside its template, and delete what is not of it."""

    def change() -> Plan:
        present = read_living(client, entry.deployment, sensor_of(entry.objects))
        plan = companions(plan_deployment(present, entry.objects))
        applying.apply(client, plan)
        return plan

    return with_retries(change)


def companions(plan: Plan) -> Plan:
    """The part of a plan that does not concern the template."""
    return Plan(plan.deployment, tuple(change for change in plan.changes if change.kind != TEMPLATE))


def prefix_of(about: Deployed) -> str:
    """The prefix of a deployment's production tokens."""
    return token_prefix(about.flow, about.name, about.project, about.branch)


def now() -> str:
    """The time of a version, as its template notes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _after_failure(client: ArgoClient, history: History, entry: Entry, error: Exception) -> None:
    """Take back the entry of a version that the server does not have, and repair what its undo has undone."""
    template = read_object(client, TEMPLATE, entry.deployment, client.target.namespace)
    live = version_of(template) if template is not None else None
    if live == entry.key:
        return
    history.drop(entry)
    if live not in (None, entry.previous) and not isinstance(error, ArgoConflict):
        _complete_live(client, history, entry.deployment)


def _settled(
    client: ArgoClient, history: History, entry: Entry, plan: Plan, done: Sequence[Change]
) -> list[str]:
    """See that what is beside the template is of the live version, whoever has deployed that meanwhile.

    Where objects were only replaced, and as they were read, there is nothing to see: whoever deploys at the
    same time has yet to write them. So it is with those of a first version that were not there before.
    Returns what others did, in sentences.
    """
    is_first = any(change.kind == TEMPLATE and change.action == "create" for change in done)
    safe = ("replace", "create") if is_first else ("replace",)
    beside = [change for change in done if change.kind != TEMPLATE]
    if all(change.action in safe and change in plan.changes for change in beside):
        return []
    name, number = entry.deployment, entry.key.number
    template = read_object(client, TEMPLATE, name, client.target.namespace)
    if template is not None and version_of(template) == entry.key:
        return []
    other = _complete_live(client, history, name)
    if other is not None:
        return [
            f"{name} was deployed by {other.user} meanwhile: version {other.key.number} is live, "
            f"and has replaced version {number}, which this was."
        ]
    return [f"Version {number} of {name} was replaced or deleted meanwhile: check with mfhera versions."]


def _complete_live(client: ArgoClient, history: History, name: str) -> Entry | None:
    """Complete the live version, and return it; None if there is none, or none that is known."""
    found: Entry | None = None
    for _ in range(WRITE_ATTEMPTS):
        template = read_object(client, TEMPLATE, name, client.target.namespace)
        live = version_of(template) if template is not None else None
        if live is None or (found is not None and found.key == live):
            return found
        found = history.entry(live)
        if found is None:
            return None
        complete(client, found)
    return found


def _before(history: History, present: Present) -> tuple[VersionKey | None, Entry | None]:
    """The version that a new one follows, and an entry for it if it is not in this history.

    Without a deployment the newest one counts, so that numbers go on after it was deleted.
    """
    if present.template is None:
        return history.newest(), None
    live, about = version_of(present.template), described(present.template)
    # What came before a version that is not in this history (any more) is not known.
    newest = None if live else noted_version(present.template) or history.newest()
    key = live or VersionKey((newest.number if newest else 0) + 1, _id_of(present.template))
    if (known := history.of_id(key.id)) is not None:
        return known, None
    found = Entry(
        key=key,
        previous=newest,
        deployment=about.name,
        flow=about.flow,
        kind=FOUND,
        created_at=about.deployed_at,
        user=about.owner,
        token=about.token,
        package=package_url(present.template),
        objects=belonging(present),
    )
    return key, found


def _id_of(template: JSON) -> str:
    """An id for a version without one: the same for whoever finds it."""
    metadata = template["metadata"]
    text = f"{metadata.get('uid')}{metadata.get('resourceVersion')}"
    return "".join(char for char in text.lower() if char.isascii() and char.isalnum())[-40:]
