from metaflow import FlowSpec, current, retry, step


class RetriedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.flaky)

    @retry(times=2, minutes_between_retries=0)
    @step
    def flaky(self):
        self.attempts = current.retry_count
        if self.attempts == 0:
            raise RuntimeError("not at the first attempt")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RetriedFlow()
