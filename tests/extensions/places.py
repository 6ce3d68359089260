"""`mfhera` beside an extension: each process starts cold, since its imports may set variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import emulators
from harness import Mfhera, clean_environment


@contextmanager
def local(folder: Path, **env: str) -> Iterator[Mfhera]:
    """`mfhera` with an embedded Argo of its own, and data in a folder."""
    home = folder / "home"
    mfhera = Mfhera(home, home, clean_environment(home, **env)).cold.at(folder / "project")
    try:
        yield mfhera
    finally:
        mfhera.stop()


@contextmanager
def in_s3(folder: Path) -> Iterator[Mfhera]:
    """The same with data in S3, as extensions want it that know no local datastore."""
    with emulators.s3() as store:
        more = {**store.env, "NO_PROXY": "127.0.0.1", "METAFLOW_DEFAULT_DATASTORE": "s3"}
        with local(folder, **more) as mfhera:
            yield mfhera
