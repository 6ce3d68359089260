from metaflow import FlowSpec, JSONType, Parameter, step


class RequiredFlow(FlowSpec):
    alpha = Parameter("alpha", type=float, required=True)
    count = Parameter("count", type=int, default=1)
    flag = Parameter("flag", type=bool, default=True)
    table = Parameter("table", type=JSONType, default="{}")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RequiredFlow()
