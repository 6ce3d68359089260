"""The versions of a deployment, as its history tells them, and which one is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import unfinished, version_of
from metaflow_hera.argo.packages import package_url
from metaflow_hera.contract.objects import JSON
from metaflow_hera.operations.history import FOUND, Entry, deployed_versions
from metaflow_hera.operations.plan import companions_of
from metaflow_hera.operations.present import existing_in, read


@dataclass(frozen=True)
class Version:
    """A version of a deployment.

    `number` is None for what is live and was not deployed by `create`: by an older mfhera, `create --from` or
    kubectl. `kind` is what made it: create, rollback (`to` an earlier version), promotion (of the deployment
    and version `origin`), or found, which was recorded when the next one replaced it. `commit`, `branch` and
    `dirty` (files that git knows were changed) are those of the flow's folder, None where git knows nothing
    of it; `package` is the address of the code package, `metaflow` and `metaflow_hera` are what deployed it.
    """

    number: int | None
    live: bool
    kind: str
    deployed_at: str | None
    user: str
    message: str | None = None
    to: int | None = None
    origin: tuple[str, int | None] | None = None
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    package: str | None = None
    metaflow: str | None = None
    metaflow_hera: str | None = None

    def as_json(self) -> JSON:
        """All that is known about it, for programs."""
        about = asdict(self)
        if self.origin is not None:
            about["origin"] = {"deployment": self.origin[0], "version": self.origin[1]}
        return {"version": about.pop("number"), **about}

    @property
    def words(self) -> str:
        """What made it, with what its author said."""
        origin, version = self.origin or ("", None)
        made = {
            "rollback": f"a rollback to {self.to}",
            "promotion": f"a promotion of {origin}" + (f", version {version}" if version else ""),
            FOUND: "recorded when it was replaced",
        }.get(self.kind, "")
        return ": ".join(part for part in (made, self.message) if part)


@dataclass(frozen=True)
class Versions:
    """The versions of a deployment, the newest first, and sentences on them."""

    deployment: str
    versions: Sequence[Version]
    notes: Sequence[str] = ()


def versions_of(client: ArgoClient, name: str) -> Versions:
    """The versions of a deployment that were live, as far as its history goes back.

    Raises NotFoundError if there is no such deployment, NameTakenError if it is not that of a flow,
    ConfigurationError if the history cannot be read.
    """
    present = read(client, name)
    about, template = existing_in(present)
    live = version_of(template)
    chain = deployed_versions(about, template, client.target)
    found = [_version(entry, live=entry.key == live) for entry in chain]
    notes = []
    if live is None or not found or not found[0].live:
        number = live.number if live else None
        package = package_url(template)
        found.insert(0, Version(number, True, FOUND, about.deployed_at, about.owner, package=package))
        what = f"Version {number} of {name}" if live else f"The live version of {name}"
        how = "" if live else " (an older mfhera, create --from or kubectl deployed it)"
        notes.append(f"{what} is not in the history{how}: the next create or rollback records it.")
    if left := unfinished(template, *companions_of(present)):
        notes.append(left)
    return Versions(name, found, notes)


def _version(entry: Entry, *, live: bool) -> Version:
    git = entry.git
    return Version(
        number=entry.key.number,
        live=live,
        kind=entry.kind,
        deployed_at=entry.created_at,
        user=entry.user,
        message=entry.message,
        to=entry.to,
        origin=entry.origin,
        commit=git.commit if git else None,
        branch=git.branch if git else None,
        dirty=git.dirty if git else None,
        package=entry.package,
        metaflow=entry.metaflow,
        metaflow_hera=entry.metaflow_hera,
    )
