"""Deployed flows, as their workflow templates and cron workflows describe them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.objects import arguments_of, is_cron_of, template_of
from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import JSON, NOT_JSON
from metaflow_hera.errors import ArgoNotFound, NameTakenError, NotFoundError


@dataclass(frozen=True)
class Deployed:
    """A deployed flow, as its template describes it.

    `parameters` maps the name of each Parameter to what create noted about it (see
    translation.parameters.annotation); `takes_tags` says that a run can be given tags of its own,
    `takes_scheduled_time` that its pods read the time that it was scheduled for; `project` and `branch` are
    those of @project; `schedules` are Argo's cron expressions. `is_readable` is false where somebody else has
    written the annotation with the Parameters: such a deployment starts no run.
    """

    name: str
    flow: str
    owner: str
    token: str
    deployed_at: str | None
    parameters: Mapping[str, Mapping[str, Any]]
    takes_tags: bool = False
    takes_scheduled_time: bool = False
    project: str | None = None
    branch: str | None = None
    schedules: Sequence[str] = ()
    is_readable: bool = True

    def is_file(self, parameter: str) -> bool:
        """Whether a Parameter is an IncludeFile."""
        return self.parameters.get(parameter, {}).get("type") == "FilePath"


def find(client: ArgoClient, name: str) -> Deployed | None:
    """The deployment with a name, or None. Raises NameTakenError if something else has that name."""
    try:
        template = client.template(name)
    except ArgoNotFound:
        return None
    return described(template)


def existing(client: ArgoClient, name: str) -> Deployed:
    """The deployment with a name. Raises NotFoundError if there is none, NameTakenError as `find` does."""
    found = find(client, name)
    if found is None:
        raise absent(name)
    return found


def absent(name: str) -> NotFoundError:
    """The error that says that there is no deployment with a name."""
    return NotFoundError(
        f"There is no deployment {name}: mfhera list shows all deployments, mfhera create deploys a flow."
    )


def check_same_flow(
    found: Deployed, flow: str, project: str | None = None, branch: str | None = None
) -> None:
    """Raise NameTakenError if a deployment is not that of a flow (or of its project's branch).

    Names of flows that differ only in case or underscores give the same name of a deployment.
    """
    if (found.flow, found.project, found.branch) == (flow, project, branch):
        return
    theirs, ours = _flow_in_words(found.flow, found.project), _flow_in_words(flow, project)
    if theirs == ours:
        theirs, ours = f"the branch {found.branch} of {theirs}", f"the branch {branch}"
    other = "name another deployment with --name" if project is None else "rename the flow or its project"
    raise NameTakenError(
        f"The deployment {found.name} belongs to {theirs}, not to {ours}: {other}, "
        f"or delete that deployment first with mfhera delete --name {found.name}."
    )


def _flow_in_words(flow: str, project: str | None) -> str:
    return flow if project is None else f"{flow} in the project {project}"


def deployed(client: ArgoClient, crons: Iterable[JSON] | None = None) -> Iterator[Deployed]:
    """All deployments at a server; `crons` are its cron workflows, if they are known already."""
    schedules: dict[str, list[str]] = {}
    for cron in client.crons(manifest.SELECTOR) if crons is None else crons:
        schedules.setdefault(template_of(cron), []).extend(cron["spec"].get("schedules") or ())
    for template in client.templates(manifest.SELECTOR):
        if manifest.OWNER in (template["metadata"].get("annotations") or {}):
            yield described(template, schedules.get(template["metadata"]["name"], ()))


def crons_of(client: ArgoClient, name: str) -> list[JSON]:
    """The cron workflows of a deployment, of this version or an older one."""
    return [cron for cron in client.crons() if is_cron_of(cron, name)]


def described(template: JSON, schedules: Sequence[str] = ()) -> Deployed:
    """The deployment that a template describes. Raises NameTakenError if it is not that of a flow."""
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    if manifest.OWNER not in notes or manifest.FLOW_NAME not in notes:
        raise NameTakenError(
            f"The workflow template {metadata['name']} was not deployed from a flow: "
            "give the flow another name with --name, or delete that template."
        )
    declared = _parameters(notes.get(manifest.PARAMETERS, "{}"))
    arguments = arguments_of(template.get("spec") or {})
    return Deployed(
        name=metadata["name"],
        flow=notes[manifest.FLOW_NAME],
        owner=notes[manifest.OWNER],
        token=notes.get(manifest.PRODUCTION_TOKEN, ""),
        deployed_at=notes.get(manifest.DEPLOYMENT_TIMESTAMP),
        parameters=declared or {},
        takes_tags=manifest.TAGS_PARAMETER in arguments,
        takes_scheduled_time=manifest.SCHEDULED_TIME_PARAMETER in arguments,
        project=notes.get(manifest.PROJECT_NAME),
        branch=notes.get(manifest.BRANCH_NAME),
        schedules=schedules,
        is_readable=declared is not None,
    )


def _parameters(note: str) -> dict[str, dict[str, Any]] | None:
    """What create noted about the Parameters; None if that is not what it writes."""
    try:
        found = json.loads(note)
    except NOT_JSON:
        return None
    if not isinstance(found, dict):
        return None
    if not all(isinstance(about, dict) and isinstance(about.get("type"), str) for about in found.values()):
        return None
    return found
