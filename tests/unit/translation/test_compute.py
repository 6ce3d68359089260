"""What @kubernetes and @resources ask for, and what becomes of it in the pod of a step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from argo_schema import faults
from exporting import at, containers, objects, tasks, without_modules
from harness import Mfhera, refused
from metaflow.plugins.kubernetes.kubernetes_decorator import KubernetesDecorator

from metaflow_hera.translation.container_templates import ALIKE, OF_ONE_POD

REQUESTS = {"cpu": "1", "memory": "4096M", "ephemeral-storage": "10240M"}
MEMORY = "Memory"


def tmpfs(path: str, size: str) -> dict[str, Any]:
    """The volume, and where it is mounted."""
    name = "tmpfs-ephemeral-volume"
    return {
        "volumes": [{"name": name, "emptyDir": {"medium": MEMORY, "sizeLimit": size}}],
        "container.volumeMounts": [{"name": name, "mountPath": path}],
    }


def shared(size: str) -> dict[str, Any]:
    return {
        "volumes": [{"name": "dhsm", "emptyDir": {"medium": MEMORY, "sizeLimit": size}}],
        "container.volumeMounts": [{"name": "dhsm", "mountPath": "/dev/shm"}],
    }


def environment(**variables: str) -> dict[str, Any]:
    return {f"env.{name}": value for name, value in variables.items()}


ANNOTATIONS = {
    "metaflow/step_name": "{{inputs.parameters.step}}",
    "embedded-argo/warm": " ".join(("<modules>", *ALIKE)),
}
"""Those of each pod."""

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    # The decorators of a step, and what they change in its template: fields by their paths.
    "plain": ("", {}),
    "cpu": ("@kubernetes(cpu=2)", {"container.resources.requests": {**REQUESTS, "cpu": "2"}}),
    "cpu_fraction": ("@kubernetes(cpu=0.5)", {"container.resources.requests": {**REQUESTS, "cpu": "0.5"}}),
    "memory": ("@kubernetes(memory=512)", {"container.resources.requests": {**REQUESTS, "memory": "512M"}}),
    "disk": (
        "@kubernetes(disk=100)",
        {"container.resources.requests": {**REQUESTS, "ephemeral-storage": "100M"}},
    ),
    "image": ("@kubernetes(image='a/b:c')", {"container.image": "a/b:c"}),
    "image_pull_policy": ("@kubernetes(image_pull_policy='Always')", {"container.imagePullPolicy": "Always"}),
    "image_pull_secrets": ("@kubernetes(image_pull_secrets=['one', 'two'])", {}),
    "more_pull_secrets": ("@kubernetes(image_pull_secrets=['two', 'three'])", {}),
    "service_account": ("@kubernetes(service_account='robot')", {"serviceAccountName": "robot"}),
    "secrets": (
        "@kubernetes(secrets=['a', 'b'])",
        {"container.envFrom": [{"secretRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]},
    ),
    "one_secret": ("@kubernetes(secrets='a')", {"container.envFrom": [{"secretRef": {"name": "a"}}]}),
    "node_selector": ("@kubernetes(node_selector='a=b,c/d=e')", {"nodeSelector": {"a": "b", "c/d": "e"}}),
    "namespace": ("@kubernetes(namespace='default')", {}),
    "gpu": ("@kubernetes(gpu=2)", {"container.resources.limits": {"nvidia.com/gpu": "2"}}),
    "no_gpu": ("@kubernetes(gpu=0)", {"container.resources.limits": {"nvidia.com/gpu": "0"}}),
    "gpu_vendor": (
        "@kubernetes(gpu=1, gpu_vendor='AMD')",
        {"container.resources.limits": {"amd.com/gpu": "1"}},
    ),
    "tolerations": (
        "@kubernetes(tolerations=[{'key': 'k', 'operator': 'Exists', 'toleration_seconds': 5}])",
        {"tolerations": [{"key": "k", "operator": "Exists", "tolerationSeconds": 5}]},
    ),
    "labels": (
        "@kubernetes(labels={'team': 'x', 'none': None, 'metaflow/owner': 'nobody'})",
        {"metadata.labels": {"team": "x", "none": ""}},
    ),
    "annotations": (
        "@kubernetes(annotations={'note': 'two words', 'metaflow/step_name': 'another'})",
        {"metadata.annotations": {"note": "two words", **ANNOTATIONS}},
    ),
    "use_tmpfs": (
        "@kubernetes(use_tmpfs=True)",
        {**tmpfs("/metaflow_temp", "2048Mi"), **environment(METAFLOW_TEMPDIR="/metaflow_temp")},
    ),
    "tmpfs_size": (
        "@kubernetes(tmpfs_size=10)",
        {**tmpfs("/metaflow_temp", "10Mi"), **environment(METAFLOW_TEMPDIR="/metaflow_temp")},
    ),
    "tmpfs_path": (
        "@kubernetes(tmpfs_size=10, tmpfs_path='/scratch')",
        {**tmpfs("/scratch", "10Mi"), **environment(METAFLOW_TEMPDIR="/scratch")},
    ),
    "tmpfs_tempdir": (
        "@kubernetes(tmpfs_size=10, tmpfs_tempdir=False)",
        {**tmpfs("/metaflow_temp", "10Mi"), **environment(METAFLOW_HERA_TMPFS="/metaflow_temp")},
    ),
    "tmpfs_path_of_none": ("@kubernetes(tmpfs_path='/scratch')", {}),
    "persistent_volume_claims": (
        "@kubernetes(persistent_volume_claims={'data.set': '/mnt/data', 'b': '/mnt/b'})",
        {
            "volumes": [
                {"name": "claim-0", "persistentVolumeClaim": {"claimName": "b"}},
                {"name": "claim-1", "persistentVolumeClaim": {"claimName": "data.set"}},
            ],
            "container.volumeMounts": [
                {"name": "claim-0", "mountPath": "/mnt/b"},
                {"name": "claim-1", "mountPath": "/mnt/data"},
            ],
        },
    ),
    "shared_memory": ("@kubernetes(shared_memory=64)", shared("64Mi")),
    "port": ("@kubernetes(port=8080)", {"container.ports": [{"containerPort": 8080}]}),
    "compute_pool": (
        "@kubernetes(compute_pool='big')",
        {"nodeSelector": {"outerbounds.co/compute-pool": "big"}},
    ),
    "executable": ("@kubernetes(executable='/opt/python')", {"container.command": ["/opt/python"]}),
    "hostname_resolution_timeout": ("@kubernetes(hostname_resolution_timeout=5)", {}),
    "qos": (
        "@kubernetes(qos='guaranteed', cpu=2)",
        {
            "container.resources.requests": {**REQUESTS, "cpu": "2"},
            "container.resources.limits": {**REQUESTS, "cpu": "2"},
        },
    ),
    "extended_resources": (
        "@kubernetes(extended_resources={'x.com/efa': '1'})",
        {
            "container.resources.requests": {**REQUESTS, "x.com/efa": "1"},
            "container.resources.limits": {"x.com/efa": "1"},
        },
    ),
    "security_context": (
        "@kubernetes(security_context={'run_as_user': 5, 'privileged': False})",
        {"container.securityContext": {"runAsUser": 5, "privileged": False}},
    ),
    "resources_alone": (
        "@resources(cpu=2, memory=512, disk=20000, gpu=1, shared_memory=32)",
        {
            "container.resources.requests": {**REQUESTS, "cpu": "2", "ephemeral-storage": "20000M"},
            "container.resources.limits": {"nvidia.com/gpu": "1"},
            **shared("32Mi"),
        },
    ),
    "resources_too": (
        "@resources(cpu=8, memory=512)\n    @kubernetes(cpu=2, memory=1024)",
        {"container.resources.requests": {**REQUESTS, "cpu": "8", "memory": "1024M"}},
    ),
}


def flow(steps: Mapping[str, str]) -> str:
    """The script of a flow of steps with these decorators, one after the other."""
    names = ["start", *steps, "end"]
    lines = ["from metaflow import FlowSpec, kubernetes, resources, step", "class ManyFlow(FlowSpec):"]
    for name, following in zip(names, [*names[1:], None], strict=True):
        action = f"self.next(self.{following})" if following else "pass"
        lines += [f"    {steps.get(name, '')}", "    @step", f"    def {name}(self):", f"        {action}"]
    return "\n".join([*lines, "", 'if __name__ == "__main__":', "    ManyFlow()", ""])


def exported(folder: Path, steps: Mapping[str, str], env: Mapping[str, str] | None = None) -> Any:
    """The template of a flow of such steps."""
    (folder / "many_flow.py").write_text(flow(steps))
    return objects(without_modules(at(folder).ok("create", "many_flow.py", "--only-json", env=env)))[0]


def pods(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The container templates by the names of steps."""
    templates = containers(made)
    return {
        argument["value"]: templates[task["template"]]
        for task in tasks(made).values()
        for argument in task["arguments"]["parameters"]
        if argument["name"] == "step"
    }


