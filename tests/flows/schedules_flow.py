from metaflow import FlowSpec, schedule, step


@schedule(cron="0 6 * * ? *")
@schedule(hourly=True)
@schedule(cron="30 9 * * 1-5", timezone="Asia/Tokyo")
class SchedulesFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SchedulesFlow()
