"""Is started by the event that WatchFlow publishes, with what it holds as Parameters."""

from metaflow import FlowSpec, Parameter, current, step, trigger


@trigger(event={"name": "sensor.drifted", "parameters": {"sensor": "sensor", "mean": "mean"}})
class RetrainFlow(FlowSpec):
    """Trains the model of one sensor again."""

    sensor = Parameter("sensor", help="Which sensor has drifted", default="kitchen")
    mean = Parameter("mean", help="What it shows now (°C)", default=21.0)

    @step
    def start(self):
        trigger = current.get("trigger")
        self.why = trigger.event.name if trigger else "by hand"
        self.model = {"sensor": self.sensor, "usual": round(self.mean, 1)}
        self.next(self.end)

    @step
    def end(self):
        print(f"{self.sensor} is at {self.model['usual']} °C usually ({self.why})")


if __name__ == "__main__":
    RetrainFlow()
