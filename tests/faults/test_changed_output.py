"""An output that was edited by hand, marked, deleted, or taken away while the job runs."""

from __future__ import annotations

import gzip
import json

import pytest

from batchmill.errors import Changed

RECORDS = 12


@pytest.fixture
def done(little):
    little.options |= {"key": "id", "rerun_key": "again"}
    little.write(*[{"id": n} for n in range(RECORDS)])
    assert little.run(first).succeeded == RECORDS
    return little


async def first(record):
    return {"id": record["id"], "gen": 1}


class Second:
    """The task after the edit; it can be told to fail, or to give many results."""

    def __init__(self, *, fails=(), parts=1):
        self.fails, self.parts, self.calls = fails, parts, []

    async def process_record(self, record):
        self.calls.append(record["id"])
        if record["id"] in self.fails:
            raise ValueError("not now")
        results = [{"id": record["id"], "gen": 2} for _ in range(self.parts)]
        return results[0] if self.parts == 1 else results


def edit(little, change):
    rows = [json.loads(line) for line in little.text().splitlines()]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in change(rows))
    little.output.write_bytes(gzip.compress(data) if little.sink_name.endswith("gz") else data)


def mark(*ids, by=True):
    return lambda rows: [{**row, "again": by} if row["id"] in ids else row for row in rows]


def take_out(*ids):
    return lambda rows: [row for row in rows if row["id"] not in ids]


def generations(little):
    """How often each id stands in the output with each generation."""
    found = {}
    for row in little.results():
        found.setdefault(row["id"], []).append(row["gen"])
    return found


def expected(**other):
    """Generation 1 for every id but those that are given."""
    usual = {n: [1] for n in range(RECORDS)}
    return usual | {int(name[1:]): gens for name, gens in other.items()}


def test_a_line_that_was_deleted_is_called_again(done):
    edit(done, take_out(3, 7))
    task = Second()

    report = done.run(task)

    assert sorted(task.calls) == [3, 7]
    assert generations(done) == expected(_3=[2], _7=[2])
    assert (report.succeeded, report.pending) == (RECORDS, 0)


def test_a_line_that_was_changed_stays_as_it_was_changed(done):
    edit(done, lambda rows: [{**row, "note": "by hand"} if row["id"] == 3 else row for row in rows])
    task = Second()

    done.run(task)

    assert task.calls == []
    assert [row["id"] for row in done.results() if "note" in row] == [3]
    assert generations(done) == expected()


@pytest.mark.parametrize("mark_is", [True, 1, "yes", {"why": "wrong"}])
def test_a_marked_line_is_replaced_and_not_doubled(done, mark_is):
    edit(done, mark(2, 9, by=mark_is))
    task = Second()

    report = done.run(task)

    assert sorted(task.calls) == [2, 9]
    assert generations(done) == expected(_2=[2], _9=[2])
    assert (report.read, report.succeeded) == (RECORDS, RECORDS)
    assert done.run(task).called == 0
    assert generations(done) == expected(_2=[2], _9=[2])


@pytest.mark.parametrize("mark_is", [False, None, 0, ""])
def test_a_mark_that_says_no_is_none(done, mark_is):
    edit(done, mark(2, by=mark_is))
    task = Second()

    done.run(task)

    assert task.calls == []


def test_a_marked_line_stays_until_its_replacement_is_there(done):
    edit(done, mark(2, 9))

    report = done.run(Second(fails={2}))

    assert generations(done) == expected(_9=[2])
    assert report.exit_code == 3
    assert (report.succeeded, report.failed) == (RECORDS, 0)
    done.run(Second())
    assert generations(done) == expected(_2=[2], _9=[2])


def test_a_marked_line_may_be_replaced_by_many_and_many_by_one(done):
    edit(done, mark(2, 9))
    done.run(Second(parts=3))
    assert generations(done) == expected(_2=[2, 2, 2], _9=[2, 2, 2])
    edit(done, mark(9))

    done.run(Second())

    assert generations(done) == expected(_2=[2, 2, 2], _9=[2])


def test_a_rerun_that_is_filtered_takes_the_old_line_away(done):
    edit(done, mark(2))

    async def filter_out(record):
        return None

    report = done.run(filter_out)

    assert generations(done) == {n: [1] for n in range(RECORDS) if n != 2}
    assert (report.succeeded, report.filtered) == (RECORDS - 1, 1)


@pytest.mark.parametrize("edits", [2, 3])
def test_lines_may_be_marked_again_and_again(done, edits):
    for _ in range(edits):
        edit(done, mark(5))
        done.run(Second())

    assert generations(done) == expected(_5=[2])


def test_an_edited_output_that_is_compressed_is_taken_up_in_the_same_way(little):
    little.options |= {"key": "id", "rerun_key": "again"}
    little.sink_name = "out.jsonl.gz"
    little.write(*[{"id": n} for n in range(RECORDS)])
    little.run(first)
    edit(little, lambda rows: take_out(3)(mark(2)(rows)))

    little.run(Second())

    assert generations(little) == expected(_2=[2], _3=[2])


