"""The archive of a code package: its modules are kept compressed, for the next package that has the same.

A package is mostly Metaflow, which is the same from one version of a flow to the next, and most of the time
that a package takes is its compression. What is kept changes no byte of an archive. The header says where the
modules end: where pods share a folder (`runtime.bootstrap`), only the first one unpacks them.
"""

from __future__ import annotations

import os
import struct
import tarfile
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from io import BufferedIOBase, BytesIO
from pathlib import Path
from stat import S_IMODE
from typing import Any, NamedTuple

from metaflow_hera.private_files import save_private

TIME = 1575360000
"""When Metaflow says that all files of a package were changed."""

LEVEL = 3
"""How much it is compressed, as by Metaflow."""

KEPT = 3
"""For how many sets of modules their part is kept, such as for the environments that one works with."""

SETTLED = 2.0
"""Seconds without a change after which a file's times tell the next change, on any file system."""

HEADER = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff%012d\x00"
"""The header of a gzip file with a comment (RFC 1952): how many of the bytes after it hold the modules.

The bootstrap reads it by position. An extra field would be the place for it, but Python's tarfile cannot read
a stream with one.
"""

FORMAT = 2
"""Counted up when what is kept changes its form."""

KEPT_HEAD = struct.Struct("<IQ")
"""What is kept before the compressed bytes, after a checksum of all: checksum and size of what they hold."""

PREFIX = "packed-"
"""How the names of what is kept begin."""


class Member(NamedTuple):
    """A file of an archive: its name there, and where it is or what it holds."""

    name: str
    source: str | bytes


def archive(modules: Sequence[Member], others: Iterable[Member], cache: Path | None) -> bytes:
    """A compressed tar file with the modules, which are all in files, and then the others.

    The part with the modules is kept in the folder `cache`, or taken from there if they have not changed
    since. Raises OSError if a file cannot be read; nothing fails because of the cache.
    """
    place = None if cache is None else _place(cache, modules)
    stream = None if place is None else _Gzip.kept(place)
    if stream is None:
        stream = _Gzip()
        _add(tarfile.TarFile(fileobj=stream, mode="w"), modules)
        stream.cut()
        if place is not None:
            with suppress(OSError):
                _keep(place, stream.to_keep())
    with tarfile.TarFile(fileobj=stream, mode="w") as tar:
        _add(tar, others)
    return stream.ended()


def hash_of_modules(made: bytes) -> str:
    """What tells the modules in an archive from others: hexadecimal, short for the manifest's sake."""
    start = len(HEADER % 0)
    return sha256(memoryview(made)[start : start + int(made[10:22])]).hexdigest()[:16]


def _add(tar: tarfile.TarFile, files: Iterable[Member]) -> None:
    """Add files, without their owners: to ask the system for names takes longer than to read the files."""
    for name, source in files:
        info = tarfile.TarInfo(name)
        info.mtime = TIME
        if isinstance(source, bytes):
            info.size = len(source)
            tar.addfile(info, BytesIO(source))
        else:
            with open(source, "rb") as file:
                found = os.fstat(file.fileno())
                info.size, info.mode = found.st_size, S_IMODE(found.st_mode)
                tar.addfile(info, file)


class _Gzip(BufferedIOBase):
    """A gzip file in the making: what tarfile writes to."""

    def __init__(self, made: bytes | memoryview = b"", checksum: int = 0, size: int = 0) -> None:
        self._made, self._checksum, self._size = bytearray(made), checksum, size
        self._end_of_modules = len(made)
        self._compressing = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def write(self, data: Any) -> int:
        """Add some bytes."""
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)
        self._made += self._compressing.compress(data)
        return len(data)

    def tell(self) -> int:
        """How many bytes there are, uncompressed."""
        return self._size

    def cut(self) -> None:
        """Have what comes after depend on nothing that is there, which are the modules."""
        self._made += self._compressing.flush(zlib.Z_FULL_FLUSH)
        self._end_of_modules = len(self._made)
        self._compressing = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def to_keep(self) -> bytes:
        """What `kept` goes on from; after `cut`."""
        content = KEPT_HEAD.pack(self._checksum, self._size) + self._made
        return _checksum(content) + content

    @classmethod
    def kept(cls, file: Path) -> _Gzip | None:
        """The one that was kept in a file; None if it is not there, or not whole."""
        try:
            kept = memoryview(file.read_bytes())  # a megabyte, not copied for each of its parts
        except OSError:
            return None
        own, content = kept[:4], kept[4:]
        if not content or _checksum(content) != own:
            return None
        return cls(content[KEPT_HEAD.size :], *KEPT_HEAD.unpack_from(content))

    def ended(self) -> bytes:
        """The whole file."""
        self._made += self._compressing.flush()
        self._made += struct.pack("<II", self._checksum, self._size & 0xFFFFFFFF)
        return HEADER % self._end_of_modules + self._made


def _checksum(content: bytes | memoryview) -> bytes:
    return struct.pack("<I", zlib.crc32(content))


def _place(cache: Path, files: Sequence[Member]) -> Path | None:
    """The same for the same files, unchanged; None if one of them is being worked on.

    Raises OSError if one is not there.
    """
    settled = time.time() - SETTLED
    found = [(name, str(source), os.stat(source)) for name, source in files]
    if max((each.st_ctime for _, _, each in found), default=0.0) > settled:
        return None
    # The time of the content is not enough: some installers set it to the same for all files of all releases.
    told = [
        (name, path, each.st_size, each.st_mtime_ns, each.st_ctime_ns, each.st_mode)
        for name, path, each in found
    ]
    made = repr((zlib.ZLIB_RUNTIME_VERSION, LEVEL, FORMAT, told))
    return cache / (PREFIX + sha256(made.encode()).hexdigest())


def _keep(place: Path, content: bytes) -> None:
    """Keep some bytes in a file, and of all that is kept beside it what was kept last."""
    cache = place.parent
    cache.mkdir(mode=0o700, exist_ok=True)
    save_private(place, content)
    for old in sorted(cache.glob(f"{PREFIX}*"), key=os.path.getmtime)[:-KEPT]:
        old.unlink(missing_ok=True)
