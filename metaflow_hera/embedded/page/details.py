"""What else there is to know about a run of a flow, and the commands that go on from it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from metaflow_hera.embedded.json_object import JSON, NOT_JSON
from metaflow_hera.embedded.page.parameters import CODE_PACKAGE, TAGS, decoded
from metaflow_hera.embedded.page.pathspecs import flow_of, run_id
from metaflow_hera.embedded.page.reading import TEXT, PageReader, spec_of
from metaflow_hera.embedded.page.yaml_text import yaml_of
from metaflow_hera.embedded.storage.reader import Head

OWNER, VERSION = "metaflow/owner", "metaflow/deployment_version"
RESUBMITTED_FROM = "workflows.argoproj.io/resubmitted-from-workflow"
DEPLOYMENT_TAGS, ENCODED_VARIABLES = "METAFLOW_HERA_TAGS", "METAFLOW_HERA_ENCODED"
FLOW_NAME, FLOW_FILENAME = "METAFLOW_FLOW_NAME", "METAFLOW_FLOW_FILENAME"
WHERE = ("METAFLOW_DEFAULT_DATASTORE", "METAFLOW_DEFAULT_METADATA", "METAFLOW_SERVICE_URL")
ROOT = "METAFLOW_DATASTORE_SYSROOT_"
"""The variables by which Metaflow finds the results of a run."""
MOST_YAML = 2_000_000
"""Characters of a manifest that are shown."""


def details(reader: PageReader, head: Head) -> JSON:
    """Owner, version, tags, code package, and the commands; of what is no flow's, what there is."""
    spec = spec_of(reader.workflow(head, nodes=False))
    notes = json.loads(head.metadata).get("annotations") or {}
    parameters = reader.arguments(head.uid)
    env, flow, id = environment_of(spec), flow_of(head), run_id(head.name)
    packages = [each.get("value") for each in parameters if each["name"] == CODE_PACKAGE]
    package = packages[-1] if packages else None
    version = str(notes.get(VERSION) or head.labels.get(VERSION) or "")
    # Of its own it has one after `retry --with-new-code`, and where Argo's resubmit has copied it.
    has_new_code = len(packages) > 1 and RESUBMITTED_FROM not in head.labels
    facts = [
        ("Flow", flow),
        ("Run id", id if flow else ""),
        ("Owner", str(notes.get(OWNER) or "")),
        ("Version", ", ".join(filter(None, [version, "with new code" if has_new_code else ""]))),
        ("Tags", ", ".join(tags_of(env, parameters))),
        ("Code package", (decoded(str(package)) or "") if package else ""),
        ("Datastore", " ".join(value for name, value in env.items() if name.startswith((ROOT, WHERE[0])))),
    ]
    return {
        "facts": [{"name": name, "value": value[:TEXT]} for name, value in facts if value],
        "commands": list(_commands(flow, id, env)) if flow else [],
    }


def manifest(reader: PageReader, head: Head) -> str:
    """The manifest that the run was made of, as YAML."""
    metadata = json.loads(head.metadata)
    text = yaml_of(metadata, spec_of(reader.workflow(head, nodes=False)))
    return text if len(text) <= MOST_YAML else f"{text[:MOST_YAML]}\n# ... and more\n"


def environment_of(spec: JSON) -> dict[str, str]:
    """The variables of the pods of a flow's steps that are the same in all of them."""
    for template in spec.get("templates") or ():
        listed = (template.get("container") or {}).get("env") or ()
        env = {each["name"]: str(each["value"]) for each in listed if each.get("value") is not None}
        if FLOW_NAME in env:
            with suppress(*NOT_JSON, AttributeError):
                more = json.loads(base64.b64decode(env.pop(ENCODED_VARIABLES, "e30=")))
                env.update((name, str(value)) for name, value in more.items())
            return env
    return {}


def tags_of(env: Mapping[str, str], parameters: Sequence[JSON]) -> list[str]:
    """The tags of the deployment, and those of the run."""
    own = next((each.get("value") for each in reversed(parameters) if each["name"] == TAGS), None)
    found: dict[str, None] = {}
    for text in (env.get(DEPLOYMENT_TAGS), decoded(str(own)) if own else None):
        with suppress(*NOT_JSON, TypeError):
            found.update(dict.fromkeys(map(str, json.loads(text or "[]"))))
    return list(found)


def _commands(flow: str, id: str, env: Mapping[str, str]) -> Iterator[JSON]:
    """What to do with the run elsewhere: each with what it is for."""
    where = {name: value for name, value in env.items() if name in WHERE or name.startswith(ROOT)}
    client = f'from metaflow import Run, namespace; namespace(None); run = Run("{flow}/{id}")'
    file = shlex.quote(env.get(FLOW_FILENAME) or "flow.py")
    if where:
        text = "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(where.items()))
        yield {
            "what": "Results are found where Metaflow is configured like this; set it first if yours is not",
            "text": text,
        }
    yield {"what": "Read the results in Python", "text": client}
    yield {"what": "Resume it on this machine", "text": f"python {file} resume --origin-run-id {id}"}
    yield {"what": "See its state", "text": f"mfhera status {id}"}
    yield {"what": "See its logs", "text": f"mfhera logs {id}"}
