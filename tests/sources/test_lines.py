"""Lines are cut out of a stream of bytes, wherever its pieces begin and end."""

from __future__ import annotations

import io
import json
import os
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchmill import Job, run
from batchmill.errors import Changed, SourceError
from batchmill.records import Mark, Oversized
from batchmill.sources import lines as lines_module
from batchmill.sources.jsonl import JsonlFile
from batchmill.sources.lines import HEAD_BYTES, LineReader


class Dribble:
    """A stream that gives its bytes in pieces of these lengths, over and over."""

    def __init__(self, data, lengths=(1 << 17,)):
        self._file = io.BytesIO(data)
        self._lengths = list(lengths)

    def read(self, size):
        self._lengths.append(self._lengths.pop(0))
        return self._file.read(min(size, self._lengths[-1]))


def blocks_of(data, lengths=(1 << 17,), limit=10**6, mark=None):
    return list(LineReader(Dribble(data, lengths), mark or Mark(), limit).blocks())


def records_of(blocks):
    return [record for block in blocks for record in block.records]


def expected(data, limit):
    """What a simple mind would do: split at newlines; the last line has no end."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line if len(line) <= limit else Oversized for line in lines]


texts = st.lists(st.sampled_from([b"", b"a", b"bc\r", b"\n", b"\n", b"\r\n", b"long" * 9, b"\xff"]),
                 max_size=40).map(b"".join)  # fmt: skip
pieces = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@settings(max_examples=300)
@given(texts, pieces, st.sampled_from([5, 20, 10**6]))
def test_the_lines_are_those_between_newlines_wherever_pieces_end(data, lengths, limit):
    records = records_of(blocks_of(b"x" + data, lengths, limit))

    wanted = expected(b"x" + data, limit)
    assert [type(r) if isinstance(r, Oversized) else r for r in records] == wanted


@settings(max_examples=300)
@given(texts, pieces, st.sampled_from([5, 20, 10**6]))
def test_every_mark_is_a_place_to_go_on_from(data, lengths, limit):
    data = b"x" + data
    blocks = blocks_of(data, lengths, limit)

    assert all(before.end == after.mark for before, after in pairwise(blocks))
    assert all(len(block.records) == block.end.seq - block.mark.seq > 0 for block in blocks)
    for end in [block.end for block in blocks]:
        assert end.crc == zlib.crc32(data[: end.offset])
        rest = records_of(blocks_of(data[end.offset :], lengths, limit, mark=end))
        assert len(rest) == len(records_of(blocks)) - end.seq
    if blocks:
        assert blocks[-1].end.offset == len(data)
        assert blocks[-1].end.open_line == (data[-1:] != b"\n")


def test_a_line_that_is_too_long_is_known_by_its_length_and_beginning():
    long = bytes(range(65, 91)) * 1000

    records = records_of(blocks_of(b"a\n" + long + b"\nb\n", (777,), limit=5000))

    assert records == [b"a", Oversized(len(long), long[:HEAD_BYTES]), b"b"]


@pytest.mark.parametrize("piece", [100, 1 << 17])
def test_the_length_of_a_line_that_is_too_long_is_told_without_its_end(piece):
    records = records_of(blocks_of(b"a\n" + b"x" * 6000 + b"\nb\n", (piece,), limit=5000))

    assert records[1].length == 6000


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_just_the_longest_length_is_a_record(end):
    assert records_of(blocks_of(b"x" * 5000 + end, (100,), limit=5000)) == [b"x" * 5000]


def test_memory_does_not_grow_with_a_line_that_is_too_long(monkeypatch):
    monkeypatch.setattr(lines_module, "READ_BYTES", 1000)
    most = 0

    class Watched(Dribble):
        def read(self, size):
            nonlocal most
            most = max(most, sum(map(len, reader._parts)))
            return super().read(size)

    reader = LineReader(Watched(b"x" * 10**6 + b"\n", (1000,)), Mark(), 5000)
    list(reader.blocks())

    assert most <= 6000


def test_a_byte_order_mark_is_no_part_of_the_first_record():
    assert records_of(blocks_of(b'\xef\xbb\xbf{"a":1}\n\xef\xbb\xbf{}\n')) == [
        b'{"a":1}',
        b"\xef\xbb\xbf{}",
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le",
                                      "utf-32-be"])  # fmt: skip
def test_other_encodings_are_known_before_any_record_is_called(encoding):
    with pytest.raises(SourceError, match="UTF-16"):
        blocks_of('{"id": 1}\n{"id": 2}\n'.encode(encoding))


@pytest.mark.parametrize("text", [b'[\n{"a":1},\n{"a":2}\n]\n', b'{\n"a": 1\n}\n', b"[\r\n1]\r\n"])
def test_a_document_over_several_lines_is_known_before_any_record_is_called(text):
    with pytest.raises(SourceError, match="JSON document"):
        blocks_of(text)


# Files, over several runs.


@pytest.fixture
def source(tmp_path):
    return tmp_path / "in.jsonl"


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "out.jsonl"


def ids(path):
    return sorted(json.loads(line)["id"] for line in path.read_text().splitlines())


def rerun(source, sink, **settings):
    return run(Job(source=source, task=lambda record: record, sink=sink, **settings))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("more", ["", "\n", '\n{"id":3}', '\n{"id":3}\n', '\r\n{"id":3}\r\n'])
def test_a_file_that_grew_goes_on_with_what_is_new(source, sink, end, more):
    source.write_text('{"id":1}\n{"id":2}' + end, newline="")
    rerun(source, sink)
    more = more.lstrip("\r\n") if end else more
    with open(source, "a", newline="") as file:
        file.write(more)

    report = rerun(source, sink)

    assert ids(sink) == ([1, 2, 3] if "3" in more else [1, 2])
    assert report.called == ("3" in more)
    assert report.state == "completed"


def test_a_last_line_that_was_not_at_its_end_when_it_was_read_is_refused(source, sink):
    source.write_text('{"id":1}\n{"id":2')
    os.utime(source, (0, 0))
    rerun(source, sink)
    with open(source, "a") as file:
        file.write("2}\n")

    with pytest.raises(Changed):
        rerun(source, sink)


@pytest.mark.parametrize("change", [
    lambda lines: [*lines[:10], '{"id":999}', *lines[11:]],
    lambda lines: ['{"id":999}', *lines],
    lambda lines: lines[1:],
    lambda lines: lines[::-1],
    lambda lines: lines[:5],
])  # fmt: skip
def test_a_file_that_was_changed_where_it_was_read_is_refused(source, sink, change):
    lines = [f'{{"id":{n}}}' for n in range(100)]
    source.write_text("\n".join(lines) + "\n")
    rerun(source, sink, limit=50)
    source.write_text("\n".join(change(lines)) + "\n")

    with pytest.raises(Changed):
        rerun(source, sink)

    assert len(ids(sink)) == 50


def test_blank_lines_are_no_records_and_are_counted_once(source, sink):
    source.write_text('\n{"id":1}\n\n   \n\r\n{"id":2}\n\n')

    for _ in range(2):
        report = rerun(source, sink)

        assert (report.read, report.succeeded, report.pending) == (2, 2, 0)
    assert report.state == "completed"


@pytest.mark.parametrize("limit", [1, 2])
def test_blank_lines_do_not_count_for_the_limit(source, sink, limit):
    source.write_text("\n" * 10 + '{"id":1}\n\n\n{"id":2}\n{"id":3}\n')

    rerun(source, sink, limit=limit)

    assert ids(sink) == [1, 2][:limit]


def test_how_much_of_a_file_is_done_is_known_and_not_when_it_is_gone(source):
    source.write_text('{"id":1}\n' * 10)
    file = JsonlFile(source)
    (block,) = file.blocks(Mark())

    assert file.fraction(Mark()) == 0
    assert file.fraction(block.end) == 1
    source.unlink()
    assert file.fraction(block.end) is None
