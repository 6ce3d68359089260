"""Values of Parameters as they are typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from metaflow_hera.errors import OptionError, quoted


def values_given(params: Sequence[str]) -> dict[str, str]:
    """The values of `--param`, each written NAME=VALUE. Raises OptionError for another form."""
    given: dict[str, str] = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            meant = re.match(r"[^\W\d]\w*", name)
            example = f": write --param {meant[0]}=VALUE" if meant else ""
            raise OptionError(f"--param {quoted(param)} must be NAME=VALUE{example}.")
        given[name] = value
    return given
