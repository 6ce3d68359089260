"""Deploying a flow: check it, translate it, plan the changes at the server, apply them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.target import Target, embedded_namespace
from metaflow_hera.argo.tokens import Token, bare, first_token, resolve_token
from metaflow_hera.choices.configured import configured
from metaflow_hera.choices.deployment import BINDING, CreateOptions
from metaflow_hera.contract.datastores import SHARED
from metaflow_hera.contract.manifest import sensor_name
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ConfigurationError, NotFoundError, OptionError
from metaflow_hera.metaflow_api.light.tokens import known_token
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.metaflow_api.load import config
from metaflow_hera.metaflow_api.load.datastores import far_notes
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.packages import CodePackage, Packing
from metaflow_hera.metaflow_api.load.tags import check_tags
from metaflow_hera.metaflow_api.read.history_store import HistoryPlace
from metaflow_hera.operations import old_argo
from metaflow_hera.operations.belonging import check_belongs, found_of, name_of
from metaflow_hera.operations.git_state import git_state
from metaflow_hera.operations.history import CREATE, PROMOTION, History, history_at
from metaflow_hera.operations.plan import Present
from metaflow_hera.operations.present import deployed_in, read, read_living
from metaflow_hera.operations.promotion import Promotion, promotion
from metaflow_hera.operations.releasing import Draft, Reason, draft, release_in_turn
from metaflow_hera.translation import parameters, support
from metaflow_hera.translation.events import events
from metaflow_hera.translation.names import token_prefix
from metaflow_hera.translation.settings import EventsPlace, Settings
from metaflow_hera.translation.splits import splits
from metaflow_hera.translation.template import Translation, translate
from metaflow_hera.translation.writing import as_json

NEXT = "-next"
"""What stands at the end of a token in place of one that is not made yet."""


@dataclass(frozen=True)
class Created:
    """What `create` deployed. `token_is_new` says that this version begins a new production namespace.

    `limits` are sentences on what the server's version of Argo cannot do with it. `version` is its
    number, None for what was only written; `meanwhile` are sentences on what others deployed meanwhile.
    """

    flow: str
    name: str
    token: str
    token_is_new: bool
    objects: Translation
    limits: Sequence[str] = ()
    version: int | None = None
    meanwhile: Sequence[str] = ()


@dataclass(frozen=True)
class Prepared:
    """A flow that is loaded and can be deployed. `token_prefix` is the prefix of its production tokens."""

    flow: LoadedFlow
    name: str
    token_prefix: str
    options: CreateOptions
    packing: Packing


def prepare(flow: LoadedFlow, options: CreateOptions, packing: Packing | None = None) -> Prepared:
    """Check everything about a flow that can be checked without a server.

    `packing` is the making of its code package, if that has begun. Raises UsageError or one of its kinds;
    nothing is changed anywhere.
    """
    options = configured(options, config.own_setting)
    options.check_notifications()
    support.check(flow)
    splits(flow, options)
    parameters.check(flow.parameters)
    check_tags(options.tags)
    project = flow.project
    if options.given_token is not None:
        support.check_token(flow, options.given_token)
    name = name_of(flow, options.name)
    prefix = token_prefix(flow.name, name, project.get("project_name"), project.get("branch_name"))
    return Prepared(flow, name, prefix, options, packing or Packing(flow))


def create(prepared: Prepared, client: ArgoClient) -> Created:
    """Deploy a flow at a server, and note it as the last one deployed from this folder."""
    _check_deployable(prepared, client.target)
    message, promoted = prepared.options.message, _promoted(prepared, client)
    if promoted is None:
        reason = Reason(CREATE, message, git_state(prepared.flow.file.parent))
    else:
        reason = Reason(PROMOTION, message, promoted.git, origin=promoted.origin)
    made: list[Created] = []

    def attempt() -> tuple[History, Draft]:
        objects, created = _drafted(prepared, client, reason, promoted)
        made.append(created)
        return objects

    released = release_in_turn(client, attempt)
    return replace(made[-1], version=released.version.number, meanwhile=released.notes)


def _promoted(prepared: Prepared, client: ArgoClient) -> Promotion | None:
    """The code package of a branch, where the options name one."""
    branch = prepared.options.from_branch
    if branch is None:
        return None
    return promotion(client, prepared.flow, prepared.name, branch, prepared.packing)


def _drafted(
    prepared: Prepared, client: ArgoClient, reason: Reason, promoted: Promotion | None
) -> tuple[tuple[History, Draft], Created]:
    """The next version of a flow's deployment, as the server is now."""
    flow = prepared.flow
    present = read_living(client, prepared.name, _sensor(prepared, client.target))
    client.check_version()  # known by now: answers tell it
    previous = deployed_in(present)
    if previous is not None:
        check_belongs(previous, flow)
    token = _token(previous, prepared)
    objects = _translated(prepared, token.value, client.target, promoted)
    wanted = [as_json(item) for item in objects.objects]
    place = HistoryPlace(flow.datastore, flow.datastore_root, flow.name, prepared.name)
    history = history_at(place, client.target)
    limits = old_argo.limits(client.version(), wanted)
    created = Created(flow.name, prepared.name, token.value, token.is_new, objects, limits)
    return (history, draft(history, present, wanted, reason)), created


