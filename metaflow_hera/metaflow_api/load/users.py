"""The user, as Metaflow knows them."""

from __future__ import annotations

import getpass
import os

from metaflow.util import get_username


def user() -> str:
    """The name of the user."""
    ensure_user()
    return str(get_username())


def ensure_user() -> None:
    """Give Metaflow a user where it finds none: it refuses "root", and containers often set nothing."""
    if get_username() is None:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a user id without a name, as in some containers
            name = "root"
        os.environ["USERNAME"] = f"uid-{os.getuid()}" if name == "root" or not os.getuid() else name
