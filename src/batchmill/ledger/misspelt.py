"""Results whose key is a record's but for its spelling: they would be written a second time."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from ..errors import Changed

TABLE = """
CREATE TABLE alike (alike TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX keys_alike ON keys (alike);
"""
"""Records without a result that have one under a key that is alike, beside `keys`, the results."""


_WHOLE = re.compile(r"(-?)0*(\d+?)(\.0*)?")


def alike(key: Any) -> str:
    """What keys have in common that differ in type, case, spaces and leading zeros only."""
    text = str(key).strip().casefold()
    number = _WHOLE.fullmatch(text)
    return number[1] + number[2] if number else text


def suspect(keys: sqlite3.Connection, key: str | int) -> None:
    """Note a record that is to be called, if a result has a key that is alike."""
    likeness = alike(key)
    if keys.execute("SELECT 1 FROM keys WHERE alike = ? AND NOT taken", (likeness,)).fetchone():
        keys.execute("INSERT INTO alike VALUES (?, ?)", (likeness, json.dumps(key)))


def refuse_misspelt(keys: sqlite3.Connection, output: Path, key: str) -> None:
    """Raises Changed if a result that is no record's seems to be that of a suspect. To be asked
    when all records have been read, since the result may be another's."""
    query = "SELECT record, key FROM alike JOIN keys USING (alike) WHERE NOT taken LIMIT 1"
    row = keys.execute(query).fetchone()
    if row:
        raise Changed(
            f"the result of {row[0]} in {output} has {row[1]} as its {key!r}; if the record were"
            " called again, it would stand there twice",
            hint="have the task return the key as the record spells it, and begin anew with"
            " --restart, which keeps the old output",
        )
