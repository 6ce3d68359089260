"""Which Argo the end-to-end tests talk to: an embedded one, or with `--any-argo` that of ARGO_SERVER.

Nothing of this machine reaches a test (`harness.without_the_machine`). With `--any-argo` the variables of
Argo, Metaflow and AWS do: the tests run against the server, the datastore and the metadata service that
these name, where ARGO_SERVER names one. They need a namespace of their own, and delete all that is in it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from metaflow_hera.argo.target import configured_target
from metaflow_hera.embedded.local import launch

OPTION = "any_argo"
CLOUDS = ("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST")
"""What the variables begin with by which the clients of datastores find them, and who they are."""
HANDED = ("ARGO_", "METAFLOW_", *CLOUDS)
KINDS = ("workflow-templates", "cron-workflows", "sensors", "workflows")
ONLY = "only the embedded Argo: "
SECONDS = 600.0

handed: dict[str, str] = {}
"""The variables that reach the tests; none without `--any-argo`."""


@dataclass(frozen=True)
class Server:
    """An Argo server, asked directly."""

    url: str
    namespace: str
    token: str | None
    verify: bool | str = True

    @staticmethod
    def of(env: Mapping[str, str]) -> Server | None:
        """The server that an environment names; None if that is an embedded Argo that does not run."""
        named = configured_target(env)
        if named is not None:
            return Server(named.host.rstrip("/"), named.namespace, named.token, named.verify)
        embedded = launch.status(Path(env["METAFLOW_HERA_HOME"]))
        if embedded is None:
            return None
        # Plain HTTP: to load the certificates of authorities takes longer than the call.
        return Server(embedded.url, "default", f"Bearer {embedded.token}", verify=False)

    def address(self, kind: str, *path: str) -> str:
        """Where the objects of a kind are, or something below them."""
        return "/".join([f"{self.url}/api/v1", kind, self.namespace, *path])

    @property
    def options(self) -> dict[str, Any]:
        """What httpx needs beside the address."""
        headers = {"Authorization": self.token} if self.token else {}
        return {"headers": headers, "timeout": SECONDS, "trust_env": bool(handed), "verify": self.verify}

    def call(self, method: str, kind: str, *path: str, **more: Any) -> httpx.Response:
        """One call; it must succeed."""
        answer = httpx.request(method, self.address(kind, *path), **self.options, **more)
        assert answer.is_success, f"{method} {answer.url}: {answer.status_code} {answer.text}"
        return answer

    def listed(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """All objects of a kind, but for those being deleted. Without Argo Events there are no sensors.

        Nor may whoever deploys ask for them then: the Role for that comes with Argo Events.
        """
        answer = httpx.get(self.address(kind), **self.options, params=query)
        if kind == "sensors" and answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN):
            return []
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"] or []
        return [item for item in items if "deletionTimestamp" not in item.get("metadata", {})]

    def names(self, kinds: Iterable[str] = KINDS) -> Iterator[tuple[str, str]]:
        """All that there is of these kinds: kind and name of each object."""
        for kind in kinds:
            yield from ((kind, item["metadata"]["name"]) for item in self.listed(kind))

    def empty(self, kinds: Iterable[str] = KINDS) -> None:
        """Delete all that there is of these kinds. What a deleted object took along is gone already."""
        for kind, name in [*self.names(kinds)]:
            answer = httpx.delete(self.address(kind, name), **self.options)
            assert answer.is_success or answer.status_code == httpx.codes.NOT_FOUND, answer.text


def real() -> Server | None:
    """The server of ARGO_SERVER, where the tests are to use that."""
    return Server.of(handed) if handed.get("ARGO_SERVER") else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, see above."""
    text = "use what ARGO_SERVER, METAFLOW_*, AWS_*, AZURE_* and GOOGLE_* name, see CONTRIBUTING.md"
    parser.addoption("--any-argo", action="store_true", dest=OPTION, help=text)


def configure(config: pytest.Config) -> None:
    """Take over what the environment says, where that is asked for; called before it is forgotten."""
    if not config.getoption(OPTION):
        return
    handed.update({name: value for name, value in os.environ.items() if name.startswith(HANDED)})
    server = real()
    if server is not None:
        if config.getoption("numprocesses", None):
            raise pytest.UsageError("All tests share one namespace of that Argo: leave out -n.")
        handed.update({name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")})
        there = [*server.names()]
        if there:
            raise pytest.UsageError(
                f"Namespace {server.namespace} at {server.url} is not empty: it has {len(there)} objects, "
                f"the first is {there[0][1]} of {there[0][0]}. The tests delete all that is in their "
                "namespace: name another one in ARGO_NAMESPACE, or empty it."
            )


def mark_items(items: Iterable[pytest.Item]) -> None:
    """Skip what the server of the tests cannot be asked for."""
    if not handed.get("ARGO_SERVER"):
        return
    for item in items:
        only = item.get_closest_marker("embedded_only")
        if only is not None:
            item.add_marker(pytest.mark.skip(reason=f"{ONLY}{only.args[0]}"))


def summary(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Which Argo it was, and how many tests were not for it, by their reasons."""
    if not reporter.config.getoption(OPTION):
        return
    run = [*reporter.getreports("passed"), *reporter.getreports("failed")]
    server = real()
    if server is None:
        alone = sum("embedded_only" in report.keywords for report in run)
        yield f"end to end with the embedded Argo: {len(run)} tests, {alone} of them for it alone"
        return
    said = [str(report.longrepr) for report in reporter.getreports("skipped")]
    reasons = Counter(text.partition(ONLY)[2].rstrip("')") for text in said if ONLY in text)
    yield f"end to end with Argo at {server.url}: {len(run)} tests"
    yield f"for the embedded Argo alone, and not run: {reasons.total()} tests"
    yield from (f"    {count}, since it {reason}" for reason, count in sorted(reasons.items()))
