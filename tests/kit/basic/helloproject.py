from metaflow import FlowSpec, current, project, step


@project(name="hello_project")
class HelloProject(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        self.branch = current.branch_name


if __name__ == "__main__":
    HelloProject()
