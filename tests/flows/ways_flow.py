import importlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, step, timeout


def in_the_task(path):
    """Whether this process runs a task at such a path of the foreach."""
    return os.environ.get("METAFLOW_HERA_PATH") == f"-{path}" and "step" in sys.argv


WAYS = [
    "generator",
    "exit code",
    "exit text",
    "exit while handling",
    "forgets",
    "os exit",
    "environment",
    "folder",
    "pickle",
    "segfault",
    "abort",
    "killed",
    "timeout",
    "memory",
    "odd text",
    "nothing said",
    "base exception",
    "module",
    "variable",
    "file",
]
GOOD = ["environment gone", "folder gone"]
if os.environ.get("METAFLOW_INIT_BROKEN") == "true":
    importlib.import_module("a_module_that_was_not_packed")
if in_the_task(WAYS.index("module")):
    importlib.import_module("a_module_that_was_not_packed")
if in_the_task(WAYS.index("variable")):
    os.environ["A_VARIABLE_THAT_IS_NOT_SET"]
if in_the_task(WAYS.index("file")):
    Path("a_file_that_is_not_there.csv").read_text()


class Odd(Exception):
    def __str__(self):
        raise RuntimeError("not even this works")


class Unpicklable:
    def __reduce__(self):
        raise TypeError("this has no pickle")


class WaysFlow(FlowSpec):
    """A task for each way in which one can fail; with `good` those that do not, and a join that does."""

    good = Parameter("good", default=False, type=bool)
    broken = Parameter("broken", default=False, type=bool)

    @step
    def start(self):
        self.ways = GOOD if self.good else WAYS
        self.next(self.fail, foreach="ways")

    @timeout(seconds=20)
    @step
    def fail(self):
        print("the last words", flush=True)
        way = f"way_{self.input.replace(' ', '_')}"
        getattr(self, way, lambda: None)()
        if self.input == "forgets":
            return
        self.next(self.join)

    def way_generator(self):
        self.made = (each for each in [1])

    def way_exit_code(self):
        sys.exit(3)

    def way_exit_text(self):
        sys.exit("the table is empty")

    def way_exit_while_handling(self):
        try:
            raise ValueError("handled")
        except ValueError:
            sys.exit(4)

    def way_os_exit(self):
        os._exit(7)

    def way_environment(self):
        os.environ.clear()
        raise ValueError("with no environment")

    def way_environment_gone(self):
        os.environ.clear()

    def way_folder(self):
        shutil.rmtree(os.getcwd())
        raise ValueError("with no folder")

    def way_folder_gone(self):
        shutil.rmtree(os.getcwd())

    def way_pickle(self):
        self.made = Unpicklable()

    def way_segfault(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def way_abort(self):
        os.abort()

    def way_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def way_timeout(self):
        signal.alarm(1)
        time.sleep(600)

    def way_memory(self):
        raise MemoryError("Unable to allocate 200 GiB")

    def way_odd_text(self):
        raise Odd

    def way_nothing_said(self):
        raise AssertionError

    def way_base_exception(self):
        raise KeyboardInterrupt("by the user's own code")

    @step
    def join(self, inputs):
        raise LookupError("nothing to join")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WaysFlow()
