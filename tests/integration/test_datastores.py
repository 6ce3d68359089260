"""Data in S3, Azure and Google: the same tests against a real server of each (`tests/emulators.py`)."""

from __future__ import annotations

import json
import shutil
import sys
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import emulators
import long_logs
import pytest
import yaml
from harness import EXAMPLES, FakeArgo, Mfhera, clean_environment, refused

WEATHER = EXAMPLES / "weather"
CLUSTER = {"ARGO_SERVER": "argo.example:2746", "ARGO_NAMESPACE": "team"}


@dataclass
class Remote:
    """`mfhera` for flows with their data in a datastore; nothing of it may go to the network."""

    store: emulators.Datastore
    mfhera: Mfhera

    @property
    def option(self) -> str:
        """What chooses the datastore."""
        return f"--datastore={self.store.kind}"

    def manifest(self, flow: str) -> Any:
        """What would be deployed at a cluster."""
        return self.mfhera.json("create", flow, self.option, "--only-json", env=CLUSTER)

    def metaflow(self, flow: str, *arguments: str) -> str:
        """What a command of Metaflow's own says of a flow."""
        done = self.mfhera.python(flow, self.option, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


# One worker has all tests of a datastore, and so its only server.
KINDS = {
    kind: pytest.param(kind, marks=pytest.mark.xdist_group(f"datastore-{kind}")) for kind in emulators.ALL
}
s3_alone = pytest.mark.parametrize("remote", [KINDS["s3"]], indirect=True)


@pytest.fixture(scope="module", params=KINDS.values())
def remote(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    home = tmp_path_factory.mktemp("home")
    with emulators.ALL[request.param]() as store:
        # Metaflow would start up to 64 processes to read a few small objects.
        few = {"METAFLOW_S3_WORKER_COUNT": "2"}
        env = clean_environment(home, **store.env, **few, NO_PROXY="127.0.0.1")
        command = Mfhera(home, home, env).at(home / "project")
        command.start()  # pods have the credentials with which it starts
        yield Remote(store, command)
        command.stop()


def test_the_weather_example(remote: Remote) -> None:
    """A file that a run is given, tasks that share a pod, the log of a task and its end."""
    mfhera = remote.mfhera
    mfhera.take(WEATHER / "weather_flow.py", WEATHER / "seattle_weather.csv")
    with (WEATHER / "seattle_weather.csv").open() as whole, (mfhera.folder / "winter.csv").open("w") as part:
        part.writelines(next(whole) for _ in range(80))
    mfhera.ok("create", "weather_flow.py", remote.option, "--splits-per-pod=2")
    run = mfhera.run("weather_flow.py", remote.option, "--param", "observations=winter.csv")
    tasks = mfhera.read(run["pathspec"])
    assert sorted(tasks) == ["end", "join", "month/0", "month/1", "month/2", "start"]
    months = [each["month"] for each in literal_eval(tasks["end"]["summaries"])]
    assert months == ["2012-01", "2012-02", "2012-03"]
    assert not list(mfhera.folder.rglob("*.data.json"))  # no artifact lies in the local datastore
    shown = mfhera.ok("logs", run["run_id"], "start")
    assert "79 days in 3 months" in shown
    last = mfhera.ok("logs", run["run_id"], "end", "--stdout", "--tail", "1")
    assert last == "end/end: The wettest month was 2012-01, with 173 mm of rain.\n"
    # So does Metaflow's own command.
    assert "79 days in 3 months" in remote.metaflow("weather_flow.py", "logs", f"{run['run_id']}/start")
    if remote.store.kind != "gs":  # its emulator takes no empty file
        remote.store.put(f"WeatherFlow/{run['run_id']}/end/end/0.task_stdout.log", b"")
        for tail in ([], ["--tail", "1"]):
            assert not mfhera.ok("logs", run["run_id"], "end", "--stdout", *tail)


def test_a_run_that_an_event_starts_fails_and_is_gone_on_with(remote: Remote) -> None:
    """A failed attempt, a card, a hook that is told what failed, and Metaflow's resume after a change."""
    mfhera = remote.mfhera
    mfhera.take("remote_flow.py")
    mfhera.ok("create", "remote_flow.py", remote.option)
    mfhera.ok("emit", "remote.ready", "--payload", "letters=ab")
    mfhera.wait_until(lambda: list(mfhera.phases("remoteflow").values()) == ["Failed"])
    (run,) = mfhera.phases("remoteflow")
    cards = remote.metaflow("remote_flow.py", "card", "list", f"{run}/start")
    assert f"{remote.store.root}/mf.cards/RemoteFlow" in cards
    lines = [path.read_text() for path in mfhera.home.rglob(f"{run[5:]}-exit-hooks-*.logs")]
    assert "mourn Failed ['work']" in "".join(lines)
    script = mfhera.folder / "remote_flow.py"
    script.write_text(script.read_text().replace('raise ValueError("no b")', "pass"))
    remote.metaflow("remote_flow.py", "resume", "--origin-run-id", run, "--run-id-file", "resumed")
    tasks = mfhera.read(f"RemoteFlow/{(mfhera.folder / 'resumed').read_text()}")
    assert tasks["end"]["all"] == "['A', 'B']"


def test_versions(remote: Remote) -> None:
    """The history is in the datastore too, and keeps the last versions."""
    mfhera = remote.mfhera
    mfhera.take("linear_flow.py")
    few = {"METAFLOW_HERA_HISTORY": "3"}
    for number in range(4):
        with (mfhera.folder / "linear_flow.py").open("a") as script:
            script.write(f"# {number}\n")
        mfhera.ok("create", "linear_flow.py", remote.option, "--name", "kept", env=few)
    found = mfhera.json("versions", "--name", "kept", "--json")
    assert [each["version"] for each in found] == [4, 3, 2]
    assert all(each["package"].startswith(f"{remote.store.root}/LinearFlow/data/") for each in found)
    assert mfhera.json("rollback", "--name", "kept", "--json", env=few)["version"] == 5
    again = mfhera.json("versions", "--name", "kept", "--json")
    assert [each["version"] for each in again] == [5, 4, 3]
    assert again[0]["package"] == found[1]["package"]
    refused(mfhera("rollback", "--name", "kept", "--to", "2"), "kept has no version 2 in its history")
    assert not list(mfhera.folder.rglob("mfhera-versions"))
    mfhera.ok("delete", "--name", "kept")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_a_log_may_be_larger_than_memory(remote: Remote) -> None:
    mfhera = remote.mfhera
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", remote.option)
    run = mfhera.run()["run_id"]
    for number, name in enumerate(("stdout", "stderr")):
        # Where the runtime has stored it.
        remote.store.put(f"LinearFlow/{run}/start/start/0.task_{name}.log", long_logs.stream(number))
    long_logs.check(mfhera, run, "start/start", [("--json",), ("--tail", "5")])


def test_an_export_for_a_cluster_keeps_its_code_in_the_datastore(remote: Remote, tmp_path: Path) -> None:
    mfhera, store = remote.mfhera, remote.store
    mfhera.take("linear_flow.py")
    made = remote.manifest("linear_flow.py")
    container = next(each for each in made["spec"]["templates"] if "container" in each)["container"]
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert variables["METAFLOW_CODE_DS"] == variables["METAFLOW_DEFAULT_DATASTORE"] == store.kind
    arguments = {each["name"]: each["value"] for each in made["spec"]["arguments"]["parameters"]}
    package = arguments["metaflow-code-package"]
    assert package.startswith(f"{store.root}/LinearFlow/data/")
    # What Metaflow's own plugin passes to pods; what says who they are is theirs.
    settings = {name: value for name, value in store.env.items() if name.startswith("METAFLOW_")}
    assert settings.items() <= variables.items()
    assert not (store.env.keys() - settings.keys()) & variables.keys()
    text = json.dumps(made)
    assert container["command"] == ["python"]
    assert made["metadata"]["namespace"] == variables["METAFLOW_KUBERNETES_NAMESPACE"] == "team"
    assert "METAFLOW_DATASTORE_SYSROOT_LOCAL" not in variables
    assert str(mfhera.home) not in text
    assert sys.executable not in text
    # A pod of a cluster has nothing but that, and an identity: the package can be fetched with it.
    env = {name: value for name, value in variables.items() if value is not None and "{{" not in value}
    program = container["args"][1].rpartition("if __name__")[0] + (
        f"globals()['fetch_' + os.environ['METAFLOW_CODE_DS']]({package!r}, {str(tmp_path / 'code.tgz')!r})"
    )
    done = mfhera.python("-c", program, env=env)
    assert done.returncode == 0, done.stderr
    shutil.unpack_archive(tmp_path / "code.tgz", tmp_path / "code", "gztar")
    assert (tmp_path / "code" / "linear_flow.py").is_file()
    assert list((tmp_path / "code").rglob("metaflow_hera/runtime/pod.py"))
    assert not list((tmp_path / "code").rglob("metaflow_hera/embedded"))


def test_diff_compares_with_the_code_in_the_datastore(remote: Remote) -> None:
    mfhera = remote.mfhera
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", remote.option, "--name", "compared")
    compare = ("diff", "linear_flow.py", remote.option, "--name", "compared")
    assert mfhera(*compare).returncode == 0
    with (mfhera.folder / "linear_flow.py").open("a") as file:
        file.write("# more\n")
    done = mfhera(*compare)
    assert done.returncode == 1, done.stderr
    assert "\n+# more\n" in done.stdout
    assert "not compared" not in done.stdout
    mfhera.ok("delete", "--name", "compared")


ABSENT = {
    "s3": {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://absent/metaflow"},
    "azure": {"METAFLOW_DATASTORE_SYSROOT_AZURE": "absent/metaflow"},
    "gs": {"METAFLOW_DATASTORE_SYSROOT_GS": "gs://absent/metaflow"},
}


def test_a_bucket_that_is_not_there(remote: Remote) -> None:
    mfhera = remote.mfhera
    mfhera.take("linear_flow.py")
    before = mfhera.stored()
    done = mfhera("create", "linear_flow.py", remote.option, env=ABSENT[remote.store.kind])
    refused(done, remote.store.kind, "stored")
    assert mfhera.stored() == before


NOBODY = {
    "s3": {"AWS_ACCESS_KEY_ID": "of another day"},
    "azure": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9"},  # nothing listens there
    "gs": {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/account.json"},
}


def test_credentials_that_are_none(remote: Remote) -> None:
    mfhera = remote.mfhera
    mfhera.take("linear_flow.py")
    done = mfhera("create", "linear_flow.py", remote.option, env=NOBODY[remote.store.kind])
    refused(done, remote.store.kind, "stored")


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


@s3_alone
def test_a_pod_of_a_cluster_starts_with_the_interpreter_of_its_image(remote: Remote) -> None:
    mfhera = remote.mfhera
    (mfhera.folder / "asking_flow.py").write_text(KUBERNETES)
    made = remote.manifest("asking_flow.py")
    commands = [each["container"]["command"] for each in made["spec"]["templates"] if "container" in each]
    assert commands == [["/opt/conda/bin/python"], ["python"]]
    mfhera.ok("create", "asking_flow.py", remote.option)  # here there is but one
    assert "/pods/" in mfhera.read(mfhera.run()["pathspec"])["start"]["tempdir"]


@s3_alone
def test_a_cluster_without_the_namespace_gets_nothing(remote: Remote) -> None:
    remote.mfhera.take("linear_flow.py")
    server = FakeArgo(404, {"code": 5, "message": 'namespaces "team" not found'}, listed={"items": None})
    try:
        done = remote.mfhera("create", "linear_flow.py", remote.option, env=server.env)
    finally:
        server.close()
    refused(done, "team", "not found")
    assert "POST" in server.calls  # it was told only when it tried to create


def test_doctor_writes_from_here_and_from_a_pod(remote: Remote) -> None:
    listed = remote.mfhera.json("doctor", remote.option, "--probe", "--json")
    found = {each["what"]: each for each in listed}
    assert {each["state"] for each in found.values()} == {"ok"}, listed
    assert found["writable from here"]["found"].startswith(remote.store.root)
    assert "datastore from a pod" in found


@s3_alone
def test_doctor_on_a_cluster(remote: Remote) -> None:
    """All that is asked for, and tried, over HTTP; each thing is told once, and nothing is left."""
    mfhera = remote.mfhera
    mfhera.start()
    server = {"ARGO_SERVER": mfhera.server.url.partition("://")[2], "ARGO_TOKEN": mfhera.server.token}
    env = {**server, "ARGO_SECURE": "false", "ARGO_NAMESPACE": "default"}
    before = [*mfhera.server.names()]
    done = mfhera("doctor", remote.option, "--probe", "--json", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = [(each["part"], each["what"], each["state"]) for each in json.loads(done.stdout)]
    assert len(set(listed)) == len(listed)
    missing = {(part, what) for part, what, state in listed if state not in ("ok", "warning")}
    assert missing == {("permissions", "list workfloweventbindings"), ("permissions", "delete pods")}
    told = {what for part, what, _ in listed if part == "permissions"}
    assert {"patch workflows", "update cronworkflows", "delete workflowtemplates", "get pods/log"} <= told
    assert ("pods", "task results", "ok") in listed
    assert [*mfhera.server.names()] == before


@s3_alone
def test_what_is_exported_for_an_instance_id_carries_it(remote: Remote) -> None:
    remote.mfhera.take("event_flow.py", "schedule_flow.py")
    key = "workflows.argoproj.io/controller-instanceid"
    events = {f"METAFLOW_ARGO_EVENTS_{name}": "x" for name in ("EVENT", "EVENT_SOURCE", "SERVICE_ACCOUNT")}
    env = {**CLUSTER, "ARGO_INSTANCEID": "blue", **events}

    def exported(*arguments: str) -> list[Any]:
        made = remote.mfhera.json("create", *arguments, remote.option, "--only-json", env=env)
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
