from metaflow import FlowSpec, Parameter, exit_hook, step


def cheer(run):
    print("cheer", run.pathspec, run.successful)


def mourn(status, failed_steps, run):
    print("mourn", status, sorted(failed_steps), run.pathspec)


def everything(**about):
    print("everything", sorted(about))


def breaks():
    raise RuntimeError("the hook broke")


def leaves():
    raise SystemExit(3)


@exit_hook(on_success=[cheer, breaks, everything])
@exit_hook(on_error=[leaves, "mourn"])
class HookedFlow(FlowSpec):
    fail = Parameter("fail", type=bool, default=False)

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        if self.fail and self.input != 2:
            raise ValueError(f"no {self.input}")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    HookedFlow()
