"""Which job TARGET and the flags name."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchmill.config.target import find_ledger, load_target
from batchmill.tasks.loading import load_task

JOB = '[source]\npath = "in.jsonl"\n[sink]\npath = "out.jsonl"\n[run]\nconcurrency = 5\n'
FILES = {"source": "a.jsonl", "sink": "b.jsonl"}


def test_a_task_file_and_flags_are_a_job(folder):
    config = load_target(str(folder / "task.py"), FILES)

    assert (config.job.source, config.job.sink) == (
        f"{Path.cwd()}/a.jsonl",
        f"{Path.cwd()}/b.jsonl",
    )
    assert (config.job.task, config.base, config.file) == (f"{folder}/task.py", folder, None)
    assert load_task(config.job.task, config.base).is_async


def test_a_module_and_flags_are_a_job(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "pkg").mkdir()
    (folder / "pkg" / "mod.py").write_text("def enrich(record): return record\n")

    config = load_target("pkg.mod:enrich", FILES)

    assert (config.job.task, config.base) == ("pkg.mod:enrich", folder)
    assert load_task(config.job.task).process.__name__ == "enrich"


def test_one_function_of_a_task_file_may_be_named(folder):
    config = load_target(f"{folder}/task.py:process_record", FILES)

    assert config.job.task == f"{folder}/task.py:process_record"


def test_a_folder_stands_for_the_job_file_in_it(folder):
    (folder / "job.toml").write_text(JOB)

    assert load_target(str(folder)).file == folder / "job.toml"


def test_a_folder_without_job_file_stands_for_its_config(folder):
    (folder / "config.py").write_text(
        "class Settings:\n    INPUT_FILE = 'in.jsonl'\n    OUTPUT_FILE = 'out.jsonl'\n"
    )

    assert load_target(str(folder)).file == folder / "config.py"


def test_a_task_that_imports_its_settings_is_still_a_task(folder):
    (folder / "task.py").write_text(
        "from config import settings\n\ndef process_record(record):\n    return record\n"
    )

    assert load_target(str(folder / "task.py"), FILES).job.task == f"{folder}/task.py"


def test_a_task_file_is_not_run_to_find_out_what_it_is(folder):
    (folder / "task.py").write_text("raise SystemExit('run')\ndef process_record(r): return r\n")

    assert load_target(str(folder / "task.py"), FILES).job.task == f"{folder}/task.py"


def test_flags_win_over_the_file_and_start_from_the_working_directory(folder):
    (folder / "job.toml").write_text(JOB)

    config = load_target(
        str(folder / "job.toml"),
        {"source": "x.jsonl", "concurrency": 9, "max_attempts": 1, "rate": None,
         "log_file": "run.log", "log_level": "warning", "retry_failed": False},
    )  # fmt: skip

    assert (config.job.source, config.job.sink) == (f"{Path.cwd()}/x.jsonl", f"{folder}/out.jsonl")
    assert (config.job.concurrency, config.job.retry.max_attempts) == (9, 1)
    assert (config.job.rate, config.job.retry_failed) == (None, False)
    assert (config.log.file, config.log.level) == (Path.cwd() / "run.log", "WARNING")


def test_a_flag_may_complete_what_the_file_leaves_open(folder):
    (folder / "job.toml").write_text(JOB + '[job]\nrerun_key = "again"\n')

    assert load_target(str(folder / "job.toml"), {"key": "ip"}).job.rerun_key == "again"


@pytest.mark.parametrize(
    ("overrides", "says", "remedy"),
    [
        ({"concurrency": 0}, "command line: --concurrency = 0", "--concurrency: 1 or more"),
        ({"rate": "fast"}, "command line: --rate = 'fast' is not a rate", "120/min"),
        ({"timeout_s": -1}, "command line: --timeout = -1", "--timeout: above zero"),
        ({"max_attempts": 0}, "command line: --max-attempts = 0", "1 or more"),
        ({"max_failures": "x"}, "command line: --max-failures = 'x'", "5%"),
        ({"order": "random"}, "command line: --order = 'random'", '"input"'),
        ({"concurrency": "9"}, 'command line: --concurrency = "9"', "write a whole number"),
        ({"log_level": "loud"}, 'command line: --log-level = "loud"', '"info"'),
        ({"concurency": 9}, "command line: --concurency is no option", '"concurrency"?'),
    ],
)
def test_a_bad_flag_is_blamed_on_the_command_line(folder, refused, overrides, says, remedy):
    (folder / "job.toml").write_text(JOB)

    message = refused(folder / "job.toml", **overrides)

    assert message.startswith(says)
    assert remedy in message.split("\nhint: ")[1]


def test_a_bad_value_in_the_file_is_blamed_on_the_file_in_spite_of_flags(folder, refused):
    (folder / "job.toml").write_text(JOB.replace("= 5", "= 0"))

    message = refused(folder / "job.toml", rate="5/s")

    assert message.startswith(f"{folder}/job.toml: run.concurrency = 0")


def test_flags_that_are_missing_are_all_named(folder, refused):
    lines = refused(folder / "task.py").split("\n")

    assert lines == [
        "command line has 2 mistakes:",
        "  --input is missing: the records to read (give --input)",
        "  --output is missing: the file for the results (give --output)",
    ]


@pytest.mark.parametrize(
    ("target", "says", "remedy"),
    [
        ("{home}/jobs.toml", "jobs.toml does not exist", "did you mean {home}/job.toml?"),
        ("{home}/tusk.py", "tusk.py does not exist", "did you mean {home}/task.py?"),
        ("{home}/tusk.py:f", "tusk.py does not exist", "did you mean {home}/task.py?"),
        ("{home}/in.jsonl", "in.jsonl is no job", "give job.toml"),
        ("{home}/gone.jsonl", "gone.jsonl is no job, and there is no such file", "status"),
        ("no_such_module_at_all", "no file and no module no_such_module_at_all", "give job.toml"),
        ("no.such.module:f", "no file and no module no.such.module:f", "give job.toml"),
        ("what is this", "no file and no module what is this", "package.module:function"),
        (".", "the folder . has no job.toml", "give job.toml"),
        ("", "the folder . has no job.toml", "give job.toml"),
    ],
)
def test_a_target_that_is_none_says_what_is_meant(folder, refused, target, says, remedy):
    (folder / "job.toml").write_text(JOB)

    message = refused(target.format(home=folder), **FILES)

    assert says in message
    assert remedy.format(home=folder) in message.split("\nhint: ")[1]


def test_a_job_is_found_by_its_output(folder):
    ledger = folder / "out.ledger"
    ledger.touch()

    for target in ("out.jsonl", "out.jsonl.gz", "out", "out.ledger"):
        assert find_ledger(str(folder / target)) == ledger


@pytest.mark.parametrize("target", ["in.jsonl", "out.toml", "out.py", "s3://b/out.jsonl", "", "."])
def test_what_is_no_output_of_a_job_finds_no_ledger(folder, target, monkeypatch):
    (folder / "out.ledger").touch()
    monkeypatch.chdir(folder)

    assert find_ledger(target) is None
