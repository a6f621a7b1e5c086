"""Ledger, output and source against each other: all is counted afresh, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import BatchmillError, SourceError
from ..paths import JobPaths
from ..protocols import Source
from ..records import OutcomeCode
from .reading import LedgerState, read_ledger
from .schema import FORMAT
from .verify_errors import compare_errors
from .verify_keys import compare_keys
from .verify_letters import compare_letters
from .verify_output import OutputFacts, measure_output

KeyOf = Callable[[Any], str | int | None]
Verdict = Literal["agrees", "note", "differs", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found. "differs" means that something is wrong, "skipped" that something
    was left out which could have been compared."""

    check: str
    verdict: Verdict
    text: str


def verify(
    paths: JobPaths, *, source: Source | None, key: str | None, key_of: KeyOf | None
) -> list[Finding]:
    """Compare all that a job has left behind, as of its last commit; one finding a check, or more.

    Without `source` the checks that need it are skipped, and that is a finding, too.
    Reads all of output and source. Writes nothing, raises nothing for what is wrong with them.
    """
    try:
        with read_ledger(paths.ledger) as ledger:
            return [*_verify(ledger, paths, source, key, key_of)]
    except BatchmillError as error:
        return [Finding("ledger", "differs", error.message)]


def _verify(
    ledger: LedgerState, paths: JobPaths, source: Source | None, key: str | None,
    key_of: KeyOf | None,
) -> Iterator[Finding]:  # fmt: skip
    problems = ledger.problems()
    yield _of("ledger", problems, "the file is sound")
    if problems:
        return
    yield _of("accounting", _accounting(ledger), _counts(ledger))
    yield _of("dead letters", _letters(ledger), f"{ledger.counts.failed:,}, one for each failed")
    reruns = ledger.reruns()
    if reruns:
        yield Finding("reruns", "note", f"{reruns:,} records are waiting to be run again")
    output = measure_output(ledger, paths.output)
    yield from _output(ledger, paths.output, output)
    held, finding = _source(ledger, source)
    yield finding
    if source is not None and held:
        yield _of(
            "records", compare_letters(ledger, source), "dead letters hold what the source has"
        )
    yield _keys(ledger, output, source if held else None, key, key_of)
    yield Finding("errors file", *compare_errors(ledger, paths.errors))


def _of(check: str, problems: list[str], fine: str) -> Finding:
    return Finding(check, "differs" if problems else "agrees", "; ".join(problems) or fine)


def _accounting(ledger: LedgerState) -> list[str]:
    """Whether counts, progress and what was read of the source say the same."""
    counts, progress, read = ledger.counts, ledger.progress, ledger.marks.extent.seq
    problems = []
    if progress.settled != counts.settled + counts.blank:
        problems.append(
            f"progress says that {progress.settled:,} records are settled, and the counts say"
            f" {counts.settled + counts.blank:,}"
        )
    if progress.end > read:
        problems.append(f"seq {progress.end - 1:,} is settled, and {read:,} records were read")
    if ledger.pending < 0:
        problems.append(f"{-ledger.pending:,} more records are settled than were read")
    if ledger.marks.resume.seq > progress.low_water:
        problems.append("reading would go on behind records that are pending")
    if min(counts.succeeded, counts.filtered, counts.failed, counts.blank) < 0:
        problems.append(f"a count is below zero: {counts}")
    return problems


def _counts(ledger: LedgerState) -> str:
    counts = ledger.counts
    read = counts.settled + ledger.pending
    return (
        f"{read:,} read = {counts.succeeded:,} succeeded + {counts.filtered:,} filtered"
        f" + {counts.failed:,} failed + {ledger.pending:,} pending"
    )


def _letters(ledger: LedgerState) -> list[str]:
    letters, stray, first = 0, 0, -1
    for seq in ledger.failed_seqs():
        letters += 1
        if seq not in ledger.progress:
            stray, first = stray + 1, first if stray else seq
    problems = []
    if letters != ledger.counts.failed:
        problems.append(f"there are {letters:,}, and {ledger.counts.failed:,} records failed")
    if stray:
        problems.append(f"{stray:,} are for records that are not settled, the first is seq {first}")
    unsettled = sum(seq not in ledger.progress for seq in ledger.rerun_seqs())
    if unsettled:
        problems.append(f"{unsettled:,} records are to be run again that were never settled")
    return problems


def _output(ledger: LedgerState, path: Path, found: OutputFacts) -> Iterator[Finding]:
    yield _of("output", found.problems, f"{found.length:,} bytes, as they were committed")
    if found.tail:
        yield Finding("output", "note", f"{found.tail:,} bytes behind the committed end come from a"
                      " commit that was cut short; the next run cuts them off")  # fmt: skip
    if found.rewriting:
        yield Finding("output", "note", "a rewrite is under way; the next run ends it")
    if not found.problems:
        succeeded = ledger.counts.succeeded
        fine = f"{found.rows:,} for {succeeded:,} succeeded, each of them {found.format.kind}"
        yield _of("lines", _rows(path, found, ledger.tally()), fine)


def _rows(path: Path, found: OutputFacts, tally: list[int]) -> list[str]:
    if found.bad_rows:
        word = "row" if found.format.kind == "CSV" else "line"
        first = f"{word} {found.first_bad:,}"
        return [f"{found.bad_rows:,} of {path} cannot be read, the first is {first}"]
    with_rows, unknown = tally[OutcomeCode.WITH_ROWS], tally[OutcomeCode.UNKNOWN]
    if found.rows < with_rows or (found.rows and not with_rows and not unknown):
        return [f"there are {found.rows:,}, and {with_rows:,} records have rows"]
    return []


def _source(ledger: LedgerState, source: Source | None) -> tuple[bool, Finding]:
    """Whether the source is what it was, as far as it was read."""
    if source is None:
        return False, _no_source(ledger)
    extent = ledger.marks.extent
    try:
        held = source.holds(extent)
    except (SourceError, OSError) as error:
        return False, Finding("source", "differs", str(getattr(error, "message", error)))
    if not held:
        return False, Finding("source", "differs", f"{source.name} is not what it was: records that"
                              " were read before are changed or gone")  # fmt: skip
    return True, Finding("source", "agrees",
                         f"the {extent.seq:,} lines that were read are what they were")  # fmt: skip


def _no_source(ledger: LedgerState) -> Finding:
    path = ledger.state.source_path
    if path:
        return Finding("source", "skipped", f"{path} is not there; say where it is with --input")
    if ledger.format < FORMAT:
        return Finding("source", "skipped", "which one it was is not known to this ledger; give it"
                       " with --input")  # fmt: skip
    return Finding("source", "note", "records came from Python, and cannot be read again")


def _keys(
    ledger: LedgerState,
    output: OutputFacts,
    source: Source | None,
    key: str | None,
    key_of: KeyOf | None,
) -> Finding:
    if key is None:
        return Finding("keys", "note", "the job has no key")
    if source is None or key_of is None or not output.sound:
        return Finding("keys", "note", "they need a source and an output that agree")
    return Finding("keys", *compare_keys(ledger, output, source, key, key_of))
