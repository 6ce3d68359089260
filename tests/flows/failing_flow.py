from metaflow import FlowSpec, retry, step


class FailingFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.broken)

    @retry(times=0)
    @step
    def broken(self):
        print("about to fail")
        if not getattr(self, "unknown", None):
            raise ValueError("broken on purpose")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    FailingFlow()