def refuse(folder: Path, decorators: str, *words: str, env: Mapping[str, str] | None = None) -> None:
    """Demand that a flow whose first step has such decorators is refused, with such words."""
    (folder / "many_flow.py").write_text(flow({"one": decorators}))
    refused(at(folder)("create", "many_flow.py", "--only-json", env=env), *words)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The fields of a template by their paths, without those that all pods have."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if key == "env":
            found |= {f"env.{entry['name']}": entry.get("value") for entry in item}
        elif place in ("container", "metadata", "container.resources"):
            found |= flat(item, place)
        else:
            found[place] = item
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return exported(tmp_path_factory.mktemp("many"), {name: text for name, (text, _) in CASES.items()})


def test_every_attribute_of_kubernetes_has_its_case() -> None:
    """A new version of Metaflow that has more of them: translate them, or they are refused by name."""
    assert set(KubernetesDecorator.defaults) <= set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name != "executable"])
def test_what_an_attribute_changes(made: Any, name: str) -> None:
    usual, found = flat(pods(made)["end"]), flat(pods(made)[name])
    assert {key: value for key, value in found.items() if key != "name" and usual.get(key) != value} == (
        CASES[name][1]
    )
    assert usual.keys() <= found.keys()


def test_all_of_it_is_valid_by_argos_schema(made: Any) -> None:
    assert faults(made) == []


