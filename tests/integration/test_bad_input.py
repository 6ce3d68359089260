"""Bad input: each gets one clear sentence on stderr and exit code 2, and nothing is deployed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import any_argo
import pytest
from harness import EXAMPLES, FakeArgo, Mfhera, clean_environment, environment, refused

FLOW = "parameter_flow.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mfhera]:
    """An Argo with one deployment, `requiredflow`, made from the folder `deployed`."""
    home = tmp_path_factory.mktemp("home")
    command = Mfhera(home, home, environment(home)).at(home / "deployed")
    if any_argo.real():
        command.stop()
    command.take("required_flow.py")
    command.ok("create", "required_flow.py")
    yield command
    command.stop()


@pytest.fixture
def deployed(server: Mfhera) -> Iterator[Mfhera]:
    """A folder with a deployment; a test must leave the server's deployments and runs as they were."""
    before = server.stored()
    yield server
    assert server.stored() == before


@pytest.fixture
def elsewhere(deployed: Mfhera, tmp_path: Path) -> Mfhera:
    """Another folder, from which nothing was deployed yet."""
    return deployed.at(tmp_path / "elsewhere")


class TestFlows:
    """What `create` is given that it cannot deploy."""

    @pytest.mark.parametrize("form", [[], ["--only-json"]], ids=["deploy", "export"])
    def test_no_such_file(self, elsewhere: Mfhera, form: list[str]) -> None:
        refused(elsewhere("create", "absent.py", *form), "no file absent.py")

    def test_a_folder_in_place_of_a_file(self, elsewhere: Mfhera) -> None:
        refused(elsewhere("create", "."), "no file")

    def test_not_a_flow(self, elsewhere: Mfhera) -> None:
        (elsewhere.folder / "script.py").write_text("flow = None\n")
        refused(elsewhere("create", "script.py"), "script.py has no flow")

    def test_not_python(self, elsewhere: Mfhera) -> None:
        (elsewhere.folder / "notes.txt").write_text("some notes")
        refused(elsewhere("create", "notes.txt"), "notes.txt is not a Python file")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("def f(:\n", "SyntaxError"),
            ("import absent_module\n", "absent_module"),
            ("raise SystemExit(3)\n", "SystemExit"),
        ],
    )
    def test_a_script_that_cannot_be_imported(self, elsewhere: Mfhera, text: str, words: str) -> None:
        (elsewhere.folder / "broken.py").write_text(text)
        refused(elsewhere("create", "broken.py"), "broken.py cannot be imported", words)

    def test_a_flow_that_fails_the_lint(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        script = elsewhere.folder / "linear_flow.py"
        script.write_text(script.read_text().replace("self.next(self.end)", "pass"))
        refused(elsewhere("create", "linear_flow.py"), "middle", "self.next()")

    def test_a_flow_that_is_never_started(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        text = (elsewhere.folder / "linear_flow.py").read_text()
        (elsewhere.folder / "never.py").write_text(text.partition("if __name__")[0])
        refused(elsewhere("create", "never.py"), "does not start its flow", "__main__", "LinearFlow()")

    def test_a_script_that_asks(self, elsewhere: Mfhera) -> None:
        (elsewhere.folder / "asks.py").write_text("name = input()\n")
        refused(elsewhere("create", "asks.py"), "EOFError", "nobody who types", "Parameter")

    def test_an_unknown_option(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        done = elsewhere("create", "linear_flow.py", "--max-worker", "3")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert "--max-worker" in last
        assert "--max-workers" in last  # the near one

    @pytest.mark.parametrize(
        "options", [["--with", "no_such_decorator"], ["--datastore", "floppy"], ["--metadata", "none"]]
    )
    def test_an_option_value_that_metaflow_does_not_know(self, elsewhere: Mfhera, options: list[str]) -> None:
        elsewhere.take("linear_flow.py")
        refused(elsewhere("create", "linear_flow.py", *options), options[1])

    @pytest.mark.parametrize("name", ["Upper", "with_underscore", "-a", "a" * 46, ""])
    def test_a_name_that_argo_does_not_take(self, elsewhere: Mfhera, name: str) -> None:
        elsewhere.take("linear_flow.py")
        refused(elsewhere("create", "linear_flow.py", f"--name={name}"), "--name")

    def test_a_deploy_time_function_that_fails(self, elsewhere: Mfhera) -> None:
        elsewhere.take("deploy_time_flow.py")
        script = elsewhere.folder / "deploy_time_flow.py"
        script.write_text(script.read_text().replace("return f", "raise OSError('no network') or f"))
        refused(elsewhere("create", "deploy_time_flow.py"), "where", "no network")

    def test_two_parameters_of_the_same_name(self, elsewhere: Mfhera) -> None:
        text = (EXAMPLES / FLOW).read_text()
        assert "    alpha = " in text
        twice = text.replace("    alpha = ", "    beta = Parameter('alpha')\n    alpha = ")
        (elsewhere.folder / FLOW).write_text(twice)
        refused(elsewhere("create", FLOW), "2 Parameters named 'alpha'", "rename")

    def test_a_file_that_hides_metaflow(self, elsewhere: Mfhera) -> None:
        flows = elsewhere.folder / "flows"
        flows.mkdir()
        shutil.copy(EXAMPLES / FLOW, flows)
        (flows / "metaflow.py").touch()
        refused(elsewhere("create", f"flows/{FLOW}"), "metaflow.py", "another name")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--branch", "test"], "@project"),
            (["--production"], "@project"),
            (["--metadata", "service"], "METAFLOW_SERVICE_URL"),
            (["--with", "retry:times=x"], "does not accept @retry"),
            (["--with", "retri"], "Did you mean retry?"),
        ],
    )
    def test_an_option_that_the_flow_or_the_machine_lacks_something_for(
        self, elsewhere: Mfhera, options: list[str], words: str
    ) -> None:
        elsewhere.take("linear_flow.py")
        refused(elsewhere("create", "linear_flow.py", *options), words)

    def test_a_schedule_for_a_flow_whose_parameter_must_be_given(self, elsewhere: Mfhera) -> None:
        elsewhere.take("schedule_flow.py")
        script = elsewhere.folder / "schedule_flow.py"
        script.write_text(script.read_text().replace("default=0.5", "type=float, required=True"))
        refused(elsewhere("create", "schedule_flow.py"), "'alpha'", "@schedule")

    def test_output_without_a_form(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        refused(elsewhere("create", "linear_flow.py", "--output", "x"), "--only-json")

    def test_an_output_that_cannot_be_written(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        done = elsewhere("create", "linear_flow.py", "--only-json", "--output", "absent/x.json")
        refused(done, "absent/x.json", "cannot be written")


class TestParameters:
    """What `trigger` is given for Parameters."""

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--param", "alpha"], ["'alpha'", "NAME=VALUE"]),
            (["--param", "=1"], ["NAME=VALUE"]),
            (["--param", "alfa=1"], ["'alfa'", "did you mean alpha"]),
            (["--param", "alpha=abc"], ["'alpha'", "a float", "'abc'"]),
            (["--param", "alpha=1", "--param", "count=1.5"], ["'count'", "an int", "'1.5'"]),
            (["--param", "alpha=1", "--param", "flag=maybe"], ["'flag'", "boolean", "'maybe'"]),
            (["--param", "alpha=1", "--param", "table={"], ["'table'", "JSON"]),
            ([], ["'alpha'", "required", "--param alpha=VALUE"]),
        ],
        ids=["no-equals", "no-name", "unknown", "float", "int", "bool", "json", "missing"],
    )
    def test_a_value_that_does_not_fit(self, deployed: Mfhera, given: list[str], words: list[str]) -> None:
        refused(deployed("trigger", *given), *words)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{", "is not JSON"),
            ("[1]", "JSON object"),
            ('{"alpha": "abc"}', "'alpha'"),
            ('{"alpha": 1, "nope": 2}', "'nope'"),
            (None, "cannot be read"),
        ],
        ids=["not-json", "a-list", "type", "unknown", "absent"],
    )
    def test_a_file_of_values_that_does_not_fit(
        self, deployed: Mfhera, tmp_path: Path, text: str | None, words: str
    ) -> None:
        file = tmp_path / "values.json"
        if text is not None:
            file.write_text(text)
        refused(deployed("trigger", "--params-file", str(file)), words)

    def test_a_run_id_file_that_cannot_be_written(self, deployed: Mfhera) -> None:
        done = deployed("trigger", "--param", "alpha=1", "--run-id-file", "absent/id")
        refused(done, "absent/id", "cannot be written")


