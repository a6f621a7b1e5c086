"""A job's own file is never reached through a link, and opening it waits for nobody."""

from __future__ import annotations

import os
import stat

import pytest

from batchmill.files.plain import new_file, open_plain


def symbolic(path, target):
    path.symlink_to(target)


def dangling(path, target):
    path.symlink_to(target.with_name("nothing"))


def pipe(path, target):
    os.mkfifo(path)


def folder(path, target):
    path.mkdir()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT])
@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (symbolic, "a link"),
        (dangling, "a link"),
        (pipe, "no ordinary"),
        (folder, "ordinary|directory"),
    ],
)
def test_whatever_is_no_file_is_refused_at_once(tmp_path, instead, said, flags):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    instead(tmp_path / "ours", target)

    with pytest.raises(OSError, match=said):
        open_plain(tmp_path / "ours", flags)

    assert target.read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()


def test_a_file_has_its_mode_from_the_beginning(tmp_path):
    os.close(open_plain(tmp_path / "ours", os.O_WRONLY | os.O_CREAT, 0o600))

    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == 0o600


def test_a_new_file_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path):
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "ours").symlink_to(tmp_path / "target")

    with open(new_file(tmp_path / "ours"), "wb") as file:
        file.write(b"ours")

    assert (tmp_path / "target").read_bytes() == b"precious"
    assert (tmp_path / "ours").read_bytes() == b"ours"
    assert not (tmp_path / "ours").is_symlink()
