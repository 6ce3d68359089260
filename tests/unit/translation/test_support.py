"""What is not translated yet is refused, each by its name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from exporting import at
from harness import linear_flow, refused
from metaflow import metaflow_config

from metaflow_hera.metaflow_api.load.datastores import far_notes

PLAIN = """
    @step
    def start(self):
        self.next(self.end)
"""
FOREACH = """
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")
"""
REFUSED: dict[str, tuple[str, str, str, list[str]]] = {
    # imports, decorator or attribute of the flow, first steps, words of the sentence
    "default": ("Parameter", "    p = Parameter('p', type=int, default='x')", PLAIN, ["'p'", "an int"]),
    "tags": ("Parameter", "    p = Parameter('metaflow-run-tags', default='')", PLAIN, ["metaflow-run-tags"]),
    "name": ("Parameter", "    p = Parameter('a{{b}}', default='')", PLAIN, ["'a{{b}}'", "letters of ASCII"]),
    "event name": ("trigger", "@trigger(event='no name')", PLAIN, ["@trigger", "'no name'"]),
    "event mapping": (
        "trigger",
        "@trigger(event={'name': 'e', 'parameters': {'nope': 'x'}})",
        PLAIN,
        ["@trigger", "'nope'"],
    ),
    "event option": ("trigger", "@trigger(event='e', options={'soon': 1})", PLAIN, ["@trigger", "'soon'"]),
    "event when": ("trigger", "@trigger(event='e', options={'when': 'some'})", PLAIN, ["'some'", "'any'"]),
    "reset": (
        "trigger",
        "@trigger(event='e', options={'reset_at': {'cron': '0 0 31 2 *'}})",
        PLAIN,
        ["reset_at"],
    ),
    "reset zone": (
        "trigger",
        "@trigger(event='e', options={'reset_at': {'cron': '0 0 * * *', 'timezone': 'Mars/Base'}})",
        PLAIN,
        ["Mars/Base", "time zone"],
    ),
    "own end": (
        "trigger_on_finish",
        "@trigger_on_finish(flows=['OddFlow', 'OtherFlow'])",
        PLAIN,
        ["own end", "nothing would start it"],
    ),
    "half a project": (
        "trigger_on_finish",
        "@trigger_on_finish(flow={'name': 'F', 'project': 'p'})",
        PLAIN,
        ["project_branch"],
    ),
    "deploy-time event": (
        "trigger",
        "@trigger(event=lambda context: 1 / 0)",
        PLAIN,
        ["division by zero"],
    ),
    "exit_hook": ("exit_hook", "@exit_hook(on_success=[print])", PLAIN, ["@exit_hook", "print"]),
    "exit_hook option": (
        "exit_hook",
        "@exit_hook(on_error=['json.dumps'], options={'size': 3})",
        PLAIN,
        ["@exit_hook", "'size'"],
    ),
    "zone": ("schedule", "@schedule(daily=True, timezone='Mars/Base')", PLAIN, ["Mars/Base", "time zone"]),
    "no zone": ("schedule", "@schedule(daily=True, timezone=5)", PLAIN, ["'5'", "time zone"]),
    "no cron": ("schedule", "@schedule(cron=5)", PLAIN, ["'5'", "five fields"]),
    "never": ("schedule", "@schedule(cron='0 0 30 2 *')", PLAIN, ["@schedule", "never"]),
    "scheduled time": (
        "Parameter",
        "    p = Parameter('metaflow-scheduled-time')",
        PLAIN,
        ["metaflow-scheduled"],
    ),
    "batch": (
        "batch",
        "",
        PLAIN.replace("@step", "@batch\n    @step", 1),
        ["@batch of step start", "@kubernetes"],
    ),
    "year": ("schedule", "@schedule(cron='0 1 * * ? 2030')", PLAIN, ["@schedule", "year"]),
    "parameters": (
        "Parameter",
        "    one = Parameter('a-b', default=1)\n    two = Parameter('A_b', default=2)",
        PLAIN,
        ["'a-b'", "'A_b'"],
    ),
}


CLOUDS = {
    "METAFLOW_DATASTORE_SYSROOT_S3": "s3://absent/metaflow",
    "METAFLOW_DATASTORE_SYSROOT_AZURE": "absent/metaflow",
}
"""Metaflow itself refuses some decorators where no shared datastore is set."""


def script(imports: str, extra: str, steps: str) -> str:
    """A flow with that in it."""
    names = ", ".join(["FlowSpec", "step", *filter(None, [imports])])
    decorator, attribute = ("", extra) if extra.startswith(" ") else (extra, "")
    return f"""from metaflow import {names}