class TestDeployments:
    """A deployment that is not there."""

    @pytest.mark.parametrize("verb", ["trigger", "status", "runs"])
    def test_nothing_was_deployed_from_here(self, elsewhere: Mfhera, verb: str) -> None:
        refused(elsewhere(verb), "Nothing has been deployed from this folder", "mfhera create")

    def test_trigger_of_a_flow_that_was_not_deployed(self, elsewhere: Mfhera) -> None:
        elsewhere.take("linear_flow.py")
        refused(elsewhere("trigger", "linear_flow.py"), "no deployment linearflow", "mfhera create")

    def test_trigger_of_a_flow_whose_deployment_has_gone(self, deployed: Mfhera, tmp_path: Path) -> None:
        place = deployed.at(tmp_path / "gone")
        place.take("linear_flow.py")
        place.ok("create", "linear_flow.py", "--name", "soon-gone")
        place.ok("delete", "--name", "soon-gone")
        refused(place("trigger"), "no deployment soon-gone", "mfhera create")

    def test_delete_of_what_is_not_there(self, elsewhere: Mfhera) -> None:
        refused(elsewhere("delete", "--name", "absent"), "no deployment absent")
        refused(elsewhere("delete"), "what to delete")

    @pytest.mark.parametrize("run", ["argo-absent-x7k2p", "RequiredFlow/argo-absent", "argo-"])
    def test_status_of_a_run_that_is_not_there(self, deployed: Mfhera, run: str) -> None:
        refused(deployed("status", run), "run")


