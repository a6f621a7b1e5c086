"""verify finds whatever does not agree, and nothing where all does."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace

import pytest

from batchmill import run
from batchmill.core.job_state import OutputEnd
from batchmill.ledger.sealed import put
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from small_jobs import KEY_OF, done, job, killed, mistaken, some_records, source_of, tamper, write


def findings(folder, *, output="out.jsonl", key="id", source=True):
    return verify(
        JobPaths.of(folder / output),
        source=source_of(folder) if source else None,
        key=key,
        key_of=KEY_OF if key else None,
    )


def wrong(folder, **options) -> dict[str, str]:
    return {f.check: f.text for f in findings(folder, **options) if f.verdict == "differs"}


def verdicts(folder, **options) -> dict[str, str]:
    return {f.check: f.verdict for f in findings(folder, **options)}


@pytest.mark.parametrize("output", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
def test_a_job_that_ended_agrees_in_everything(tmp_path, output):
    done(tmp_path, sink=tmp_path / output)

    assert set(verdicts(tmp_path, output=output).values()) == {"agrees"}


@pytest.mark.parametrize("output", ["out.jsonl", "out.jsonl.gz"])
def test_a_job_that_stopped_in_the_middle_agrees(tmp_path, output):
    write(tmp_path, *some_records())
    run(job(tmp_path, sink=tmp_path / output, limit=20))

    assert wrong(tmp_path, output=output) == {}


def test_a_job_that_was_killed_agrees(tmp_path):
    killed(tmp_path, after=25)

    assert wrong(tmp_path) == {}


def test_blank_lines_and_order_make_no_difference(tmp_path):
    lines = [json.dumps(record) for record in some_records()]
    (tmp_path / "in.jsonl").write_text("\n\n" + "\n \n".join(lines))
    run(job(tmp_path, order="input"))

    assert wrong(tmp_path) == {}


def append(path, data: bytes):
    with open(path, "ab") as file:
        file.write(data)


def unfinished(state):
    """As it is until the run has ended."""
    state.output_identity = {}


def test_a_tail_that_was_never_committed_is_a_note(tmp_path):
    paths = done(tmp_path)
    mistaken(paths.ledger, unfinished)
    append(paths.output, b'{"id": 99, "half')

    assert wrong(tmp_path) == {}
    assert [f.text[:8] for f in findings(tmp_path) if f.verdict == "note"] == ["16 bytes"]


def test_half_a_frame_behind_a_compressed_output_is_a_note(tmp_path):
    paths = done(tmp_path, sink=tmp_path / "out.jsonl.gz")
    mistaken(paths.ledger, unfinished)
    append(paths.output, gzip.compress(b"lost")[:9])

    assert wrong(tmp_path, output="out.jsonl.gz") == {}


def test_lines_that_somebody_added_to_an_ended_job_are_found(tmp_path):
    paths = done(tmp_path)
    append(paths.output, b'{"id": 99}\n')

    assert "11 bytes more" in wrong(tmp_path)["output"]


def test_an_edited_output_is_found(tmp_path):
    paths = done(tmp_path)
    paths.output.write_bytes(paths.output.read_bytes().replace(b"true", b"fals", 1))

    assert wrong(tmp_path).keys() == {"output"}
    assert "edited or damaged" in wrong(tmp_path)["output"]


def test_a_shortened_and_a_missing_output_are_found(tmp_path):
    paths = done(tmp_path)
    data = paths.output.read_bytes()

    paths.output.write_bytes(data[:-5])
    assert "5 bytes shorter" in wrong(tmp_path)["output"]

    paths.output.unlink()
    assert "is not there" in wrong(tmp_path)["output"]


def test_a_changed_and_a_missing_source_are_found(tmp_path):
    done(tmp_path)
    write(tmp_path, {"id": 1})
    assert "is not what it was" in wrong(tmp_path)["source"]

    (tmp_path / "in.jsonl").unlink()
    assert "cannot be read" in wrong(tmp_path)["source"]


def test_a_source_that_has_grown_agrees(tmp_path):
    done(tmp_path)
    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": 1}\n{"id": 1}\n')

    assert wrong(tmp_path) == {}


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE job SET number = number + 1", "ledger"),
        ("UPDATE job SET state = CAST(replace(state, ':10', ':11') AS BLOB)", "ledger"),
        ("UPDATE outcomes SET codes = zeroblob(100)", "ledger"),
        ("DELETE FROM outcomes", "ledger"),
        ("UPDATE dead_letters SET attempts = attempts + 1 WHERE seq = 2", "ledger"),
        ("UPDATE runs SET report = replace(report, '10', '11')", "ledger"),
        ("DELETE FROM dead_letters WHERE seq = 2", "dead letters"),
    ],
)  # fmt: skip
def test_a_ledger_whose_rows_are_not_what_was_written_is_found(tmp_path, statement, check):
    paths = done(tmp_path)
    tamper(paths.ledger, statement)

    assert check in wrong(tmp_path)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda state: setattr(state.counts, "succeeded", state.counts.succeeded + 1), "ledger"),
        (lambda state: setattr(state, "low_water", state.low_water - 1), "ledger"),
        (lambda state: setattr(state, "low_water", state.low_water + 1), "ledger"),
        (lambda state: state.counts.move("succeeded", "filtered"), "ledger"),
        (lambda state: setattr(state.output, "crc", state.output.crc + 1), "output"),
        (lambda state: setattr(state, "resume", replace(state.resume, seq=99)), "accounting"),
    ],
)
def test_a_ledger_that_does_not_add_up_is_found(tmp_path, change, check):
    paths = done(tmp_path)
    mistaken(paths.ledger, change)

    assert check in wrong(tmp_path)


def test_a_rerun_of_a_record_that_was_never_settled_is_found(tmp_path):
    paths = done(tmp_path)
    with closing(sqlite3.connect(paths.ledger)) as db, db:
        put(db, "reruns", [(1000, "1", b"", "succeeded", 0)])

    assert "dead letters" in wrong(tmp_path)


def test_a_ledger_whose_pages_are_damaged_is_found(tmp_path):
    paths = done(tmp_path)
    data = bytearray(paths.ledger.read_bytes())
    data[4096 * 2 : 4096 * 4] = b"\xff" * 4096 * 2
    paths.ledger.write_bytes(data)

    assert wrong(tmp_path).keys() == {"ledger"}


def recommit(paths: JobPaths, data: bytes, lines: int) -> None:
    """Make the ledger believe in another output, as a mistake in batchmill would."""
    paths.output.write_bytes(data)
    output = OutputEnd(len(data), zlib.crc32(data), len(data))
    mistaken(paths.ledger, lambda state: setattr(state, "output", output))


def test_a_record_that_was_written_twice_is_found(tmp_path):
    paths = done(tmp_path)
    lines = paths.output.read_bytes().splitlines(keepends=True)
    recommit(paths, b"".join([*lines, lines[0]]), len(lines) + 1)

    assert "1 results too many" in wrong(tmp_path)["keys"]


def test_lines_that_are_no_json_are_found(tmp_path):
    paths = done(tmp_path)
    recommit(paths, b'{"id": 1}\n{"id": 2\n', 2)

    assert "the first is line 2" in wrong(tmp_path)["lines"]


def test_results_that_are_lists_are_no_doubles(tmp_path):
    write(tmp_path, *({"id": n, "kind": "list"} for n in range(20)))
    run(job(tmp_path))

    keys = next(f for f in findings(tmp_path) if f.check == "keys")
    assert ("agrees", "no 'id' has more results than records; 20 of them have several lines") == (
        keys.verdict,
        keys.text,
    )


def test_several_records_of_one_key_may_have_as_many_results(tmp_path):
    write(tmp_path, *({"id": n % 3} for n in range(30)))
    run(job(tmp_path))

    assert verdicts(tmp_path)["keys"] == "agrees"


def items_of_orders(record):
    return [{"id": item} for item in range(3)]


def test_a_field_that_means_something_else_in_the_results_is_a_note(tmp_path):
    write(tmp_path, *({"id": n} for n in range(30)))
    run(job(tmp_path, task=items_of_orders))

    assert verdicts(tmp_path)["keys"] == "note"


def without_key(record):
    return {"other": record["id"]}


def test_results_without_the_key_are_a_note(tmp_path):
    write(tmp_path, *({"id": n} for n in range(30)))
    run(job(tmp_path, task=without_key))

    assert verdicts(tmp_path)["keys"] == "note"


def test_an_errors_file_that_is_behind_is_a_note(tmp_path):
    paths = done(tmp_path)
    lines = paths.errors.read_text().splitlines(keepends=True)

    for content in ("".join(lines[:-2]), "".join(lines) + '{"seq": 1}\n{"se', "nonsense\n"):
        paths.errors.write_text(content)
        assert verdicts(tmp_path)["errors file"] == "note"
    paths.errors.unlink()
    assert verdicts(tmp_path)["errors file"] == "note"


def test_what_is_not_known_is_skipped_and_said_to_be(tmp_path):
    done(tmp_path)

    found = verdicts(tmp_path, source=False)

    assert [check for check in found if found[check] == "skipped"] == ["source"]


def test_verifying_changes_nothing(tmp_path):
    done(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}

    findings(tmp_path)

    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()}


def test_a_rewrite_that_was_cut_short_is_a_note(tmp_path):
    paths = done(tmp_path)

    def rewrite(state):
        end = state.output
        state.rewriting = {"length": end.length, "crc": end.crc, "plain": end.plain}
        end.crc = 1

    mistaken(paths.ledger, rewrite)

    assert wrong(tmp_path) == {}
    assert "a rewrite is under way; the next run ends it" in [f.text for f in findings(tmp_path)]
