from metaflow import FlowSpec, current, exit_hook, step, trigger_on_finish


def alarm(run, failed_steps):
    print("%s failed in %s" % (run.pathspec, ", ".join(failed_steps)))


@trigger_on_finish(flow="LoadFlow")
@exit_hook(on_error=[alarm])
class ReportFlow(FlowSpec):
    """Reports what LoadFlow loaded, each time that it ends well."""

    @step
    def start(self):
        self.sales = current.trigger.run.data.sales
        self.next(self.end)

    @step
    def end(self):
        self.total = sum(self.sales.values())
        print("sold for %d" % self.total)


if __name__ == "__main__":
    ReportFlow()
