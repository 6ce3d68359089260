import os

from metaflow import FlowSpec, checkpoint, current, model, retry, step


def note(name, text):
    """Leave a file in the checkpoint's folder and save that."""
    with open(os.path.join(current.checkpoint.directory, name), "w") as file:
        file.write(text)
    return current.checkpoint.save(name=name, metadata={"text": text})


def noted(name):
    with open(os.path.join(current.checkpoint.directory, name)) as file:
        return file.read()


class CheckpointFlow(FlowSpec):
    """A step that goes on from what its last attempt has saved, and models that steps hand on."""

    @retry(times=2, minutes_between_retries=0)
    @checkpoint
    @step
    def start(self):
        self.found = noted("turn") if current.checkpoint.is_loaded else "nothing"
        if self.found != "second":
            note("turn", "second" if self.found == "first" else "first")
            raise ValueError("once more")
        self.items = ["a", "b"]
        self.next(self.work, foreach="items")

    @model
    @checkpoint(show_card=False)
    @step
    def work(self):
        note("item", self.input)
        self.saved = [each["metadata"]["text"] for each in current.checkpoint.list()]
        with open("weights", "w") as file:
            file.write(self.input * 3)
        self.reference = current.model.save("weights", label=self.input)
        self.next(self.join)

    @model
    @step
    def join(self, inputs):
        self.read = []
        for each in inputs:
            with open(os.path.join(current.model.load(each.reference), "weights")) as file:
                self.read.append(file.read())
        self.last = inputs[1].reference
        self.next(self.end)

    @model(load="last")
    @step
    def end(self):
        with open(os.path.join(current.model.loaded["last"], "weights")) as file:
            self.loaded = file.read()


if __name__ == "__main__":
    CheckpointFlow()
