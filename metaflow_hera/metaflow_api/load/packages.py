"""The code package of a flow: made by Metaflow, with what this package's pods need besides."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from metaflow.decorators import flow_decorators
from metaflow.exception import MetaflowException
from metaflow.metaflow_config import DEFAULT_DECOSPECS
from metaflow.package import MetaflowPackage

from metaflow_hera.errors import FlowError
from metaflow_hera.home import is_home
from metaflow_hera.metaflow_api.decorators import attaching, internal
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.messages import message_of
from metaflow_hera.metaflow_api.load.output import to_stderr
from metaflow_hera.metaflow_api.pod.packaged_settings import FILE_NAME, PodSettings


@dataclass(frozen=True)
class CodePackage:
    """A code package that is stored in the flow's datastore.

    `url` is where it is, `metadata` Metaflow's note of its format.
    """

    url: str
    metadata: str


def save_package(flow: LoadedFlow) -> CodePackage:
    """Pack the flow's folder, Metaflow and the pod's runtime, and store that in the flow's datastore.

    Raises FlowError when something cannot be packed or stored.
    """
    state = flow.state

    def files() -> Iterator[internal.PackagedFile]:
        # Not before Metaflow asks: by then it has made the environments of the steps.
        settings = PodSettings(
            script=flow.file.name,
            datastore_root=state.flow_datastore.datastore_root,
            graph=flow.graph,
            top_level=_pod_options(flow),
            metadata=flow.metadata,
            steps={step.name: flow.step_settings(step.name) for step in flow.graph},
        )
        settings_file.write_text(settings.to_json(), encoding="utf-8")
        return internal.pod_files(str(settings_file))

    with tempfile.TemporaryDirectory(prefix="mfhera-") as folder, to_stderr():
        settings_file = Path(folder, "settings.json")
        internal.HeraInternalDecorator.to_package = staticmethod(files)
        try:
            package = _Package(state.flow, state.environment, state.echo, suffixes=state.package_suffixes)
            blob = package.blob
        except MetaflowException as error:
            raise FlowError(f"The code package could not be made: {message_of(error)}") from error
        except Exception as error:  # an environment or a file system may raise anything
            raise FlowError(f"The code package could not be made: {error}") from error
        try:
            url, _ = state.flow_datastore.save_data([blob], len_hint=1)[0]
        except Exception as error:  # a datastore may raise anything
            raise FlowError(f"The code package could not be stored in {flow.datastore}: {error}") from error
    return CodePackage(url, package.package_metadata)


class _Package(MetaflowPackage):  # type: ignore[misc]
    """A package without the homes of embedded Argos in the flow's folder, which hold packages themselves."""

    def _make(self) -> Any:
        # Metaflow creates the archive twice, and Python 3.13.0 complains of the one that it leaves open.
        archive = self._backend().create()  # type: ignore[has-type]
        archive.create = lambda: archive
        self._backend = lambda: archive
        try:
            return super()._make()
        finally:
            self._backend = type(archive)

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


def stored_settings(flow: LoadedFlow, url: str) -> PodSettings | None:
    """The settings in a code package in the flow's datastore; None if it cannot be read there."""
    store = flow.state.flow_datastore
    try:
        blob = next(iter(store.load_data([url.rsplit("/", 1)[-1]], force_raw=True)))[1]
        with tarfile.open(fileobj=BytesIO(blob)) as tar:
            names = [name for name in tar.getnames() if Path(name).name == FILE_NAME]
            # Metaflow puts what an extension adds below a folder of its own.
            file = tar.extractfile(next(name for name in names if Path(name).parts[0].startswith(".mf_")))
            return PodSettings.from_json(file.read().decode()) if file is not None else None
    except Exception:  # a datastore may raise anything, and another version may have packed otherwise
        return None


def _pod_options(flow: LoadedFlow) -> list[str]:
    """Metaflow's options before the command for every task of the flow."""
    state = flow.state
    options: list[str] = []
    for spec in [*state.tl_decospecs, *DEFAULT_DECOSPECS.split()]:
        options += ["--with", spec]
    for deco in flow_decorators(state.flow):
        for name, value in deco.get_top_level_options():
            for each in value if isinstance(value, list | tuple) else [value]:
                if each is True:
                    options.append(f"--{name}")
                elif each is not None and each is not False:
                    options += [f"--{name}", str(each)]
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
