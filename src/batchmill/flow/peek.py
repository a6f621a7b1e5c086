"""What a raw record holds, looked at without calling it."""

from __future__ import annotations

from typing import Any, Literal

from ..protocols import Reader

Held = Literal["record", "blank", "broken"]


def held_by(raw: Any, reader: Reader) -> Held:
    """A record, nothing (a blank line), or what cannot be read. Costs as much as reading it."""
    try:
        reader.decode(raw)
    except Exception as error:
        return "blank" if reader.explain(error, raw) is None else "broken"
    return "record"
