"""Switches and loops in every position: the same tasks and artifacts as by `python flow.py run`."""

from __future__ import annotations

import json

import pytest
from harness import FLOWS, SECONDS, Mfhera, assert_same, step_of
from recorded_flows import Record
from shapes import flow_script

SWITCHES = {
    "simple": """
        start switch a b = "a"
        a linear m
        b linear m
        m linear end
        end end""",
    "straight to the merge": """
        start switch a m = "m"
        a linear m
        m linear end
        end end""",
    "straight to the end": """
        start switch a end = "end"
        a linear a2
        a2 linear end
        end end""",
    "nested": """
        start switch one two = "one"
        one switch a b = "b"
        two switch c d = "c"
        a linear m
        b linear m
        c linear n
        d linear n
        n linear m
        m linear end
        end end""",
    "chosen by two switches": """
        start switch one two = "two"
        one switch a b = "a"
        two switch b c = "b"
        a linear end
        b linear end
        c linear end
        end end""",
    "two cases, one step": """
        start linear sw
        sw switch a b a = "a"
        a linear end
        b linear end
        end end""",
    "one after the other": """
        start switch a b = "b"
        a linear sw
        b linear sw
        sw switch c d = "c"
        c linear end
        d linear end
        end end""",
    "in static branches": """
        start split left right
        left switch a b = "a"
        a linear j
        b linear b2
        b2 linear j
        right switch c d = "d"
        c linear j
        d linear j
        j join end
        end end""",
    "a split inside a choice": """
        start switch s c = "s"
        s split a b
        a linear j
        b linear j
        j join m
        c linear m
        m linear end
        end end""",
    "a split inside the other choice": """
        start switch s c = "c"
        s split a b
        a linear j
        b linear j
        j join m
        c linear m
        m linear end
        end end""",
    "in a foreach, into its join": """
        start foreach sw = range(4)
        sw switch a b = "ab"[self.input % 2]
        a linear j
        b linear b2
        b2 linear j
        j join end
        end end""",
    "in a foreach, merged before its join": """
        start foreach sw = range(3)
        sw switch a m = "am"[self.input % 2]
        a linear m
        m linear j
        j join end
        end end""",
    "a foreach inside a choice": """
        start switch f c = "f"
        f foreach x = range(3)
        x linear j
        j join m
        c linear m
        m linear end
        end end""",
    "foreachs inside choices not taken": """
        start switch f c g = "c"
        f foreach x = range(3)
        x foreach y = range(2)
        y linear k
        k join j
        j join m
        g foreach z = range(3)
        z switch z1 z2 = "z1"
        z1 linear l
        z2 linear l
        l join m
        c linear m
        m linear end
        end end""",
    "foreachs inside choices in a foreach": """
        start foreach sw = range(4)
        sw switch f c = "fc"[self.input % 2]
        f foreach x = range(self.input + 1)
        x linear k
        k join j
        c linear j
        j join end
        end end""",
    "two foreachs, one body": """
        start switch f g = "g"
        f foreach x = range(2)
        g foreach x = "abc"
        x linear y
        y linear j
        j join end
        end end""",
    "two splits, the same branches": """
        start switch s t = "t"
        s split x y
        t split y x
        x linear j
        y linear j
        j join end
        end end""",
}
LOOPS = {
    "three turns": """
        start linear loop
        loop switch loop done = "loop" if turn < 3 else "done"
        done linear end
        end end""",
    "no second turn": """
        start linear loop
        loop switch loop end = "end"
        end end""",
    "the first step": """
        start linear loop
        loop switch loop other = "loop" if turn < 2 else "other"
        other switch other end = "other" if turn < 2 else "end"
        end end""",
    "left by one of three choices": """
        start linear loop
        loop switch a loop b c = "loop" if turn < 2 else "b"
        a linear m
        b linear m
        c linear end
        m linear end
        end end""",
    "in a foreach": """
        start foreach x = range(3)
        x linear loop
        loop switch loop a b = "loop" if turn < self.input else "ab"[self.input % 2]
        a linear j
        b linear j
        j join end
        end end""",
    "the first step of a foreach": """
        start foreach loop = range(3)
        loop switch loop a b = "loop" if turn < 2 else "ab"[turn % 2]
        a linear j
        b linear j
        j join end
        end end""",
    "in a static branch": """
        start split l r
        l switch l a = "l" if turn < 2 else "a"
        a linear j
        r linear j
        j join end
        end end""",
    "in a choice": """
        start switch loop c = "loop"
        loop switch loop c a = "loop" if turn < 2 else "a"
        a linear c
        c linear end
        end end""",
    "in a choice not taken": """
        start switch loop c = "c"
        loop switch loop c a = "loop" if turn < 2 else "a"
        a linear c
        c linear end
        end end""",
    "a foreach after it": """
        start linear loop
        loop switch loop f = "loop" if turn < 2 else "f"
        f foreach x = range(2)
        x linear j
        j join end
        end end""",
}


