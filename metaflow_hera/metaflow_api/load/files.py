"""Files for a run: what Metaflow's IncludeFile stores of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from metaflow import includefile, parameters

from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.output import to_stderr
from metaflow_hera.metaflow_api.load.refusals import parameter_errors


def with_files(flow: LoadedFlow, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for Parameters, with the path of each IncludeFile replaced by a reference to the stored file.

    Raises ParameterError for a file that cannot be read or stored.
    """
    files = {parameter.name for parameter in flow.parameters if parameter.kind == "FilePath"}
    return {
        name: _stored(flow, name, str(value)) if name in files and value is not None else value
        for name, value in given.items()
    }


def _stored(flow: LoadedFlow, parameter: str, path: str) -> str:
    if path.startswith("{"):  # stored already
        return path
    kind = next(p.kwargs["type"] for _, p in flow.state.flow._get_parameters() if p.name == parameter)
    context = parameters.context_proto._replace(parameter_name=parameter)
    with parameter_errors(parameter), to_stderr():
        value = kind.convert(path, None, context)
        return str(value(return_str=True))


@contextmanager
def storing_nothing() -> Iterator[None]:
    """Meanwhile files that are defaults of IncludeFiles are not stored; their URLs are their names there."""

    def named(client: Any, key: str, content: bytes, overwrite: bool = True) -> str:
        return key

    clients: dict[str, Any] = includefile._dict_dataclients
    kept = dict(clients)
    clients.update({name: type(each.__name__, (each,), {"put": named}) for name, each in kept.items()})
    try:
        yield
    finally:
        clients.update(kept)
