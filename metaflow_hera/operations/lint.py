"""Checking a flow without a cluster: what `create` refuses, and what Argo's own validation refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.argo.versions import check_version, numbers
from metaflow_hera.contract.objects import CRON, JSON, SENSOR, TEMPLATE
from metaflow_hera.embedded.rules.validation import Invalid, check_workflow_rules
from metaflow_hera.errors import ArgoEventsMissing, ArgoNotFound, ManifestError, OptionError
from metaflow_hera.metaflow_api.load.datastores import far_notes
from metaflow_hera.operations import old_argo
from metaflow_hera.operations.deployment import Prepared, export
from metaflow_hera.translation.names import LONGEST_NAME
from metaflow_hera.translation.writing import as_json

CRON_NAME_LIMIT = 52
"""Argo's limit for the name of a cron workflow, to whose workflows it appends a time."""


@dataclass(frozen=True)
class Linted:
    """What was checked, the warnings for what is valid all the same, and the objects of the deployment."""

    checked: Sequence[str]
    warnings: Sequence[str]
    objects: Sequence[str]


def lint(
    prepared: Prepared, target: Target | None, client: ArgoClient | None, version: str | None = None
) -> Linted:
    """Check a flow for a target (None: the embedded Argo), and let the server of a client check it as well.

    `version` is that of an Argo that it is to go to, by default the server's. Raises UsageError or one of its
    kinds for what is wrong with it, ArgoError for what Argo says, ArgoTooOld for a version that is.
    """
    if version is not None and numbers(version) is None:
        raise OptionError(f"--argo-version {version} is not a version of Argo: give one such as 3.6.19.")
    made = export(prepared, target)
    objects = [as_json(item) for item in made.objects.objects]
    for item in objects:
        _check(item)
    checked = ["graph, decorators and parameters", "names and sizes", "references by Argo's rules"]
    if made.objects.crons:
        checked.append("schedules")
    if made.objects.sensor or made.objects.bindings:
        checked.append("events")
    if client is not None:
        _ask(objects, client)
        checked.append(f"{client.target}")
        version = version or client.version()
    warnings = list(made.objects.warnings())
    if version is not None:
        check_version(version)
        checked.append(f"Argo {version}")
        warnings += old_argo.limits(version, objects)
    if prepared.flow.datastore == "local" and target is None:
        warnings.append(
            "Its data is on this machine: deploy it to a cluster with --datastore=s3, azure or gs."
        )
    if target is not None:
        warnings += far_notes(prepared.flow)
    return Linted(checked, warnings, [f"the {item['kind']} {item['metadata']['name']}" for item in objects])


def _check(item: JSON) -> None:
    kind, name = item["kind"], item["metadata"]["name"]
    limit = CRON_NAME_LIMIT if kind == CRON else LONGEST_NAME + len("-000000")
    if len(name) > limit:
        raise ManifestError(
            f"The name of the {kind} {name} has {len(name)} characters, but Argo allows only {limit}."
        )
    if kind == TEMPLATE:
        try:
            check_workflow_rules(item)
        except Invalid as error:
            raise ManifestError(
                f"Argo would refuse the workflow template {name}: {error.message}."
            ) from error


def _ask(objects: Sequence[JSON], client: ArgoClient) -> None:
    for item in objects:
        if item["kind"] == TEMPLATE:
            client.lint_template(item)
        elif item["kind"] == SENSOR:  # which it cannot lint, and can only have where Argo Events is installed
            try:
                client.sensor(item["metadata"]["name"], item["metadata"]["namespace"])
            except ArgoEventsMissing:
                raise
            except ArgoNotFound:
                pass
