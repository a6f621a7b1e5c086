"""What may lie on the disk after a power loss? A model of a disk that keeps only what was synced.

It plays back the record that the shim kept of a run. What was written and not yet synced may be
there or not, each sector of 512 bytes for itself; names (files made, renamed, deleted) whose folder
was not synced may be as before, but happen in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True)
class Call:
    """One call that changed something."""

    what: str
    inode: int
    path: str
    other: str
    offset: int
    data: bytes


def calls_in(log: bytes) -> Iterator[Call]:
    at = 0
    while at < len(log):
        end = log.index(b"\n", at)
        what, inode, path, other, offset, size = log[at:end].decode().split("\t")
        at = end + 1 + int(size)
        if what != "fired":
            yield Call(what, int(inode), path, other, int(offset), log[end + 1 : at])


@dataclass
class File:
    """What is safe of a file, and what was done to it since."""

    safe: bytes = b""
    unsafe: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        self.safe, self.unsafe = self.after(lambda: True), []

    def after(self, kept: Callable[[], bool]) -> bytes:
        """The content if of what is not safe only that is kept for which `kept()` says so."""
        content = bytearray(self.safe)
        for call in self.unsafe:
            if call.what == "truncate":
                if kept():
                    _resize(content, call.offset)
                continue
            for start, piece in _sectors(call):
                if kept():
                    _resize(content, max(len(content), start + len(piece)))
                    content[start : start + len(piece)] = piece
        return bytes(content)


def _resize(content: bytearray, length: int) -> None:
    del content[length:]
    content.extend(bytes(length - len(content)))


def _sectors(call: Call) -> Iterator[tuple[int, bytes]]:
    """The write, cut where one sector ends and the next begins."""
    start, end = call.offset, call.offset + len(call.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield start, call.data[start - call.offset : stop - call.offset]
        start = stop


@dataclass
class Disk:
    """The files of one folder."""

    names: dict[str, File] = field(default_factory=dict)
    """Names that are safe."""
    unsafe: list[tuple[str, str, File | None]] = field(default_factory=list)
    """What was done to names since: (made or deleted, name, the file)."""
    open: dict[int, File] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Disk:
        """A disk on which all that lies in the folder is safe."""
        disk = cls()
        for path in folder.iterdir():
            file = File(path.read_bytes())
            disk.names[str(path)] = disk.open[path.stat().st_ino] = file
        return disk

    def now(self) -> dict[str, File]:
        """The names as a running program sees them."""
        return self._after(len(self.unsafe))

    def _after(self, count: int) -> dict[str, File]:
        names = dict(self.names)
        for what, name, file in self.unsafe[:count]:
            if what == "made" and file is not None:
                names[name] = file
            else:
                names.pop(name, None)
        return names

    def do(self, call: Call) -> None:
        if call.what == "create":
            self.open[call.inode] = File()
            self.unsafe.append(("made", call.path, self.open[call.inode]))
        elif call.what in ("write", "truncate"):
            self.open[call.inode].unsafe.append(call)
        elif call.what == "sync" and call.inode in self.open:
            self.open[call.inode].sync()
        elif call.what == "sync":
            self.names, self.unsafe = self.now(), []
        else:
            self._move(call)

    def _move(self, call: Call) -> None:
        file = self.now().get(call.path)
        if call.what == "rename":
            self.unsafe.append(("made", call.other, file))
        self.unsafe.append(("deleted", call.path, None))

    def lose_power(self, draw: random.Random) -> dict[str, bytes]:
        """One of the states in which the disk may be found, drawn by chance."""
        names = self._after(draw.choice([0, len(self.unsafe), draw.randint(0, len(self.unsafe))]))
        share = draw.choice([0.0, 0.0, 1.0, 0.5, draw.random()])
        contents = {name: file.after(lambda: draw.random() < share) for name, file in names.items()}
        return {name: data for name, data in contents.items() if not name.endswith("-shm")}


def disks(start: Disk, log: bytes) -> Iterator[Disk]:
    """The disk before each call and after the last. It is one and the same: do not change it."""
    disk = deepcopy(start)
    yield disk
    for call in calls_in(log):
        disk.do(call)
        yield disk


def put(folder: Path, contents: dict[str, bytes]) -> None:
    """Make the folder hold just these files."""
    for path in folder.iterdir():
        path.unlink()
    for name, data in contents.items():
        (folder / Path(name).name).write_bytes(data)
