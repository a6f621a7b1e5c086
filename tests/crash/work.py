"""What the jobs of the crash tests do: a source with everything in it, and a task.

`fate_of` says what each line should become; the tasks ask it, so they cannot differ.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from oracle import BLANK, FAILED, FILTERED, Fate, line_of

KINDS = ("plain", "plain", "plain", "many", "none", "bad", "flaky", "empty", "unencodable")


def make_source(count: int, seed: int = 0) -> bytes:
    """`count` lines: records of every kind, and now and then a line that is none."""
    draw = random.Random(seed)
    lines = [_line(n, draw) for n in range(count)]
    return b"".join(lines)


def _line(n: int, draw: random.Random) -> bytes:
    chance = draw.random()
    if n > 1 and chance < 0.03:
        return b"\n"
    if n > 1 and chance < 0.05:
        return b'{"id": "r%d", broken\n' % n
    if n > 1 and chance < 0.07:
        return b'{"kind": "plain"}\n'
    kind = "plain" if n < 2 else draw.choice(KINDS)
    record = {"id": f"r{n:05d}", "kind": kind, "pad": 'ü",\n' * draw.randrange(10)}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def make_plain(count: int) -> bytes:
    return b"".join(b'{"id": "r%05d", "kind": "plain"}\n' % n for n in range(count))


def result_of(record: dict, part: int = 0, gen: int = 1) -> dict:
    return {"id": record["id"], "part": part, "gen": gen, "pad": record.get("pad", "") * 2}


def fate_of(seq: int, line: bytes, gen: int = 1) -> Fate:
    """What should become of this line of the source."""
    if not line.strip():
        return BLANK
    try:
        record = json.loads(line)
    except ValueError:
        return FAILED
    if "id" not in record or record["kind"] in ("bad", "unencodable"):
        return FAILED
    if record["kind"] == "none":
        return FILTERED
    parts = {"many": 3, "empty": 0}.get(record["kind"], 1)
    return [line_of(result_of(record, part, gen)) for part in range(parts)]


def answer(record: dict, attempt: int, gen: int = 1) -> object:
    """What the task returns for a record, or raises."""
    from batchmill import Transient

    kind = record["kind"]
    if kind == "bad":
        raise ValueError(f"{record['id']} is bad")
    if kind == "flaky" and attempt < 3:
        raise Transient(f"{record['id']} is not there yet")
    if kind == "none":
        return None
    if kind == "unencodable":
        return {"id": record["id"], "value": float("nan")}
    if kind in ("many", "empty"):
        return [result_of(record, part, gen) for part in range(3 if kind == "many" else 0)]
    return result_of(record, 0, gen)


FateOf = Callable[[int, bytes], Fate]


def marked(line: bytes) -> bytes:
    """A result with the mark that it is to be run again."""
    return json.dumps({**json.loads(line), "again": True}).encode() + b"\n"