def preview(prepared: Prepared, client: ArgoClient) -> tuple[Present, list[JSON]]:
    """What the server has of a flow's deployment, and the objects that `create` would give it.

    Nothing is stored or written, and whoever may read may ask: the token is that of what is deployed. With an
    option for another one it is that one, or one that stands for it. Raises what `create` refuses.
    """
    _check_deployable(prepared, client.target)
    present = read(client, prepared.name, _sensor(prepared, client.target))
    client.check_version()
    previous = deployed_in(present)
    if previous is not None:
        check_belongs(previous, prepared.flow)
    token = first_token(prepared.token_prefix) if previous is None else previous.token
    if prepared.options.given_token is not None:
        token = bare(prepared.options.given_token)
    elif prepared.options.generate_new_token:
        token += NEXT
    promoted = _promoted(prepared, client)
    objects = _translated(prepared, token, client.target, promoted, prepared.packing.unsaved)
    return present, [as_json(item) for item in objects.objects]


def notes(prepared: Prepared, created: Created, target: Target) -> list[str]:
    """Sentences on what a deployment does not do there, or elsewhere than one may think.

    On a cluster they are on the size of its runs, on what its Argo cannot do, on its datastore's address and
    on where metadata stays; on the embedded Argo, on what its pods do not have, on what a cluster
    would refuse, and on where local results are if that is not below the current folder.
    """
    if target.embedded:
        root = config.local_root()
        elsewhere = prepared.flow.datastore == "local" and os.path.realpath(root) != os.path.realpath(".")
        kept = [f"Results are stored in {os.path.join(root, '.metaflow')}."] if elsewhere else []
        notes = (*created.objects.footprint.refusals(), *created.objects.splits.notes())
        return [*kept, *support.local_notes(prepared.flow), *notes]
    found = [*created.objects.warnings(), *created.limits, *far_notes(prepared.flow)]
    if prepared.flow.metadata == "local":
        found.append(
            "The metadata of its runs stays in the cluster's pods: "
            "deploy with --metadata=service to read results with Metaflow's Client API."
        )
    return found


def export(prepared: Prepared, target: Target | None, client: ArgoClient | None = None) -> Created:
    """What `create` would deploy at a target (None: the embedded Argo), the same each time.

    A server is asked only for the token, and only if a `client` is given: without one it is the token in the
    options, or the one that this user has, or one that follows from the deployment's name.
    """
    target, token = _to_write(prepared, target, client)
    objects = _translated(prepared, token, target)
    return Created(prepared.flow.name, prepared.name, token, False, objects)


def exported(prepared: Prepared, target: Target | None) -> list[JSON]:
    """The objects that `export` gives without a client; nothing is stored."""
    target, token = _to_write(prepared, target, None)
    made = _translated(prepared, token, target, None, prepared.packing.unsaved)
    return [as_json(item) for item in made.objects]


