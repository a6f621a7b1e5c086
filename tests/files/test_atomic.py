"""A file is there whole or not at all: after an exception, a full disk, a kill, a power loss."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import stat
import subprocess
import sys

import pytest

from batchmill import atomic_write
from batchmill.files.atomic import unfinished
from crash.power import Disk, calls_in, disks
from crash.starter import shim

OLD = b"old " * 300
NEW = b"new " * 700


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def write(path, data=NEW):
    with atomic_write(path) as file:
        file.write(data)


def break_off(path, error):
    with atomic_write(path) as file:
        file.write(NEW)
        raise error


def test_the_file_is_not_seen_before_it_is_complete(path):
    with atomic_write(path) as file:
        file.write(NEW)
        file.flush()
        assert not path.exists()

    assert NEW == path.read_bytes()
    assert ["out.json"] == names(path.parent)


def test_whoever_has_the_old_file_open_reads_it_to_its_end(path):
    path.write_bytes(OLD)

    with path.open("rb") as reader:
        first = reader.read(10)
        write(path)
        assert OLD == first + reader.read()

    assert NEW == path.read_bytes()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(path, error):
    path.write_bytes(OLD)

    with pytest.raises(error):
        break_off(path, error)

    assert OLD == path.read_bytes()
    assert ["out.json"] == names(path.parent)


def test_an_exception_leaves_nothing_where_there_was_nothing(path):
    with pytest.raises(ValueError, match="no"):
        break_off(path, ValueError("no"))

    assert [] == names(path.parent)


def test_a_file_that_the_block_closed_does_not_take_the_place_of_the_old_one(path):
    path.write_bytes(OLD)

    with pytest.raises(ValueError, match="closed file"), atomic_write(path) as file:
        file.close()

    assert OLD == path.read_bytes()
    assert ["out.json"] == names(path.parent)


def test_text_is_written_through_a_wrapper_that_lets_go_of_the_file(path):
    with atomic_write(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        json.dump({"ä": "💥\r\n"}, text, ensure_ascii=False)
        text.detach()

    assert {"ä": "💥\r\n"} == json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_the_permissions_of_the_old_file_are_kept(path, mode):
    path.write_bytes(OLD)
    path.chmod(mode)

    write(path)

    assert mode == mode_of(path)


def test_a_new_file_has_the_permissions_that_any_new_file_has(path, tmp_path):
    other = tmp_path / "other"
    other.touch()

    write(path)

    assert mode_of(other) == mode_of(path)


def test_writers_in_threads_leave_the_umask_as_it_is(path, monkeypatch):
    """It is the whole process's, even where it is set only to be looked up."""

    def setting(mask):
        raise AssertionError("the umask was set")

    monkeypatch.setattr(os, "umask", setting)

    write(path)

    assert NEW == path.read_bytes()


def test_nobody_else_can_read_the_file_while_it_is_written(path):
    with atomic_write(path):
        (unfinished,) = path.parent.iterdir()
        assert 0o600 == mode_of(unfinished)


def test_what_is_unfinished_is_hidden_from_a_glob(path):
    with atomic_write(path) as file:
        file.write(NEW)
        assert [] == list(path.parent.glob("[!.]*"))


def test_files_whose_long_names_begin_alike_have_temporary_files_of_their_own(tmp_path):
    one, other = tmp_path / ("x" * 100 + "1"), tmp_path / ("x" * 100 + "2")

    with atomic_write(one):
        assert [tmp_path / name for name in names(tmp_path)] == list(unfinished(one))
        assert [] == list(unfinished(other))


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "💥" * 63])
def test_a_name_may_be_as_long_as_the_file_system_lets_it(tmp_path, name):
    write(tmp_path / name)

    assert NEW == (tmp_path / name).read_bytes()


