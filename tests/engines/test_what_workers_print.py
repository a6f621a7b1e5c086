"""Where does it go what a task prints in a worker process?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from commands import environment, start

TASK = """\
print("imported")

def on_shutdown():
    print("down")

def process_record(record):
    print("called")
    return record
"""
DRIVER = """\
from batchmill import Job, run
run(Job(source="in.jsonl", task="task.py", sink="out.jsonl", engine="process", workers=2))
"""


def project(folder):
    (folder / "task.py").write_text(TASK)
    (folder / "in.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in range(100)))
    env = environment()
    env.pop("PYTHONUNBUFFERED", None)
    return {"cwd": folder, "env": env, "text": True}


def test_it_goes_where_the_driver_prints_to_its_last_word(tmp_path):
    ended = subprocess.run([sys.executable, "-c", DRIVER], capture_output=True, **project(tmp_path))

    assert Counter(imported=3, called=100, down=2) == Counter(ended.stdout.split())


def test_it_does_not_come_between_a_report_and_who_reads_it(tmp_path):
    command = start("run", "task.py", "--input", "in.jsonl", "--output", "out.jsonl", "--engine",
                    "process", "--workers", 2, "--json", stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, **project(tmp_path))  # fmt: skip
    out, err = command.communicate(timeout=60)

    assert 100 == json.loads(out)["succeeded"]
    assert 100 == err.count("called")


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "<&-", ">&-", "2>&-"])
def test_there_may_be_nowhere_to_print_to(tmp_path, closed):
    options = project(tmp_path)
    (tmp_path / "driver.py").write_text(DRIVER)
    command = f"{sys.executable} driver.py {closed}; echo $? > code"

    subprocess.run(["sh", "-c", command], check=True, capture_output=True, **options)

    assert "0\n" == (tmp_path / "code").read_text()
    assert 100 == len((tmp_path / "out.jsonl").read_text().splitlines())
