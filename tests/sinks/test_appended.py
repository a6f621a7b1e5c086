"""Results are appended at the committed end, whole or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import Changed, CommitFailed
from batchmill.files.streams import reading
from batchmill.records import Region
from batchmill.sinks import appended
from batchmill.sinks.appended import AppendedFile, compressor_for


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


@pytest.fixture
def sink(path):
    sink = AppendedFile(path)
    sink.open(0, 0)
    yield sink
    sink.close()


def content(path):
    with reading(path) as stream:
        parts = []
        while part := stream.read(1 << 16):
            parts.append(part)
    return b"".join(parts)


class FullAfter:
    """A disk that takes so many bytes in all, a few at a time, and then no more."""

    def __init__(self, room, error=errno.ENOSPC):
        self.room = room
        self.error = error

    def pwrite(self, fd, data, offset):
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        taken = min(self.room, 3, len(data))
        self.room -= taken
        return self.really(fd, bytes(data[:taken]), offset)


@pytest.fixture
def disk(monkeypatch):
    """Lets a test put another disk under the sink."""

    def put(disk):
        disk.really = os.pwrite
        monkeypatch.setattr(os, "pwrite", disk.pwrite)

    return put


@given(st.lists(st.lists(st.binary(max_size=30), max_size=4), max_size=6))
def test_regions_follow_each_other_and_their_check_is_that_of_all_before(tmp_path_factory, commits):
    path = tmp_path_factory.mktemp("sink") / "out"
    sink = AppendedFile(path)
    sink.open(0, 0)

    whole = b""
    for chunks in commits:
        start, whole = len(whole), whole + b"".join(chunks)
        assert sink.append(chunks) == Region(start, len(whole) - start, zlib.crc32(whole))

    sink.close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_after_every_commit_the_file_is_whole(tmp_path, suffix):
    path = tmp_path / f"out.jsonl{suffix}"
    sink = AppendedFile(path, compressor_for(path))
    sink.open(0, 0)

    lines = b""
    for n in range(5):
        region = sink.append([b"%d\n" % n, b"again %d\n" % n])
        lines += b"%d\nagain %d\n" % (n, n)
        assert content(path) == lines
        assert region.start + region.length == path.stat().st_size
        assert region.crc == zlib.crc32(path.read_bytes())
    sink.append([])

    assert content(path) == lines
    sink.close()


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_what_lies_behind_the_committed_end_is_cut_off_and_writing_goes_on_there(tmp_path, suffix):
    path = tmp_path / f"out.jsonl{suffix}"
    first = AppendedFile(path, compressor_for(path))
    first.open(0, 0)
    region = first.append([b"kept\n"])
    first.append([b"not committed\n"])
    first.close()

    again = AppendedFile(path, compressor_for(path))
    cut = again.open(region.length, region.crc)
    after = again.append([b"new\n"])
    again.close()

    assert cut > 0
    assert content(path) == b"kept\nnew\n"
    assert after.crc == zlib.crc32(path.read_bytes())


def test_a_file_that_is_shorter_than_what_was_committed_is_refused_as_it_is(path):
    path.write_bytes(b"abc")

    with pytest.raises(Changed, match="2 bytes shorter"):
        AppendedFile(path).open(5, 0)

    assert path.read_bytes() == b"abc"


def test_short_writes_are_completed(sink, path, disk):
    disk(FullAfter(10**6))

    region = sink.append([b"0123456789" * 10])

    assert region.length == 100
    assert path.read_bytes() == b"0123456789" * 10


@pytest.mark.parametrize("room", [0, 1, 7])
def test_a_full_disk_leaves_the_file_as_it_was_committed(sink, path, disk, room):
    sink.append([b"kept\n"])
    disk(FullAfter(room))

    with pytest.raises(CommitFailed, match="No space left"):
        sink.append([b"0123456789"])

    assert path.read_bytes() == b"kept\n"


def test_a_full_disk_says_how_much_is_free_and_what_to_do(sink, disk):
    disk(FullAfter(0))

    with pytest.raises(CommitFailed) as caught:
        sink.append([b"x"])

    assert "make room" in caught.value.hint
    assert "MB are free" in caught.value.hint


def test_a_disk_that_fails_is_an_error_and_nothing_counts(sink, path, disk):
    sink.append([b"kept\n"])
    failing = FullAfter(4, errno.EIO)
    disk(failing)

    with pytest.raises(CommitFailed, match="Input/output"):
        sink.append([b"0123456789"])

    sink.close()
    failing.room = 10**6
    again = AppendedFile(path)
    again.open(5, zlib.crc32(b"kept\n"))
    assert again.append([b"new\n"]).start == 5
    again.close()
    assert path.read_bytes() == b"kept\nnew\n"


def test_a_sync_that_fails_is_an_error(sink, monkeypatch):
    def failing(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(appended, "sync_data", failing)

    with pytest.raises(CommitFailed):
        sink.append([b"x"])


def test_every_append_is_synced_before_it_counts(sink, path, monkeypatch):
    lengths = []
    monkeypatch.setattr(appended, "sync_data", lambda fd: lengths.append(os.fstat(fd).st_size))

    sink.append([b"abc"])
    sink.append([b"de"])

    assert lengths == [3, 5]


@pytest.mark.parametrize("change", ["deleted", "replaced", "moved"])
def test_a_file_that_is_taken_away_while_the_job_runs_is_an_error(sink, path, change):
    sink.append([b"kept\n"])
    if change == "replaced":
        path.with_name("other").write_bytes(b"kept\n")
        os.replace(path.with_name("other"), path)
    elif change == "moved":
        os.replace(path, path.with_name("elsewhere"))
    else:
        path.unlink()

    with pytest.raises(CommitFailed, match="replaced or deleted"):
        sink.append([b"lost\n"])


def test_a_folder_in_place_of_the_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CommitFailed, match=str(tmp_path)):
        AppendedFile(tmp_path).open(0, 0)


def test_it_may_be_closed_twice_and_without_having_been_opened(path):
    sink = AppendedFile(path)
    sink.close()
    sink.open(0, 0)
    sink.close()
    sink.close()


def test_members_are_readable_by_pythons_own_gzip(tmp_path):
    path = tmp_path / "out.jsonl.gz"
    sink = AppendedFile(path, compressor_for(path))
    sink.open(0, 0)
    for n in range(3):
        sink.append([b"%d\n" % n])
    sink.close()

    assert gzip.decompress(path.read_bytes()) == b"0\n1\n2\n"


def test_the_same_results_make_the_same_bytes(tmp_path):
    for name in ("out.gz", "out.zst"):
        compress = compressor_for(tmp_path / name)
        assert compress(b"abc" * 100) == compress(b"abc" * 100)
