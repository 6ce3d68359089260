"""The files of two code packages."""

from __future__ import annotations

import difflib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from metaflow_hera.comparison.fields import Leaf, Named, changes, tree
from metaflow_hera.comparison.records import HIDDEN, FieldChange, FileChange
from metaflow_hera.metaflow_api.light.code_packages import File, Package

MOST_PAIRS = 500_000
"""Of data whose lines repeat, difflib would make a diff for hours: it is only told that it differs."""
CONFIGS = "the values of Configs"
"""What the values of the flow's Configs are called: they are a file of Metaflow's own."""


def file_changes(old: Package, new: Package) -> Iterator[FileChange]:
    """The user's own files that differ, in the order of their paths, then the values of Configs."""
    for path in sorted({*old.files, *new.files}):
        was, will = old.files.get(path), new.files.get(path)
        if was != will:
            yield _change(path, was, will)
    if (old.configs or None) != (new.configs or None):
        yield _change(CONFIGS, _as_file(old.configs), _as_file(new.configs))


def software_changes(old: Package, new: Package) -> Iterator[FieldChange]:
    """The versions of what is in a package beside the user's files, where its files differ."""
    for name in new.software:
        was, will = old.software.get(name, {}), new.software[name]
        differ = sum(was.get(path) != will.get(path) for path in {*was, *will})
        if was and differ:
            before, after = (each.versions.get(name) for each in (old, new))
            files = f"{differ} file{'s' if differ > 1 else ''} changed"
            yield FieldChange(
                name, before, after if after != before else f"{after}, {files}" if after else files
            )


def setting_changes(old: Package, new: Package) -> Iterator[FieldChange]:
    """What differs in what pods are told of a flow beside the manifest: of steps that both have.

    The graph is left out, since the manifest has it too.
    """
    if not isinstance(old.settings, dict) or not isinstance(new.settings, dict):
        return
    was, will = ({k: v for k, v in each.settings.items() if k != "graph"} for each in (old, new))
    both = (was.get("steps") or {}).keys() & (will.get("steps") or {}).keys()
    for each in (was, will):
        each["options"] = _options(each.pop("top_level", None) or ())
        each["steps"] = {name: step for name, step in (each.get("steps") or {}).items() if name in both}
    yield from changes(tree(was), tree(will))


def _options(words: Sequence[str]) -> Named:
    """Metaflow's options before a task's command, by their names; of decorators the name alone is shown.

    What a decorator is given may be a secret: `--with environment:vars=...`.
    """
    found: dict[str, Leaf] = {}
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == "--with":
            name, given, _ = following.partition(":")
            before = found.get(f"--with {name}", Leaf("", ""))
            shown = f"{name}:{HIDDEN}" if given else name
            found[f"--with {name}"] = Leaf(f"{before.value} {following}", shown)
        elif word.startswith("--"):
            name, is_whole, value = word.partition("=")
            given = value if is_whole else "" if following.startswith("--") else following
            found[name] = Leaf(given, given)
    found.pop("--with hera_internal", None)  # this package's own
    return Named(found)


def _as_file(value: Any) -> File | None:
    if not value:
        return None
    content = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode()
    return File(len(content), "", False, content)


def _change(path: str, old: File | None, new: File | None) -> FileChange:
    sizes = (None if old is None else old.size, None if new is None else new.size)
    action = "added" if old is None else "removed" if new is None else "changed"
    before, after = _lines(old), _lines(new)
    if before is None or after is None or _pairs(before, after) > MOST_PAIRS:
        return FileChange(path, action, *sizes)  # type: ignore[arg-type]
    source, target = "/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}"
    lines = list(difflib.unified_diff(before, after, source, target))
    inserted = sum(line.startswith("+") for line in lines[2:])
    deleted = sum(line.startswith("-") for line in lines[2:])
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    if old is not None and new is not None and old.is_executable != new.is_executable:
        text = "".join(f"{which} mode {_mode(file)}\n" for which, file in (("old", old), ("new", new))) + text
    return FileChange(path, action, *sizes, inserted, deleted, text)  # type: ignore[arg-type]


def _pairs(before: list[str], after: list[str]) -> int:
    """How many pairs of equal lines difflib looks at: not at lines that are frequent in a long file."""
    counts = Counter(after)
    frequent = len(after) // 100 + 1 if len(after) >= 200 else len(after)
    return sum(count for count in map(counts.__getitem__, before) if count <= frequent)


def _mode(file: File) -> str:
    return "100755" if file.is_executable else "100644"


def _lines(file: File | None) -> list[str] | None:
    """The lines of a file; none of one that is not there, None of one that is no text."""
    if file is None:
        return []
    if file.content is None or b"\0" in file.content:
        return None
    try:
        return list(io.StringIO(file.content.decode("utf-8"), newline="\n"))
    except UnicodeDecodeError:
        return None
