"""Paths that cannot be what they are meant to be are refused before anything is written."""

from __future__ import annotations

import os
import subprocess

import pytest

from batchmill import BatchmillError, ConfigError
from crash.work import make_plain

NOBODY = 65534


def refused(little, **options):
    """The message that a run is refused with, which must be one that says what to do."""
    before = sorted(path.name for path in little.folder.iterdir())
    with pytest.raises(ConfigError) as caught:
        little.run(**options)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert sorted(path.name for path in little.folder.iterdir()) == before
    return caught.value.message


def test_an_output_that_is_a_folder_is_refused(little):
    little.write({"id": 1})
    little.output.mkdir()

    assert "is a directory" in refused(little)


def test_an_output_in_a_folder_that_is_not_there_is_refused(little):
    little.write({"id": 1})
    little.sink_name = "missing/out.jsonl"

    assert "does not exist" in refused(little)
    assert not (little.folder / "missing").exists()


def test_an_output_in_a_folder_that_is_a_file_is_refused(little):
    little.write({"id": 1})
    (little.folder / "file").write_bytes(b"")
    little.sink_name = "file/out.jsonl"

    assert refused(little)


def test_a_source_that_is_not_there_is_refused(little):
    assert "does not exist" in refused(little)


def test_a_source_that_is_a_folder_is_refused(little):
    little.source.mkdir()

    assert "is a directory" in refused(little)


def test_a_source_that_can_be_read_but_once_is_refused(little):
    os.mkfifo(little.source)

    assert refused(little)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_an_output_that_is_the_source_by_another_name_is_refused(little, link):
    little.write({"id": 1})
    link(little.source, little.output)

    assert "is the input, too" in refused(little)
    assert little.source.read_bytes() == b'{"id": 1}\n'


def test_an_errors_file_that_is_the_output_is_refused(little):
    little.write({"id": 1})

    assert "same file" in refused(little, errors=little.output)


def test_a_ledger_that_is_a_folder_is_refused(little):
    little.write({"id": 1})
    little.ledger.mkdir()

    assert refused(little)


def test_an_output_that_may_not_be_written_is_refused(lab):
    trial = lab.trial(make_plain(3), uid=NOBODY)
    trial.output.write_bytes(b"")
    _open_up(trial)
    trial.output.chmod(0o444)

    end = trial.run()

    assert end.code == 2
    assert end.problems == []
    assert "may not be written" in end.err


def test_a_folder_that_may_not_be_written_is_refused(lab):
    trial = lab.trial(make_plain(3), uid=NOBODY)
    _open_up(trial)
    trial.home.chmod(0o555)

    end = trial.run()

    assert end.code == 2
    assert end.problems == []
    assert list(trial.home.iterdir()) == []


def test_a_source_that_may_not_be_read_is_refused(lab):
    trial = lab.trial(make_plain(3), uid=NOBODY)
    _open_up(trial)
    trial.source.chmod(0o222)

    end = trial.run()

    assert end.code == 2
    assert end.problems == []
    assert "may not be read" in end.err


@pytest.mark.parametrize("name", ["out.ledger", "out.errors.jsonl", "out.ledger.lock"])
def test_a_file_of_the_job_that_belongs_to_somebody_else_is_a_sentence(lab, name):
    trial = lab.trial(make_plain(3), uid=NOBODY)
    (trial.home / name).write_bytes(b"")
    _open_up(trial)
    (trial.home / name).chmod(0o000)

    end = trial.run()

    assert end.problems == []
    assert end.code in (1, 2)
    assert str(trial.home / name) in end.err
    (trial.home / name).unlink()
    assert trial.run().code == 0
    assert trial.verdict().problems == []


def _open_up(trial):
    """Let anybody into the folders."""
    for folder in (trial.folder.parent, trial.folder, trial.home):
        folder.chmod(0o777)


def test_a_file_system_that_is_read_only_is_a_sentence(tmp_path, little):
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    if not mount(mounted, "ro"):
        pytest.skip("only root may mount")
    try:
        little.write({"id": 1})
        little.sink_name = "mounted/out.jsonl"
        with pytest.raises(BatchmillError) as caught:
            little.run()
        assert caught.value.hint
    finally:
        subprocess.run(["umount", mounted], check=True)


def mount(folder, options):
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
