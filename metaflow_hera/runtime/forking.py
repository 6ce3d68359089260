"""How a pod forks: once no other thread can hold a lock that the child would wait for."""

from __future__ import annotations

import os
import sys
import threading
import time

PATIENCE = 2.0
"""Seconds to wait for other threads to end; those that go on are likely to wait for work."""


def fork_alone() -> int:
    """`os.fork`, once this process has no other thread, or after `PATIENCE` seconds.

    In the child, a lock that another thread held is never given back (fork(2)). Libraries have such locks:
    OpenSSL's are taken at the start and the end of each thread that uses it, also after Python has joined it.
    Google's clients start threads of their own. Let a `RunStore` rest before.
    """
    end = time.monotonic() + PATIENCE
    while _threads() > 1 and time.monotonic() < end:
        time.sleep(0.001)
    return os.fork()


def _threads() -> int:
    """How many threads this process has, this one included."""
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else threading.active_count()
