"""The code package of a flow: made by Metaflow, with what this package's pods need besides."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha1
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import Any

from metaflow.decorators import flow_decorators
from metaflow.exception import MetaflowException
from metaflow.metaflow_config import DEFAULT_DECOSPECS
from metaflow.package import MetaflowPackage

from metaflow_hera.contract import code_package
from metaflow_hera.errors import FlowError
from metaflow_hera.home import cache_folder, is_home
from metaflow_hera.metaflow_api.decorators import attaching, internal
from metaflow_hera.metaflow_api.load.archives import Member, archive, hash_of_modules
from metaflow_hera.metaflow_api.load.datastores import check_credentials
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.messages import message_of, reason_of
from metaflow_hera.metaflow_api.load.output import to_stderr
from metaflow_hera.metaflow_api.pod.packaged_settings import FILE_NAME, PodSettings

MADE_IN_PODS = ("local", "uv")
"""The environments of which nothing is made, or stored, when a flow is packed."""

PROJECT = "project"
"""The name of @project."""

MODULES = f"{code_package.MODULES}/"
"""How the names of a package's modules begin."""

OF_THE_MACHINE = (MODULES, code_package.MARKER, code_package.INFO, code_package.DIST_INFO)
"""How the names begin of what a package has of Metaflow and of the machine that made it, not of the flow."""

LONGEST_REASON = 300
"""Characters of the reason for which a code package could not be made."""


@dataclass(frozen=True)
class CodePackage:
    """A code package that is stored in the flow's datastore.

    `url` is where it is, `metadata` Metaflow's note of its format, `modules` the hash of its modules, None
    where that is not known, or they are not all of them.
    """

    url: str
    metadata: str
    modules: str | None = None


class Packing:
    """The making of a flow's code package: its folder, Metaflow and the pod's runtime.

    As a context, Metaflow makes it in a thread while the caller goes on, most of it in the compression, which
    keeps nobody from running. Until it is stored, or the context ends, stdout goes to stderr.

    With `only_code` no environments of steps are made, for which Metaflow stores packages in the datastore.
    """

    def __init__(self, flow: LoadedFlow, *, only_code: bool = False) -> None:
        self._flow = flow
        self.lacks_environments = only_code and flow.environment not in MADE_IN_PODS
        self._open = ExitStack()
        self._made: _Package | None = None
        self._fault: FlowError | None = None

    def __enter__(self) -> Packing:
        # An environment may take minutes to be made: not before everything else is checked.
        if self._flow.environment == "local" or self.lacks_environments:
            _ = self._flow.parameters  # functions of the user's, which may write files
            self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            with suppress(Exception):  # what became of a package that nobody asked for does not matter
                _ = self._made.blob  # but the thread must have ended before its folder goes
        self._open.close()

    @cached_property
    def blob(self) -> bytes:
        """The package itself, stored nowhere. Raises FlowError if it cannot be made."""
        if self._made is None and self._fault is None:
            self._begin()
        with self._open:
            if self._made is None:
                raise self._fault or AssertionError("it has not begun")
            with _told_as_not_made(self._flow.environment):
                return self._made.blob  # type: ignore[no-any-return]

    @cached_property
    def saved(self) -> CodePackage:
        """The package, stored in the flow's datastore.

        Raises FlowError if it cannot be made or stored, ConfigurationError if credentials are missing.
        """
        store = self._flow.state.flow_datastore
        blob = self.blob
        check_credentials(self._flow)
        try:
            with to_stderr():
                url, _ = store.save_data([blob], len_hint=1)[0]
        except Exception as error:  # a datastore may raise anything
            where = self._flow.datastore
            raise FlowError(f"The code package could not be stored in {where}: {reason_of(error)}") from error
        return self._package(url)

    @cached_property
    def unsaved(self) -> CodePackage:
        """The package with the URL that it would have if it were stored. Raises FlowError as `blob` does."""
        digest = sha1(self.blob, usedforsecurity=False).hexdigest()
        storage = self._flow.state.flow_datastore._storage_impl
        # As Metaflow's content-addressed store names what it keeps.
        path = storage.path_join(self._flow.name, "data", digest[:2], digest)
        return self._package(str(storage.full_uri(path)))

    def _package(self, url: str) -> CodePackage:
        assert self._made is not None
        modules = None if self._made.has_own_modules else hash_of_modules(self.blob)
        return CodePackage(url, self._made.package_metadata, modules)

    def difference(self, url: str) -> str | None:
        """What of the flow is not as in a stored package, in words; None if all of it is.

        The flow is packed for that, and not stored. Which branch of @project it is does not count. Raises
        FlowError if it cannot be packed, or there is no such package.
        """
        blob = self.blob
        try:
            stored = _stored(self._flow, url)
        except Exception as error:  # a datastore may raise anything
            raise FlowError(
                f"The code package {url} cannot be read in the flow's datastore: {reason_of(error)}"
            ) from error
        return _difference(_of_flow(stored), _of_flow(blob))

    def _begin(self) -> None:
        flow, state = self._flow, self._flow.state
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="mfhera-"))
        self._open.enter_context(to_stderr())
        settings_file = Path(folder, "settings.json")

        def files() -> Iterator[internal.PackagedFile]:
            # Not before Metaflow asks: by then it has made the environments of the steps.
            settings = PodSettings(
                script=flow.file.name,
                datastore_root=state.flow_datastore.datastore_root,
                graph=flow.graph,
                top_level=_pod_options(flow),
                project=project_options(flow),
                metadata=flow.metadata,
                steps={
                    step.name: flow.step_settings(step.name, not self.lacks_environments)
                    for step in flow.graph
                },
            )
            settings_file.write_text(settings.to_json(), encoding="utf-8")
            return internal.pod_files(str(settings_file))

        internal.HeraInternalDecorator.to_package = staticmethod(files)
        try:
            with _told_as_not_made(self._flow.environment):
                environment = _Unmade(state.environment) if self.lacks_environments else state.environment
                self._made = _Package(state.flow, environment, state.echo, suffixes=state.package_suffixes)
        except FlowError as error:
            self._fault = error  # for whoever asks for the package: other faults of the flow come first


