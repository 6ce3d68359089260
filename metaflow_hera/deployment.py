"""Deploying a flow: load it, pack it, translate it, hand it to Argo."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from metaflow_hera.argo import deployments, last
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.argo.tokens import Token, resolve_token
from metaflow_hera.embedded.local import home_folder, make_home
from metaflow_hera.errors import ConfigurationError, UsageError
from metaflow_hera.metaflow_api import config
from metaflow_hera.metaflow_api.flows import LoadedFlow
from metaflow_hera.metaflow_api.packages import save_package
from metaflow_hera.metaflow_api.tags import check_tags
from metaflow_hera.metaflow_api.tokens import known_token, remember_token
from metaflow_hera.metaflow_api.users import user
from metaflow_hera.translation import parameters, support
from metaflow_hera.translation.names import deployment_name, token_prefix
from metaflow_hera.translation.settings import Settings
from metaflow_hera.translation.template import Translation, translate


@dataclass(frozen=True)
class CreateOptions:
    """What `create` can be told beside Metaflow's own options; see `options.CREATE`. Times are in seconds.

    Raises UsageError for values that cannot be meant.
    """

    name: str | None = None
    max_workers: int = 100
    tags: Sequence[str] = ()
    user_namespace: str | None = None
    workflow_timeout: int | None = None
    workflow_priority: int | None = None
    workflow_title: str | None = None
    workflow_description: str | None = None
    authorize: str | None = None
    generate_new_token: bool = False
    given_token: str | None = None

    def __post_init__(self) -> None:
        if self.generate_new_token and self.given_token:
            raise UsageError("--generate-new-token and --new-token do not go together: choose one.")
        for option, value in (
            ("--max-workers", self.max_workers),
            ("--workflow-timeout", self.workflow_timeout),
        ):
            if value is not None and value < 1:
                raise UsageError(f"{option} {value} is not possible: give 1 or more.")


@dataclass(frozen=True)
class Created:
    """What `create` made. `token_is_new` says that this version begins a new production namespace."""

    flow: str
    name: str
    token: str
    token_is_new: bool
    objects: Translation


@dataclass(frozen=True)
class Prepared:
    """A flow that is loaded and found fit to deploy. `token_prefix` is what its tokens begin with."""

    flow: LoadedFlow
    name: str
    token_prefix: str
    options: CreateOptions


def prepare(flow: LoadedFlow, options: CreateOptions) -> Prepared:
    """Check of a flow all that can be checked without a server.

    Raises UsageError or one of its kinds; nothing is changed anywhere.
    """
    support.check(flow)
    parameters.check(flow.parameters)
    check_tags(options.tags)
    project = flow.project
    if options.given_token is not None:
        support.check_token(flow, options.given_token)
    name = name_of(flow, options.name)
    prefix = token_prefix(flow.name, name, project.get("project_name"), project.get("branch_name"))
    return Prepared(flow, name, prefix, options)


def create(prepared: Prepared, client: ArgoClient) -> Created:
    """Deploy a flow at a server, and note it as the last one deployed from this folder."""
    _check_target(prepared.flow, client.target)
    if client.target.embedded:
        support.check_local(prepared.flow)
    previous = deployments.find(client, prepared.name)
    token = _token(previous, prepared)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    objects = _translated(prepared, token.value, client.target, deployed_at=now)
    # What is kept on this machine goes first: a folder that cannot be written leaves nothing half done.
    remember_token(prepared.token_prefix, token.value)
    make_home(home_folder())
    deployments.apply(client, objects.template.to_dict(), objects.cron.to_dict() if objects.cron else None)
    flow = prepared.flow.name
    last.remember(last.noted(prepared.name, flow, client.target))
    return Created(flow, prepared.name, token.value, token.is_new, objects)


def export(prepared: Prepared, target: Target | None) -> Created:
    """What `create` would deploy at a target (None: the embedded Argo), without asking any server."""
    target = target or Target(host="", namespace=os.environ.get("ARGO_NAMESPACE", "default"), embedded=True)
    _check_target(prepared.flow, target)
    known = known_token(prepared.token_prefix)
    token = Token(known, is_new=False) if known else _token(None, prepared)
    objects = _translated(prepared, token.value, target, deployed_at=None)
    return Created(prepared.flow.name, prepared.name, token.value, token.is_new, objects)


def remove(client: ArgoClient, name: str, authorize: str | None) -> Sequence[str]:
    """Delete a deployment and return what was deleted.

    Raises UsageError if there is none, or if it is not this user's to delete.
    """
    found = deployments.find(client, name)
    if found is None:
        raise UsageError(f"There is no deployment {name}: mfhera list shows those there are.")
    prefix = token_prefix(found.flow, name, found.project, found.branch)
    resolve_token(found, prefix, user(), authorize=authorize)
    return deployments.delete(client, name)


def name_of(flow: LoadedFlow, name: str | None) -> str:
    """The name of a flow's deployment; `name` is the one of `--name`."""
    project = flow.project
    return deployment_name(flow.name, name, project.get("project_name"), project.get("branch_name"))


def _token(previous: deployments.Deployed | None, prepared: Prepared) -> Token:
    options = prepared.options
    return resolve_token(
        previous,
        prepared.token_prefix,
        user(),
        authorize=options.authorize,
        generate=options.generate_new_token,
        given=options.given_token,
    )


def _check_target(flow: LoadedFlow, target: Target) -> None:
    if flow.datastore == "local" and not target.embedded:
        raise ConfigurationError(
            f"The pods of {target} cannot see this machine's files: deploy with --datastore=s3, or unset "
            "ARGO_SERVER to run on the embedded Argo."
        )
    support.check_place(flow, target.namespace)


def _translated(prepared: Prepared, token: str, target: Target, deployed_at: str | None) -> Translation:
    flow, options = prepared.flow, prepared.options
    settings = Settings(
        name=prepared.name,
        kubernetes_namespace=target.namespace,
        token=token,
        owner=user(),
        package=save_package(flow),
        environment=config.pod_environment(flow, token, same_machine=target.embedded),
        # The embedded Argo serves all of a user's environments: a pod runs in the one that deployed it.
        python=sys.executable if target.embedded else None,
        max_workers=options.max_workers,
        tags=options.tags,
        namespace=options.user_namespace,
        workflow_timeout=options.workflow_timeout,
        workflow_priority=options.workflow_priority,
        title=options.workflow_title,
        description=options.workflow_description,
        deployed_at=deployed_at,
    )
    return translate(flow, settings)
