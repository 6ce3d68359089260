from metaflow import FlowSpec, catch, current, retry, step


class RetryFlow(FlowSpec):
    """With `--with retry`: one step as that says, one that opts out, one with its own number, one caught."""

    @step
    def start(self):
        self.next(self.once)

    @retry(times=0)
    @step
    def once(self):
        self.next(self.often)

    @retry(times=4, minutes_between_retries=1)
    @step
    def often(self):
        self.next(self.caught)

    @catch(var="problem")
    @retry(times=1, minutes_between_retries=0)
    @step
    def caught(self):
        self.next(self.end)

    @step
    def end(self):
        self.count = current.retry_count


if __name__ == "__main__":
    RetryFlow()
