"""The colours of states, for click, for rich, which not every verb imports, and for a notebook."""

from __future__ import annotations

COLOURS = {
    "Succeeded": "green",
    "Failed": "red",
    "Error": "red",
    "Running": "cyan",
    "Pending": "yellow",
}
"""By Argo's phases; others have none."""

IN_NOTEBOOKS = {
    "green": "var(--jp-success-color1, #2e9e5b)",
    "red": "var(--jp-error-color1, #d64545)",
    "cyan": "var(--jp-info-color1, #2b8fb3)",
    "yellow": "var(--jp-warn-color1, #b08514)",
}
"""The same colours as Jupyter's theme has them, or as they can be read on light and on dark pages."""
PALE = "var(--jp-ui-font-color2, #808080)"
"""That of what matters less."""
