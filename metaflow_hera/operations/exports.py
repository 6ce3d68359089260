"""Deploying an export: objects that `create --only-yaml` or `--only-json` wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from metaflow_hera.argo.client import ArgoClient, with_retries
from metaflow_hera.argo.deployments import Deployed, check_same_flow, described, noted_version
from metaflow_hera.argo.objects import template_of
from metaflow_hera.argo.tokens import check_access
from metaflow_hera.contract.manifest import DEPLOYMENT_TIMESTAMP, VERSION, VERSION_ID, sensor_name
from metaflow_hera.contract.objects import BINDING, CRON, JSON, SENSOR, TEMPLATE
from metaflow_hera.errors import UsageError
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.operations.plan import plan_deployment, sensor_of
from metaflow_hera.operations.present import deployed_in, read_living
from metaflow_hera.operations.releasing import deploy, now, prefix_of


def create_from(
    objects: Sequence[JSON],
    client: ArgoClient,
    authorize: str | None,
    note: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Deploy what an export holds, if this user may deploy that flow.

    `note` is told in sentences what went wrong once that was done.

    Raises UsageError for objects that are not those of one deployment, or not this user's to deploy.
    """
    about = exported_deployment(objects)
    namespace = client.target.namespace
    for item in objects:
        _check_belongs(item, about.name, namespace)
    completed = [_completed(item, namespace) for item in objects]
    for unnoted in with_retries(lambda: _create(completed, about, client, authorize)):
        note(unnoted)
    return about


def exported_deployment(objects: Sequence[JSON]) -> Deployed:
    """The deployment that an export is of. Raises UsageError for objects that are not those of one."""
    return described(_only_template(objects))


def _completed(item: JSON, namespace: str) -> JSON:
    """An object with what an export leaves open: its namespace and the time of the deployment."""
    metadata = {"namespace": namespace, **item["metadata"]}
    if item["kind"] == TEMPLATE:
        metadata["annotations"] = {DEPLOYMENT_TIMESTAMP: now(), **metadata["annotations"]}
    return {**item, "metadata": metadata}


def _create(
    objects: Sequence[JSON], about: Deployed, client: ArgoClient, authorize: str | None
) -> Sequence[str]:
    """Deploy them as the server is now; returns what to say about it.

    Raises ArgoConflict if somebody else deploys it at this moment.
    """
    present = read_living(client, about.name, sensor_of(objects))
    client.check_version()
    prefix = prefix_of(about)
    previous = deployed_in(present)
    if previous is not None:
        check_same_flow(previous, about.flow, about.project, about.branch)
        check_access(previous, prefix, user(), authorize)
        if previous.token != about.token:
            raise UsageError(
                f"The export has the token {about.token}, but the deployment {about.name} has another one: "
                "its runs would go to another namespace. Write the export with --real-token."
            )
    plan = plan_deployment(present, [_after(item, present.template) for item in objects])
    _, unnoted = deploy(client, plan, about.flow, prefix, about.token)
    return unnoted


def _after(item: JSON, before: JSON | None) -> JSON:
    """An object that names the version before, if it is the template: so the history goes on from there."""
    noted = None if before is None else noted_version(before)
    if item["kind"] != TEMPLATE or noted is None:
        return item
    notes = {VERSION: str(noted.number), VERSION_ID: noted.id}
    return {
        **item,
        "metadata": {**item["metadata"], "annotations": {**item["metadata"]["annotations"], **notes}},
    }


def _only_template(objects: Sequence[JSON]) -> JSON:
    templates = [item for item in objects if item["kind"] == TEMPLATE]
    if len(templates) != 1:
        raise UsageError(
            f"An export holds one workflow template, but this one holds {len(templates)}: "
            "name a file or a folder with one deployment."
        )
    return templates[0]


def _check_belongs(item: JSON, name: str, namespace: str) -> None:
    kind, metadata = item["kind"], item["metadata"]
    if kind == BINDING:
        raise UsageError(
            "Argo's server has no call that creates a workflow event binding: "
            "deploy the file with kubectl apply."
        )
    is_own = {
        TEMPLATE: metadata["name"] == name,
        CRON: metadata["name"].startswith(name) and template_of(item) == name,
        SENSOR: metadata["name"] == sensor_name(name),
    }
    if not is_own[kind]:
        raise UsageError(
            f"The {kind} {metadata['name']} does not belong to the deployment {name}: deploy it separately."
        )
    if metadata.get("namespace", namespace) != namespace and kind != SENSOR:
        raise UsageError(
            f"{metadata['name']} is for the namespace {metadata['namespace']}: "
            f"deploy it with ARGO_NAMESPACE={metadata['namespace']}."
        )