def test_steps_whose_pods_are_the_same_share_a_template(made: Any) -> None:
    same = {"plain", "start", "end", "image_pull_secrets", "more_pull_secrets", "namespace"}
    # The interpreter of an image is none that a process of this machine could run with.
    same |= {"hostname_resolution_timeout", "tmpfs_path_of_none", "executable"}
    names = {name: pod["name"] for name, pod in pods(made).items()}
    assert {name for name in names if names[name] == names["start"]} == same


def test_with_extensions_of_others_pods_are_forked_from_a_process_of_their_version(tmp_path: Path) -> None:
    """What those note when they are imported is not known."""
    plugins = tmp_path / "path" / "metaflow_extensions" / "other" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "mfextinit_other.py").write_text("")
    made = exported(tmp_path, {}, {"PYTHONPATH": str(tmp_path / "path")})
    pod = next(iter(containers(made).values()))
    assert pod["metadata"]["annotations"]["embedded-argo/warm"] == " ".join(OF_ONE_POD)
    assert not {"METAFLOW_CODE_URL", "METAFLOW_DATASTORE_SYSROOT_LOCAL", "METAFLOW_VERSION"} & {*OF_ONE_POD}


def test_the_workflow_has_the_pull_secrets_of_all_steps(made: Any) -> None:
    assert made["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}, {"name": "three"}]


CONFIGURED = {
    "METAFLOW_KUBERNETES_SECRETS": "a,b",
    "METAFLOW_ARGO_WORKFLOWS_KUBERNETES_SECRETS": "b,c",
    "METAFLOW_ARGO_WORKFLOWS_ENV_VARS_TO_SKIP": "METAFLOW_OWNER,METAFLOW_SERVICE_HEADERS",
    "METAFLOW_KUBERNETES_LABELS": "team=x,bare",
    "METAFLOW_KUBERNETES_ANNOTATIONS": "note=y",
    "METAFLOW_KUBERNETES_IMAGE_PULL_SECRETS": '["reg"]',
    "METAFLOW_KUBERNETES_IMAGE_PULL_POLICY": "Always",
    "METAFLOW_KUBERNETES_NODE_SELECTOR": "a=b",
    "METAFLOW_KUBERNETES_TOLERATIONS": '[{"key": "k", "toleration_seconds": 3}]',
    "METAFLOW_KUBERNETES_PERSISTENT_VOLUME_CLAIMS": '{"c": "/mnt/c"}',
    "METAFLOW_KUBERNETES_SERVICE_ACCOUNT": "robot",
    "METAFLOW_KUBERNETES_CONTAINER_IMAGE": "i",
    "METAFLOW_KUBERNETES_CONTAINER_REGISTRY": "reg.example/",
    "METAFLOW_KUBERNETES_CPU": "3",
    "METAFLOW_KUBERNETES_SHARED_MEMORY": "64",
    "METAFLOW_KUBERNETES_PORT": "99",
    "METAFLOW_KUBERNETES_QOS": "Guaranteed",
}


def test_the_configuration_holds_for_steps_that_say_nothing(tmp_path: Path) -> None:
    made = exported(tmp_path, {"own": "@kubernetes(labels={'team': 'z'}, cpu=7)"}, CONFIGURED)
    found, own = (flat(pods(made)[name]) for name in ("start", "own"))
    sizes = {**REQUESTS, "cpu": "3"}
    expected = {
        "container.envFrom": [{"secretRef": {"name": name}} for name in "abc"],
        "metadata.labels": {"team": "x", "bare": ""},
        "metadata.annotations": {"note": "y", **ANNOTATIONS},
        "container.imagePullPolicy": "Always",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "k", "tolerationSeconds": 3}],
        "serviceAccountName": "robot",
        "container.image": "reg.example/i",
        "container.ports": [{"containerPort": 99}],
        "container.resources.requests": sizes,
        "container.resources.limits": sizes,
    }
    assert {key: found[key] for key in expected} == expected
    assert [mount["mountPath"] for mount in found["container.volumeMounts"]] == ["/dev/shm", "/mnt/c"]
    assert made["spec"]["imagePullSecrets"] == [{"name": "reg"}]
    assert own["metadata.labels"] == {"team": "z", "bare": ""}
    assert own["container.resources.limits"]["cpu"] == "7"
    assert own["container.envFrom"] == found["container.envFrom"]
    assert "env.METAFLOW_OWNER" not in found
    assert "env.METAFLOW_USER" in found


