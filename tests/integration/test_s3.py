"""The S3 datastore, against a real S3 server of the tests' own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import long_logs
import pytest
import yaml
from harness import FakeArgo, Mfhera, clean_environment, refused
from moto.server import ThreadedMotoServer

BUCKET = "flows"
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mfhera]:
    """`mfhera` with an S3 server; nothing of it may go to the network."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    home = tmp_path_factory.mktemp("home")
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    client = boto3.client("s3", endpoint_url=url, **KEYS)
    client.create_bucket(Bucket=BUCKET)
    env = clean_environment(
        home,
        **keys,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=str(home / "no-config"),
        AWS_SHARED_CREDENTIALS_FILE=str(home / "no-credentials"),
        METAFLOW_S3_ENDPOINT_URL=url,
        METAFLOW_DATASTORE_SYSROOT_S3=f"s3://{BUCKET}/metaflow",
        METAFLOW_DATATOOLS_S3ROOT=f"s3://{BUCKET}/data",
        NO_PROXY="127.0.0.1",
    )
    command = Mfhera(home, home, env).at(home / "project")
    yield command
    command.stop()
    server.stop()


def test_a_flow_runs_with_all_its_data_in_s3(s3: Mfhera) -> None:
    s3.take("stored_flow.py")
    s3.ok("create", "stored_flow.py", "--datastore=s3", "--with", "retry:minutes_between_retries=0")
    run = s3.run()
    # Metaflow's client finds the artifacts through the metadata, and reads them from S3.
    tasks = s3.read(run["pathspec"])
    assert tasks["collect"]["all"] == "['A', 'B']"
    assert tasks["start"]["attempt"] == 1
    assert not list(s3.folder.rglob("*.data.json"))  # no artifact lies in the local datastore
    logs = s3.python("stored_flow.py", "--datastore=s3", "logs", f"{run['run_id']}/start")
    assert "attempt 1" in logs.stdout, logs.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_a_log_in_s3_may_be_larger_than_memory(s3: Mfhera) -> None:
    s3.take("linear_flow.py")
    s3.ok("create", "linear_flow.py", "--datastore=s3")
    run = s3.run()["run_id"]
    client = boto3.client("s3", endpoint_url=s3.env["METAFLOW_S3_ENDPOINT_URL"], **KEYS)
    for number, name in enumerate(("stdout", "stderr")):
        key = f"metaflow/LinearFlow/{run}/start/start/0.task_{name}.log"
        client.head_object(Bucket=BUCKET, Key=key)  # the runtime has stored it there
        client.put_object(Bucket=BUCKET, Key=key, Body=long_logs.stream(number))
    long_logs.check(s3, run, "start/start", [("--json",), ("--tail", "5")])


def test_doctor_writes_to_the_bucket_from_here_and_from_a_pod(s3: Mfhera) -> None:
    found = {each["what"]: each for each in s3.json("doctor", "--datastore=s3", "--probe", "--json")}
    assert {each["state"] for each in found.values()} == {"ok"}
    assert found["writable from here"]["found"].startswith(f"s3://{BUCKET}/metaflow")
    assert "datastore from a pod" in found


