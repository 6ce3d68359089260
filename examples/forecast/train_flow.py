"""A model of a @project: it is trained on a branch, and promoted if it is better than the one before."""

from statistics import linear_regression, mean

from metaflow import Flow, FlowSpec, Parameter, Run, current, project, step

SEATS = [(12, 31), (15, 38), (19, 52), (22, 58), (26, 71), (29, 77), (31, 85), (33, 88)]
"""Temperature (°C) at noon and seats taken on the terrace."""


@project(name="terrace")
class TrainFlow(FlowSpec):
    """
    How many seats will be taken? A tag tells which run's model is in use. Each branch of the project,
    and production, promotes its own: what is tried on a branch does not touch the others.
    """

    days = Parameter("days", help="Learn from the last days only", default=len(SEATS))

    @step
    def start(self):
        learned = SEATS[-self.days :]
        slope, intercept = linear_regression(*zip(*learned))
        self.model = {"slope": slope, "intercept": intercept}
        self.error = mean(abs(slope * warmth + intercept - seats) for warmth, seats in SEATS)
        self.next(self.compare)

    @step
    def compare(self):
        branch = f"project_branch:{current.branch_name}"
        self.before = [run.data.error for run in Flow(current.flow_name).runs("promoted", branch)][:1]
        self.verdict = "worse" if self.before and self.before[0] <= self.error else "better"
        print(f"{self.verdict}: {self.error:.2f} seats wrong, {self.before} before")
        self.next({"better": self.promote, "worse": self.end}, condition="verdict")

    @step
    def promote(self):
        Run(f"{current.flow_name}/{current.run_id}").add_tag("promoted")
        self.next(self.end)

    @step
    def end(self):
        print(f"{current.branch_name} is done")


if __name__ == "__main__":
    TrainFlow()
