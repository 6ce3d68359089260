"""What Argo's executor writes into a container's log, among the lines of the container itself."""

from __future__ import annotations

import re

# "argo=true" is in every line of its own. Before Argo 4 the time is quoted, the level in small letters.
# Its errors are kept: they tell why a task failed.
_LINE = re.compile(
    r'time=(?:"\d{4}-[^"]*"|\d{4}-\S+) level=(?:debug|info|warning|warn) msg=.* argo=true(?: .*)?$'
    r'|\{"time":.*"level":"(?:debug|info|warning|warn)".*"argo":true.*\}$',  # where its log is in JSON
    re.IGNORECASE,
)

MOST_LINES = 20
"""So many of the last lines of a log may be the executor's: it tells how the container ended."""


def without_executor(line: str) -> str | None:
    """A line of a container's log without what Argo's executor added; None if nothing else is in it.

    Where the container did not end its last line, the executor's begins in the midst of it.
    """
    if "argo=true" not in line and '"argo":true' not in line:  # or the search in a long line would take long
        return line
    found = _LINE.search(line)
    if found is None:
        return line
    return line[: found.start()] or None
