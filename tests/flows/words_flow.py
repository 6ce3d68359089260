from metaflow import FlowSpec, Parameter, step


class WordsFlow(FlowSpec):
    """Parameters that are called like options of `hera trigger`."""

    watch = Parameter("watch", default="no")
    wait = Parameter("wait", type=int, default=1)
    json = Parameter("json", default="{}")
    Upper = Parameter("Upper-Case", default="u")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        self.seen = self.watch, self.wait, self.json, self.Upper


if __name__ == "__main__":
    WordsFlow()
