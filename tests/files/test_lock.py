"""One run at a time: in one process, and between processes."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from batchmill.errors import AlreadyRunning, CommitFailed
from batchmill.files import lock
from batchmill.files.lock import holder_of, job_lock

HOLD = """
import sys
from pathlib import Path
from batchmill.files.lock import job_lock
with job_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = """
import sys
from pathlib import Path
from batchmill.errors import AlreadyRunning
from batchmill.files.lock import job_lock
try:
    with job_lock(Path(sys.argv[1])):
        print("free")
except AlreadyRunning as error:
    print(error)
"""


def tried_elsewhere(path):
    done = subprocess.run([sys.executable, "-c", TRY, str(path)], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.ledger.lock"


def test_a_lock_is_free_again_when_its_holder_is_through(path):
    with job_lock(path):
        pass
    with job_lock(path):
        pass


def test_a_second_run_in_the_same_process_is_refused_and_does_not_free_the_first(path):
    with job_lock(path):
        with pytest.raises(AlreadyRunning), job_lock(path):
            pass

        assert "another run" in tried_elsewhere(path)


def test_another_process_is_told_who_holds_the_lock(path):
    with job_lock(path):
        assert f"process {lock.os.getpid()}" in tried_elsewhere(path)

    assert tried_elsewhere(path) == "free\n"


def test_a_lock_is_free_at_once_when_its_holder_is_killed(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"), job_lock(path):
            pass
        assert holder_of(path)["pid"] == holder.pid
        holder.kill()
        holder.wait()

    with job_lock(path):
        pass
    assert holder_of(path) is None


def test_asking_who_holds_a_lock_does_not_free_it(path):
    with job_lock(path):
        assert holder_of(path)["pid"] == lock.os.getpid()

        assert "another run" in tried_elsewhere(path)


def test_two_threads_that_come_at_the_same_moment_do_not_both_get_it(path, monkeypatch):
    outcomes = []
    opened = lock.os.open

    def hold():
        try:
            with job_lock(path):
                outcomes.append("held")
        except AlreadyRunning:
            outcomes.append("refused")

    def while_opening(*args):
        if not outcomes:
            other = threading.Thread(target=hold)
            other.start()
            other.join()
        return opened(*args)

    monkeypatch.setattr(lock.os, "open", while_opening)
    hold()

    assert outcomes == ["refused", "held"]


def test_a_lock_that_could_not_be_had_is_not_kept(path):
    path.mkdir()
    with pytest.raises(Exception, match="lock"), job_lock(path):
        pass
    path.rmdir()

    with job_lock(path):
        pass


def test_a_lock_reached_by_another_name_is_the_same(path, tmp_path):
    (tmp_path / "folder").symlink_to(tmp_path)

    with job_lock(path), pytest.raises(AlreadyRunning), job_lock(tmp_path / "folder" / path.name):
        pass


def test_a_link_in_place_of_the_lock_is_taken_away_and_what_it_leads_to_is_not_touched(
    path, tmp_path
):
    (tmp_path / "precious").write_text("my data")
    path.symlink_to(tmp_path / "precious")

    assert holder_of(path) is None
    with job_lock(path):
        assert "another run" in tried_elsewhere(path)

    assert (tmp_path / "precious").read_text() == "my data"
    assert not path.is_symlink()


def test_a_pipe_in_place_of_the_lock_is_an_error_and_waits_for_nobody(path):
    lock.os.mkfifo(path)

    with pytest.raises(CommitFailed, match="no ordinary file"), job_lock(path):
        pass
    assert holder_of(path) is None


def test_who_holds_a_lock_can_be_asked_without_a_right_to_write(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        path.chmod(0o444)
        assert holder_of(path)["pid"] == holder.pid
        holder.kill()
