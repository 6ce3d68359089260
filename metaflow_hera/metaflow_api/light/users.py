"""The user, as Metaflow knows them."""

from __future__ import annotations

import getpass
import os

from metaflow_hera.metaflow_api.light.configuration import setting

VARIABLES = ("SUDO_USER", "USERNAME", "USER")
"""Where Metaflow looks for a name that is not configured, in this order."""


def user() -> str:
    """The name of the user."""
    ensure_user()
    return str(_known())


def ensure_user() -> None:
    """Give Metaflow a user where it finds none: it refuses "root", and containers often set nothing."""
    if _known() is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in some containers
            name = "root"
        os.environ["USERNAME"] = f"uid-{os.getuid()}" if name == "root" or not os.getuid() else name


def _known() -> str | None:
    """As Metaflow's `get_username` has it."""
    names = (setting("USER"), *map(os.environ.get, VARIABLES))
    return next((name for name in names if name and name != "root"), None)
