"""How a pod forks: once no other thread can hold a lock that the child would wait for."""

from __future__ import annotations

import os
import sys
import threading
import time

PATIENCE = 2.0
"""Seconds to wait for other threads to end, once for each of them."""

_lasting: set[str] = set()
"""The threads that did not end in that time. They last as long as the process, as those of a profiler do, or
wait for an answer of a service: they hardly hold a lock."""


def fork_alone() -> int:
    """`os.fork`, once this process has no other thread, or after `PATIENCE` seconds.

    In the child, a lock that another thread held is never released (fork(2)). Libraries have such locks.
    OpenSSL takes one when a thread that has used it ends, which can be after `Thread.join` has returned.
    Google's clients start threads of their own. A `RunStore` has threads too: call its `rest` first.
    """
    end = time.monotonic() + PATIENCE
    while others := _threads() - _lasting:
        if time.monotonic() >= end:
            _lasting.update(others)
        else:
            time.sleep(0.001)
    return os.fork()


def _threads() -> set[str]:
    """The other threads of this process, each by a number."""
    if sys.platform == "linux":  # which knows those that are not Python's, or not any more
        return {*os.listdir("/proc/self/task")} - {str(threading.get_native_id())}
    return {str(each.ident) for each in threading.enumerate()} - {str(threading.get_ident())}
