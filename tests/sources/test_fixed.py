"""Binary records of one size: by number, and as the source of a job."""

from __future__ import annotations

import gzip
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill import Job, run
from batchmill.errors import Changed, ConfigError
from batchmill.sources.fixed import FixedFiles, FixedRecords
from batchmill.testing import SourceContract


@pytest.fixture
def path(tmp_path):
    return tmp_path / "in.bin"


def number_of(record):
    return {"n": struct.unpack("<I", record)[0]}


def go(path, **options):
    return run(Job(source=path, source_format="fixed", source_options={"record_bytes": 4},
                   task=number_of, sink=path.with_name("out.jsonl"), **options))  # fmt: skip


@given(st.binary(max_size=60), st.integers(1, 9), st.data())
def test_any_record_is_had_by_its_number(tmp_path_factory, content, size, data):
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    whole = len(content) // size
    expected = [content[n * size : (n + 1) * size] for n in range(whole)]
    part = data.draw(st.slices(whole))

    with FixedRecords(path, size=size) as records:
        assert list(records) == expected
        assert len(records) == whole
        assert [records[n] for n in range(-whole, whole)] == [*expected, *expected]
        assert list(records[part]) == expected[part]
        assert records[part][:2].rest == records.rest == content[whole * size :]
        with pytest.raises(IndexError):
            records[whole]


def test_a_file_that_is_not_there_is_said(path):
    with pytest.raises(ConfigError, match="cannot be read"):
        FixedRecords(path, size=4)


def test_the_records_of_a_file_go_through_a_job(path):
    path.write_bytes(struct.pack("<100000I", *range(100_000)))

    go(path, limit=33_333)
    report = go(path)

    assert (report.state, report.succeeded) == ("completed", 100_000)


def test_a_record_that_is_cut_short_is_a_dead_letter_and_must_not_go_on(path):
    path.write_bytes(struct.pack("<2I", 1, 2) + b"\n\n")
    os.utime(path, (0, 0))
    report = go(path)
    assert (report.succeeded, report.failed) == (2, 1)

    with path.open("ab") as file:
        file.write(b"\n\n")
    with pytest.raises(Changed):
        go(path)


def test_a_file_that_grew_by_whole_records_goes_on(path):
    path.write_bytes(struct.pack("<2I", 1, 2))
    go(path)
    path.write_bytes(struct.pack("<3I", 1, 2, 3))

    assert go(path).called == 1


@pytest.mark.parametrize("size", [None, 0, "4", True])
def test_the_size_has_to_be_one(path, size):
    path.write_bytes(b"1234")
    options = {} if size is None else {"record_bytes": size}

    with pytest.raises(ConfigError, match="record_bytes"):
        run(Job(source=path, source_format="fixed", source_options=options, task=number_of))


class TestFixedFile(SourceContract):
    def make(self, folder, count):
        path = folder / "in.bin.gz"
        path.write_bytes(gzip.compress(bytes(777 * count)))
        return FixedFiles([path], record_bytes=777)
