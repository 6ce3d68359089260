"""Deployers that are killed, refused or overtaken: the server has one version, and the history knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from exports import of_kind
from releases import create, history_in, objects_of, told
from twin import Twin

from metaflow_hera.argo import deployments
from metaflow_hera.argo.deployments import version_of
from metaflow_hera.errors import ArgoError, ArgoNotFound
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.rollback import rollback
from metaflow_hera.operations.versions import versions_of

JSON = dict[str, Any]
NAME = "schedulesflow"
WRITES = ("POST", "PUT", "DELETE")
Before = Callable[[requests.PreparedRequest], None]


class Killed(BaseException):
    """The command is no more: nothing handles this."""


class Watched:
    """The twin's transport, which calls a function before it carries a write, and another after that."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._writes = 0

    @contextmanager
    def __call__(
        self, number: int, before: Callable[[], None] = int, after: Callable[[], None] = int
    ) -> Iterator[None]:
        """Until the block ends, the functions are called once, at the write of a number, from 0."""
        transport = self._twin.transport
        send = transport.send
        count = iter(range(1000))

        def watched(request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
            if request.method not in WRITES or next(count) != number:
                return send(request, *args, **more)
            before()
            answer = send(request, *args, **more)
            after()
            return answer

        transport.send = watched  # type: ignore[method-assign]
        try:
            yield
        finally:
            del transport.send  # type: ignore[method-assign]


def kill() -> None:
    """End the command."""
    raise Killed


def there(twin: Twin) -> dict[str, tuple[int, str] | None]:
    """What is there of the deployment, with the versions that it is of."""
    try:
        template = twin.client.template(NAME)
    except ArgoNotFound:
        return {}
    crons = deployments.crons_of(twin.client, NAME)
    return {
        f"{kind} {item['metadata']['name']}": version_of(item)
        for kind, items in (("template", [template]), ("cron", crons))
        for item in items
    }


def one_cron(folder: Path, code: str) -> list[JSON]:
    """Objects with one cron workflow less, at another time."""
    objects = objects_of(folder, "schedules", code)
    first, second = of_kind(objects, "CronWorkflow")
    first["spec"]["schedules"] = ["5 5 * * *"]
    return [item for item in objects if item is not second]


STEPS = [(number, moment) for number in range(4) for moment in ("before", "after")]
"""A version that replaces a template and a cron workflow and deletes another one writes three times."""


class TestKilled:
    """The command is killed at each of its writes."""

    @pytest.mark.parametrize(("number", "moment"), STEPS)
    @pytest.mark.parametrize("verb", ["create", "rollback"])
    def test_the_server_has_one_version_and_the_history_tells_which(
        self, twin: Twin, tmp_path: Path, verb: str, number: int, moment: str
    ) -> None:
        create(twin.client, tmp_path, one_cron(tmp_path, "one"))
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        with Watched(twin)(number, **{moment: kill}), suppress(Killed):
            if verb == "create":
                create(twin.client, tmp_path, one_cron(tmp_path, "three"))
            else:
                rollback(twin.client, NAME)
        is_done = number > 0 or moment == "after"  # the template, which comes first, is the commit point
        found = versions_of(twin.client, NAME)
        kind = ("rollback", 1) if verb == "rollback" else ("create", None)
        new = [(3, True, *kind)] if is_done else []
        assert told(found) == [*new, (2, not is_done, "create", None), (1, False, "create", None)]
        is_whole = len(set(there(twin).values())) == 1
        assert is_whole == (not is_done or number == 3 or (number, moment) == (2, "after"))
        (listed,) = deployments.deployed(twin.client)
        mend = "mfhera rollback --name schedulesflow --to 3 completes it."
        between = f"schedulesflow is between versions 2 and 3: {mend}"
        assert listed.unfinished == (None if is_whole else between)
        assert found.notes == ([] if is_whole else [between])
        if not is_whole:
            done = rollback(twin.client, NAME, 3)
            assert (done.completed, done.version) == (True, 3)
        live = 3 if is_done else 2
        assert {key and key[0] for key in there(twin).values()} == {live}
        assert len(there(twin)) == (2 if is_done else 3)
        assert versions_of(twin.client, NAME).notes == []
        # What was never live is no version, and its number is given again.
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "last"))
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [*range(live + 1, 0, -1)]

    def test_a_cron_workflow_that_was_never_made_is_missed(self, twin: Twin, tmp_path: Path) -> None:
        with Watched(twin)(0, after=kill), suppress(Killed):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        (listed,) = deployments.deployed(twin.client)
        words = "schedulesflow lacks the cron workflow schedulesflow of version 1: mfhera rollback --name"
        assert (listed.unfinished or "").startswith(words)
        # The next version heals it as well.
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        assert {key and key[0] for key in there(twin).values()} == {2}
        assert len(there(twin)) == 3

    def test_nothing_is_deployed_that_the_history_does_not_have(
        self, twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is written before the objects, whole or not at all."""
        written = "metaflow_hera.operations.history.History.add"
        before = twin.stored()
        monkeypatch.setattr(written, lambda *_: kill())
        with suppress(Killed):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        assert twin.stored() == before


class TestRefused:
    """Argo refuses a part of a new version."""

    @pytest.mark.parametrize("kind", ["WorkflowTemplate", "CronWorkflow"])
    def test_the_history_has_no_version_that_was_refused(self, twin: Twin, tmp_path: Path, kind: str) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        before = there(twin)
        objects = objects_of(tmp_path, "schedules", "two")
        wrong = of_kind(objects, kind)[-1]
        if kind == "CronWorkflow":
            wrong["spec"]["schedules"] = ["not a schedule"]
        else:
            wrong["spec"]["entrypoint"] = "nowhere"
        with pytest.raises(ArgoError):
            create(twin.client, tmp_path, objects)
        assert there(twin) == before
        assert told(versions_of(twin.client, NAME)) == [(1, True, "create", None)]
        history = history_in(tmp_path, objects, twin.client)
        assert [each.key.number for each in history.chain(None)] == [1]


class TestAtOnce:
    """Two people deploy at the same moment."""

    def test_before_the_first_is_committed(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        others = []

        def other() -> None:
            others.append(create(twin.connect(), tmp_path, one_cron(tmp_path, "two")))

        with Watched(twin)(0, before=other):
            mine = create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "three"))
        assert (others[0].version.number, others[0].notes) == (2, [])
        assert mine.version.number == 3
        (note,) = mine.notes
        assert note == (
            "schedulesflow was deployed by tester meanwhile, as version 2: "
            "this is version 3, and replaced it."
        )
        assert told(versions_of(twin.client, NAME)) == [
            *[(3, True, "create", None), (2, False, "create", None), (1, False, "create", None)],
        ]
        assert set(there(twin).values()) == {mine.version}
        assert len(there(twin)) == 3

    def test_both_are_the_first(self, twin: Twin, tmp_path: Path) -> None:
        others = []

        def other() -> None:
            others.append(create(twin.connect(), tmp_path, one_cron(tmp_path, "one")).version.number)

        with Watched(twin)(0, before=other):
            mine = create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        assert mine.version.number == others[0] + 1
        assert f"as version {others[0]}" in mine.notes[0]
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [others[0] + 1, *others]
        assert set(there(twin).values()) == {mine.version}

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_while_the_first_writes_what_is_beside_its_template(
        self, twin: Twin, tmp_path: Path, number: int, moment: str
    ) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        others = []

        def other() -> None:
            others.append(create(twin.connect(), tmp_path, objects_of(tmp_path, "schedules", "three")))

        with Watched(twin)(number, **{moment: other}):
            mine = create(twin.client, tmp_path, one_cron(tmp_path, "two"))
        assert mine.version.number == 2
        assert mine.notes == [
            "schedulesflow was deployed by tester meanwhile: version 3 is live, and has replaced version 2, "
            "which this was."
        ]
        assert others[0].version.number == 3
        assert set(there(twin).values()) == {others[0].version}
        assert len(there(twin)) == 3
        assert [each.number for each in versions_of(twin.client, NAME).versions] == [3, 2, 1]

    def test_what_is_refused_does_not_undo_what_came_after_it(self, twin: Twin, tmp_path: Path) -> None:
        create(twin.client, tmp_path, objects_of(tmp_path, "schedules"))
        others = []

        def other() -> None:
            others.append(create(twin.connect(), tmp_path, objects_of(tmp_path, "schedules", "three")))

        objects = objects_of(tmp_path, "schedules", "two")
        of_kind(objects, "CronWorkflow")[-1]["spec"]["schedules"] = ["not a schedule"]
        with Watched(twin)(2, before=other), pytest.raises(ArgoError, match="not a schedule"):
            create(twin.client, tmp_path, objects)
        assert set(there(twin).values()) == {others[0].version}
        assert len(there(twin)) == 3
        assert versions_of(twin.client, NAME).notes == []

    def test_a_rollback_and_a_create(self, twin: Twin, tmp_path: Path) -> None:
        for code in ("one", "two"):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", code))

        def other() -> None:
            create(twin.connect(), tmp_path, one_cron(tmp_path, "three"))

        with Watched(twin)(0, before=other):
            done = rollback(twin.client, NAME)
        # It goes back to what it was asked for, not to what is before the live one by now.
        assert (done.version, done.to) == (4, 1)
        assert "as version 3" in done.notes[0]
        assert told(versions_of(twin.client, NAME))[:2] == [
            (4, True, "rollback", 1),
            (3, False, "create", None),
        ]

    def test_the_same_old_version_is_found_by_both(self, twin: Twin, tmp_path: Path) -> None:
        create_from(objects_of(tmp_path, "schedules", "old"), twin.client, None)

        def other() -> None:
            create(twin.connect(), tmp_path, one_cron(tmp_path, "one"))

        with Watched(twin)(0, before=other):
            create(twin.client, tmp_path, objects_of(tmp_path, "schedules", "two"))
        assert told(versions_of(twin.client, NAME)) == [
            *[(3, True, "create", None), (2, False, "create", None), (1, False, "found", None)],
        ]
