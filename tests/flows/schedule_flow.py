from metaflow import FlowSpec, Parameter, schedule, step


@schedule(cron="0 10 ? * MON-FRI *", timezone="Europe/Helsinki")
class ScheduleFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.5)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ScheduleFlow()
