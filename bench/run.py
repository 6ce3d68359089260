"""Figures as ratios within one run: against Metaflow's own plugin, `python flow.py run` and bare processes.

    nox -s bench                 all rows
    nox -s bench -- create pods  only some: create, verbs, cpu, foreach, task, kept, splits, logs, pods, many,
                                 fair, wide

It reports and never fails for a figure. The goals are those of docs/architecture.md.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from container import Manifest
from moto.server import ThreadedMotoServer

from metaflow_hera import __version__
from metaflow_hera.contract.manifest import ITEMS
from metaflow_hera.contract.ranges import split
from metaflow_hera.embedded.controller.messages import CreatePod, Event, PodEnded, PodRunning
from metaflow_hera.embedded.controller.operation import Operation
from metaflow_hera.embedded.local import launch
from metaflow_hera.home import home_folder

CORES = os.cpu_count() or 1
MFHERA = [sys.executable, "-m", "metaflow_hera.cli.main"]
WIDE = 2000
CREDENTIALS = {
    "aws_access_key_id": "bench",
    "aws_secret_access_key": "bench",
    "region_name": "us-east-1",
}

LINEAR = """
from metaflow import FlowSpec, step

class Linear{n}(FlowSpec):
{steps}
if __name__ == "__main__":
    Linear{n}()
"""

FOREACH = """
from metaflow import FlowSpec, step

class Wide{n}(FlowSpec):
    @step
    def start(self):
        self.items = list(range({n}))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.square = self.input ** 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.square for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.total)

if __name__ == "__main__":
    Wide{n}()
"""

READS = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
size = sum(len(block) for block in iter(lambda: process.stdout.read(1 << 20), b""))
_, status, used = os.wait4(process.pid, 0)
print(size, used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Reads all that a command writes; tells its bytes, and the most memory that the command took."""

LOG_BYTES = 200_000_000
TALKATIVE = f"""
from metaflow import FlowSpec, step

class Talkative(FlowSpec):
    @step
    def start(self):
        for number in range({LOG_BYTES} // 100):
            print(f"{{number:099}}")
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Talkative()
"""


