from metaflow import FlowSpec, current, schedule, step


@schedule(hourly=True, timezone="Europe/Berlin")
class ScheduledFlow(FlowSpec):
    @step
    def start(self):
        time = current.get("scheduled_time")
        self.scheduled = time.isoformat() if time else None
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ScheduledFlow()
