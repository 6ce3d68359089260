import atexit
import logging
import os
import sys

from metaflow import FlowMutator, FlowSpec, Parameter, step

print("loading models...")
os.system("echo from a child process")
sys.__stdout__.write("by another name\n")
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
atexit.register(print, "goodbye")


def default(context):
    print("computing a default")
    logging.info("by a logger")
    os.system("echo from another child process")
    return "x"


class Loud(FlowMutator):
    def mutate(self, mutable_flow):
        print("mutating")

    def add_to_package(self):
        print("packing")
        return []


@Loud
class TalkativeFlow(FlowSpec):
    """Prints whenever its code runs."""

    word = Parameter("word", default=default)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    print("starting")
    TalkativeFlow()
