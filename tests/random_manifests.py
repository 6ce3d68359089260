"""Workflows made at random from Hera's models: most can be run, many hold something odd, some are spoilt."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from hera.workflows import models

JSON = dict[str, Any]

WORDS = (
    "a",
    "x y",
    "0",
    "1",
    "-7",
    "true",
    "null",
    "",
    "[1,2]",
    '["q\\"q", null, {"k": "<&>"}]',
    "{}",
    "é€\u2028",
)
ANYWHERE = (
    "{{inputs.parameters.p}}",
    "{{inputs.parameters}}",
    "{{workflow.parameters.w}}",
    "{{workflow.parameters}}",
    "{{workflow.name}}",
    "{{workflow.status}}",
    "{{workflow.creationTimestamp.s}}",
    "{{steps.name}}",
    "{{retries}}",
    "{{lastRetry.exitCode}}",
    "{{=asInt(inputs.parameters.p) + 1}}",
    "{{=workflow.name matches '(a+)+$'}}",
    "{{ {{inputs.parameters.p}} }}",
    "{{nobody knows}}",
    "{{",
    "}}",
)
EARLIER = (
    "outputs.parameters.o",
    "outputs.result",
    "status",
    "id",
    "exitCode",
    "outputs.parameters",
    "nothing",
)
ODD_TAGS = (
    "{{workflow.parameters.none}}",
    "{{item.k}}",
    "{{tasks.t0.status}}",
    "{{= 1 /}}",
    "{{=map([], {#})}}",
)
"""Tags of which Argo refuses most."""
CONDITIONS = (
    "true",
    "1 == 2",
    "'{{inputs.parameters.p}}' == '1'",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' =~ '(a+)+$'",
    "'x' =~ '(?<=y)x'",
    "{{inputs.parameters.p}} in (a, b)",
    "{{workflow.name}} > 1",
    "(((1 < 2)))",
    "0x" + "f" * 300 + " > 1",
    "9**9**9 > 1",
    "what is this",
    "'",
)
RULES = ("{0}", "{0}", "{0}.Failed", "{0} || {0}.Errored", "!{0}.Omitted", "{0}.Succeeded || {0}.Skipped")
ODD_RULES = ("t9", "t0.Never", "(t0", "let.x", "t0.AllFailed")
EXPRESSIONS = ("true", "asInt(retries) < 2", "lastRetry.status == 'Failed'", "{{inputs.parameters.p}} == 1")
DURATIONS = ("1", "0", "2s", "1h", "9" * 30 + "h", "-1", "soon", "{{inputs.parameters.p}}")
COUNTS = ("0", "1", "3", "-2", "9" * 25, "{{inputs.parameters.p}}", "many")
ODD = (
    None,
    {},
    [],
    "",
    "odd",
    0,
    -1,
    1.5,
    2**70,
    True,
    [None],
    [[]],
    {"x": None},
    "{{workflow.name}}",
    "\u0000",
)


class Manifests:
    """Makes manifests; the same number gives the same one."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)

    def workflow(self) -> JSON:
        """A workflow, as it is sent."""
        some = self._random
        templates: list[models.Template] = []
        for index in range(some.randint(1, 4)):
            templates.append(self._template(f"m{index}", [each.name or "" for each in templates]))
        spec = models.WorkflowSpec(
            entrypoint=templates[-1].name,
            templates=templates,
            arguments=models.Arguments(parameters=[models.Parameter(name="w", value=self._text())]),
            on_exit=self._maybe(0.2, lambda: some.choice(templates).name),
            parallelism=self._maybe(0.2, lambda: some.choice((0, 1, 2))),
            active_deadline_seconds=self._maybe(0.2, lambda: some.choice((0, 1, 3600))),
            retry_strategy=self._maybe(0.1, self._retries),
            template_defaults=self._maybe(
                0.1, lambda: models.Template(container=models.Container(image="d"))
            ),
        )
        made: JSON = json.loads(spec.model_dump_json(by_alias=True, exclude_none=True))
        if some.random() < 0.15:
            self._spoil(made)
        return {"metadata": {"generateName": "wf-"}, "spec": made}

    def _maybe(self, chance: float, make: Any) -> Any:
        return make() if self._random.random() < chance else None

    def _text(self, tags: tuple[str, ...] = ANYWHERE) -> str:
        some = self._random
        if some.random() < 0.02:
            return some.choice(ODD_TAGS)
        return "".join(some.choice(tags if some.random() < 0.4 else WORDS) for _ in range(some.randint(1, 2)))

    def _template(self, name: str, callable_: list[str]) -> models.Template:
        some = self._random
        kinds = ["container", "container", "script", "suspend"] + ["dag", "dag", "dag", "steps"] * bool(
            callable_
        )
        kind = some.choice(kinds)
        inputs = models.Inputs(
            parameters=[
                models.Parameter(
                    name="p", value=self._maybe(0.97, self._text), default=self._maybe(0.5, self._text)
                )
            ]
        )
        common: JSON = {
            "name": name,
            "inputs": inputs,
            "retry_strategy": self._maybe(0.25, self._retries),
            "parallelism": self._maybe(0.2, lambda: some.choice((0, 1, 2)))
            if kind in ("dag", "steps")
            else None,
        }
        if kind == "dag":
            dag = models.DAGTemplate(
                tasks=[self._task(f"t{i}", i, callable_) for i in range(some.randint(1, 4))],
                fail_fast=self._maybe(0.2, lambda: False),
                target=self._maybe(
                    0.1, lambda: some.choice(("t0", "t1 t0", "t9", "{{inputs.parameters.p}}"))
                ),
            )
            outputs = self._maybe(0.4, lambda: self._collected("tasks.t0"))
            return models.Template(dag=dag, outputs=outputs, **common)
        if kind == "steps":
            groups = [
                [self._step(i, j, callable_) for j in range(some.randint(1, 2))]
                for i in range(some.randint(1, 3))
            ]
            return models.Template(
                steps=groups, outputs=self._maybe(0.4, lambda: self._collected("steps.s0")), **common
            )
        if kind == "suspend":
            source = models.ValueFrom(
                supplied=models.SuppliedValueFrom(), default=self._maybe(0.5, self._text)
            )
            supplied = models.Outputs(parameters=[models.Parameter(name="o", value_from=source)])
            wait = models.SuspendTemplate(duration=self._maybe(0.5, lambda: some.choice(DURATIONS)))
            return models.Template(suspend=wait, outputs=self._maybe(0.5, lambda: supplied), **common)
        written = models.ValueFrom(path="/tmp/o", default=self._maybe(0.5, self._text))
        pod: JSON = {
            "outputs": models.Outputs(parameters=[models.Parameter(name="o", value_from=written)]),
            "active_deadline_seconds": self._maybe(0.2, lambda: some.choice(COUNTS[:2] + COUNTS[4:6])),
        }
        body: JSON = {"image": "i", "command": ["sh"], "env": [models.EnvVar(name="V", value=self._text())]}
        if kind == "script":
            return models.Template(script=models.ScriptTemplate(source=self._text(), **body), **pod, **common)
        return models.Template(container=models.Container(args=[self._text()], **body), **pod, **common)

    def _collected(self, source: str) -> models.Outputs:
        some = self._random
        value = models.ValueFrom(
            parameter=f"{{{{{source}.outputs.parameters.o}}}}", default=self._maybe(0.5, self._text)
        )
        if some.random() < 0.3:
            value = models.ValueFrom(
                expression=some.choice((f"{source}.outputs.result ?? 'x'", "1 + 1", "nothing"))
            )
        return models.Outputs(parameters=[models.Parameter(name="o", value_from=value)])

    def _retries(self) -> models.RetryStrategy:
        some = self._random
        backoff = models.Backoff(
            duration=self._maybe(0.8, lambda: some.choice(DURATIONS)),
            factor=self._maybe(0.5, lambda: some.choice(COUNTS)),
            max_duration=self._maybe(0.3, lambda: some.choice(DURATIONS)),
        )
        return models.RetryStrategy(
            limit=self._maybe(0.9, lambda: some.choice(COUNTS[:6])),
            retry_policy=self._maybe(0.4, lambda: some.choice(("Always", "OnError", "OnFailure"))),
            expression=self._maybe(0.3, lambda: some.choice(EXPRESSIONS)),
            backoff=self._maybe(0.3, lambda: backoff),
        )

    def _called(self, callable_: list[str], tags: tuple[str, ...]) -> JSON:
        some = self._random
        sequence = models.Sequence(
            count=self._maybe(0.8, lambda: some.choice(COUNTS[:4])), format=self._maybe(0.3, lambda: "%05d")
        )
        expansion: JSON = some.choice(
            (
                *({},) * 4,
                {"with_param": some.choice(("[1, 2]", '["q", null, {"k": "v"}]', "[]", "{}"))},
                {"with_param": self._text(tags)},
                {"with_items": [some.choice((1, "x", True, None, {"k": "v"}, [1])) for _ in range(3)]},
                {"with_sequence": sequence},
            )
        )
        if expansion:
            tags = (*tags, *("{{item}}",) * 9)
        return {
            "template": some.choice(callable_),
            "arguments": self._maybe(
                0.8, lambda: models.Arguments(parameters=[models.Parameter(name="p", value=self._text(tags))])
            ),
            "when": self._maybe(0.3, lambda: some.choice(CONDITIONS)),
            **expansion,
        }

    def _task(self, name: str, index: int, callable_: list[str]) -> models.DAGTask:
        some = self._random
        if not index or some.random() < 0.3:
            return models.DAGTask(name=name, **self._called(callable_, ANYWHERE))
        earlier = f"t{some.randrange(index)}"
        tags = ANYWHERE + tuple(f"{{{{tasks.{earlier}.{what}}}}}" for what in EARLIER) * 3
        rule = some.choice(RULES).format(earlier) if some.random() < 0.97 else some.choice(ODD_RULES)
        return models.DAGTask(name=name, depends=rule, **self._called(callable_, tags))

    def _step(self, group: int, place: int, callable_: list[str]) -> models.WorkflowStep:
        going_on = models.ContinueOn(failed=True)
        tags = ANYWHERE
        if group:
            tags += tuple(f"{{{{steps.s{group - 1}.{what}}}}}" for what in EARLIER) * 3
        name = f"s{group}{place or ''}"
        goes_on = self._maybe(0.2, lambda: going_on)
        return models.WorkflowStep(name=name, continue_on=goes_on, **self._called(callable_, tags))

    def _spoil(self, spec: JSON) -> None:
        """Put something odd in some place, or a field of Hera's that is seldom used."""
        some = self._random
        places: list[tuple[Any, Any]] = []
        stack: list[Any] = [spec]
        while stack:
            value = stack.pop()
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in inner:
                places.append((value, key))
                if isinstance(item, (dict, list)):
                    stack.append(item)
        holder, key = some.choice(places)
        if some.random() < 0.3 and isinstance(spec.get("templates"), list):
            field = some.choice(sorted(models.Template.model_fields))
            holder, key = some.choice(spec["templates"]), models.Template.model_fields[field].alias or field
        holder[key] = copy.deepcopy(some.choice(ODD))
