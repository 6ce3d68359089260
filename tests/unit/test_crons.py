"""Cron workflows of the embedded Argo: what they start and when, with a clock that the test sets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from metaflow_hera.embedded.crons import Crons
from metaflow_hera.embedded.labels import CRON_LABEL, SCHEDULED_TIME
from metaflow_hera.embedded.storage.store import MIGRATIONS, Store

BEGIN = datetime(2026, 11, 24, 10, 20, tzinfo=timezone.utc)


class World:
    """A store, a clock and workflows that only begin and end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = BEGIN.timestamp()
        self.store = Store(path)
        self.ended: list[str] = []
        self.start()

    def start(self) -> None:
        """A new server takes up what is stored."""
        self.crons = Crons(self.store, self)
        self.crons.load(self.now)

    # What cron workflows do with workflows.

    def create(self, namespace: str, workflow: dict[str, Any]) -> dict[str, Any]:
        meta = {
            **workflow["metadata"],
            "namespace": namespace,
            "uid": f"uid-{workflow['metadata']['name']}",
            "resourceVersion": str(self.store.next_version()),
        }
        made = {**workflow, "metadata": meta, "status": {}}
        self.store.put_spec(made)
        self.store.put_workflow(made, self.now, None)
        return made

    def terminate(self, uid: str) -> None:
        self.ended.append(uid)

    def remove(self, uid: str) -> None:
        self.store.delete_workflow(uid)

    # What the test does.

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.store.transaction():
            yield

    def put(self, **spec: Any) -> None:
        """Create a cron workflow, or replace it."""
        with self.transaction():
            old = self.store.object("cronworkflows", "argo", "c")
            cron = {
                "metadata": {"name": "c", "namespace": "argo", "uid": "u", "resourceVersion": "1"},
                "spec": {"workflowSpec": {"entrypoint": "main"}, **spec},
                "status": (old or {}).get("status") or {},
            }
            self.store.put_object("cronworkflows", cron)
            self.crons.put(cron, old, self.now)

    def to(self, moment: datetime) -> None:
        """Let time pass until then, as the engine does: from wake to wake."""
        end = moment.timestamp()
        while (at := self.crons.wake_at()) is not None and at <= end:
            self.now = max(self.now, at)
            with self.transaction():
                self.crons.fire_due(self.now)
        self.now = end

    def finish(self, name: str, phase: str = "Succeeded") -> None:
        """A workflow ends."""
        with self.transaction():
            head = self.store.head("argo", name)
            assert head is not None
            workflow = self.store.workflow(head)
            workflow["metadata"]["labels"]["workflows.argoproj.io/phase"] = phase
            self.store.put_workflow(workflow, head.created, self.now)
            done = self.store.head("argo", name)
            assert done is not None
            self.crons.changed(done, phase)

    @property
    def cron(self) -> dict[str, Any]:
        found = self.store.object("cronworkflows", "argo", "c")
        assert found is not None
        return found

    @property
    def started(self) -> list[datetime]:
        """The times for which workflows that are still there were started."""
        names = [head.name for head in self.store.heads("argo")]
        return sorted(datetime.fromtimestamp(int(name.rpartition("-")[2]), timezone.utc) for name in names)

    @property
    def hours(self) -> list[str]:
        return [f"{time:%H:%M}" for time in self.started]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "argo.db")
    yield made
    made.store.close()


def after(**delta: float) -> datetime:
    return BEGIN + timedelta(**delta)


