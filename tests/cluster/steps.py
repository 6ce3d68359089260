"""The commands of docs/cluster.md, from the namespace to the first run, as one script for a cluster of kind.

`python tests/cluster/steps.py VERSION` writes it, for a version of Argo. Only what the document leaves to its
reader is filled in.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "cluster.md"
BUCKET = "metaflow"
IMAGE = "metaflow-task:of-tests"
CLUSTER = "mfhera"


def steps(version: str) -> str:
    """The script, for a version of Argo such as 4.1.2."""
    text = DOCUMENT.read_text(encoding="utf-8")
    numbered = text.partition("\n## 1. ")[2].partition("\n## Keep ")[0]
    script = "\n".join(re.findall(r"```bash\n(.*?)```", numbered, re.S))
    for there, here in {
        r"/v\d+\.\d+\.\d+/": f"/v{version}/",
        r"\bBUCKET\b": BUCKET,
        r"export AWS_ACCESS_KEY_ID=\.\.\. AWS_SECRET_ACCESS_KEY=\.\.\.\n": "",  # they are set
        r"docker push ": f"kind load docker-image --name {CLUSTER} ",
        r"REGISTRY/metaflow-task": IMAGE,
    }.items():
        script, count = re.subn(there, here, script)
        assert count, f"{DOCUMENT.name} has no {there} any more"
    return script


if __name__ == "__main__":
    print(steps(sys.argv[1]))
