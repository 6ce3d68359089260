"""Deployed flows: a workflow template each, and the objects that go with it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import yaml

from metaflow_hera.argo.client import JSON, ArgoClient, with_retries
from metaflow_hera.contract.values import TAGS_PARAMETER, USER_KEYS_NOTE, sensor_name
from metaflow_hera.errors import ArgoError, ArgoNotFound, NameTakenError

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
    """The deployment of a name, or None. Raises NameTakenError if something else has that name."""
    try:
        template = client.template(name)
    except ArgoNotFound:
        return None
    return described(template)


def check_same_flow(
    found: Deployed, flow: str, project: str | None = None, branch: str | None = None
) -> None:
    """Raise NameTakenError if a deployment is not that of a flow (of a project's branch).

    Names that differ only in case or underscores make the same name of a deployment.
    """
    if (found.flow, found.project, found.branch) == (flow, project, branch):
        return
    theirs, ours = _flow_in_words(found.flow, found.project), _flow_in_words(flow, project)
    if theirs == ours:
        theirs, ours = f"the branch {found.branch} of {theirs}", f"the branch {branch}"
    other = "name another deployment with --name" if project is None else "rename the flow or its project"
    raise NameTakenError(
        f"The deployment {found.name} is that of {theirs}, not of {ours}: {other}, or delete that one first "
        f"with mfhera delete --name {found.name}."
    )


def _flow_in_words(flow: str, project: str | None) -> str:
    return flow if project is None else f"{flow} in the project {project}"


def deployed(client: ArgoClient) -> Iterator[Deployed]:
    """All deployments at a server."""
    schedules: dict[str, list[str]] = {}
    for cron in client.crons(SELECTOR):
        schedules.setdefault(template_of(cron), []).extend(cron["spec"].get("schedules") or ())
    for template in client.templates(SELECTOR):
        if "metaflow/owner" in (template["metadata"].get("annotations") or {}):
            yield described(template, schedules.get(template["metadata"]["name"], ()))


def crons_of(client: ArgoClient, name: str) -> list[JSON]:
    """The cron workflows of a deployment, of this version or an older one."""
    found = {cron["metadata"]["name"]: cron for cron in client.crons(SELECTOR) if template_of(cron) == name}
    if name not in found:
        with contextlib.suppress(ArgoNotFound):  # that of Metaflow's own plugin has no labels
            found[name] = client.cron(name)
    return [cron for cron in found.values() if template_of(cron) == name]


def apply(client: ArgoClient, objects: Sequence[JSON]) -> None:
    """Deploy a template and what starts runs of it, in place of an older version if there is one.

    What an older version had and this one has not goes. When something is refused and the template was
    new, all of it is taken away again. Raises NameTakenError if another tool has deployed something of that
    name.
    """
    template = next(item for item in objects if item["kind"] == "WorkflowTemplate")
    name = template["metadata"]["name"]
    existed = find(client, name)
    _check_owners(client, objects, name)
    old_sensor = _sensor_of(client, name)
    with_retries(lambda: _put(template, client.template, client.create_template, client.update_template))
    try:
        for item in objects:
            if item["kind"] == "CronWorkflow":
                with_retries(partial(_put_cron, client, item))
            elif item["kind"] == "Sensor":
                with_retries(partial(_put_sensor, client, item))
    except ArgoError:
        if existed is None:
            delete(client, name)
        raise
    wanted = {(item["kind"], item["metadata"]["name"]) for item in objects}
    for cron in crons_of(client, name):
        if ("CronWorkflow", cron["metadata"]["name"]) not in wanted:
            _delete(client.delete_cron, cron["metadata"]["name"])
    places = [
        (item["metadata"]["name"], item["metadata"]["namespace"])
        for item in objects
        if item["kind"] == "Sensor"
    ]
    if old_sensor is not None and old_sensor not in places:
        _delete_sensor(client, *old_sensor)


def delete(client: ArgoClient, name: str) -> Sequence[str]:
    """Remove a deployment; its runs stay. Returns what was removed, nothing if there was nothing.

    Raises NameTakenError if something else has that name.
    """
    if find(client, name) is None:
        return []
    # What starts runs goes first, so that nothing starts from a template that is going.
    removed = []
    for cron in crons_of(client, name):
        if _delete(client.delete_cron, cron["metadata"]["name"]):
            removed.append(f"cron workflow {cron['metadata']['name']}")
    told = _sensor_of(client, name)
    # One of an older version may be left of which the template does not tell.
    for place in dict.fromkeys([*([told] if told else []), (sensor_name(name), client.target.namespace)]):
        try:
            if name in templates_of(client.sensor(*place)) and _delete_sensor(client, *place):
                removed.append(f"sensor {place[0]}")
        except ArgoError as error:
            if place == told and not isinstance(error, ArgoNotFound):
                raise  # else the cluster may well have no sensors, or not for this user
    if _delete(client.delete_template, name):
        removed.append(f"workflow template {name}")
    return removed


def template_of(cron: JSON) -> str:
    """The name of the template that a cron workflow starts workflows of."""
    return str(((cron["spec"].get("workflowSpec") or {}).get("workflowTemplateRef") or {}).get("name"))


def _sensor_of(client: ArgoClient, name: str) -> tuple[str, str] | None:
    """The name and the namespace of the sensor that the deployed version has, as its template says."""
    try:
        notes = client.template(name)["metadata"].get("annotations") or {}
    except ArgoNotFound:
        return None
    if "metaflow/sensor_name" not in notes:
        return None
    return notes["metaflow/sensor_name"], notes.get("metaflow/sensor_namespace", client.target.namespace)


def _delete_sensor(client: ArgoClient, name: str, namespace: str) -> bool:
    return _delete(lambda each: client.delete_sensor(each, namespace), name)


def _put_cron(client: ArgoClient, cron: JSON) -> JSON:
    """Create a cron workflow, or replace it; one that somebody has suspended stays so."""

    def present(name: str) -> JSON:
        found = client.cron(name)
        cron["spec"].pop("suspend", None)
        if found["spec"].get("suspend"):
            cron["spec"]["suspend"] = True
        return found

    return _put(cron, present, client.create_cron, client.update_cron)


def _put_sensor(client: ArgoClient, sensor: JSON) -> JSON:
    namespace = sensor["metadata"]["namespace"]
    return _put(
        sensor, lambda name: client.sensor(name, namespace), client.create_sensor, client.update_sensor
    )


def _check_owners(client: ArgoClient, objects: Sequence[JSON], deployment: str) -> None:
    """Raise NameTakenError if something that starts another template has the name of one of the objects."""
    for item in objects:
        name = item["metadata"]["name"]
        try:
            if item["kind"] == "CronWorkflow":
                started = [template_of(client.cron(name))]
            elif item["kind"] == "Sensor":
                started = templates_of(client.sensor(name, item["metadata"]["namespace"]))
            else:
                continue
        except ArgoNotFound:
            continue
        if deployment not in started:
            raise NameTakenError(
                f"There is a {item['kind']} {name} already, which starts {', '.join(started) or 'others'}: "
                "give the flow another name with --name, or delete that first."
            )


def templates_of(sensor: JSON) -> list[str]:
    """The names of the templates that a sensor starts workflows of."""
    found = []
    for trigger in sensor["spec"].get("triggers") or ():
        template = trigger.get("template") or {}
        source = (template.get("k8s") or template.get("argoWorkflow") or {}).get("source") or {}
        try:
            workflow = source.get("resource") or yaml.safe_load(source.get("inline") or "")
            found.append(str(workflow["spec"]["workflowTemplateRef"]["name"]))
        except (yaml.YAMLError, TypeError, KeyError):
            continue  # somebody else's, who starts something else
    return found


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
    own = ((present.get("annotations") or {}).get(USER_KEYS_NOTE) or "").split(",")
    for key in ("labels", "annotations"):
        there = (present.get(key) or {}).items()
        others = {k: v for k, v in there if not k.startswith(OURS) and k not in own}
        metadata[key] = {**others, **metadata.get(key, {})}
    return update({**wanted, "metadata": metadata})


def described(template: JSON, schedules: Sequence[str] = ()) -> Deployed:
    """What a template tells of its deployment. Raises NameTakenError if it is not that of a flow."""
    metadata = template["metadata"]
    notes = metadata.get("annotations") or {}
    if "metaflow/owner" not in notes or "metaflow/flow_name" not in notes:
        raise NameTakenError(
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