def test_records_that_share_a_key_are_all_replaced_and_none_is_lost(little):
    """Marked, one of them fails at first; meanwhile another line is taken out before them."""
    little.options |= {"key": "id", "rerun_key": "again"}
    little.write(
        {"id": "x", "n": 0}, *[{"id": "k", "n": n} for n in (1, 2, 3)], {"id": "y", "n": 4}
    )

    def task(gen, fails=()):
        async def process_record(record):
            if record["n"] in fails:
                raise ValueError("not now")
            return {"id": record["id"], "n": record["n"], "gen": gen, "pad": "-" * gen * 20}

        return process_record

    little.run(task(1), concurrency=1)
    edit(little, mark("x", "k"))
    little.run(task(2, fails={2}), concurrency=1)
    assert {row["n"] for row in little.results()} == {0, 1, 2, 3, 4}
    little.run(task(3), concurrency=1)

    found = sorted((row["n"], row["gen"]) for row in little.results())
    assert [n for n, _ in found] == [0, 1, 2, 3, 4]
    assert dict(found)[0] == 2
    assert dict(found)[2] == 3
    assert dict(found)[4] == 1


def test_an_output_that_was_deleted_is_made_anew(done):
    done.output.unlink()
    task = Second()

    report = done.run(task)

    assert sorted(task.calls) == list(range(RECORDS))
    assert generations(done) == {n: [2] for n in range(RECORDS)}
    assert report.succeeded == RECORDS


def test_lines_that_were_added_by_hand_are_not_thrown_away(done):
    done.output.write_bytes(done.text() + b'{"id": 77, "gen": 7}\n')

    done.run(Second())

    assert generations(done) == expected() | {77: [7]}


def test_lines_that_are_no_json_are_taken_out_and_their_records_called_again(done):
    rows = done.text().splitlines(keepends=True)
    lost = {json.loads(row)["id"] for row in (rows[4], rows[-1])}
    rows[4] = rows[4][:7] + b"\n"
    rows[-1] = rows[-1][:-4]
    done.output.write_bytes(b"".join(rows))
    task = Second()

    done.run(task)

    assert set(task.calls) == lost
    assert generations(done) == {n: [2 if n in lost else 1] for n in range(RECORDS)}


def test_a_last_line_whose_end_was_cut_off_by_an_editor_gets_it_back(done):
    done.output.write_bytes(done.text()[:-1])
    done.source.write_bytes(done.source.read_bytes() + b'{"id": 50}\n')

    done.run(Second())

    assert generations(done) == expected() | {50: [2]}


def test_an_output_with_other_line_ends_is_still_the_same(done):
    done.output.write_bytes(done.text().replace(b"\n", b"\r\n"))
    task = Second()

    done.run(task)

    assert task.calls == []
    assert generations(done) == expected()


def test_a_line_without_the_key_is_refused_and_named(done):
    before = done.text() + b'{"no": "key"}\n'
    done.output.write_bytes(before)

    with pytest.raises(Changed, match=f"line {RECORDS + 1} "):
        done.run(Second())

    assert done.text() == before


@pytest.mark.parametrize("change", [take_out(3), mark(3)])
def test_without_a_key_an_edited_output_is_refused_and_stays_as_it_is(little, change):
    little.write(*[{"id": n} for n in range(RECORDS)])
    little.run(first)
    edit(little, change)
    before = little.text()

    for _ in range(2):
        with pytest.raises(Changed):
            little.run(first)

    assert little.text() == before


@pytest.mark.parametrize("edited", [mark(3), take_out(3)])
def test_an_output_may_be_edited_after_a_run_that_was_interrupted(done, edited):
    edit(done, mark(1))
    done.run(Second(), limit=0)
    edit(done, edited)

    done.run(Second())

    assert generations(done) == expected(_1=[2], _3=[2])


# While the job runs.


@pytest.mark.parametrize("instead", [None, b"", b"something else\n"])
def test_an_output_that_is_taken_away_while_the_job_runs_stops_it(little, instead):
    little.options["key"] = "id"
    little.write(*[{"id": n} for n in range(3000)])

    async def task(record):
        if record["id"] == 1500:
            little.output.rename(little.folder / "kept")
            if instead is not None:
                little.output.write_bytes(instead)
        return record

    report = little.run(task, concurrency=1, commit_every_s=0)

    assert (report.state, report.exit_code) == ("aborted", 1)
    assert "replaced or deleted" in report.reason
    assert len((little.folder / "kept").read_bytes().splitlines()) == report.succeeded
    (little.folder / "kept").replace(little.output)
    assert little.run().state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(3000))


def test_an_output_that_is_taken_away_during_the_last_call_is_said(little):
    little.write({"id": 1}, {"id": 2})

    async def task(record):
        if record["id"] == 2:
            little.output.unlink()
        return

    report = little.run(task, concurrency=1)

    assert report.state == "aborted"
    assert "replaced or deleted" in report.reason


def test_a_folder_that_is_taken_away_while_the_job_runs_is_a_sentence(little, tmp_path):
    (tmp_path / "sub").mkdir()
    little.write({"id": 1}, b"bad", {"id": 2})
    little.sink_name = "sub/out.jsonl"

    async def task(record):
        if (tmp_path / "sub").exists():
            (tmp_path / "sub").rename(tmp_path / "gone")
        return record

    report = little.run(task, concurrency=1)

    assert report.state == "aborted"
    assert "hint: " in report.reason
    (tmp_path / "gone").rename(tmp_path / "sub")
    assert little.run().succeeded == 2
