from metaflow import FlowSpec, Parameter, current, schedule, step


@schedule(cron="0 6 * * *", timezone="Europe/Berlin")
class DailyFlow(FlowSpec):
    """One step, which notes for which day it was run."""

    day = Parameter("day", default="none")

    @step
    def only(self):
        self.scheduled = current.scheduled_time.isoformat()
        self.given = self.day


if __name__ == "__main__":
    DailyFlow()
