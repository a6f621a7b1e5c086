"""A source that another program is writing: what it has written of the last record is no record."""

from __future__ import annotations

import json

import pytest

from batchmill import Job, run

WHOLE = {
    "in.jsonl": (b'{"n": 1}\n', b'{"n": "tw', b'o"}\n', b'{"n": 3}\n'),
    "in.csv": (b"a,b\n1,x\n", b'2,"of two\nli', b'nes"\n', b"3,z\n"),
    "in.tsv": (b"a\tb\n1\tx\n", b"2", b"\ty\n", b"3\tz\n"),
    "in.txt": (b"one\n", "zwö".encode()[:-1], "zwö".encode()[-1:] + b"lf\n", b"three\n"),
}


@pytest.fixture(params=WHOLE)
def growing(little, request):
    """A job whose source ends inside its second record, and what is written next."""
    little.source_name = request.param
    begun, half, rest, more = WHOLE[request.param]
    little.source.write_bytes(begun + half)
    return little, [rest, more]


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_a_half_written_record_is_left_to_the_run_that_finds_it_whole(growing):
    little, more = growing

    first = little.run()
    assert (first.state, first.exit_code) == ("incomplete", 4)
    assert "half-written" in first.reason
    assert (first.succeeded, first.failed, first.pending) == (1, 0, 0)

    append(little.source, b"".join(more))
    second = little.run()
    assert (second.state, second.called) == ("completed", 2)
    assert len(little.results()) == 3
    assert little.letters() == []


@pytest.mark.parametrize("growing", ["in.jsonl", "in.csv"], indirect=True)
def test_it_is_left_however_often_it_is_looked_at(growing):
    little, more = growing
    for byte in more[0]:
        assert little.run().failed == 0
        append(little.source, bytes([byte]))

    report = little.run()

    assert (report.state, report.succeeded) == ("completed", 2)


def test_in_a_file_that_nobody_writes_any_more_it_is_a_dead_letter(growing):
    little, _ = growing
    little.age()

    report = little.run()

    assert report.state == "completed"
    assert report.failed >= 1


def test_a_last_line_without_an_end_that_can_be_read_is_called(little):
    little.write({"n": 1}, {"n": 2}, end=b"")

    assert (little.run().state, little.run().succeeded) == ("completed", 2)


def test_blanks_at_the_end_of_a_file_are_no_half_written_record(little):
    little.write({"n": 1}, b"  ", end=b"")

    assert little.run().state == "completed"


@pytest.mark.parametrize("name", ["in.txt", "in.csv"])
def test_where_half_a_record_reads_like_a_whole_one_it_is_not_called_while_the_file_grows(
    little, name
):
    class Growing:
        """Somebody writes when the run has begun."""

        @staticmethod
        def on_startup(context):
            append(little.source, b"12,3")

        @staticmethod
        def process_record(record):
            return {"value": record}

    little.source_name = name
    little.source.write_bytes(b"a,b\n1,2\n")

    assert little.run(Growing()).state == "incomplete"
    append(little.source, b"4\n")
    assert little.run().state == "completed"

    assert "34" in json.dumps(little.results()[-1])


def test_only_the_last_of_several_files_can_be_half_written(tmp_path):
    (tmp_path / "1.jsonl").write_bytes(b'{"n": 1}\n{"n":')
    (tmp_path / "2.jsonl").write_bytes(b'{"n": 2}\n{"n":')

    report = run(Job(source=tmp_path / "?.jsonl", sink=tmp_path / "out.json",
                     task=lambda record: record, systemic_after=0))  # fmt: skip

    assert (report.state, report.succeeded, report.failed) == ("incomplete", 2, 1)


def test_a_run_that_no_other_follows_leaves_nothing(little):
    little.write({"n": 1}, b'{"n":', end=b"")

    report = run(Job(source=little.source, task=lambda record: record, systemic_after=0))

    assert (report.state, report.succeeded, report.failed) == ("completed", 1, 1)
