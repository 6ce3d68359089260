"""Looks each hour whether the data is still what the model was trained on, and says so by an event."""

import random
from statistics import mean

from metaflow import FlowSpec, Parameter, schedule, step
from metaflow.integrations import ArgoEvent


@schedule(hourly=True)
class WatchFlow(FlowSpec):
    """
    Compares the last hour of each sensor with what is normal, and publishes the event `sensor.drifted`.
    In a plain `run` nothing is published.
    """

    limit = Parameter("limit", help="How far (°C) the mean may be off", default=2.0)

    @step
    def start(self):
        chance = random.Random(1)
        self.normal = {"kitchen": 21.0, "cellar": 12.0, "attic": 24.0}
        self.seen = {
            sensor: mean(chance.gauss(usual + (5 if sensor == "attic" else 0), 1) for _ in range(60))
            for sensor, usual in self.normal.items()
        }
        self.next(self.end)

    @step
    def end(self):
        self.drifted = [
            sensor for sensor, usual in self.normal.items() if abs(self.seen[sensor] - usual) > self.limit
        ]
        for sensor in self.drifted:
            print(f"{sensor}: {self.seen[sensor]:.1f} °C instead of {self.normal[sensor]}")
            event = ArgoEvent("sensor.drifted").add_to_payload("sensor", sensor)
            event.add_to_payload("mean", self.seen[sensor]).safe_publish()


if __name__ == "__main__":
    WatchFlow()
