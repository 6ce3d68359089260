"""Manifests as people read them: YAML, without what a server has added and without secrets."""

from __future__ import annotations

from typing import Any

import yaml

from metaflow_hera.embedded.json_object import JSON

SECRETS = ("metaflow/production_token",)
"""Annotations that are not shown."""
SERVERS = ("resourceVersion", "uid", "generation", "creationTimestamp", "managedFields")
"""Metadata that the server gives: it differs between any two."""


def yaml_of(metadata: JSON, spec: JSON) -> str:
    """An object's metadata and spec."""
    kept = {key: value for key, value in metadata.items() if key not in SERVERS}
    notes = {key: value for key, value in (kept.get("annotations") or {}).items() if key not in SECRETS}
    shown = {"metadata": {**kept, "annotations": notes}, "spec": spec}
    text: str = yaml.dump(shown, Dumper=_Dumper, allow_unicode=True, width=100_000)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, so that a difference shows the lines that differ."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what is there twice twice."""
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)
