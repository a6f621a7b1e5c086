"""Is what a job left behind what it should have left? Asked without any help from batchmill.

Reads source, output, errors file and ledger as they lie on disk, and compares them with what a
pure function says each line of the source should have become.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BLANK, FILTERED, FAILED = "blank", "filtered", "failed"

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A folder in memory: what is copied to be looked at costs no disk. None for the usual one."""

Fate = str | list[bytes]
"""What should become of a line: BLANK, FILTERED, FAILED, or the lines of its results."""


@dataclass
class Verdict:
    """What was found wrong, in sentences. Empty lists are what is hoped for."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    calls: int = 0
    """Calls of the task that were seen, where they were written down."""
    settled: int = 0

    @property
    def problems(self) -> list[str]:
        return [*self.torn, *self.lost, *self.doubled, *self.strange, *self.miscounted]


UNKNOWN = 6
"""The code of a record that was settled under format 1."""


@dataclass
class State:
    """The ledger's tables, read with plain queries.

    From a copy: opening a ledger that a crash has left would already change it.
    """

    job: dict[str, Any]
    letters: dict[int, dict[str, Any]]
    codes: dict[int, bytes]

    @classmethod
    def read(cls, ledger: Path) -> State:
        with TemporaryDirectory(dir=MEMORY) as folder:
            for path in ledger.parent.glob(f"{ledger.name}*"):
                if path.name in (ledger.name, f"{ledger.name}-wal", f"{ledger.name}-journal"):
                    shutil.copy(path, folder)
            with closing(sqlite3.connect(Path(folder) / ledger.name)) as db:
                db.row_factory = sqlite3.Row
                job = db.execute("SELECT * FROM job").fetchone()
                letters = db.execute("SELECT * FROM dead_letters").fetchall()
                blocks = db.execute("SELECT * FROM outcomes ORDER BY block").fetchall()
        codes = {row["block"]: zlib.decompress(row["codes"]) for row in blocks}
        return cls(json.loads(job["state"]) if job else {},
                   {row["seq"]: dict(row) for row in letters}, codes)  # fmt: skip

    def code(self, seq: int) -> int:
        """What the ledger says became of this record; 0 if it has no outcome."""
        block, at = divmod(seq, 1 << 14)
        return self.codes[block][at] if block in self.codes else 0

    def holds(self, seq: int) -> bool:
        """Whether the ledger says that this record has an outcome."""
        return self.code(seq) > 0


def line_of(result: object) -> bytes:
    """A result as the sink should have written it."""
    return json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def check(
    source: Path | bytes,
    output: Path,
    fate_of: Callable[[int, bytes], Fate],
    *,
    complete: bool = True,
    ordered: bool = False,
    executions: Path | None = None,
    report: dict[str, Any] | None = None,
    unsure: bool = False,
) -> Verdict:
    """Compare everything with what `fate_of(seq, line)` says about each line of the source.

    `report` is what the last run said of itself. It may tell of less than there is if the run was
    `unsure`: of a commit whose last sync has failed nobody knows whether it stands.
    `complete`: the job has ended with nothing pending, and nothing of a crash may be left. If it
    has not, only what the ledger says is settled counts, up to the committed end of the output.
    """
    verdict = Verdict()
    lines = lines_of(source)
    state = State.read(ledger_of(output))
    fates = {n: fate_of(n, line) for n, line in enumerate(lines)}
    if is_csv(output):
        fates = {n: as_text(fate) for n, fate in fates.items()}
    settled = {n for n in fates if state.holds(n)}
    verdict.settled = len(settled)
    if complete:
        verdict.lost += [f"record {n} has no outcome" for n in fates if n not in settled]
    beyond = state.job["low_water"] - len(lines)
    if beyond > 0:
        verdict.strange.append(f"{beyond} records are settled that the source does not have")
    _check_output(verdict, output, state, fates, settled, complete=complete, ordered=ordered)
    _check_letters(verdict, state, lines, fates, settled)
    if complete:
        _check_errors_file(verdict, output, state)
    _check_counts(verdict, state, fates, settled)
    if report is not None:
        _check_report(verdict, report, fates, settled, unsure=unsure)
    if executions is not None:
        _check_calls(verdict, executions, fates, settled)
    return verdict


def ledger_of(output: Path) -> Path:
    return output.with_name(output.name.split(".")[0] + ".ledger")


def is_csv(output: Path) -> bool:
    return ".csv" in output.suffixes


def as_text(fate: Fate) -> Fate:
    """What a CSV file can tell of results: text, and nothing of an empty cell."""
    return fate if isinstance(fate, str) else [_cells(json.loads(line)) for line in fate]


def _cells(result: dict[str, Any]) -> bytes:
    return line_of({name: str(value) for name, value in result.items() if value != ""})


def csv_lines(text: bytes) -> list[bytes]:
    """The rows below the header, each as a line of JSON."""
    rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True))
    return [_cells(dict(zip(rows[0], row, strict=True))) for row in rows[1:]]


def lines_of(source: Path | bytes) -> list[bytes]:
    data = source if isinstance(source, bytes) else source.read_bytes()
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def plain(output: Path, data: bytes) -> bytes:
    if output.suffix == ".gz":
        return gzip.decompress(data) if data else b""
    if output.suffix == ".zst":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data


def _check_output(
    verdict: Verdict,
    output: Path,
    state: State,
    fates: dict[int, Fate],
    settled: set[int],
    *,
    complete: bool,
    ordered: bool,
) -> None:
    data = output.read_bytes() if output.exists() else b""
    length = state.job["output"]["length"]
    if len(data) < length or (complete and len(data) != length):
        verdict.torn.append(f"the output has {len(data)} bytes, and {length} were committed")
    data = data[:length]
    if zlib.crc32(data) != state.job["output"]["crc"]:
        verdict.torn.append("the output is not what the ledger's check says")
    try:
        text = plain(output, data)
    except Exception as error:
        verdict.torn.append(f"the output cannot be decompressed: {error!r}")
        return
    if text and not text.endswith(b"\n"):
        verdict.torn.append(f"the last line is torn: {text[-60:]!r}")
    try:
        found = csv_lines(text) if is_csv(output) else text.splitlines(keepends=True)
    except (csv.Error, ValueError) as error:
        verdict.torn.append(f"the output is no CSV: {error}")
        return
    _check_lines(verdict, found, fates, settled)
    if ordered and _expected(fates, settled) != found:
        verdict.strange.append("the results are not in the order of the input")


def _expected(fates: dict[int, Fate], settled: Iterable[int]) -> list[bytes]:
    fates_in_order = (fates[n] for n in sorted(settled))
    return [line for fate in fates_in_order if isinstance(fate, list) for line in fate]


def _check_lines(
    verdict: Verdict, found: list[bytes], fates: dict[int, Fate], settled: set[int]
) -> None:
    for line in found:
        try:
            json.loads(line)
        except ValueError:
            verdict.torn.append(f"no JSON: {line[:80]!r}")
    expected, there = Counter(_expected(fates, settled)), Counter(found)
    known = Counter(_expected(fates, fates))
    verdict.lost += [f"lost {n} of {line!r}" for line, n in (expected - there).items()]
    for line, n in (there - expected).items():
        (verdict.doubled if line in known else verdict.strange).append(f"{n} too many: {line!r}")


def _check_letters(
    verdict: Verdict, state: State, lines: list[bytes], fates: dict[int, Fate], settled: set[int]
) -> None:
    failed = {n for n in settled if fates[n] == FAILED}
    verdict.lost += [f"record {n} has no dead letter" for n in failed - state.letters.keys()]
    verdict.strange += [f"record {n} has a dead letter" for n in state.letters.keys() - failed]
    for n in failed & state.letters.keys():
        letter = state.letters[n]
        if letter["complete"] and letter["raw"] != lines[n]:
            verdict.strange.append(f"the dead letter of {n} holds {letter['raw'][:80]!r}")


def _check_errors_file(verdict: Verdict, output: Path, state: State) -> None:
    path = output.with_name(output.name.split(".")[0] + ".errors.jsonl")
    written = []
    for line in path.read_bytes().splitlines():
        try:
            written.append(json.loads(line)["seq"])
        except ValueError:
            verdict.torn.append(f"no JSON in the errors file: {line[:80]!r}")
    if sorted(written) != sorted(state.letters):
        verdict.strange.append(
            f"the errors file holds {sorted(written)}, the ledger {sorted(state.letters)}"
        )


def _check_counts(
    verdict: Verdict, state: State, fates: dict[int, Fate], settled: set[int]
) -> None:
    kinds = Counter(_kind(fates[n]) for n in settled)
    counts = state.job["counts"]
    for kind in ("succeeded", FILTERED, FAILED, BLANK):
        if counts[kind] != kinds[kind]:
            verdict.miscounted.append(f"{kind}: {kinds[kind]}, the ledger says {counts[kind]}")
    for n in sorted(settled):
        if state.code(n) not in (_code(fates[n]), UNKNOWN):
            verdict.miscounted.append(f"record {n} is {fates[n]!r}, its code is {state.code(n)}")


def _check_report(
    verdict: Verdict,
    report: dict[str, Any],
    fates: dict[int, Fate],
    settled: set[int],
    *,
    unsure: bool,
) -> None:
    kinds = Counter(_kind(fates[n]) for n in settled)
    for kind in ("succeeded", FILTERED, FAILED):
        said, there = report[kind], kinds[kind]
        if said > there or (said < there and not unsure):
            verdict.miscounted.append(f"{kind}: {there}, the report says {said}")
    parts = (report[kind] for kind in ("succeeded", FILTERED, FAILED, "pending"))
    if report["read"] != sum(parts):
        verdict.miscounted.append(f"the report does not add up: {report}")


def _code(fate: Fate) -> int:
    """The code of an outcome in the ledger."""
    if isinstance(fate, list):
        return 1 if fate else 2
    return {FILTERED: 3, FAILED: 4, BLANK: 5}[fate]


def _kind(fate: Fate) -> str:
    return fate if isinstance(fate, str) else "succeeded"


def _check_calls(
    verdict: Verdict, executions: Path, fates: dict[int, Fate], settled: set[int]
) -> None:
    calls = Counter(map(int, executions.read_bytes().split())) if executions.exists() else Counter()
    verdict.calls = sum(calls.values())
    for n in settled:
        called = isinstance(fates[n], list) or fates[n] == FILTERED
        if called and not calls[n]:
            verdict.strange.append(f"record {n} has an outcome and was never called")
