"""Configs, included files and Parameters of every type, on their way into every task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Mfhera, assert_same, refused
from recorded_flows import Record

CONFIGS = ("config_flow.py", "config_flow.json", "config_flow.txt")
INCLUDE = ("include_flow.py", "include_flow.txt")


def test_configs_are_what_metaflows_own_run_has(mfhera: Mfhera, record: Record) -> None:
    mfhera.take(*CONFIGS)
    mfhera.ok("create", "config_flow.py")
    for file in CONFIGS[1:]:
        # The values are those of the deployment.
        (mfhera.folder / file).rename(mfhera.folder / f"moved_{file}")
    tasks = mfhera.read(mfhera.run()["pathspec"])
    for file in CONFIGS[1:]:
        (mfhera.folder / f"moved_{file}").rename(mfhera.folder / file)
    theirs = record.by_metaflow("config_flow.py", mfhera, "config_flow.py")
    for task in (*tasks.values(), *theirs.values()):
        task.pop("beside", None)  # a file that Metaflow's own run sees in the working folder
    assert_same(theirs, tasks, "by Metaflow", "by mfhera", "config_flow.py")
    assert "configured" in tasks["end"]["project"]
    assert "{{x}} $HOME" in tasks["start"]["variables"]


def test_configs_given_at_create_reach_every_task(mfhera: Mfhera) -> None:
    mfhera.take(*CONFIGS)
    (mfhera.folder / "other.json").write_text('{"word": "other", "items": [7], "default": "d"}')
    settings = {"project": "changed", "parameters": {"added": 5, "more": "m"}, "odd": "é\n'\"$(x)"}
    made = mfhera.json(
        "create",
        *("--config", "file", "other.json"),
        *("--config-value", "settings", json.dumps(settings)),
        "config_flow.py",
        "--json",
    )
    assert made["name"] == "changed.user.tester.configflow"
    run = mfhera.run("--name", made["name"], "--param", "more=given", "--param", "given=g")
    tasks = mfhera.read(run["pathspec"])
    assert tasks["start"]["added"] == "5"
    assert tasks["start"]["more"] == "'given'"
    assert tasks["start"]["given"] == "'g'"
    assert eval(tasks["join"]["all"]) == [(7, settings["odd"], "1", "other")]
    assert "project:changed" in tasks["end"]["tags"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"settings": "kv.settings"}, "configured.user.tester.configflow"),
        ({"settings": {"project": "mine", "parameters": {}, "odd": ""}}, "mine.user.tester.configflow"),
    ],
    ids=["of the pod's flow", "of the user"],
)
def test_a_task_deploys_with_configs_of_its_own(mfhera: Mfhera, values: dict[str, Any], name: str) -> None:
    """In a pod the environment says where those of the pod's flow are, which may have the same names."""
    mfhera.take(*CONFIGS)
    pod = {"METAFLOW_FLOW_NAME": "OtherFlow", "METAFLOW_FLOW_CONFIG_VALUE": json.dumps(values)}
    made = json.loads(mfhera.ok("create", "config_flow.py", "--only-json", env=pod))
    assert made["metadata"]["name"] == name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--config-value", "settings", '{"project": '], "not valid JSON"),
        (["--config", "file", "absent.json"], "absent.json"),
        (["--config", "nosuch", "config_flow.json"], "nosuch"),
        (["--config", "file", "config_flow.json", "--config-value", "file", "{}"], "both"),
        (["--config-value", "settings", "[]"], "settings"),
        (["--config", "text", "config_flow.json"], "text"),
    ],
)
def test_configs_that_are_not_valid(mfhera: Mfhera, options: list[str], words: str) -> None:
    mfhera.take(*CONFIGS)
    before = mfhera.stored()
    refused(mfhera("create", "config_flow.py", *options), words)
    assert mfhera.stored() == before


def test_a_default_file_of_a_config_that_is_missing(mfhera: Mfhera) -> None:
    mfhera.take(CONFIGS[0], CONFIGS[2])
    refused(mfhera("create", "config_flow.py"), "config_flow.json")


def test_files_and_values_of_every_type(mfhera: Mfhera) -> None:
    mfhera.take(*INCLUDE)
    (mfhera.folder / "raw.bin").write_bytes(b"\x00\xff")
    (mfhera.folder / "mine.txt").write_text("mine")
    mfhera.ok("create", "include_flow.py")
    by_metaflow = ("--raw", "raw.bin", "--flag", "yes", "--a-table", "[1, null]", "--lines", "a\nb")
    done = mfhera.python("include_flow.py", "hera", "trigger", *by_metaflow, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    first = mfhera.read(json.loads(done.stdout)["pathspec"])
    assert first["end"]["seen"] == repr(("the default\n", b"\x00\xff", True, 1, [1, None], "a\nb", ""))
    params = ("raw=raw.bin", "flag=no", "data=mine.txt", "count=-2", 'a-table={"a": "ü"}')
    given = [word for param in params for word in ("--param", param)]
    second = mfhera.read(mfhera.run("include_flow.py", *given)["pathspec"])
    assert second["end"]["seen"] == repr(("mine", b"\x00\xff", False, -2, {"a": "ü"}, "one\ntwo", ""))
    # A required value that is missing, a file that is missing, no script to say how a file is stored.
    refused(mfhera("trigger", "--param", "flag=1"), "'raw' is required")
    refused(mfhera("trigger", "include_flow.py", "--param", "flag=1", "--param", "raw=no.bin"), "no.bin")
    refused(mfhera("trigger", "--param", "flag=1", "--param", "raw=raw.bin"), "FLOW.py")


def test_the_default_of_an_included_file_that_is_missing(mfhera: Mfhera, tmp_path: Path) -> None:
    mfhera.take(INCLUDE[0])
    before = mfhera.stored()
    refused(mfhera("create", "include_flow.py"), "include_flow.txt")
    assert mfhera.stored() == before


def test_the_default_is_that_of_the_deployment(mfhera: Mfhera) -> None:
    """A script that has changed since does not change what a run is given."""
    mfhera.take("types_flow.py")
    mfhera.ok("create", "types_flow.py")
    script = mfhera.folder / "types_flow.py"
    script.write_text(script.read_text().replace('"hello"', '"changed"').replace("default=3", "default=4"))
    done = mfhera.python("types_flow.py", "hera", "trigger", "--ratio", "0.5", "--wait", "--json")
    tasks = mfhera.read(json.loads(done.stdout)["pathspec"])
    assert (tasks["end"]["text"], tasks["end"]["number"], tasks["end"]["ratio"]) == ("'hello'", "3", "0.5")
    assert tasks["end"]["with_hyphen"] == "'$HOME {{x}}'"
