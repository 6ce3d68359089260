"""Which permissions each verb needs: doctor, the files of deploy/ and the calls themselves agree."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import requests
from argo_calls import Call
from argo_permissions import FOLLOWED, Roles
from releases import create, objects_of
from requests.adapters import BaseAdapter, HTTPAdapter
from twin import TOKEN, Twin
from wrong import says

from metaflow_hera.argo import runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.permissions import OF_DEPLOYERS, OF_DEPLOYERS_OF_EVENTS
from metaflow_hera.argo.target import resolve_target
from metaflow_hera.cli.main import run_command
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.present import read
from metaflow_hera.operations.removal import remove

CALLS = (
    *("create --from linear.json", "create --from schedules.json", "create --from event.json"),
    # Again, changed: objects are replaced, and those that are no longer part of it deleted.
    *("create --from changed.json", "create --from moved.json"),
    *("create --from fewer.json", "create --from without.json"),
    *("list", "runs", "runs --name linearflow", "schedule --name schedulesflow"),
    *("open --name linearflow", "open {waits}"),
    "backfill --name linearflow --cron @yearly --from 2026-01-01 --to 2026-01-01",
    *("trigger --name linearflow", "status {waits}", "logs {waits}"),
    *("suspend {waits}", "resume {waits}", "logs {waits} --follow", "stop {other}", "terminate {last}"),
    *("retry {failed}", "resubmit {failed}", "delete --run {ended}", "emit ready", "emit heard"),
    *("create --from schedules.json", "create --from event.json"),
    *("versions --name schedulesflow", "versions --name eventflow"),
    # To the whole one, to that with less, and back.
    *(f"rollback --name {name} --to {to}" for name in ("schedulesflow", "eventflow") for to in (1, 2, 1)),
    *("delete --name linearflow", "delete --name schedulesflow", "delete --name eventflow"),
)
MADE_UP = "linearflow-1767225600"
"""The run that `backfill` starts, for the first of January 2026."""
ALL = (*OF_DEPLOYERS, *OF_DEPLOYERS_OF_EVENTS)
WEBHOOK = "http://webhook.example/"


class Webhook(HTTPAdapter):
    """A webhook of Argo Events, which takes what it gets."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """That it was taken."""
        return says(200, "success")()


def verb_of(call: str) -> str:
    """The verb, with the option that makes another of it."""
    words = call.split()
    return " ".join([words[0], *(word for word in words if word in ("--run", "--follow"))])


@pytest.fixture
def asked(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Every verb is called by somebody with a role; what each has needed."""
    roles = Roles(twin.transport, map(str, ALL))
    choose = requests.Session.get_adapter

    def adapter(session: requests.Session, url: str) -> BaseAdapter:
        found = choose(session, url)
        if url.startswith(WEBHOOK):
            return Webhook()
        return roles if type(found) is HTTPAdapter else found

    monkeypatch.setattr(requests.Session, "get_adapter", adapter)
    for name, value in {"SERVER": "127.0.0.1:2746", "SECURE": "false", "TOKEN": TOKEN}.items():
        monkeypatch.setenv(f"ARGO_{name}", value)
    exports = {name: objects_of(tmp_path, name) for name in ("linear", "schedules", "event")}
    exports["changed"] = copy.deepcopy(exports["schedules"])
    for item in exports["changed"]:
        if item["kind"] == "CronWorkflow":
            item["spec"]["schedules"] = ["7 7 * * *"]
    exports["moved"] = copy.deepcopy(exports["event"])
    for item in exports["moved"]:
        if item["kind"] == "Sensor":
            item["spec"]["eventBusName"] = "another"
    exports["fewer"] = [each for each in exports["schedules"] if each["kind"] != "CronWorkflow"]
    exports["without"] = [each for each in exports["event"] if each["kind"] != "Sensor"]
    for whole, less in (("schedules", "fewer"), ("event", "without")):
        for name in (whole, less):
            create(twin.connect(embedded=False), tmp_path, exports[name])
        remove(twin.client, f"{whole}flow", None)
    for name, objects in exports.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"kind": "List", "items": objects}))
    about = create_from(copy.deepcopy(exports["linear"]), twin.client, None)
    names = {
        name: runs.start(twin.client, about, {}) for name in ("failed", "waits", "other", "last", "ended")
    }
    twin.finish(names["ended"].workflow)
    twin.finish(names["failed"].workflow, exit_code=1)

    def meanwhile(call: Call) -> None:
        if FOLLOWED in call.query:
            twin.finish(names["waits"].workflow)
        if call.path.endswith(MADE_UP):
            twin.finish(MADE_UP)

    roles.meanwhile = meanwhile
    found = defaultdict(set)
    for call in CALLS:
        monkeypatch.setattr(
            "metaflow.metaflow_config.ARGO_EVENTS_WEBHOOK_URL", WEBHOOK if "heard" in call else None
        )
        roles.needed.clear()
        words = call.format(**{name: run.run_id for name, run in names.items()}).split()
        assert run_command(words) == 0, call
        found[verb_of(call)] |= roles.needed
    # `diff` needs a flow, and reads no more than this.
    roles.needed.clear()
    read(ArgoClient(resolve_target(start=False)), "eventflow", ("eventflow", "default"))
    found["diff"] |= roles.needed
    return found


def test_the_verbs_need_what_doctor_asks_for(asked: dict[str, set[str]]) -> None:
    following = asked.pop("logs --follow") - asked["logs"]
    needed = {(permission, verb) for verb, permissions in asked.items() for permission in permissions}
    needed |= {(permission, "logs --follow") for permission in following}
    assert {(str(each), verb) for each in ALL for verb in each.needed_by} == needed
