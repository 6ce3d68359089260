"""What wrapped_flow.py imports: decorators and mutators as classes."""

from metaflow import FlowMutator, Parameter, StepMutator, UserStepDecorator


class Counted(UserStepDecorator):
    """A decorator as a class, with arguments."""

    def init(self, by=1):
        self.by = by

    def pre_step(self, step_name, flow, inputs=None):
        flow.count = getattr(flow, "count", 0) + self.by

    def post_step(self, step_name, flow, exception=None):
        flow.count += self.by
        return exception


class Patient(StepMutator):
    """Gives a step retries, and a variable of its name."""

    def mutate(self, mutable_step):
        mutable_step.add_decorator("retry", deco_kwargs={"times": 1, "minutes_between_retries": 0})
        mutable_step.add_decorator("environment", deco_kwargs={"vars": {"GIVEN": "by a mutator"}})


class Everywhere(FlowMutator):
    """Gives the flow a parameter, and a decorator to each step."""

    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("extra", Parameter("extra", default="from the mutator"))
        for _, each in mutable_flow.steps:
            each.add_decorator(Counted, deco_kwargs={"by": 10}, duplicates=each.IGNORE)

    def mutate(self, mutable_flow):
        for name, each in mutable_flow.steps:
            if name == "end":
                each.add_decorator("resources", deco_kwargs={"cpu": 2})
