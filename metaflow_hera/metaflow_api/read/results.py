"""What a task has stored, for people to see: its artifacts and its cards.

It runs in a process of its own, in place of the task, and answers in a folder: `results.json`, and beside it
the cards that it names. Types and sizes are what Metaflow's datastore notes beside an artifact. Of a value
only what is small is read, and only what consists of plain Python: nothing of the user's is imported, so a
value that holds anything else is told by the name of what it holds.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from metaflow.datastore import FlowDataStore
from metaflow.plugins.cards.card_datastore import CardDatastore
from metaflow.plugins.cards.exception import CardNotPresentException

from metaflow_hera.contract.objects import JSON
from metaflow_hera.graph.tasks import TaskKey
from metaflow_hera.metaflow_api.pod.cards import share_cards
from metaflow_hera.metaflow_api.pod.run_store import RunStore

FILE = "results.json"
ARTIFACTS = 500
"""How many artifacts are told, by name."""
VALUES = 200
"""How many values are read."""
SMALL = 64 * 1024
"""Bytes of an artifact, as it was pickled, up to which its value is read."""
SHOWN = 2_000
"""Characters of a value that are told."""
CARDS = 20
CARD_BYTES, ALL_CARDS_BYTES = 10_000_000, 40_000_000
"""How large a card may be, and all of a task."""
SECONDS = 60
"""How long it may take: then this process ends itself, should nobody else."""
MEMORY = 2 * 1024**3
"""Bytes of memory that it may take."""

PLAIN = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list range set slice str tuple",
    "collections": "Counter OrderedDict defaultdict deque",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID",
    "_codecs": "encode",  # bytes, in old protocols
    "numpy": "dtype",  # a numpy number
    "numpy.core.multiarray": "scalar",
    "numpy._core.multiarray": "scalar",
}
"""What a value may consist of, by the modules' names."""
OFTEN = ("builtins", "collections", "datetime", "decimal", "fractions", "uuid", "numpy")
"""The modules of types whose values are looked at."""


class _Holds(Exception):
    """A value holds something that is not plain: its name."""


def limit() -> None:
    """Bound the time and the memory of this process."""
    signal.alarm(SECONDS)
    with suppress(OSError, ValueError):  # a system that knows no such limit, or has a smaller one
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def answer(store: RunStore, task: TaskKey, folder: Path) -> None:
    """Write what a task has stored, the last attempt that has ended, into a folder."""
    found: JSON = {
        "pathspec": f"{store.flow}/{store.pathspec(task)}",
        "attempt": None,
        "artifacts": [],
        "more": 0,
    }
    data = store.data(task)
    if data is not None:
        found.update(attempt=data.attempt, **_artifacts(data))
    found.update(_cards(store, task, folder))
    (folder / FILE).write_text(json.dumps(found), encoding="utf-8")


def _artifacts(data: Any) -> JSON:
    """The artifacts, without Metaflow's own, and how many there are beyond those told."""
    names = sorted(name for name in data if not name.startswith("_"))
    about = {name: data._info.get(name) or {} for name in names[:ARTIFACTS]}
    small = [name for name, info in about.items() if _is_readable(info)]
    values = _values(data, small[:VALUES])
    return {
        "artifacts": [
            {
                "name": name,
                "type": _plain_type(str(info.get("type") or "")),
                "size": info.get("size"),
                "value": values.get(name, (None, ""))[0],
                "note": values.get(name, (None, _why(info, name in small)))[1],
            }
            for name, info in about.items()
        ],
        "more": len(names) - len(about),
    }


def _plain_type(text: str) -> str:
    """A type as people call it: `int` for `<class 'int'>`."""
    return text[len("<class '") : -len("'>")] if text.startswith("<class '") else text


def _is_readable(info: Mapping[str, Any]) -> bool:
    module, _, _ = _plain_type(str(info.get("type") or "")).rpartition(".")
    return (
        "pickle" in str(info.get("encoding"))
        and isinstance(info.get("size"), int)
        and info["size"] <= SMALL
        and (module or "builtins") in OFTEN
    )


def _why(info: Mapping[str, Any], is_small: bool) -> str:
    """Why no value is told."""
    if is_small:
        return f"the first {VALUES} values are read"
    if "pickle" not in str(info.get("encoding")):
        return f"stored as {info.get('encoding') or 'an unknown form'}"
    size = info.get("size")
    return "large" if isinstance(size, int) and size > SMALL else ""


def _values(data: Any, names: list[str]) -> dict[str, tuple[str | None, str]]:
    """Values as text, or why there is none, by the names of their artifacts."""
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(data._objects[name], []).append(name)
    found: dict[str, tuple[str | None, str]] = {}
    for key, blob in data._ca_store.load_blobs(list(by_key)):
        told = _value(blob)
        found.update((name, told) for name in by_key[key])
    return found


def _value(blob: bytes) -> tuple[str | None, str]:
    try:
        value = _Unpickler(io.BytesIO(blob)).load()
        text = value if isinstance(value, str) else repr(value)
    except _Holds as held:
        return None, f"it holds a {held}"
    except Exception as error:  # what somebody has stored may be anything
        return None, f"it cannot be read: {type(error).__name__}: {str(error)[:200]}"
    if len(text) > SHOWN:
        return text[:SHOWN], f"the first {SHOWN:,} characters"
    return text, ""


class _Unpickler(pickle.Unpickler):
    """Reads what is plain. It refuses everything else before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle names."""
        if name not in PLAIN.get(module, "").split():
            raise _Holds(f"{module}.{name}")
        return super().find_class(module, name)


def _cards(store: RunStore, task: TaskKey, folder: Path) -> JSON:
    """Copy the cards of a task, which has one of each kind and id for each attempt, into a folder."""
    share_cards()
    kind = store.storage_type
    root = CardDatastore.get_storage_root(kind.TYPE)
    place = FlowDataStore(store.flow, None, storage_impl=kind, ds_root=root)
    cards = CardDatastore(place, pathspec=f"{store.flow}/{store.pathspec(task)}")
    told: list[JSON] = []
    left, skipped = ALL_CARDS_BYTES, 0
    for path in _paths(cards):
        info = cards.info_from_path(path)
        html = cards.get_card_html(path) if len(told) < CARDS else None
        content = (html or "").encode("utf-8", "replace")
        if html is None or len(content) > min(CARD_BYTES, left):
            skipped += 1
            continue
        left -= len(content)
        name = f"card-{len(told)}.html"
        (folder / name).write_bytes(content)
        told.append({"type": info.type, "id": info.id, "file": name, "bytes": len(content)})
    return {"cards": told, "more_cards": skipped}


def _paths(cards: Any) -> Iterator[str]:
    with suppress(CardNotPresentException):
        yield from sorted(cards.extract_card_paths())