def main() -> None:
    names = (create, verbs, cpu, foreach, task, kept, splits, logs, pods, many, fair, wide)
    rows = {each.__name__: each for each in names}
    print(f"{'what':44}{'ours':>12}{'reference':>12}{'ratio':>8}{'goal':>8}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name in sys.argv[1:] or rows:
                rows[name]()
        finally:
            launch.stop(home_folder())


def row(what: str, ours: float, reference: float, unit: str, goal: str) -> None:
    """One line of the table."""
    cells = f"{ours:>10.2f} {unit}{reference:>10.2f} {unit}"
    print(f"{what:44}{cells}{ours / reference:>8.2f}{goal:>8}", flush=True)


def run(*command: str, **env: str) -> str:
    """Run a command and return what it wrote; its failure ends the bench with its stderr."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, timeout=3600)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU that the processes take which something starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def create() -> None:
    """`create --only-json` against Metaflow's own plugin, both with the same S3 server: time and bytes."""
    with s3() as env:
        for n, goal_time, goal_bytes in ((2, "0.9", "12 kB"), (50, "0.9", "20 kB"), (500, "0.5", "120 kB")):
            file = linear(n)
            sizes: dict[str, int] = {}

            def ours(file: str = file, sizes: dict[str, int] = sizes) -> None:
                text = run(*MFHERA, "create", file, "--datastore", "s3", "--only-json", **env)
                sizes["ours"] = compact(text)

            def peer(file: str = file, sizes: dict[str, int] = sizes) -> None:
                command = ("--datastore", "s3", "argo-workflows", "create", "--only-json")
                sizes["peer"] = compact(run(sys.executable, file, *command, **env))

            # Turn by turn, and the best of three: what else the machine does hits both.
            times = [(seconds(ours), seconds(peer)) for _ in range(3)]
            best = [min(column) for column in zip(*times, strict=True)]
            row(f"create --only-json, {n} steps", *best, "s", goal_time)
            row("  bytes", sizes["ours"] / 1e3, sizes["peer"] / 1e3, "k", goal_bytes)


def verbs() -> None:
    """The CPU of verbs that only ask the server, against that of a Python that imports what they ask with."""
    run(*MFHERA, "create", linear(2))
    run(*MFHERA, "trigger", "--wait")

    def bare() -> None:
        run(sys.executable, "-c", "import requests")

    for verb in ("status", "runs", "list"):
        times = [(cpu_seconds(lambda verb=verb: run(*MFHERA, verb)), cpu_seconds(bare)) for _ in range(7)]  # type: ignore[misc]
        row(f"CPU of {verb}", *map(min, zip(*times, strict=True)), "s", "2")


def cpu() -> None:
    """A pod's CPU beside the user's code against the container that Metaflow's own plugin makes for the step.

    The peer's processes that store its logs are not waited for by its shell, and so not counted.
    """
    with s3() as env, folder_of_task_ids() as ids:
        file = linear(3)
        no_cluster = {**env, "ARGO_SERVER": "127.0.0.1:1", "METAFLOW_USER": "bench"}
        export = (*MFHERA, "create", file, "--datastore", "s3", "--only-json")
        made = run(*export, **no_cluster)
        peer = run(
            sys.executable, file, "--datastore", "s3", "argo-workflows", "create", "--only-json", **no_cluster
        )
        times: dict[str, list[tuple[float, float]]] = {"start": [], "step_000": []}
        for turn in range(3):
            one, other = Manifest(made, f"ours-{turn}", env), Manifest(peer, f"peer-{turn}", env)
            times["start"].append((one.step("start", ""), other.step("start", "")))
            before = f"argo-peer-{turn}/start/{(ids / 'task_id').read_text()}"
            times["step_000"].append((one.step("step_000", ""), other.step("step-000", before)))
        for step, what in (("step_000", "a pod"), ("start", "the first pod")):
            row(
                f"CPU of {what}, no code of the user's",
                *map(min, zip(*times[step], strict=True)),
                "s",
                "0.25",
            )


@contextmanager
def folder_of_task_ids() -> Iterator[Path]:
    """The folder that the peer's containers write the ids of their tasks to: its code names it."""
    folder = Path("/mnt/out")
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        (folder / "task_id").unlink(missing_ok=True)
        folder.rmdir()


def foreach() -> None:
    """A 50-wide foreach on the embedded Argo against `python flow.py run` at the same concurrency."""
    file = written("wide50.py", FOREACH.format(n=50))
    run(*MFHERA, "create", file)
    ours = seconds(lambda: run(*MFHERA, "trigger", "--wait"))
    peer = seconds(lambda: run(sys.executable, file, "run", "--max-workers", str(CORES)))
    row("foreach of 50, end to end", ours, peer, "s", "0.25")


def task() -> None:
    """The CPU of one more small task on the embedded Argo, its server and keeper included, against 0.06 s."""
    if not Path("/proc/self/stat").exists():
        print("CPU of one more small task: needs /proc, so it is not measured here", flush=True)
        return
    server = launch.ensure_running(home_folder(), __version__)
    cost = {}
    for count in (10, 110):
        run(*MFHERA, "create", written(f"wide{count}.py", FOREACH.format(n=count)))
        run(*MFHERA, "trigger", "--wait")  # from now on a warm process has the package
        before = cpu_of_tree(server.pid)
        run(*MFHERA, "trigger", "--wait")
        cost[count] = cpu_of_tree(server.pid) - before
    row("CPU of one more small task", (cost[110] - cost[10]) / 100, 0.06, "s", "1.0")


def kept() -> None:
    """A further request on a kept connection against one on a new connection."""
    server = launch.ensure_running(home_folder(), __version__)
    address = urlsplit(server.url)
    headers = {"Authorization": f"Bearer {server.token}"}

    def ask(connection: HTTPConnection) -> None:
        connection.request("GET", "/api/v1/version", headers=headers)
        connection.getresponse().read()

    def new() -> None:
        connection = HTTPConnection(address.hostname or "", address.port)
        ask(connection)
        connection.close()

    one = HTTPConnection(address.hostname or "", address.port)
    ask(one)
    times = [(1000 * seconds(lambda: ask(one)), 1000 * seconds(new)) for _ in range(300)]
    one.close()
    row("a request on a kept connection", *map(statistics.median, zip(*times, strict=True)), "ms", "0.5")


def splits() -> None:
    """Tasks that share a pod: their CPU against that of a pod each, and what Argo keeps of very many."""
    # With local data: on S3 a task takes most of its CPU for the transfers that Metaflow makes for it.
    file = written("wide50.py", FOREACH.format(n=50))
    export = (*MFHERA, "create", file, "--only-json")
    each = Manifest(run(*export), "each", {})
    shared = Manifest(run(*export, "--splits-per-pod", "50"), "shared", {})
    for manifest in (each, shared):
        manifest.step("start", "")
    one = min(each.step("work", "", path=f"-{item}") for item in range(3))
    per_task = shared.step("work", "", split_range="0-49") / 50
    row("CPU of a task, 50 a pod, against one", per_task, one, "s", "0.1")
    size = bytes_in_argo(100_000, 100)
    row("100,000 tasks, 100 a pod: bytes Argo keeps", size / 1e3, 300, "k", "1.0")


def logs() -> None:
    """The most memory that `mfhera logs` takes for a log of 200 MB, against 100 MB."""
    run(*MFHERA, "create", written("talkative.py", TALKATIVE))
    started = json.loads(run(*MFHERA, "trigger", "--wait", "--json"))
    # Started by a small process: the memory of whoever starts a process counts as its own.
    told = run(sys.executable, "-c", READS, *MFHERA, "logs", started["run_id"], "start")
    size, memory = map(int, told.split())
    assert size > LOG_BYTES
    kilo = 1 if sys.platform == "linux" else 1 / 1024  # macOS counts bytes
    row("logs of 200 MB: memory", memory * kilo / 1e3, 100, "M", "1.0")


def bytes_in_argo(tasks: int, per_pod: int) -> int:
    """The bytes of the nodes of a wide foreach as Argo keeps them; its pods succeed at once."""
    file = written(f"wide{tasks}.py", FOREACH.format(n=tasks))
    text = run(*MFHERA, "create", file, "--splits-per-pod", str(per_pod), "--only-json")
    spec = json.loads(text[text.index("{") :])["spec"]
    metadata = {"name": "wide100000-x7k2p", "namespace": "argo", "uid": "0"}
    operation = Operation({"metadata": metadata, "spec": spec, "status": {}})
    items = json.dumps(split(tasks, per_pod), separators=(",", ":"))
    nodes: dict[str, Any] = {}
    events: list[Event] = []
    now = 1_800_000_000.0
    while not operation.finished:
        outcome = operation.advance(events, now)
        nodes.update(outcome.nodes)
        started = [action.node_id for action in outcome.actions if isinstance(action, CreatePod)]
        events = [event for pod in started for event in (PodRunning(pod), PodEnded(pod, 0, {ITEMS: items}))]
        now += 1
    # hydrator.go and packer.go of Argo: JSON, compressed by gzip, as base64.
    return len(base64.b64encode(gzip.compress(json.dumps(nodes, separators=(",", ":")).encode())))


def pods() -> None:
    """1,000 pods of `true` against the same processes spawned bare, as many at once."""
    argo = Api()

    def bare() -> None:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda _: subprocess.run(["true"], check=True), range(1000)))

    times = [(seconds(lambda: argo.end(argo.fan(1000))), seconds(bare)) for _ in range(3)]
    row("1,000 pods of `true`", *(min(column) for column in zip(*times, strict=True)), "s", "1.5")


