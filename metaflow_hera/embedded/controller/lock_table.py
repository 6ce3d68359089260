"""Which node of which workflow holds each lock, and who waits for it: Argo's lock manager (workflow/sync).

Of all workflows of a server there is one table. It is memory only: each workflow's status says what its
nodes hold and wait for, and an `Operation` made of it enters that again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

Rank = tuple[int, str]
"""What decides who is first: the priority, negated, then the time of creation."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """A workflow that may want locks: its uid, its `NAMESPACE/NAME`, and its place among those that wait."""

    uid: str
    name: str
    rank: Rank

    def holder(self, node_id: str = "") -> str:
        """How Argo names a holder: the workflow, or one of its nodes (getHolderKey)."""
        return f"{self.name}/{node_id}" if node_id else self.name


class Refusal(NamedTuple):
    """The first lock that cannot be had now, and what Argo says of it."""

    lock: str
    message: str


_Party = tuple[str, bool]
"""Who stands in a queue together: the nodes of a workflow (True), or the workflow itself (False)."""


@dataclass(slots=True)
class _Lock:
    holder: str = ""
    queue: dict[_Party, _Waiting] = field(default_factory=dict)


@dataclass(slots=True)
class _Waiting:
    order: tuple[int, str, int]
    holders: set[str] = field(default_factory=set)


class LockTable:
    """All locks that are held or waited for. Each has room for one holder."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}
        # By a workflow's uid: its place among equals, and the locks that each of its holders has or wants.
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._wanted: dict[str, dict[str, set[str]]] = {}
        self._news: dict[str, set[str]] = {}

    def holder(self, lock: str) -> str:
        """Who holds a lock, or ""."""
        return self._locks[lock].holder if lock in self._locks else ""

    def restore(self, who: Claimant, lock: str, holder: str) -> None:
        """Enter what a workflow's status says: that one of its nodes holds a lock."""
        self._locks.setdefault(lock, _Lock()).holder = holder
        self._of(who, holder).add(lock)

    def wait(self, who: Claimant, node_id: str, locks: Iterable[str]) -> None:
        """Wait for locks, behind those that rank higher or came before."""
        holder = who.holder(node_id)
        for name in locks:
            lock = self._locks.setdefault(name, _Lock())
            if lock.holder != holder:
                order = (*who.rank, self._number(who))
                lock.queue.setdefault((who.uid, bool(node_id)), _Waiting(order)).holders.add(holder)
                self._of(who, holder).add(name)

    def acquire(self, who: Claimant, node_id: str, locks: Iterable[str]) -> Refusal | None:
        """Take all of some locks, or wait for all of them and return why (tryAcquireImpl).

        A lock that is free goes to nobody but the workflow that is first in its queue, whatever that waits
        for besides.
        """
        names = list(dict.fromkeys(locks))
        self.wait(who, node_id, names)
        holder, party = who.holder(node_id), (who.uid, bool(node_id))
        for name in names:
            lock = self._locks[name]
            if lock.holder != holder and (lock.holder or _first(lock) != party):
                free = 0 if lock.holder else 1
                return Refusal(name, f"Waiting for {name} lock. Lock status: {free}/1")
        for name in names:
            lock = self._locks[name]
            if lock.holder != holder:
                lock.holder = holder
                self._leave(lock, party, holder)
                for uid, _ in lock.queue:  # they show who holds it
                    self._tell(uid, name)
        return None

    def release(self, uid: str, holder: str, locks: Iterable[str] | None = None) -> list[str]:
        """Give locks back, and wait for them no more; None is all of a holder's. Returns those it held."""
        wanted = self._wanted.get(uid, {}).get(holder, set())
        released = []
        for name in sorted(wanted if locks is None else wanted.intersection(locks)):
            wanted.discard(name)
            lock = self._locks[name]
            if lock.holder == holder:
                lock.holder = ""
                released.append(name)
            else:
                self._leave(lock, (uid, _is_node(holder)), holder)
            if not lock.holder and lock.queue:
                self._tell(_first(lock)[0], name)
            elif not lock.holder:
                del self._locks[name]
        if not wanted:
            self._wanted.get(uid, {}).pop(holder, None)
        return released

    def forget(self, uid: str) -> None:
        """A workflow has ended, or is gone."""
        for holder in list(self._wanted.get(uid, ())):
            self.release(uid, holder)
        self._wanted.pop(uid, None)
        self._numbers.pop(uid, None)
        self._news.pop(uid, None)

    def news(self, uid: str) -> set[str]:
        """The locks that a workflow should look at again; each is told once."""
        return self._news.pop(uid, set())

    def due(self) -> list[str]:
        """The uids of the workflows for which there is news."""
        return list(self._news)

    def _of(self, who: Claimant, holder: str) -> set[str]:
        return self._wanted.setdefault(who.uid, {}).setdefault(holder, set())

    def _number(self, who: Claimant) -> int:
        if who.uid not in self._numbers:
            self._count += 1
            self._numbers[who.uid] = self._count
        return self._numbers[who.uid]

    def _leave(self, lock: _Lock, party: _Party, holder: str) -> None:
        waiting = lock.queue[party]
        waiting.holders.discard(holder)
        if not waiting.holders:
            del lock.queue[party]

    def _tell(self, uid: str, lock: str) -> None:
        self._news.setdefault(uid, set()).add(lock)


def _is_node(holder: str) -> bool:
    return holder.count("/") > 1


def _first(lock: _Lock) -> _Party:
    return min(lock.queue, key=lambda party: (lock.queue[party].order, party[1]))
