"""A process from which pods are forked: the text of `python -c` of an interpreter that a manifest names.

Its arguments are a socket to the keeper and the program of the pods, which is the text of a `python -c` too.
It reads a line there, which becomes the variable EMBEDDED_ARGO_FIRST: the first pod's own variables, as JSON.
It runs the program once with `__warm__` as its `__name__`, for the program to import what its pods share,
and answers a byte. For each byte that then comes, with three descriptors, it forks a pod:

    a file with the pod's order, as JSON     `env`, `cwd`, and `arguments` after the program
    the pod's log
    a socket to the keeper                   the pod writes its number, and goes on once it reads a byte

The pod sets itself up as the keeper would have had it started, and runs the program as `__main__`. It is the
child of a process that ends at once, so it becomes a child of the keeper, which is a subreaper (prctl(2)). A
pod that cannot be set up ends without telling a number: the keeper starts it, and so learns why.

The process ends when nothing was asked of it for a while, or the keeper closes the socket.

It may run in any Python 3.8 or later, so it uses the standard library only, and little of that.
"""

import array
import json
import os
import select
import site
import socket
import sys
import tempfile
import time
import types

IDLE = 60.0
"""Seconds after the last pod until it ends."""

PATIENCE = 2.0
"""Seconds to wait for the threads that the program has started."""

LARGEST = 1 << 29
"""Bytes that it may hold: what pods share must not take their room on the machine."""


def serve(control: socket.socket, program: str) -> None:
    """Run the program up to what its pods share, then fork a pod for each byte that comes."""
    code = compile(program, "<string>", "exec", dont_inherit=True)
    path, prepared, main = list(sys.path), types.ModuleType("__warm__"), types.ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=__builtins__)
    sys.argv, sys.modules["__main__"] = ["-c"], main  # an import may leave something in it
    os.environ["EMBEDDED_ARGO_FIRST"] = read_line(control)  # not from its start: pods could read it in /proc
    packages = installed(path)
    exec(code, prepared.__dict__)
    sys.path[:] = path
    sys.stdout.flush()
    sys.stderr.flush()
    end = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/task")) > 1:
        if time.monotonic() >= end:
            sys.exit("The program has started a thread: its pods start cold.")
        time.sleep(0.01)
    with open("/proc/self/statm") as file:
        if int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") > LARGEST:
            sys.exit("The program takes too much memory to keep it ready: its pods start cold.")
    import gc

    # Or the first collection in a pod would copy everything. What is garbage by now stays: to collect it
    # takes long, and pods would copy the pages in which that leaves holes.
    gc.freeze()
    control.send(b"+")
    while select.select([control], [], [], IDLE)[0]:
        descriptors = array.array("i", [0, 0, 0])
        data, ancillary = control.recvmsg(1, socket.CMSG_SPACE(3 * descriptors.itemsize))[:2]
        if not data or installed(path) != packages:  # what was imported may be of another release by now
            return
        descriptors = array.array("i", ancillary[0][2])
        between = os.fork()
        if between == 0:
            between = os.getpid()
            if os.fork() != 0:
                os._exit(0)
            control.close()
            while os.getppid() == between:  # not yet the keeper's
                os.sched_yield()
            try:
                become(program, *descriptors)
            except BaseException:
                os._exit(1)
            exec(code, main.__dict__)
            return
        for each in descriptors:
            os.close(each)
        os.waitpid(between, 0)


def read_line(control: socket.socket) -> str:
    """The next line from the keeper, without its end; "" if that has gone."""
    line = b""
    while not line.endswith(b"\n"):
        part = control.recv(1 << 16)
        if not part:
            return ""
        line += part
    return line.decode()[:-1]


def installed(path: list) -> list:  # type: ignore[type-arg] # also in Python 3.8
    """When something was last installed or removed: folders that `pip` installs to, and .pth files there."""
    folders = [each for each in path if os.path.basename(each) in ("site-packages", "dist-packages")]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())  # also if it is not there yet
    found = [folder for folder in folders if os.path.isdir(folder)]
    found += [
        os.path.join(each, name) for each in found for name in os.listdir(each) if name.endswith(".pth")
    ]
    return [(each, os.stat(each).st_mtime_ns) for each in found if os.path.exists(each)]


def become(program: str, order: int, log: int, keeper: int) -> None:
    """Turn into a pod: its session, output, environment and folder. Returns once the keeper lets it run."""
    os.setsid()
    with open(order, encoding="utf-8") as file:
        pod = json.load(file)
    os.chdir(pod["cwd"])
    os.environ.clear()
    os.environ.update(pod["env"])
    sys.argv = ["-c", *pod["arguments"]]
    sys.orig_argv = [sys.executable, "-c", program, *pod["arguments"]]
    tempfile.tempdir = None  # which was that of this process
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    with socket.socket(fileno=keeper) as talk:
        talk.sendall(b"%d\n" % os.getpid())
        if not talk.recv(1):  # the keeper has gone, or starts it otherwise
            os._exit(0)


serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
