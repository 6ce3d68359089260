"""Batch inference over many small files: a task for each file, several tasks in each pod."""

import csv
import io
from statistics import NormalDist

from metaflow import FlowSpec, Parameter, retry, step

KINDS = {"daisy": NormalDist(2.1, 0.3), "iris": NormalDist(5.2, 0.8), "lily": NormalDist(9.8, 1.4)}


class InferenceFlow(FlowSpec):
    """
    Each file holds the widths of the flowers in one garden (cm). A task for each file tells which flowers
    they are; one that fails is tried again alone. A pod for each file would take longer to start than to
    work: with `--splits-per-pod`, one pod does several, one after the other.
    """

    gardens = Parameter("gardens", help="How many files there are", default=30)

    @step
    def start(self):
        """Train a small model, and make the files: yours may be the keys of a bucket."""
        self.model = {
            kind: NormalDist.from_samples(widths.samples(100, seed=1)) for kind, widths in KINDS.items()
        }
        self.files = {f"garden-{number:03}.csv": made(number) for number in range(self.gardens)}
        self.names = sorted(self.files)
        self.next(self.classify, foreach="names")

    @retry(times=2, minutes_between_retries=0)
    @step
    def classify(self):
        self.file = self.input
        widths = [float(row["width"]) for row in csv.DictReader(io.StringIO(self.files[self.file]))]
        self.found = [max(self.model, key=lambda kind: self.model[kind].pdf(width)) for width in widths]
        print(f"{self.file}: {len(self.found)} flowers")
        self.next(self.count)

    @step
    def count(self, inputs):
        self.found = {task.file: task.found for task in inputs}
        flowers = [flower for found in self.found.values() for flower in found]
        self.counts = {kind: flowers.count(kind) for kind in KINDS}
        self.next(self.end)

    @step
    def end(self):
        print(f"{sum(self.counts.values())} flowers in {len(self.found)} files: {self.counts}")


def made(number):
    """A file of the garden with this number."""
    widths = [width for kind in KINDS.values() for width in kind.samples(5, seed=number)]
    return "\n".join(["width", *(f"{width:.2f}" for width in widths)])


if __name__ == "__main__":
    InferenceFlow()