def _to_write(prepared: Prepared, target: Target | None, client: ArgoClient | None) -> tuple[Target, str]:
    """The target of an export and the token in it. Raises OptionError for what only a deployment can have."""
    if prepared.options.from_branch is not None:
        raise OptionError(
            "--from-branch needs a server and deploys to it: "
            "it cannot be used with an export, with lint or with --dry-run."
        )
    target = target or Target(host="", namespace=embedded_namespace(), embedded=True)
    _check_target(prepared, target)
    return target, _token_to_write(prepared, client)


def _token_to_write(prepared: Prepared, client: ArgoClient | None) -> str:
    options = prepared.options
    if client is not None:
        previous = found_of(client, prepared.flow, prepared.name)
        if previous is None:
            raise NotFoundError(
                f"There is no deployment {prepared.name} yet, so it has no token: leave out --real-token."
            )
        return _token(previous, prepared).value
    if options.given_token or options.generate_new_token:
        return _token(None, prepared).value
    if options.authorize:
        return bare(options.authorize)
    return known_token(prepared.token_prefix) or first_token(prepared.token_prefix)


def _token(previous: Deployed | None, prepared: Prepared) -> Token:
    options = prepared.options
    return resolve_token(
        previous,
        prepared.token_prefix,
        user(),
        authorize=options.authorize,
        generate=options.generate_new_token,
        given=options.given_token,
    )


def _check_deployable(prepared: Prepared, target: Target) -> None:
    _check_target(prepared, target)
    if target.embedded:
        support.check_local(prepared.flow)
    if prepared.options.events == BINDING and events(prepared.flow) is not None:
        raise OptionError(
            "Argo's server has no call that creates a workflow event binding: "
            "write the objects with --only-yaml and deploy them with kubectl apply, or deploy a sensor."
        )


def _check_target(prepared: Prepared, target: Target) -> None:
    flow = prepared.flow
    if flow.datastore == "local" and not target.embedded:
        raise ConfigurationError(
            f"The pods of {target} cannot see this machine's files: "
            f"deploy with --datastore={', '.join(SHARED[:-1])} or {SHARED[-1]}, "
            "or unset ARGO_SERVER to run on the embedded Argo."
        )
    support.check_place(flow, target.namespace)
    needs_sensor = prepared.options.events != BINDING and events(flow) is not None
    if needs_sensor and _events_place(target) is None:
        raise ConfigurationError(
            "The flow is started by events, but nothing says where they come from: "
            "set METAFLOW_ARGO_EVENTS_EVENT, METAFLOW_ARGO_EVENTS_EVENT_SOURCE "
            "and METAFLOW_ARGO_EVENTS_SERVICE_ACCOUNT to what Argo Events has in the cluster, "
            "or write an export with --events workflow-event-binding."
        )


def _sensor(prepared: Prepared, target: Target) -> tuple[str, str] | None:
    """The name and the namespace of the sensor that a flow has at a target."""
    place = _events_place(target)
    if place is None or events(prepared.flow) is None:
        return None
    return sensor_name(prepared.name), place.namespace


def _translated(
    prepared: Prepared,
    token: str,
    target: Target,
    promoted: Promotion | None = None,
    package: CodePackage | None = None,
) -> Translation:
    """The objects that deploy a flow; its code package is stored, unless one is given that is not."""
    flow, options = prepared.flow, prepared.options
    settings = Settings(
        name=prepared.name,
        kubernetes_namespace=target.namespace,
        token=token,
        owner=user(),
        package=promoted.package if promoted else package or prepared.packing.saved,
        project=promoted.project if promoted else None,
        environment=config.pod_environment(flow, token, same_machine=target.embedded),
        # The embedded Argo serves all of a user's environments: a pod runs in the one that deployed it.
        python=sys.executable if target.embedded else None,
        choices=options,
        events=_events_place(target),
        instance=target.instance,
    )
    return translate(flow, settings)


def _events_place(target: Target) -> EventsPlace | None:
    if target.embedded:  # which accepts any event as one of any source
        return EventsPlace("default", "argo-events-webhook", "metaflow-event", "", target.namespace)
    found = config.events_config()
    if not (found.source and found.event and found.service_account):
        return None
    namespace = found.sensor_namespace or target.namespace
    return EventsPlace(found.bus, found.source, found.event, found.service_account, namespace)
