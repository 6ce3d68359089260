"""What create and lint refuse, in Argo's words, and what they refuse because it is not implemented."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.rules.validation import Invalid, normalise, validate_template, validate_workflow

JSON = dict[str, Any]
DATA = Path(__file__).parents[2] / "data" / "recordings"
REFUSALS: dict[str, JSON] = json.loads((DATA / "refusals.json").read_text())
CASES = sorted(name for name in REFUSALS if name != "calls")
RUNS = sorted(path.stem for path in DATA.glob("*.json") if path.stem != "refusals")


def answer(check: Any, *arguments: Any, **options: Any) -> list[Any]:
    try:
        check(*arguments, **options)
    except Invalid as error:
        return [error.status, error.code, error.message]
    return [200, None, None]


@pytest.mark.parametrize("name", CASES)
def test_recorded_answers(name: str) -> None:
    case = REFUSALS[name]
    obj = {"metadata": {"name": name}, "spec": case["spec"]}
    before = copy.deepcopy(obj)
    assert answer(validate_workflow, obj, lint=True) == case["lint"]
    assert answer(validate_workflow, obj) == case["create"]
    assert answer(validate_template, obj) == case["create_template"]
    assert obj == before


@pytest.mark.parametrize("name", RUNS)
def test_what_ran_is_accepted(name: str) -> None:
    spec = json.loads((DATA / f"{name}.json").read_text())["spec"]
    assert answer(validate_workflow, {"metadata": {"name": name}, "spec": spec}) == [200, None, None]


def spec_with(template: JSON | None = None, task: JSON | None = None, spec: JSON | None = None) -> JSON:
    pod = {"name": "pod", "container": {"image": "x", "command": ["true"]}, **(template or {})}
    main = {"name": "main", "dag": {"tasks": [{"name": "a", "template": "pod", **(task or {})}]}}
    return {"spec": {"entrypoint": "main", "templates": [pod, main], **(spec or {})}}


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        (spec_with(task={"hooks": {"exit": {"template": "pod"}}}), "templates.main.dag.tasks[0].hooks"),
        (spec_with(template={"sidecars": [{"name": "s"}]}), "templates.pod.sidecars"),
        (spec_with(template={"memoize": {"key": "k"}}), "templates.pod.memoize"),
        (spec_with(spec={"executor": {"serviceAccountName": "s"}}), "spec.executor"),
        (
            spec_with(template={"container": {"image": "x", "envFrom": [{"secretRef": {"name": "s"}}]}}),
            "templates.pod.container.envFrom",
        ),
        (
            spec_with(
                template={
                    "container": {
                        "image": "x",
                        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
                    }
                }
            ),
            "templates.pod.container.env[0].valueFrom.secretKeyRef",
        ),
        (
            spec_with(template={"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            "templates.pod.volumes[0].hostPath",
        ),
    ],
)
def test_what_is_not_implemented_is_named(obj: JSON, path: str) -> None:
    assert answer(validate_workflow, obj) == [400, 3, f"{path} is not implemented by the embedded Argo"]


@pytest.mark.parametrize("volume", [{"persistentVolumeClaim": {"claimName": "c"}}, {"configMap": {}}])
def test_a_volume_that_a_process_cannot_have_is_named_by_its_kind(volume: JSON) -> None:
    obj = spec_with(template={"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", **volume}]})
    assert f"templates.pod.volumes[1].{next(iter(volume))} is not" in answer(validate_workflow, obj)[2]


def test_a_part_of_a_volume_cannot_be_mounted() -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "x"}
    obj = spec_with(template={"container": {"image": "x", "volumeMounts": [mount]}})
    assert "templates.pod.container.volumeMounts[0].subPath is not" in answer(validate_workflow, obj)[2]


@pytest.mark.parametrize("quantity", ["much", "1 Gi", "1gi", "", "-1M"])
def test_a_limit_must_be_a_quantity(quantity: str) -> None:
    container = {"image": "x", "command": ["true"], "resources": {"limits": {"memory": quantity}}}
    code, _, message = answer(validate_workflow, spec_with(template={"container": container}))
    assert code == 400
    assert message.startswith("templates.pod.container.resources.limits.memory: ")


def test_an_expression_outside_the_language_is_named() -> None:
    obj = spec_with(
        template={"container": {"image": "x", "command": ["true"], "args": ["{{=sprig.upper('a')}}"]}}
    )
    assert "sprig.upper is not implemented" in answer(validate_workflow, obj)[2]


def test_fields_without_effect_are_accepted() -> None:
    obj = spec_with(
        template={
            "metadata": {"labels": {"a": "b"}},
            "nodeSelector": {"a": "b"},
            "container": {
                "image": "x",
                "command": ["true"],
                "resources": {"limits": {"cpu": 1}},
                "imagePullPolicy": "Always",
            },
        },
        spec={
            "serviceAccountName": "s",
            "podGC": {"strategy": "OnPodCompletion"},
            "tolerations": [{"key": "k"}],
        },
    )
    assert answer(validate_workflow, obj)[0] == 200


def test_a_workflow_takes_what_its_template_has() -> None:
    template = spec_with(spec={"arguments": {"parameters": [{"name": "need"}]}})
    workflow = {"spec": {"workflowTemplateRef": {"name": "t"}}}
    assert answer(validate_workflow, workflow, {"t": template}) == [
        400,
        3,
        "spec.arguments.need.value or spec.arguments.need.valueFrom is required",
    ]
    workflow["spec"]["arguments"] = {"parameters": [{"name": "need", "value": "1"}]}
    assert answer(validate_workflow, workflow, {"t": template})[0] == 200
    assert answer(validate_workflow, workflow, {})[:2] == [404, 5]


def test_normalise_gives_what_the_server_gives_back() -> None:
    obj = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        **spec_with(spec={"entrypiont": "x"}),
    }
    assert normalise(obj)["spec"] == {
        "entrypoint": "main",
        "arguments": {},
        "templates": [
            {
                "name": "pod",
                "inputs": {},
                "outputs": {},
                "metadata": {},
                "container": {"name": "", "image": "x", "command": ["true"], "resources": {}},
            },
            {
                "name": "main",
                "inputs": {},
                "outputs": {},
                "metadata": {},
                "dag": {"tasks": [{"name": "a", "template": "pod", "arguments": {}}]},
            },
        ],
    }


def test_parameters_that_who_uses_a_template_may_declare_are_left_to_it() -> None:
    pod = {"container": {"image": "x", "command": ["echo", "{{workflow.parameters.more}}"]}}
    obj = spec_with(template=pod)
    assert answer(validate_template, obj) == [200, None, None]
    message = "templates.main.tasks.a templates.pod: failed to resolve {{workflow.parameters.more}}"
    assert answer(validate_workflow, obj)[2] == message
    obj["spec"]["arguments"] = {"parameters": [{"name": "more", "value": "1"}]}
    assert answer(validate_workflow, obj) == [200, None, None]


TAGS = (
    "inputs.parameters tasks.name steps.name node.name pod.name retries lastRetry.exitCode item "
    "workflow.status workflow.duration workflow.scheduledTime workflow.creationTimestamp.s anything.else"
)


@pytest.mark.parametrize("tag", TAGS.split())
def test_tags_that_argo_takes_in_any_pod(tag: str) -> None:
    obj = spec_with(template={"container": {"image": "x", "command": ["echo", f"{{{{{tag}}}}}"]}})
    assert answer(validate_workflow, obj) == [200, None, None]


@pytest.mark.parametrize("tag", ["workflow.failures", "workflow.parameters", "workflow.priority", "item.x"])
def test_tags_that_argo_takes_only_where_there_is_something(tag: str) -> None:
    obj = spec_with(template={"container": {"image": "x", "command": ["echo", f"{{{{{tag}}}}}"]}})
    assert answer(validate_workflow, obj)[2].endswith(f"templates.pod: failed to resolve {{{{{tag}}}}}")


def test_an_image_may_stand_in_the_defaults_of_all_templates() -> None:
    defaults = {"templateDefaults": {"container": {"image": "x"}}}
    assert answer(validate_workflow, spec_with({"container": {"command": ["a"]}}, spec=defaults))[0] == 200
    missing = "templates.main.tasks.a templates.pod.container.image may not be empty"
    assert answer(validate_workflow, spec_with({"container": {"command": ["a"]}}))[2] == missing


def test_an_argument_from_a_task_that_does_not_come_before_is_refused() -> None:
    value = "{{tasks.b.outputs.result}}"
    obj = spec_with(task={"arguments": {"parameters": [{"name": "p", "value": value}]}})
    tasks = obj["spec"]["templates"][1]["dag"]["tasks"]
    tasks.append({"name": "b", "template": "pod"})
    message = "templates.main.tasks.a missing dependency 'b' for parameter 'p'"
    assert answer(validate_workflow, obj)[2] == message
    tasks[0]["depends"] = "b"
    assert answer(validate_workflow, obj)[0] == 200


ARTIFACT = {"name": "f", "path": "/f"}


@pytest.mark.parametrize(
    ("obj", "named"),
    [
        (
            spec_with(
                {"inputs": {"artifacts": [ARTIFACT]}, "container": {"image": "{{inputs.artifacts.f.path}}"}}
            ),
            "templates.pod.inputs.artifacts",
        ),
        (spec_with({"daemon": True}, {"when": "{{tasks.a.ip}} == 1"}), "templates.pod.daemon"),
        (spec_with({"memoize": {"key": "{{nothing}}", "cache": {}}}), "templates.pod.memoize"),
        (spec_with({"container": None, "http": {}}), "templates.pod.http"),
        (spec_with(task={"inline": {}}), "templates.main.dag.tasks[0].inline"),
        (spec_with(task={"templateRef": {}, "template": ""}), "templates.main.dag.tasks[0].templateRef"),
        (spec_with(spec={"arguments": {"parameters": [{"name": "p", "valueFrom": {"supplied": {}}}]}}),
         "spec.arguments.parameters[0].valueFrom.supplied"),
        (spec_with(spec={"arguments": {"parameters": [{"name": "p", "valueFrom": {"configMapKeyRef": {}}}]}}),
         "spec.arguments.parameters[0].valueFrom.configMapKeyRef"),
        (spec_with(spec={"hooks": {"exit": {}}}), "spec.hooks"),
        ({"spec": {"workflowTemplateRef": {"name": "x", "clusterScope": True}}},
         "spec.workflowTemplateRef.clusterScope"),
    ],
)  # fmt: skip
def test_what_is_not_implemented_is_named_where_argo_would_refuse_nothing(obj: JSON, named: str) -> None:
    assert answer(validate_workflow, obj) == [400, 3, f"{named} is not implemented by the embedded Argo"]


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            spec_with({"suspend": {}, "http": {}}),
            "templates.main.tasks.a templates.pod multiple template types specified. choose one of: "
            "container, containerSet, steps, script, resource, dag, suspend, template, template ref",
        ),
        (
            spec_with(spec={"hooks": {"exit": {}}, "onExit": "nowhere"}),
            "template name 'nowhere' undefined",
        ),
    ],
)
def test_what_argo_refuses_is_refused_in_its_words_also_beside_what_is_not_implemented(
    obj: JSON, message: str
) -> None:
    assert answer(validate_workflow, obj) == [400, 3, message]


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("map([1], {# * 2})", "function map"),
        ("filter(tasks.a.list, # > 1)", "function filter"),
        ("sprig.trim('a')", "function sprig.trim"),
        ("[1] | first()", "'|'"),
        ("{'a': 1}", "'{'"),
        ("2 ** 3", "'**'"),
        ("1..3", "'..'"),
        ("workflow?.name", "'?.'"),
    ],
)
def test_a_part_of_the_expression_language_that_is_not_implemented_is_named(
    expression: str, part: str
) -> None:
    obj = spec_with(template={"container": {"image": "x", "command": ["echo", f"{{{{={expression}}}}}"]}})
    message = f"templates.pod: {part} is not implemented by the embedded Argo"
    assert answer(validate_workflow, obj) == [400, 3, message]


def test_metrics_are_checked_and_nothing_else() -> None:
    metric = {"name": "seconds", "help": "h", "histogram": {"buckets": [1], "value": "{{duration}}"}}
    assert answer(validate_workflow, spec_with({"metrics": {"prometheus": [metric]}}))[0] == 200
    for wrong, words in (
        ({"name": "a-b"}, "metric name 'a-b' is invalid"),
        ({"help": ""}, "must contain a help string"),
        ({"histogram": {"value": ""}}, "missing histogram.value"),
        ({"labels": [{"key": "a-b", "value": "x"}]}, "metric label 'a-b' is invalid"),
    ):
        obj = spec_with({"metrics": {"prometheus": [{**metric, **wrong}]}})
        assert words in answer(validate_workflow, obj)[2]


def test_a_number_that_64_bits_do_not_hold_is_none() -> None:
    obj = spec_with(spec={"ttlStrategy": {"secondsAfterCompletion": 10**400}})
    assert "cannot unmarshal number 1000" in answer(normalise, obj)[2]
