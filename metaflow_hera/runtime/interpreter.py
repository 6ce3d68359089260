"""Steps with a Python of their own (@conda, @pypi, uv), created in the pod by Metaflow's own commands.

The runtime stays in the pod's Python; the step is a process of the other one. Metaflow's commands are
lines of bash; a user's values reach the shell as arguments, never as text.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from metaflow_hera.errors import RunFailed
from metaflow_hera.metaflow_api.pod.packaged_settings import Interpreter

ENVIRONMENT = Path(".metaflow", "environment")
SCRIPT = "from metaflow_hera.runtime.script import main; main()"
# Metaflow's lines call `flush_mflogs` to store logs: the runtime does that all along.
PREPARE = "set -e\nflush_mflogs() {{ :; }}\n{commands}\nenv -0 > {environment}\n"


def prepare(interpreter: Interpreter) -> None:
    """Create the environment unless an earlier attempt in this pod has, and enter it.

    Raises RunFailed when one of Metaflow's commands fails.
    """
    if not ENVIRONMENT.exists():
        made = ENVIRONMENT.with_suffix(".new")
        script = PREPARE.format(commands="\n".join(interpreter.commands), environment=made)
        path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(["bash", "-c", script], env={**os.environ, "PATH": path}, check=False)
        if done.returncode:
            raise RunFailed(
                f"The environment of the step could not be created (exit code {done.returncode})."
            )
        made.rename(ENVIRONMENT)
    for line in ENVIRONMENT.read_bytes().split(b"\0"):
        name, is_variable, value = line.partition(b"=")
        if is_variable:
            os.environb[name] = value


def command(executable: str, script: str, arguments: Sequence[str]) -> list[str]:
    """The argument list that runs a script with the executable of an environment."""
    return ["bash", "-c", f'exec {executable} "$@"', "bash", "-c", SCRIPT, script, *arguments]
