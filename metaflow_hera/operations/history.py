"""The history of a deployment: its versions, as the datastore keeps them.

An entry is written before the objects of its version, and names the one that it replaces: what was deployed
is what the live template leads to, from entry to entry. An entry beside that chain was never live.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

from metaflow_hera.argo.deployments import Deployed, VersionKey, noted_version
from metaflow_hera.argo.packages import stored_package
from metaflow_hera.argo.target import Target
from metaflow_hera.contract.objects import JSON, NOT_JSON, TEMPLATE
from metaflow_hera.errors import ConfigurationError, NotFoundError
from metaflow_hera.home import home_folder
from metaflow_hera.metaflow_api.read.history_store import HistoryPlace, HistoryStore
from metaflow_hera.operations.git_state import GitState

FORMAT = 1
CREATE, ROLLBACK, PROMOTION, FOUND = "create", "rollback", "promotion", "found"
"""What made a version; FOUND is one that was live, and that no entry was written of when it was deployed."""

TEXTS = (
    "deployment",
    "flow",
    "kind",
    "created_at",
    "user",
    "token",
    "package",
    "message",
    "metaflow",
    "metaflow_hera",
)
"""The fields of an entry that hold a text, or nothing."""


@dataclass(frozen=True)
class Entry:
    """A version of a deployment.

    `previous` is the version that it replaced, `to` the one whose manifest it has after a rollback, `origin`
    the deployment and the version that were promoted. `package` is the address of its code package. `objects`
    are those that were sent; they hold tokens.
    """

    key: VersionKey
    previous: VersionKey | None
    deployment: str
    flow: str
    kind: str
    created_at: str | None
    user: str
    token: str
    package: str | None
    objects: Sequence[JSON]
    to: int | None = None
    origin: tuple[str, int | None] | None = None
    message: str | None = None
    git: GitState | None = None
    metaflow: str | None = None
    metaflow_hera: str | None = None

    @property
    def template(self) -> JSON:
        """The workflow template among its objects."""
        return next(item for item in self.objects if item["kind"] == TEMPLATE)

    def to_bytes(self) -> bytes:
        """The entry as its file has it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Entry:
        """The entry in a file. Raises ValueError, KeyError or TypeError for one that holds something else."""
        data = json.loads(content)
        if data.pop("format") != FORMAT:
            raise ValueError("a later version of mfhera wrote it")
        previous, origin, git = (data.pop(name) for name in ("previous", "origin", "git"))
        entry = cls(
            key=VersionKey(*data.pop("key")),
            previous=VersionKey(*previous) if previous else None,
            origin=(origin[0], origin[1]) if origin else None,
            git=GitState(**git) if git else None,
            **data,
        )
        if [item["kind"] for item in entry.objects].count(TEMPLATE) != 1:
            raise ValueError("it holds no deployment")
        if not all(item["metadata"]["name"] and item["spec"].keys() for item in entry.objects):
            raise ValueError("it holds an object without a name or a spec")
        if unfit := [name for name in TEXTS if not isinstance(getattr(entry, name), str | None)]:
            raise ValueError(f"{unfit[0]} is no text")
        return entry


def new_id() -> str:
    """An id that no other version has."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class FileName:
    """What the name of an entry's file says: its version, the id of the one before, and which server has it.

    So the chain of versions is known without a look into the files, of which another server's may be beside.
    """

    key: VersionKey
    previous: str
    server: str

    NOTHING: ClassVar[str] = "0"
    """In place of an id, where there is no version before."""

    @classmethod
    def of(cls, entry: Entry, server: str) -> FileName:
        """The name of an entry's file."""
        return cls(entry.key, entry.previous.id if entry.previous else cls.NOTHING, server)

    @classmethod
    def parse(cls, text: str) -> FileName:
        """The name that a text is."""
        number, identity, previous, server = text.removesuffix(".json").split("-")
        return cls(VersionKey(int(number), identity), previous, server)

    def __str__(self) -> str:
        return f"{self.key.number:06}-{self.key.id}-{self.previous}-{self.server}.json"


