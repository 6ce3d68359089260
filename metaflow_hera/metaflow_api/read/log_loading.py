"""Log files, fetched from a datastore: in little memory, and of one whose end is wanted no more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Optional

from metaflow.metaflow_config import ARTIFACT_LOCALROOT
from metaflow.plugins.datastores.azure_storage import AzureStorage
from metaflow.plugins.datastores.gs_storage import GSStorage
from metaflow.plugins.datastores.s3_storage import S3Storage
from metaflow.plugins.datatools.s3.s3 import S3, MetaflowS3InvalidRange, MetaflowS3NotFound, S3GetObject

from metaflow_hera.metaflow_api.read.log_files import start_of_last

FIRST = 1 << 18
"""How many bytes of the end are fetched at first."""
GROWTH = 8
"""How many times as many are fetched when these were too few."""
PART = 1 << 22
"""How many bytes of a file in S3 or Azure are fetched at once: their clients keep them in memory."""

File = tuple[str, Optional[str]]
"""A name in the datastore, and a file on this machine: None if the datastore has no such name."""

Write = Callable[[Any, str, int, int, Path], None]
"""Takes a datastore and a name, and writes what that has from one offset to another to a file."""


@contextmanager
def loaded_logs(storage: Any, names: Sequence[str], last: int | None) -> Iterator[list[File]]:
    """The stored files of these names, each with its `last` lines at least and perhaps with what is before.

    A `last` of None means all lines. The files are gone afterwards. Raises what Metaflow's datastores do, and
    their clients.
    """
    # Metaflow's own way fetches all of a file, and for S3 and Azure keeps much of it in memory.
    write = WRITES.get(storage.TYPE)
    if write is None:
        with storage.load_bytes(list(names)) as found:
            yield [(name, path) for name, path, _ in found]
        return
    with TemporaryDirectory(dir=ARTIFACT_LOCALROOT, prefix="metaflow.log.") as folder:
        yield [(name, _fetched(write, storage, name, last, Path(folder))) for name in names]


def _fetched(write: Write, storage: Any, name: str, last: int | None, folder: Path) -> str | None:
    whole = storage.size_file(name)
    if whole is None:
        return None
    path = folder / name.rpartition("/")[2]
    if whole == 0:  # no range of it is valid
        path.touch()
        return str(path)
    size = whole if last is None else FIRST
    while True:
        write(storage, name, max(0, whole - size), whole, path)
        # A part begins within a line, so it has to have one line more than are wanted.
        if last is None or size >= whole or start_of_last(path, last):
            return str(path)
        size *= GROWTH


def _of_s3(storage: Any, name: str, start: int, end: int, path: Path) -> None:
    client = storage.s3_client
    with (
        S3(s3root=storage.datastore_root, tmproot=str(path.parent), external_client=client) as s3,
        path.open("wb") as file,
        suppress(MetaflowS3InvalidRange, MetaflowS3NotFound),  # it was replaced by a shorter one, or deleted
    ):
        for at in range(start, end, PART):
            part = Path(s3.get(S3GetObject(name, at, min(PART, end - at))).path)
            file.write(part.read_bytes())
            part.unlink()


def _of_azure(storage: Any, name: str, start: int, end: int, path: Path) -> None:
    blob = storage.root_client.get_blob_client(name)
    with path.open("wb") as file:
        for at in range(start, end, PART):
            blob.download_blob(offset=at, length=min(PART, end - at)).readinto(file)


def _of_google(storage: Any, name: str, start: int, end: int, path: Path) -> None:
    storage.root_client.get_blob_client(name).download_to_filename(str(path), start=start, end=end - 1)


WRITES: dict[str, Write] = {S3Storage.TYPE: _of_s3, AzureStorage.TYPE: _of_azure, GSStorage.TYPE: _of_google}
