"""A little job in a folder, run in this process through the public door."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchmill import Job, Report, Retry, run
from batchmill.events import Noted

QUICK = Retry(max_attempts=3, wait_min_s=0.001, wait_max_s=0.002)


@dataclass
class Little:
    """in.jsonl becomes out.jsonl; `called` counts what the tasks were called with, as JSON."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    called: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    source_name: str = "in.jsonl"
    sink_name: str = "out.jsonl"

    @property
    def source(self) -> Path:
        return self.folder / self.source_name

    @property
    def output(self) -> Path:
        return self.folder / self.sink_name

    @property
    def ledger(self) -> Path:
        return self.folder / "out.ledger"

    @property
    def errors(self) -> Path:
        return self.folder / "out.errors.jsonl"

    def on_event(self, event: object) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.message)

    def run(
        self, task: Any = None, *, restart: bool = False, adopt: bool = False, **options: Any
    ) -> Report:
        self.called.clear()
        given = {"systemic_after": 0, "retry": QUICK, **self.options, **options}
        job = Job(source=self.source, sink=self.output, task=task or self.echo, **given)
        return run(job, restart=restart, adopt=adopt, observers=[self])

    async def echo(self, record: Any) -> Any:
        self.called[json.dumps(record)] += 1
        return record if isinstance(record, dict) else {"value": record}

    def write(self, *lines: object, end: bytes = b"\n") -> None:
        """Make the source of these lines: bytes as they are, anything else as JSON."""
        encoded = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
        self.source.write_bytes(b"\n".join(encoded) + end)

    def age(self) -> None:
        """Have the source be of long ago, as one that nobody writes any more."""
        os.utime(self.source, (0, 0))

    def text(self) -> bytes:
        data = self.output.read_bytes()
        return gzip.decompress(data) if self.sink_name.endswith(".gz") else data

    def results(self) -> list[Any]:
        text = self.text()
        assert not text or text.endswith(b"\n")
        return [json.loads(line) for line in text.splitlines()]

    def letters(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.errors.read_bytes().splitlines()]

    def failed(self) -> dict[int, str]:
        """Type of error by seq."""
        return {letter["seq"]: letter["error"]["type"] for letter in self.letters()}


def adds_up(report: Report) -> bool:
    return report.read == report.succeeded + report.filtered + report.failed + report.pending
