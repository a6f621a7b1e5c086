"""What others do to a file that is ours is noticed, and costs a look at its facts."""

from __future__ import annotations

import os
import zlib

import pytest

from batchmill.files import watched
from batchmill.files.watched import Watched

OURS = b"ours " * 100
CRC = zlib.crc32(OURS)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(OURS)
    return path


@pytest.fixture
def file(path):
    fd = os.open(path, os.O_RDWR)
    yield Watched(path, fd)
    os.close(fd)


@pytest.fixture
def reads(monkeypatch):
    """How often the content was read again."""
    made = []
    crc_of = watched.crc_of

    def counting(*args):
        made.append(args)
        return crc_of(*args)

    monkeypatch.setattr(watched, "crc_of", counting)
    return made


def later(path, ns=1_000_000):
    """As a change is seen that comes a little after the last."""
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + ns))


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    os.truncate(path, 7)


def edited(path):
    with path.open("r+b") as other:
        other.write(b"O")
    later(path)


def edited_and_its_time_put_back(path):
    before = path.stat()
    edited(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def appended(path):
    with path.open("ab") as other:
        other.write(b"foreign")


def emptied_and_filled_with_a_hole(path):
    os.truncate(path, 0)
    os.truncate(path, len(OURS))
    later(path)


def replaced(path):
    path.rename(path.with_name("old"))
    path.write_bytes(OURS)


def deleted(path):
    path.unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (emptied, "cut short by 500 bytes"),
        (cut, "cut short by 493 bytes"),
        (edited, "edited"),
        (edited_and_its_time_put_back, "edited"),
        (appended, "appended to (7 bytes)"),
        (emptied_and_filled_with_a_hole, "edited"),
        (replaced, "replaced or deleted"),
        (deleted, "replaced or deleted"),
    ],
)
def test_whatever_somebody_else_does_to_it_is_said(path, file, change, said):
    assert file.change(len(OURS), CRC) is None

    change(path)

    assert file.change(len(OURS), CRC) == said
    assert file.change(len(OURS), CRC) == said


def test_a_file_that_nobody_touched_is_not_read(file, reads):
    for _ in range(3):
        assert file.change(len(OURS), CRC) is None

    assert reads == []


def test_what_changes_only_the_facts_costs_one_reading(path, file, reads):
    later(path)
    path.chmod(0o640)

    assert [file.change(len(OURS), CRC) for _ in range(3)] == [None] * 3

    assert len(reads) == 1


def write_and_sync(file, path, *, late):
    """A write of ours, on a file system that sets the times when it syncs if they are `late`."""
    file.wrote(synced=False)
    if late:
        later(path)
    file.wrote(synced=True)


def test_a_file_system_that_sets_times_late_costs_one_reading_and_not_one_a_write(
    path, file, reads
):
    for _ in range(5):
        write_and_sync(file, path, late=True)
        assert file.change(len(OURS), CRC) is None

    assert len(reads) == 1


def test_a_change_that_comes_while_our_write_is_synced_is_noticed(path, file):
    file.wrote(synced=False)
    edited(path)
    file.wrote(synced=True)

    assert file.change(len(OURS), CRC) == "edited"
