"""The embedded Argo with a clock that a test moves: `python moving_server.py HOME CLOCK`.

The file CLOCK holds how many seconds the server's clock is ahead of this machine's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from metaflow_hera import __version__
from metaflow_hera.embedded.server import main

_, home, ahead = sys.argv


def clock() -> float:
    """Seconds since the epoch, as the test wants them."""
    return time.time() + float(Path(ahead).read_text())


sys.exit(main(["--home", home, "--version", __version__], clock))
