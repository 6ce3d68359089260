"""Manifests as people read them: YAML, without what a server has added and without secrets."""

from __future__ import annotations

import re
from typing import Any

import yaml

from metaflow_hera.embedded.json_object import JSON

SECRET = "metaflow/production_token"
"""The annotation with a text that is shown nowhere: not there, and not in the variables that hold it too."""
HIDDEN = "..."
SERVERS = ("resourceVersion", "uid", "generation", "creationTimestamp", "managedFields")
"""Metadata that the server gives: it differs between any two."""


def yaml_of(metadata: JSON, spec: JSON) -> str:
    """An object's metadata and spec."""
    kept = {key: value for key, value in metadata.items() if key not in SERVERS}
    shown: JSON = {"metadata": kept, "spec": spec}
    if secret := (kept.get("annotations") or {}).get(SECRET):
        shown = _without(re.compile(rf"(?<![\w-]){re.escape(str(secret))}(?![\w-])"), shown)
    return str(yaml.dump(shown, Dumper=_Dumper, allow_unicode=True, width=100_000))


def _without(secret: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(secret, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(secret, each) for each in value]
    return secret.sub(HIDDEN, value) if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, so that a difference shows the lines that differ."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what is there twice twice."""
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)
