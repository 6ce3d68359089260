"""A run, a deployment and a template as people see them: on a terminal, in a notebook, as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from io import StringIO
from typing import Any

from rich.color import blend_rgb
from rich.color_triplet import ColorTriplet
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from rich.tree import Tree

from metaflow_hera.argo.objects import parse_time
from metaflow_hera.argo.progress import NOT_STARTED, StepProgress
from metaflow_hera.argo.run import Run
from metaflow_hera.argo.shared_pods import TaskRetry
from metaflow_hera.display.states import COLOURS, IN_NOTEBOOKS, PALE
from metaflow_hera.display.times import local_time, took
from metaflow_hera.display.visible import visible

STYLES = {
    **{state: f"bold {colour}" if colour == "red" else colour for state, colour in COLOURS.items()},
    **dict.fromkeys(("Waiting", "Skipped", NOT_STARTED), "dim"),
}
MARKS = {
    "Succeeded": "✓",
    "Failed": "✗",
    "Error": "✗",
    "Running": "▶",
    "Pending": "…",
    "Waiting": "·",
    "Skipped": "-",
    NOT_STARTED: "-",
}
PLAIN_WIDTH = 200
"""How wide lines are where no terminal gives a width."""
BAR = 20
"""How wide the bar of a foreach is."""
MAX_FAILURES = 10
"""How many failed tasks of a step are shown one by one."""


def run_tree(run: Run) -> Group:
    """The tree of a run's steps with their states, as it is now."""
    head = Text(f"{visible(run.pathspec)} ", style="bold")
    head.append(run.phase, style=STYLES.get(run.phase, ""))
    if run.suspended and not run.ended:
        head.append(", suspended", style="yellow")
    of_about = f" of about {took(run.estimate)}" if run.estimate and not run.ended else ""
    now, end = datetime.now(timezone.utc), run.finished_at if run.ended else None
    duration = took(run.duration(now))
    code = [f"version {run.version}"] if run.version else []
    code += ["with new code"] if run.new_code else []
    version = f"  {', '.join(code)}" if code else ""
    head.append(f"{version}  {duration}{of_about}  started {local_time(run.started_at)}", "dim")
    root = Tree(head)
    branches = {0: root}
    for step in run.steps:
        branch = branches[min(step.depth, max(branches))].add(_line(step, end, now))
        # What is inside a foreach hangs below the step that opens it.
        branches = {depth: tree for depth, tree in branches.items() if depth <= step.depth}
        branches[step.depth + 1] = branch
        for line in (*_failures(step), *_retries(step)):
            branch.add(line)
    return Group(root, *([Text(visible(run.message), style="red")] if run.message else []))


def _line(step: StepProgress, run_end: datetime | None, now: datetime) -> Text:
    """A step. Its clock runs while its tasks do: neither while they wait for a place, nor after the run."""
    style = STYLES.get(step.phase, "")
    text = Text(f"{MARKS.get(step.phase, '?')} {step.name} ", style=style)
    whole = max(step.tasks, step.expected or 0)
    if step.depth and whole > 1 and step.done < whole:
        text.append(_bar(step, whole))
    text.append(state_of(step), style="default" if step.phases else "dim")
    start, end = parse_time(step.started_at), parse_time(step.finished_at)
    if start is not None:
        going = run_end is None and step.phases.get("Running")
        until = now if going else end or run_end or now
        text.append(f"  {took(until - start)}", style="default dim")
    return text


