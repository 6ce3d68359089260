from metaflow import FlowSpec, Parameter, current, schedule, step


@schedule(cron="30 2 * * *", timezone="Europe/Berlin")
class DailyFlow(FlowSpec):
    day = Parameter("day", default="none")

    @step
    def start(self):
        time = current.get("scheduled_time")
        self.scheduled = time.isoformat() if time else None
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DailyFlow()