@pytest.mark.parametrize("shape", SWITCHES)
def test_a_switch_goes_where_it_does_in_metaflow(mfhera: Mfhera, record: Record, shape: str) -> None:
    compare(mfhera, record, f"switch {shape}", flow_script("SwitchFlow", SWITCHES[shape]))


@pytest.mark.parametrize("shape", LOOPS)
def test_a_loop_takes_the_turns_that_it_does_in_metaflow(mfhera: Mfhera, record: Record, shape: str) -> None:
    compare(mfhera, record, f"loop {shape}", flow_script("LoopFlow", LOOPS[shape]))


@pytest.mark.parametrize("flow", ["switch_flow.py", "loop_flow.py"])
def test_a_flow_with_choices_makes_the_same_as_by_metaflow_itself(
    mfhera: Mfhera, record: Record, flow: str
) -> None:
    compare(mfhera, record, flow, (FLOWS / flow).read_text())


def test_a_loop_of_250_turns_has_a_task_for_each(mfhera: Mfhera) -> None:
    mfhera.take("long_loop_flow.py")
    mfhera.ok("create", "long_loop_flow.py")
    # With data in S3 Metaflow starts a process for each transfer: that takes seconds for an iteration.
    tasks = mfhera.read(mfhera.run(timeout=3 * SECONDS)["pathspec"])
    assert sum(key.startswith("turn:") for key in tasks) == 250
    assert tasks["end"]["turns"] == "250"


def test_a_loop_whose_pod_is_lost_goes_on_where_it_was(mfhera: Mfhera) -> None:
    mfhera.take("lost_loop_flow.py")
    mfhera.ok("create", "lost_loop_flow.py")
    tasks = mfhera.read(mfhera.run()["pathspec"])
    assert tasks["end"]["trail"] == "[(0, 0), (1, 0), (2, 2), (3, 0), (4, 0)]"


def test_what_comes_after_reads_the_attempt_that_succeeded(mfhera: Mfhera) -> None:
    """Whatever became of the attempts before it; also from one iteration of a loop to the next."""
    mfhera.take("gap_flow.py")
    mfhera.ok("create", "gap_flow.py")
    tasks = mfhera.read(mfhera.run()["pathspec"])
    assert tasks["end"]["seen"] == tasks["turn:1"]["seen"] == "'of the attempt that succeeded'"
    assert tasks["end"]["turns"] == "2"


def test_a_turn_that_fails_for_good_ends_the_run(mfhera: Mfhera) -> None:
    mfhera.take("stuck_loop_flow.py")
    mfhera.ok("create", "stuck_loop_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    run = json.loads(done.stdout)
    tasks = mfhera.read(run["pathspec"])
    assert tasks["turn:0"]["successful"]
    assert not tasks["turn:1"]["successful"]
    assert tasks["turn:1"]["attempt"] == 2
    # Argo did not start the pod again to no avail.
    assert step_of(run, "turn")["attempts"] == 1


def compare(mfhera: Mfhera, record: Record, flow: str, script: str) -> None:
    """Run a flow both ways and demand the same."""
    (mfhera.folder / "flow.py").write_text(script)
    mfhera.ok("create", "flow.py")
    theirs = record.by_metaflow(flow, mfhera, "flow.py")
    assert_same(theirs, mfhera.read(mfhera.run()["pathspec"]), "by Metaflow", "by mfhera", flow)
