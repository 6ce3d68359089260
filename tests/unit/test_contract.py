"""The names that manifest and pod agree on: their values never change, and each stands in one place."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import metaflow_hera
from metaflow_hera.contract import environment, manifest, values
from metaflow_hera.embedded.page import details, parameters, pathspecs, yaml_text
from metaflow_hera.metaflow_api.pod.packaged_settings import Interpreter, PodSettings, Retries

PACKAGE = Path(metaflow_hera.__file__).parent
CONTRACT = PACKAGE / "contract"
EMBEDDED = PACKAGE / "embedded"
BOOTSTRAP = PACKAGE / "runtime" / "bootstrap.py"

ENVIRONMENT = {
    "ARGO_NAME": "ARGO_WORKFLOW_NAME",
    "ARGO_NAMESPACE": "ARGO_WORKFLOW_NAMESPACE",
    "ARGO_TEMPLATE": "ARGO_WORKFLOW_TEMPLATE",
    "CARDS": "METAFLOW_HERA_CARDS",
    "CODE_DATASTORE": "METAFLOW_CODE_DS",
    "CODE_METADATA": "METAFLOW_CODE_METADATA",
    "CODE_SHA": "METAFLOW_CODE_SHA",
    "CODE_URL": "METAFLOW_CODE_URL",
    "CONFIG_VALUES": "METAFLOW_FLOW_CONFIG_VALUE",
    "EMBEDDED_CACHE": "EMBEDDED_ARGO_CACHE",
    "EMBEDDED_EVENTS_URL": "EMBEDDED_ARGO_EVENTS_URL",
    "EMBEDDED_FIRST": "EMBEDDED_ARGO_FIRST",
    "EMBEDDED_HOME": "EMBEDDED_ARGO_HOME",
    "ENCODED": "METAFLOW_HERA_ENCODED",
    "EVENT": "METAFLOW_ARGO_EVENT_PAYLOAD_",
    "FINISHED": "METAFLOW_HERA_FINISHED",
    "FLOW_FILENAME": "METAFLOW_FLOW_FILENAME",
    "FLOW_NAME": "METAFLOW_FLOW_NAME",
    "HOOKS": "METAFLOW_HERA_HOOKS",
    "KUBERNETES_NAMESPACE": "METAFLOW_KUBERNETES_NAMESPACE",
    "KUBERNETES_WORKLOAD": "METAFLOW_KUBERNETES_WORKLOAD",
    "LOCAL_ROOT": "METAFLOW_DATASTORE_SYSROOT_LOCAL",
    "MESSAGE": "METAFLOW_HERA_MESSAGE",
    "NAMESPACE": "METAFLOW_HERA_NAMESPACE",
    "NODE_IP": "METAFLOW_KUBERNETES_NODE_IP",
    "ITERATIONS": "METAFLOW_HERA_ITERATIONS",
    "NO_EVENTS": "METAFLOW_HERA_NO_EVENTS",
    "OUTCOME": "METAFLOW_HERA_OUTCOME",
    "OUTPUT": "METAFLOW_HERA_OUTPUT",
    "OWNER": "METAFLOW_OWNER",
    "OWN_PACKAGE": "METAFLOW_HERA_OWN_PACKAGE",
    "RESULTS": "METAFLOW_HERA_RESULTS",
    "PARAMETER": "METAFLOW_INIT_",
    "PATH": "METAFLOW_HERA_PATH",
    "POD_ID": "METAFLOW_KUBERNETES_POD_ID",
    "POD_IP": "METAFLOW_HERA_POD_IP",
    "POD_NAME": "METAFLOW_KUBERNETES_POD_NAME",
    "POD_NAMESPACE": "METAFLOW_KUBERNETES_POD_NAMESPACE",
    "REASON": "METAFLOW_HERA_REASON",
    "PROJECT": "METAFLOW_HERA_PROJECT",
    "PROGRESS_FILE": "ARGO_PROGRESS_FILE",
    "RANGE": "METAFLOW_HERA_RANGE",
    "RETRIES": "METAFLOW_HERA_RETRIES",
    "SPLITS_PER_POD": "METAFLOW_HERA_SPLITS_PER_POD",
    "RETRY_COUNT": "METAFLOW_RETRY_COUNT",
    "RUN_ID": "METAFLOW_RUN_ID",
    "RUN_TAGS": "METAFLOW_HERA_RUN_TAGS",
    "SCHEDULED_TIME": "METAFLOW_HERA_SCHEDULED_TIME",
    "SERVICE_ACCOUNT": "METAFLOW_KUBERNETES_SERVICE_ACCOUNT_NAME",
    "STATUS": "METAFLOW_HERA_STATUS",
    "STEP_NAME": "METAFLOW_STEP_NAME",
    "TAGS": "METAFLOW_HERA_TAGS",
    "TEMPDIR": "METAFLOW_TEMPDIR",
    "TMPFS": "METAFLOW_HERA_TMPFS",
    "TOKEN_HOME": "METAFLOW_TOKEN_HOME",
    "VERSION": "METAFLOW_HERA_VERSION",
    "WEBHOOK_AUTH": "METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH",
    "WEBHOOK_URL": "METAFLOW_ARGO_EVENTS_WEBHOOK_URL",
}

MANIFEST = {
    "ARGO_PREFIX": "workflows.argoproj.io/",
    "A_FLOW": "metaflow-flow",
    "A_RUN": "metaflow-run",
    "A_SENSOR": "metaflow-sensor",
    "A_TASK": "metaflow-task",
    "BRANCH_NAME": "metaflow/branch_name",
    "CHOICE": "next",
    "CRON_WORKFLOWS": "metaflow/cron_workflows",
    "CODE_PARAMETER": "metaflow-code-package",
    "DEPLOYMENT_TIMESTAMP": "metaflow/deployment_timestamp",
    "DESCRIPTION": "workflows.argoproj.io/description",
    "ERROR": "error",
    "FLOW_NAME": "metaflow/flow_name",
    "ITEMS": "items",
    "ITERATIONS": "iterations",
    "RANGE": "split-range",
    "GRAPH": "metaflow/dag",
    "KIND": "app.kubernetes.io/name",
    "METAFLOW": "metaflow",
    "METAFLOW_PREFIX": "metaflow/",
    "OUTCOME": "outcome",
    "OUT_OF_ATTEMPTS": 3,
    "TASKS_LEFT": 4,
    "KILLED": (137, 143),
    "OWNER": "metaflow/owner",
    "OWN_PARAMETERS": ("metaflow-run-tags", "metaflow-code-package", "metaflow-scheduled-time"),
    "PARAMETERS": "metaflow/parameters",
    "PART_OF": "app.kubernetes.io/part-of",
    "PATH": "path",
    "POD_GROUP": "scheduling.x-k8s.io/pod-group",
    "PRODUCTION_TOKEN": "metaflow/production_token",
    "PROJECT_NAME": "metaflow/project_name",
    "RUN_ID": "metaflow/run_id",
    "RUN_PREFIX": "argo-",
    "SCHEDULED_FOR": "workflows.argoproj.io/scheduled-time",
    "SCHEDULED_TIME_PARAMETER": "metaflow-scheduled-time",
    "SELECTOR": "app.kubernetes.io/part-of=metaflow",
    "SENSOR_NAME": "metaflow/sensor_name",
    "SENSOR_NAMESPACE": "metaflow/sensor_namespace",
    "STEP": "step",
    "STEP_NAME": "metaflow/step_name",
    "SUCCESS": "success",
    "TAGS": "metaflow/tags",
    "TAGS_PARAMETER": "metaflow-run-tags",
    "TEMPLATE_LABEL": "workflows.argoproj.io/workflow-template",
    "ARCHIVED": "workflows.argoproj.io/workflow-archiving-status",
    "ONLY_ARCHIVED": "Persisted",
    "INSTANCE": "workflows.argoproj.io/controller-instanceid",
    "RESUBMITTED_FROM": "workflows.argoproj.io/resubmitted-from-workflow",
    "TITLE": "workflows.argoproj.io/title",
    "TRIGGERED_BY": "metaflow/triggered_by",
    "TRIGGERS": "metaflow/triggers",
    "USER": "metaflow/user",
    "USER_KEYS": "metaflow/user_keys",
    "VERSION": "metaflow/deployment_version",
    "VERSION_ID": "metaflow/deployment_version_id",
    "WARM": "embedded-argo/warm",
    "RESULTS": "embedded-argo/results",
}

OWN_TO_THE_BOOTSTRAP = {
    "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT",
    "METAFLOW_SKIP_INSTALL_DEPENDENCIES",
    "METAFLOW_S3_ENDPOINT_URL",
    "METAFLOW_EXTRACTED_ROOT",
}
"""Variables between Metaflow and the bootstrap: no manifest of ours names them."""

WORDS = frozenset({"step", "path", "items", "next", "iterations", "outcome", "success", "error", "metaflow"})
"""Names that are words of other things as well: a literal elsewhere may mean one of those."""


def constants(module: object) -> dict[str, object]:
    """The constants of a module, by name."""
    return {name: value for name, value in vars(module).items() if re.fullmatch("[A-Z][A-Z_]*", name)}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a file with their lines, those within f-strings included, but no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def names() -> re.Pattern[str]:
    """The names of the contract that stand nowhere else, also as a part of a longer text.

    RUN_PREFIX begins examples of runs' ids in messages: as a part of another text it is none.
    """
    found = {*constants(environment).values(), *constants(manifest).values()}
    texts = {each for each in found if isinstance(each, str)} - WORDS - {manifest.RUN_PREFIX}
    parts = [
        re.escape(text) if text.endswith(("_", "/")) else rf"{re.escape(text)}(?![\w/-])"
        for text in sorted(texts, reverse=True)
    ]
    return re.compile(rf"(?<![\w/.-])(?:{'|'.join(parts)})|^{manifest.RUN_PREFIX}$")


def test_the_variables_are_those_that_stored_manifests_and_old_pods_have() -> None:
    assert constants(environment) == ENVIRONMENT
    assert environment.parameter_variable("learning-rate") == "METAFLOW_INIT_LEARNING_RATE"


def test_the_names_in_manifests_are_those_that_are_stored() -> None:
    assert constants(manifest) == MANIFEST
    assert manifest.run_id("linearflow-x7k2p") == "argo-linearflow-x7k2p"
    assert manifest.event_name("project.user.alice.LinearFlow", "end") == (
        "metaflow.project.user.alice.LinearFlow.end"
    )
    assert manifest.sensor_name("project.user.alice.linearflow") == "project-user-alice-linearflow"


def test_values_travel_in_the_form_that_old_pods_read() -> None:
    assert (values.ENCODED, values.NOT_GIVEN) == ("base64:", "null")


def test_settings_in_an_old_code_package_are_read() -> None:
    step = {
        "retries": {"user_code": 1, "total": 2, "minutes_between": 3},
        "time_limit": None,
        "gang_timeout": 77,
        "interpreter": {"commands": ["true"], "executable": "python3", "init_executable": "python"},
    }
    graph = {"start": "start", "end": "start", "steps": [{"name": "start", "kind": "start", "out": []}]}
    old = {"script": "f.py", "datastore_root": "/d", "graph": graph, "top_level": [], "metadata": "local"}
    read = PodSettings.from_json(json.dumps({**old, "steps": {"start": step}})).steps["start"]
    assert read.parallel_timeout == 77
    assert read.retries == Retries(1, 2, 3)
    assert read.interpreter == Interpreter(["true"], "python3", "python")
    assert read.as_data() == step


def test_each_name_stands_in_the_contract_alone() -> None:
    name = names()
    elsewhere = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.is_relative_to(CONTRACT) and not path.is_relative_to(EMBEDDED) and path != BOOTSTRAP
        for line, text in texts(path)
        if name.search(text)
    ]
    assert elsewhere == []


def test_the_page_reads_the_annotations_of_the_contract() -> None:
    assert (details.VERSION, details.OWNER) == (manifest.VERSION, manifest.OWNER)
    assert pathspecs.FLOW_NAME == manifest.FLOW_NAME
    assert pathspecs.run_id("a") == manifest.run_id("a")
    assert parameters.CODE_PACKAGE == manifest.CODE_PARAMETER
    assert details.DEPLOYMENT_TAGS == environment.TAGS
    assert details.ENCODED_VARIABLES == environment.ENCODED
    assert (details.FLOW_NAME, details.FLOW_FILENAME) == (environment.FLOW_NAME, environment.FLOW_FILENAME)
    assert yaml_text.SECRET == manifest.PRODUCTION_TOKEN


def test_the_bootstrap_uses_the_names_of_the_contract() -> None:
    # It runs before there is a contract to import, so it has them as text.
    tree = ast.parse(BOOTSTRAP.read_text(encoding="utf-8"))
    found = {text for _, text in texts(BOOTSTRAP)}
    found |= {word.arg for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg}
    variables = {text for text in found if re.match("METAFLOW_|ARGO_|EMBEDDED_ARGO_", text)}
    assert variables - OWN_TO_THE_BOOTSTRAP < set(ENVIRONMENT.values())
    assert {environment.CODE_URL, environment.ENCODED, environment.EMBEDDED_CACHE} < variables
    assert values.ENCODED in found


def test_the_embedded_argo_uses_the_names_of_the_contract() -> None:
    # It imports nothing of this package outside itself, so it has them as text.
    found = " ".join(text for path in EMBEDDED.rglob("*.py") for _, text in texts(path))
    variables = set(re.findall("EMBEDDED_ARGO_[A-Z_]+", found))
    assert variables == {
        environment.EMBEDDED_CACHE,
        environment.EMBEDDED_EVENTS_URL,
        environment.EMBEDDED_FIRST,
        environment.EMBEDDED_HOME,
    }
    shared = {
        manifest.PARAMETERS,
        manifest.POD_GROUP,
        manifest.TEMPLATE_LABEL,
        manifest.WARM,
        manifest.RESULTS,
    }
    assert shared <= set(found.split())