def many() -> None:
    """Fans of up to 10,000 pods: the cost of each, the server's memory, how fast it answers meanwhile."""
    argo = Api()
    cost = {}
    waits: list[float] = []
    for count in (100, 1000, 10_000):
        began = time.perf_counter()
        name = argo.fan(count)
        while not argo.phase(name, waits):
            time.sleep(0.1)
            waits.append(seconds(argo.list))
        cost[count] = 1000 * (time.perf_counter() - began) / count
    row("a pod among 10,000, against one among 1,000", cost[10_000], cost[1000], "ms", "flat")
    print(f"  one among 100: {cost[100]:.2f} ms", flush=True)
    waits.sort()
    print(
        f"  {len(waits)} answers meanwhile: median {1000 * waits[len(waits) // 2]:.0f} ms, 99 of 100 below "
        f"{1000 * waits[int(0.99 * len(waits))]:.0f} ms, slowest {1000 * waits[-1]:.0f} ms (goal 100 ms)",
        flush=True,
    )
    server = launch.status(home_folder())
    assert server is not None
    print(f"  the server's peak memory: {peak_memory(server.pid):.0f} MB (goal 300 MB)", flush=True)


def fair() -> None:
    """Ten workflows at once: how far the pods of the slowest have come when the first one ends."""
    argo = Api()
    names = [argo.fan(60, "sleep 0.05") for _ in range(10)]
    while not any(argo.phase(name) for name in names):
        time.sleep(0.05)
    done = [int(argo.status(name)["progress"].split("/")[0]) for name in names]
    for name in names:
        argo.end(name)
    row("ten workflows at once, pods done: least, most", min(done), max(done), "", "fair")


