"""Who decides where and as whom a pod runs: the step's @kubernetes, then the option, then the configuration.

Argo takes a template's field before that of the workflow, and a template's labels before those for all pods.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from exporting import at, containers, objects
from harness import FLOWS

OWN = {
    "service_account": "'own'",
    "node_selector": "{'place': 'own'}",
    "tolerations": "[{'key': 'own', 'operator': 'Exists'}]",
    "labels": "{'place': 'own'}",
    "annotations": "{'place': 'own'}",
}
OPTIONS = {
    "service_account": ("--service-account", "option"),
    "node_selector": ("--node-selector", "place=option"),
    "tolerations": ("--toleration", '{"key": "option", "operator": "Exists"}'),
    "labels": ("--label", "place=option"),
    "annotations": ("--annotation", "place=option"),
}
CONFIGURED = {
    "service_account": ("SERVICE_ACCOUNT", "configured"),
    "node_selector": ("NODE_SELECTOR", "place=configured"),
    "tolerations": ("TOLERATIONS", '[{"key": "configured", "operator": "Exists"}]'),
    "labels": ("LABELS", "place=configured"),
    "annotations": ("ANNOTATIONS", "place=configured"),
}


def deciding(spec: dict[str, Any], template: dict[str, Any]) -> dict[str, str | None]:
    """Who decides each field of a pod."""

    def either(name: str) -> Any:
        return template.get(name) or spec.get(name)

    def merged(name: str) -> Any:
        return {**spec["podMetadata"].get(name, {}), **template["metadata"].get(name, {})}

    return {
        "service_account": either("serviceAccountName"),
        "node_selector": (either("nodeSelector") or {}).get("place"),
        "tolerations": (either("tolerations") or [{}])[0].get("key"),
        "labels": merged("labels").get("place"),
        "annotations": merged("annotations").get("place"),
    }


def exported(folder: Path, *, own: bool, by_option: bool, by_config: bool) -> Any:
    decorator = f"@kubernetes({', '.join(f'{name}={value}' for name, value in OWN.items())})"
    script = (FLOWS / "linear_flow.py").read_text()
    script = script.replace("    @step\n", f"    {decorator}\n    @step\n") if own else script
    (folder / "linear_flow.py").write_text(script.replace("import FlowSpec", "import kubernetes, FlowSpec"))
    options = [word for pair in OPTIONS.values() for word in pair] if by_option else []
    env = {f"METAFLOW_KUBERNETES_{name}": text for name, text in CONFIGURED.values()} if by_config else {}
    hooks = ("--notify-on-error", "--notify-slack-webhook-url", "https://hooks.example/x")
    return objects(at(folder).ok("create", "linear_flow.py", "--only-json", *hooks, *options, env=env))[0]


@pytest.mark.parametrize(("own", "by_option", "by_config"), [*product((True, False), repeat=3)])
def test_who_decides(tmp_path: Path, own: bool, by_option: bool, by_config: bool) -> None:
    spec = exported(tmp_path, own=own, by_option=by_option, by_config=by_config)["spec"]
    who = "own" if own else "option" if by_option else "configured" if by_config else None
    found = containers({"spec": spec})
    assert "exit-hooks" in found
    for template in found.values():
        assert deciding(spec, template) == dict.fromkeys(OWN, who)


def test_what_others_add_to_labels_and_node_selectors_stays(tmp_path: Path) -> None:
    script = (FLOWS / "linear_flow.py").read_text().replace("import FlowSpec", "import kubernetes, FlowSpec")
    decorator = "@kubernetes(compute_pool='big', labels={'of': 'step'})"
    script = script.replace("    @step\n", f"    {decorator}\n    @step\n", 1)
    (tmp_path / "linear_flow.py").write_text(script)
    env = {"METAFLOW_KUBERNETES_NODE_SELECTOR": "a=b", "METAFLOW_KUBERNETES_LABELS": "of=all,team=x"}
    options = ("--node-selector", "c=d", "--label", "team=y")
    spec = objects(at(tmp_path).ok("create", "linear_flow.py", "--only-json", *options, env=env))[0]["spec"]
    start, other = containers({"spec": spec}).values()
    assert start["nodeSelector"] == {"c": "d", "outerbounds.co/compute-pool": "big"}
    assert start["metadata"]["labels"] == {"of": "step"}
    assert "nodeSelector" not in other
    assert other["metadata"]["labels"] == {"of": "all"}
