"""Metaflow's own options for loading a flow: they come before the command, and are passed on unchanged."""

# Without `annotations` from `__future__`, so that a field has its type and not the text of it.

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from metaflow_hera.choices.option import Option, option, options_of
from metaflow_hera.choices.tables import dataclass
from metaflow_hera.contract.datastores import DATASTORES


@dataclass(frozen=True, kw_only=True)
class MetaflowOptions:
    """Metaflow's own options, each an entry of the table as in `choices`."""

    decorators: Sequence[str] = option(
        (), "Add a decorator to all steps.", flags="--with", metavar="DECORATOR"
    )
    environment: Optional[str] = option(None, "Execution environment.", metavar="TYPE")
    datastore: Optional[str] = option(
        None, f"Where artifacts are stored: {', '.join(DATASTORES)}.", metavar="TYPE"
    )
    datastore_root: Optional[str] = option(None, "Root of the datastore.", metavar="PATH")
    metadata: Optional[str] = option(None, "Metadata provider.", metavar="TYPE")
    package_suffixes: Optional[str] = option(
        None, "File suffixes to package, separated by commas.", metavar="LIST"
    )
    config: Optional[Mapping[str, str]] = option(None, "File for a Config.", metavar="NAME FILE")
    config_value: Optional[Mapping[str, Any]] = option(None, "Value for a Config.", metavar="NAME VALUE")
    branch: Optional[str] = option(None, "Branch of @project.", metavar="NAME")
    production: bool = option(False, "Use the production branch of @project.", flags="--production")
    event_logger: Optional[str] = option(None, "Event logger.", metavar="TYPE")
    monitor: Optional[str] = option(None, "Monitoring backend.", metavar="TYPE")
    no_pylint: bool = option(False, "Skip pylint where it is installed.", flags="--no-pylint")

    def words(self) -> list[str]:
        """The same as command-line arguments."""
        return [word for each in options_of(type(self)) for word in _words(each, getattr(self, each.name))]


def _words(option: Option, value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [option.flag]
    if isinstance(value, Mapping):
        texts = {
            key: content if isinstance(content, str) else json.dumps(content)
            for key, content in value.items()
        }
        return [word for pair in texts.items() for word in (option.flag, *pair)]
    if option.repeatable and not isinstance(value, str):
        return [word for item in value for word in (option.flag, item)]
    return [option.flag, str(value)]
