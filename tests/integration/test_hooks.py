"""What runs when a run has ended: @exit_hook functions, and notifications to a receiver of the test's own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from harness import SECONDS, Mfhera, refused
from serving import serving


@dataclass
class Receiver:
    """Takes what is posted to it; a path that begins with `/hang` gets no answer, `/broken` an error."""

    posted: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.posted.append((self.path, dict(self.headers), body))
            if self.path.startswith("/hang"):
                made.gone.wait(SECONDS)
                return
            self.send_response(500 if self.path.startswith("/broken") else 202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not to stderr."""

    with serving(Handler) as address:
        made.url = f"http://{address}"
        yield made
        made.gone.set()


def exit_pods(mfhera: Mfhera, run: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The nodes below the exit handler of a run by their names, and what its pods have logged."""
    nodes = mfhera.ask("workflows", run["workflow"])["status"]["nodes"].values()
    found = {node["displayName"]: node for node in nodes if node["displayName"].startswith("on-")}
    query = {"logOptions.container": "main"}
    log = mfhera.server.call("GET", "workflows", run["workflow"], "log", params=query).text
    lines = [json.loads(line)["result"] for line in log.splitlines()]
    return found, [line["content"] for line in lines if "exit-hooks" in line["podName"]]


def fail(mfhera: Mfhera, *options: str) -> dict[str, Any]:
    """Start a run that fails, and wait for it."""
    done = mfhera("trigger", "--wait", "--json", "--param", "fail=true", *options)
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_functions_run_after_a_success_and_after_a_failure(mfhera: Mfhera) -> None:
    mfhera.take("hooked_flow.py")
    mfhera.ok("create", "hooked_flow.py")
    run = mfhera.run()
    assert run["state"] == "Succeeded"  # although one of its hooks has failed
    nodes, lines = exit_pods(mfhera, run)
    assert f"cheer {run['pathspec']} True" in lines
    assert "RuntimeError: the hook broke" in lines
    assert "everything ['failed_steps', 'run', 'status']" in lines
    assert nodes["on-success"]["phase"] == "Failed"
    assert "exit hook breaks failed" in nodes["on-success"]["message"]
    assert nodes["on-error"]["phase"] == "Skipped"

    run = fail(mfhera)
    assert run["state"] == "Failed"
    nodes, lines = exit_pods(mfhera, run)
    assert f"mourn Failed ['work'] {run['pathspec']}" in lines
    assert "exit hook leaves failed (exit code 3)" in lines
    assert nodes["on-success"]["phase"] == "Skipped"
    assert "RuntimeError: the hook broke" not in lines
    tree = mfhera("status", run["run_id"]).stdout
    assert "work" in tree
    assert "on-error" not in tree  # a hook is no step


@pytest.mark.same_machine
def test_slack_pagerduty_and_incident_io_are_told(mfhera: Mfhera, receiver: Receiver) -> None:
    mfhera.take("hooked_flow.py")
    script = mfhera.folder / "hooked_flow.py"
    script.write_text(script.read_text().replace("@exit_hook(", "# @exit_hook("))
    env = {
        "METAFLOW_HERA_PAGER_DUTY_URL": receiver.url,
        "METAFLOW_HERA_INCIDENT_IO_URL": receiver.url,
        "METAFLOW_UI_URL": "https://ui.example/",
        "METAFLOW_HERA_NOTIFY_SLACK_WEBHOOK_URL": f"{receiver.url}/slack-secret",
    }
    secrets = ["slack-secret", "pager-secret", "incident-secret"]
    mfhera.ok(
        "create",
        "hooked_flow.py",
        "--notify-on-error",
        "--notify-on-success",
        *("--notify-pager-duty-integration-key", secrets[1]),
        *("--notify-incident-io-api-key", secrets[2]),
        *("--incident-io-alert-source-config-id", "SOURCE"),
        *("--incident-io-metadata", "team=blue"),
        env=env,
    )
    good = mfhera.run()
    bad = fail(mfhera)
    _, lines = exit_pods(mfhera, bad)
    assert [line for line in lines if line.startswith("Notified")] == [
        "Notified Slack.",
        "Notified PagerDuty.",
        "Notified incident.io.",
    ]
    assert not [line for line in lines for secret in secrets if secret in line]
    posted = {path: body for path, _, body in receiver.posted[:3]}
    assert posted["/slack-secret"]["text"] == f":white_check_mark: _{good['pathspec']}_ succeeded!"
    assert f"https://ui.example/{good['pathspec']}" in json.dumps(posted["/slack-secret"]["blocks"])
    assert posted["/v2/change/enqueue"]["routing_key"] == "pager-secret"
    assert posted["/v2/alert_events/http/SOURCE"]["metadata"] == {
        "team": "blue",
        "run_status": "succeeded",
        "flow_name": "HookedFlow",
        "run_id": good["run_id"],
    }
    posted = {path: body for path, _, body in receiver.posted[3:]}
    assert "failed!" in posted["/slack-secret"]["text"]
    assert "work/work-0: ValueError: no 1" in posted["/slack-secret"]["text"]
    assert posted["/v2/enqueue"]["event_action"] == "trigger"
    assert posted["/v2/enqueue"]["dedup_key"] == bad["run_id"]
    assert len(posted["/v2/enqueue"]["payload"]["custom_details"]["Failed"]) == 2
    assert "work/work-2: ValueError: no 3" in posted["/v2/alert_events/http/SOURCE"]["description"]
    headers = next(headers for path, headers, _ in receiver.posted if path.endswith("SOURCE"))
    assert headers["Authorization"] == "Bearer incident-secret"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["hang", "broken"])
@pytest.mark.same_machine
def test_a_receiver_that_does_not_answer_changes_nothing_about_the_run(
    mfhera: Mfhera, receiver: Receiver, place: str
) -> None:
    mfhera.take("linear_flow.py")
    url = f"{receiver.url}/{place}"
    mfhera.ok("create", "linear_flow.py", "--notify-on-success", "--notify-slack-webhook-url", url)
    begin = time.monotonic()
    run = mfhera.run()
    assert run["state"] == "Succeeded"
    assert time.monotonic() - begin < SECONDS / 2
    assert len(receiver.posted) == 3  # tried again before it was given up
    nodes, lines = exit_pods(mfhera, run)
    assert nodes["on-success"]["phase"] == "Failed"
    assert any(line.startswith("Slack could not be notified: ") for line in lines)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--notify-on-error"], ["whom to notify"]),
        (["--notify-slack-webhook-url", "https://x.example"], ["when to notify"]),
        (["--notify-on-error", "--notify-slack-webhook-url", "not an address"], ["is not a URL"]),
        (
            ["--notify-on-error", "--notify-incident-io-api-key", "k"],
            ["--incident-io-alert-source-config-id"],
        ),
        (
            [
                *("--notify-on-error", "--notify-incident-io-api-key", "k"),
                *("--incident-io-alert-source-config-id", "i", "--incident-io-metadata", "novalue"),
            ],
            ["KEY=VALUE"],
        ),
    ],
)
def test_notifications_that_are_not_valid(mfhera: Mfhera, options: list[str], words: list[str]) -> None:
    mfhera.take("linear_flow.py")
    refused(mfhera("create", "linear_flow.py", *options), *words)
