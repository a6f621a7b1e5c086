"""Do the claims hold? Counted afresh from the job's files and from the service's own books."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from make_input import BAD_ROWS

INPUT, OUTPUT, ERRORS = "ips.jsonl", "ips_enriched.jsonl", "ips_enriched.errors.jsonl"

REPEATS_ALLOWED = 1_000
"""A kill repeats what was in flight (50) or not yet committed (400 a second, committed twice a
second); the rest is room for a slow disk."""

Row = dict[str, Any]
Answers = dict[str, dict[str, int]]
"""By address: how often the service gave which answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    text: str
    holds: bool


def after_interrupt(folder: Path, answers: Answers) -> list[Claim]:
    """An interrupted run commits what was answered, so that no call is made twice."""
    written = Counter(row["ip"] for row in _rows(folder / OUTPUT))
    answered = Counter({ip: n["success"] for ip, n in answers.items() if "success" in n})
    return [
        Claim("it stopped in the middle", 0 < len(written) < len(_good_rows(folder))),
        Claim("every answer that it had received stands in the output, once", answered == written),
    ]


def after_all(folder: Path, answers: Answers) -> list[Claim]:
    good, written = _good_rows(folder), _rows(folder / OUTPUT)
    by_ip = {row["ip"]: row for row in written}
    once = Counter(row["ip"] for row in written) == Counter(row["ip"] for row in good)
    return [
        Claim("every address stands in the output exactly once, and nothing else", once),
        Claim(
            "every row kept its fields",
            all(by_ip.get(r["ip"], {}) | r == by_ip.get(r["ip"]) for r in good),
        ),
        Claim(
            "every row has its country and its network's owner",
            all({"country", "isp"} <= row.keys() for row in written),
        ),
        Claim(
            "the errors file holds the bad rows, once each, and nothing else",
            _dead_letters(folder) == Counter(BAD_ROWS),
        ),
        Claim(
            "the kill repeated no more calls than were in flight or uncommitted",
            repeats(answers) <= REPEATS_ALLOWED,
        ),
    ]


def repeats(answers: Answers) -> int:
    """Calls that succeeded although the address had been answered before."""
    return sum(max(0, n.get("success", 0) - 1) for n in answers.values())


def _good_rows(folder: Path) -> list[Row]:
    lines = (folder / INPUT).read_text().splitlines()
    return [json.loads(line) for line in lines if line not in BAD_ROWS]


def _dead_letters(folder: Path) -> Counter[str]:
    letters = _rows(folder / ERRORS)
    return Counter(json.dumps(x["record"]) if "record" in x else x["raw"] for x in letters)


def _rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text().splitlines()]