def _bar(step: StepProgress, whole: int) -> Text:
    """The progress of a step inside a foreach: its tasks that ended well, that failed, all others."""
    failed = min(BAR, -(-step.failed * BAR // whole))
    good = min(BAR - failed, (step.done - step.failed) * BAR // whole)
    bar = Text("━" * good, style="green")
    bar.append("━" * failed, style="red")
    bar.append("╌" * (BAR - good - failed) + " ", style="dim")
    return bar


def state_of(step: StepProgress) -> str:
    """The state of a step in words."""
    words = step.phase
    whole = max(step.tasks, step.expected or 0)
    if step.depth and whole and step.phase != NOT_STARTED:
        words += f" {step.phases.get('Succeeded', 0)}/{whole}"
        running = step.phases.get("Running", 0)
        words += f", {running} running" if running else ""
        waiting = step.phases.get("Pending", 0)
        words += f", {waiting} waiting" if waiting else ""
        failed = step.failed
        words += f", {failed} failed" if failed else ""
        words += f", {step.not_started} not started" if step.not_started and step.phases else ""
    if step.attempts > step.tasks:
        words += f" ({step.attempts} attempts)"
    return words


def _failures(step: StepProgress) -> Iterator[Text]:
    for failure in step.failures[:MAX_FAILURES]:
        again = f" after {failure.attempts} attempts" if failure.attempts > 1 else ""
        words = f"{step.name}{failure.path} failed{again}: {failure.message}"
        yield Text(visible(words), style="red")
    more = max(step.failed, len(step.failures)) - min(MAX_FAILURES, len(step.failures))
    if step.failures and more > 0:
        yield Text(f"and {more} more", style="red")


def _retries(step: StepProgress) -> Iterator[Text]:
    for each in step.retries[:MAX_FAILURES]:
        yield Text(retry_words(step, each), style="yellow")
    if (more := len(step.retries) - MAX_FAILURES) > 0:
        yield Text(f"and {more} more", style="yellow")


def retry_words(step: StepProgress, retry: TaskRetry) -> str:
    """What has failed so far of a task that is tried again."""
    times = {1: "once", 2: "twice"}.get(retry.attempts, f"{retry.attempts} times")
    going = {True: " It runs again.", False: " It waits to run again.", None: ""}[retry.runs]
    return visible(f"{step.name}{retry.path} failed {times}: {retry.message.rstrip('.')}.{going}")


def facts(title: str, rows: dict[str, str]) -> RenderableType:
    """Names and values under a title."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, title_style="bold")
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows.items():
        table.add_row(name, Text(visible(value)))
    return table


def parameters_in_words(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Parameters with their types and defaults, by what `create` has noted about each."""
    return ", ".join(
        f"{name}: {about.get('type')}" + (f" = {about['value']}" if about.get("value") is not None else "")
        for name, about in parameters.items()
    )


def as_text(view: RenderableType) -> str:
    """A view as plain text."""
    console = Console(
        file=StringIO(), width=PLAIN_WIDTH, force_jupyter=False, force_terminal=False, color_system=None
    )
    with console.capture() as captured:
        console.print(view)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


FOREGROUND, BACKGROUND = ColorTriplet(1, 2, 3), ColorTriplet(253, 252, 251)
"""What the page around has, which is not known here; half of both, for what is dim, is a grey."""

# Black, red, green, yellow, blue, magenta, cyan, white; readable on light and on dark pages.
_COLOURS = [
    (128, 128, 128), (214, 69, 69), (46, 158, 91), (176, 133, 20), (74, 123, 208), (160, 92, 192),
    (43, 143, 179), (128, 128, 128),
]  # fmt: skip
THEME = TerminalTheme(BACKGROUND, FOREGROUND, _COLOURS, _COLOURS)
OF_THE_PAGE = {
    FOREGROUND: "inherit",
    BACKGROUND: "transparent",
    blend_rgb(FOREGROUND, BACKGROUND): PALE,
    _COLOURS[1]: IN_NOTEBOOKS["red"],
    _COLOURS[2]: IN_NOTEBOOKS["green"],
    _COLOURS[3]: IN_NOTEBOOKS["yellow"],
    _COLOURS[6]: IN_NOTEBOOKS["cyan"],
}
"""What HTML has in place of colours: those of Jupyter's theme where there are any."""


PRE = (
    '<pre style="line-height:1.3;font-family:monospace;white-space:pre;color:inherit;background:none;'
    'max-height:32em;overflow:auto">'
)


def as_html(view: RenderableType) -> str:
    """A view as HTML with its colours inline, for a page of any colour; what is long scrolls."""
    console = Console(file=StringIO(), width=PLAIN_WIDTH, record=True, force_jupyter=False)
    console.print(view)
    html = console.export_html(
        theme=THEME,
        inline_styles=True,
        code_format=f"{PRE}{{code}}</pre>",
    )
    # One after the other, so that no colour is taken for one in what stands for another.
    names = {"#{:02x}{:02x}{:02x}".format(*colour): name for colour, name in OF_THE_PAGE.items()}
    return re.sub("|".join(names), lambda found: names[found[0]], html)
