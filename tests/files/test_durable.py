"""Bytes are written where they belong, however short the writes, and what fails says what to do."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchmill.errors import CommitFailed
from batchmill.files import durable
from batchmill.files.durable import commit_failed, sync_data, sync_folder, write_at, writing


@pytest.fixture
def fd(tmp_path):
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


class ShortWrites:
    """A disk that takes a few bytes at a time."""

    def __init__(self, most):
        self._most = most
        self._really = os.pwrite
        self.calls = 0

    def pwrite(self, fd, data, offset):
        self.calls += 1
        return self._really(fd, bytes(data[: self._most]), offset)


@given(data=st.binary(max_size=50), offset=st.integers(0, 20), most=st.integers(1, 60))
def test_all_is_written_at_its_place_however_short_each_write_falls(
    tmp_path_factory, data, offset, most
):
    path = tmp_path_factory.mktemp("durable") / "out"
    path.write_bytes(b"." * 20)
    disk = ShortWrites(most)

    with path.open("r+b") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", disk.pwrite)
        write_at(file.fileno(), data, offset)

    assert (b"." * 20)[:offset] + data + (b"." * 20)[offset + len(data) :] == path.read_bytes()
    assert -(-len(data) // most) == disk.calls


def test_the_position_of_the_file_is_neither_used_nor_changed(fd):
    os.write(fd, b"0123456789")
    os.lseek(fd, 3, os.SEEK_SET)

    write_at(fd, b"ab", 8)

    assert 3 == os.lseek(fd, 0, os.SEEK_CUR)
    assert b"01234567ab" == os.pread(fd, 100, 0)


def test_a_write_that_fails_half_way_is_not_gone_on_with(fd, monkeypatch):
    disk = ShortWrites(2)

    def full(fd, data, offset):
        if offset >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return disk.pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", full)

    with pytest.raises(OSError, match="No space left"):
        write_at(fd, b"abcdefgh", 0)
    assert b"abcd" == os.pread(fd, 100, 0)


def test_data_is_synced_also_where_there_is_no_fdatasync(fd, monkeypatch):
    synced = []
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(os, "fsync", synced.append)

    sync_data(fd)

    assert [fd] == synced


def test_a_sync_that_fails_is_not_passed_over(fd, tmp_path):
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_data(999_999)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "out")


def test_syncing_a_folder_leaves_no_descriptor_open(tmp_path, monkeypatch):
    before = os.listdir("/proc/self/fd")
    sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", broken)

    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(tmp_path)

    assert len(before) == len(os.listdir("/proc/self/fd"))


def broken(fd):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_the_room_that_is_left(tmp_path, number):
    error = commit_failed(tmp_path / "out", OSError(number, os.strerror(number)))

    assert f"{tmp_path / 'out'} cannot be written: {os.strerror(number)}" == error.message
    assert " MB are free; make room and run again" in error.hint


def test_a_full_disk_that_is_gone_as_well_is_told_without_the_room(tmp_path):
    error = commit_failed(tmp_path / "nowhere" / "out", OSError(errno.ENOSPC, "full"))

    assert "make room and run again: everything committed so far stands" == error.hint


def test_any_other_error_of_the_disk_is_to_be_mended(tmp_path):
    with pytest.raises(CommitFailed) as caught, writing(tmp_path / "out"):
        broken(0)

    assert f"{tmp_path / 'out'} cannot be written: Input/output error" == caught.value.message
    assert "mend the cause and run again: everything committed so far stands" == caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_without_a_text_of_the_system_is_told_in_its_own_words(tmp_path):
    assert "gone away" in commit_failed(tmp_path, OSError("gone away")).message


def test_what_is_no_error_of_the_disk_passes_as_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "out"):
        _ = 1 / 0


def test_only_what_the_system_calls_full_is_full():
    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} == durable._FULL