{decorator}
class OddFlow(FlowSpec):
{attribute}
{steps}
    @step
    def end(self):
        pass


if __name__ == "__main__":
    OddFlow()
"""


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_flow_has(case: str, tmp_path: Path) -> None:
    imports, extra, steps, words = REFUSED[case]
    (tmp_path / "odd_flow.py").write_text(script(imports, extra, steps))
    done = at(tmp_path)("create", "odd_flow.py", "--only-json", env=CLOUDS)
    assert done.stdout == ""
    refused(done, *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--datastore=spin"], "--datastore=spin"),
        (["--with", "conda"], "@conda"),
        (["--with", "pypi"], "@pypi"),
        (["--with", "batch", "--datastore=s3"], "is for AWS Batch"),
        (["--with", "batch"], "is for AWS Batch"),
    ],
)
def test_what_an_option_asks_for(options: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "odd_flow.py").write_text(script("", "", PLAIN))
    refused(at(tmp_path)("create", "odd_flow.py", "--only-json", *options, env=CLOUDS), words)


ADDRESS = "METAFLOW_AZURE_STORAGE_BLOB_SERVICE_ENDPOINT"


@pytest.mark.parametrize(
    ("datastore", "env", "words"),
    [
        ("s3", {"METAFLOW_DATASTORE_SYSROOT_S3": "gs://a/b"}, ["'gs://a/b'", "s3://BUCKET/FOLDER"]),
        ("gs", {"METAFLOW_DATASTORE_SYSROOT_GS": "gs://"}, ["'gs://'", "gs://BUCKET/FOLDER"]),
        ("azure", {"METAFLOW_DATASTORE_SYSROOT_AZURE": "az://a"}, ["'az://a'", "CONTAINER/FOLDER, without"]),
        ("azure", {"METAFLOW_DATASTORE_SYSROOT_AZURE": "a/b/"}, ["'a/b/'", "slash at the end"]),
        ("azure", {"METAFLOW_DATASTORE_SYSROOT_AZURE": " a"}, ["' a'", "CONTAINER/FOLDER"]),
        ("gs", {"METAFLOW_DATASTORE_SYSROOT_GS": "gs://a\n/b"}, ["'gs://a\\n/b'", "gs://BUCKET/FOLDER"]),
        ("azure", {ADDRESS: None}, [ADDRESS, "https://ACCOUNT.blob.core.windows.net"]),
    ],
)
def test_where_no_data_can_be(
    datastore: str, env: dict[str, str | None], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "odd_flow.py").write_text(script("", "", PLAIN))
    env = {**CLOUDS, ADDRESS: "https://absent", **env}
    done = at(tmp_path)("create", "odd_flow.py", "--only-json", f"--datastore={datastore}", env=env)
    refused(done, *words, f"--datastore={datastore}")


@pytest.mark.parametrize(
    ("address", "is_told"),
    [
        ("http://127.0.0.1:9000", True),
        ("localhost:9000", True),
        ("http://[::1]:9000", True),
        ("http://minio.storage:9000", False),
        ("http://10.0.0.1:9000", False),
        (None, False),
    ],
)
def test_a_datastore_where_only_this_machine_finds_it(
    address: str | None, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow: Any = SimpleNamespace(datastore="s3")
    monkeypatch.setattr(metaflow_config, "S3_ENDPOINT_URL", address)
    assert ["is the pod itself" in note for note in far_notes(flow)] == [True] * is_told


def test_a_user_whose_name_argo_would_change(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(linear_flow(2))
    done = at(tmp_path)("create", "flow.py", "--only-json", env={"METAFLOW_USER": "{{workflow.name}}"})
    refused(done, "The name of the user, {{workflow.name}}", "METAFLOW_USER")
