import os
from pathlib import Path

from metaflow import FlowSpec, catch, current, kubernetes, resources, retry, step

MEGABYTE = 1_000_000


class PodFlow(FlowSpec):
    """What @kubernetes asks for, as far as a process has it too."""

    @kubernetes(use_tmpfs=True, tmpfs_size=10, service_account="robot", image="absent:1")
    @step
    def start(self):
        file = Path(current.tempdir, "file")
        file.write_text("kept until the end")
        self.is_tempdir = current.tempdir == os.environ["METAFLOW_TEMPDIR"]
        self.found = os.listdir(current.tempdir)
        self.next(self.beside)

    @kubernetes(tmpfs_size=10, tmpfs_tempdir=False, tmpfs_path="/scratch")
    @step
    def beside(self):
        Path(current.tempdir, "file").touch()
        self.found = os.listdir(current.tempdir)
        self.is_tempdir = "METAFLOW_TEMPDIR" in os.environ
        os.chdir("/")
        self.next(self.shared)

    @resources(shared_memory=16, cpu=2)
    @step
    def shared(self):
        from multiprocessing.shared_memory import SharedMemory

        memory = SharedMemory(create=True, size=1024)
        memory.close()
        memory.unlink()
        self.next(self.large)

    @catch(var="problem")
    @retry(times=0, minutes_between_retries=0)
    @kubernetes(memory=300, qos="Guaranteed")
    @step
    def large(self):
        import time

        held = bytearray(600 * MEGABYTE)
        time.sleep(60)
        self.next(self.small)

    @kubernetes(memory=500, qos="Guaranteed")
    @step
    def small(self):
        import time

        held = bytearray(100 * MEGABYTE)
        time.sleep(0.6)
        self.next(self.end)

    @step
    def end(self):
        self.said = self.problem.exception


if __name__ == "__main__":
    PodFlow()
