"""What is done to runs, verb by verb: as asked, and when it cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import long_logs
import pytest
from harness import SECONDS, Mfhera, message, refused, step_of

ABSENT = "argo-absentflow-x7k2p"


def failed_run(mfhera: Mfhera, name: str) -> str:
    """A run of MendedFlow, deployed under a name, that has failed."""
    mfhera.take("mended_flow.py")
    mfhera.ok("create", "mended_flow.py", "--name", name)
    done = mfhera("trigger", "--wait", "--json", "--param", f"place={mfhera.folder}")
    assert done.returncode == 1, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def mend(mfhera: Mfhera) -> None:
    (mfhera.folder / "mended").touch()


def waiting_run(mfhera: Mfhera, name: str) -> str:
    """A run of GuardedFlow, deployed under a name, whose first task waits for the file `gate`."""
    mfhera.take("guarded_flow.py")
    mfhera.ok("create", "guarded_flow.py", "--name", name)
    gate = mfhera.folder / "gate"
    run = str(mfhera.json("trigger", "--json", "--param", f"gate={gate}")["run_id"])
    mfhera.wait_until(lambda: "waits" in mfhera.ok("logs", run))
    return run


def open_gate(mfhera: Mfhera) -> None:
    (mfhera.folder / "gate").touch()


def ended(mfhera: Mfhera, run: str) -> Any:
    """The run as it is once it has ended."""
    return mfhera.json("status", run, "--watch", "--json")


@pytest.fixture
def other() -> Mapping[str, str]:
    """The environment of another user."""
    return {"METAFLOW_USER": "other", "METAFLOW_HOME": "/nonexistent"}


class TestLogs:
    """`mfhera logs`."""

    @pytest.mark.same_machine
    def test_of_a_run_that_failed_and_was_retried(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "logs-retried")
        mend(mfhera)
        mfhera.ok("retry", run, "--wait")
        lines = mfhera.ok("logs").splitlines()  # of the last run
        assert lines[:3] == ["start/start: start on stdout", *lines[1:3]]
        assert lines[-1] == "end/end: all [0, 1, 0]"
        # Task by task, attempt by attempt, with both streams in the order of their times.
        tasks = [line.split(": ")[0] for line in lines if " on stdout" in line]
        assert tasks == [
            "start/start",
            "work/work-0",
            *("work/work-1", "work/work-1 (attempt 1)"),
            "work/work-2",
        ]
        assert "work/work-1: RuntimeError: not mended yet" in lines
        for place in (
            (run, "work/1"),
            (run, "work/work-1"),
            (f"MendedFlow/{run}/work/work-1",),
            (f"{run}/work", "1"),
        ):
            last = mfhera.ok("logs", *place, "--attempt", "1").splitlines()
            assert last == ["b on stdout", "b on stderr"]
        assert mfhera.ok("logs", run, "work/1", "--stderr", "--attempt", "1").splitlines() == ["b on stderr"]
        assert mfhera.ok("logs", run, "--tail", "1", "end/end", "--stdout").count("\n") == 1
        everything = mfhera.ok("logs", run, "end", "--all-lines").splitlines()
        assert everything[0] == "end/end: Setting up task environment."
        assert "end/end: Task is starting." in everything
        (line,) = [
            json.loads(text)
            for text in mfhera.ok("logs", run, "work/2", "--json", "--attempt", "0").splitlines()
            if "on stderr" in text
        ]
        expected = {"step": "work", "task": "work-2", "attempt": 0, "stream": "stderr", "text": "c on stderr"}
        assert {key: line[key] for key in expected} == expected
        assert line["time"].startswith("20")

    @pytest.mark.embedded_only("has its data here; test_datastores.py does the same in the others")
    @pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
    def test_of_any_size(self, mfhera: Mfhera) -> None:
        mfhera.take("linear_flow.py")
        mfhera.ok("create", "linear_flow.py")
        run = mfhera.run()["run_id"]
        place = mfhera.folder / ".metaflow" / "LinearFlow" / run / "start" / "start"
        for number, name in enumerate(("stdout", "stderr")):
            assert (place / f"0.task_{name}.log").exists()
            (place / f"0.task_{name}.log").write_bytes(long_logs.stream(number))
        long_logs.check(mfhera, run, "start/start")

    @pytest.mark.same_machine
    def test_of_a_run_while_it_runs(self, mfhera: Mfhera) -> None:
        run = waiting_run(mfhera, "logs-running")
        assert mfhera.ok("logs", run).splitlines() == ["start/start: waits"]
        # Argo counts the attempts of a run that was retried from 0 again, and Metaflow does not.
        mfhera.ok("terminate", run)
        ended(mfhera, run)
        mfhera.ok("retry", run)
        mfhera.wait_until(lambda: "(attempt 1): waits" in mfhera.ok("logs", run))
        first, second = "start/start: waits", "start/start (attempt 1): waits"
        assert [line for line in mfhera.ok("logs", run).splitlines() if "waits" in line] == [first, second]
        assert mfhera.ok("logs", run, "--attempt", "1").splitlines() == [second]
        refused(mfhera("logs", run, "--attempt", "2"), "has no attempt 2; there are: 0, 1.")
        # A pod's log has both streams in one: of a task that runs there is what is stored of it.
        done = mfhera("logs", run, "start", "--stdout")
        assert first in done.stdout
        assert "start/start only what is stored so far is shown" in done.stderr
        command = [sys.executable, "-m", "metaflow_hera.cli.main", "logs", run, "--follow"]
        with subprocess.Popen(
            command, cwd=mfhera.folder, env=mfhera.env, stdout=subprocess.PIPE, text=True
        ) as following:
            assert following.stdout is not None
            lines = []
            for line in following.stdout:
                lines.append(line.rstrip())
                if lines[-1].endswith("waits"):
                    open_gate(mfhera)
        assert following.returncode == 0
        assert [line for line in lines if "waits" in line] == [first, second]
        assert lines[-2:] == ["start/start (attempt 1): goes on", "end/end: the end"]
        # Of a run that has ended it shows the same.
        assert mfhera.ok("logs", run, "--follow").splitlines() == lines

    def test_the_iteration_of_a_loop_that_runs_now(self, mfhera: Mfhera) -> None:
        mfhera.take("gate_loop_flow.py")
        mfhera.ok("create", "gate_loop_flow.py", "--name", "logs-gate-loop")
        gate = mfhera.folder / "gate"
        run = str(mfhera.json("trigger", "--json", "--param", f"gate={gate}")["run_id"])
        mfhera.wait_until(lambda: "iteration says 3" in mfhera.ok("logs", run))
        lines = [line for line in mfhera.ok("logs", run, "turn").splitlines() if "teration" in line]
        assert lines[-2:] == ["turn/turn: Iteration 2 of turn is starting.", "turn/turn: iteration says 3"]
        gate.touch()
        assert mfhera.end_of(run) == "Succeeded"

    def test_the_turns_of_a_loop_are_tasks_of_their_own(self, mfhera: Mfhera) -> None:
        mfhera.take("loop_flow.py")
        mfhera.ok("create", "loop_flow.py", "--name", "logs-loop")
        run = mfhera.run("--name", "logs-loop")["run_id"]
        lines = [json.loads(text) for text in mfhera.ok("logs", run, "refine", "--json").splitlines()]
        tasks = [f"refine-{item}_{turn}" for item in range(3) for turn in range(item + 1)]
        assert list(dict.fromkeys(line["task"] for line in lines)) == tasks
        (only,) = {
            json.loads(text)["task"] for text in mfhera.ok("logs", run, "refine/2_1", "--json").splitlines()
        }
        assert only == "refine-2_1"

    @pytest.mark.embedded_only("has its copy of a code package here")
    def test_an_attempt_that_ended_before_metaflow_began(self, mfhera: Mfhera) -> None:
        mfhera.take("mended_flow.py")
        script = mfhera.folder / "mended_flow.py"
        script.write_text(script.read_text() + "# A code package of its own.\n")
        mfhera.ok("create", "mended_flow.py", "--name", "logs-early-end")
        place = f"place={mfhera.folder}"
        known = set(mfhera.home.rglob("cache/code-*/**/metaflow_hera.json"))
        run = json.loads(mfhera("trigger", "--wait", "--json", "--param", place).stdout)["run_id"]
        (settings,) = set(mfhera.home.rglob("cache/code-*/**/metaflow_hera.json")) - known
        settings.unlink()
        time.sleep(1)  # Argo's times are whole seconds: within one, the pods of a task look alike
        assert mfhera("retry", run, "--wait").returncode == 1
        lines = [json.loads(text) for text in mfhera.ok("logs", run, "work/1", "--json").splitlines()]
        told = {number: [line["text"] for line in lines if line["attempt"] == number] for number in (0, 1)}
        assert "b on stdout" in told[0]
        assert "metaflow_hera.json is not in the code package" in told[1][-1]

    def test_where_the_datastore_is_another_one(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "logs-elsewhere")
        elsewhere = mfhera.at(mfhera.home / "elsewhere")
        env = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(elsewhere.folder)}
        lines = elsewhere.ok("logs", run, env=env).splitlines()
        assert {"work/work-0: a on stdout", "work/work-2: c on stderr"} <= set(lines)

    def test_of_a_run_that_argo_has_no_more(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "logs-deleted")
        before = mfhera.ok("logs", run)
        mfhera.ok("delete", "--run", run)
        assert mfhera.ok("logs", f"MendedFlow/{run}") == before
        refused(mfhera("logs", run), f"has no run {run}", "name its flow")

    def test_what_is_no_place(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "logs-places")
        refused(mfhera("logs", ABSENT), f"has no run {ABSENT}")
        refused(mfhera("logs", run, "absent"), "has no step absent; it has start, work, collect, end")
        refused(mfhera("logs", run, "work/7"), "has no task work/7; step work has work-0, work-1, work-2.")
        refused(mfhera("logs", run, "work/1_5"), "has no task work/1_5")
        refused(mfhera("logs", run, "end", "--follow"), "ended as Failed, and step end was not run")
        refused(mfhera("logs", run, "work", "--attempt", "7"), "no attempt 7 of step work; there are: 0.")
        refused(mfhera("logs", run, "a/b/c"), "is not a place in a run")
        refused(mfhera("logs", f"x/y/{run}"), "is not a place in a run")
        refused(mfhera("logs", run, "--attempt", "-1"), "--attempt -1")
        refused(mfhera("logs", run, "--follow", "--stdout"), "do not go with --follow")


class TestRetry:
    """`mfhera retry`."""

    @pytest.mark.same_machine
    def test_from_where_it_failed_with_the_right_attempts(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "retried")
        first = mfhera.json("status", run, "--json")
        again = mfhera("retry", run, "--wait", "--json")
        assert again.returncode == 1
        mend(mfhera)
        output = mfhera.ok("retry", run, "--watch")
        assert f"Retrying MendedFlow/{run}. Failed tasks: work (1)." in output
        assert f"MendedFlow/{run} succeeded" in output
        tasks = mfhera.read(f"MendedFlow/{run}")
        # Only what failed was run again, after its two attempts.
        attempts = {"start": 0, "work/0": 0, "work/1": 2, "work/2": 0, "collect": 0, "end": 0}
        assert {key: task["attempt"] for key, task in tasks.items()} == attempts
        # The first step was not run again.
        start = step_of(mfhera.json("status", run, "--json"), "start")
        assert start["started_at"] == step_of(first, "start")["started_at"]
        refused(mfhera("retry", run), "has succeeded", f"mfhera resubmit {run}")

    def test_with_new_code(self, mfhera: Mfhera) -> None:
        run = failed_run(mfhera, "retried-new")
        script = mfhera.folder / "mended_flow.py"
        old = script.read_text()
        script.write_text(old.replace('raise RuntimeError("not mended yet")', 'print("mended by new code")'))
        made = mfhera.json("retry", run, "--with-new-code", "mended_flow.py", "--wait", "--json")
        assert (made["state"], made["version"], made["new_code"]) == ("Succeeded", 1, True)
        assert "  version 1, with new code  " in mfhera.ok("status", run)
        assert "mended by new code" in mfhera.ok("logs", run, "work/1")
        # What is deployed is as before, and so is a new run.
        again = mfhera("resubmit", run, "--wait")
        assert again.returncode == 1
        assert "not mended yet" in again.stderr
        listed = mfhera.json("runs", "--name", "retried-new", "--json")
        assert [each["new_code"] for each in listed] == [False, True]
        assert ["1, new code" in line for line in mfhera.ok("runs").splitlines()] == [False, False, True]

    def test_new_code_that_does_not_fit(self, mfhera: Mfhera, tmp_path: Path) -> None:
        run = failed_run(mfhera, "retried-misfit")
        before = mfhera.stored()
        script = mfhera.folder / "mended_flow.py"
        old = script.read_text()
        new = ("retry", run, "--with-new-code", "mended_flow.py")
        more = "    @step\n    def more(self):\n        self.next(self.end)\n\n    @step\n    def end"
        script.write_text(
            old.replace("    @step\n    def end", more).replace(
                "self.next(self.end)", "self.next(self.more)", 1
            )
        )
        refused(mfhera(*new), "another graph (step more is new)", "mfhera resubmit")
        script.write_text(old.replace("MendedFlow", "AnotherFlow"))
        refused(mfhera(*new), "is a run of MendedFlow, not of AnotherFlow")
        script.write_text("class")
        refused(mfhera(*new), "mended_flow.py")
        script.write_text(old)
        script.write_text(old.replace("    place =", '    more = Parameter("more", default=1)\n    place ='))
        refused(mfhera(*new), "other Parameters ('more' is new)", "mfhera resubmit")
        script.write_text(old.replace('    place = Parameter("place", required=True)', '    place = "x"'))
        refused(mfhera(*new), "other Parameters ('place' is gone)")
        script.write_text(old)
        refused(mfhera(*new, "--with", "retry"), "retries step start 3 times", "deployed with 0")
        kind = mfhera.env.get("METAFLOW_DEFAULT_DATASTORE", "local")
        root = mfhera.env.get(f"METAFLOW_DATASTORE_SYSROOT_{kind.upper()}", str(tmp_path))
        refused(mfhera(*new, "--datastore-root", f"{root}/other"), "is not in the datastore")
        refused(mfhera("retry", run, "--with-new-code"), "needs the code")
        refused(mfhera("retry", run, "mended_flow.py"), "need --with-new-code")
        assert mfhera.stored() == before

    def test_no_more_attempts_than_metaflow_allows(self, mfhera: Mfhera) -> None:
        mfhera.take("mended_flow.py")
        mfhera.ok(
            "create",
            "mended_flow.py",
            "--name",
            "retried-often",
            "--with",
            "retry:times=4,minutes_between_retries=0",
        )
        done = mfhera("trigger", "--wait", "--json", "--param", f"place={mfhera.folder}")
        run = json.loads(done.stdout)["run_id"]
        assert mfhera("retry", run, "--wait").returncode == 1  # the sixth attempt, and no other
        refused(mfhera("retry", run), "Task work/work-1 has had 6 attempts", f"mfhera resubmit {run}")


def test_a_deployment_belongs_to_one_flow(mfhera: Mfhera) -> None:
    mfhera.take("mended_flow.py")
    mfhera.ok("create", "mended_flow.py", "--name", "mended-flow-s")
    script = mfhera.folder / "other_flow.py"
    script.write_text((mfhera.folder / "mended_flow.py").read_text().replace("MendedFlow", "Mended_Flow"))
    other, named = str(script), ("--name", "mended-flow-s")
    whose = "mended-flow-s belongs to MendedFlow, not to Mended_Flow"
    before = mfhera.stored()
    for command in (
        ("create", other, *named),
        ("trigger", other, *named, "--param", "place=x"),
        ("delete", other, *named),
    ):
        refused(mfhera(*command), whose, "--name")
    assert mfhera.stored() == before


@pytest.mark.same_machine
def test_resubmit(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "resubmitted")
    mend(mfhera)
    output = mfhera.ok("resubmit", run, "--watch", "--run-id-file", "id")
    new = (mfhera.folder / "id").read_text()
    assert new != run
    assert f"Started MendedFlow/{new}" in output
    assert mfhera.read(f"MendedFlow/{new}")["collect"]["attempts"] == "[0, 0, 0]"
    third = mfhera.json("resubmit", run, "--wait", "--json")
    assert third["state"] == "Succeeded"
    assert third["run_id"] not in (run, new)
    # Its place was a parameter of the first.
    assert mfhera.read(third["pathspec"])["start"]["place"] == repr(str(mfhera.folder))
    refused(mfhera("resubmit", run, "--run-id-file", "absent/id"), "absent/id cannot be written")


@pytest.mark.embedded_only("can be stopped and started")
def test_whoever_follows_is_told_that_the_server_is_away(own_mfhera: Mfhera) -> None:
    mfhera = own_mfhera
    run = waiting_run(mfhera, "away")
    verbs = [("logs", run, "--follow"), ("status", run, "--watch"), ("resubmit", run, "--wait")]
    shown = [mfhera.folder / f"shown-{words[0]}" for words in verbs]
    following = []
    for words, path in zip(verbs, shown, strict=True):
        with path.open("w") as stdout:
            following.append(
                subprocess.Popen(
                    [sys.executable, "-m", "metaflow_hera.cli.main", *words],
                    cwd=mfhera.folder,
                    env={**mfhera.env, "PYTHONUNBUFFERED": "1"},
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
    errors = [each.stderr for each in following if each.stderr is not None]
    mfhera.wait_until(lambda: len(mfhera.phases("away")) == 2)
    mfhera.wait_until(lambda: all(path.read_text() for path in shown))  # each has begun to follow
    mfhera.stop()
    for each in errors:
        said = next(line for line in each if not line.startswith("Using "))
        assert "cannot be reached at the moment: waiting for it (mfhera local start" in said
    open_gate(mfhera)
    mfhera.ok("local", "start")
    for process in following:
        assert process.communicate(timeout=SECONDS) == (None, "")
        assert process.returncode == 0


def test_without_a_run_the_last_one_from_this_folder_is_meant(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "unnamed")
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "another")  # which does not count: nothing was started
    assert mfhera.json("status", "--json")["run_id"] == run
    said = mfhera.ok("retry")
    assert run in said
    assert "run again" not in said
    ended(mfhera, run)
    said = mfhera.ok("retry", "--with-new-code", "mended_flow.py")
    assert run in said
    assert "\nAll tasks of work run again: new code may change their results.\n" in said
    ended(mfhera, run)
    before = {run}
    for verb in ("resume", "terminate"):  # each of a run that is held, and cannot end by itself meanwhile
        again = mfhera.json("resubmit", "--json")["run_id"]
        assert again not in before
        before.add(again)
        assert again in mfhera.ok("suspend")
        assert again in mfhera.ok(verb)
        time.sleep(1)  # which run is the newest is told by Kubernetes' times, which are in seconds
    # Nor does what was started elsewhere: it may be looked at, and nothing else.
    elsewhere = mfhera.at(mfhera.folder / "elsewhere")
    refused(elsewhere("status"), "Nothing has been deployed from this folder")
    elsewhere.take("mended_flow.py")
    elsewhere.ok("create", "mended_flow.py", "--name", "unnamed")
    assert elsewhere.json("status", "--json")["run_id"] == again
    refused(elsewhere("stop"), "No run was started from this folder")


@pytest.mark.parametrize("verb", ["stop", "terminate"])
@pytest.mark.same_machine
def test_stop_runs_the_exit_hooks_and_terminate_does_not(mfhera: Mfhera, verb: str) -> None:
    run = waiting_run(mfhera, f"ended-by-{verb}")
    assert mfhera.json(verb, run, "--json")["run_id"] == run
    assert ended(mfhera, run)["state"] == "Failed"
    nodes = mfhera.ask("workflows", run.removeprefix("argo-"))["status"]["nodes"]
    assert any(".onExit" in node["name"] for node in nodes.values()) == (verb == "stop")


@pytest.mark.same_machine
def test_suspend_and_resume(mfhera: Mfhera) -> None:
    run = waiting_run(mfhera, "suspended")
    shown = mfhera.json("suspend", run, "--json")
    assert shown["suspended"] is True
    assert shown == mfhera.json("status", run, "--json")  # one record, whichever verb shows it
    assert "T" in shown["started_at"]
    assert "is already suspended" in mfhera.ok("suspend", run)
    assert "Running, suspended" in mfhera.ok("status", run)
    assert "Running, suspended" in mfhera.ok("runs", "--name", "suspended")
    open_gate(mfhera)
    mfhera.wait_until(lambda: step_of(mfhera.json("status", run, "--json"), "start")["state"] == "Succeeded")
    assert step_of(mfhera.json("status", run, "--json"), "end")["state"] == "Waiting"
    assert mfhera.json("resume", run, "--json")["suspended"] is False
    assert ended(mfhera, run)["state"] == "Succeeded"
    refused(mfhera("resume", run), "has ended as Succeeded")


def test_runs_of_all_deployments_by_time_and_state(own_mfhera: Mfhera) -> None:
    mfhera = own_mfhera
    failed = failed_run(mfhera, "one")
    mfhera.take("linear_flow.py")
    mfhera.ok("create", "linear_flow.py", "--name", "two")
    good = mfhera.run()["run_id"]

    def found(*options: str) -> list[str]:
        return [run["run_id"] for run in mfhera.json("runs", "--json", *options)]

    assert found() == found("--name", "two") == [good]
    assert found("--all") == [good, failed]
    assert found("--all", "--limit", "1") == [good]
    assert found("--all", "--state", "FAILED, error") == [failed]
    assert found("--all", "--state", "running") == []
    assert found("--all", "--since", "1h") == found("--all", "--since", "2020-01-01") == [good, failed]
    assert found("--all", "--since", "0s") == found("--all", "--since", "2999-12-31T23:59") == []
    table = mfhera.ok("runs", "--all").splitlines()
    assert table[0].split() == ["RUN", "DEPLOYMENT", "VERSION", "STATE", "STARTED", "TOOK"]
    assert table[1].split()[:4] == [good, "two", "1", "Succeeded"]
    assert "has no such runs" in mfhera.ok("runs", "--since", "0s")
    for since in ("yesterday", "1.5h", "-2h", "", "99999999999w", "2026-13-01"):
        refused(mfhera("runs", "--since", since), "is not a time", "2h")
    for state in ("good", "failed,odd", ",", ""):
        refused(mfhera("runs", "--state", state), "choose from pending, running, succeeded, failed, error")
    refused(mfhera("runs", "--limit", "0"), "--limit 0")
    refused(mfhera("runs", "--name", "nosuch"), "There is no deployment nosuch", "mfhera list")
    mfhera.ok("delete", "--name", "two")
    assert found("--name", "two") == [good]
    refused(mfhera("runs", "linear_flow.py", "--all"), "--all lists the runs of all deployments")


@pytest.mark.same_machine
def test_delete_a_run(mfhera: Mfhera, other: Mapping[str, str]) -> None:
    run = waiting_run(mfhera, "deleted-run")
    open_gate(mfhera)
    ended(mfhera, run)
    refused(mfhera("delete", "--run", run, env=other), "was deployed by tester")
    refused(mfhera("delete", "--run", run, "--name", "deleted-run"), "--run removes a run, not a deployment")
    assert mfhera.json("delete", "--run", run, "--json")["run_id"] == run
    assert mfhera.phases("deleted-run") == {}
    assert mfhera.read(f"GuardedFlow/{run}")["end"]["successful"]
    refused(mfhera("delete", "--run", run), f"has no run {run}")
    assert mfhera.json("delete", "--name", "deleted-run", "--json")["name"] == "deleted-run"
    refused(mfhera("delete", "--name", "deleted-run"), "There is no deployment deleted-run")


def test_status(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "looked-at")
    text = mfhera.ok("status")
    assert text == mfhera.ok("status", run) == mfhera.ok("status", f"MendedFlow/{run}")
    assert "work Failed 2/3, 1 failed" in text
    assert "work-1 failed: " in text
    assert "not mended yet" in text
    assert "collect Not started" in text
    for verb in ("status", "logs"):
        refused(mfhera(verb, f"OtherFlow/{run}"), f"{run} is a run of MendedFlow, not of OtherFlow")
        refused(mfhera(verb, "MendedFlow/nosuch"), "'MendedFlow/nosuch' is no", "argo-")
    about = mfhera.json("status", "--json")
    assert (about["deployment"], about["owner"], about["suspended"]) == ("looked-at", "tester", False)
    (failure,) = step_of(about, "work")["failures"]
    assert (failure["path"], failure["attempts"]) == ("-1", 1)
    refused(mfhera("status", ABSENT), f"has no run {ABSENT}")


@pytest.mark.same_machine
def test_the_same_verbs_hang_on_a_flow(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "mendedflow")

    def hera(*arguments: str, flow: str = "mended_flow.py") -> str:
        done = mfhera.python(flow, "--quiet", "hera", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    script = mfhera.folder / "mended_flow.py"
    script.write_text(script.read_text().replace('raise RuntimeError("not mended yet")', "pass"))
    assert json.loads(hera("retry", run, "--with-new-code", "--wait", "--json"))["state"] == "Succeeded"
    assert "all [1, 1, 1]" in hera("logs", run, "end")
    mend(mfhera)
    assert json.loads(hera("resubmit", run, "--wait", "--json"))["state"] == "Succeeded"
    waiting = waiting_run(mfhera, "guardedflow")
    assert json.loads(hera("stop", waiting, "--json", flow="guarded_flow.py"))["run_id"] == waiting
    mfhera.take("linear_flow.py")
    done = mfhera.python("linear_flow.py", "--quiet", "hera", "retry", run)
    assert done.returncode == 2
    assert "is a run of MendedFlow, not of LinearFlow" in message(done)


def test_on_a_flow_a_verb_without_a_run_means_the_last_one_of_that_flow(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "mendedflow")
    waiting = waiting_run(mfhera, "guardedflow")  # the last one from this folder

    def hera(flow: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return mfhera.python(flow, "--quiet", "hera", *arguments)

    assert json.loads(hera("mended_flow.py", "status", "--json").stdout)["run_id"] == run
    assert json.loads(hera("guarded_flow.py", "terminate", "--json").stdout)["run_id"] == waiting
    mfhera.take("names_flow.py")
    never = hera("names_flow.py", "--name", "never-deployed", "logs")
    assert "There is no deployment never-deployed" in message(never)


@pytest.mark.same_machine
def test_the_same_in_python(mfhera: Mfhera) -> None:
    run = failed_run(mfhera, "in-python")
    mend(mfhera)
    waiting = waiting_run(mfhera, "stopped-in-python")
    code = f"""
from metaflow_hera.interface.runs import Run
Run({waiting!r}).stop()
run = Run({run!r})
run.retry()
run.wait()
print([line.text for line in run.logs("end") if "all" in line.text][-1])
new = run.resubmit()
new.wait()
print(new.status, new.id != run.id)
"""
    done = mfhera.python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["all [0, 1, 0]", "Succeeded True"]
