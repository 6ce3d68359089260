"""What a code package holds: a user's own files, and what Metaflow and this package add to them."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.metaflow_api.pod.packaged_settings import FILE_NAME

CODE, META, MARKER = ".mf_code/", ".mf_meta/", ".mf_install"
"""Where Metaflow puts modules and its notes, and the file by which it knows its own packages."""
NOTES = {"INFO": "info", "CONFIG": "configs", FILE_NAME: "settings"}
"""The notes that are read."""
MADE = ("DIST_INFO", "conda.manifest")
"""Those that Metaflow makes of what it finds on the machine, and when it makes environments."""
METAFLOW, OURS, EXTENSIONS = "Metaflow", "metaflow_hera", "extensions of Metaflow"
SOFTWARE = {
    "metaflow": METAFLOW,
    "metaflow_hera": OURS,
    "metaflow_extensions/hera": OURS,
    "metaflow_extensions": EXTENSIONS,
}
"""Whose modules these are, below CODE; all others are a user's own."""
LONGEST = 1 << 20
"""The bytes of the largest file whose content is kept."""
MOST = 1 << 25
"""The bytes of content that are kept of a package, at most."""
PIECE = 1 << 16


@dataclass(frozen=True)
class File:
    """A file of a package. `content` is None for one that is too large to be shown."""

    size: int
    digest: str
    is_executable: bool
    content: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Package:
    """The content of a code package.

    `files` are the user's own. `software` has the files of each of METAFLOW, OURS and EXTENSIONS, `versions`
    the versions that are known of them. `configs` are the values of the flow's Configs, `settings` what the
    pods are told of the flow beside the manifest.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    software: Mapping[str, Mapping[str, File]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    configs: Any = None
    settings: Any = None


def read_package(archive: IO[bytes]) -> Package:
    """The content of an archive, read once and in little memory.

    Raises tarfile.TarError, OSError, EOFError or zlib.error for a file that is no code package.
    """
    files: dict[str, File] = {}
    software: dict[str, dict[str, File]] = {METAFLOW: {}, OURS: {}, EXTENSIONS: {}}
    notes: dict[str, Any] = {}
    versions: dict[str, str] = {}
    room = MOST
    with tarfile.open(fileobj=archive, mode="r:gz") as tar:
        for member in tar:
            name = member.name
            whose = next((v for k, v in SOFTWARE.items() if name.startswith(f"{CODE}{k}/")), None)
            note = name[len(META) :] if name.startswith(META) else None
            is_note = note in NOTES or note in MADE or name == MARKER
            keeps = member.size <= (LONGEST if is_note else min(LONGEST, room)) and whose is None
            is_ours = name == f"{CODE}metaflow_hera/__init__.py" and member.size <= LONGEST
            found = _file(tar, member, keeps=keeps or is_ours)
            if is_ours:
                version = re.search(rb"^__version__ = ['\"](.+?)['\"]", found.content or b"", re.MULTILINE)
                if version is not None:
                    versions[OURS] = version[1].decode("utf-8", "replace")
            if is_note:
                if note in NOTES:
                    notes[NOTES[note]] = _json(found.content)
            elif whose is not None:
                software[whose][name] = found
            else:
                files[name] = found
                room -= len(found.content or b"")
    info = notes.get("info")
    if isinstance(info, dict) and "metaflow_version" in info:
        versions[METAFLOW] = str(info["metaflow_version"])
    return Package(files, software, versions, notes.get("configs"), notes.get("settings"))


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo, *, keeps: bool) -> File:
    digest, content = hashlib.sha256(member.linkname.encode("utf-8", "surrogateescape")), bytearray()
    source = tar.extractfile(member) if member.isfile() else None
    while source is not None and (piece := source.read(PIECE)):
        digest.update(piece)
        if keeps:
            content += piece
    kept = bytes(content) if keeps else None
    return File(member.size, digest.hexdigest(), bool(member.mode & 0o100), kept)


def _json(content: bytes | None) -> Any:
    try:
        return json.loads(content or b"null")
    except NOT_JSON:
        return None
