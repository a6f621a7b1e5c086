"""Results as lines of JSON."""

from __future__ import annotations

from ..records import Columns
from .encode import encode_result


class JsonWriter:
    """A line for every result."""

    columns: Columns | None = None
    empty: bytes | None = b""
    join = b"".join
    encode = staticmethod(encode_result)
