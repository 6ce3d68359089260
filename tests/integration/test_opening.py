"""`mfhera local open` as its user calls it; what the browser then shows is in `test_browser.py`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from harness import PLAIN, Mfhera, refused

NOWHERE = {"PATH": "/nowhere", "BROWSER": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}


@pytest.mark.parametrize("arguments", [("--print",), ()])
def test_where_there_is_no_browser_it_prints_an_address(
    own_mfhera: Mfhera, arguments: tuple[str, ...]
) -> None:
    done = own_mfhera("local", "open", *arguments, env=NOWHERE)
    url = done.stdout.strip()
    port = urlsplit(url).port
    assert arguments or f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE" in done.stderr
    answer = httpx.get(url, **PLAIN)
    assert answer.status_code == 200
    assert "set-cookie" in answer.headers
    assert httpx.get(url, **PLAIN).status_code == 403


def test_a_run_or_a_deployment_is_shown_after_the_login(own_mfhera: Mfhera) -> None:
    own_mfhera.take("single_flow.py")
    own_mfhera.ok("create", "single_flow.py")
    deployment, run = "deployments/default/singleflow", "runs/default/"
    for arguments, place in (
        ((), deployment),
        (("single_flow.py",), deployment),
        (("--name", "singleflow"), deployment),
    ):
        url = own_mfhera.ok("open", *arguments, env=NOWHERE).strip()
        assert f'url=/#/{place}"' in httpx.get(url, **PLAIN).text
    run_id = own_mfhera.run()["run_id"]
    for arguments in ((), (run_id,), (f"SingleFlow/{run_id}",)):
        url = own_mfhera.ok("open", *arguments, env=NOWHERE).strip()
        assert f'url=/#/{run}{run_id.removeprefix("argo-")}"' in httpx.get(url, **PLAIN).text
    done = own_mfhera.python(*("single_flow.py", "--quiet", "hera", "open", run_id), env=NOWHERE)
    assert f"to={run}{run_id.removeprefix('argo-')}" in done.stdout
    said = own_mfhera.ok("open", run_id, env={**NOWHERE, "METAFLOW_UI_URL": "https://ui.example/"})
    assert said.startswith(f"Metaflow UI: https://ui.example/SingleFlow/{run_id}\n")
    refused(own_mfhera("open", "argo-nosuch", env=NOWHERE), "has no run argo-nosuch")
    refused(own_mfhera("open", "--name", "nosuch", env=NOWHERE), "There is no deployment nosuch")
    refused(own_mfhera("open", run_id, "--name", "singleflow"), "--name names a deployment")


def test_the_login_sends_a_browser_to_places_of_the_page_only(own_mfhera: Mfhera) -> None:
    for place in ("https://elsewhere.example", "runs/default/x%22%3E%3Cscript%3E", "runs/x", "//elsewhere"):
        url = own_mfhera.ok("local", "open", "--print").strip()
        text = httpx.get(f"{url}&to={place}", **PLAIN).text
        assert 'content="0; url=/"' in text


def test_the_ui_of_a_cluster(own_mfhera: Mfhera) -> None:
    """A server that ARGO_SERVER names has Argo's UI, or Metaflow's configuration says where that is."""
    own_mfhera.take("single_flow.py")
    own_mfhera.ok("create", "single_flow.py")
    run_id = own_mfhera.run()["run_id"]
    server = own_mfhera.json("local", "status", "--json")
    token = Path(server["token_file"]).read_text().strip()
    env = {**NOWHERE, "ARGO_SERVER": server["url"], "ARGO_TOKEN": token, "ARGO_NAMESPACE": "default"}
    done = own_mfhera("open", run_id, env=env)
    name = run_id.removeprefix("argo-")
    uid = own_mfhera.ask("workflows", name)["metadata"]["uid"]
    assert done.stdout == f"Argo UI: {server['url']}/workflows/default/{name}?uid={uid}\n"
    assert "There is no browser here" in done.stderr
    configured = {**env, "METAFLOW_ARGO_WORKFLOWS_UI_URL": "https://argo.example/base/"}
    said = own_mfhera.ok("open", "--name", "singleflow", env=configured)
    assert said == "Argo UI: https://argo.example/base/workflow-templates/default/singleflow\n"
    note = own_mfhera.folder / "told"
    script = own_mfhera.folder / "a_browser"
    script.write_text(f'#!/bin/sh\necho "$*" > {note}.new; mv {note}.new {note}\n')
    script.chmod(0o755)
    own_mfhera.ok(
        *("open", "--name", "singleflow"),
        env={**configured, "PATH": own_mfhera.env["PATH"], "BROWSER": f"{script} %s"},
    )
    own_mfhera.wait_until(note.exists)
    assert note.read_text().strip() == said.removeprefix("Argo UI: ").strip()


def test_the_browser_is_told_no_secret(own_mfhera: Mfhera) -> None:
    note = own_mfhera.folder / "told"
    script = own_mfhera.folder / "a_browser"
    script.write_text(f'#!/bin/sh\necho "$*" > {note}.new; mv {note}.new {note}\n')
    script.chmod(0o755)
    said = own_mfhera.ok("local", "open", env={"BROWSER": f"{script} %s"})
    own_mfhera.wait_until(note.exists)
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    assert note.read_text().strip() == (home / "open.html").as_uri()
    text = (home / "open.html").read_text()
    code = text.split('name="code" value="')[1].split('"')[0]
    assert code not in said
    assert (home / "token").read_text() not in said + text


def test_a_file_that_cannot_be_written_is_told_of(own_mfhera: Mfhera) -> None:
    own_mfhera.ok("local", "start")
    (Path(own_mfhera.env["METAFLOW_HERA_HOME"]) / "open.html").mkdir()
    refused(own_mfhera("local", "open", env={"BROWSER": "true %s"}), "open.html", "--print")
