"""How is a file read whose bytes cannot be cut as they are, such as UTF-16?"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SourceError
from ..files.streams import FileStream, reading

_SKIP_BYTES = 1 << 20


class Recoded:
    """The text of a file in UTF-8. Offsets are those of the UTF-8; half a pair of surrogates stays
    what UTF-8 does not have, and so makes a bad record and not a bad file."""

    compressed = True

    def __init__(self, file: FileStream, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._encoding = encoding
        self._ready = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, b"" only at the end. Raises SourceError where nothing can be read."""
        while not self._ready and not self._ended:
            piece = self._file.read(size)
            self._ended = not piece
            self._ready = self._recode(piece)
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _recode(self, piece: bytes) -> bytes:
        try:
            return self._decoder.decode(piece, self._ended).encode("utf-8", "surrogatepass")
        except UnicodeError as error:
            raise SourceError(f"the source is not {self._encoding}: {error}",
                              hint="mend it, or set source.encoding to what it is",
                              ) from error  # fmt: skip

    def skip(self, offset: int) -> None:
        """Read up to `offset`."""
        while offset > 0:
            skipped = len(self.read(min(offset, _SKIP_BYTES)))
            if not skipped:
                raise SourceError(f"the source ended {offset} bytes before the place to go on")
            offset -= skipped

    def position(self) -> float | None:
        return self._file.position()


@contextmanager
def recoding(
    path: Path, encoding: str, offset: int = 0, seen: os.stat_result | None = None
) -> Iterator[Recoded]:
    """A Recoded at `offset`, closed at the end."""
    with reading(path, 0, seen) as file:
        stream = Recoded(file, encoding)
        stream.skip(offset)
        yield stream
