"""Versions of Argo's server: how its version is known, what is refused, and what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from exports import export
from harness import TESTS
from test_states import cluster
from twin import Twin

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.versions import HEADER, numbers
from metaflow_hera.errors import ArgoTooOld
from metaflow_hera.operations import old_argo
from metaflow_hera.operations.exports import create_from

GOLDEN = sorted(path.stem for path in (TESTS / "golden").glob("*.yaml"))
VERSION = "GET api/v1/version"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *(("v3.6.19", (3, 6, 19)), ("3.6", (3, 6, 0)), ("v4.1.0-rc2", (4, 1, 0))),
        *(("v0.0.0+unknown", None), ("latest", None), ("4", None), ("3.6.19.1", None), ("", None)),
        ("3.\u0666.1", None),
    ],
)
def test_the_numbers_of_a_version(text: str, found: tuple[int, int, int] | None) -> None:
    assert numbers(text) == found


class TestKnown:
    """The version comes with the answers, and is asked where none of them has told it."""

    def test_no_call_is_spent_on_it(self, twin: Twin) -> None:
        create_from(export("event"), twin.client, None)
        assert VERSION not in twin.sent()
        about = deployments.existing(twin.client, "eventflow")
        run = runs.start(twin.client, about, {})
        twin.finish(run.workflow)
        runs.resubmit(twin.client, run)
        assert VERSION not in twin.sent()
        assert twin.client.version() == "v4.1.2"

    def test_a_proxy_that_keeps_the_header_from_us(self, twin: Twin) -> None:
        twin.transport.headers = {HEADER: None}
        create_from(export("linear"), twin.client, None)
        create_from(export("schedule"), twin.client, None)
        assert [call.name() for call in twin.calls].count(VERSION) == 1

    def test_a_refusal_does_not_tell_it(self, twin: Twin) -> None:
        """As Argo's: nobody who has no token learns the version."""
        assert HEADER not in twin.raw("GET", "workflow-templates/default/none").headers
        assert HEADER not in twin.raw("GET", "workflow-templates/default", token="wrong").headers
        assert twin.raw("GET", "workflow-templates/default").headers[HEADER] == "v4.1.2"


OLD = r"Argo at http://127.0.0.1:2746, namespace default is Argo v3\.5\.15: flows need Argo 3\.6 or later\.$"


@pytest.mark.parametrize("told", [True, False])
def test_an_older_server_is_refused_before_anything_is_written(twin: Twin, told: bool) -> None:
    about = create_from(export("linear"), twin.client, None)
    run = runs.start(twin.client, about, {})
    twin.finish(run.workflow)
    before = twin.stored()
    twin.transport.headers = {HEADER: "v3.5.15" if told else None}

    def old() -> Any:
        return cluster(twin, lambda _, path, __: {"version": "v3.5.15"} if "version" in path else None)

    for write in (
        lambda: create_from(export("schedule"), old(), None),
        lambda: runs.start(old(), about, {}),
        lambda: runs.resubmit(old(), run),
    ):
        with pytest.raises(ArgoTooOld, match=OLD):
            write()
    assert twin.stored() == before
    assert runs.get(old(), run.run_id).succeeded  # what is there can be read


@pytest.mark.parametrize(
    ("flow", "version", "words"),
    [
        ("deep", "v3.6.19", "Argo v3.6.19 retries a foreach of more than one step as a whole"),
        *(("deep", "v3.7.2", ""), ("deep", "v0.0.0+unknown", "")),
        *(("foreach", "v3.6.19", ""), ("linear", "v3.6.0", "")),
    ],
)
def test_what_a_version_cannot_do_is_known_before(flow: str, version: str, words: str) -> None:
    found = old_argo.limits(version, export(flow))
    assert len(found) == bool(words)
    assert all(sentence.startswith(words) for sentence in found)


@pytest.mark.parametrize("flow", GOLDEN)
def test_what_is_emitted_argo_3_6_knows(flow: str) -> None:
    """Argo's server drops what it does not know in silence."""
    fields: dict[str, dict[str, str]] = json.loads((TESTS / "data" / "argo-fields-3.6.json").read_text())

    def unknown(value: Any, kind: str, at: str) -> list[str]:
        if isinstance(value, list):
            return [each for item in value for each in unknown(item, kind, at)]
        known = fields.get(kind)
        if not isinstance(value, dict) or not known:
            return []
        found = [f"{at}.{name}" for name in value if name not in known]
        for name, inner in value.items():
            found += unknown(inner, known.get(name, ""), f"{at}.{name}")
        return found

    for item in export(flow):
        if item["kind"] in fields:
            assert unknown(item, item["kind"], item["kind"]) == []
