from metaflow import FlowSpec, Parameter, current, schedule, step


@schedule(cron="0 2 * * ? *", timezone="Europe/Berlin")
class LoadFlow(FlowSpec):
    """Loads the sales of a night, every night at two o'clock in Berlin."""

    shops = Parameter("shops", help="How many shops report", type=int, default=3)

    @step
    def start(self):
        # None if the run was started by hand.
        self.scheduled = current.get("scheduled_time")
        self.sales = {f"shop {number}": 100 * number for number in range(1, self.shops + 1)}
        self.next(self.end)

    @step
    def end(self):
        print("%d shops sold for %d" % (len(self.sales), sum(self.sales.values())))


if __name__ == "__main__":
    LoadFlow()