def save_package(flow: LoadedFlow) -> CodePackage:
    """Pack a flow and store that in its datastore. Raises FlowError if that fails."""
    return Packing(flow).saved


class _Unmade:
    """An environment of Metaflow's, of which nothing is made yet."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def init_environment(self, *_: Any) -> None:
        """Make nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment, name)


@contextmanager
def _told_as_not_made(environment: str) -> Iterator[None]:
    where = "" if environment == "local" else f" with --environment={environment}"
    try:
        yield
    except Exception as error:  # an environment or a file system may raise anything
        why = message_of(error) if isinstance(error, MetaflowException) else str(error)
        # What makes an environment may quote all that its tools print.
        why = shorten(why, LONGEST_REASON, placeholder=" ...")
        raise FlowError(f"The code package could not be made{where}: {why}") from error


class _Package(MetaflowPackage):  # type: ignore[misc]
    """A package without the homes of embedded Argos in the flow's folder, which hold packages themselves.

    `has_own_modules` says that the flow has files of its own among the modules.
    """

    has_own_modules = False

    def _make(self) -> bytes:
        content = [Member(name, source) for source, name in self._mfcontent.contents()]
        modules = [each for each in content if _is_module(each)]
        others = [each for each in content if not _is_module(each)]
        users = [Member(name, path) for path, name in self._cached_user_members]
        self.has_own_modules = any(each.name.startswith(MODULES) for each in (*others, *users))
        return archive(modules, [*others, *users], cache_folder())

    def _user_code_tuples(self) -> Iterator[tuple[str, str]]:
        def in_home(folder: Path) -> bool:
            if folder not in found:
                # Not the flow's own folder: a pod that deploys works in a home.
                inside = len(folder.parts) > len(top.parts)
                found[folder] = inside and (is_home(folder) or in_home(folder.parent))
            return found[folder]

        found: dict[Path, bool] = {}
        files = super()._user_code_tuples()
        top = Path(sys.argv[0]).absolute().parent
        return ((path, name) for path, name in files if not in_home(Path(path).parent))


def _is_module(file: Member) -> bool:
    return file.name.startswith(MODULES) and isinstance(file.source, str)


def stored_settings(flow: LoadedFlow, url: str) -> PodSettings | None:
    """The settings in a code package in the flow's datastore; None if it cannot be read there."""
    try:
        with tarfile.open(fileobj=BytesIO(_stored(flow, url))) as tar:
            file = tar.extractfile(next(name for name in tar.getnames() if _is_settings(name)))
            return PodSettings.from_json(file.read().decode()) if file is not None else None
    except Exception:  # a datastore may raise anything, and another version may have packed otherwise
        return None


def _stored(flow: LoadedFlow, url: str) -> bytes:
    """A code package in the flow's datastore."""
    return bytes(next(iter(flow.state.flow_datastore.load_data([url.rsplit("/", 1)[-1]], force_raw=True)))[1])


def _is_settings(name: str) -> bool:
    """Whether a file in a package is this package's own; Metaflow has it below a folder of its own."""
    path = Path(name)
    return path.name == FILE_NAME and path.parts[0].startswith(".mf_")


def _of_flow(package: bytes) -> dict[str, bytes]:
    """The files in a package that depend on the flow."""
    with tarfile.open(fileobj=BytesIO(package)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {
            name: file.read()
            for name, file in files.items()
            if file is not None and not name.startswith(OF_THE_MACHINE)
        }


def _difference(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str | None:
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            return f"{name} is {'new' if name in new else 'gone'}"
        if old[name] == new[name]:
            continue
        if not _is_settings(name):
            return "the values of its Configs differ" if name == code_package.CONFIG else f"{name} differs"
        before, now = (PodSettings.from_json(each.decode()) for each in (old[name], new[name]))
        if before.project is None:
            return "an older mfhera has packed it"
        if replace(before, project=()).to_json() != replace(now, project=()).to_json():
            return "its graph, its decorators or Metaflow's options differ"
    return None


def project_options(flow: LoadedFlow) -> list[str]:
    """Metaflow's options that say which branch of @project a flow is."""
    found = flow_decorators(flow.state.flow)
    return [word for deco in found if deco.name == PROJECT for word in _words(deco)]


def _words(deco: Any) -> Iterator[str]:
    """The options of a flow's decorator, as they stand on a command line."""
    for name, value in deco.get_top_level_options():
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is True:
                yield f"--{name}"
            elif each is not None and each is not False:
                yield from (f"--{name}", str(each))


def _pod_options(flow: LoadedFlow) -> list[str]:
    """Metaflow's options before the command for every task of the flow."""
    state = flow.state
    options: list[str] = []
    for spec in [*state.tl_decospecs, *DEFAULT_DECOSPECS.split()]:
        options += ["--with", spec]
    for deco in flow_decorators(state.flow):
        if deco.name != PROJECT:
            options += _words(deco)
    return [
        *options,
        "--with",
        attaching.spec(state.flow),
        "--quiet",
        f"--metadata={state.metadata.TYPE}",
        f"--environment={state.environment.TYPE}",
        f"--datastore={state.flow_datastore.TYPE}",
        f"--datastore-root={state.flow_datastore.datastore_root}",
        f"--event-logger={state.event_logger.TYPE}",
        f"--monitor={state.monitor.TYPE}",
        "--no-pylint",
    ]
