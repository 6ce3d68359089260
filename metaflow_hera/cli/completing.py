"""Completion of what is typed into a shell: flows, runs, deployments, Parameters, steps.

A shell waits for it at each press of the tab key, so only light modules are imported here, and an error
completes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from metaflow_hera.argo.paths import TEMPLATES, WORKFLOWS, bearer, path
from metaflow_hera.contract.datastores import DATASTORES
from metaflow_hera.metaflow_api.light.scripts import is_flow

SECONDS = 1.0
"""How long a server has to answer."""
MOST = 50
"""How many runs are offered at most, the newest."""
STORED = "status.storedWorkflowTemplateSpec"
"""The field of a workflow with the template that it runs."""
KNOWN = {
    "datastore": DATASTORES,
    "decorators": (
        *("card", "catch", "conda", "environment", "kubernetes"),
        *("pypi", "resources", "retry", "secrets", "timeout"),
    ),
}
"""The values that an option of Metaflow's may have, or begin with."""


def complete_flow(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The scripts with a flow that match what is typed, and the folders that may hold more."""
    try:
        return list(_flows(incomplete))
    except OSError:
        return []


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest runs at the server, with their states."""
    from metaflow_hera.contract.manifest import run_id

    fields = ("metadata.name", "metadata.creationTimestamp", "status.phase")
    found = _listed(WORKFLOWS, fields, limit=500)
    found.sort(key=lambda item: str(item["metadata"].get("creationTimestamp")), reverse=True)
    runs = [(run_id(item["metadata"]["name"]), (item.get("status") or {}).get("phase")) for item in found]
    fitting = [(run, phase) for run, phase in runs if run.startswith(incomplete)]
    return [CompletionItem(run, help=phase) for run, phase in fitting[:MOST]]


def complete_deployment(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the deployments at the server."""
    names = sorted(item["metadata"]["name"] for item in _listed(TEMPLATES, ("metadata.name",)))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_parameter(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """NAME= for the Parameters of FLOW.py, or of the deployment that is meant; for a bool, its values."""
    name = ctx.params.get("name")
    # Click reads no arguments where the last option still lacks its value: they are left over.
    flow = ctx.params.get("flow") or next(iter(ctx.args), None)
    if flow is not None:
        from metaflow_hera.cli.flow_source import parameters_in

        types = parameters_in(Path(flow))
    else:
        types = _parameters_of(name)
    named, equals, _ = incomplete.partition("=")
    if equals:
        texts = [f"{named}={value}" for value in ("true", "false") if types.get(named) == "bool"]
    else:
        texts = [f"{each}=" for each in types]
    return [CompletionItem(text) for text in texts if text.startswith(incomplete)]


def complete_step(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The steps of the run that was typed before."""
    from metaflow_hera.argo.objects import arguments_of, stored_spec
    from metaflow_hera.contract import manifest

    workflow = str(ctx.params.get("run") or "").rpartition("/")[2].removeprefix(manifest.RUN_PREFIX)
    found = _asked(WORKFLOWS, workflow, {"fields": STORED}) if workflow else {}
    steps = {
        arguments_of(task).get(manifest.STEP)
        for template in stored_spec(found).get("templates") or ()
        for task in (template.get("dag") or {}).get("tasks") or ()
    }
    return [CompletionItem(step) for step in sorted(filter(None, steps)) if step.startswith(incomplete)]


def complete_known(option: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What completes one of Metaflow's options, by its name in the table."""
    known = KNOWN[option]
    return lambda ctx, param, incomplete: [each for each in known if each.startswith(incomplete)]


def _parameters_of(deployment: str | None) -> dict[str, str]:
    """The types of the Parameters of a deployment, by default the last one from this folder."""
    from metaflow_hera.argo.last import recall
    from metaflow_hera.contract import manifest
    from metaflow_hera.errors import MetaflowHeraError

    try:
        last = recall() if deployment is None else None
        name = last.name if last is not None else deployment
        found = _asked(TEMPLATES, name, {}) if name else {}
        noted = json.loads(found["metadata"]["annotations"][manifest.PARAMETERS])
        return {each: str(about["type"]) for each, about in noted.items()}
    except (MetaflowHeraError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _flows(incomplete: str) -> Iterator[CompletionItem]:
    folder, _, begun = incomplete.rpartition("/")
    around = Path(f"{folder}/" if "/" in incomplete else ".")
    for each in sorted(around.iterdir()):
        is_hidden = each.name.startswith(".") and not begun
        if is_hidden or not each.name.startswith(begun):
            continue
        text = f"{folder}/{each.name}" if "/" in incomplete else each.name
        if text.startswith("-"):
            text = f"./{text}"  # otherwise it would be read as an option
        if each.is_dir():
            # After a folder the shell adds no space, so that the path can go on.
            yield CompletionItem(text, type="dir")
        elif is_flow(each):
            yield CompletionItem(text, type="plain")


def _listed(kind: str, fields: tuple[str, ...], limit: int | None = None) -> list[dict[str, Any]]:
    """Some fields of this package's objects of one kind; none if the server does not answer."""
    from metaflow_hera.contract import manifest

    query = {
        "listOptions.labelSelector": manifest.SELECTOR,
        "fields": ",".join(f"items.{field}" for field in fields),
        **({"listOptions.limit": str(limit)} if limit else {}),
    }
    return list(_asked(kind, "", query).get("items") or ())


def _asked(kind: str, name: str, query: dict[str, str]) -> dict[str, Any]:
    """An object at the server, or a list of them without a name; an empty one if there is no answer."""
    # Not with requests, which takes as long to be imported as all else here.
    import http.client
    import urllib.error
    import urllib.parse
    import urllib.request

    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.errors import MetaflowHeraError

    try:
        target = resolve_target(start=False)
        place = path(kind, target.namespace, *([name] if name else []))
        request = urllib.request.Request(f"{target.host}{place}?{urllib.parse.urlencode(query)}")
        if target.token:
            request.add_header("Authorization", bearer(target.token))
        handlers: list[Any] = [urllib.request.ProxyHandler({})] if target.embedded else []
        if target.host.startswith("https:"):  # loading the CA certificates takes as long as all else
            handlers.append(urllib.request.HTTPSHandler(context=_trust(target.verify)))
        with urllib.request.build_opener(*handlers).open(request, timeout=SECONDS) as answer:
            found = json.load(answer)
            return found if isinstance(found, dict) else {}
    except (MetaflowHeraError, OSError, ValueError, AttributeError, http.client.HTTPException):
        return {}


def _trust(verify: bool | str) -> Any:
    import ssl

    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return ssl.create_default_context() if verify else ssl._create_unverified_context()
