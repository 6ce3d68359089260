"""The progress of nodes and of the workflow, kept up to date without walking over all nodes.

Argo (workflow/progress/updater.go) gives a node that is not a pod the sum over all pods that can be
reached from it through `children`, the ones after it included. Here pods with the same set of such
nodes above them form a class; a change of a pod is a change of its class.
"""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON

EXECUTABLE = frozenset({"Pod", "Suspend"})
_DONE = frozenset({"Succeeded", "Skipped", "Omitted"})
# A group that had to wait for a lock stays Pending until it is over.
_UNDER_WAY = frozenset({"Pending", "Running"})
# A class under more nodes than this updates only those that still run; the others, which are long over,
# follow when the workflow ends. This keeps a join behind 10,000 retried tasks cheap.
_EAGER = 64


class _Class:
    __slots__ = ("bits", "done", "mask", "total")

    def __init__(self, mask: int) -> None:
        self.mask = mask
        self.done = 0
        self.total = 0
        self.bits = _bits(mask) if mask.bit_count() <= _EAGER else None


class Progress:
    """Sums over pods. Sets are ints with one bit for each node that is not a pod."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self._classes: dict[int, _Class] = {}
        self._of: dict[str, _Class] = {}
        self._above: dict[str, int] = {}
        self._bit: dict[str, int] = {}
        self._groups: list[JSON] = []
        self._sums: list[list[int]] = []
        self._running = 0
        self._dirty: dict[_Class, list[int]] = {}

    def link(self, parent: str, child: str) -> None:
        """`child` is about to become a child of the existing node `parent`."""
        mask = self._of[parent].mask
        bit = self._bit.get(parent)
        if bit is not None:
            mask |= 1 << bit
        self._above[child] = self._above.get(child, 0) | mask

    def add(self, node: JSON) -> None:
        """A node was created, after its parents were linked to it."""
        key = node["id"]
        mask = self._above.pop(key, 0)
        cls = self._classes.get(mask)
        if cls is None:
            cls = self._classes[mask] = _Class(mask)
        self._of[key] = cls
        if node["type"] in EXECUTABLE:
            self._change(cls, *_parts(node))
            return
        self._bit[key] = len(self._groups)
        if node["phase"] in _UNDER_WAY:
            self._running |= 1 << len(self._groups)
        self._groups.append(node)
        self._sums.append([0, 0])

    def phase_changed(self, node: JSON, old: str) -> None:
        """A node's phase has changed from `old`."""
        key = node["id"]
        if node["type"] not in EXECUTABLE:
            bit = 1 << self._bit[key]
            self._running = self._running | bit if node["phase"] in _UNDER_WAY else self._running & ~bit
            return
        if node["phase"] in _DONE and old not in _DONE:
            total = _parts(node)[1]
            self._set(node, old, total, total)
        elif old in _DONE and node["phase"] not in _DONE:
            self._set(node, old, 0, 1)

    def told(self, node: JSON, done: int, total: int) -> None:
        """A pod has told how far it is; before, it is at 0 of 1."""
        self._set(node, node["phase"], done, total)

    def _set(self, node: JSON, old: str, done: int, total: int) -> None:
        before = _parts({**node, "phase": old})
        node["progress"] = f"{done}/{total}"
        self._change(self._of[node["id"]], done - before[0], total - before[1])

    def _change(self, cls: _Class, done: int, total: int) -> None:
        cls.done += done
        cls.total += total
        self.done += done
        self.total += total
        delta = self._dirty.setdefault(cls, [0, 0])
        delta[0] += done
        delta[1] += total

    def flush(self) -> list[JSON]:
        """Write the sums into the nodes above what changed; returns these nodes."""
        touched: dict[int, None] = {}
        for cls, (done, total) in self._dirty.items():
            bits = cls.bits if cls.bits is not None else _bits(cls.mask & self._running)
            for bit in bits:
                sums = self._sums[bit]
                sums[0] += done
                sums[1] += total
                touched[bit] = None
        self._dirty.clear()
        return self._write(touched)

    def settle(self) -> list[JSON]:
        """Bring every node up to date; returns those that changed."""
        self._dirty.clear()
        self._sums = [[0, 0] for _ in self._groups]
        for cls in self._classes.values():
            if cls.total:
                for bit in _bits(cls.mask):
                    self._sums[bit][0] += cls.done
                    self._sums[bit][1] += cls.total
        return self._write(dict.fromkeys(range(len(self._groups))))

    def _write(self, bits: dict[int, None]) -> list[JSON]:
        changed: list[JSON] = []
        for bit in bits:
            done, total = self._sums[bit]
            text = f"{done}/{total}"
            node = self._groups[bit]
            if total and node.get("progress") != text:
                node["progress"] = text
                changed.append(node)
        return changed


def _parts(node: JSON) -> tuple[int, int]:
    """How many parts of its work a pod has done, and how many there are: all of them, once it is over."""
    done, _, total = (node.get("progress") or "0/1").partition("/")
    return int(total if node["phase"] in _DONE else done), int(total)


def _bits(mask: int) -> list[int]:
    bits: list[int] = []
    while mask:
        low = mask & -mask
        bits.append(low.bit_length() - 1)
        mask ^= low
    return bits
