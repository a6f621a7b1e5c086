"""Binary files of records of one size: as a source, and by number."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from ..errors import ConfigError
from ..options import require
from ..records import Mark
from .files import Bytes, Files
from .lines import LineReader, Place


class FixedRecords(Sequence[bytes]):
    """A file of records of `size` bytes each, as a sequence of bytes: any record by its number.

    The file is mapped into memory and not read: what is asked for is all that is fetched, and
    slices are sequences over the same file. It must not shrink while it is open; what is appended
    is not seen. Bytes at the end that make no whole record are in `rest`.

    Raises ConfigError for a file that is not there, and for sizes below one.
    """

    def __init__(self, path: str | os.PathLike[str], *, size: int) -> None:
        require_record_bytes("size", size)
        self.path = Path(path)
        self.size = size
        try:
            with open(self.path, "rb") as file:
                length = os.fstat(file.fileno()).st_size
                # An empty file cannot be mapped.
                self._data: Any = (
                    mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) if length else b""
                )
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}",
                              hint="look at the path") from None  # fmt: skip
        self._numbers = range(length // size)
        self._length = length

    @property
    def rest(self) -> bytes:
        """The beginning of a record at the end of the file, if there is one."""
        return bytes(self._data[self._length - self._length % self.size : self._length])

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> FixedRecords: ...
    def __getitem__(self, index: int | slice) -> bytes | FixedRecords:
        found = self._numbers[index]
        if isinstance(found, range):
            return self._over(found)
        return bytes(self._data[found * self.size : (found + 1) * self.size])

    def __iter__(self) -> Iterator[bytes]:
        data, size = self._data, self.size
        for number in self._numbers:
            yield bytes(data[number * size : (number + 1) * size])

    def _over(self, numbers: range) -> FixedRecords:
        part = object.__new__(FixedRecords)
        part.__dict__.update(self.__dict__, _numbers=numbers)
        return part

    def close(self) -> None:
        """Let the file go, for slices, too."""
        if isinstance(self._data, mmap.mmap):
            self._data.close()

    def __enter__(self) -> FixedRecords:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FixedRecords {len(self)} of {self.size} bytes in {self.path}>"


class FixedFiles(Files):
    """The records of files, in order. A file that ends inside a record gives a short one."""

    def __init__(self, paths: Sequence[Path], name: str = "", *, record_bytes: int) -> None:
        super().__init__(paths, name)
        self._size = record_bytes

    def newline(self, number: int) -> bytes:  # noqa: ARG002
        return b""

    def reader(self, number: int, stream: Bytes, mark: Mark, place: Place) -> LineReader:  # noqa: ARG002
        return FixedLines(stream, mark, self._size, place)


class FixedLines(LineReader):
    """Cuts a stream every so many bytes."""

    newline = b""

    def cut(self, data: bytes, *, final: bool) -> tuple[list[Any], int]:
        size = self._max
        length = len(data) if final else len(data) - len(data) % size
        return [data[at : at + size] for at in range(0, length, size)], length

    def begin(self, lines: list[Any]) -> list[Any]:
        return lines

    def is_open(self, data: bytes) -> bool:
        return len(data) % self._max != 0


def require_record_bytes(option: str, size: object) -> None:
    """Raise ConfigError for what is no size of a record."""
    sound = isinstance(size, int) and not isinstance(size, bool) and size > 0
    require(sound, option, size, "the bytes of a record, 1 or more")