def test_a_workflow_is_started_at_each_time(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC")
    world.to(after(hours=3))
    assert world.hours == ["11:00", "12:00", "13:00"]
    head = world.store.head("argo", f"c-{int(BEGIN.timestamp()) + 2400}")
    assert head is not None
    workflow = world.store.workflow(head)
    assert workflow["metadata"]["labels"] == {CRON_LABEL: "c"}
    assert workflow["metadata"]["annotations"] == {SCHEDULED_TIME: "2026-11-24T11:00:00Z"}
    assert workflow["metadata"]["ownerReferences"][0]["kind"] == "CronWorkflow"
    assert world.cron["status"]["lastScheduledTime"] == "2026-11-24T13:00:00Z"
    assert len(world.cron["status"]["active"]) == 3


def test_the_scheduled_time_is_that_of_the_zone(world: World) -> None:
    world.put(schedules=["0 12 * * *"], timezone="Europe/Berlin")
    world.to(after(hours=1))
    (head,) = world.store.heads("argo")
    assert (
        world.store.workflow(head)["metadata"]["annotations"][SCHEDULED_TIME] == "2026-11-24T12:00:00+01:00"
    )


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_an_hourly_schedule_through_a_day_in_berlin(
    world: World, day: tuple[int, int, int], hours: int
) -> None:
    """The clocks' day has 23 or 25 hours when they change."""
    zone = ZoneInfo("Europe/Berlin")
    world.now = (datetime(*day, tzinfo=zone) - timedelta(minutes=1)).timestamp()
    world.put(schedules=["0 * * * *"], timezone="Europe/Berlin")
    world.to(datetime(*day, tzinfo=zone) + timedelta(hours=23, minutes=59))  # of its clock
    assert len(world.started) == hours
    assert {time.astimezone(zone).date() for time in world.started} == {datetime(*day).date()}


def test_two_schedules_at_one_time_start_one_workflow(world: World) -> None:
    world.put(schedules=["0 * * * *", "0 12 * * *", "30 * * * *"], timezone="UTC")
    world.to(after(hours=2))
    assert world.hours == ["10:30", "11:00", "11:30", "12:00"]


def test_forbid_starts_none_beside_one_that_goes_on(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", concurrencyPolicy="Forbid")
    world.to(after(hours=2))
    assert world.hours == ["11:00"]
    world.finish(world.cron["status"]["active"][0]["name"])
    world.to(after(hours=3))
    assert world.hours == ["11:00", "13:00"]


def test_replace_ends_the_one_that_goes_on(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", concurrencyPolicy="Replace")
    world.to(after(hours=2))
    assert world.hours == ["11:00", "12:00"]
    assert [uid.removeprefix("uid-c-") for uid in world.ended] == [str(int(BEGIN.timestamp()) + 2400)]


@pytest.mark.parametrize(
    ("deadline", "down", "expected"),
    [
        (3540, 50, ["11:00", "12:00"]),  # 11:00 was missed a quarter of an hour ago
        (3540, 110, ["12:00", "13:00"]),  # of two that were missed the last one
        (60, 50, ["12:00"]),
        (None, 50, ["12:00"]),
        (3540, 41, ["11:00", "12:00"]),
    ],
)
def test_what_was_missed_while_the_server_was_down(
    world: World, deadline: int | None, down: int, expected: list[str]
) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", startingDeadlineSeconds=deadline)
    world.now = after(minutes=down).timestamp()
    world.start()
    hour = (after(minutes=down) + timedelta(hours=1)).replace(minute=5)
    world.to(hour)
    assert world.hours == expected


def test_nothing_is_started_twice_after_a_restart(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", startingDeadlineSeconds=3540)
    world.to(after(minutes=45))
    world.start()
    world.to(after(minutes=50))
    assert world.hours == ["11:00"]


def test_a_suspended_one_starts_nothing_until_it_is_resumed(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", suspend=True)
    world.to(after(hours=3))
    assert world.hours == []
    world.put(schedules=["0 * * * *"], timezone="UTC")
    world.to(after(hours=4))
    assert world.hours == ["14:00"]


def test_a_new_schedule_makes_up_for_nothing(world: World) -> None:
    world.put(schedules=["0 0 1 1 *"], timezone="UTC", startingDeadlineSeconds=3540)
    world.to(after(minutes=50))
    world.put(schedules=["0 * * * *"], timezone="UTC", startingDeadlineSeconds=3540)
    world.to(after(minutes=55))
    assert world.hours == []


def test_what_ended_long_ago_is_forgotten(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC", successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0)
    for hour in range(1, 6):
        world.to(after(hours=hour))
        world.finish(world.cron["status"]["active"][0]["name"], "Failed" if hour == 2 else "Succeeded")
    assert world.hours == ["14:00", "15:00"]
    assert (world.cron["status"]["succeeded"], world.cron["status"]["failed"]) == (4, 1)


def test_a_workflow_that_cannot_be_started_is_told_of_and_the_next_one_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC")

    def refuse(namespace: str, workflow: Any) -> Any:
        raise ValueError("no such template")

    with monkeypatch.context() as patch:
        patch.setattr(world, "create", refuse)
        world.to(after(hours=1))
    (condition,) = world.cron["status"]["conditions"]
    assert condition["type"] == "SubmissionError"
    assert "no such template" in condition["message"]
    world.to(after(hours=2))
    assert world.hours == ["12:00"]
    assert not world.cron["status"]["conditions"]


def test_a_clock_that_jumps_far_ahead_starts_one_workflow(world: World) -> None:
    """The machine slept for ten years; with robfig/cron that is one firing as well."""
    world.put(schedules=["* * * * *"], timezone="UTC", startingDeadlineSeconds=3540)
    world.now = after(days=3650).timestamp()
    with world.transaction():
        world.crons.fire_due(world.now)
    assert len(world.started) == 1


def test_a_clock_that_jumps_back_fires_nothing_again(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC")
    world.to(after(hours=1))
    world.now = BEGIN.timestamp()
    with world.transaction():
        world.crons.fire_due(world.now)
    assert world.hours == ["11:00"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_was_once_far_ahead_silences_no_schedule(world: World, restart: bool) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC")
    world.to(after(hours=1))
    world.now = after(days=300).timestamp()
    with world.transaction():
        world.crons.fire_due(world.now)
    world.now = BEGIN.timestamp()
    if restart:
        world.crons = Crons(world.store, world)
        world.crons.load(world.now)
    assert restart or world.crons.is_due(world.now)
    with world.transaction():
        world.crons.fire_due(world.now)
    world.to(after(hours=2))
    assert [hour for hour in world.hours if hour in ("11:00", "12:00")] == ["11:00", "12:00"]
    # The hour that came twice is no fault of anybody.
    assert not world.cron["status"].get("conditions")


def test_a_deleted_one_starts_nothing(world: World) -> None:
    world.put(schedules=["0 * * * *"], timezone="UTC")
    with world.transaction():
        world.store.delete_object("cronworkflows", "argo", "c")
        world.crons.forget("argo", "c")
    assert world.crons.wake_at() is None


def test_a_database_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(MIGRATIONS[0] + "PRAGMA user_version=1;")
    connection.close()
    old = World(tmp_path / "old.db")
    old.put(schedules=["0 * * * *"], timezone="UTC")
    old.to(after(hours=1))
    assert old.hours == ["11:00"]
    old.store.close()
