"""`mfhera local open` as its user calls it; what the browser then shows is in `test_browser.py`."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from harness import Mfhera, refused

NOWHERE = {"PATH": "/nowhere", "BROWSER": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}


@pytest.mark.parametrize("arguments", [("--print",), ()])
def test_where_there_is_no_browser_it_prints_an_address(
    own_mfhera: Mfhera, arguments: tuple[str, ...]
) -> None:
    url = own_mfhera.ok("local", "open", *arguments, env=NOWHERE).strip()
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200
    assert "set-cookie" in answer.headers
    assert httpx.get(url, trust_env=False).status_code == 403


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
