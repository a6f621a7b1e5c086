"""A job whose files cannot be read or written is refused before anything is touched."""

from __future__ import annotations

import os

import pytest

from batchmill.config.checks import check_paths
from batchmill.errors import ConfigError
from batchmill.job import Job


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with an input of one line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("{}\n")
    return tmp_path


def refusal(**fields) -> str:
    with pytest.raises(ConfigError) as caught:
        check_paths(Job(**{"source": "in.jsonl", "sink": "out.jsonl", "task": len} | fields))
    return str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sink": None},
        {"source": [1, 2, 3]},
        {"source": "s3://bucket/in.jsonl", "sink": "s3://bucket/out.jsonl"},
        {"source": "*.jsonl", "sink": "sub/out.jsonl"},
        {"source": "i*.jsonl"},
        {"source": "sub/../in.jsonl", "errors": "sub/bad.jsonl"},
        {"source": "odd[1].jsonl"},
    ],
    ids=str,
)
def test_a_job_that_can_run_passes_and_leaves_no_trace(place, fields):
    (place / "sub").mkdir()
    (place / "odd[1].jsonl").touch()
    before = sorted(place.rglob("*"))

    check_paths(Job(**{"source": "in.jsonl", "sink": "out.jsonl", "task": len} | fields))

    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("fields", "says", "remedy"),
    [
        ({"source": "inn.jsonl"}, "the input inn.jsonl does not exist", "did you mean in.jsonl?"),
        ({"source": "zzz"}, "the input zzz does not exist", "--input"),
        ({"source": "no/in.jsonl"}, "nor does its folder no", "--input"),
        ({"source": "in.jsonl/x"}, "the input in.jsonl/x cannot be read: Not a directory", ""),
        ({"source": "sub"}, "the input sub is a directory", '"sub/*.jsonl"'),
        ({"source": "pipe"}, "the input pipe is no ordinary file", "a file first"),
        ({"source": "-"}, "standard input", "a file first"),
        ({"source": "sub/*.jsonl"}, "no file matches the input sub/*.jsonl", "ls sub"),
        ({"source": "loop"}, "the input loop cannot be read", ""),
        ({"sink": "sub"}, "the output sub is a directory", "sub/out.jsonl"),
        ({"sink": "loop"}, "loop is a link that leads back to itself", "another file"),
        ({"errors": "loop"}, "the errors file loop is a link that leads back", "another file"),
        ({"sink": "pipe"}, "the output pipe is no ordinary file", "path of a file"),
        ({"sink": "no/way/out.jsonl"}, "the folder of the output", "mkdir -p no/way"),
        ({"sink": "in.jsonl/out.jsonl"}, "in in.jsonl, which is no folder", "--output"),
        ({"sink": "in.jsonl"}, "the output in.jsonl is the input, too", "another file"),
        ({"sink": "./sub/../in.jsonl"}, "is the input, too", "another file"),
        ({"sink": "symlink.out"}, "is the input, too", "another file"),
        ({"sink": "hardlink.out"}, "is the input, too", "another file"),
        ({"sink": "dangling.out"}, "the folder of the output", "gone"),
        ({"errors": "out.jsonl"}, "errors file and the output are the same", "of its own"),
        ({"errors": "sub/../out.jsonl"}, "errors file and the output are the same", "of its own"),
        ({"errors": "out.ledger"}, "ledger and the errors file are the same", "of its own"),
        ({"errors": "in.jsonl"}, "the errors file in.jsonl is the input, too", "another file"),
        ({"errors": "sub"}, "the errors file sub is a directory", "sub/out.jsonl"),
        ({"errors": "no/bad.jsonl"}, "the folder of the errors file", "mkdir -p no"),
        ({"source": "*.jsonl"}, "the output out.jsonl matches the input", "another folder"),
        ({"source": "**/*.jsonl", "sink": "sub/o.jsonl"}, "matches the input", "another folder"),
        ({"source": "i*.jsonl", "sink": "in2.jsonl"}, "matches the input", "narrow"),
    ],
    ids=str,
)
def test_a_path_that_will_not_do_is_named_with_its_remedy(place, fields, says, remedy):
    (place / "sub").mkdir()
    os.mkfifo(place / "pipe")
    (place / "loop").symlink_to("loop")
    (place / "symlink.out").symlink_to("in.jsonl")
    (place / "hardlink.out").hardlink_to(place / "in.jsonl")
    (place / "dangling.out").symlink_to("gone/out.jsonl")

    message, _, hint = refusal(**fields).partition("\nhint: ")

    assert says in message
    assert remedy in hint


@pytest.mark.parametrize(
    ("closed", "says", "remedy"),
    [
        ("in.jsonl", "the input in.jsonl may not be read", "chmod u+r in.jsonl"),
        ("out.jsonl", "the output out.jsonl may not be written", "chmod u+w out.jsonl"),
        (".", "the folder . of the output may not be written", "chmod u+wx ."),
    ],
)
def test_what_the_user_has_no_right_to_is_named(place, monkeypatch, closed, says, remedy):
    (place / "out.jsonl").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != closed)

    message = refusal()

    assert says in message
    assert message.endswith(remedy)


def test_the_errors_file_of_another_run_is_no_input_for_the_same_output(place):
    (place / "out.errors.jsonl").write_text("{}\n")

    assert "the errors file out.errors.jsonl is the input, too" in refusal(
        source="out.errors.jsonl"
    )
