"""Where the nodes of a run belong: the path of a place is its name after those of the DAG tasks around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from metaflow_hera.embedded.page.reading import Container, PageReader
from metaflow_hera.embedded.storage.reader import Head


class Places:
    """Where the nodes of a run belong, as the containers around them show, which it has by their ids."""

    def __init__(self, run: str, containers: Mapping[str, Container]) -> None:
        self._run = run
        self.containers = containers
        self._rooted = any(each.boundary is None and each.name == run for each in containers.values())
        self._paths: dict[str, str] = {}

    def path(self, boundary: str | None, name: str) -> str:
        """The place, in a container, of the nodes of a task of this name."""
        if boundary is None:
            return name.removeprefix(f"{self._run}.")
        around = self.inside(boundary)
        return f"{around}/{name}" if around else name

    def is_root(self, boundary: str | None, name: str) -> bool:
        """Whether it is the outermost DAG, or its attempts; the only pod of a run is not."""
        return boundary is None and name == self._run and self._rooted

    def inside(self, boundary: str) -> str:
        """The path that everything inside a container begins with."""
        around = self._paths.get(boundary)
        if around is None:
            container = self.containers.get(boundary)
            if container is None or self.is_root(container.boundary, container.name):
                around = ""
            else:
                around = self.path(container.boundary, container.name)
            self._paths[boundary] = around
        return around

    def task_name(self, path: str, name: str) -> str:
        """The name that nodes show: outside of all containers, the run's name comes before it."""
        return f"{self._run}.{name}" if path == name == "onExit" else name

    def label(self, boundary: str | None, display: str) -> str:
        """What tells a task from its siblings: its item, and the items around it."""
        return " / ".join([*self._items(boundary), display.removeprefix(f"{self._run}.")])

    def order(self, boundary: str | None, display: str) -> list[int]:
        """By the indices of the items."""
        texts = [*self._items(boundary), display]
        return [int(found[1]) for text in texts if (found := re.search(r"\((\d+)", text))]

    def _items(self, boundary: str | None) -> list[str]:
        """The containers around it that are one of several."""
        found: list[str] = []
        while boundary is not None and (container := self.containers.get(boundary)) is not None:
            if "(" in container.display:
                found.insert(0, container.display)
            boundary = container.boundary
        return found


def places_of(head: Head, reader: PageReader) -> Places:
    """The places of a run."""
    return Places(head.name, {each.id: each for each in reader.containers(head.uid)})


def paths_around(path: str) -> Iterator[str]:
    """The paths of the places around one, the outermost first."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
