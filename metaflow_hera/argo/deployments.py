"""Deployed flows, as their workflow templates and cron workflows describe them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.objects import (
    arguments_of,
    containers_of,
    is_cron_of,
    sensor_place,
    template_of,
    variables_of,
)
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.objects import JSON, NOT_JSON
from metaflow_hera.errors import ArgoNotFound, NameTakenError, NotFoundError


class VersionKey(NamedTuple):
    """A version of a deployment: its number, and the id that no other one has."""

    number: int
    id: str


@dataclass(frozen=True)
class Deployed:
    """A deployed flow, as its template describes it.

    `parameters` maps the name of each Parameter to what create noted about it (see
    translation.parameters.annotation); `takes_tags` says that a run can be given tags of its own,
    `takes_scheduled_time` that its pods read the time that it was scheduled for; `project` and `branch` are
    those of @project; `schedules` are Argo's cron expressions. `is_readable` is false where somebody else has
    written the annotation with the Parameters: such a deployment starts no run. `version` is the number of
    the live version, None if `create` did not deploy it; `unfinished` says in a sentence that it was deployed
    in part.
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
    version: int | None = None
    unfinished: str | None = None

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
    started: dict[str, list[JSON]] = {}
    # Without a selector: those of Metaflow's own plugin have no labels.
    for cron in client.crons() if crons is None else crons:
        if is_cron_of(cron, template_of(cron)):
            started.setdefault(template_of(cron), []).append(cron)
    for template in client.templates(manifest.SELECTOR):
        if manifest.OWNER in (template["metadata"].get("annotations") or {}):
            yield described(template, started.get(template["metadata"]["name"], ()))


def crons_of(client: ArgoClient, name: str) -> list[JSON]:
    """The cron workflows of a deployment, of this version or an older one."""
    return [cron for cron in client.crons() if is_cron_of(cron, name)]


def version_of(item: JSON) -> VersionKey | None:
    """The version that an object of a deployment is of; None if `create` did not deploy it.

    What `kubectl apply` writes, and `create --from`, keeps the annotations of the version before, and not its
    pods.
    """
    noted = noted_version(item)
    if noted is None:
        return None
    pods = [variables for each in containers_of(item) if (variables := variables_of(each))]
    is_deployed_so = all(variables.get(environment.VERSION) == str(noted.number) for variables in pods)
    return noted if is_deployed_so else None


def noted_version(item: JSON) -> VersionKey | None:
    """The version that an object is of, or, if it is of none, the last one before it."""
    notes = item["metadata"].get("annotations") or {}
    number, identity = notes.get(manifest.VERSION, ""), notes.get(manifest.VERSION_ID, "")
    if not (identity and number.isascii() and number.isdigit()):
        return None
    return VersionKey(int(number), identity)


def unfinished(template: JSON, crons: Sequence[JSON], sensors: Sequence[JSON] | None = None) -> str | None:
    """A sentence that says that a version was deployed in part, and how to complete it; None if it was not.

    `crons` and `sensors` are those of the deployment; without sensors, nothing is said of them.
    """
    live, name = version_of(template), template["metadata"]["name"]
    if live is None:
        return None
    complete = f"mfhera rollback --name {name} --to {live.number} completes it"
    for item in (*crons, *(sensors or ())):
        other = version_of(item)
        if other != live:
            before = f"versions {other.number} and" if other else "an earlier version and version"
            return f"{name} is between {before} {live.number}: {complete}."
    wanted = (template["metadata"]["annotations"].get(manifest.CRON_WORKFLOWS) or "").split(",")
    there = {item["metadata"]["name"] for item in crons}
    missing = [f"cron workflow {cron}" for cron in wanted if cron and cron not in there]
    if sensors == [] and (place := sensor_place(template, "")):
        missing.append(f"sensor {place[0]}")
    if missing:
        return f"{name} lacks the {missing[0]} of version {live.number}: {complete}."
    return None


def described(template: JSON, crons: Sequence[JSON] | None = None) -> Deployed:
    """The deployment that a template describes. Raises NameTakenError if it is not that of a flow.

    `crons` are its cron workflows, where they are known.
    """
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    if manifest.OWNER not in notes or manifest.FLOW_NAME not in notes:
        raise NameTakenError(
            f"The workflow template {metadata['name']} was not deployed from a flow: "
            "give the flow another name with --name, or delete that template."
        )
    declared = _parameters(notes.get(manifest.PARAMETERS, "{}"))
    version = version_of(template)
    own = [cron for cron in crons or () if is_cron_of(cron, metadata["name"])]
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
        schedules=[each for cron in crons or () for each in cron["spec"].get("schedules") or ()],
        is_readable=declared is not None,
        version=version.number if version else None,
        unfinished=None if crons is None else unfinished(template, own),
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
