"""How the value of an option is read from the text of a setting."""

from __future__ import annotations

import json


def flag(text: str) -> bool:
    """1, true, 0 or false."""
    return {"1": True, "true": True, "0": False, "false": False}[text.lower()]


def words(text: str) -> list[str]:
    """Texts separated by commas, or a JSON list."""
    if text.lstrip().startswith("["):
        return [str(item) for item in json.loads(text)]
    return [part.strip() for part in text.split(",") if part.strip()]


def json_items(text: str) -> list[str]:
    """A JSON list, each of its items as JSON."""
    return [json.dumps(item) for item in json.loads(text)]
