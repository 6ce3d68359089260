"""The ends of log files in a datastore: of one far away no more is fetched than its last lines take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metaflow.metaflow_config import ARTIFACT_LOCALROOT
from metaflow.plugins.datastores.s3_storage import S3Storage
from metaflow.plugins.datatools.s3.s3 import S3, MetaflowS3InvalidRange, S3GetObject

from metaflow_hera.metaflow_api.read.log_files import start_of_last

FIRST = 1 << 18
"""How many bytes of the end are fetched at first."""
GROWTH = 8
"""How many times as many are fetched when these were too few."""

File = tuple[str, str | None]
"""A name in the datastore, and a file on this machine: None if the datastore has no such name."""


@contextmanager
def loaded_ends(storage: Any, names: Sequence[str], last: int) -> Iterator[list[File]]:
    """The stored files of these names, each with its `last` lines at least and perhaps with what is before.

    They are gone afterwards. Raises MetaflowException and OSError as Metaflow's datastores do.
    """
    if storage.TYPE != S3Storage.TYPE:
        with storage.load_bytes(list(names)) as found:
            yield [(name, path) for name, path, _ in found]
        return
    with S3(
        s3root=storage.datastore_root, tmproot=ARTIFACT_LOCALROOT, external_client=storage.s3_client
    ) as s3:
        yield [(name, _end(s3, name, last)) for name in names]


def _end(s3: Any, name: str, last: int) -> str | None:
    size = FIRST
    while True:
        try:
            found = s3.get(S3GetObject(name, None, -size), return_missing=True)
        except MetaflowS3InvalidRange:  # there is nothing in it
            return None
        # A part begins within a line, so it has to have one line more than are wanted.
        if not found.exists or found.range_info.request_offset == 0 or start_of_last(Path(found.path), last):
            return str(found.path) if found.exists else None
        size *= GROWTH
