"""The colours of states, for click and for rich, of which not every verb imports the latter."""

from __future__ import annotations

COLOURS = {
    "Succeeded": "green",
    "Failed": "red",
    "Error": "red",
    "Running": "cyan",
    "Pending": "yellow",
}
"""By Argo's phases; others have none."""
