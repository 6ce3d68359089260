"""Log files, fetched from a datastore: in little memory, and of one whose end is wanted no more than that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional

from metaflow.metaflow_config import ARTIFACT_LOCALROOT
from metaflow.plugins.datastores.azure_storage import AzureStorage
from metaflow.plugins.datastores.gs_storage import GSStorage
from metaflow.plugins.datastores.s3_storage import S3Storage
from metaflow.plugins.datatools.s3.s3 import S3, MetaflowS3InvalidRange, S3GetObject

from metaflow_hera.metaflow_api.read.log_files import start_of_last

FIRST = 1 << 18
"""How many bytes of the end are fetched at first."""
GROWTH = 8
"""How many times as many are fetched when these were too few."""
PART = 1 << 22
"""How many bytes of a file in Azure are fetched at once: its client keeps them in memory."""

File = tuple[str, Optional[str]]
"""A name in the datastore, and a file on this machine: None if the datastore has no such name."""

Fetch = Callable[[str, int], tuple[Optional[str], bool]]
"""Fetches the last bytes of a name, so many of them: the file with them, and whether they are all it has."""


@contextmanager
def loaded_logs(storage: Any, names: Sequence[str], last: int | None) -> Iterator[list[File]]:
    """The stored files of these names, each with its `last` lines at least and perhaps with what is before.

    None are all lines.
    They are gone afterwards. Raises what Metaflow's datastores do, and their clients.
    """
    fetches = {S3Storage.TYPE: _of_s3, AzureStorage.TYPE: _of_azure, GSStorage.TYPE: _of_google}
    if storage.TYPE not in fetches or (last is None and storage.TYPE != AzureStorage.TYPE):
        with storage.load_bytes(list(names)) as found:
            yield [(name, path) for name, path, _ in found]
        return
    with fetches[storage.TYPE](storage) as fetch:
        yield [(name, _end(fetch, name, last)) for name in names]


def _end(fetch: Fetch, name: str, last: int | None) -> str | None:
    size = sys.maxsize if last is None else FIRST
    while True:
        path, is_whole = fetch(name, size)
        # A part begins within a line, so it has to have one line more than are wanted.
        if path is None or last is None or is_whole or start_of_last(Path(path), last):
            return path
        size *= GROWTH


@contextmanager
def _of_s3(storage: Any) -> Iterator[Fetch]:
    def fetch(name: str, size: int) -> tuple[str | None, bool]:
        try:
            found = s3.get(S3GetObject(name, None, -size), return_missing=True)
        except MetaflowS3InvalidRange:  # there is nothing in it
            return None, True
        return (str(found.path), found.range_info.request_offset == 0) if found.exists else (None, True)

    with S3(
        s3root=storage.datastore_root, tmproot=ARTIFACT_LOCALROOT, external_client=storage.s3_client
    ) as s3:
        yield fetch


@contextmanager
def _of_azure(storage: Any) -> Iterator[Fetch]:
    def write(name: str, start: int, end: int, path: Path) -> None:
        blob = storage.root_client.get_blob_client(name)
        with path.open("wb") as file:
            for at in range(start, end, PART):
                blob.download_blob(offset=at, length=min(PART, end - at)).readinto(file)

    with _by_offset(storage, write) as fetch:
        yield fetch


@contextmanager
def _of_google(storage: Any) -> Iterator[Fetch]:
    def write(name: str, start: int, end: int, path: Path) -> None:
        storage.root_client.get_blob_client(name).download_to_filename(str(path), start=start, end=end - 1)

    with _by_offset(storage, write) as fetch:
        yield fetch


@contextmanager
def _by_offset(storage: Any, write: Callable[[str, int, int, Path], None]) -> Iterator[Fetch]:
    """Fetches by `write`, which writes to a file what a name has from one offset to another."""

    def fetch(name: str, size: int) -> tuple[str | None, bool]:
        whole = storage.size_file(name)
        if not whole:  # there is none, or nothing in it
            return None, True
        path = Path(folder, name.rpartition("/")[2])
        write(name, max(0, whole - size), whole, path)
        return str(path), whole <= size

    with TemporaryDirectory(dir=ARTIFACT_LOCALROOT, prefix="metaflow.log.") as folder:
        yield fetch
