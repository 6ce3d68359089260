"""The process that runs a task: its output, its end, its signals. Each test has a real parent and child."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from harness import SECONDS
from metaflow.mflog.mflog import parse

from metaflow_hera.metaflow_api.pod.reasons import leave_reason, make_room, reason_in
from metaflow_hera.runtime import logs

PARENT = """
import os, signal, subprocess, sys, time, threading
from pathlib import Path
from metaflow_hera.runtime.child import run_forked
from metaflow_hera.runtime.logs import TaskLogs

stored = Path("stored")
stored.mkdir()

def save(files):
    for stream, path in files.items():
        (stored / stream).write_bytes(path.read_bytes())

def work():
{work}

logs = TaskLogs(Path("logs"), save)
ended = run_forked(work, logs, lambda: {must_stop})
if ended.reason:
    logs.note(ended.reason)
logs.close()
sys.exit(ended.code)
"""


def parent(folder: Path, work: str, must_stop: str = "None") -> subprocess.Popen[str]:
    """Start a process that runs the work in a forked child."""
    script = folder / "parent.py"
    script.write_text(PARENT.format(work=textwrap.indent(textwrap.dedent(work), "    "), must_stop=must_stop))
    return subprocess.Popen(
        [sys.executable, script], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end_when_ready(process: subprocess.Popen[str], folder: Path) -> None:
    """Send SIGTERM once the work has made the file `ready`, and wait for the end."""
    try:
        until = time.monotonic() + SECONDS
        while not (folder / "ready").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    finally:
        process.kill()


def run(folder: Path, work: str, must_stop: str = "None") -> tuple[int, list[str], list[str]]:
    """The exit code, and the lines stored of stdout and stderr."""
    process = parent(folder, work, must_stop)
    try:
        process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, stored(folder, "stdout"), stored(folder, "stderr")


def stored(folder: Path, stream: str) -> list[str]:
    """The lines of a stream as Metaflow reads them."""
    found = []
    for line in (folder / "stored" / stream).read_bytes().splitlines():
        parsed = parse(line)
        assert parsed is not None, line
        assert parsed.logsource == b"task"
        age = datetime.now(timezone.utc) - parsed.utc_tstamp.replace(tzinfo=timezone.utc)
        assert -5 < age.total_seconds() < 120
        found.append(parsed.msg.decode())
    return found


def test_output_of_the_work_and_of_its_processes_is_stored(tmp_path: Path) -> None:
    code, out, err = run(
        tmp_path,
        """
        print("one")
        print("two", file=sys.stderr)
        subprocess.run(["sh", "-c", "echo three; echo four >&2"], check=True)
        os.write(1, "fünf\\nno line feed".encode())
        return 0
        """,
    )
    assert (code, out, err) == (0, ["one", "three", "fünf", "no line feed"], ["two", "four"])


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("return 0", 0),
        ("return 3", 3),
        ("raise ValueError('broken')", 1),
        ("os._exit(42)", 42),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 139),
        ("os.abort()", 134),
    ],
)
def test_the_code_is_the_childs(tmp_path: Path, end: str, code: int) -> None:
    found, out, err = run(tmp_path, f"print('before')\n{end}")
    assert found == code
    assert out == ["before"]
    if "broken" in end:
        assert err[-1] == "ValueError: broken"
    if code > 128:
        assert signal.Signals(code - 128).name in err[-1]
    assert ("out of memory" in "".join(err)) == ("SIGKILL" in end)


def test_a_child_that_must_stop_is_ended_and_what_it_wrote_is_kept(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "print('before')\ntime.sleep(600)", must_stop="'it is late'")
    assert (code, out, err) == (143, ["before"], ["it is late"])


def test_a_child_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path,
        """
        print("before")
        sys.stdout.flush()
        os.close(1)
        os.close(2)
        time.sleep(0.5)
        Path("went-on").touch()
        return 5
        """,
    )
    assert (code, out) == (5, ["before"])
    assert (tmp_path / "went-on").exists()


def test_a_process_left_behind_does_not_hold_up_the_end(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path,
        """
        left = subprocess.Popen(["sleep", "300"])
        Path("pid").write_text(str(left.pid))
        print("done")
        return 0
        """,
    )
    left = int((tmp_path / "pid").read_text())
    try:
        os.kill(left, 0)  # it lives on, and still the parent has ended
    finally:
        os.kill(left, signal.SIGKILL)
    assert (code, out) == (0, ["done"])


def test_much_output_arrives_whole(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path,
        """
        for number in range(50_000):
            print(number)
        sys.stdout.write("x" * 3_000_000)
        return 0
        """,
    )
    assert code == 0
    assert out[:50_000] == [str(number) for number in range(50_000)]
    assert sum(map(len, out[50_000:])) == 3_000_000  # a very long line is stored in pieces


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "os.write(1, b'good\\n')\nprint('\\udcff')\nreturn 0")
    assert (code, out) == (0, ["good", "\\udcff"])


def test_sigterm_is_passed_on_and_survived(tmp_path: Path) -> None:
    process = parent(
        tmp_path,
        """
        def ended(*_):
            print("told to end")
            os._exit(9)
        signal.signal(signal.SIGTERM, ended)
        Path("ready").touch()
        time.sleep(60)
        return 0
        """,
    )
    end_when_ready(process, tmp_path)
    assert process.returncode == 9
    assert stored(tmp_path, "stdout") == ["told to end"]


def test_sigterm_ends_a_child_that_does_not_care(tmp_path: Path) -> None:
    process = parent(
        tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_DFL)\nPath('ready').touch()\ntime.sleep(60)"
    )
    end_when_ready(process, tmp_path)
    assert process.returncode == 128 + signal.SIGTERM
    assert "SIGTERM" in stored(tmp_path, "stderr")[-1]


def test_what_is_done_at_exit_is_done_once_and_in_the_child(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path,
        """
        import atexit
        child = os.getpid()
        atexit.register(lambda: print("at exit", os.getpid() == child))
        threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
        return 0
        """,
    )
    assert (code, out) == (0, ["thread", "at exit True"])


def test_a_datastore_that_fails_does_not_fail_the_task(tmp_path: Path) -> None:
    text = PARENT.replace(
        "(stored / stream).write_bytes", "raise OSError('full')\n        (stored / stream).write_bytes"
    )
    script = tmp_path / "parent.py"
    script.write_text(text.format(work="    print('work')\n    return 0", must_stop="None"))
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0
    assert done.stdout == "work\n"
    assert "could not be stored: full" in done.stderr


def test_a_process_left_behind_that_writes_on_and_on_does_not_hold_up_the_end(tmp_path: Path) -> None:
    code, out, _ = run(
        tmp_path,
        """
        left = subprocess.Popen(["sh", "-c", "echo y; echo $$ >pid; exec yes " + "y" * 5000])
        while not Path("pid").exists() or not Path("pid").read_text():
            time.sleep(0.01)
        return 0
        """,
    )
    with contextlib.suppress(ProcessLookupError):  # it is ended by what it writes to nobody
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert code == 0
    assert {"y"} == set("".join(out))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
@pytest.mark.parametrize("full", ["the pod's own log", "the log for the datastore"])
def test_a_full_disk_loses_lines_after_a_while_and_never_the_task(tmp_path: Path, full: str) -> None:
    patience = "import metaflow_hera.runtime.logs as module\nmodule.PATIENCE = 0.1\n"
    if full == "the log for the datastore":
        patience += "Path('logs').mkdir()\nPath('logs/stdout').symlink_to('/dev/full')\n"
    text = PARENT.replace(
        "(stored / stream).write_bytes(path.read_bytes())", "pass"
    )  # it would read for ever
    script = tmp_path / "parent.py"
    text = text.replace("stored = Path", f"{patience}stored = Path", 1)
    script.write_text(text.format(work="    print('work')\n    return 3", must_stop="None"))
    output = "/dev/full" if full == "the pod's own log" else os.devnull
    with open(output, "w") as stdout:
        done = subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
    assert done.returncode == 3, done.stderr
    assert "The disk was full: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_a_full_disk_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each line: the pod's own log, which has room, says nothing about the other."""
    (tmp_path / "stdout").symlink_to("/dev/full")
    waits: list[float] = []
    sleep = time.sleep

    def short_sleep(seconds: float) -> None:
        waits.append(seconds)
        sleep(0.1)

    monkeypatch.setattr(logs, "PATIENCE", 0.2)
    monkeypatch.setattr(time, "sleep", short_sleep)
    open_before = len(os.listdir("/dev/fd"))
    task_logs = logs.TaskLogs(tmp_path, lambda _: None)
    for _ in range(20):
        task_logs.write("stdout", b"line\n")
    task_logs.close()
    assert 0 < len(waits) < 10
    assert len(os.listdir("/dev/fd")) == open_before


def test_a_reason_that_a_step_has_removed_is_none(tmp_path: Path) -> None:
    make_room(tmp_path / "reason")
    (tmp_path / "reason").unlink()
    assert reason_in(tmp_path / "reason") is None


def test_a_reason_has_its_place_before_the_disk_is_full(tmp_path: Path) -> None:
    """A task that fails since the disk is full says so."""
    place = tmp_path / "reason"
    make_room(place)
    assert reason_in(place) is None
    used = place.stat().st_blocks
    leave_reason(place, "OSError: [Errno 28] No space left on device")
    assert reason_in(place) == "OSError: [Errno 28] No space left on device"
    assert place.stat().st_blocks <= used
