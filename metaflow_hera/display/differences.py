"""What differs between two versions of a deployment, as people see it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from rich.text import Text

from metaflow_hera.comparison.records import (
    Action,
    Difference,
    FieldChange,
    FileChange,
    ObjectChange,
    ParameterChange,
)
from metaflow_hera.display.visible import visible

MARKS: dict[Action, str] = {"added": "+", "removed": "-", "changed": "~"}
STYLES: dict[Action, str] = {"added": "green", "removed": "red", "changed": "yellow"}
LONGEST = 200
"""How many characters of a value are shown; --json has all."""
BAR = 40
"""How wide the bar of a file is at most."""


def difference_lines(found: Difference) -> Iterator[Text]:
    """All that differs: in words, by field, by line. Of a first version what it has, without its content."""
    if found.is_new:
        yield Text(f"Nothing is deployed as {found.name} yet: all of it is new.")
    yield from _section("Deployment", [_field(each) for each in found.about])
    yield from _section("Parameters", [line for each in found.parameters for line in _parameter(each)])
    starts = [_marked(each.action, f"the {each.kind} {each.name}") for each in found.starts]
    yield from _section("Schedules and events", starts)
    yield from _section("Objects", [line for each in found.objects for line in _object(each)])
    inside = [_field(each) for each in (*found.software, *found.settings)]
    yield from _section("In the code package", inside)
    if found.is_new:
        yield from _section("Code", [_marked(each.action, each.path) for each in found.files])
    else:
        for each in found.files:
            yield Text("")
            yield from _file(each)
    yield from _end(found)


def stat_lines(found: Difference) -> Iterator[Text]:
    """How much differs of each object and each file."""
    rows = [*_object_rows(found), *_file_rows(found.files)]
    width = max((len(name) for name, _ in rows), default=0)
    for name, what in rows:
        yield Text(f" {visible(name).ljust(width)} | ").append_text(what)
    if rows:
        inserted, deleted = (
            sum(getattr(each, key) for each in found.files) for key in ("inserted", "deleted")
        )
        parts = [_counted(len(found.objects), "object"), _counted(len(found.files), "file")]
        parts += [_counted(inserted, "insertion")] if inserted else []
        parts += [_counted(deleted, "deletion")] if deleted else []
        yield Text(f" {', '.join(parts)}")
    yield from _end(found)


def names(found: Difference) -> list[str]:
    """The names of the objects and of the files that differ."""
    return [*(f"{each.kind}/{each.name}" for each in found.objects), *(each.path for each in found.files)]


def _end(found: Difference) -> Iterator[Text]:
    for note in found.notes:
        yield Text(visible(note), style="yellow")
    if not found:
        yield Text(f"Nothing differs in {found.name}.")


def _section(title: str, lines: Sequence[Text]) -> Iterator[Text]:
    if lines:
        yield Text(title, style="bold")
        for line in lines:
            yield Text("  ").append_text(line)


def _marked(action: Action, text: str) -> Text:
    return Text(f"{MARKS[action]} {visible(text)}", style=STYLES[action])


def _field(change: FieldChange) -> Text:
    action: Action = "added" if change.old is None else "removed" if change.new is None else "changed"
    if change.old == change.new:
        values = f"{_value(change.new)}, another one"
    else:
        shown = (change.old, change.new)
        if action == "changed":
            shown = _from_difference(*shown)
        values = " -> ".join(_value(each) for each in shown if each is not None)
    return _marked(action, f"{change.field}: {values}")


def _from_difference(old: Any, new: Any) -> tuple[Any, Any]:
    """Two values as they are shown: of long texts that begin alike, from shortly before they differ."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return old, new
    differs = (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    begin = next(differs, min(len(old), len(new))) - LONGEST // 4
    if max(len(old), len(new)) <= LONGEST or begin <= 0:
        return old, new
    return f"...{old[begin:]}", f"...{new[begin:]}"


def _value(value: Any) -> str:
    is_plain = isinstance(value, str) and value and "\n" not in value
    text = value if is_plain else json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict | list) and len(text) > LONGEST:
        return "{...}" if isinstance(value, dict) else "[...]"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _parameter(change: ParameterChange) -> Iterator[Text]:
    if change.action == "changed":
        for each in change.fields:
            yield _field(FieldChange(f"{change.name}, its {each.field}", each.old, each.new))
        return
    is_new = change.action == "added"
    about = {each.field: each.new if is_new else each.old for each in change.fields}
    kind, default = about.get("type"), about.get("default")
    text = f"{change.name}: {kind}" + ("" if default is None else f" = {_value(default)}")
    yield _marked(change.action, text + (", required" if about.get("required") and default is None else ""))


def _object(change: ObjectChange) -> Iterator[Text]:
    if change.action != "changed":
        yield _marked(change.action, f"{change.kind} {change.name}")
    elif change.fields:
        yield Text(f"  {change.kind} {visible(change.name)}")
        for each in change.fields:
            yield Text("  ").append_text(_field(each))


def _file(change: FileChange) -> Iterator[Text]:
    if change.diff is None:
        yield _marked(change.action, f"{change.path}: {_sizes(change)}")
        return
    if change.diff == "":
        yield _marked(change.action, f"{change.path}: empty")
    for line in change.diff.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        yield Text(visible(line), style="bold" if line.startswith(("--- ", "+++ ")) else style)


def _sizes(change: FileChange) -> str:
    if change.old_size is None or change.new_size is None:
        size = change.new_size if change.old_size is None else change.old_size
        return f"no text to show, {size} bytes"
    return f"differs, {change.old_size} -> {change.new_size} bytes"


def _object_rows(found: Difference) -> Iterator[tuple[str, Text]]:
    for each in found.objects:
        told = _counted(len(each.fields), "field") if each.fields else "changed"
        words = {"added": "new", "removed": "gone", "changed": told}[each.action]
        yield f"{each.kind} {each.name}", Text(words, style=STYLES[each.action])
    for name, changes in (("Parameters", found.parameters), ("Schedules and events", found.starts)):
        if changes:
            yield name, Text(_counted(len(changes), "change"), style="yellow")
    for change in (*found.about, *found.software, *found.settings):
        yield change.field, Text(" -> ".join(_value(v) for v in (change.old, change.new) if v is not None))


def _file_rows(files: Sequence[FileChange]) -> Iterator[tuple[str, Text]]:
    most = max((each.inserted + each.deleted for each in files), default=0)
    for each in files:
        if each.diff is None:
            yield each.path, Text(_sizes(each))
            continue
        scale = min(1.0, BAR / most) if most else 1.0
        bar = Text(f"{each.inserted + each.deleted} ")
        bar.append("+" * ceil(each.inserted * scale), "green")
        bar.append("-" * ceil(each.deleted * scale), "red")
        yield each.path, bar


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
