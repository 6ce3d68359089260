"""What pods tell of the tasks that share them, and how `status` and the page of the embedded Argo read it."""

from __future__ import annotations

from typing import Any

import pytest

from metaflow_hera.argo.shared_pods import items_of, shared_tasks
from metaflow_hera.contract.ranges import Account, Failure, how_many, members, split, started, starting
from metaflow_hera.embedded.page import ranges as page

ALL_FAILED = Account(0, 5000, 2500, list(range(0, 5000, 2)))
CASES = {
    "succeeded": ("Succeeded", [""]),
    "pending": ("Pending", []),
    "running, untold": ("Running", [""]),
    "running again": ("Running", [Account(60, 100, 2, [3, 17], 62).message(), ""]),
    "some failed": ("Failed", [Account(98, 100, 2, [3, 17], None, {3: Failure(2, "bad: 3")}).message()]),
    "killed": ("Failed", [Account(57, 100, 1, [3], 58, {3: Failure(1, "bad")}).message()]),
    "killed twice": (
        "Failed",
        [Account(57, 100, 1, [3], 58).message(), Account(70, 100, 0, [], 80).message()],
    ),
    "never began": ("Failed", ["main: Error (exit code 1): The code package could not be fetched"]),
    "evicted": ("Failed", [Account(57, 100, 0, [], 57).message(), "The node was low on resource: memory."]),
    "not to be created": ("Error", [""]),
}


def node(kind: str = "Retry", text: str = "0-99") -> dict[str, Any]:
    parameters = [
        {"name": name, "value": value}
        for name, value in {"step": "work", "path": "-7", "split-range": text}.items()
    ]
    return {"type": kind, "inputs": {"parameters": parameters}}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 10])
@pytest.mark.parametrize("per_pod", [1, 3, 1000])
def test_ranges_have_each_item_once_and_in_order(count: int, per_pod: int) -> None:
    found = split(count, per_pod)
    assert [item for text in found for item in members(text)] == list(range(count))
    assert all(len(members(text)) <= per_pod for text in found)
    assert how_many(found) == how_many(list(range(count))) == count


def test_an_account_is_read_as_it_was_written() -> None:
    account = Account(3, 10, 4, [1, 5, 6, 7], 8, {1: Failure(2, "ValueError: a; b"), 5: Failure(1, "x")})
    text = f"main: OOMKilled (exit code 137): {account.message()}"
    assert "4 failed: 1, 5-7; running: 8" in text
    assert Account.read(text) == account
    assert Account.read("main: Error (exit code 1)") is None


def test_an_account_stays_short() -> None:
    reasons = {item: Failure(1, "long " * 1000 + "\nsecond line") for item in ALL_FAILED.failed}
    text = Account(0, 5000, 2500, ALL_FAILED.failed, None, reasons).message()
    assert len(text) < 1200
    read = Account.read(text)
    assert read is not None
    assert (read.well, read.size, read.failures, read.failed[:3]) == (0, 5000, 2500, [0, 2, 4])


def test_the_rest_of_a_longer_message_is_not_read() -> None:
    """A pod that is killed while it writes may leave the end of what it had written before."""
    before, now = Account(8, 10, 1, [3], 99).message(), Account(9, 10, 1, [3]).message()
    mixed = now + before[len(now) :]
    assert Account.read(mixed) == Account.read(now)


def test_the_line_with_which_a_task_begins() -> None:
    assert started(starting("work-0-3", 2)) == ("work-0-3", 2)
    assert started("the Task work-0-3 is starting (attempt 2).") is None


@pytest.mark.parametrize("case", CASES)
def test_status_and_the_page_count_alike(case: str) -> None:
    phase, messages = CASES[case]
    pods = [{"message": message} for message in messages]
    items = items_of(node())
    assert items == page.items_of(node()) == range(100)
    assert items is not None
    ours = shared_tasks(node(), items, phase, pods, "why")
    theirs = page.told(items, phase, pods, "why")
    counts = {name: count for name, count in theirs.phases.items() if name != "Omitted"}
    assert counts == ours.phases
    assert theirs.phases.get("Omitted", 0) == ours.not_started
    assert sum(ours.phases.values()) + ours.not_started == 100
    assert {f"-7-{item}" for item in theirs.failed} == {each.path for each in ours.failures}
    assert len(list(theirs.tasks(items))) == 100


@pytest.mark.parametrize(
    ("progress", "well"), [("57/100", 57), ("0/1", 0), ("100/100", 100), ("3/50", 0), ("", 0)]
)
def test_a_pod_that_runs_is_counted_by_its_progress(progress: str, well: int) -> None:
    pods = [{"message": Account(12, 100, 1, [3], 12).message(), "progress": "0/1"}, {"progress": progress}]
    ours = shared_tasks(node(), range(100), "Running", pods, "").phases
    assert ours == page.told(range(100), "Running", pods, "").phases
    assert (ours["Succeeded"], ours.get("Running", 0)) == (max(well, 12), int(well < 100))


def test_attempts_are_those_that_the_pods_have_counted() -> None:
    """A task that is out of attempts is told as failed by each later pod as well."""
    first = {"message": Account(1, 4, 2, [0, 2], 3, None, 4).message()}
    second = {"message": Account(3, 4, 1, [2], None, None, 6).message()}

    def attempts(phase: str, *pods: dict[str, str]) -> int:
        return shared_tasks(node(text="0-3"), range(4), phase, pods, "why").attempts

    assert attempts("Running", first, {"progress": "0/1"}) == 5
    assert attempts("Running", first, {"progress": "2/4"}) == 6
    assert attempts("Failed", first, second) == 6
    assert attempts("Failed", first, {}) == 5
    assert attempts("Succeeded", first, {}) == 7


def test_what_has_failed_so_far_is_told_while_a_pod_takes_the_place_of_the_one_before() -> None:
    phase, messages = CASES["running again"]
    again = [{"message": message} for message in messages]
    assert [each.path for each in shared_tasks(node(), range(100), phase, again, "").retries] == [
        "-7-3",
        "-7-17",
    ]


def test_a_killed_pod_is_told_by_its_tasks() -> None:
    phase, messages = CASES["killed"]
    killed = f"main: OOMKilled (exit code 137): {messages[0]}"
    found = shared_tasks(node(), range(100), phase, [{"message": killed}], killed)
    assert found.phases == {"Succeeded": 57, "Failed": 2}
    assert [(each.path, each.message) for each in found.failures] == [
        ("-7-3", "bad"),
        ("-7-58", "main: OOMKilled (exit code 137)"),
    ]
    assert found.not_started == 41


@pytest.mark.parametrize("text", ["", "0", "a-b", "5-3", "0-99999999999999999999"])
def test_the_page_takes_no_other_input_for_a_range(text: str) -> None:
    assert page.items_of(node(text=text)) is None
    assert page.length(text or 0) == 1


def test_a_pod_that_has_told_nothing_began_with_a_task_that_was_left() -> None:
    left = Account(99, 100, 1, [3], None, {3: Failure(1, "bad")}).message()
    pods = [{"message": left}, {"message": "Pod was evicted"}]
    found = shared_tasks(node(), range(100), "Failed", pods, "Pod was evicted")
    assert [each.path for each in found.failures] == ["-7-3"]
    assert page.told(range(100), "Failed", pods, "Pod was evicted").failed == {3: "Pod was evicted"}


def test_what_a_message_lists_is_bounded_by_the_tasks_of_its_pod() -> None:
    found = Account.read("1 of 3 tasks ended well, 2 attempts; 1 failed: 0-999999999")
    assert found is not None
    assert found.failed == [0, 1, 2]
