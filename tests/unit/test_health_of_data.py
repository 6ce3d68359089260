"""`mfhera doctor`: the datastore and the metadata service, each with what makes the check fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from metadata_service import MetadataService
from serving import serving

from metaflow_hera.argo.target import Target
from metaflow_hera.metaflow_api.light.storage import CONTENT, FOLDER, write_and_read
from metaflow_hera.operations.health import metadata, storage
from metaflow_hera.operations.health.findings import FAILED, OK, WARNING, Finding

CLUSTER = Target("https://argo.example/", "flows")
EMBEDDED = Target("http://127.0.0.1:2746/", "default", embedded=True)
NOTHING = "http://127.0.0.1:9"
"""Nobody listens there."""


@contextmanager
def answering(status: int, **headers: str) -> Iterator[str]:
    """The address of a server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_HEAD = do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Not to stderr."""

    with serving(Handler) as address:
        yield f"http://{address}"


class TestDatastore:
    """Written and read as Metaflow does it, in a process of its own."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        return tmp_path

    def only(self, datastore: str, target: Target) -> Finding:
        (found,) = storage.findings(datastore, target)
        return found

    def test_a_local_one(self, here: Path) -> None:
        (here / ".metaflow").mkdir()
        found = self.only("local", EMBEDDED)
        assert (found.state, f"{here}/.metaflow" in found.found) == (OK, True)
        assert (here / ".metaflow" / FOLDER / "written").read_bytes() == CONTENT
        assert self.only("local", EMBEDDED).state == OK  # also where it was written before

    @pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_cannot_be_written(self, here: Path) -> None:
        (here / ".metaflow").mkdir(mode=0o500)
        found = self.only("local", EMBEDDED)
        assert (found.state, "Permission denied" in found.found) == (FAILED, True)

    def test_a_file_in_the_place_of_the_folder(self, here: Path) -> None:
        (here / ".metaflow" / FOLDER).mkdir(parents=True)
        (here / ".metaflow" / FOLDER / "written").mkdir()
        found = self.only("local", EMBEDDED)
        assert (found.state, "METAFLOW_DATASTORE_SYSROOT_LOCAL" in str(found.mend)) == (FAILED, True)

    def test_a_local_one_for_a_cluster(self) -> None:
        found = self.only("local", CLUSTER)
        assert (found.state, found.what) == (FAILED, "for pods")
        assert "METAFLOW_DEFAULT_DATASTORE" in str(found.mend)

    def test_one_that_metaflow_does_not_know(self) -> None:
        found = self.only("s4", CLUSTER)
        assert "Metaflow knows no such datastore" in found.found
        assert "--datastore" in str(found.mend)

    def test_a_variable_that_metaflow_cannot_read(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_SERVICE_HEADERS", "{")
        found = self.only("local", EMBEDDED)
        assert (found.state, found.mend) == (FAILED, "Correct METAFLOW_SERVICE_HEADERS, or unset it.")

    def test_a_root_that_is_not_set(self) -> None:
        found = self.only("s3", CLUSTER)
        assert (found.state, found.what) == (FAILED, "root")
        assert found.found == "METAFLOW_DATASTORE_SYSROOT_S3 is not set"

    def test_a_bucket_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket/metaflow")
        monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", NOTHING)
        found = self.only("s3", CLUSTER)
        assert (found.state, "Could not connect" in found.found) == (FAILED, True)
        assert "METAFLOW_S3_ENDPOINT_URL" in str(found.mend)

    def test_a_bucket_that_denies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket/metaflow")
        with answering(403) as url:
            monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", url)
            found = self.only("s3", CLUSTER)
        assert (found.state, "AccessDenied" in found.found) == (FAILED, True)
        assert "read and write there" in str(found.mend)

    def test_a_bucket_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_S3", "s3://bucket/metaflow")
        with answering(404) as url:
            monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", url)
            found = self.only("s3", CLUSTER)
        assert (found.state, "Create it" in str(found.mend)) == (FAILED, True)

    def test_one_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert write_and_read("local", 0.0) == {"error": "it did not answer within 0 seconds"}


class TestMetadata:
    """The service that is configured, or none."""

    @pytest.fixture(autouse=True)
    def configured(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
        def configure(url: str | None) -> None:
            monkeypatch.setattr("metaflow.metaflow_config.DEFAULT_METADATA", "service")
            monkeypatch.setattr("metaflow.metaflow_config.SERVICE_URL", url)

        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        return configure

    def only(self, target: Target = CLUSTER) -> Finding:
        (found,) = metadata.findings(target)
        return found

    def test_the_service(self, configured: Callable[[str | None], None]) -> None:
        service = MetadataService()
        configured(url := service.url)
        found = self.only()
        service.close()
        assert (found.state, found.found) == (OK, f"{url}, version 2.5.0")

    @pytest.mark.parametrize(
        ("status", "headers", "words"),
        [
            (200, {"METADATA_SERVICE_VERSION": "2.0.1"}, "has version 2.0.1"),
            (200, {}, "does not answer like Metaflow's service"),
            (403, {}, "refuses the call (403)"),
        ],
    )
    def test_a_service_that_will_not_do(
        self, configured: Callable[[str | None], None], status: int, headers: dict[str, str], words: str
    ) -> None:
        with answering(status, **headers) as url:
            configured(url)
            found = self.only()
        assert (found.state, words in found.found) == (FAILED, True)
        assert found.mend

    def test_a_service_that_cannot_be_reached(self, configured: Callable[[str | None], None]) -> None:
        configured("http://user:secret@127.0.0.1:9")
        found = self.only()
        assert (found.state, "cannot be reached (Connection refused)" in found.found) == (FAILED, True)
        assert "secret" not in found.found
        configured("ftp://user:secret@127.0.0.1")
        assert "secret" not in self.only().found

    @pytest.mark.parametrize("url", ["http://a..b", "http://[::1", "127.0.0.1:8080", " ", "ü"])
    def test_what_is_no_address(self, configured: Callable[[str | None], None], url: str) -> None:
        configured(url)
        found = self.only()
        assert (found.state, "cannot be reached" in found.found) == (FAILED, True)

    def test_a_service_that_leads_nowhere(self, configured: Callable[[str | None], None]) -> None:
        with answering(302, Location="http://[::1") as url:
            configured(url)
            assert "cannot be reached (Invalid IPv6 URL)" in self.only().found

    def test_headers_that_are_none(
        self, configured: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configured(NOTHING)
        for text in ("abc", "[1]"):
            monkeypatch.setattr("metaflow.metaflow_config.SERVICE_HEADERS", text)
            found = self.only()
            assert (found.state, "METAFLOW_SERVICE_HEADERS" in found.found) == (FAILED, True)

    def test_no_address(self, configured: Callable[[str | None], None]) -> None:
        configured(None)
        assert "METAFLOW_SERVICE_URL is not set" in self.only().found

    def test_no_service(self) -> None:
        assert self.only().state == WARNING
        assert self.only(EMBEDDED).state == OK
