import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading

from metaflow import FlowSpec, IncludeFile, current, step, util
from metaflow.meta_files import read_info_file
from metaflow.metaflow_config_funcs import config_values
from metaflow.metaflow_version import get_version
from metaflow.packaging_sys import MetaflowCodeContent


def square(number):
    return number * number


def places(folder):
    """Where Metaflow's modules and their classes hold a folder, by name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if module is not None and name.startswith("metaflow"):
            things = list(vars(module).items())
            things += [
                (f"{cls.__name__}.{key}", value)
                for _, cls in things
                if isinstance(cls, type) and cls.__module__ == name
                for key, value in vars(cls).items()
            ]
            found |= {
                f"{name}.{key}": each for key, each in things if isinstance(each, str) and folder in each
            }
    return found


class SurroundingsFlow(FlowSpec):
    """What a task finds around it: the same however its pod has come to be."""

    included = IncludeFile("included", default=__file__)

    @step
    def start(self):
        work = os.getcwd()
        temporary = os.environ["TMPDIR"]

        def short(text):
            text = str(text).replace(work, "WORK").replace(os.path.dirname(work), "POD")
            text = text.replace(temporary, "TMP").replace(current.run_id[5:], "RUN")
            return re.sub(r"TMP/metaflow-hera-\w+", "OWN", text)

        self.config = {name: short(value) for name, value in config_values(include=3)}
        package = os.environ["METAFLOW_EXTRACTED_ROOT"]
        self.root = util.get_metaflow_root() == os.path.join(package, ".mf_code")
        self.info = MetaflowCodeContent.get_info()
        self.version = get_version(), read_info_file()["script"]
        self.places = places(os.environ["METAFLOW_DATASTORE_SYSROOT_LOCAL"])
        self.variables = {
            name: short(value)
            for name, value in os.environ.items()
            if name not in ("METAFLOW_KUBERNETES_POD_NAME", "METAFLOW_KUBERNETES_POD_ID")
        }
        self.path = [short(each) for each in sys.path]
        self.argv = [short(each) for each in sys.argv]
        self.main = sorted(vars(sys.modules["__main__"]))
        self.file = short(__file__)
        self.folder = sorted(os.listdir("."))
        self.temporary = short(tempfile.gettempdir())
        self.flags = str(sys.flags)
        self.executable = sys.executable
        self.signals = {
            int(each): str(signal.getsignal(each)).split(" at ")[0] for each in signal.valid_signals()
        }
        self.threads = [each.name for each in threading.enumerate()]
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.session = os.getsid(0) == os.getppid()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            self.spawned = pool.map(square, [1, 2, 3])
        with multiprocessing.get_context("fork").Pool(2) as pool:
            self.forked = pool.map(square, [1, 2, 3])
        os.environ["CHANGED"] = "by the first step"
        self.next(self.end)

    @step
    def end(self):
        self.changed = os.environ.get("CHANGED")
        print(json.dumps(self.config, indent=1))


if __name__ == "__main__":
    SurroundingsFlow()
