"""Which tests share a worker: those of a file, since they share its servers and its warm processes."""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling

SPREAD = frozenset(
    {
        "tests/acceptance/test_docs.py",
        "tests/acceptance/test_examples.py",
        "tests/differential/test_random_flows.py",
        "tests/integration/test_decorators.py",
        "tests/integration/test_flows.py",
    }
)
"""Files of many long tests, which share nothing: any worker may take any of these."""


class ByFile(LoadGroupScheduling):
    """A worker takes a group that a mark names, or a file, or one of the tests that are spread."""

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        file = nodeid.partition("::")[0]
        return scope if scope != nodeid or file in SPREAD else file