class Api:
    """The embedded Argo, asked directly."""

    def __init__(self) -> None:
        server = launch.ensure_running(home_folder(), __version__)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {server.token}"
        self._address = f"{server.url}/api/v1/workflows/default"

    def fan(self, count: int, command: str = "true") -> str:
        """Start a workflow of so many pods; returns its name."""
        pod = {"name": "pod", "container": {"image": "busybox", "command": command.split()}}
        fan = {"name": "fan", "template": "pod", "withSequence": {"count": str(count)}}
        spec = {"entrypoint": "main", "templates": [pod, {"name": "main", "dag": {"tasks": [fan]}}]}
        body = {"workflow": {"metadata": {"generateName": "bench-"}, "spec": spec}}
        created = self._session.post(self._address, json=body, timeout=30)
        created.raise_for_status()
        return str(created.json()["metadata"]["name"])

    def status(self, name: str) -> dict[str, str]:
        """What the status of a workflow says beside its nodes."""
        fields = {"fields": "status.phase,status.progress"}
        answer = self._session.get(f"{self._address}/{name}", params=fields, timeout=30)
        found: dict[str, str] = answer.json()["status"]
        return found

    def phase(self, name: str, waits: list[float] | None = None) -> str:
        """How a workflow ended, "" while it goes on; how long the answer took goes to `waits`."""
        began = time.perf_counter()
        phase = self.status(name).get("phase", "")
        if waits is not None:
            waits.append(time.perf_counter() - began)
        return phase if phase in ("Succeeded", "Failed", "Error") else ""

    def list(self) -> None:
        """Ask for all workflows without their nodes."""
        self._session.get(self._address, params={"fields": "items.metadata,items.status.phase"}, timeout=30)

    def end(self, name: str) -> None:
        """Wait until a workflow has succeeded."""
        while not (phase := self.phase(name)):
            time.sleep(0.05)
        assert phase == "Succeeded", phase


def wide() -> None:
    """A foreach as wide as WIDE with real pods: that it ends, and the memory the server took at most."""
    file = written("wide.py", FOREACH.format(n=WIDE))
    run(*MFHERA, "create", file)
    took = seconds(lambda: run(*MFHERA, "trigger", "--wait"))
    server = launch.status(home_folder())
    assert server is not None
    print(f"foreach of {WIDE:,}: {took:.0f} s, {1000 * took / WIDE:.0f} ms a task", flush=True)
    print(f"  the server's peak memory: {peak_memory(server.pid):.0f} MB (goal 300 MB at 10,000)", flush=True)


def linear(n: int) -> str:
    """The file of a linear flow of n steps."""
    names = ["start", *(f"step_{i:03}" for i in range(n - 2)), "end"]
    following = [*(f"self.next(self.{name})" for name in names[1:]), "pass"]
    steps = "".join(
        f"    @step\n    def {name}(self):\n        {code}\n"
        for name, code in zip(names, following, strict=True)
    )
    return written(f"linear{n}.py", LINEAR.format(n=n, steps=steps))


def written(name: str, text: str) -> str:
    """A flow in a folder of its own, so that no other is packed with it."""
    path = Path(name.removesuffix(".py"), name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def compact(text: str) -> int:
    """The bytes of a JSON object without spaces; what Metaflow prints before it does not count."""
    return len(json.dumps(json.loads(text[text.index("{") :]), separators=(",", ":")))


def cpu_of_tree(pid: int) -> float:
    """The CPU seconds of a process, all below it, and all that has ended there."""
    stats: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    tree = {pid}
    while more := {each for each, (parent, _) in stats.items() if parent in tree} - tree:
        tree |= more
    return sum(stats[each][1] for each in tree) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    return int(run("ps", "-o", "rss=", "-p", str(pid))) / 1e3


@contextmanager
def s3() -> Iterator[dict[str, str]]:
    """An S3 server on this machine, and the environment that makes Metaflow use it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request drowns the table
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "METAFLOW_S3_ENDPOINT_URL": f"http://{host}:{port}",
        "METAFLOW_DATASTORE_SYSROOT_S3": "s3://bench/metaflow",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        client = boto3.client("s3", endpoint_url=env["METAFLOW_S3_ENDPOINT_URL"], **CREDENTIALS)
        client.create_bucket(Bucket="bench")
        yield env
    finally:
        server.stop()


if __name__ == "__main__":
    main()