@pytest.mark.parametrize(
    ("decorators", "words"),
    [
        ("@resources(cpu='x')", ["@resources of step one", "cpu", "'x'", "number"]),
        ("@resources(cpu=0)", ["@resources of step one", "cpu", "greater than 0"]),
        ("@resources(memory=-1)", ["@resources of step one", "memory", "-1"]),
        ("@resources(gpu=1.5)", ["gpu", "1.5", "whole number"]),
        ("@resources(shared_memory='big')", ["shared_memory", "'big'"]),
        ("@kubernetes(cpu='x')", ["step one", "'x'", "number"]),
        ("@kubernetes(memory=0)", ["memory", "step one", "greater than 0"]),
        ("@kubernetes(gpu_vendor='acme')", ["acme", "step one"]),
        ("@kubernetes(qos='Best')", ["Best", "QoS"]),
        ("@kubernetes(image_pull_policy='Sometimes')", ["image_pull_policy", "Sometimes", "IfNotPresent"]),
        ("@kubernetes(image_pull_secrets=[1])", ["image_pull_secrets", "names"]),
        ("@kubernetes(secrets=[''])", ["secrets", "names"]),
        ("@kubernetes(tolerations={'key': 'k'})", ["olerations"]),
        ("@kubernetes(tolerations=[{'colour': 'k'}])", ["olerations", "colour"]),
        ("@kubernetes(tolerations=[{'key': 1}])", ["tolerations", "1"]),
        ("@kubernetes(labels={'a': 'b c'})", ["b c", "label"]),
        ("@kubernetes(labels={'a b': 'c'})", ["labels", "'a b'"]),
        ("@kubernetes(annotations={'a/b/c': 'd'})", ["annotations", "'a/b/c'"]),
        ("@kubernetes(annotations={'a': '{{workflow.name}}'})", ["annotations", "'{{'"]),
        ("@kubernetes(image='{{x}}')", ["image", "'{{'"]),
        ("@kubernetes(use_tmpfs=True, tmpfs_path='here')", ["tmpfs_path", "'here'", "absolute"]),
        ("@kubernetes(use_tmpfs=True, tmpfs_path='/')", ["tmpfs_path", "absolute"]),
        ("@kubernetes(persistent_volume_claims={'a': 'b'})", ["persistent_volume_claims", "'b'"]),
        ("@kubernetes(persistent_volume_claims=['a'])", ["persistent_volume_claims", "dictionary"]),
        ("@kubernetes(persistent_volume_claims={'a': '/x', 'b': '/x'})", ["two volumes", "/x"]),
        ("@kubernetes(port='http')", ["port", "'http'"]),
        ("@kubernetes(port=70000)", ["port", "70000"]),
        ("@kubernetes(security_context={'run_as': 5})", ["security_context", "'run_as'"]),
        ("@kubernetes(security_context={'run_as_user': 'me'})", ["security_context", "'me'", "run_as_user"]),
        ("@kubernetes(namespace='elsewhere')", ["one", "elsewhere", "default", "ARGO_NAMESPACE=elsewhere"]),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_sentence(
    tmp_path: Path, decorators: str, words: list[str]
) -> None:
    refuse(tmp_path, decorators, *words)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("METAFLOW_KUBERNETES_NODE_SELECTOR", "bare"),
        ("METAFLOW_KUBERNETES_TOLERATIONS", "[{"),
        ("METAFLOW_KUBERNETES_QOS", "Best"),
        ("METAFLOW_KUBERNETES_CPU", "many"),
        ("METAFLOW_KUBERNETES_LABELS", "a=b c"),
    ],
)
def test_a_configuration_that_are_not_valid(tmp_path: Path, name: str, value: str) -> None:
    refuse(tmp_path, "", "configuration", env={name: value})


