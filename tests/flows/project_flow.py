from metaflow import FlowSpec, current, project, step


@project(name="tested")
class ProjectFlow(FlowSpec):
    """What @project tells each task."""

    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.where = where()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.where = where()
        self.next(self.end)

    @step
    def end(self):
        self.where = where()


def where():
    return (
        current.project_name,
        current.branch_name,
        current.project_flow_name,
        current.is_production,
        current.is_user_branch,
    )


if __name__ == "__main__":
    ProjectFlow()
