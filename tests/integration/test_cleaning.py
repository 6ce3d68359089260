"""`mfhera local clean` and `local status`."""

from __future__ import annotations

from pathlib import Path

from harness import Mfhera, refused


def test_ended_runs_go_and_results_stay(own_mfhera: Mfhera) -> None:
    own_mfhera.take("linear_flow.py")
    own_mfhera.ok("create", "linear_flow.py")
    run = own_mfhera.run()
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    parts = own_mfhera.json("local", "status", "--json")["parts"]
    assert parts["database"]["bytes"] > 0
    assert Path(parts["logs"]["path"]) == home / "pods"
    assert own_mfhera.json("local", "clean", "--yes", "--older-than", "1", "--json")["runs"] == 0
    (home / "cache" / "packed-other").write_text("")
    assert own_mfhera.json("local", "clean", "--yes", "--json")["runs"] == 1
    assert own_mfhera.json("runs", "--json") == []
    assert list((home / "pods").iterdir()) == []
    assert list((home / "cache").iterdir()) == []
    assert own_mfhera.read(run["pathspec"])
    assert own_mfhera.run()["state"] == "Succeeded"  # the deployment is still there


def test_a_clean_home_is_as_new(own_mfhera: Mfhera) -> None:
    own_mfhera.take("linear_flow.py")
    own_mfhera.ok("create", "linear_flow.py")
    own_mfhera.run()
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    (home / ".deployments.json-x7k2p").touch()  # of a command that was killed while it wrote
    own_mfhera.ok("local", "clean", "--all", "--yes")
    assert [path.name for path in home.iterdir()] == ["server.lock"]
    own_mfhera.ok("local", "start")
    assert own_mfhera.json("list", "--json") == []


def test_nothing_is_taken_away_unasked(own_mfhera: Mfhera) -> None:
    refused(own_mfhera("local", "clean"), "--yes")  # nobody is there to answer
    assert own_mfhera("local", "status").returncode == 1  # nor was it started for that
    for days in ("nan", "inf"):
        refused(own_mfhera("local", "clean", "--older-than", days, "--yes"), f"--older-than {days}")
    own_mfhera.ok("local", "start")
    refused(own_mfhera("local", "clean", "--all", "--older-than", "2", "--yes"), "--older-than")