class History:
    """The history of a deployment at a server.

    Every method raises ConfigurationError if it cannot be read or written.
    """

    def __init__(self, store: HistoryStore, target: Target) -> None:
        self._store = store
        self._server = _mark(target)

    @property
    def place(self) -> HistoryPlace:
        """Where it is."""
        return self._store.place

    def newest(self) -> VersionKey | None:
        """The version with the highest number at this server, whether it was ever live or not."""
        found = [name.key for name in self._names() if name.server == self._server]
        return max(found, default=None)

    def of_id(self, identity: str) -> VersionKey | None:
        """The version with an id, if there is an entry of it."""
        return next((name.key for name in self._names() if name.key.id == identity), None)

    def has_package(self, entry: Entry) -> bool:
        """Whether the code package of a version is still in the datastore."""
        return entry.package is not None and self._store.has_package(entry.package)

    def add(self, entry: Entry) -> None:
        """Write an entry, before its version is deployed."""
        self._store.save(str(FileName.of(entry, self._server)), entry.to_bytes())

    def drop(self, entry: Entry) -> None:
        """Delete the entry of a version that was not deployed."""
        self._store.delete(str(FileName.of(entry, self._server)))

    def trim(self, live: VersionKey, kept: int) -> None:
        """Delete what is older than the last versions, so many of them, that led to the live one.

        So goes what was written beside them and never live; what another server has deployed stays.
        """
        if live.number <= kept:
            return
        names = self._names()
        chain = _chain(names, live)
        ids, old = {name.key.id for name in chain}, {name.key.id for name in chain[kept:]}
        for name in names:
            if name.key.id in old or (name.previous in old and name.key.id not in ids):
                self._store.delete(str(name))

    def entry(self, key: VersionKey) -> Entry | None:
        """The entry of a version; None if there is none (any more)."""
        name = next((name for name in self._names() if name.key == key), None)
        return None if name is None else next(iter(self._read([name])), None)

    def chain(self, head: VersionKey | None) -> list[Entry]:
        """The versions that were deployed, the newest first, from one on; None: from the newest one.

        It ends where an entry is not there any more.
        """
        return self._read(_chain(self._names(), head or self.newest()))

    def _names(self) -> list[FileName]:
        return [FileName.parse(name) for name in self._store.names()]

    def _read(self, names: Sequence[FileName]) -> list[Entry]:
        contents = self._store.load([str(name) for name in names])
        found = []
        for name in names:
            content = contents[str(name)]
            if content is None:  # deleted since it was listed
                break
            found.append(self._entry(name, content))
        return found

    def _entry(self, name: FileName, content: bytes) -> Entry:
        where = self._store.where(str(name))
        try:
            entry = Entry.from_bytes(content)
        except (*NOT_JSON, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ConfigurationError(
                f"{where}, an entry of the history of {self.place.deployment}, cannot be read ({error}). "
                "Restore the file, or delete it: the history then begins after that version."
            ) from error
        if (entry.deployment, FileName.of(entry, name.server)) != (self.place.deployment, name):
            raise ConfigurationError(
                f"{where} holds version {entry.key.number} of {entry.deployment}, not what its name says. "
                "Restore the file, or delete it: the history then begins after that version."
            )
        return entry


def _chain(names: Sequence[FileName], head: VersionKey | None) -> list[FileName]:
    """The versions that one leads to, itself the first; what is not there ends it."""
    by_id = {name.key.id: name for name in names}
    found = []
    name = by_id.pop(head.id, None) if head else None
    while name is not None:
        found.append(name)
        name = by_id.pop(name.previous, None)
    return found


def _mark(target: Target) -> str:
    """What tells the entries of a server, and of a namespace there, from those of others."""
    host = f"{platform.node()} {home_folder()}" if target.embedded else target.host
    return hashlib.sha1(f"{host} {target.namespace}".encode(), usedforsecurity=False).hexdigest()[:8]


def history_at(place: HistoryPlace, target: Target) -> History:
    """The history at a place, of a deployment at a server."""
    return History(HistoryStore(replace(place, root=place.root.rstrip("/"))), target)


def history_of(deployed: Deployed, template: JSON, target: Target) -> History | None:
    """The history of what is deployed, beside its code package; None if nothing says where that is."""
    place = place_of(deployed, template)
    return None if place is None else history_at(place, target)


def deployed_versions(deployed: Deployed, template: JSON, target: Target) -> list[Entry]:
    """The versions of what is deployed that were live, the newest first, as far as the history goes back."""
    history = history_of(deployed, template, target)
    return [] if history is None else history.chain(noted_version(template))


def numbered(chain: Sequence[Entry], name: str, number: int) -> Entry:
    """The version of a deployment with a number. Raises NotFoundError if it is not among those of a chain."""
    found = next((entry for entry in chain if entry.key.number == number), None)
    if found is None:
        raise NotFoundError(f"{name} has no version {number} in its history: {seen(name)}.")
    return found


def seen(name: str) -> str:
    """How one sees which versions a deployment has."""
    return f"mfhera versions --name {name} lists its versions"


def place_of(deployed: Deployed, template: JSON) -> HistoryPlace | None:
    """Where the history of what is deployed is; None if nothing says where its code package is."""
    package = stored_package(template)
    if package is None:
        return None
    parts = package.url.rsplit("/", 4)  # ROOT/FLOW/data/the first two letters/HASH
    if len(parts) != 5 or parts[1:3] != [deployed.flow, "data"]:
        return None
    return HistoryPlace(package.datastore, parts[0], deployed.flow, deployed.name)
