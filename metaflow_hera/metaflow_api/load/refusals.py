"""What Metaflow refuses about a flow, an option or the value of a Parameter, as errors of this package."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from metaflow._vendor import click
from metaflow.exception import MetaflowException
from metaflow.metaflow_config import SERVICE_URL
from metaflow.plugins.metadata_providers import service
from metaflow.user_configs.config_options import ConfigInput

from metaflow_hera.errors import FlowError, OptionError, ParameterError
from metaflow_hera.metaflow_api.load.advice import about_the_flow, decorator_at_fault
from metaflow_hera.metaflow_api.load.messages import message_of

OF_PROJECT = ("--branch", "--production")
"""The options that @project adds to Metaflow's command line."""


@contextlib.contextmanager
def metaflow_errors(flow_class: Any = None) -> Iterator[None]:
    """Turns Metaflow's errors into ours; those about a class of a flow say more of what to do."""
    try:
        yield
    except MetaflowException as error:
        said = message_of(error)
        raise FlowError(said + about_the_flow(said, flow_class)) from error
    except click.exceptions.Exit as error:
        raise FlowError("Metaflow ended before the flow was loaded.") from error
    except click.NoSuchOption as error:
        if error.option_name not in OF_PROJECT:
            raise OptionError(error.format_message()) from error
        raise OptionError(
            f"{error.option_name} is for flows with @project(name=...), and this one has none: leave it out."
        ) from error
    except click.ClickException as error:
        raise OptionError(error.format_message()) from error
    except Exception as error:  # what Metaflow itself does not check, such as --with retry:times=x
        config = _config_at_fault(error)
        if config is not None:
            raise OptionError(
                f"The Config {config!r} cannot be read: {type(error).__name__}: {error}."
            ) from error
        if SERVICE_URL is None and _is_raised_in(error, service):
            raise OptionError(
                "--metadata=service needs the address of Metaflow's metadata service: set "
                "METAFLOW_SERVICE_URL, or leave it out."
            ) from error
        name = decorator_at_fault(error)
        what = f"@{name}" if name else "the flow"
        raise FlowError(f"Metaflow does not accept {what}: {type(error).__name__}: {error}.") from error


@contextlib.contextmanager
def parameter_errors(name: str) -> Iterator[None]:
    """Turns Metaflow's errors about the value of a Parameter into ParameterError."""
    try:
        yield
    except click.ClickException as error:
        raise ParameterError(f"Parameter {name!r}: {error.message}.") from error
    except MetaflowException as error:
        raise ParameterError(f"Parameter {name!r}: {message_of(error)}") from error
    except Exception as error:  # a datastore may raise anything
        raise ParameterError(f"Parameter {name!r}: {type(error).__name__}: {error}.") from error


def _is_raised_in(error: Exception, module: ModuleType) -> bool:
    """Whether an error comes from a module, or from what that has called."""
    return any(frame.f_globals is vars(module) for frame, _ in traceback.walk_tb(error.__traceback__))


def _config_at_fault(error: Exception) -> str | None:
    """The Config whose value, or the parser of it, raised an error; Metaflow does not say."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is ConfigInput.process_configs.__code__:
            return str(frame.f_locals.get("name"))
    return None