S3 = {
    "METAFLOW_DATASTORE_SYSROOT_S3": "s3://absent/metaflow",
    "METAFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9",  # nothing listens there
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_EC2_METADATA_DISABLED": "true",
}
COMMANDS = {
    "create": ["create", FLOW, "--datastore=s3"],
    "trigger": ["trigger", "--name", "some-flow"],
    "list": ["list"],
    "runs": ["runs", "--name", "some-flow"],
    "backfill": ["backfill", "--name", "some-flow", "--from", "2025-10-01", "--dry-run"],
    "open": ["open", "argo-some-run"],
    "status": ["status", "argo-some-run"],
    "delete": ["delete", "--name", "some-flow"],
}
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def cluster_user(tmp_path: Path) -> Mfhera:
    """Somebody with an S3 datastore who uses a cluster's Argo."""
    home = tmp_path / "home"
    command = Mfhera(home, home, clean_environment(home, **S3)).at(tmp_path / "project")
    command.take(EXAMPLES / FLOW)
    return command


class TestServers:
    """A server of ARGO_SERVER that does not answer, or says no."""

    @every_command
    def test_nobody_listens(self, cluster_user: Mfhera, command: list[str]) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        env = {"ARGO_SERVER": f"127.0.0.1:{port}", "ARGO_NAMESPACE": "team", "NO_PROXY": "127.0.0.1"}
        refused(cluster_user(*command, env=env), f"127.0.0.1:{port}", "cannot be reached", "ARGO_SERVER")

    def test_a_server_that_accepts_and_never_answers(self, cluster_user: Mfhera) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            env = {
                "ARGO_SERVER": f"127.0.0.1:{sock.getsockname()[1]}",
                "ARGO_NAMESPACE": "team",
                "NO_PROXY": "127.0.0.1",
            }
            done = cluster_user(*COMMANDS["create"], env=env)  # its own time-out ends it
        refused(done, "did not answer in time", "ARGO_SERVER")

    @every_command
    def test_the_server_denies(self, cluster_user: Mfhera, command: list[str]) -> None:
        server = FakeArgo(403, {"code": 7, "message": "not yours"})
        try:
            done = cluster_user(*command, env={**server.env, "ARGO_TOKEN": "Bearer old"})
        finally:
            server.close()
        refused(done, "does not allow you to", "403", "not yours", "this permission")
        assert "Bearer old" not in done.stdout + done.stderr
        assert set(server.calls) == {"GET"}

    @every_command
    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_the_server_is_elsewhere(self, cluster_user: Mfhera, command: list[str], status: int) -> None:
        """As behind an ingress that moves http to https, or where a base path was forgotten."""
        server = FakeArgo(status, "", location="https://argo.example/base")
        try:
            done = cluster_user(*command, env=server.env)
        finally:
            server.close()
        refused(done, "redirects to https://argo.example/base, and nothing was sent there", "ARGO_SERVER")
        assert set(server.calls) == {"GET"}  # the first call shows it, and a write was never tried

    def test_something_that_is_no_argo(self, cluster_user: Mfhera) -> None:
        server = FakeArgo(200, "<html>a proxy</html>")
        try:
            done = cluster_user("list", env=server.env)
        finally:
            server.close()
        refused(done, "does not answer like Argo", "ARGO_SERVER")

    def test_tls_where_the_server_has_none(self, cluster_user: Mfhera) -> None:
        server = FakeArgo(200, {})
        try:
            done = cluster_user("list", env={**server.env, "ARGO_SECURE": "true"})
        finally:
            server.close()
        refused(done, "ARGO_SECURE=false")

    def test_an_address_that_is_none(self, cluster_user: Mfhera) -> None:
        for address in ("host:port", "http://[::1"):
            refused(cluster_user("list", env={"ARGO_SERVER": address}), "ARGO_SERVER", address, "host:port")

    def test_a_local_datastore_for_a_cluster(self, cluster_user: Mfhera) -> None:
        server = FakeArgo(404, {"message": "not found"})
        try:
            done = cluster_user("create", FLOW, env=server.env)
        finally:
            server.close()
        refused(done, "--datastore=s3", "ARGO_SERVER")
        assert set(server.calls) <= {"GET"}


