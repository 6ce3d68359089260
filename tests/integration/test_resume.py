"""Production runs that are gone on with on one's own machine, by Metaflow's `resume`."""

from __future__ import annotations

import json

from harness import Mfhera


def test_a_failed_run_after_a_change(mfhera: Mfhera) -> None:
    mfhera.take("failing_flow.py")
    mfhera.ok("create", "failing_flow.py")
    run = failed_run(mfhera)
    script = mfhera.folder / "failing_flow.py"
    script.write_text(script.read_text().replace('if not getattr(self, "unknown", None):', "if False:"))
    resumed = resume(mfhera, "failing_flow.py", "--origin-run-id", run)
    assert sorted(mfhera.read(resumed)) == ["broken", "end", "start"]


def test_a_foreach_with_configs_of_the_deployment(mfhera: Mfhera) -> None:
    mfhera.take("config_flow.py", "config_flow.json", "config_flow.txt")
    settings = {"project": "resumed", "parameters": {"added": 3}, "odd": "kept"}
    mfhera.ok("create", "config_flow.py", "--config-value", "settings", json.dumps(settings))
    run = mfhera.run()["run_id"]
    tasks = mfhera.read(resume(mfhera, "config_flow.py", "join", "--origin-run-id", run))
    assert tasks["join"]["all"] == repr([(each, "kept", "1", "from a file") for each in (1, 2)])
    assert tasks["end"]["project"] == "'resumed'"


def test_a_switch_and_a_loop(mfhera: Mfhera) -> None:
    mfhera.take("switch_flow.py", "loop_flow.py")
    for flow in ("switch_flow.py", "loop_flow.py"):
        mfhera.ok("create", flow)
        run = mfhera.run()
        before = mfhera.read(run["pathspec"])
        after = mfhera.read(resume(mfhera, flow, "end", "--origin-run-id", run["run_id"]))
        assert sorted(after) == sorted(before)


def failed_run(mfhera: Mfhera) -> str:
    done = mfhera("trigger", "--wait", "--json")
    assert done.returncode == 1
    return str(json.loads(done.stdout)["run_id"])


def resume(mfhera: Mfhera, flow: str, *arguments: str) -> str:
    """Resume a run and return the pathspec of the new one."""
    done = mfhera.python(flow, "resume", *arguments, "--run-id-file", "resumed")
    assert done.returncode == 0, done.stdout + done.stderr
    return f"{flow.removesuffix('.py').title().replace('_', '')}/{(mfhera.folder / 'resumed').read_text()}"
