"""Uses the model that TrainFlow has promoted on the same branch of the project."""

from metaflow import Flow, FlowSpec, Parameter, current, project, step, trigger_on_finish


@trigger_on_finish(flow="TrainFlow")
@project(name="terrace")
class ForecastFlow(FlowSpec):
    """A forecast for a day, made anew whenever TrainFlow has ended."""

    warmth = Parameter("warmth", help="Temperature (°C) at noon", default=24.0)

    @step
    def start(self):
        branch = f"project_branch:{current.branch_name}"
        promoted = next(iter(Flow("TrainFlow").runs("promoted", branch)))
        self.model, self.trained_by = promoted.data.model, promoted.id
        self.next(self.end)

    @step
    def end(self):
        self.seats = round(self.model["slope"] * self.warmth + self.model["intercept"])
        print(f"{self.seats} seats at {self.warmth} °C, by the model of run {self.trained_by}")


if __name__ == "__main__":
    ForecastFlow()
