"""A config.py with Settings in upper-case names is read as a job file is."""

from __future__ import annotations

import pytest

from batchmill.config.target import load_target

SETTINGS = """\
class Settings:
    INPUT_FILE = "data/in.jsonl"
    OUTPUT_FILE = "data/out.jsonl"
    ID_KEY = "ip"
"""

OLD_PROJECT = """\
from typing import ClassVar

class Settings:
    INPUT_FILE: ClassVar[str] = "data/in.jsonl"
    OUTPUT_FILE: ClassVar[str] = "data/out.jsonl"
    ERROR_FILE: ClassVar[str] = "data/error.jsonl"
    LOG_FILE: ClassVar[str] = "logs/run.log"
    ID_KEY: ClassVar[str] = "id"
    RERUN_KEY: ClassVar[str | None] = "force_rerun"
    MAX_CONCURRENCY: ClassVar[int] = 100
    REQUESTS_PER_MINUTE: ClassVar[int] = 120
    WRITE_BATCH_SIZE: ClassVar[int] = 100
    MAX_RETRIES: ClassVar[int] = 3
    RETRY_INITIAL_DELAY: ClassVar[float] = 2.0
    LOG_LEVEL: ClassVar[str] = "info"

settings = Settings()
"""


def test_the_settings_of_a_jsonlbatch_project_become_a_job(folder):
    (folder / "config.py").write_text(OLD_PROJECT)

    config = load_target(str(folder / "config.py"))

    job = config.job
    assert (job.source, job.sink) == (f"{folder}/data/in.jsonl", f"{folder}/data/out.jsonl")
    assert (job.errors, job.task) == (f"{folder}/data/error.jsonl", f"{folder}/task.py")
    assert (job.key, job.rerun_key) == ("id", "force_rerun")
    assert (job.concurrency, job.rate) == (100, "120/min")
    assert (job.retry.max_attempts, job.retry.wait_min_s) == (4, 2.0)
    assert (config.log.file, config.log.level) == (folder / "logs/run.log", "INFO")
    assert [note.split(" has ")[0] for note in config.notes] == ["WRITE_BATCH_SIZE"]
    assert (config.base, config.file) == (folder, folder / "config.py")


def test_what_settings_leave_out_or_set_to_none_or_nothing_has_its_default(folder):
    (folder / "config.py").write_text(
        SETTINGS + "    RERUN_KEY = None\n    LOG_FILE = ''\n    REQUESTS_PER_MINUTE = 0\n"
    )

    config = load_target(str(folder / "config.py"))

    assert (config.job.rerun_key, config.job.rate, config.log.file) == (None, None, None)
    assert (config.job.concurrency, config.job.retry.max_attempts) == (50, 4)
    assert config.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        SETTINGS,
        SETTINGS.replace("Settings", "settings"),
        SETTINGS.replace("class Settings", "class Mine") + "settings = Mine()\n",
        SETTINGS + "    def __init__(self, x): ...\n",
        """
from types import SimpleNamespace
settings = SimpleNamespace(
    INPUT_FILE="data/in.jsonl", OUTPUT_FILE="data/out.jsonl", ID_KEY="ip", WRITE_BATCH_SIZE=None
)
""",
        """
from dataclasses import dataclass, field
@dataclass
class Settings:
    INPUT_FILE: str = "data/in.jsonl"
    OUTPUT_FILE: str = "data/out.jsonl"
    ID_KEY: str = field(default_factory=lambda: "ip")
""",
        "from base import Settings\n",
    ],
    ids=["class", "lower-case", "object", "cannot-be-made", "namespace", "dataclass", "imported"],
)
def test_settings_may_be_a_class_or_an_object(folder, text):
    (folder / "base.py").write_text(SETTINGS)
    (folder / "config.py").write_text(text)

    job = load_target(str(folder / "config.py")).job

    assert (job.source, job.key) == (f"{folder}/data/in.jsonl", "ip")


def test_a_first_wait_above_a_minute_raises_the_longest_wait(folder):
    (folder / "config.py").write_text(SETTINGS + "    RETRY_INITIAL_DELAY = 90\n")

    retry = load_target(str(folder / "config.py")).job.retry

    assert (retry.wait_min_s, retry.wait_max_s) == (90, 90)


def test_upper_case_names_of_the_users_own_are_let_be(folder):
    (folder / "config.py").write_text(
        SETTINGS + "    API_KEY = 'x'\n    MAX_RETRIES = 1\n    MAX_RETRIES_S = 9\n"
    )

    assert load_target(str(folder / "config.py")).job.retry.max_attempts == 2


@pytest.mark.parametrize(
    ("line", "says", "remedy"),
    [
        ("MAX_CONCURRENCY = 'fifty'", 'MAX_CONCURRENCY = "fifty"', "1 or more"),
        ("MAX_CONCURRENCY = 0", "MAX_CONCURRENCY = 0", "1 or more"),
        ("REQUESTS_PER_MINUTE = -1", "REQUESTS_PER_MINUTE = -1", "0 or more"),
        ("REQUESTS_PER_MINUTE = 0.5", "REQUESTS_PER_MINUTE = 0.5", "a whole number"),
        ("MAX_RETRIES = -1", "MAX_RETRIES = -1", "0 or more"),
        ("RETRY_INITIAL_DELAY = '2'", 'RETRY_INITIAL_DELAY = "2"', "a number"),
        ("WRITE_BATCH_SIZE = 'x'", 'WRITE_BATCH_SIZE = "x"', "a whole number"),
        ("LOG_LEVEL = 'LOUD'", 'LOG_LEVEL = "LOUD"', '"debug"'),
        ("ERROR_FILE = 5", "ERROR_FILE = 5", "write a path"),
        ("MAX_CONCURENCY = 5", "MAX_CONCURENCY = 5", "did you mean MAX_CONCURRENCY?"),
        ("ID_KEY = None\n    RERUN_KEY = 'again'", "RERUN_KEY needs ID_KEY", "set ID_KEY"),
        ("INPUT_FILE = None", "INPUT_FILE is missing", "set INPUT_FILE, or give --input"),
    ],
)
def test_a_mistake_is_one_line_with_file_name_value_and_a_remedy(
    folder, refused, line, says, remedy
):
    file = folder / "config.py"
    file.write_text(f"{SETTINGS}    {line}\n")

    message = refused(file)

    assert message.startswith(f"{file}: {says}")
    assert remedy in message.split("\nhint: ")[1]


def test_several_mistakes_are_told_at_once(folder, refused):
    (folder / "config.py").write_text(SETTINGS + "    MAX_RETRIES = -1\n    ERROR_FILE = 5\n")

    assert "config.py has 2 mistakes:" in refused(folder / "config.py")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has neither Settings nor settings"),
        ("class Settings:\n  X = 1 / 0\n", "ZeroDivisionError: division by zero ("),
        ("class Settings:\n  def __init__(self): raise OSError('no')\n", "Settings() failed"),
        ("class Settings\n", "SyntaxError"),
    ],
)
def test_a_config_that_cannot_be_read_says_where(folder, refused, text, says):
    (folder / "config.py").write_text(text)

    message = refused(folder / "config.py")

    assert "config.py" in message
    assert says in message


def test_an_error_in_the_file_is_told_with_its_line(folder, refused):
    (folder / "config.py").write_text("import os\n\nX = os.environ['NO_SUCH_NAME_SET']\n")

    assert f"({folder}/config.py:3)" in refused(folder / "config.py")
