"""metaflow-card-html: a card of an extension is made in the pod. `nox -s extensions` installs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Mfhera
from places import local

pytest.importorskip("metaflow_extensions.card_html", reason="needs metaflow-card-html: nox -s extensions")
FLOW = Path(__file__).parent / "flows" / "html_flow.py"


def cards(mfhera: Mfhera, run: str) -> list[str]:
    """The cards of the run's steps, as Metaflow's own command shows them."""
    shown = [mfhera.python("html_flow.py", "card", "get", f"{run}/{step}") for step in ("start", "end")]
    assert all(done.returncode == 0 for done in shown), shown
    return [done.stdout for done in shown]


def test_cards_are_what_they_are_in_metaflow(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take(FLOW)
        mfhera.ok("create", "html_flow.py")
        ours = cards(mfhera, mfhera.run()["run_id"])
        done = mfhera.python("html_flow.py", "run", "--run-id-file", "id")
        assert done.returncode == 0, done.stderr
        assert ours == cards(mfhera, (mfhera.folder / "id").read_text())
        assert "from the artifact" in ours[0]
        assert "<p>another</p>" in ours[1]
