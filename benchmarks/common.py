"""What the benchmarks share: made-up lines, children that report, medians in a table."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

WORDS = ["amber", "birch", "cedar", "dune", "ember", "fjord", "glade", "heath", "isle", "jetty"]


def make_lines(path: Path, count: int) -> None:
    """Write `count` JSON lines of about 165 bytes; the same ones every time."""
    draw = random.Random(count)
    with path.open("w") as file:
        for n in range(count):
            text = " ".join(draw.choices(WORDS, k=9))
            record = {
                "id": n,
                "ip": ".".join(str(draw.randrange(256)) for _ in range(4)),
                "user": f"user-{draw.randrange(10**8):08d}",
                "tags": draw.sample(WORDS, 2),
                "text": f"{text[:72]:.<72}",
            }
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def peak_mib() -> float:
    """The most memory this process has had, in MiB; `ru_maxrss` would count its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def child(script: str, *arguments: object) -> dict[str, Any]:
    """Run `script` with these arguments in a process of its own; it prints its figures as JSON."""
    command = [sys.executable, script, *map(str, arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def alternate(
    rounds: int, contenders: dict[str, Callable[[], dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Run the contenders in turn, so that a machine that slows down slows all of them."""
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            figures[name].append(measure())
    return figures


def median(figures: Sequence[dict[str, Any]], name: str) -> float:
    return statistics.median(figure[name] for figure in figures)


def ratios(reference: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], name: str) -> str:
    """Reference over other, round by round: median, and in brackets the range."""
    each = [one[name] / two[name] for one, two in zip(reference, other, strict=True)]
    return f"{statistics.median(each):.2f} [{min(each):.2f}-{max(each):.2f}]"
