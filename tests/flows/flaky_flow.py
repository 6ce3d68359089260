from metaflow import FlowSpec, current, retry, step


class FlakyFlow(FlowSpec):
    @step
    def start(self):
        print("attempt", current.retry_count)
        if current.retry_count < 2:
            raise ValueError("not yet")
        self.count = current.retry_count
        self.next(self.end)

    @retry(times=0)
    @step
    def end(self):
        pass


if __name__ == "__main__":
    FlakyFlow()
