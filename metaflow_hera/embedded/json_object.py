"""The form of Argo's objects in Python."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]
"""An object of Argo's or a part of one, as read from JSON."""
