"""Readers need no right to write, see one moment, and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from batchmill import run
from batchmill.errors import LedgerError
from batchmill.ledger import connecting
from batchmill.ledger.connecting import connect_to_read
from batchmill.ledger.reading import read_ledger
from commands import environment
from small_jobs import done, job, killed, mistaken, some_records, write

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && shift 0 && exec "$@"'


def reading(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """The command, where nobody can write to the folder."""
    words = [sys.executable, "-m", "batchmill", command, str(folder / "out.jsonl")]
    if os.geteuid() == 0:
        words = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(folder), *words]
    return subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["status", "verify", "failures", "report"])
@pytest.mark.parametrize("left_by", [done, lambda folder: killed(folder, after=20)])
def test_a_job_on_a_disk_that_cannot_be_written(tmp_path, command, left_by):
    left_by(tmp_path)
    if os.geteuid():
        tmp_path.chmod(0o500)

    found = reading(tmp_path, command)

    killed_runs_have_none = command == "report" and "left no report" in found.stderr
    assert found.returncode == 0 or killed_runs_have_none, found.stderr
    assert found.stdout or killed_runs_have_none


def test_a_reader_sees_one_moment_while_the_next_run_begins_and_ends(tmp_path):
    paths = done(tmp_path)
    with read_ledger(paths.ledger) as ledger:
        letters = ledger.letters()
        next(letters)
        again = run(job(tmp_path, task=lambda record: record))
        assert again.failed == 0
        assert sum(1 for _ in letters) == ledger.counts.failed - 1

    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm"))]


def test_no_log_is_left_by_a_run_that_ends_while_others_read(tmp_path):
    """One reader came while the run was there, the other when it was gone; they leave in turn."""
    ledger = done(tmp_path).ledger
    write(tmp_path, *some_records(), {"id": 1000})
    first, last = ExitStack(), ExitStack()

    async def look_in(record):
        if record["id"] == 1000:
            first.enter_context(connect_to_read(ledger))
        return record

    with last, first:
        run(job(tmp_path, task=look_in))
        last.enter_context(connect_to_read(ledger))

    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm"))]


def test_a_copy_that_is_never_whole_is_no_answer(tmp_path, monkeypatch):
    paths = done(tmp_path)
    whole = connecting.shutil.copyfile

    def while_somebody_writes(source, target):
        os.utime(paths.ledger, ns=(os.stat(paths.ledger).st_mtime_ns + 1,) * 2)
        return whole(source, target)

    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(connecting.shutil, "copyfile", while_somebody_writes)
    with pytest.raises(LedgerError, match="is being written"):
        connecting._copied(paths.ledger, tmp_path / "copies")


def test_a_disk_that_cannot_be_read_is_no_damage(tmp_path):
    paths = done(tmp_path)
    paths.ledger.unlink()
    paths.ledger.mkdir()

    with pytest.raises(LedgerError) as caught, read_ledger(paths.ledger):
        pass

    assert "damaged" not in caught.value.message
    assert "try again" in caught.value.hint


def test_a_moved_job_keeps_all_that_it_did(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    done(here)
    run(job(here, limit=5))
    there.mkdir()
    for name in ("in.jsonl", "out.jsonl", "out.ledger", "out.errors.jsonl"):
        (here / name).rename(there / name)

    assert run(job(there, retry_failed=False)).called == 0


def test_a_state_of_a_later_version_with_fields_of_its_own_is_read(tmp_path):
    paths = done(tmp_path)
    mistaken(paths.ledger, lambda state: state.usage.update(tokens=5))

    with read_ledger(paths.ledger) as ledger:
        assert ledger.state.usage == {"tokens": 5}
