"""The history of a deployment in Metaflow's datastore: a file for each version, beside the code packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from metaflow.plugins import DATASTORES

from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.load.messages import reason_of
from metaflow_hera.private_files import save_private

FOLDER = "mfhera-versions"
"""The folder within that of a flow; Metaflow's Client API takes only those of runs for runs."""
NAME = re.compile(r"[0-9]{6,18}(-[0-9a-z]+){3}\.json")
LOCAL = "local"


@dataclass(frozen=True)
class HistoryPlace:
    """Where the history of a deployment is: the type and the root of a datastore, and the flow's name."""

    datastore: str
    root: str
    flow: str
    deployment: str


class HistoryStore:
    """The files of a deployment's history.

    Every method raises ConfigurationError, which names the file, if the datastore cannot be used.
    """

    def __init__(self, place: HistoryPlace) -> None:
        self.place = place
        found = next((impl for impl in DATASTORES if place.datastore == impl.TYPE), None)
        if found is None:
            raise ConfigurationError(
                f"The history of {place.deployment} is in a datastore of the type {place.datastore}, "
                "which the Metaflow that is installed here does not have."
            )
        with self._told("opened", ""):
            self._storage: Any = found(place.root)

    def names(self) -> list[str]:
        """The names of the files, in their order; files of other names are not of the history."""
        with self._told("read", ""):
            found = self._storage.list_content([self._path("")])
            names = (self._storage.basename(each.path) for each in found if each.is_file)
            return sorted(name for name in names if NAME.fullmatch(name))

    def load(self, names: Sequence[str]) -> Mapping[str, bytes | None]:
        """The content of some files, None for one that is not there, in one call."""
        paths = {self._path(name): name for name in names}
        content: dict[str, bytes | None] = {}
        with (
            self._told("read", names[0] if len(names) == 1 else ""),
            self._storage.load_bytes(paths) as found,
        ):
            for path, file, _ in found:
                content[paths[path]] = None if file is None else Path(file).read_bytes()
        return content

    def save(self, name: str, content: bytes) -> None:
        """Write a file whole; on this machine for this user only, since a manifest holds tokens."""
        path = self._path(name)
        with self._told("written", name):
            if self.place.datastore == LOCAL:
                file = Path(self._storage.full_uri(path))
                file.parent.mkdir(parents=True, exist_ok=True)
                save_private(file, content)
            else:
                self._storage.save_bytes(iter([(path, BytesIO(content))]), overwrite=True, len_hint=1)

    def delete(self, name: str) -> None:
        """Delete a file. Metaflow's own storages cannot, so their clients do."""
        path = self._path(name)
        with self._told("deleted", name):
            _DELETE[self.place.datastore](self._storage, path)

    def has_package(self, url: str) -> bool:
        """Whether a code package is still there. One of another datastore is not looked for."""
        root = self.place.root.rstrip("/") + "/"
        with self._told("read", ""):
            return url.startswith(root) and bool(self._storage.is_file([url[len(root) :]])[0])

    def where(self, name: str = "") -> str:
        """The address of a file, or of the folder, as people know it."""
        return str(self._storage.full_uri(self._path(name)))

    def _path(self, name: str) -> str:
        path = "/".join((self.place.flow, FOLDER, self.place.deployment))
        return f"{path}/{name}" if name else path

    @contextmanager
    def _told(self, done: str, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a datastore may raise anything
            place = self.place
            parts = (place.root.rstrip("/"), place.flow, FOLDER, place.deployment, name)
            where = "/".join(part for part in parts if part)
            raise ConfigurationError(
                f"{where}, the history of {place.deployment}, cannot be {done}: {reason_of(error)}. "
                "Check that the datastore is reachable, and that this user may read and write there."
            ) from error


def _delete_local(storage: Any, path: str) -> None:
    Path(storage.full_uri(path)).unlink(missing_ok=True)


def _delete_s3(storage: Any, path: str) -> None:
    from metaflow.plugins.datatools.s3.s3util import get_s3_client

    client, _ = get_s3_client()
    bucket, _, key = str(storage.full_uri(path)).removeprefix("s3://").partition("/")
    client.delete_object(Bucket=bucket, Key=key)


def _delete_azure(storage: Any, path: str) -> None:
    storage.root_client.get_blob_client(path).delete_blob()


def _delete_gs(storage: Any, path: str) -> None:
    storage.root_client.get_blob_client(path).delete()


_DELETE = {LOCAL: _delete_local, "s3": _delete_s3, "azure": _delete_azure, "gs": _delete_gs}
