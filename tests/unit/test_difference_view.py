"""What differs, as it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from metaflow_hera.comparison.records import (
    Difference,
    FieldChange,
    FileChange,
    ObjectChange,
    ParameterChange,
    StartChange,
)
from metaflow_hera.display.differences import LONGEST, difference_lines, names, stat_lines

NOTHING: dict[str, Any] = {
    "name": "flow",
    "is_new": False,
    **dict.fromkeys(
        ("about", "parameters", "starts", "objects", "software", "settings", "files", "notes"), ()
    ),
    "is_package_known": True,
}
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-1\n+2\n"


def text(lines: Iterator[Text]) -> list[str]:
    return [line.plain for line in lines]


def test_nothing() -> None:
    found = Difference(**NOTHING)
    said = ["Nothing differs in flow."]
    assert not found
    assert (text(difference_lines(found)), text(stat_lines(found)), names(found)) == (said, said, [])


def test_all_of_it() -> None:
    found = Difference(
        **{
            **NOTHING,
            "about": [
                FieldChange("owner", "ann", "bob"),
                FieldChange("production token", "(hidden)", "(hidden)"),
            ],
            "parameters": [
                ParameterChange(
                    "a", "added", [FieldChange("type", None, "str"), FieldChange("required", None, True)]
                ),
                ParameterChange(
                    "b", "removed", [FieldChange("type", "int", None), FieldChange("default", "", None)]
                ),
                ParameterChange(
                    "c", "changed", [FieldChange("default", "1", "2"), FieldChange("help", "x", None)]
                ),
            ],
            "starts": [
                StartChange("schedule", "0 1 * * * (UTC)", "removed"),
                StartChange("event", "e", "added"),
            ],
            "objects": [
                ObjectChange(
                    "WorkflowTemplate", "flow", "changed", [FieldChange("spec.x", {"k": [1]}, None)]
                ),
                ObjectChange("CronWorkflow", "flow", "removed", ()),
            ],
            "software": [FieldChange("Metaflow", "2.19.1", "2.19.3")],
            "files": [
                FileChange("a.py", "changed", 2, 2, 1, 1, DIFF),
                FileChange("b.bin", "changed", 2, 3),
                FileChange("c.bin", "added", None, 3),
                FileChange("d.py", "added", None, 0, 0, 0, ""),
            ],
            "notes": ["Something is not compared."],
        }
    )
    assert found
    assert text(difference_lines(found)) == [
        "Deployment",
        "  ~ owner: ann -> bob",
        "  ~ production token: (hidden), another one",
        "Parameters",
        "  + a: str, required",
        '  - b: int = ""',
        "  ~ c, its default: 1 -> 2",
        "  - c, its help: x",
        "Schedules and events",
        "  - the schedule 0 1 * * * (UTC)",
        "  + the event e",
        "Objects",
        "    WorkflowTemplate flow",
        '    - spec.x: {"k": [1]}',
        "  - CronWorkflow flow",
        "In the code package",
        "  ~ Metaflow: 2.19.1 -> 2.19.3",
        *("", *DIFF.splitlines()),
        *("", "~ b.bin: differs, 2 -> 3 bytes"),
        *("", "+ c.bin: no text to show, 3 bytes"),
        *("", "+ d.py: empty"),
        "Something is not compared.",
    ]
    assert text(stat_lines(found)) == [
        " WorkflowTemplate flow | 1 field",
        " CronWorkflow flow     | gone",
        " Parameters            | 3 changes",
        " Schedules and events  | 2 changes",
        " owner                 | ann -> bob",
        " production token      | (hidden) -> (hidden)",
        " Metaflow              | 2.19.1 -> 2.19.3",
        " a.py                  | 2 +-",
        " b.bin                 | differs, 2 -> 3 bytes",
        " c.bin                 | no text to show, 3 bytes",
        " d.py                  | 0 ",
        " 2 objects, 4 files, 1 insertion, 1 deletion",
        "Something is not compared.",
    ]
    assert names(found) == ["WorkflowTemplate/flow", "CronWorkflow/flow", "a.py", "b.bin", "c.bin", "d.py"]


def test_a_first_version_shows_what_there_is_and_not_its_text() -> None:
    files = [FileChange("a.py", "added", None, 2, 1, 0, "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+1\n")]
    objects = [ObjectChange("WorkflowTemplate", "flow", "added", ())]
    found = Difference(**{**NOTHING, "is_new": True, "files": files, "objects": objects})
    assert text(difference_lines(found)) == [
        "Nothing is deployed as flow yet: all of it is new.",
        "Objects",
        "  + WorkflowTemplate flow",
        "Code",
        "  + a.py",
    ]


def test_what_would_steer_a_terminal_is_written_out_and_what_is_long_is_cut() -> None:
    files = [FileChange("a\x1b.py", "changed", 2, 2, 1, 1, "--- a\n+++ b\n@@ -1 +1 @@\n-\x1b[2J\n+2\n")]
    fields = [
        FieldChange("spec.a", "\x1b[31m", "x" * 1000),
        FieldChange("spec.b", None, {"k": "x" * 1000}),
        FieldChange("spec.c", "one\ntwo", ["x" * 1000]),
        FieldChange("spec.d", "x" * 1000 + "1 old", "x" * 1000 + "2 new"),
    ]
    objects = [ObjectChange("Sensor", "s", "changed", fields)]
    found = Difference(**{**NOTHING, "files": files, "objects": objects})
    said = [*text(difference_lines(found)), *text(stat_lines(found))]
    assert "\x1b" not in "".join(said)
    assert f"    ~ spec.a: \\x1b[31m -> {'x' * LONGEST}..." in said
    assert "    + spec.b: {...}" in said
    alike = "x" * (LONGEST // 4)
    assert f"    ~ spec.d: ...{alike}1 old -> ...{alike}2 new" in said
    assert '    ~ spec.c: "one\\ntwo" -> [...]' in said


def test_what_is_added_is_green_and_what_is_removed_red() -> None:
    starts = [StartChange("event", "new", "added"), StartChange("event", "old", "removed")]
    files = [FileChange("a.py", "changed", 2, 2, 1, 1, DIFF)]
    lines = list(difference_lines(Difference(**{**NOTHING, "starts": starts, "files": files})))
    styles = {line.plain.strip(): str(line.spans[-1].style if line.spans else line.style) for line in lines}
    assert (styles["+ the event new"], styles["- the event old"]) == ("green", "red")
    assert (styles["+2"], styles["-1"], styles["@@ -1 +1 @@"], styles["+++ b/a.py"]) == (
        *("green", "red", "cyan", "bold"),
    )


def test_a_wide_change_has_a_bar_that_fits() -> None:
    files = [
        FileChange("a.py", "changed", 2, 2, 3000, 1000, "x"),
        FileChange("b.py", "changed", 2, 2, 1, 0, "x"),
    ]
    bars = text(stat_lines(Difference(**{**NOTHING, "files": files})))
    assert bars[0] == f" a.py | 4000 {'+' * 30}{'-' * 10}"
    assert bars[1] == " b.py | 1 +"
