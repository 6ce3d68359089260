import json
import os
from pathlib import Path

from metaflow import (
    Config,
    FlowMutator,
    FlowSpec,
    Parameter,
    config_expr,
    current,
    environment,
    project,
    retry,
    step,
)


def lines(text):
    """A parser: `name = value` on each line."""
    return dict(line.split(" = ") for line in text.splitlines())


def deployer(context):
    return json.dumps({"by": context.user_name, "datastore": context.ds_type})


class Patient(FlowMutator):
    """Adds a Parameter and decorators that the Configs ask for."""

    def pre_mutate(self, mutable_flow):
        for name, default in mutable_flow.settings.parameters.items():
            mutable_flow.add_parameter(name, Parameter(name, default=default))

    def mutate(self, mutable_flow):
        for name, one in mutable_flow.steps:
            if name == "start":
                one.add_decorator(retry, deco_kwargs={"times": 1, "minutes_between_retries": 0})


@Patient
@project(name=config_expr("settings.project"))
class ConfigFlow(FlowSpec):
    """Configs of each kind, in each place."""

    settings = Config(
        "settings", default_value={"project": "configured", "parameters": {"added": 1}, "odd": "{{x}} $HOME"}
    )
    file = Config("file", default="config_flow.json")
    text = Config("text", default="config_flow.txt", parser=lines)
    made = Config("made", default_value=deployer)
    given = Parameter("given", default=config_expr("file.default"))

    @environment(vars={"FROM_CONFIG": config_expr("file.word"), "ODD": config_expr("settings.odd")})
    @step
    def start(self):
        self.variables = os.environ["FROM_CONFIG"], os.environ["ODD"]
        if current.retry_count == 0:
            raise ValueError("not yet")
        self.items = self.file["items"]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.seen = self.input, self.settings.odd, self.text.one, self.file.word
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [one.seen for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.project = current.project_name
        self.beside = Path("config_flow.json").exists()


if __name__ == "__main__":
    ConfigFlow()
