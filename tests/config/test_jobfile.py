"""What a job.toml says, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchmill.config.target import load_target
from batchmill.config.values import LogSettings
from batchmill.options import Retry

JOB = """\
[job]
key = "ip"
[source]
path = "in.jsonl"
[sink]
path = "out.jsonl"
"""


def test_a_whole_job_file_becomes_a_job(folder):
    (folder / "job.toml").write_text("""
        [job]
        name = "enrich"
        task = "task.py:process_record"
        key = "ip"
        rerun_key = "force_rerun"
        version = 2
        [source]
        path = "in.csv"
        format = "csv"
        delimiter = ";"
        header = false
        fieldnames = ["ip", "name"]
        max_record_bytes = 1000
        [sink]
        path = "out.csv"
        errors = "bad.jsonl"
        format = "csv"
        order = "input"
        guard_formulas = true
        [run]
        engine = "async"
        workers = 2
        concurrency = 7
        batch_size = 3
        rate = "120/min"
        burst = 4
        timeout_s = 30
        max_failures = "5%"
        commit_every_s = 0.1
        grace_s = 1
        limit = 10
        retry_failed = false
        [retry]
        max_attempts = 2
        wait_min_s = 0.5
        wait_max_s = 5
        factor = 3.0
        on = ["package.Error"]
        [log]
        level = "debug"
        file = "logs/run.log"
        format = "json"
    """)

    config = load_target(str(folder / "job.toml"))

    job = config.job
    assert (job.name, job.key, job.rerun_key, job.version) == ("enrich", "ip", "force_rerun", "2")
    assert job.task == f"{folder}/task.py:process_record"
    assert (job.source, job.source_format) == (f"{folder}/in.csv", "csv")
    assert job.source_options == {
        "delimiter": ";",
        "header": False,
        "fieldnames": ["ip", "name"],
        "max_record_bytes": 1000,
    }
    assert (job.sink, job.errors) == (f"{folder}/out.csv", f"{folder}/bad.jsonl")
    assert (job.sink_format, job.order) == ("csv", "input")
    assert job.sink_options == {"guard_formulas": True}
    assert (job.engine, job.workers, job.concurrency, job.batch_size) == ("async", 2, 7, 3)
    assert (job.rate, job.burst, job.timeout_s, job.max_failures) == ("120/min", 4, 30, "5%")
    assert (job.commit_every_s, job.grace_s, job.limit, job.retry_failed) == (0.1, 1, 10, False)
    assert job.retry == Retry(
        max_attempts=2, wait_min_s=0.5, wait_max_s=5, factor=3.0, on=["package.Error"]
    )
    assert config.log == LogSettings(level="DEBUG", file=folder / "logs/run.log", format="json")
    assert (config.base, config.file, config.notes) == (folder, folder / "job.toml", ())


def test_what_a_job_file_leaves_out_is_as_in_python(folder):
    (folder / "job.toml").write_text(JOB)

    config = load_target(str(folder / "job.toml"))

    assert (config.job.concurrency, config.job.retry, config.job.engine) == (50, Retry(), "auto")
    assert config.log == LogSettings(level="INFO", file=None, format="text")
    assert config.job.task == f"{folder}/task.py"


def test_a_job_file_may_begin_with_a_byte_order_mark(folder):
    (folder / "job.toml").write_bytes(b"\xef\xbb\xbf" + JOB.encode())

    assert load_target(str(folder / "job.toml")).job.key == "ip"


def test_paths_may_be_absolute_begin_at_home_or_be_addresses(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    text = JOB.replace("in.jsonl", "~/in.jsonl").replace("out.jsonl", "s3://bucket/out.jsonl")
    (folder / "job.toml").write_text(text + 'errors = "/var/bad.jsonl"\n')

    job = load_target(str(folder / "job.toml")).job

    assert (job.source, job.sink) == ("/home/someone/in.jsonl", "s3://bucket/out.jsonl")
    assert job.errors == "/var/bad.jsonl"


@pytest.mark.parametrize(
    ("wrong", "says", "remedy"),
    [
        ("[run]\nconcurrency = 'fifty'", 'run.concurrency = "fifty"', "write a whole number"),
        ("[run]\nconcurrency = true", "run.concurrency = true", "write a whole number"),
        ("[run]\nconcurrency = 2.5", "run.concurrency = 2.5", "write a whole number"),
        ("[run]\nconcurrency = 0", "run.concurrency = 0", "run.concurrency: 1 or more"),
        ("[run]\nconcurency = 5", "run.concurency is no key", 'did you mean "concurrency"?'),
        ("[run]\nzzz = 5", "run.zzz is no key", "known are: batch_format, batch_size, burst"),
        ("[run]\ntimeout_s = 'long'", 'run.timeout_s = "long"', "write a number"),
        ("[run]\ntimeout_s = nan", "run.timeout_s = NaN", "write a number"),
        ("[run]\ntimeout_s = 0", "run.timeout_s = 0", "above zero"),
        ("[run]\nrate = 120", "run.rate = 120", "write a text"),
        ("[run]\nrate = 'fast'", "run.rate = 'fast' is not a rate", "120/min"),
        ("[run]\nmax_failures = 'some'", "run.max_failures = 'some'", "5%"),
        ("[run]\nmax_failures = [1]", "run.max_failures = [1]", "a share"),
        ("[run]\nengine = 'quantum'", "run.engine = 'quantum'", '"process"'),
        ("[run]\nretry_failed = 'no'", 'run.retry_failed = "no"', "true or false"),
        ("[run]\nlimit = 2024-01-01", 'run.limit = "2024-01-01"', "a whole number"),
        ("[retry]\nmax_attempts = 0", "retry.max_attempts = 0", "1 or more"),
        ("[retry]\nwait_min_s = 90", "retry.wait_max_s = 60.0", "at least wait_min_s (90)"),
        ("[retry]\non = 'never'", 'retry.on = "never"', '"transient", "all" or a list'),
        ("[log]\nlevel = 'loud'", 'log.level = "loud"', '"debug"'),
        ("[log]\nformat = 'xml'", 'log.format = "xml"', '"json"'),
        ("[runs]\nlimit = 1", "[runs] is no table", 'did you mean "run"?'),
        ("[[run]]\nlimit = 1", 'run = [{"limit": 1}] is no table', "[run]"),
        ("[retry]\nconcurrency = 1", "retry.concurrency = 1 is misplaced", "under [run]"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_value_and_a_remedy(
    folder, refused, wrong, says, remedy
):
    file = folder / "job.toml"
    file.write_text(JOB + wrong)

    message = refused(file)

    assert message.startswith(f"{file}: ")
    assert says in message.split("\nhint: ")[0]
    assert remedy in message.split("\nhint: ")[1]
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "says", "remedy"),
    [
        ('path = "in.jsonl"', "path = ''", 'source.path = ""', "write a path"),
        ('path = "in.jsonl"', "", "source.path is missing", "--input"),
        ('path = "out.jsonl"', "", "sink.path is missing", "--output"),
        ('path = "in.jsonl"', 'path = "a"\ndelimeter = ";"', "delimeter", '"delimiter"?'),
        ('path = "in.jsonl"', 'path = "a"\nheader = 1', "source.header = 1", "true or false"),
        ('key = "ip"', 'key = ["ip"]', 'job.key = ["ip"]', "write a text"),
        ('key = "ip"', "version = 1.10", "job.version = 1.1", "in quotes"),
        ('key = "ip"', 'rerun_key = "again"', "job.rerun_key needs job.key", "set job.key"),
        ('key = "ip"', 'task = "task.txt:"', 'job.task = "task.txt:"', "task.py:function"),
        ("[job]", "", 'key = "ip" is misplaced: there is no key above', "under [job]"),
        ('path = "out.jsonl"', 'path = "o"\norder = "random"', "sink.order", '"completion"'),
    ],
)
def test_a_mistake_in_place_of_something_right(folder, refused, old, new, says, remedy):
    file = folder / "job.toml"
    file.write_text(JOB.replace(old, new))

    message = refused(file)

    assert message.startswith(f"{file}: ")
    assert says in message
    assert remedy in message.split("\nhint: ")[1]


def test_several_mistakes_are_told_at_once(folder, refused):
    file = folder / "job.toml"
    file.write_text(JOB + "[run]\nconcurency = 5\nlimit = 'x'\n[logs]\n")

    lines = refused(file).split("\n")

    assert lines[0] == f"{file} has 3 mistakes:"
    assert lines[1] == '  run.concurency is no key of a job file (did you mean "concurrency"?)'
    assert lines[2].startswith('  run.limit = "x" is not allowed (write a whole number')
    assert lines[3].startswith("  [logs] is no table of a job file")


def test_a_job_without_a_task_says_so(folder, refused):
    (folder / "task.py").unlink()
    (folder / "job.toml").write_text(JOB)

    message = refused(folder / "job.toml")

    assert "job.toml: job.task is missing" in message
    assert message.endswith('write [job] task = "task.py"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[job]\nkey = ip\n", "line 2, column 7: Invalid value: key = ip"),
        ("[job\n", "line 1, column 5"),
        ("[job]\nkey = 'a'\nkey = 'b'\n", "line 3"),
        ("[job]\nkey = 'a", "Expected"),
    ],
)
def test_a_syntax_error_names_the_line(folder, refused, text, line):
    (folder / "job.toml").write_text(text)

    message = refused(folder / "job.toml")

    assert "job.toml" in message
    assert line in message
    assert 'key = "text" with quotes' in message


def test_a_job_file_that_is_not_utf8_is_refused(folder, refused):
    (folder / "job.toml").write_bytes(b'[job]\nkey = "\xff"\n')

    assert "job.toml is not UTF-8: byte 13" in refused(folder / "job.toml")


def test_a_long_value_is_cut_in_the_message(folder, refused):
    (folder / "job.toml").write_text(JOB + f"[run]\nlimit = '{'x' * 500}'")

    assert len(refused(folder / "job.toml").split("\n")[0]) < 120 + len(str(folder))


def test_the_paths_of_a_job_do_not_depend_on_how_its_file_was_named(folder, monkeypatch):
    (folder / "job.toml").write_text(JOB)
    monkeypatch.chdir(folder)

    assert load_target("job.toml").job == load_target(str(folder / "job.toml")).job
    assert Path(load_target("../project/job.toml").job.source) == folder / "in.jsonl"