@pytest.mark.embedded_only("has a folder, a port and a process here")
class TestSurroundings:
    """The state folder, the home, the embedded Argo itself."""

    @pytest.fixture(params=["create", "trigger", "list", "local start"])
    def command(self, request: pytest.FixtureRequest) -> list[str]:
        """Verbs that need the state folder."""
        verb = str(request.param)
        return {"create": ["create", FLOW], "trigger": ["trigger", "--name", "x"]}.get(verb, verb.split())

    def test_a_file_in_place_of_the_state_folder(self, own_mfhera: Mfhera, command: list[str]) -> None:
        own_mfhera.take(EXAMPLES / FLOW)
        path = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(exist_ok=True)
        path.write_text("not a folder")
        done = own_mfhera(*command)
        if command == ["list"]:  # reads only, and so sees no server
            refused(done, "embedded Argo is not running")
        else:
            refused(done, str(path), "METAFLOW_HERA_HOME")
        assert "was not running" in own_mfhera.ok("local", "stop")
        assert path.read_text() == "not a folder"

    @pytest.mark.skipif(os.getuid() == 0, reason="root may write to every folder")
    def test_a_state_folder_that_may_not_be_written(self, own_mfhera: Mfhera, command: list[str]) -> None:
        own_mfhera.take(EXAMPLES / FLOW)
        path = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
        path.mkdir(parents=True)
        path.chmod(0o500)
        words = ["embedded Argo is not running"] if command == ["list"] else [str(path), "METAFLOW_HERA_HOME"]
        refused(own_mfhera(*command), *words)

    def test_a_state_folder_that_is_relative(self, own_mfhera: Mfhera, command: list[str]) -> None:
        own_mfhera.take(EXAMPLES / FLOW)
        done = own_mfhera(*command, env={"METAFLOW_HERA_HOME": "relative"})
        refused(done, "METAFLOW_HERA_HOME", "absolute")

    def test_no_home_at_all(self, own_mfhera: Mfhera) -> None:
        """Nothing is wrong with that: the state folder is named, or the platform's is found without."""
        own_mfhera.take(EXAMPLES / FLOW)
        env = {"HOME": None, "METAFLOW_HOME": None}
        own_mfhera.ok("create", FLOW, env=env)
        assert own_mfhera.json("trigger", "--wait", "--json", env=env)["state"] == "Succeeded"

    def test_no_home_and_no_state_folder_named(self, own_mfhera: Mfhera) -> None:
        env = {"HOME": None, "METAFLOW_HERA_HOME": None, "XDG_STATE_HOME": str(own_mfhera.home / "state")}
        done = own_mfhera("local", "status", "--json", env=env)
        assert done.returncode == 1
        assert json.loads(done.stdout)["home"].startswith(str(own_mfhera.home / "state"))

    def test_the_embedded_argo_was_killed(self, own_mfhera: Mfhera) -> None:
        """What reads says so; what starts a run starts it again, and the deployments are still there."""
        own_mfhera.take(EXAMPLES / FLOW)
        own_mfhera.ok("create", FLOW)
        os.kill(own_mfhera.json("local", "status", "--json")["pid"], signal.SIGKILL)
        wait_until_gone(own_mfhera)
        refused(own_mfhera("list"), "embedded Argo is not running", "mfhera local start")
        refused(own_mfhera("status"), "embedded Argo is not running", "mfhera local start")
        assert own_mfhera.run("--param", "alpha=0.5")["state"] == "Succeeded"

    def test_the_port_of_the_embedded_argo_was_taken(self, own_mfhera: Mfhera) -> None:
        """It takes another one, and is found there."""
        own_mfhera.take(EXAMPLES / FLOW)
        own_mfhera.ok("create", FLOW)
        url = own_mfhera.json("local", "status", "--json")["url"]
        own_mfhera.ok("local", "stop")
        with socket.create_server(("127.0.0.1", int(url.rsplit(":", 1)[1]))):
            assert own_mfhera.run()["state"] == "Succeeded"
            assert own_mfhera.json("local", "status", "--json")["url"] != url

    def test_a_port_that_is_asked_for_and_taken(self, own_mfhera: Mfhera) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = str(sock.getsockname()[1])
            refused(own_mfhera("local", "start", "--port", port), f"Port {port}")
        assert own_mfhera("local", "status").returncode == 1

    def test_a_number_of_pods_that_is_none(self, own_mfhera: Mfhera) -> None:
        own_mfhera.take(EXAMPLES / FLOW)
        done = own_mfhera("create", FLOW, env={"METAFLOW_HERA_MAX_PODS": "many"})
        refused(done, "METAFLOW_HERA_MAX_PODS", "'many'")


def wait_until_gone(mfhera: Mfhera) -> None:
    """Wait until the embedded Argo does not answer."""
    mfhera.wait_until(lambda: mfhera("local", "status").returncode != 0)
