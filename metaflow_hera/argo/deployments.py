"""Deployed flows: a workflow template each, and the objects that go with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.argo.client import JSON, ArgoClient, with_retries
from metaflow_hera.errors import ArgoError, ArgoNotFound, UsageError
from metaflow_hera.graph.values import TAGS_PARAMETER

SELECTOR = "app.kubernetes.io/part-of=metaflow"
OURS = ("metaflow/", "workflows.argoproj.io/title", "workflows.argoproj.io/description")
"""Annotations and labels that a deployment owns: those of an older version do not stay."""


@dataclass(frozen=True)
class Deployed:
    """A deployed flow, as its template tells.

    `parameters` maps the name of each Parameter to what create noted of it (see
    translation.parameters.annotation); `takes_tags` says that a run can be given tags of its own; `project`
    and `branch` are those of @project; `schedules` are Argo's cron expressions.
    """

    name: str
    flow: str
    owner: str
    token: str
    deployed_at: str | None
    parameters: Mapping[str, Mapping[str, Any]]
    takes_tags: bool = False
    project: str | None = None
    branch: str | None = None
    schedules: Sequence[str] = ()

    def is_file(self, parameter: str) -> bool:
        """Whether a Parameter is an IncludeFile."""
        return self.parameters.get(parameter, {}).get("type") == "FilePath"


def find(client: ArgoClient, name: str) -> Deployed | None:
    """The deployment of a name, or None. Raises UsageError if something else has that name."""
    try:
        template = client.template(name)
    except ArgoNotFound:
        return None
    return _deployed(template)


def deployed(client: ArgoClient) -> Iterator[Deployed]:
    """All deployments at a server."""
    schedules = {
        cron["metadata"]["name"]: list(cron["spec"].get("schedules") or ()) for cron in client.crons(SELECTOR)
    }
    for template in client.templates(SELECTOR):
        if "metaflow/owner" in (template["metadata"].get("annotations") or {}):
            yield _deployed(template, schedules.get(template["metadata"]["name"], ()))


def apply(client: ArgoClient, template: JSON, cron: JSON | None) -> None:
    """Deploy a template and its cron workflow, in place of an older version if there is one.

    When the cron workflow is refused and the template was new, the template is taken away again. Raises
    UsageError if another tool has deployed something of that name.
    """
    name = template["metadata"]["name"]
    existed = find(client, name) is not None
    with_retries(lambda: _put(template, client.template, client.create_template, client.update_template))
    try:
        if cron is None:
            _delete_own_cron(client, name)
        else:
            with_retries(lambda: _put(cron, client.cron, client.create_cron, client.update_cron))
    except ArgoError:
        if not existed:
            _delete(client.delete_template, name)
        raise


def delete(client: ArgoClient, name: str) -> Sequence[str]:
    """Remove a deployment; its runs stay. Returns what was removed, nothing if there was nothing.

    Raises UsageError if something else has that name.
    """
    if find(client, name) is None:
        return []
    # What starts runs goes first, so that nothing starts from a template that is going.
    removed = ["cron workflow"] if _delete_own_cron(client, name) else []
    return [*removed, *(["workflow template"] if _delete(client.delete_template, name) else [])]


def _delete_own_cron(client: ArgoClient, name: str) -> bool:
    try:
        labels = client.cron(name)["metadata"].get("labels") or {}
    except ArgoNotFound:
        return False
    return labels.get("app.kubernetes.io/part-of") == "metaflow" and _delete(client.delete_cron, name)


def _delete(call: Callable[[str], None], name: str) -> bool:
    try:
        call(name)
    except ArgoNotFound:
        return False
    return True


def _put(
    wanted: JSON, get: Callable[[str], JSON], create: Callable[[JSON], JSON], update: Callable[[JSON], JSON]
) -> JSON:
    """Create an object, or replace it while keeping the labels and annotations that others gave it."""
    try:
        present = get(wanted["metadata"]["name"])["metadata"]
    except ArgoNotFound:
        return create(wanted)
    metadata = {
        **wanted["metadata"],
        **{key: present[key] for key in ("resourceVersion", "uid") if key in present},
    }
    for key in ("labels", "annotations"):
        others = {k: v for k, v in (present.get(key) or {}).items() if not k.startswith(OURS)}
        metadata[key] = {**others, **metadata.get(key, {})}
    return update({**wanted, "metadata": metadata})


def _deployed(template: JSON, schedules: Sequence[str] = ()) -> Deployed:
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    if "metaflow/owner" not in notes or "metaflow/flow_name" not in notes:
        raise UsageError(
            f"The workflow template {metadata['name']} was not deployed from a flow: give the flow another "
            "name with --name, or delete that template."
        )
    return Deployed(
        name=metadata["name"],
        flow=notes["metaflow/flow_name"],
        owner=notes["metaflow/owner"],
        token=notes.get("metaflow/production_token", ""),
        deployed_at=notes.get("metaflow/deployment_timestamp"),
        parameters=json.loads(notes.get("metaflow/parameters", "{}")),
        takes_tags=any(
            parameter.get("name") == TAGS_PARAMETER
            for parameter in ((template.get("spec") or {}).get("arguments") or {}).get("parameters") or ()
        ),
        project=notes.get("metaflow/project_name"),
        branch=notes.get("metaflow/branch_name"),
        schedules=schedules,
    )
