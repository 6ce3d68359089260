"""What differs between two versions of a deployment, told of plain data."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
import yaml
from harness import TESTS

from metaflow_hera.argo.objects import containers_of
from metaflow_hera.argo.packages import stored_package
from metaflow_hera.comparison.comparing import compare
from metaflow_hera.comparison.records import (
    Difference,
    FieldChange,
    ObjectChange,
    ParameterChange,
    StartChange,
    difference_from_json,
)
from metaflow_hera.comparison.states import NOTHING, State
from metaflow_hera.metaflow_api.light.code_packages import METAFLOW, OURS, File, Package

JSON = dict[str, Any]
GOLDEN = sorted(path.stem for path in (TESTS / "golden").glob("*.yaml"))
SECRET = "xoxb-very-secret"


def version(name: str) -> list[JSON]:
    """The objects of a deployment in tests/golden."""
    return copy.deepcopy(_golden(name))


@cache
def _golden(name: str) -> list[JSON]:
    return list(yaml.safe_load_all((TESTS / "golden" / f"{name}.yaml").read_text()))


def of_kind(objects: list[JSON], kind: str) -> JSON:
    return next(item for item in objects if item["kind"] == kind)


def container(objects: list[JSON]) -> JSON:
    templates = of_kind(objects, "WorkflowTemplate")["spec"]["templates"]
    return next(each["container"] for each in templates if "container" in each)


def differ(old: list[JSON], new: list[JSON]) -> Difference:
    return compare("flow", State(old, Package()), State(new, Package()))


def fields(found: Difference, kind: str = "WorkflowTemplate") -> dict[str, tuple[Any, Any]]:
    (change,) = [each for each in found.objects if each.kind == kind]
    return {each.field: (each.old, each.new) for each in change.fields}


def as_a_server_has_it(item: Any, order: random.Random) -> Any:
    """As Argo 4.1.2 answers: other orders of keys, and the empty fields that Go does not leave out."""
    if isinstance(item, list):
        return [as_a_server_has_it(each, order) for each in item]
    if not isinstance(item, dict):
        return item
    found = {key: as_a_server_has_it(value, order) for key, value in item.items()}
    if "dag" in found or "container" in found:
        found = {"inputs": {}, "outputs": {}, "metadata": {}, **found}
    if "command" in found:
        found = {"name": "", "resources": {}, **found}
    if "creationTimestamp" not in found and "namespace" in found:
        found |= {
            "resourceVersion": "7",
            "uid": "u",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
    of_all = (found.get("podMetadata") or {}).get("annotations") or {}
    for each in found.get("templates") or ():
        if each.get("metadata", {}).get("annotations"):
            each["metadata"]["annotations"] |= of_all
    keys = list(found)
    order.shuffle(keys)
    return {key: found[key] for key in keys}


@pytest.mark.parametrize("name", GOLDEN)
def test_what_a_server_makes_of_objects_is_no_difference(name: str) -> None:
    objects = version(name)
    there = as_a_server_has_it(copy.deepcopy(objects), random.Random(name))
    for item in there:
        item.setdefault("status", {"active": []})
        item["metadata"]["labels"]["workflows.argoproj.io/creator"] = "system-serviceaccount-argo-x"
    assert not differ(there, objects)
    assert not differ(objects, there)


@pytest.mark.parametrize(
    ("one", "other"), [("linear", "split"), ("schedule", "schedules"), ("retry", "linear")]
)
def test_two_flows_differ_and_the_other_way_round_is_the_reverse(one: str, other: str) -> None:
    there, back = differ(version(one), version(other)), differ(version(other), version(one))
    assert there
    assert back
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(each.name, turned[each.action]) for each in there.parameters} == {
        (each.name, each.action) for each in back.parameters
    }
    assert {(each.name, turned[each.action]) for each in there.starts} == {
        (each.name, each.action) for each in back.starts
    }


def test_times_tokens_and_who_packed_it_are_no_difference_but_another_token_is_told_without_it() -> None:
    old, new = version("schedule"), version("schedule")
    for item in new:
        item["metadata"]["annotations"]["metaflow/deployment_timestamp"] = "2026-02-02T02:02:02+00:00"
    variables = container(new)["env"]
    for each in variables:
        if each["name"] == "METAFLOW_VERSION":
            each["value"] = json.dumps({"commit_sha": "abc", "username": "other"})
    assert not differ(old, new)
    text = json.dumps(new)
    token = of_kind(new, "WorkflowTemplate")["metadata"]["annotations"]["metaflow/production_token"]
    found = differ(old, json.loads(text.replace(token, SECRET)))
    assert found.about == (FieldChange("production token", "(hidden)", "(hidden)"),)
    assert found.objects == ()
    assert SECRET not in repr(found)


def test_the_owner_is_told_once() -> None:
    old = version("schedule")
    owner = old[0]["metadata"]["annotations"]["metaflow/owner"]
    new = json.loads(json.dumps(old).replace(f'"{owner}"', '"ann"'))
    found = differ(old, new)
    assert (found.about, found.objects) == ((FieldChange("owner", owner, "ann"),), ())


def parameters(**of: JSON) -> str:
    return json.dumps({name: {"name": name, "is_required": False, **about} for name, about in of.items()})


def with_parameters(note: str) -> list[JSON]:
    objects = version("types")
    template = of_kind(objects, "WorkflowTemplate")
    template["metadata"]["annotations"]["metaflow/parameters"] = note
    return objects


def test_parameters_in_words() -> None:
    alpha = {"type": "float", "value": "0.1", "description": "rate"}
    old = parameters(alpha=alpha, beta={"type": "int", "value": "1"}, gone={"type": "str", "value": "x"})
    new = parameters(
        alpha={**alpha, "value": "0.5"},
        beta={"type": "float", "value": "1"},
        must={"type": "str", "value": None, "is_required": True},
    )
    found = differ(with_parameters(old), with_parameters(new))
    assert found.parameters == (
        ParameterChange("alpha", "changed", [FieldChange("default", "0.1", "0.5")]),
        ParameterChange("beta", "changed", [FieldChange("type", "int", "float")]),
        ParameterChange(
            "gone", "removed", [FieldChange("type", "str", None), FieldChange("default", "x", None)]
        ),
        ParameterChange(
            "must", "added", [FieldChange("type", None, "str"), FieldChange("required", None, True)]
        ),
    )
    # What follows from them is not told again, but the template is another one.
    assert found.objects == (ObjectChange("WorkflowTemplate", "typesflow", "changed", ()),)


def test_the_file_of_an_include_file_is_known_by_its_content() -> None:
    def flow(url: str, size: int) -> list[JSON]:
        stored = json.dumps({"type": "uploader-v2", "url": url, "is_text": True, "size": size})
        return with_parameters(parameters(data={"type": "FilePath", "value": stored}))

    digest, other = "7632b68b990910555e4ef96d145b0e08e4072c9c", "4cc4ea165491aa"
    assert not differ(flow(f"s3://bucket/data/{digest}", 3), flow(f"elsewhere/{digest}", 3))
    (change,) = differ(flow(f"s3://b/{digest}", 3), flow(f"s3://b/{other}", 4)).parameters
    assert change.fields == [
        FieldChange(
            "default",
            "the file with the hash 7632b68b9909, 3 bytes",
            "the file with the hash 4cc4ea165491, 4 bytes",
        )
    ]


def test_schedules_in_words_and_the_rest_of_a_cron_workflow_by_field() -> None:
    old, new = version("schedule"), version("schedule")
    cron = of_kind(new, "CronWorkflow")
    before = f"{cron['spec']['schedules'][0]} ({cron['spec']['timezone']})"
    cron["spec"] |= {"schedules": ["0 3 * * *"], "timezone": "Europe/Berlin", "concurrencyPolicy": "Forbid"}
    found = differ(old, new)
    assert found.starts == (
        StartChange("schedule", before, "removed"),
        StartChange("schedule", "0 3 * * * (Europe/Berlin)", "added"),
    )
    assert fields(found, "CronWorkflow") == {"spec.concurrencyPolicy": ("Allow", "Forbid")}


def test_a_schedule_that_goes_takes_its_object_along() -> None:
    objects = version("schedule")
    found = differ(objects, [of_kind(objects, "WorkflowTemplate")])
    assert [(each.kind, each.action) for each in found.starts] == [("schedule", "removed")]
    assert [(each.kind, each.action) for each in found.objects] == [("CronWorkflow", "removed")]


def test_a_cron_workflow_that_somebody_suspended_is_the_same_version() -> None:
    old, new = version("schedule"), version("schedule")
    of_kind(old, "CronWorkflow")["spec"]["suspend"] = True
    assert not differ(old, new)


def test_events_in_words() -> None:
    old, new = version("event"), version("event")
    notes = of_kind(new, "WorkflowTemplate")["metadata"]["annotations"]
    (event,) = json.loads(notes["metaflow/triggers"])
    notes["metaflow/triggers"] = json.dumps([{"name": "other", "type": "event"}])
    assert differ(old, new).starts == (
        StartChange("event", event["name"], "removed"),
        StartChange("event", "other", "added"),
    )


def test_fields_are_named_by_what_has_a_name() -> None:
    old, new = version("linear"), version("linear")
    container(new)["image"] = "python:3.12"
    spec = of_kind(new, "WorkflowTemplate")["spec"]
    spec["ttlStrategy"] = {"secondsAfterSuccess": 60}
    of_kind(new, "WorkflowTemplate")["metadata"]["labels"]["team/x"] = "blue"
    found = fields(differ(old, new))
    assert found == {
        "metadata.labels[team/x]": (None, "blue"),
        "spec.templates[task].container.image": (container(old)["image"], "python:3.12"),
        "spec.ttlStrategy": (None, {"secondsAfterSuccess": 60}),
    }


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("1000m", "1", True),
        ("4096Mi", "4Gi", True),
        ("4000M", "4G", True),
        ("4096M", "4Gi", False),
        ("1e3", "1k", True),
        ("500m", "1", False),
        ("a lot", "a lot", True),
    ],
)
def test_a_quantity_is_what_it_is_worth(old: str, new: str, same: bool) -> None:
    before, after = version("linear"), version("linear")
    for objects, memory in ((before, old), (after, new)):
        container(objects)["resources"] = {"requests": {"memory": memory}}
    found = differ(before, after)
    assert bool(found) is not same
    if not same:
        assert fields(found) == {"spec.templates[task].container.resources.requests.memory": (old, new)}


def test_values_of_variables_that_may_be_secrets_are_never_shown() -> None:
    old, new = version("options"), version("options")
    env = container(new)["env"]
    kept = [each for each in env if each["name"] != "METAFLOW_HERA_ENCODED"]
    encoded = next(each for each in env if each["name"] == "METAFLOW_HERA_ENCODED")
    inside = json.loads(base64.b64decode(encoded["value"]))
    inside["PRICE"] = f"${SECRET}"
    more = [
        {"name": "METAFLOW_HERA_ENCODED", "value": base64.b64encode(json.dumps(inside).encode()).decode()},
        {"name": "API_KEY", "value": SECRET},
        {"name": "METAFLOW_SERVICE_HEADERS", "value": json.dumps({"x-api-key": SECRET})},
        {"name": "METAFLOW_HERA_HOOKS", "value": json.dumps({"places": {"slack": {"url": SECRET}}})},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}},
        {"name": "METAFLOW_HERA_SPLITS_PER_POD", "value": "7"},
        {"name": "EMPTY", "value": ""},
    ]
    container(new)["env"] = [*kept, *more]
    found = differ(old, new)
    assert SECRET not in repr(found)
    at = "spec.templates[task].container.env"
    assert fields(found) == {
        f"{at}[PRICE]": ("(hidden)", "(hidden)"),
        f"{at}[API_KEY]": (None, "(hidden)"),
        f"{at}[METAFLOW_SERVICE_HEADERS]": (None, "(hidden)"),
        f"{at}[METAFLOW_HERA_HOOKS]": (None, "(hidden)"),
        f"{at}[FROM]": (None, {"valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}),
        f"{at}[METAFLOW_HERA_SPLITS_PER_POD]": (None, "7"),
        f"{at}[EMPTY]": (None, "(hidden)"),
    }
    # Nor as part of a template that is new as a whole.
    without = copy.deepcopy(new)
    template = of_kind(without, "WorkflowTemplate")["spec"]
    template["templates"] = [each for each in template["templates"] if "container" not in each]
    found = differ(without, new)
    assert "(hidden)" in repr(found)
    assert SECRET not in repr(found)
    assert SECRET not in repr(differ(new, without))


def test_the_script_of_a_pod_is_this_packages_and_not_shown() -> None:
    old, new = version("linear"), version("linear")
    container(new)["args"] = ["-c", "import another"]
    name = "metaflow_hera's own script"
    assert fields(differ(old, new)) == {"spec.templates[task].container.args": (name, name)}


def test_an_empty_default_is_not_the_same_as_none() -> None:
    old, new = version("linear"), version("linear")
    template = next(
        each for each in of_kind(new, "WorkflowTemplate")["spec"]["templates"] if "inputs" in each
    )
    for each in template["inputs"]["parameters"]:
        each.pop("value", None)
    assert list(fields(differ(old, new)).values()) == [("", None)]


def test_an_export_leaves_the_namespace_open() -> None:
    old, new = version("linear"), version("linear")
    del old[0]["metadata"]["namespace"]
    assert not differ(old, new)
    old[0]["metadata"]["namespace"] = "other"
    assert fields(differ(old, new)) == {"metadata.namespace": ("other", new[0]["metadata"]["namespace"])}


def test_a_first_version_is_all_new() -> None:
    found = compare("flow", NOTHING, State(version("schedule"), Package({"a.py": file("x")})))
    assert found.is_new
    assert found
    assert [(each.kind, each.action) for each in found.objects] == [
        ("WorkflowTemplate", "added"),
        ("CronWorkflow", "added"),
    ]
    assert [(each.path, each.action) for each in found.files] == [("a.py", "added")]


def test_where_the_code_package_is() -> None:
    objects = version("linear")
    template = of_kind(objects, "WorkflowTemplate")
    arguments = template["spec"]["arguments"]["parameters"]
    url = next(each for each in arguments if each["name"] == "metaflow-code-package")
    url["value"] = "base64:czM6Ly9iLyR4"  # as it travels where Argo would change it
    package = stored_package(template)
    assert package is not None
    assert (package.url, package.datastore) == ("s3://b/$x", "local")
    arguments.remove(url)
    for container in containers_of(template):  # as Metaflow's own plugin tells it
        next(each for each in container["env"] if each["name"] == "METAFLOW_CODE_URL")["value"] = "s3://b/y"
    package = stored_package(template)
    assert package is not None
    assert package.url == "s3://b/y"
    for container in containers_of(template):
        container["env"] = []
    assert stored_package(template) is None


def file(text: str | bytes, is_executable: bool = False, keeps: bool = True) -> File:
    content = text.encode() if isinstance(text, str) else text
    return File(len(content), str(hash(content)), is_executable, content if keeps else None)


def packages(old: Package, new: Package) -> Difference:
    objects = version("linear")
    return compare("flow", State(objects, old), State(objects, new))


def test_files_line_by_line() -> None:
    old = Package({"a.py": file("1\n2\n"), "b.bin": file(b"\0a"), "c.py": file("x"), "same.py": file("s")})
    new = Package({"a.py": file("1\n3\n"), "b.bin": file(b"\0bc"), "d.py": file("y\n"), "same.py": file("s")})
    changes = {each.path: each for each in packages(old, new).files}
    assert list(changes) == ["a.py", "b.bin", "c.py", "d.py"]
    a, b, c, d = changes.values()
    assert a.diff == "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n"
    assert (a.action, a.inserted, a.deleted, a.old_size, a.new_size) == ("changed", 1, 1, 4, 4)
    assert (b.action, b.diff, b.old_size, b.new_size) == ("changed", None, 2, 3)
    assert c.diff == "--- a/c.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n"
    assert (c.action, c.new_size) == ("removed", None)
    assert (d.action, d.old_size, d.inserted) == ("added", None, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (file(b"\xff\xfe"), file("text")),
        (file("long", keeps=False), file("longer", keeps=False)),
    ],
)
def test_what_is_no_text_or_too_long_only_differs(old: File, new: File) -> None:
    (change,) = packages(Package({"f": old}), Package({"f": new})).files
    assert (change.action, change.diff, change.inserted) == ("changed", None, 0)


def test_lines_end_where_files_say_so() -> None:
    (change,) = packages(
        Package({"f": file("a\x0cb\u2028c\r\n")}), Package({"f": file("a\x0cb\u2028d\r\n")})
    ).files
    assert (change.inserted, change.deleted) == (1, 1)


def test_data_whose_lines_repeat_is_not_compared_line_by_line() -> None:
    """It would take difflib more than a minute."""
    old, new = ("".join(f"{number * 7919 % 500}\n" for number in range(250_000 + more)) for more in (0, 1))
    (change,) = packages(Package({"f": file(old)}), Package({"f": file(new)})).files
    assert (change.action, change.diff) == ("changed", None)
    # A long script whose lines differ is.
    old, new = ("".join(f"line {number}\n\n" for number in range(begin, 20_000)) for begin in (0, 1))
    (change,) = packages(Package({"f": file(old)}), Package({"f": file(new)})).files
    assert (change.deleted, change.inserted) == (2, 0)


def test_a_file_that_has_become_executable() -> None:
    (change,) = packages(Package({"f.sh": file("x")}), Package({"f.sh": file("x", True)})).files
    assert change.diff == "old mode 100644\nnew mode 100755\n"


def test_the_values_of_configs_are_a_file() -> None:
    old, new = Package(configs={"c": {"a": 1}}), Package(configs={"c": {"a": 2}})
    (change,) = packages(old, new).files
    assert change.path == "the values of Configs"
    assert '-    "a": 1\n+    "a": 2' in (change.diff or "")
    assert not packages(Package(configs={}), Package())


def test_metaflow_and_this_package_are_summed_up() -> None:
    was = Package(
        software={METAFLOW: {"m": file("1")}, OURS: {"o": file("1")}},
        versions={METAFLOW: "2.19.1", OURS: "1"},
    )
    will = Package(
        software={METAFLOW: {"m": file("2")}, OURS: {"o": file("2"), "p": file("")}},
        versions={METAFLOW: "2.19.3", OURS: "1"},
    )
    found = packages(was, will)
    assert found.software == (
        FieldChange("Metaflow", "2.19.1", "2.19.3"),
        FieldChange("metaflow_hera", "1", "1, 2 files changed"),
    )
    assert found.files == ()
    assert not packages(was, was)


def test_what_pods_are_told_beside_the_manifest() -> None:
    step = {"retries": {"user_code": 0}, "time_limit": None}
    was = Package(settings={"graph": 1, "top_level": ["--quiet"], "steps": {"start": step, "gone": step}})
    new_step = {"retries": {"user_code": 3}, "time_limit": 60}
    will = Package(settings={"graph": 2, "top_level": ["--quiet"], "steps": {"start": new_step, "new": step}})
    assert packages(was, will).settings == (
        FieldChange("steps.start.retries.user_code", 0, 3),
        FieldChange("steps.start.time_limit", None, 60),
    )


def test_what_a_decorator_of_the_command_line_is_given_is_not_shown() -> None:
    def flow(*options: str) -> Package:
        return Package(settings={"top_level": [*options, "--with", "hera_internal:a=1", "--quiet"]})

    old = flow("--with", "retry", "--metadata=local", "--branch", "a")
    new = flow("--with", f"environment:vars={SECRET}", "--metadata=service", "--branch", "b", "--production")
    found = packages(old, new)
    assert SECRET not in repr(found)
    assert {each.field: (each.old, each.new) for each in found.settings} == {
        "options[--with retry]": ("retry", None),
        "options[--with environment]": (None, "environment:(hidden)"),
        "options[--metadata]": ("local", "service"),
        "options[--branch]": ("a", "b"),
        "options[--production]": (None, ""),
    }
    other = flow("--with", "environment:vars=another", "--metadata=service", "--branch", "b", "--production")
    (change,) = packages(new, other).settings
    assert (change.old, change.new) == ("environment:(hidden)", "environment:(hidden)")


def test_a_package_that_is_gone_is_told_and_hides_no_other_difference() -> None:
    old, new = version("linear"), version("linear")
    container(new)["image"] = "python:3.12"
    found = compare("flow", State(old, None, "It is gone."), State(new, Package({"a.py": file("x")})))
    assert fields(found)
    assert (found.files, found.is_package_known, found.notes) == ((), False, ("It is gone.",))
    # Whether the code differs is not known: it is not told that it does not.
    assert compare("flow", State(old, None, "It is gone."), State(old, Package()))


@pytest.mark.parametrize(
    ("one", "other"), [("schedule", "event"), ("linear", "options"), ("types", "required")]
)
def test_it_is_the_same_after_a_journey_as_json(one: str, other: str) -> None:
    old, new = Package({"a": file("1")}), Package({"a": file("2")}, configs={"c": 1})
    found = compare("flow", State(version(one), old), State(version(other), new))
    text = json.dumps(asdict(found))
    assert json.dumps(asdict(difference_from_json(json.loads(text)))) == text
