"""What a killed run has begun is brought to its end or taken away by the next one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from batchmill import run
from batchmill.ledger import aside
from batchmill.ledger.aside import finish_moving, move_aside
from commands import environment
from small_jobs import done, job, some_records

OTHERS = [
    ".out2.errors.jsonl.0123456789abcdef.tmp",
    ".other.errors.jsonl.abcd_123.tmp",
    ".out.errors.jsonl.notes.tmp",
    ".out.errors.jsonl.abcd_123.tmp.bak",
    "out.errors.jsonl.abcd_123.tmp",
    ".out.jsonl.abcd_123.tmp",
]

KILLED = """
import os, signal, sys
from batchmill import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(b"x" * 1000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return {path.name for path in folder.iterdir()}


def killed_while_writing(path):
    subprocess.run([sys.executable, "-c", KILLED, path], env=environment(), check=False)


def test_what_kills_left_of_the_errors_file_is_taken_away_and_nothing_of_others(tmp_path):
    done(tmp_path)
    before = names(tmp_path)
    for _ in range(2):
        killed_while_writing(tmp_path / "out.errors.jsonl")
    assert len(names(tmp_path) - before) == 2
    (tmp_path / ".out.errors.jsonl.abcd_123.tmp").write_text("of an earlier version")
    for name in OTHERS:
        (tmp_path / name).write_text("of another")

    run(job(tmp_path))

    assert before | set(OTHERS) == names(tmp_path)


def test_what_kills_left_of_an_errors_file_elsewhere_is_taken_away(tmp_path):
    (tmp_path / "bad").mkdir()
    errors = tmp_path / "bad" / "letters.jsonl"
    done(tmp_path, errors=errors)
    killed_while_writing(errors)

    run(job(tmp_path, errors=errors))

    assert {"letters.jsonl"} == names(errors.parent)


def test_a_half_made_copy_of_the_output_is_taken_away(tmp_path):
    done(tmp_path)
    before = names(tmp_path)
    (tmp_path / ".out.jsonl.rewrite").write_text("half of it")

    run(job(tmp_path))

    assert before == names(tmp_path)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("restart_again", [False, True])
@pytest.mark.parametrize("at", range(1, 4))
def test_a_restart_that_was_killed_half_way_is_one_archive_in_the_end(
    tmp_path, monkeypatch, at, restart_again
):
    paths = done(tmp_path).on_disk()
    before = {path.name: path.read_bytes() for path in (paths.output, paths.errors)}
    moves = iter(range(1, 10))
    replace = os.replace

    def dying(*args):
        if next(moves) == at:
            raise Killed
        replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(aside.os, "replace", dying)
        with pytest.raises(Killed):
            move_aside(paths)

    report = run(job(tmp_path), restart=restart_again)

    assert (0, 50) == (report.already_settled, report.read)
    archive = {name for name in names(tmp_path) if ".bak-" in name}
    assert {"out.jsonl.bak-1", "out.errors.jsonl.bak-1", "out.ledger.bak-1"} == archive
    assert before == {name: (tmp_path / f"{name}.bak-1").read_bytes() for name in before}
    assert not aside.marker_of(paths).exists()


def test_a_restart_that_was_killed_before_it_moved_anything_is_none(tmp_path):
    paths = done(tmp_path).on_disk()
    aside.marker_of(paths).write_text("")

    report = run(job(tmp_path))

    assert report.already_settled == len(some_records())
    assert not aside.marker_of(paths).exists()


def test_an_archive_that_is_complete_is_left_alone(tmp_path):
    paths = done(tmp_path).on_disk()
    move_aside(paths)

    assert [] == finish_moving(paths)
    assert {"out.jsonl.bak-1"} <= names(tmp_path)