def test_doctor_on_a_cluster(s3: Mfhera) -> None:
    """All that is asked for, and tried, over HTTP; each thing is told once, and nothing is left."""
    s3.start()
    server = {"ARGO_SERVER": s3.server.url.partition("://")[2], "ARGO_TOKEN": s3.server.token}
    env = {**server, "ARGO_SECURE": "false", "ARGO_NAMESPACE": "default"}
    before = [*s3.server.names()]
    done = s3("doctor", "--datastore=s3", "--probe", "--json", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = [(each["part"], each["what"], each["state"]) for each in json.loads(done.stdout)]
    assert len(set(listed)) == len(listed)
    missing = {(part, what) for part, what, state in listed if state not in ("ok", "warning")}
    assert missing == {("permissions", "list workfloweventbindings"), ("permissions", "delete pods")}
    told = {what for part, what, _ in listed if part == "permissions"}
    assert {"patch workflows", "update cronworkflows", "delete workflowtemplates", "get pods/log"} <= told
    assert ("pods", "task results", "ok") in listed
    assert [*s3.server.names()] == before


def test_an_exit_hook_knows_the_failed_steps_in_s3(s3: Mfhera) -> None:
    s3.take("hooked_flow.py")
    s3.ok("create", "hooked_flow.py", "--datastore=s3")
    done = s3("trigger", "--wait", "--json", "--param", "fail=true")
    assert done.returncode == 1, done.stderr
    workflow = json.loads(done.stdout)["workflow"]
    lines = [path.read_text() for path in s3.home.rglob(f"{workflow}-exit-hooks-*.logs")]
    assert "mourn Failed ['work']" in "".join(lines)


def test_what_is_exported_for_an_instance_id_carries_it(s3: Mfhera) -> None:
    s3.take("event_flow.py", "schedule_flow.py")
    key = "workflows.argoproj.io/controller-instanceid"
    events = {f"METAFLOW_ARGO_EVENTS_{name}": "x" for name in ("EVENT", "EVENT_SOURCE", "SERVICE_ACCOUNT")}
    env = {"ARGO_SERVER": "argo.example:2746", "ARGO_NAMESPACE": "team", "ARGO_INSTANCEID": "blue", **events}

    def exported(*arguments: str) -> list[Any]:
        made = s3.json("create", *arguments, "--datastore=s3", "--only-json", env=env)
        return list(made["items"])

    bindings = exported("event_flow.py", "--events", "workflow-event-binding")[1:]
    template, sensor = exported("event_flow.py")
    crons = exported("schedule_flow.py")[1:]
    assert all(item["metadata"]["labels"][key] == "blue" for item in (template, *bindings, *crons))
    assert len(bindings) + len(crons) >= 2
    # A sensor makes its workflows without Argo's server, which would label them.
    inline = sensor["spec"]["triggers"][0]["template"]["k8s"]["source"]["inline"]
    assert yaml.safe_load(inline)["metadata"]["labels"] == {key: "blue"}
    del env["ARGO_INSTANCEID"]
    assert key not in json.dumps(exported("event_flow.py"))


def test_an_export_for_a_cluster_keeps_its_code_in_s3(s3: Mfhera, tmp_path: Path) -> None:
    s3.take("linear_flow.py")
    env = {"ARGO_SERVER": "argo.example:2746", "ARGO_NAMESPACE": "team"}
    made = s3.json("create", "linear_flow.py", "--datastore=s3", "--only-json", env=env)
    container = next(each for each in made["spec"]["templates"] if "container" in each)["container"]
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert variables["METAFLOW_CODE_DS"] == "s3"
    arguments = {each["name"]: each["value"] for each in made["spec"]["arguments"]["parameters"]}
    package = arguments["metaflow-code-package"]
    assert package.startswith(f"s3://{BUCKET}/metaflow/LinearFlow/data/")
    text = json.dumps(made)
    assert container["command"] == ["python"]
    assert made["metadata"]["namespace"] == variables["METAFLOW_KUBERNETES_NAMESPACE"] == "team"
    assert "METAFLOW_DATASTORE_SYSROOT_LOCAL" not in variables
    assert str(s3.home) not in text
    assert sys.executable not in text
    assert "AWS_SECRET_ACCESS_KEY" not in variables
    # A pod of a cluster has nothing but the package: it can be fetched with what the manifest says.
    key = package.removeprefix(f"s3://{BUCKET}/")
    script = (
        "import boto3, os, sys; boto3.client('s3', endpoint_url=os.environ['METAFLOW_S3_ENDPOINT_URL'])"
        f".download_file({BUCKET!r}, {key!r}, {str(tmp_path / 'code.tgz')!r})"
    )
    assert s3.python("-c", script).returncode == 0
    shutil.unpack_archive(tmp_path / "code.tgz", tmp_path / "code", "gztar")
    assert (tmp_path / "code" / "linear_flow.py").is_file()
    assert list((tmp_path / "code").rglob("metaflow_hera/runtime/pod.py"))
    assert not list((tmp_path / "code").rglob("metaflow_hera/embedded"))


KUBERNETES = """
from metaflow import FlowSpec, card, current, kubernetes, step


class AskingFlow(FlowSpec):
    @kubernetes(executable="/opt/conda/bin/python", tmpfs_size=10)
    @card(type="blank")
    @step
    def start(self):
        self.tempdir = current.tempdir
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    AskingFlow()
"""


def test_a_pod_of_a_cluster_starts_with_the_interpreter_of_its_image(s3: Mfhera) -> None:
    (s3.folder / "asking_flow.py").write_text(KUBERNETES)
    env = {"ARGO_SERVER": "argo.example:2746", "ARGO_NAMESPACE": "team"}
    made = s3.json("create", "asking_flow.py", "--datastore=s3", "--only-json", env=env)
    commands = [each["container"]["command"] for each in made["spec"]["templates"] if "container" in each]
    assert commands == [["/opt/conda/bin/python"], ["python"]]


def test_cards_are_in_s3_as_well(s3: Mfhera) -> None:
    (s3.folder / "asking_flow.py").write_text(KUBERNETES)
    s3.ok("create", "asking_flow.py", "--datastore=s3")
    run = s3.run()
    assert "/pods/" in s3.read(run["pathspec"])["start"]["tempdir"]
    listed = s3.python("asking_flow.py", "--datastore=s3", "card", "list", f"{run['run_id']}/start/start")
    assert f"s3://{BUCKET}/metaflow/mf.cards/AskingFlow" in listed.stdout + listed.stderr


def test_a_cluster_without_the_namespace_gets_nothing(s3: Mfhera) -> None:
    s3.take("linear_flow.py")
    server = FakeArgo(404, {"code": 5, "message": 'namespaces "team" not found'}, listed={"items": None})
    try:
        done = s3("create", "linear_flow.py", "--datastore=s3", env=server.env)
    finally:
        server.close()
    refused(done, "team", "not found")
    assert "POST" in server.calls  # it was told only when it tried to create


def test_a_bucket_that_is_not_there(s3: Mfhera) -> None:
    s3.take("linear_flow.py")
    env = {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://absent-bucket/metaflow"}
    before = s3.stored()
    refused(s3("create", "linear_flow.py", "--datastore=s3", env=env), "s3", "stored")
    assert s3.stored() == before
