"""Which task a pod runs, from the environment that the manifest sets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from metaflow_hera.contract import environment
from metaflow_hera.contract.manifest import TAGS_PARAMETER, version_tag
from metaflow_hera.contract.ranges import members
from metaflow_hera.contract.values import decode
from metaflow_hera.errors import ParameterError
from metaflow_hera.graph.tasks import TaskKey, parse_path


@dataclass(frozen=True)
class PodTask:
    """The task of this pod.

    `argo_retries` is how often Argo has started the pod again; `tags` are those of the deployment and of the
    run, `namespace` is that of the deployment. `items` are those of a foreach if the pod runs a task for
    each of them: `key` is then the place of the foreach.
    """

    flow: str
    run_id: str
    key: TaskKey
    argo_retries: int
    tags: tuple[str, ...]
    namespace: str | None
    items: range | None = None

    @property
    def step(self) -> str:
        """The name of the task's step."""
        return self.key.step

    def iteration(self, number: int) -> PodTask:
        """The task of one iteration, where the step is a loop."""
        return replace(self, key=replace(self.key, iteration=number))

    def item(self, number: int) -> PodTask:
        """The task of one item, where the pod runs those of several."""
        return replace(self, key=replace(self.key, path=(*self.key.path, number)))

    @property
    def shares_pod(self) -> bool:
        """Whether other tasks run in the same pod: its attempts are not theirs."""
        return self.items is not None or self.key.iteration is not None

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> PodTask:
        """The task that the manifest's variables name."""
        return cls(
            flow=env[environment.FLOW_NAME],
            run_id=env[environment.RUN_ID],
            key=TaskKey(env[environment.STEP_NAME], parse_path(env.get(environment.PATH, ""))),
            argo_retries=int(env.get(environment.RETRIES, "0")),
            tags=tuple(dict.fromkeys(_all_tags(env))),
            namespace=env.get(environment.NAMESPACE),
            items=members(env[environment.RANGE]) if environment.RANGE in env else None,
        )


def _all_tags(env: Mapping[str, str]) -> Iterator[str]:
    yield from _tags(env, environment.TAGS)
    yield from _tags(env, environment.RUN_TAGS)
    if version := env.get(environment.VERSION):
        yield version_tag(version)


def _tags(env: Mapping[str, str], variable: str) -> list[str]:
    text = decode(env.get(variable, "")) or "[]"
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        # Someone typed them, in Argo's UI for example.
        raise ParameterError(f"The run's parameter {TAGS_PARAMETER} is {text!r}, not a JSON list of tags.")
    return tags
