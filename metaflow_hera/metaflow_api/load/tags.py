"""Metaflow's rules for tags."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow.exception import MetaflowTaggingError
from metaflow.tagging_util import validate_tags

from metaflow_hera.errors import OptionError


def check_tags(tags: Sequence[str]) -> None:
    """Raise OptionError for tags that Metaflow does not accept, or for too many of them."""
    try:
        validate_tags(tags)
    except MetaflowTaggingError as error:
        raise OptionError(f"--tag: {error.message}.") from error
