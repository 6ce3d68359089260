import os

from metaflow import FlowMutator, FlowSpec, StepMutator, current, environment, resources, retry, step


class Change(StepMutator):
    """Replaces a decorator of its step, if there is one."""

    def init(self, *args, **kwargs):
        self.name, self.values = args[0], kwargs

    def mutate(self, mutable_step):
        for name, _, _, attributes in mutable_step.decorator_specs:
            if name == self.name:
                mutable_step.add_decorator(
                    name, deco_kwargs={**attributes, **self.values}, duplicates=mutable_step.OVERRIDE
                )


class Bare(StepMutator):
    """Removes all decorators of its step."""

    def mutate(self, mutable_step):
        for name in {name for name, *_ in mutable_step.decorator_specs if name != "Bare"}:
            mutable_step.remove_decorator(name)


class Patient(StepMutator):
    """Retries where a pod may be evicted."""

    def mutate(self, mutable_step):
        if any(name == "kubernetes" for name, *_ in mutable_step.decorator_specs):
            mutable_step.add_decorator("retry", deco_kwargs={"times": 4})


class Thrifty(FlowMutator):
    """Replaces a decorator of a step, and removes those of another."""

    def mutate(self, mutable_flow):
        for name, each in mutable_flow.steps:
            if name == "by_flow":
                each.add_decorator("resources", deco_kwargs={"cpu": 7}, duplicates=each.OVERRIDE)
            if name == "stripped":
                for found in {found for found, *_ in each.decorator_specs}:
                    each.remove_decorator(found)


@Thrifty
class MutatedFlow(FlowSpec):
    @Change("resources", cpu=3)
    @resources(cpu=2, memory=5000)
    @step
    def start(self):
        self.next(self.env)

    @Change("environment", vars={"A": "mutated"})
    @environment(vars={"A": "own"})
    @step
    def env(self):
        self.variable = os.environ.get("A")
        self.next(self.again)

    @Change("retry", times=2, minutes_between_retries=0)
    @retry(times=1)
    @step
    def again(self):
        if current.retry_count < 2:
            raise ValueError("the first attempts fail")
        self.next(self.by_flow)

    @resources(cpu=5)
    @step
    def by_flow(self):
        self.next(self.stripped)

    @resources(cpu=5)
    @retry(times=3)
    @step
    def stripped(self):
        self.items = [1, 2]
        self.next(self.bare, foreach="items")

    @Bare
    @resources(cpu=5)
    @retry(times=3)
    @step
    def bare(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.late)

    @Change("kubernetes", memory=8192, cpu=2)
    @step
    def late(self):
        self.next(self.patient)

    @Patient
    @step
    def patient(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MutatedFlow()
