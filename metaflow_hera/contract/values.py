"""Parameter values on their way through Argo and Kubernetes.

Argo expands double braces inside a value once more, and Kubernetes expands dollar signs in the
environment of a container. Argo puts values into JSON text with Go's `strconv.Quote`, whose escapes for
control characters JSON does not have. A value that holds any of these travels as base64; all others stay
readable. The embedded Argo's page reads and writes this form by itself (its `page/parameters.py` and
`static/values.js`); tests hold them to this one.
"""

from __future__ import annotations

import base64
import json
import re

UNQUOTABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff\U000e0000-\U0010ffff]")
"""What does not survive `strconv.Quote` and JSON: control characters, stray bytes, private planes."""

BOOLEANS = frozenset(["1", "0", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off"])
"""What Metaflow's command line takes for a boolean (click's BOOL), in lower case."""

ENCODED = "base64:"
NOT_GIVEN = "null"
"""What stands for "no value" where a Parameter has no default: Argo wants some text everywhere."""

PARAMETER_VARIABLE = "METAFLOW_INIT_"
"""What the variables begin with in which Metaflow's `init` reads Parameters, such as METAFLOW_INIT_ALPHA."""

TAGS_PARAMETER = "metaflow-run-tags"
"""The workflow's parameter with the tags of one run, a JSON list."""

CODE_PARAMETER = "metaflow-code-package"
"""The workflow's parameter with the place of the code package: a retried run can be given another one."""

SCHEDULED_TIME_PARAMETER = "metaflow-scheduled-time"
"""The workflow's parameter with the time that a run was scheduled for, in RFC 3339's form."""
USER_KEYS_NOTE = "metaflow/user_keys"
"""The annotation with the keys of a user's own labels and annotations: they go with the version."""
TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
"""Where Argo notes which template a workflow was submitted from; here also on those started otherwise."""
OWN_PARAMETERS = (TAGS_PARAMETER, CODE_PARAMETER, SCHEDULED_TIME_PARAMETER)


def is_plain(value: str) -> bool:
    """Whether Argo and Kubernetes hand the text on as it is."""
    return "{{" not in value and "$" not in value and UNQUOTABLE.search(value) is None


def encode(value: str | None) -> str:
    """The text to hand to Argo for a value; None is one that is not given."""
    if value is None:
        return NOT_GIVEN
    if is_plain(value) and value != NOT_GIVEN and not value.startswith(ENCODED):
        return value
    return ENCODED + base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")


def misfit(kind: str, text: str) -> str | None:
    """What a Parameter of a kind is to be where the text is none, as in "a float"; None where it fits."""
    try:
        if kind == "int":
            int(text)
        elif kind == "float":
            float(text)
        elif kind == "JSON":
            json.loads(text)
        elif kind == "bool" and text.lower() not in BOOLEANS:
            raise ValueError
    except ValueError:
        words = {"JSON": "JSON text", "bool": "a boolean (true or false)", "int": "an int"}
        return words.get(kind, f"a {kind}")
    return None


def decode(text: str) -> str | None:
    """The value that `encode` was given."""
    if text == NOT_GIVEN:
        return None
    if text.startswith(ENCODED):
        return base64.b64decode(text[len(ENCODED) :]).decode("utf-8", "surrogateescape")
    return text


def sensor_name(deployment: str) -> str:
    """The name of a deployment's sensor: Argo Events takes no dots. It is that of Metaflow's own plugin."""
    return deployment.replace(".", "-")
