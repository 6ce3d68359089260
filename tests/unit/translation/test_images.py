"""The image of a pod: of @kubernetes or Metaflow's configuration, as Metaflow's own plugin takes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from exporting import at, containers, objects

FLOW = """
from metaflow import FlowSpec, kubernetes, resources, step


class ImagesFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.sized)

    @resources(cpu=2)
    @step
    def sized(self):
        self.next(self.own)

    @kubernetes(image="own/image:1")
    @step
    def own(self):
        self.next(self.elsewhere)

    @kubernetes(image="else.example:5000/image@sha256:45b23dee0")
    @step
    def elsewhere(self):
        self.next(self.end)

    @kubernetes(cpu=3)
    @step
    def end(self):
        pass


if __name__ == "__main__":
    ImagesFlow()
"""
OWN, ELSEWHERE = "own/image:1", "else.example:5000/image@sha256:45b23dee0"
PYTHON = "python:{}.{}".format(*sys.version_info[:2])
CASES: list[tuple[dict[str, str], str, str]] = [
    # variables without METAFLOW_, then the images where the step names none and where it names its own
    ({}, PYTHON, OWN),
    ({"KUBERNETES_CONTAINER_IMAGE": "team/base:2"}, "team/base:2", OWN),
    (
        {"DEFAULT_CONTAINER_IMAGE": "all/base:3", "KUBERNETES_CONTAINER_IMAGE": "team/base:2"},
        "team/base:2",
        OWN,
    ),
    ({"DEFAULT_CONTAINER_REGISTRY": "reg.example:80"}, f"reg.example:80/{PYTHON}", f"reg.example:80/{OWN}"),
    (
        {"DEFAULT_CONTAINER_REGISTRY": "other.example", "KUBERNETES_CONTAINER_REGISTRY": "reg.example/"},
        f"reg.example/{PYTHON}",
        f"reg.example/{OWN}",
    ),
    (
        {"DEFAULT_CONTAINER_IMAGE": "has.example/base", "DEFAULT_CONTAINER_REGISTRY": "reg.example"},
        "has.example/base",
        f"reg.example/{OWN}",
    ),
]
METAFLOWS = """
import json
from metaflow.plugins.kubernetes.kubernetes_decorator import KubernetesDecorator

found = []
for image in (None, "own/image:1", "else.example:5000/image@sha256:45b23dee0"):
    decorator = KubernetesDecorator({"image": image})
    decorator.external_init()
    found.append(decorator.attributes["image"])
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    ("variables", "usual", "own"), CASES, ids=[", ".join(case[0]) or "nothing" for case in CASES]
)
def test_the_image_is_the_one_of_metaflows_plugin(
    variables: dict[str, str], usual: str, own: str, tmp_path: Path
) -> None:
    mfhera = at(tmp_path)
    mfhera.env.update({f"METAFLOW_{name}": value for name, value in variables.items()})
    (tmp_path / "images_flow.py").write_text(FLOW)
    (made, *_) = objects(mfhera.ok("create", "images_flow.py", "--only-json"))
    images = {each["container"]["image"] for each in containers(made).values()}
    assert images == {usual, own, ELSEWHERE}
    metaflows = mfhera.python("-c", METAFLOWS).stdout
    assert json.loads(metaflows) == [usual, own, ELSEWHERE]


def test_the_configuration_file_names_it_too(tmp_path: Path) -> None:
    mfhera = at(tmp_path)
    home = Path(mfhera.env["METAFLOW_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.json").write_text(json.dumps({"METAFLOW_KUBERNETES_CONTAINER_IMAGE": "team/base:2"}))
    (tmp_path / "images_flow.py").write_text(FLOW)
    (made, *_) = objects(mfhera.ok("create", "images_flow.py", "--only-json"))
    assert {each["container"]["image"] for each in containers(made).values()} == {
        "team/base:2",
        OWN,
        ELSEWHERE,
    }