@pytest.mark.parametrize(
    ("decorators", "words"),
    [
        ("@kubernetes(secrets=['keys'])", ["one", "keys", "secrets"]),
        ("@kubernetes(persistent_volume_claims={'disk': '/x'})", ["one", "disk", "persistent volumes"]),
    ],
)
def test_what_only_a_cluster_has_is_refused_by_the_embedded_argo(
    own_mfhera: Mfhera, decorators: str, words: list[str]
) -> None:
    (own_mfhera.folder / "many_flow.py").write_text(flow({"one": decorators}))
    refused(own_mfhera("create", "many_flow.py"), *words)
    assert own_mfhera.stored() == []


def test_a_namespace_may_be_that_of_the_deployment(tmp_path: Path) -> None:
    made = exported(tmp_path, {"one": "@kubernetes(namespace='team')"}, {"ARGO_NAMESPACE": "team"})
    assert made["metadata"]["namespace"] == "team"


def test_the_package_kubernetes_is_not_needed(tmp_path: Path) -> None:
    absent = tmp_path / "path" / "kubernetes"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError('not installed')")
    steps = {"one": "@kubernetes(tolerations=[{'key': 'k'}])"}
    made = exported(tmp_path, steps, {"PYTHONPATH": str(absent.parent)})
    assert pods(made)["one"]["tolerations"] == [{"key": "k"}]


def test_kubernetes_by_an_option_goes_with_local_data(tmp_path: Path) -> None:
    (tmp_path / "many_flow.py").write_text(flow({}))
    options = ("--with", 'kubernetes:cpu=2,labels={"a": "b"}', "--only-json")
    made = objects(at(tmp_path).ok("create", "many_flow.py", *options))[0]
    assert flat(pods(made)["end"])["metadata.labels"] == {"a": "b"}
    assert json.loads(json.dumps(made)) == made