def test_a_link_is_replaced_and_what_it_pointed_to_stays_as_it_was(path, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(OLD)
    path.symlink_to(target)

    write(path)

    assert OLD == target.read_bytes()
    assert NEW == path.read_bytes()
    assert not path.is_symlink()


def test_a_relative_path_is_meant_from_where_the_block_began(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    with atomic_write("out.json") as file:
        file.write(NEW)
        os.chdir("elsewhere")

    assert NEW == (tmp_path / "out.json").read_bytes()
    assert [] == names(tmp_path / "elsewhere")


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write(tmp_path / "nowhere" / "out.json")


def test_a_folder_in_the_place_of_the_file_stays(path):
    path.mkdir()

    with pytest.raises(OSError, match="directory"):
        write(path)

    assert ["out.json"] == names(path.parent)


def test_of_two_that_write_at_once_the_later_to_end_stands_whole(path):
    with atomic_write(path) as first:
        first.write(OLD)
        with atomic_write(path) as second:
            second.write(NEW)
        assert NEW == path.read_bytes()

    assert OLD == path.read_bytes()
    assert ["out.json"] == names(path.parent)


# What the machine does. Each in a process of its own.

WRITER = """
import ctypes, os, resource, sys
from batchmill import atomic_write

def main(path, data, what, at, kinds, error, log):
    if what:
        ctypes.CDLL(None).shim_arm(os.path.dirname(path).encode(), log.encode(), what.encode(),
                                   error, kinds, ctypes.c_long(at), 0, 1)
    with atomic_write(path) as file:
        for start in range(0, len(data), 1000):
            file.write(data[start : start + 1000])
            file.flush()
"""
ALL, WRITES, SYNCS = 63, 2, 4


def run(path, what="nothing", at=0, kinds=ALL, error=0, before="", log=os.devnull):
    code = f"{WRITER}\n{before}\nmain({str(path)!r}, {NEW!r}, {what!r}, {at}, {kinds}, {error}, "
    code += f"{str(log)!r})"
    environment = {**os.environ, "LD_PRELOAD": str(shim())}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, check=False)  # fmt: skip


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "out.json").write_bytes(OLD)
    return home


@pytest.fixture
def log(home, tmp_path):
    """What an undisturbed write did to the folder."""
    path = tmp_path / "log"
    assert run(home / "out.json", log=path).returncode == 0
    log = path.read_bytes()
    (home / "out.json").write_bytes(OLD)
    return log


def test_the_bytes_are_synced_before_the_name_and_the_name_before_the_end(log):
    calls = [call.what for call in calls_in(log)]

    assert ["create", "write", "write", "write", "sync", "rename", "sync"] == calls


def test_a_kill_at_any_call_leaves_the_old_file_or_the_new(home, log):
    count = len(list(calls_in(log)))
    found = []
    for at in range(1, count + 1):
        (home / "out.json").write_bytes(OLD)
        assert run(home / "out.json", "kill", at).returncode == -signal.SIGKILL
        found.append((home / "out.json").read_bytes())

    assert {OLD, NEW} == set(found)
    assert found == sorted(found, key=[OLD, NEW].index)


def test_what_a_kill_leaves_behind_is_hidden_and_is_in_nobodys_way(home, log):
    run(home / "out.json", "kill", len(list(calls_in(log))) - 1)
    left = set(names(home)) - {"out.json"}

    assert run(home / "out.json").returncode == 0

    assert NEW == (home / "out.json").read_bytes()
    assert left == set(names(home)) - {"out.json"}
    assert [".out.json.", ".tmp"] == [part for name in left for part in (name[:10], name[-4:])]


def test_a_power_loss_at_any_call_leaves_the_old_file_or_the_new(home, log):
    draw = random.Random("atomic")
    name = str(home / "out.json")
    start = Disk.of(home)

    found = {disk.lose_power(draw)[name] for disk in disks(start, log) for _ in range(40)}
    *_, last = disks(start, log)

    assert {OLD, NEW} == found
    assert {NEW} == {last.lose_power(draw)[name] for _ in range(40)}


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize(("kinds", "at"), [(WRITES, 1), (WRITES, 3), (SYNCS, 1)])
def test_a_failing_disk_is_an_error_and_leaves_the_old_file(home, log, error, kinds, at):
    number = {"ENOSPC": 28, "EIO": 5}[error]

    ended = run(home / "out.json", "fail", at, kinds, number)

    assert ended.stderr.splitlines()[-1].startswith("OSError")
    assert OLD == (home / "out.json").read_bytes()
    assert ["out.json"] == names(home)


def test_a_folder_that_cannot_be_synced_is_an_error(home, log):
    ended = run(home / "out.json", "fail", 2, SYNCS, 5)

    assert ended.stderr.splitlines()[-1].startswith("OSError")
    assert NEW == (home / "out.json").read_bytes()


def test_a_file_that_may_not_grow_is_an_error_and_leaves_the_old_file(home):
    ended = run(home / "out.json", before="resource.setrlimit(resource.RLIMIT_FSIZE, (1500, -1))")

    assert "File too large" in ended.stderr
    assert OLD == (home / "out.json").read_bytes()
    assert ["out.json"] == names(home)


def test_short_writes_are_gone_on_with(home, log):
    assert run(home / "out.json", "short", 1, WRITES).returncode == 0

    assert NEW == (home / "out.json").read_bytes()
